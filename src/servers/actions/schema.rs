//! The JSON Schemas of what travels: the domain's own types, described for whoever connects. A test holds
//! each description against what is really sent.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::action::{Action, ActionKind};
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};

/// A domain type on the wire, as it serializes itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wire<T>(pub T);

/// A type with a description of its JSON.
pub trait Described {
    /// Its name in the schema.
    const NAME: &'static str;

    /// Its schema.
    fn describe() -> Value;
}

impl<T: Described> JsonSchema for Wire<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(T::describe()).unwrap_or_default()
    }
}

impl Described for Action {
    const NAME: &'static str = "Action";

    fn describe() -> Value {
        json!({
            "description": "One action of the closed catalogue, with its exact target.",
            "oneOf": ActionKind::ALL.map(shape),
        })
    }
}

impl Described for RootOwner {
    const NAME: &'static str = "RootOwner";

    fn describe() -> Value {
        object("The top controller of the target.")
    }
}

impl Described for IntentId {
    const NAME: &'static str = "IntentId";

    fn describe() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9-]{1,63}$", "description": "The intent's id, as it stands on the object." })
    }
}

impl Described for Plan {
    const NAME: &'static str = "Plan";

    fn describe() -> Value {
        let common = json!({
            "type": "object",
            "properties": {
                "direction": { "enum": ["forward", "revert"] },
                "owner": object("The top controller of the target."),
                "preconditions": record(json!({ "uid": text(), "generation": maybe("integer") })),
                "changes": { "type": "array", "items": field_change() },
                "blast": record(json!({
                    "desired": count(), "ready": count(), "unavailable_after": count(),
                    "replica_delta": { "type": "integer" }, "budget_allows": maybe("integer"),
                })),
                "class": class(),
                "undo": { "oneOf": [
                    record(json!({ "undo": { "const": "restore" }, "fields": { "type": "array", "items": field_change() } })),
                    record(json!({ "undo": { "const": "job" }, "runs": text() })),
                    record(json!({ "undo": { "const": "nothing" }, "why": text() })),
                ] },
                "note": text(),
                "proposal": { "type": "object", "description": "Where it is proposed, and what becomes of the file." },
                "made_at": moment(),
                "expires_at": moment(),
            },
            "required": ["direction", "owner", "preconditions", "changes", "blast", "class", "undo", "made_at", "expires_at"],
        });
        json!({
            "description": "The whole of what will be done; its hash is what a warrant is for.",
            "allOf": [common, { "oneOf": ActionKind::ALL.map(shape) }],
        })
    }
}

impl Described for SignedWarrant {
    const NAME: &'static str = "SignedWarrant";

    fn describe() -> Value {
        let mut schema = record(json!({ "body": text(), "key": text(), "signature": text() }));
        set(
            &mut schema,
            "description",
            "Canonical JSON of the warrant, its key's id, and an Ed25519 signature in base64.".into(),
        );
        set(&mut schema, "additionalProperties", false.into());
        schema
    }
}

impl Described for Refusal {
    const NAME: &'static str = "Refusal";

    fn describe() -> Value {
        json!({
            "type": "object",
            "description": "Why nothing was changed.",
            "properties": {
                "refusal": { "enum": [
                    "gone", "changed", "nothing_to_do", "limit", "managed", "api", "warrant", "not_applied", "expired", "unreadable",
                ] },
                "why": { "oneOf": [text(), record(json!({ "object": text(), "detail": text() }))] },
            },
            "required": ["refusal", "why"],
        })
    }
}

impl Described for Applied {
    const NAME: &'static str = "Applied";

    fn describe() -> Value {
        json!({
            "type": "object",
            "description": "What became of the order: done, refused with nothing changed, or unknown.",
            "properties": {
                "applied": { "enum": ["done", "refused", "unknown"] },
                "detail": text(),
                "changed": text(),
                "progress": {
                    "type": "object",
                    "description": "How far the Job is that was made.",
                    "properties": {
                        "progress": { "enum": ["running", "complete", "failed"] }, "at": maybe("string"), "why": text(),
                    },
                    "required": ["progress"],
                },
                "proposed": {
                    "type": "object",
                    "description": "How the pull request stands that was opened.",
                    "properties": { "link": text(), "stands": { "enum": ["open", "merged", "closed"] } },
                    "required": ["link", "stands"],
                },
                "refusal": text(),
                "why": {},
            },
            "required": ["applied"],
        })
    }
}

