//! What must hold after every round, whatever was killed, lost, delayed or edited.

use std::collections::{BTreeMap, BTreeSet};

use belay::domain::action::Action;
use belay::domain::canonical::Hash;
use belay::domain::ids::IntentId;
use belay::domain::plan::{INTENT_ANNOTATION, Plan};
use belay::domain::warrant::Applied;
use belay::sim::kube::{Kind, Verb, WriteSeen};
use serde_json::{Value, json};

use super::case::{Answers, Edit, Fault};
use super::journal::{self, Journal};
use super::round::Broken;
use super::scene::{Arrived, Edited, NOTE, Scene};

/// Pointer to the annotation.
const MARK: &str = "/metadata/annotations/belay.dev~1intent";

/// What a check finds.
type Found<'a> = &'a mut Vec<Broken>;

/// Every check, on a round whose daemon is dead.
pub fn all(scene: &Scene, broken: Found<'_>) {
    let bytes = journal::copy(&scene.state_dir);
    match Journal::read(&bytes, &scene.folder.path().join("end.jsonl")) {
        Err(e) => broke(broken, 19, format!("the journal does not verify: {e}")),
        Ok(journal) => {
            folds(&journal, broken);
            kept(scene, &journal, broken);
            outcomes_are_true(scene, &journal, broken);
            limited(scene, &journal, broken);
        }
    }
    let intended = intended(scene, broken);
    at_most_once(scene, broken);
    episodes(scene, broken);
    as_planned(scene, &intended, broken);
    nobody_overwritten(scene, &intended, broken);
}

fn broke(broken: Found<'_>, promise: u32, what: String) {
    broken.push(Broken { promise, what });
}

/// Promise 22: every stream folds.
fn folds(journal: &Journal, broken: Found<'_>) {
    for (stream, state) in &journal.incidents {
        if let Err(e) = state {
            broke(broken, 22, format!("`{stream}` does not fold: {e}"));
        }
    }
}

/// Promise 6: what was answered 200 is there.
fn kept(scene: &Scene, journal: &Journal, broken: Found<'_>) {
    let received: BTreeSet<Hash> = journal.received().into_iter().collect();
    for body in scene.door.answered().bodies.into_iter().filter(|body| !received.contains(body)) {
        broke(broken, 6, format!("a delivery was answered 200 and is not in the journal: {body}"));
    }
}

/// Promise 1: the journal as it was when a write arrived holds its intent, and the write names the same
/// one twice. Gives the plans, by intent, as they were then.
fn intended(scene: &Scene, broken: Found<'_>) -> BTreeMap<String, Plan> {
    let mut plans = BTreeMap::new();
    for Arrived { arrival, journal } in scene.hook.arrived.lock().unwrap().iter() {
        let Some(id) = &arrival.intent else {
            broke(broken, 1, format!("a write names no intent: {} {:?}", arrival.path, arrival.body));
            continue;
        };
        let agent = arrival.user_agent.split_whitespace().find_map(|word| word.strip_prefix("intent/"));
        if agent != Some(id) {
            broke(broken, 1, format!("the write of `{id}` says `{}`", arrival.user_agent));
        }
        match Journal::read(journal, &scene.folder.path().join("arrived.jsonl")) {
            Err(e) => broke(broken, 19, format!("when `{id}` arrived the journal did not verify: {e}")),
            Ok(then) => match then.intent(id) {
                None => broke(broken, 1, format!("`{id}` was sent before its intent was in the journal")),
                Some(intent) => {
                    if intent.plan.hash().ok() != Some(intent.plan_hash) {
                        broke(broken, 21, format!("the plan of `{id}` is not the one that was named"));
                    }
                    plans.insert(id.clone(), intent.plan.clone());
                }
            },
        }
    }
    plans
}

