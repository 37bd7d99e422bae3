//! The Job of a template: a closed part of `batch/v1` JobSpec. What would reach beyond the Job's own pod (the
//! node, its network, another account) has no place in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Before a parameter's name in the environment of each container.
pub const PARAMETER: &str = "BELAY_PARAM_";

/// The most often that Kubernetes itself starts a failed pod again: its own default.
const MOST_RETRIES: u32 = 6;

/// How long a Job that has ended stays. The least is far beyond the ten minutes for which its plan, and so its
/// warrant, is good: as long as it could be sent again, its name is taken.
const STAYS: std::ops::RangeInclusive<u32> = 3600..=7 * 86_400;

/// A day, if nothing is said: until everybody concerned has come to work.
const STAYS_USUALLY: u32 = 86_400;

/// `spec` of a Job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JobSpec {
    #[serde(default)]
    backoff_limit: u32,
    #[serde(default = "usually")]
    ttl_seconds_after_finished: u32,
    /// Its pod.
    pub template: PodTemplate,
}

fn usually() -> u32 {
    STAYS_USUALLY
}

/// The pod's template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodTemplate {
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: PodMeta,
    /// The pod.
    pub spec: PodSpec,
}

/// Labels and annotations of the pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PodMeta {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PodSpec {
    /// What runs in it.
    pub containers: Vec<Container>,
    /// What runs before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<Container>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume>,
    #[serde(default)]
    restart_policy: RestartPolicy,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tolerations: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    image_pull_secrets: Vec<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    security_context: Option<PodSecurity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority_class_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    termination_grace_period_seconds: Option<u32>,
    /// Whether the account's token is in the pod: only where it is asked for.
    #[serde(default)]
    automount_service_account_token: bool,
    // refused by name, so that the refusal says why
    #[serde(default, skip_serializing)]
    host_network: Option<Value>,
    #[serde(default, rename = "hostPID", skip_serializing)]
    host_pid: Option<Value>,
    #[serde(default, rename = "hostIPC", skip_serializing)]
    host_ipc: Option<Value>,
    #[serde(default, skip_serializing)]
    host_users: Option<Value>,
    #[serde(default, skip_serializing)]
    node_name: Option<Value>,
    #[serde(default, skip_serializing)]
    service_account_name: Option<Value>,
    #[serde(default, skip_serializing)]
    service_account: Option<Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum RestartPolicy {
    #[default]
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    name: String,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_pull_policy: Option<String>,
    /// What is started; the image's own where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// With what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    env: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    security_context: Option<Security>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volume_mounts: Vec<Mount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Variable {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_from: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    requests: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PodSecurity {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_user: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_group: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_non_root: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fs_group: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seccomp_profile: Option<Seccomp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seccomp {
    #[serde(rename = "type")]
    kind: SeccompType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum SeccompType {
    RuntimeDefault,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Security {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    privileged: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allow_privilege_escalation: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_only_root_filesystem: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_user: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_group: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as_non_root: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capabilities {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    add: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drop: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Mount {
    name: String,
    #[serde(rename = "mountPath")]
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub_path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Volume {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config_map: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty_dir: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistent_volume_claim: Option<Value>,
    #[serde(default, skip_serializing)]
    host_path: Option<Value>,
}

impl JobSpec {
    /// Refuses what belay runs for nobody; `at` is where it stands in the file.
    pub fn check(&self, at: &str) -> Result<(), String> {
        if self.backoff_limit > MOST_RETRIES {
            return Err(format!("`{at}.backoffLimit` is beyond {MOST_RETRIES}"));
        }
        if !STAYS.contains(&self.ttl_seconds_after_finished) {
            let (least, most) = (STAYS.start(), STAYS.end());
            return Err(format!("`{at}.ttlSecondsAfterFinished` must be from {least} to {most}"));
        }
        self.template.spec.check(&format!("{at}.template.spec"))
    }
}

impl PodSpec {
    /// Each container with where it stands.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, usize, &Container)> {
        let first = self.init_containers.iter().enumerate().map(|(i, c)| ("initContainers", i, c));
        first.chain(self.containers.iter().enumerate().map(|(i, c)| ("containers", i, c)))
    }

    fn check(&self, at: &str) -> Result<(), String> {
        let host = [
            ("hostNetwork", &self.host_network),
            ("hostPID", &self.host_pid),
            ("hostIPC", &self.host_ipc),
            ("hostUsers", &self.host_users),
            ("nodeName", &self.node_name),
        ];
        if let Some((key, _)) = host.iter().find(|(_, value)| value.is_some()) {
            return Err(format!("`{at}.{key}` is not for a job of belay's: it has no part in its node"));
        }
        if self.service_account_name.is_some() || self.service_account.is_some() {
            return Err(format!("`{at}` names a service account: it is said once, in `serviceAccount`"));
        }
        if self.containers.is_empty() {
            return Err(format!("`{at}.containers` is empty"));
        }
        if let Some(volume) = self.volumes.iter().find(|volume| volume.host_path.is_some()) {
            return Err(format!(
                "`{at}.volumes`: `{}` is a `hostPath`: a job has no part in its node",
                volume.name
            ));
        }
        self.all().try_for_each(|(list, i, container)| container.check(&format!("{at}.{list}[{i}]")))
    }
}

impl Container {
    fn check(&self, at: &str) -> Result<(), String> {
        if self.image.is_empty() {
            return Err(format!("`{at}.image` is empty"));
        }
        if let Some(variable) = self.env.iter().find(|variable| variable.name.starts_with(PARAMETER)) {
            return Err(format!("`{at}.env` sets `{}`: that is for parameters", variable.name));
        }
        // Kubernetes puts the value of a variable in place of `$(NAME)` in all of these
        let values = self.env.iter().filter_map(|variable| variable.value.as_ref());
        let texts = self.command.iter().chain(&self.args).chain(values).chain(&self.working_dir);
        if texts.into_iter().any(|text| text.contains(&format!("$({PARAMETER}"))) {
            return Err(format!(
                "`{at}` names `$({PARAMETER}…)`: a parameter is read from the environment, and never becomes part of a command"
            ));
        }
        self.security_context.as_ref().map_or(Ok(()), |security| security.check(at))
    }
}

impl Security {
    fn check(&self, at: &str) -> Result<(), String> {
        let added = self.capabilities.as_ref().is_some_and(|capabilities| !capabilities.add.is_empty());
        let asked = [
            ("privileged", self.privileged == Some(true)),
            ("allowPrivilegeEscalation", self.allow_privilege_escalation == Some(true)),
            ("capabilities.add", added),
        ];
        match asked.iter().find(|(_, asked)| *asked) {
            Some((key, _)) => {
                Err(format!("`{at}.securityContext.{key}`: a job of belay's has no privileges"))
            }
            None => Ok(()),
        }
    }
}
