//! ControllerRevisions: the recorded templates of StatefulSets and DaemonSets.

use serde_json::{Value, json};

use super::owned;
use crate::sim::kube::defaults::history;
use crate::sim::kube::json::{cut, int, put};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::kubelet::owned_by;
use crate::sim::kube::objects::{hex, name, namespace, suffix};
use crate::sim::kube::state::State;

/// The label by which a DaemonSet's revisions carry their hash; also that of pods for their revision.
pub(super) const HASH: &str = "controller-revision-hash";

/// The revision of the owner's present template: an equal one that is there already comes last again.
pub(super) fn sync(state: &mut State, owner: &Value, label: &str) -> Value {
    let known = sorted(state, owner);
    let last = known.last().map_or(0, revision);
    let data = recorded(owner);
    match known.iter().find(|one| one.get("data") == Some(&data)) {
        Some(same) if revision(same) == last => same.clone(),
        Some(same) => {
            let number = last.saturating_add(1);
            let change = |one: &mut Value| put(one, &["revision"], number);
            state.objects.modify(Kind::ControllerRevision, namespace(same), name(same), change);
            state.objects.get(Kind::ControllerRevision, namespace(same), name(same)).unwrap_or(same).clone()
        }
        None => {
            let hash = suffix(&hex(data.to_string().as_bytes()), 10);
            let mut labels = owner.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
            put(&mut labels, &[label], hash.as_str());
            let metadata = json!({
                "name": format!("{}-{hash}", name(owner)),
                "namespace": namespace(owner),
                "labels": labels,
                "ownerReferences": owned_by(owner),
            });
            let made = json!({ "metadata": metadata, "data": data, "revision": last.saturating_add(1) });
            state.objects.insert(Kind::ControllerRevision, made)
        }
    }
}

/// Drops the oldest revisions beyond the history that the owner keeps, but none of `live`.
pub(super) fn trim(state: &mut State, owner: &Value, live: impl Fn(&Value) -> bool) {
    let spare: Vec<Value> = sorted(state, owner).into_iter().filter(|one| !live(one)).collect();
    for old in spare.iter().take(spare.len().saturating_sub(history(owner))) {
        state.objects.remove(Kind::ControllerRevision, namespace(old), name(old));
    }
}

/// The template that a revision records.
pub(super) fn template(revision: &Value) -> Value {
    let mut template = revision.pointer("/data/spec/template").cloned().unwrap_or_default();
    cut(&mut template, &["$patch"]);
    template
}

fn recorded(owner: &Value) -> Value {
    let mut template = owner.pointer("/spec/template").cloned().unwrap_or_default();
    put(&mut template, &["$patch"], "replace");
    json!({ "spec": { "template": template } })
}

fn sorted(state: &State, owner: &Value) -> Vec<Value> {
    let mut known: Vec<Value> = owned(state, Kind::ControllerRevision, owner).cloned().collect();
    known.sort_by_key(revision);
    known
}

fn revision(one: &Value) -> i64 {
    int(one, "/revision")
}
