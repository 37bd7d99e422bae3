//! Who else has a say over an object's fields: GitOps controllers, Helm and operators. What they would put
//! back is not changed behind their back.

use serde_json::Value;

use super::ActionKind;
use crate::domain::alert::Labels;
use crate::domain::plan::{Refusal, unescaped};
use crate::domain::target::Object;

/// Flux leaves an object alone that carries this with `disabled`.
const FLUX_RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";

/// Marks of controllers that compare with a repository and put back what differs.
const GITOPS: [(&str, &str); 4] = [
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];

/// Field managers that reconcile, by the beginning of their name.
const RECONCILERS: [(&str, &str); 7] = [
    ("argocd", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("fleetagent", "Fleet"),
    ("crossplane", "Crossplane"),
    ("pulumi-kubernetes-operator", "Pulumi"),
    ("vpa-updater", "the vertical autoscaler"),
];

/// Who would put a change back by itself, as the object's own labels and annotations tell.
pub fn gitops(labels: &Labels, annotations: &Labels) -> Option<&'static str> {
    let carries = |key: &str| labels.contains_key(key) || annotations.contains_key(key);
    let left_alone = annotations.get(FLUX_RECONCILE).is_some_and(|value| value == "disabled");
    let marks = GITOPS.iter().filter(|(key, _)| !(left_alone && key.starts_with("kustomize.")));
    marks.filter(|(key, _)| carries(key)).map(|(_, who)| *who).next()
}

/// Who else has a say over an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Managers {
    /// The GitOps tool whose mark it carries.
    pub gitops: Option<&'static str>,
    /// The Helm release that it was installed by.
    pub helm: Option<String>,
    /// A controller above it that belay does not know: an operator.
    pub operator: Option<String>,
    /// `metadata.managedFields`: names and the fields that each of them owns.
    pub fields: Vec<(String, Value)>,
}

impl Managers {
    /// What an object's metadata tells.
    pub fn of(labels: &Labels, annotations: &Labels, fields: Vec<(String, Value)>) -> Self {
        let helm = annotations.get("meta.helm.sh/release-name").cloned();
        let helm = helm.or_else(|| labels.get("helm.sh/chart").cloned());
        Self { gitops: gitops(labels, annotations), helm, operator: None, fields }
    }

    /// The names of those that own the field at this path.
    pub fn owners<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(_, owned)| owns(owned, path)).map(|(name, _)| name.as_str())
    }

    /// Refuses a change that somebody else would put back.
    pub fn admit<'a>(
        &self,
        object: &Object,
        kind: ActionKind,
        paths: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Refusal> {
        if kind.entry().transient {
            return Ok(());
        }
        let Some(who) = self.who(paths) else { return Ok(()) };
        let instead = "open a pull request where the desired state is kept";
        Err(Refusal::Managed(format!("{who} manages `{object}` and would put the change back: {instead}")))
    }

    /// Who would put back a change of these fields.
    pub fn who<'a>(&self, paths: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
        if let Some(who) = self.gitops {
            return Some(who.to_owned());
        }
        if let Some(operator) = &self.operator {
            return Some(format!("`{operator}`, a controller that belay does not know,"));
        }
        for path in paths {
            let reconciler = self.owners(path).find_map(|name| {
                let known =
                    RECONCILERS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, who)| *who);
                known.or_else(|| name.contains("operator").then_some(name))
            });
            if let Some(who) = reconciler {
                return Some(format!("{who} owns `{path}`,"));
            }
        }
        None
    }

    /// Who will bring back the old value at the next occasion, for the person who reads the plan.
    pub fn note(&self) -> Option<String> {
        let helm = self.helm.as_ref()?;
        Some(format!("it is part of the Helm release `{helm}`: the next upgrade puts its own values back"))
    }
}

/// Whether `fieldsV1` covers the field at this JSON pointer: an entry for it, or for a leaf above it. Lists
/// of things with a name are keyed by it there and by position here: below such a list the owner of the
/// list counts.
fn owns(fields: &Value, path: &str) -> bool {
    let mut at = fields;
    for part in path.split('/').skip(1) {
        let key = format!("f:{}", unescaped(part));
        let Some(below) = at.get(&key) else {
            let keyed = at.as_object().is_some_and(|all| all.keys().any(|k| k.starts_with("k:")));
            let leaf = at.as_object().is_some_and(|all| all.keys().all(|k| k == "."));
            return keyed || (leaf && !std::ptr::eq(at, fields));
        };
        at = below;
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_belongs_to_whoever_wrote_it_or_what_it_stands_in() {
        let fields = json!({
            "f:spec": {
                "f:replicas": {},
                "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"web\"}": { "f:image": {} } } } },
            },
            "f:data": { ".": {}, "f:a": {} },
        });
        for (path, expected) in [
            ("/spec/replicas", true),
            ("/spec/paused", false),
            ("/spec/template/spec/containers/0/image", true),
            ("/data/a", true),
            ("/data/b", false),
            ("/metadata", false),
        ] {
            assert_eq!(owns(&fields, path), expected, "{path}");
        }
        assert!(!owns(&json!({}), "/spec/replicas"));
    }

    #[test]
    fn flux_can_be_told_to_leave_an_object_alone() {
        let set = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let flux = set(&[("kustomize.toolkit.fluxcd.io/name", "shop")]);
        let alone = set(&[("kustomize.toolkit.fluxcd.io/reconcile", "disabled")]);
        let argo = set(&[("argocd.argoproj.io/instance", "shop")]);
        assert_eq!(gitops(&flux, &Labels::new()), Some("Flux"));
        assert_eq!(gitops(&flux, &alone), None);
        assert_eq!(gitops(&argo, &alone), Some("Argo CD"));
        assert_eq!(gitops(&Labels::new(), &Labels::new()), None);
    }
}
