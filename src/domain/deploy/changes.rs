//! What lies between two templates, in sentences: images and amounts as they are, everything else by name.

use std::collections::{BTreeMap, BTreeSet};

use super::name;
use super::pieces::{ContainerPieces, Pieces};

/// What is told of one difference: a release touches a handful of things; more is a rewrite, which is said.
const MOST: usize = 24;
/// By this annotation `kubectl rollout restart` makes new pods of the same template.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// From one to the other. Nothing where they are the same.
pub fn changes(before: &Pieces, after: &Pieces) -> Vec<String> {
    let mut told = Vec::new();
    for (container, side) in sides(&before.containers, &after.containers) {
        let container = name(container);
        match side {
            Side::Added(new) => {
                told.push(format!("container `{container}` was added with image `{}`", name(&new.image)));
            }
            Side::Removed(_) => told.push(format!("container `{container}` was removed")),
            Side::Both(old, new) => of_container(&container, old, new, &mut told),
        }
    }
    references("ConfigMap", &before.configs, &after.configs, &mut told);
    references("Secret", &before.secrets, &after.secrets, &mut told);
    let (restarts, notes): (Vec<_>, Vec<_>) =
        changed(&before.notes, &after.notes).partition(|(key, _)| key.as_str() == RESTARTED);
    told.extend((!restarts.is_empty()).then(|| "its pods were restarted".to_owned()));
    told.extend(notes.iter().map(|(key, how)| format!("label or annotation `{}` {how}", name(key))));
    let fields = changed(&before.fields, &after.fields);
    told.extend(fields.map(|(key, how)| format!("`spec.{}` {how}", name(key))));
    let more = told.len().saturating_sub(MOST);
    if more > 0 {
        told.truncate(MOST);
        told.push(format!("and {more} more differences"));
    }
    told
}

fn of_container(container: &str, old: &ContainerPieces, new: &ContainerPieces, told: &mut Vec<String>) {
    let ContainerPieces { image, resources, env, fields } = new;
    if old.image != *image {
        told.push(format!("image of `{container}`: `{}` to `{}`", name(&old.image), name(image)));
    }
    for (key, side) in sides(&old.resources, resources) {
        let (from, to) = match side {
            Side::Added(to) => ("none", to.as_str()),
            Side::Removed(from) => (from.as_str(), "none"),
            Side::Both(from, to) if from == to => continue,
            Side::Both(from, to) => (from.as_str(), to.as_str()),
        };
        told.push(format!("`{}` of `{container}`: {} to {}", name(key), name(from), name(to)));
    }
    let env = changed(&old.env, env);
    told.extend(env.map(|(key, how)| format!("environment variable `{}` of `{container}` {how}", name(key))));
    let fields = changed(&old.fields, fields);
    told.extend(fields.map(|(key, how)| format!("`{}` of `{container}` {how}", name(key))));
}

fn references(kind: &str, before: &BTreeSet<String>, after: &BTreeSet<String>, told: &mut Vec<String>) {
    let added = after.difference(before).map(|config| (config, "is named now"));
    let removed = before.difference(after).map(|config| (config, "is named no more"));
    told.extend(added.chain(removed).map(|(config, how)| format!("{kind} `{}` {how}", name(config))));
}

enum Side<'a, T> {
    Added(&'a T),
    Removed(&'a T),
    Both(&'a T, &'a T),
}

/// Each key of either, in order.
fn sides<'a, T>(
    before: &'a BTreeMap<String, T>,
    after: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Side<'a, T>)> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter_map(|key| {
        let side = match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) => Side::Both(old, new),
            (None, Some(new)) => Side::Added(new),
            (Some(old), None) => Side::Removed(old),
            (None, None) => return None,
        };
        Some((key, side))
    })
}

