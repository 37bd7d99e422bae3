//! A kubeconfig, read strictly: whoever's account it names has to prove itself by what stands in the file.
//! belay starts no programs, also not those that log in.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// A kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// It cannot be read, or it does not hold what it must.
    #[error("{} cannot be used", told(.path.as_deref()))]
    Unread {
        /// Which, where one is named.
        path: Option<PathBuf>,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// It says nothing of such a context.
    #[error("{} has no context `{context}`; it has {}", told(.path.as_deref()), listed(.known))]
    NoContext {
        /// Which, where one is named.
        path: Option<PathBuf>,
        /// As configured.
        context: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// It names no context to begin with.
    #[error("{} names no current context: set `cluster.context`; it has {}", told(.path.as_deref()), listed(.known))]
    NoCurrent {
        /// Which, where one is named.
        path: Option<PathBuf>,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A program would have to be run to log in.
    #[error(
        "user `{user}` of {} logs in by running a program ({by}), and belay runs none: give belay an account of its \
         own (`cluster.url` with `cluster.caFile` and `cluster.tokenFile`; `belay rbac --service-account` prints its \
         roles), or run belay inside the cluster", told(.path.as_deref())
    )]
    Runs {
        /// Which, where one is named.
        path: Option<PathBuf>,
        /// The user.
        user: String,
        /// How it would log in.
        by: String,
    },
    /// Anybody could answer in the API server's place.
    #[error(
        "cluster `{cluster}` of {} is not to be checked (`insecure-skip-tls-verify`), so that anybody could answer in \
         its place: name its authority there (`certificate-authority`)", told(.path.as_deref())
    )]
    Unchecked {
        /// Which, where one is named.
        path: Option<PathBuf>,
        /// The cluster.
        cluster: String,
    },
}

impl NotUsable {
    /// There is no kubeconfig at all.
    pub(super) fn is_absent(&self) -> bool {
        let Self::Unread { source, .. } = self else { return false };
        match &**source {
            KubeconfigError::FindPath => true,
            KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

fn told(path: Option<&Path>) -> String {
    path.map_or_else(|| "the kubeconfig".to_owned(), |path| format!("the kubeconfig `{}`", path.display()))
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The client's settings by this kubeconfig and context, or by those that `kubectl` would take.
pub(super) async fn config(path: Option<&Path>, context: Option<&str>) -> Result<Config, NotUsable> {
    let unread = |e| NotUsable::Unread { path: path.map(Path::to_owned), source: Box::new(e) };
    let file = match path {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let file = file.map_err(unread)?;
    admit(path, &file, context)?;
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(file, &options).await.map_err(unread)
}

fn admit(path: Option<&Path>, file: &Kubeconfig, context: Option<&str>) -> Result<(), NotUsable> {
    let path = || path.map(Path::to_owned);
    let known = || file.contexts.iter().map(|named| named.name.clone()).collect();
    let Some(wanted) = context.or(file.current_context.as_deref()).filter(|name| !name.is_empty()) else {
        return Err(NotUsable::NoCurrent { path: path(), known: known() });
    };
    let Some(chosen) = file.contexts.iter().find(|named| named.name == wanted) else {
        return Err(NotUsable::NoContext { path: path(), context: wanted.to_owned(), known: known() });
    };
    let Some(chosen) = &chosen.context else { return Ok(()) };
    let user = file.auth_infos.iter().find(|named| Some(&named.name) == chosen.user.as_ref());
    if let Some(by) = user.and_then(|named| named.auth_info.as_ref()).and_then(runs) {
        let user = chosen.user.clone().unwrap_or_default();
        return Err(NotUsable::Runs { path: path(), user, by });
    }
    let cluster = file.clusters.iter().find(|named| named.name == chosen.cluster);
    let cluster = cluster.and_then(|named| named.cluster.as_ref());
    if cluster.is_some_and(|cluster| cluster.insecure_skip_tls_verify == Some(true)) {
        return Err(NotUsable::Unchecked { path: path(), cluster: chosen.cluster.clone() });
    }
    Ok(())
}

/// What would have to be run to log in as this user.
fn runs(user: &AuthInfo) -> Option<String> {
    let exec = user.exec.as_ref().map(|exec| {
        let command = exec.command.as_deref().unwrap_or("unnamed");
        format!("`exec`: `{command}`")
    });
    exec.or_else(|| user.auth_provider.as_ref().map(|by| format!("`auth-provider`: `{}`", by.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
apiVersion: v1
kind: Config
current-context: eu
contexts:
- { name: eu, context: { cluster: eu, user: ours } }
- { name: cloud, context: { cluster: eu, user: sso } }
- { name: old, context: { cluster: eu, user: legacy } }
- { name: blind, context: { cluster: blind, user: ours } }
clusters:
- { name: eu, cluster: { server: 'https://eu.example.com:6443' } }
- { name: blind, cluster: { server: 'https://eu.example.com:6443', insecure-skip-tls-verify: true } }
users:
- { name: ours, user: { token: t0ken } }
- { name: sso, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], interactiveMode: Never } } }
- { name: legacy, user: { auth-provider: { name: gcp, config: {} } } }
";

    async fn told(text: &str, context: Option<&str>) -> Result<Config, String> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(&path, text).unwrap();
        let said = config(Some(&path), context).await;
        said.map_err(|e| e.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[tokio::test]
    async fn a_context_is_taken_by_name_and_the_current_one_otherwise() {
        for context in [None, Some("eu")] {
            let config = told(FILE, context).await.unwrap();
            assert_eq!(config.cluster_url.host(), Some("eu.example.com"));
        }
        let said = told(FILE, Some("us")).await.unwrap_err();
        assert_eq!(said, "the kubeconfig `FILE` has no context `us`; it has `eu`, `cloud`, `old`, `blind`");
        let none = FILE.replace("current-context: eu\n", "");
        let said = told(&none, None).await.unwrap_err();
        assert!(
            said.starts_with("the kubeconfig `FILE` names no current context: set `cluster.context`"),
            "{said}"
        );
        let said = told("contexts: 5", None).await.unwrap_err();
        assert_eq!(said, "the kubeconfig `FILE` cannot be used");
    }

    #[tokio::test]
    async fn no_program_is_run_to_log_in() {
        let said = told(FILE, Some("cloud")).await.unwrap_err();
        assert!(
            said.starts_with(
                "user `sso` of the kubeconfig `FILE` logs in by running a program (`exec`: `aws`)"
            ),
            "{said}"
        );
        let said = told(FILE, Some("old")).await.unwrap_err();
        assert!(said.contains("`auth-provider`: `gcp`"), "{said}");
    }

    #[tokio::test]
    async fn an_api_server_is_checked() {
        let said = told(FILE, Some("blind")).await.unwrap_err();
        assert!(said.starts_with("cluster `blind` of the kubeconfig `FILE` is not to be checked"), "{said}");
    }
}