/// An action of this kind, as it serializes itself.
fn shape(kind: ActionKind) -> Value {
    let workload = |what: &str| json!({ "workload": object(what) });
    let rolls = "The Deployment, StatefulSet or DaemonSet.";
    let mut fields = match kind {
        ActionKind::RestartPod => json!({ "pod": object("The pod.") }),
        ActionKind::RestartWorkload => workload(rolls),
        ActionKind::ScaleWorkload => json!({
            "workload": object("The Deployment."),
            "replicas": { "type": "integer", "minimum": 0, "description": "The new, absolute value." },
        }),
        ActionKind::RollbackWorkload => json!({
            "workload": object(rolls),
            "template": { "type": "string", "description": "The pod-template-hash, or the name of the ControllerRevision." },
        }),
        ActionKind::PauseRollout | ActionKind::ResumeRollout => workload("The Deployment."),
        ActionKind::SuspendCronjob | ActionKind::ResumeCronjob => {
            json!({ "cronjob": object("The CronJob.") })
        }
        ActionKind::SetHpaBounds => json!({
            "autoscaler": object("The HorizontalPodAutoscaler."),
            "bounds": record(json!({ "min": count(), "max": count() })),
        }),
        ActionKind::SetResources => json!({
            "workload": object(rolls),
            "container": text(),
            "step": record(json!({ "resource": { "enum": ["cpu", "memory"] }, "from": count(), "to": count() })),
        }),
        ActionKind::CordonNode | ActionKind::UncordonNode => json!({ "node": object("The node.") }),
        ActionKind::RestoreConfig => json!({
            "config": object("The ConfigMap or Service."),
            "version": { "type": "integer", "minimum": 0, "description": "Which of those that were recorded." },
        }),
        ActionKind::OpenPullRequest => {
            json!({ "instead_of": { "type": "object", "description": "The action whose change is proposed." } })
        }
        ActionKind::RunJob => json!({
            "about": object("What it is run for."),
            "template": text(),
            "hash": { "type": "string", "description": "Of the template's text, without its comments." },
            "parameters": { "type": "object", "additionalProperties": text() },
            "declared": class(),
        }),
    };
    set(&mut fields, "action", json!({ "const": kind.name() }));
    let mut shape = record(fields);
    if kind == ActionKind::RestoreConfig {
        // what is not there is not said
        for (key, items) in [("fields", "object"), ("withheld", "object")] {
            more(&mut shape, key, json!({ "type": "array", "items": { "type": items } }));
        }
        more(&mut shape, "seen", moment());
        more(&mut shape, "workload", object("The workload that it is done for."));
    }
    shape
}

fn class() -> Value {
    record(json!({
        "undo": { "enum": ["exact", "self_healing", "side_effects", "none"] },
        "risk": { "enum": ["low", "medium", "high"] },
    }))
}

/// A property that need not be there.
fn more(schema: &mut Value, key: &str, value: Value) {
    if let Some(properties) = schema.get_mut("properties") {
        set(properties, key, value);
    }
}

fn object(what: &str) -> Value {
    let mut schema = record(json!({
        "cluster": text(), "kind": text(), "namespace": text(), "name": text(), "uid": text(),
    }));
    set(&mut schema, "description", what.into());
    schema
}

fn field_change() -> Value {
    record(json!({ "path": text(), "from": maybe("string"), "to": maybe("string") }))
}

