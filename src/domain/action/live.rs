//! The live objects as planning and applying see them: read uncached, just before, and holding exactly
//! the fields that a plan depends on.

use serde_json::Value;

use super::managers::Managers;
use super::rollback_workload::TemplateHash;
use crate::domain::alert::Labels;
use crate::domain::cluster::How;
use crate::domain::ids::IntentId;
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, Named, Object, RootOwner};

/// The annotations of an object, as far as marking it with an intent goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marking {
    /// It has no annotations at all: JSON Patch cannot add below a map that is missing, and adding the
    /// map would overwrite one that somebody else adds meanwhile, so there must still be none.
    Bare,
    /// It has some.
    Annotated {
        /// The intent that stands on it.
        intent: Option<String>,
    },
}

impl Marking {
    /// The intent that stands on the object.
    pub fn intent(&self) -> Option<&str> {
        match self {
            Self::Bare => None,
            Self::Annotated { intent } => intent.as_deref(),
        }
    }

    /// Whether this intent stands on the object.
    pub fn carries(&self, intent: &IntentId) -> bool {
        self.intent() == Some(intent.as_str())
    }
}

/// An object of which an action changes fields.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveObject {
    /// Which one.
    pub object: Object,
    /// Who answers for it: the top of its chain of controllers, itself where nothing controls it, and for an
    /// autoscaler the owner of what it scales.
    pub owner: RootOwner,
    /// `metadata.generation`, where its kind has one.
    pub generation: Option<i64>,
    /// Its annotations, as far as marking goes.
    pub marking: Marking,
    /// `metadata.annotations`.
    pub annotations: Labels,
    /// Everything but `metadata` and `status`, as it was read: `/spec/replicas`, `/data/key`.
    pub content: Value,
    /// Its pods; `None` for what has none.
    pub pods: Option<Pods>,
    /// Who else has a say over its fields.
    pub managers: Managers,
    /// What else the action at hand depends on.
    pub around: Around,
}

impl LiveObject {
    /// Refuses what is of none of these kinds.
    pub fn is(&self, kinds: &[Kind]) -> Result<(), Refusal> {
        if kinds.contains(&self.object.named.kind) {
            return Ok(());
        }
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        Err(Refusal::Limit(format!("`{}` is no {}", self.object, names.join(", "))))
    }

    /// Refuses a workload whose pods are not replaced by its controller when its template changes.
    pub fn rolls_by_itself(&self) -> Result<(), Refusal> {
        let strategy = ["/spec/updateStrategy/type", "/spec/strategy/type"];
        let on_delete = strategy
            .iter()
            .any(|path| self.content.pointer(path).and_then(Value::as_str) == Some("OnDelete"));
        let paused = self.content.pointer(super::rollout::PAUSED).and_then(Value::as_bool) == Some(true);
        let why = match (on_delete, paused) {
            (true, _) => "its pods are replaced only when somebody deletes them",
            (_, true) => "its rollout is paused",
            (false, false) => return Ok(()),
        };
        Err(Refusal::Limit(format!("a new template would change nothing of `{}`: {why}", self.object)))
    }

    /// The volumes that a StatefulSet adds to each of its pods, by name.
    pub fn claims(&self) -> Vec<String> {
        let claims = self.content.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        let name = |claim: &Value| claim.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        claims.into_iter().flatten().filter_map(name).collect()
    }

    /// What has to happen before its controller follows a new template. A StatefulSet that makes its pods in
    /// order touches none while one is not ready, not even to give that one a better template.
    pub fn waits(&self) -> Option<&'static str> {
        let pods = self.pods.unwrap_or_default();
        let policy = self.content.pointer("/spec/podManagementPolicy").and_then(Value::as_str);
        let ordered = self.object.named.kind == Kind::StatefulSet && policy != Some("Parallel");
        let why = "it makes its pods in order, and one is not ready: none is replaced until that one is ready, \
                   or is restarted by itself";
        (ordered && pods.ready < pods.desired).then_some(why)
    }
}

/// The pods of a workload in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pods {
    /// Replicas that are wanted.
    pub desired: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// How many its strategy lets be missing while all of them are replaced.
    pub max_unavailable: u32,
    /// The smallest number of disruptions that a budget over its pods still allows; `None`: no budget.
    pub budget_allows: Option<u32>,
}

/// What only some actions depend on.
#[derive(Debug, Clone, PartialEq)]
pub enum Around {
    /// Nothing.
    Nothing,
    /// The autoscaler that sets its replicas.
    Autoscaler(Option<String>),
    /// The template that a rollback names, if it is there, and the name of the one that runs.
    Template {
        /// The wanted template, and whether pods of it still serve.
        wanted: Option<(Value, bool)>,
        /// The name of the template that the workload has now.
        running: Option<TemplateHash>,
    },
    /// Other nodes.
    Nodes {
        /// How many others take no new pods.
        cordoned: u32,
    },
    /// Who reads a ConfigMap, or gets traffic from a Service.
    Config {
        /// The workload that the action is for, if it does.
        workload: Option<Reader>,
        /// All others that do.
        others: Vec<Reader>,
    },
}

/// A workload that a ConfigMap or Service concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Which one.
    pub named: Named,
    /// Its uid.
    pub uid: String,
    /// How its pods read the ConfigMap; nothing for a Service.
    pub ways: Vec<How>,
}

/// A pod that can be evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    /// Which one.
    pub object: Object,
    /// Its controller, one step up.
    pub controller: Option<Object>,
    /// The top of its chain of controllers; itself where nothing controls it.
    pub owner: RootOwner,
    /// Its `Ready` condition.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// Its annotations.
    pub marking: Marking,
    /// Replicas that the owner wants.
    pub owner_desired: u32,
    /// Replicas of the owner that are ready.
    pub owner_ready: u32,
    /// The smallest number of disruptions that a budget over it still allows; `None`: no budget.
    pub budget_allows: Option<u32>,
}

/// What a job is run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAbout {
    /// Which object.
    pub object: Object,
    /// The top of its chain of controllers; itself where nothing controls it.
    pub owner: RootOwner,
}

/// The live object, if it is still the one that `wanted` names.
pub(super) fn same<'a, T>(
    live: Option<&'a T>,
    found: fn(&T) -> &Object,
    wanted: &Object,
) -> Result<&'a T, Refusal> {
    let gone = |detail: String| Refusal::Gone { object: wanted.to_string(), detail };
    let live = live.ok_or_else(|| gone("there is no object of that name".to_owned()))?;
    let uid = &found(live).uid;
    if *uid == wanted.uid {
        Ok(live)
    } else {
        Err(gone(format!("another object has its name now, with uid `{uid}` instead of `{}`", wanted.uid)))
    }
}

/// `Refusal::Changed` for this object.
pub(super) fn changed(object: &Object, detail: impl Into<String>) -> Refusal {
    Refusal::Changed { object: object.to_string(), detail: detail.into() }
}
