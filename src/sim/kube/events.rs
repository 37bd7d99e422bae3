//! Events, in the shapes in which scheduler, kubelet and controllers record them; repeats raise the count.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::json::{cut, int, moment, put, text, time};
use super::kinds::Kind;
use super::objects::{Objects, name, namespace, uid};

/// How long the API server keeps an event (its `--event-ttl` default).
const TTL: SignedDuration = SignedDuration::from_hours(1);

/// Who records an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Scheduler,
    /// The kubelet of a node, about one of the pod's containers.
    Kubelet {
        node: &'a str,
        container: &'a str,
    },
    Kernel {
        node: &'a str,
    },
    Controller(&'static str),
}

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note<'a> {
    pub source: Source<'a>,
    pub warning: bool,
    pub reason: &'static str,
    pub message: &'a str,
}

/// Records an event about `about`.
pub(crate) fn emit(objects: &mut Objects, about: &Value, note: Note<'_>) {
    expire(objects);
    let known = objects
        .list(Kind::Event, "")
        .find(|event| {
            text(event, "/involvedObject/uid") == uid(about)
                && text(event, "/reason") == note.reason
                && text(event, "/message") == note.message
        })
        .cloned();
    match known {
        Some(event) => repeat(objects, event),
        None => record(objects, about, note),
    }
}

fn repeat(objects: &mut Objects, mut event: Value) {
    let count = int(&event, "/count").max(1).saturating_add(1);
    put(&mut event, &["count"], count);
    put(&mut event, &["lastTimestamp"], time(objects.now));
    objects.update(Kind::Event, event);
}

fn record(objects: &mut Objects, about: &Value, note: Note<'_>) {
    let suffix = objects.fresh_hex();
    let space = Some(namespace(about)).filter(|space| !space.is_empty()).unwrap_or("default");
    let now = time(objects.now);
    let mut event = json!({
        "metadata": {
            "name": format!("{}.{}", name(about), suffix.get(..16).unwrap_or(&suffix)),
            "namespace": space,
        },
        "involvedObject": {
            "apiVersion": text(about, "/apiVersion"),
            "kind": text(about, "/kind"),
            "name": name(about),
            "uid": uid(about),
            "resourceVersion": text(about, "/metadata/resourceVersion"),
        },
        "reason": note.reason,
        "message": note.message,
        "type": if note.warning { "Warning" } else { "Normal" },
        "count": 1,
        "eventTime": null,
        "firstTimestamp": now,
        "lastTimestamp": now,
    });
    if !namespace(about).is_empty() {
        put(&mut event, &["involvedObject", "namespace"], space);
    }
    sign(&mut event, note.source, objects);
    objects.insert(Kind::Event, event);
}

/// Writes who reports, each in its own way.
fn sign(event: &mut Value, source: Source<'_>, objects: &Objects) {
    let (component, instance) = match source {
        Source::Scheduler => ("default-scheduler", "default-scheduler-sim"),
        Source::Kubelet { node, .. } => ("kubelet", node),
        Source::Kernel { node } => ("kernel-monitor", node),
        Source::Controller(component) => (component, ""),
    };
    put(event, &["reportingComponent"], component);
    put(event, &["reportingInstance"], instance);
    match source {
        Source::Scheduler => {
            let action = if text(event, "/type") == "Warning" { "Scheduling" } else { "Binding" };
            put(event, &["action"], action);
            put(event, &["eventTime"], objects.now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
            put(event, &["firstTimestamp"], Value::Null);
            put(event, &["lastTimestamp"], Value::Null);
            put(event, &["source"], json!({}));
            cut(event, &["count"]);
        }
        Source::Kubelet { node, container } => {
            put(event, &["source"], json!({ "component": component, "host": node }));
            put(event, &["involvedObject", "fieldPath"], format!("spec.containers{{{container}}}"));
        }
        Source::Kernel { node } => put(event, &["source"], json!({ "component": component, "host": node })),
        Source::Controller(_) => put(event, &["source"], json!({ "component": component })),
    }
}

/// Forgets what is older than an hour.
fn expire(objects: &mut Objects) {
    let now = objects.now;
    remove(objects, |event| {
        let last = moment(event, "/lastTimestamp").or_else(|| moment(event, "/eventTime"));
        last.is_some_and(|last| now.duration_since(last) > TTL)
    });
}

/// Forgets every event, as an hour without any does.
pub(crate) fn forget(objects: &mut Objects) {
    remove(objects, |_| true);
}

fn remove(objects: &mut Objects, old: impl Fn(&Value) -> bool) {
    let old: Vec<(String, String)> = objects
        .list(Kind::Event, "")
        .filter(|event| old(event))
        .map(|event| (namespace(event).to_owned(), name(event).to_owned()))
        .collect();
    for (space, event) in old {
        objects.remove(Kind::Event, &space, &event);
    }
}
