//! Watches: a stream of JSON lines, first what is missing since the asked version, then each change.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use futures::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::World;
use super::kinds::Kind;
use super::objects::{Change, ChangeType, name};
use super::selectors::Selector;
use super::state::State;

/// What a watch asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub kind: Kind,
    pub namespace: String,
    pub name: Option<String>,
    pub labels: Selector,
    pub fields: Selector,
    /// The version after which to begin; zero begins with everything there is.
    pub from: u64,
    pub until: Option<Timestamp>,
}

impl Wanted {
    fn admits(&self, object: &Value) -> bool {
        self.name.as_ref().is_none_or(|wanted| wanted == name(object))
            && self.labels.admits_labels(object)
            && self.fields.admits_fields(object)
    }

    fn admits_change(&self, change: &Change) -> bool {
        change.kind == self.kind
            && (self.namespace.is_empty() || change.namespace == self.namespace)
            && self.admits(&change.object)
    }

    /// The lines that are new, and the version up to which they reach; `true` when the watch is over.
    fn read(&mut self, state: &State) -> (VecDeque<Bytes>, bool) {
        let mut lines = VecDeque::new();
        if self.from == 0 {
            let present = state.objects.list(self.kind, &self.namespace).filter(|object| self.admits(object));
            lines.extend(present.map(|object| line("ADDED", object)));
        } else if self.from < state.objects.floor() {
            lines.push_back(line("ERROR", &gone(self.from, state.objects.floor())));
            return (lines, true);
        } else {
            let changes = state.objects.since(self.from).filter(|change| self.admits_change(change));
            lines.extend(changes.map(|change| line(word(change.what), &change.object)));
        }
        self.from = state.objects.version();
        (lines, self.until.is_some_and(|until| until <= state.now()))
    }
}

const fn word(change: ChangeType) -> &'static str {
    match change {
        ChangeType::Added => "ADDED",
        ChangeType::Modified => "MODIFIED",
        ChangeType::Deleted => "DELETED",
    }
}

fn line(word: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({ "type": word, "object": object })))
}

fn gone(from: u64, floor: u64) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("too old resource version: {from} ({floor})"),
        "reason": "Expired",
        "code": 410,
    })
}

/// The body of a watch: ends with its time, with the server, or with the client.
pub(crate) fn body(world: World, wanted: Wanted, shutdown: CancellationToken) -> Body {
    let moved = world.moved();
    let start = (world, wanted, moved, VecDeque::<Bytes>::new(), false);
    let lines = stream::unfold(start, move |(world, mut wanted, mut moved, mut lines, mut over)| {
        let shutdown = shutdown.clone();
        async move {
            loop {
                if let Some(line) = lines.pop_front() {
                    return Some((
                        Ok::<_, std::convert::Infallible>(line),
                        (world, wanted, moved, lines, over),
                    ));
                }
                if over {
                    return None;
                }
                moved.mark_unchanged();
                (lines, over) = world.with(|state| wanted.read(state));
                if lines.is_empty() && !over {
                    let end = wanted.until.unwrap_or(Timestamp::MAX);
                    tokio::select! {
                        () = shutdown.cancelled() => return None,
                        () = world.clock().sleep_until(end) => {}
                        changed = moved.changed() => if changed.is_err() { return None },
                    }
                }
            }
        }
    });
    Body::from_stream(lines)
}
