//! A pod template in pieces that can be told apart and shown: images, amounts, and names. Whatever may be a secret is
//! held as the number of its value among those of one list, which is enough to see that it changed and says nothing
//! of what it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Labels and annotations by which controllers tell their own pods apart: not a part of what runs.
const CONTROLLERS_OWN: [&str; 3] =
    ["pod-template-hash", "controller-revision-hash", "pod-template-generation"];

/// What of a container is told by itself.
const TOLD: [&str; 4] = ["name", "image", "env", "resources"];

/// One template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pieces {
    /// Its containers by name, those of the start included.
    pub containers: BTreeMap<String, ContainerPieces>,
    /// The ConfigMaps that it names.
    pub configs: BTreeSet<String>,
    /// The Secrets that it names.
    pub secrets: BTreeSet<String>,
    /// Its labels and annotations by key: numbers of values.
    pub notes: BTreeMap<String, u32>,
    /// The other fields of its spec: numbers of values.
    pub fields: BTreeMap<String, u32>,
}

/// One container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerPieces {
    /// Its image as written.
    pub image: String,
    /// Requests and limits: `limits.memory` to `512Mi`.
    pub resources: BTreeMap<String, String>,
    /// Its environment by name: numbers of values.
    pub env: BTreeMap<String, u32>,
    /// Its other fields: numbers of values.
    pub fields: BTreeMap<String, u32>,
}

/// These templates in pieces, in the same order. Numbers mean something within one call only.
pub fn pieces(templates: &[&Value]) -> Vec<Pieces> {
    let mut values = Values::default();
    templates.iter().map(|template| one(template, &mut values)).collect()
}

/// The distinct values that stood in each place, so far.
#[derive(Default)]
struct Values<'a>(BTreeMap<String, Vec<&'a Value>>);

impl<'a> Values<'a> {
    fn number(&mut self, place: &str, value: &'a Value) -> u32 {
        let seen = self.0.entry(place.to_owned()).or_default();
        let at = seen.iter().position(|known| *known == value).unwrap_or_else(|| {
            seen.push(value);
            seen.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn numbers(
        &mut self,
        place: &str,
        fields: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> BTreeMap<String, u32> {
        fields.map(|(key, value)| (key.clone(), self.number(&format!("{place}/{key}"), value))).collect()
    }
}

fn one<'a>(template: &'a Value, values: &mut Values<'a>) -> Pieces {
    let mut pieces = Pieces::default();
    for kind in ["labels", "annotations"] {
        let notes = object(template, &format!("/metadata/{kind}"));
        let notes = notes.filter(|(key, _)| !CONTROLLERS_OWN.contains(&key.as_str()));
        pieces.notes.extend(values.numbers(kind, notes));
    }
    for list in ["initContainers", "containers"] {
        for container in items(template, &format!("/spec/{list}")) {
            let Some(name) = text(container, "/name") else { continue };
            pieces.containers.insert(name.to_owned(), of_container(name, container, values));
        }
    }
    let others = object(template, "/spec")
        .filter(|(key, _)| !["initContainers", "containers"].contains(&key.as_str()));
    pieces.fields = values.numbers("spec", others);
    named(template, &mut pieces);
    pieces
}

fn of_container<'a>(name: &str, container: &'a Value, values: &mut Values<'a>) -> ContainerPieces {
    let place = |field: &str| format!("container/{name}/{field}");
    let mut env = BTreeMap::new();
    for one in items(container, "/env") {
        if let Some(key) = text(one, "/name") {
            env.insert(key.to_owned(), values.number(&place(&format!("env/{key}")), one));
        }
    }
    let mut resources = BTreeMap::new();
    for side in ["requests", "limits"] {
        for (key, amount) in object(container, &format!("/resources/{side}")) {
            let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            resources.insert(format!("{side}.{key}"), amount);
        }
    }
    let others = object(container, "").filter(|(key, _)| !TOLD.contains(&key.as_str()));
    ContainerPieces {
        image: text(container, "/image").unwrap_or_default().to_owned(),
        resources,
        env,
        fields: values.numbers(&place("field"), others),
    }
}

/// The ConfigMaps and Secrets that it names.
fn named(template: &Value, pieces: &mut Pieces) {
    let configs = crate::domain::template::configs(template);
    pieces.configs.extend(configs.into_iter().map(|config| config.name));
    let mut secret = |name: Option<&str>| pieces.secrets.extend(name.map(str::to_owned));
    let containers =
        ["initContainers", "containers"].iter().flat_map(|list| items(template, &format!("/spec/{list}")));
    for container in containers {
        for from in items(container, "/envFrom") {
            secret(text(from, "/secretRef/name"));
        }
        for one in items(container, "/env") {
            secret(text(one, "/valueFrom/secretKeyRef/name"));
        }
    }
    for volume in items(template, "/spec/volumes") {
        secret(text(volume, "/secret/secretName"));
        for source in items(volume, "/projected/sources") {
            secret(text(source, "/secret/name"));
        }
    }
}

fn object<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value.pointer(path).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn items<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str)
}