/// Promise 2, by the API server's own count.
fn at_most_once(scene: &Scene, broken: Found<'_>) {
    for (intent, effects) in scene.world.effects().into_iter().filter(|(_, effects)| *effects > 1) {
        broke(broken, 2, format!("`{intent}` took effect {effects} times"));
    }
    for (uid, times) in scene.world.evictions().into_iter().filter(|(_, times)| *times > 1) {
        broke(broken, 2, format!("the pod {uid} was evicted {times} times"));
    }
}

/// Promise 2, also after losing the journal: an alert that fired once leads to one effect at most. (An
/// edit by a person in between is another world, which may need another act.)
fn episodes(scene: &Scene, broken: Found<'_>) {
    let effects: usize = scene.world.effects().values().sum();
    let answered = scene.door.answered();
    let episodes = answered.episodes.iter().filter(|e| e.alert == scene.case.fault.alert()).count();
    if scene.edits.lock().unwrap().is_empty() && effects > episodes {
        broke(broken, 2, format!("{effects} effects for {episodes} episodes of the alert"));
    }
}

/// What the journal says of an act is what happened.
fn outcomes_are_true(scene: &Scene, journal: &Journal, broken: Found<'_>) {
    // a write that takes effect a second after it was given up cannot be known of; a person may have
    // taken the pod away before we did
    if scene.case.answers == Answers::Delayed(1_000) || !scene.edits.lock().unwrap().is_empty() {
        return;
    }
    let effects = scene.world.effects();
    for act in journal.states().flat_map(|state| &state.acts) {
        let id: &IntentId = &act.intent.id;
        let happened = effects.contains_key(id.as_str());
        let said = match &act.applied {
            Some(Applied::Done { .. }) => true,
            Some(Applied::Refused { .. }) => false,
            Some(Applied::Unknown { .. }) | None => continue,
        };
        if said != happened {
            broke(broken, 19, format!("the journal says {:?} of `{id}`", act.applied));
        }
    }
}

/// Promise 16: no more intents than the limit of the grant allows on its target (`tests/data/kill/policy.yaml`);
/// its window is longer than any round.
fn limited(scene: &Scene, journal: &Journal, broken: Found<'_>) {
    if scene.case.loss.is_some() {
        return; // what was counted went with the journal; `episodes` looks at those
    }
    let most = match scene.case.fault {
        Fault::Oom => 1,
        Fault::Saturation => 2,
    };
    let intents = journal.intents().count();
    if intents > most {
        broke(broken, 16, format!("{intents} intents where the limit is {most}"));
    }
}

/// Promise 21: what was sent is the plan, to the letter.
fn as_planned(scene: &Scene, plans: &BTreeMap<String, Plan>, broken: Found<'_>) {
    for Arrived { arrival, .. } in scene.hook.arrived.lock().unwrap().iter() {
        let Some((id, plan)) = arrival.intent.as_ref().and_then(|id| Some((id, plans.get(id)?))) else {
            continue;
        };
        let expected = expected(id, plan, arrival.path.ends_with("/eviction"), &arrival.body);
        if (arrival.verb, &arrival.path, &arrival.body) != (expected.0, &expected.1, &expected.2) {
            let (verb, path, body) = (arrival.verb, &arrival.path, &arrival.body);
            broke(broken, 21, format!("`{id}` sent {verb:?} {path} {body}\n instead of {expected:?}"));
        }
    }
}