/// An object that has all of these properties.
#[expect(clippy::needless_pass_by_value, reason = "it is called with a literal")]
fn record(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|p| p.keys().cloned()).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Some(map) = schema.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn moment() -> Value {
    json!({ "type": "string", "description": "RFC 3339." })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::canonical::Hash;

    fn keys(value: &Value) -> BTreeSet<String> {
        value.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect()
    }

    #[test]
    fn the_descriptions_name_what_is_really_sent() {
        let object =
            json!({ "cluster": "c", "kind": "Deployment", "namespace": "n", "name": "w", "uid": "u" });
        let owner: RootOwner = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(keys(&serde_json::to_value(&owner).unwrap()), keys(&RootOwner::describe()["properties"]));

        let plan: Plan = serde_json::from_value(json!({
            "action": "scale_workload", "workload": object, "replicas": 5, "direction": "forward", "owner": object,
            "preconditions": { "uid": "u", "generation": 4 }, "changes": [],
            "blast": { "desired": 3, "ready": 3, "unavailable_after": 0, "replica_delta": 2, "budget_allows": null },
            "class": { "undo": "exact", "risk": "low" }, "undo": { "undo": "nothing", "why": "w" },
            "made_at": "2026-11-21T08:00:00Z", "expires_at": "2026-11-21T08:10:00Z",
        }))
        .unwrap();
        let sent = serde_json::to_value(&plan).unwrap();
        let described = &Plan::describe()["allOf"][0]["properties"];
        let not_said = ["note", "proposal"].map(str::to_owned).into();
        let expected =
            &(&keys(described) - &not_said) | &keys(&shape(ActionKind::ScaleWorkload)["properties"]);
        assert_eq!(keys(&sent), expected);
        for part in ["preconditions", "blast", "class"] {
            assert_eq!(keys(&sent[part]), keys(&described[part]["properties"]), "{part}");
        }
    }

    #[test]
    fn every_action_is_described_as_it_is_sent() {
        let of =
            |kind: &str| json!({ "cluster": "c", "kind": kind, "namespace": "n", "name": "w", "uid": "u" });
        let (workload, cronjob, node) = (of("Deployment"), of("CronJob"), of("Node"));
        let scale = json!({ "action": "scale_workload", "workload": workload, "replicas": 5 });
        let sent = [
            json!({ "action": "restart_pod", "pod": of("Pod") }),
            json!({ "action": "restart_workload", "workload": workload }),
            scale.clone(),
            json!({ "action": "rollback_workload", "workload": workload, "template": "7c9f" }),
            json!({ "action": "pause_rollout", "workload": workload }),
            json!({ "action": "resume_rollout", "workload": workload }),
            json!({ "action": "suspend_cronjob", "cronjob": cronjob }),
            json!({ "action": "resume_cronjob", "cronjob": cronjob }),
            json!({ "action": "set_hpa_bounds", "autoscaler": of("HorizontalPodAutoscaler"), "bounds": { "min": 1, "max": 2 } }),
            json!({ "action": "set_resources", "workload": workload, "container": "web", "step": { "resource": "memory", "from": 64, "to": 96 } }),
            json!({ "action": "cordon_node", "node": node }),
            json!({ "action": "uncordon_node", "node": node }),
            json!({
                "action": "restore_config", "config": of("ConfigMap"), "version": 7, "workload": workload,
                "seen": "2026-11-21T08:00:00Z",
            }),
            json!({ "action": "open_pull_request", "instead_of": scale }),
            json!({
                "action": "run_job", "about": workload, "template": "t", "hash": Hash::of(b"t"), "parameters": {},
                "declared": { "undo": "none", "risk": "high" },
            }),
        ];
        for (kind, sent) in ActionKind::ALL.into_iter().zip(sent) {
            let action: Action = serde_json::from_value(sent).unwrap();
            assert_eq!(action.kind(), kind);
            let (sent, described) = (serde_json::to_value(&action).unwrap(), shape(kind));
            let required = described["required"].as_array().unwrap().iter();
            let required: BTreeSet<String> = required.map(|key| key.as_str().unwrap().to_owned()).collect();
            assert!(keys(&sent).is_superset(&required), "{sent}");
            assert!(keys(&described["properties"]).is_superset(&keys(&sent)), "{sent}");
        }
    }
}