/// The keys whose values differ, and how.
fn changed<'a>(
    before: &'a BTreeMap<String, u32>,
    after: &'a BTreeMap<String, u32>,
) -> impl Iterator<Item = (&'a String, &'static str)> {
    sides(before, after).filter_map(|(key, side)| {
        let how = match side {
            Side::Added(_) => "was added",
            Side::Removed(_) => "was removed",
            Side::Both(old, new) if old == new => return None,
            Side::Both(..) => "changed",
        };
        Some((key, how))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::pieces;
    use super::*;

    fn between(before: &Value, after: &Value) -> Vec<String> {
        let both = pieces(&[before, after]);
        changes(&both[0], &both[1])
    }

    #[test]
    fn everything_that_matters_is_told_and_no_value_that_may_be_secret() {
        let before = json!({
            "metadata": { "labels": { "pod-template-hash": "a" }, "annotations": { "checksum/config": "s3cr3t-1" } },
            "spec": {
                "serviceAccountName": "web",
                "containers": [{
                    "name": "web", "image": "web:1", "args": ["--password=s3cr3t-2"],
                    "resources": { "limits": { "memory": "256Mi" }, "requests": { "cpu": "100m" } },
                    "env": [{ "name": "DB_PASSWORD", "value": "s3cr3t-3" }, { "name": "MODE", "value": "a" }],
                    "envFrom": [{ "configMapRef": { "name": "flags" } }],
                }],
                "volumes": [{ "name": "tls", "secret": { "secretName": "tls-1" } }],
            },
        });
        let after = json!({
            "metadata": { "labels": { "pod-template-hash": "b" }, "annotations": {
                "checksum/config": "s3cr3t-4", "kubectl.kubernetes.io/restartedAt": "now" } },
            "spec": {
                "serviceAccountName": "web",
                "containers": [
                    {
                        "name": "web", "image": "web:2", "args": ["--password=s3cr3t-5"],
                        "resources": { "limits": { "memory": "512Mi", "cpu": 1 } },
                        "env": [{ "name": "DB_PASSWORD", "value": "s3cr3t-6" }, { "name": "POOL", "value": "5" }],
                    },
                    { "name": "proxy", "image": "proxy:1" },
                ],
                "volumes": [{ "name": "tls", "secret": { "secretName": "tls-2" } }],
            },
        });
        let told = between(&before, &after);
        assert_eq!(
            told,
            [
                "container `proxy` was added with image `proxy:1`",
                "image of `web`: `web:1` to `web:2`",
                "`limits.cpu` of `web`: none to 1",
                "`limits.memory` of `web`: 256Mi to 512Mi",
                "`requests.cpu` of `web`: 100m to none",
                "environment variable `DB_PASSWORD` of `web` changed",
                "environment variable `MODE` of `web` was removed",
                "environment variable `POOL` of `web` was added",
                "`args` of `web` changed",
                "`envFrom` of `web` was removed",
                "ConfigMap `flags` is named no more",
                "Secret `tls-2` is named now",
                "Secret `tls-1` is named no more",
                "its pods were restarted",
                "label or annotation `checksum/config` changed",
                "`spec.volumes` changed",
            ]
        );
        // not even where the pieces travel
        let travels = serde_json::to_string(&pieces(&[&before, &after])).unwrap();
        assert!(!travels.contains("s3cr3t"), "{travels}");
    }

    fn templates() -> impl Strategy<Value = Value> {
        let text = "[a-c\u{202e}\n]{0,3}";
        let env = prop::collection::btree_map(text, text, 0..4);
        let container = (text, text, env).prop_map(|(name, image, env)| {
            let env: Vec<Value> = env
                .into_iter()
                .map(|(name, value)| json!({ "name": name, "value": format!("v-{value}") }))
                .collect();
            json!({ "name": name, "image": image, "env": env })
        });
        (prop::collection::vec(container, 0..3), text)
            .prop_map(|(containers, account)| json!({ "spec": { "containers": containers, "serviceAccountName": account } }))
    }

    proptest! {
        #[test]
        fn the_same_differs_in_nothing_and_what_differs_is_told_both_ways(a in templates(), b in templates()) {
            prop_assert_eq!(between(&a, &a), Vec::<String>::new());
            let both = pieces(&[&a, &b]);
            let (there, back) = (changes(&both[0], &both[1]), changes(&both[1], &both[0]));
            prop_assert_eq!(there.is_empty(), both[0] == both[1]);
            prop_assert_eq!(there.len(), back.len());
            for line in there.iter().chain(&back) {
                prop_assert!(!line.contains('\n') && !line.contains('\u{202e}') && !line.contains("v-"), "{}", line);
            }
        }

        #[test]
        fn it_is_bounded(names in prop::collection::btree_set("[a-z]{1,6}", 30..200)) {
            let env: Vec<Value> = names.iter().map(|name| json!({ "name": name, "value": "x" })).collect();
            let after = json!({ "spec": { "containers": [{ "name": "web", "env": env }] } });
            let before = json!({ "spec": { "containers": [{ "name": "web" }] } });
            let told = between(&before, &after);
            prop_assert_eq!(told.len(), MOST + 1);
            prop_assert_eq!(told.last().cloned(), Some(format!("and {} more differences", names.len() - MOST)));
        }
    }
}
