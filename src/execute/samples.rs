//! An intent for the tests of this room.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::action::live::{Around, LiveObject, Marking, Pods};
use crate::domain::action::managers::Managers;
use crate::domain::action::{Action, edit};
use crate::domain::alert::Labels;
use crate::domain::canonical::Hash;
use crate::domain::record::Intent;
use crate::domain::target::RootOwner;

/// So many seconds after the beginning.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
}

pub(super) fn intent() -> Intent {
    let object: crate::domain::target::Object = serde_json::from_value(json!({
        "cluster": "eu-1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "u-web",
    }))
    .unwrap();
    let live = LiveObject {
        owner: RootOwner(object.clone()),
        object,
        generation: Some(4),
        marking: Marking::Annotated { intent: None },
        annotations: Labels::new(),
        content: json!({ "spec": { "replicas": 3 } }),
        pods: Some(Pods { desired: 3, ready: 3, ..Pods::default() }),
        managers: Managers::default(),
        around: Around::Autoscaler(None),
    };
    let action = Action::ScaleWorkload { workload: live.object.clone(), replicas: 5 };
    let plan = edit::plan(Some(&live), &action, at(0)).unwrap();
    let rule = json!({ "name": "one", "slack_users": [], "operators": true, "count": 1, "expires": "PT15M" });
    let verify = json!({ "within": "PT20M", "stabilise": "PT2M", "expect": [], "on_failure": "revert" });
    serde_json::from_value(json!({
        "id": "inc00001-0", "incident": "inc00001", "plan": plan, "plan_hash": plan.hash().unwrap(),
        "terms": { "grant": "scale-up", "also": [], "draws": [], "approval": rule, "verify": verify, "confirm": null },
        "approved_by": "grant/scale-up", "set": Hash::of(b"set"), "reverts": null, "deadline": at(600),
    }))
    .unwrap()
}