/// The one request that a plan allows for.
fn expected(id: &str, plan: &Plan, evicts: bool, sent: &Value) -> (Verb, String, Value) {
    let named = &plan.action.target().named;
    let uid = json!({ "op": "test", "path": "/metadata/uid", "value": plan.preconditions.uid });
    match &plan.action {
        Action::RestartPod { .. } if evicts => {
            let body = json!({
                "apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": { "name": named.name, "namespace": "shop" },
                "deleteOptions": { "preconditions": { "uid": plan.preconditions.uid } },
            });
            (Verb::Create, format!("/api/v1/namespaces/shop/pods/{}/eviction", named.name), body)
        }
        Action::RestartPod { .. } => {
            let path = format!("/api/v1/namespaces/shop/pods/{}", named.name);
            (Verb::Patch, path, Value::Array([vec![uid], mark(id, sent)].concat()))
        }
        Action::ScaleWorkload { replicas, .. } => {
            let from: i64 = plan.changes[0].from.as_ref().unwrap().parse().unwrap();
            let ops = vec![
                uid,
                json!({ "op": "test", "path": "/metadata/generation", "value": plan.preconditions.generation }),
                json!({ "op": "test", "path": "/spec/replicas", "value": from }),
                json!({ "op": "replace", "path": "/spec/replicas", "value": replicas }),
            ];
            let path = format!("/apis/apps/v1/namespaces/shop/deployments/{}", named.name);
            (Verb::Patch, path, Value::Array([ops, mark(id, sent)].concat()))
        }
        other => panic!("nothing may be sent for {other:?}"),
    }
}

/// How the intent is put on an object: with its first annotation, which needs that there is still none, or beside
/// others.
fn mark(id: &str, sent: &Value) -> Vec<Value> {
    let bare = sent.as_array().into_iter().flatten().find(|op| op["path"] == "/metadata/annotations");
    match bare {
        Some(_) => vec![
            json!({ "op": "test", "path": "/metadata/annotations", "value": null }),
            json!({ "op": "add", "path": "/metadata/annotations", "value": { INTENT_ANNOTATION: id } }),
        ],
        None => vec![json!({ "op": "add", "path": MARK, "value": id })],
    }
}

/// Promises 2 and 4: the Deployment's history is exactly the edits of the person and our effects, each of
/// ours made on what was there at that moment, and nothing of theirs is gone.
fn nobody_overwritten(scene: &Scene, plans: &BTreeMap<String, Plan>, broken: Found<'_>) {
    let edits = scene.edits.lock().unwrap().clone();
    let path = format!("/apis/apps/v1/namespaces/shop/deployments/{}", scene.case.fault.deployment());
    let writes: Vec<WriteSeen> =
        scene.writes().into_iter().filter(|write| write.changed && write.path == path).collect();
    let mut moments: Vec<_> = edits.iter().map(|edit| (edit.at, Happened::Edit(edit))).collect();
    moments.extend(writes.iter().map(|write| (write.at, Happened::Write(write))));
    moments.sort_by_key(|(at, _)| *at);
    let mut now = scene.at_first;
    for (at, happened) in moments {
        match happened {
            Happened::Edit(edit) => {
                if edit.before != now {
                    broke(broken, 4, format!("before {edit:?} it was not {now:?}"));
                }
                now = edit.after;
            }
            Happened::Write(write) => {
                let plan = write.intent.as_ref().and_then(|id| plans.get(id));
                let Some((plan, replicas)) = plan.and_then(|plan| Some((plan, scaled(plan)?))) else {
                    broke(broken, 4, format!("{} at {at} was not by a plan to scale", write.path));
                    continue;
                };
                if (plan.preconditions.generation, replicas.0) != (Some(now.0), now.1) {
                    broke(broken, 4, format!("at {at} it was {now:?}, planned was {plan:?}"));
                }
                now = (now.0 + 1, replicas.1);
            }
        }
    }
    if scene.figures() != now {
        broke(broken, 2, format!("at the end it is {:?} and should be {now:?}", scene.figures()));
    }
    let noted = edits.iter().any(|edit| edit.edit == Edit::Annotation);
    let object = scene.world.object(Kind::Deployment, "shop", scene.case.fault.deployment()).unwrap();
    if noted && object["metadata"]["annotations"][NOTE] != "hands off" {
        broke(broken, 4, "a person's annotation is gone".to_owned());
    }
}

enum Happened<'a> {
    Edit(&'a Edited),
    Write(&'a WriteSeen),
}

/// From and to.
fn scaled(plan: &Plan) -> Option<(i64, i64)> {
    let change = plan.changes.first()?;
    Some((change.from.as_ref()?.parse().ok()?, change.to.as_ref()?.parse().ok()?))
}
