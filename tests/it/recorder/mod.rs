//! The recorder: what it keeps and what it lets go, its shelf, and how it follows the API server.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod book;
mod shelf;
mod watch;

use std::collections::BTreeMap;

use belay::domain::alert::Labels;
use belay::domain::canonical::Hash;
use belay::domain::recorded::{Content, Key, Observation, Place, WorkloadSeen};
use belay::domain::target::Kind;
use jiff::{SignedDuration, Timestamp};

use crate::given::{object, t0};

fn key() -> Key {
    Key::new([7; 32])
}

fn at(minutes: i64) -> Timestamp {
    t0() + SignedDuration::from_mins(minutes)
}

fn place(name: &str) -> Place {
    Place { kind: Kind::ConfigMap, namespace: "shop".into(), name: name.into() }
}

/// A ConfigMap with these keys.
fn config(name: &str, data: &[(&str, &str)]) -> Observation {
    let fields = data.iter().map(|(key, value)| (format!("/data/{key}"), format!("{value:?}")));
    Observation {
        object: object(Kind::ConfigMap, name),
        labels: Labels::new(),
        annotations: Labels::new(),
        content: Content::Config(fields.collect::<BTreeMap<_, _>>()),
    }
}

/// Deployment `web` with this template.
fn workload(template: u64, replicas: u32, settled: bool) -> Observation {
    let seen = WorkloadSeen {
        replicas,
        template: Hash::of(&template.to_be_bytes()),
        revision: Some(template),
        name: None,
        settled,
    };
    Observation {
        object: object(Kind::Deployment, "web"),
        labels: Labels::new(),
        annotations: Labels::new(),
        content: Content::Workload(seen),
    }
}
