//! An intent for the tests of this room.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::action::live::{LiveWorkload, Marking};
use crate::domain::action::scale_workload;
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
    let live = LiveWorkload {
        owner: RootOwner(object.clone()),
        object,
        generation: 4,
        replicas: 3,
        ready: 3,
        marking: Marking::Annotated { intent: None },
        budget_allows: None,
        autoscaler: None,
    };
    let plan = scale_workload::plan(Some(&live), &live.object, 5, at(0)).unwrap();
    let rule = json!({ "name": "one", "slack_users": [], "operators": true, "count": 1, "expires": "PT15M" });
    let verify = json!({ "within": "PT20M", "stabilise": "PT2M", "expect": [], "on_failure": "revert" });
    serde_json::from_value(json!({
        "id": "inc00001-0", "incident": "inc00001", "plan": plan, "plan_hash": plan.hash().unwrap(),
        "terms": { "grant": "scale-up", "also": [], "draws": [], "approval": rule, "verify": verify, "confirm": null },
        "approved_by": "grant/scale-up", "set": Hash::of(b"set"), "reverts": null, "deadline": at(600),
    }))
    .unwrap()
}
