//! What a pod template says of the ConfigMaps that its pods read.

use serde_json::Value;

use super::cluster::{ConfigRef, How};

/// The ConfigMaps that a pod template names, each way once.
pub fn configs(template: &Value) -> Vec<ConfigRef> {
    let mut found: Vec<ConfigRef> = Vec::new();
    let mut add = |name: Option<&str>, how: How| {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return };
        let way = ConfigRef { name: name.to_owned(), how };
        if !found.contains(&way) {
            found.push(way);
        }
    };
    let containers: Vec<&Value> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| items(template, &format!("/spec/{list}")))
        .collect();
    for container in &containers {
        for from in items(container, "/envFrom") {
            add(text(from, "/configMapRef/name"), How::Environment);
        }
        for one in items(container, "/env") {
            add(text(one, "/valueFrom/configMapKeyRef/name"), How::Environment);
        }
    }
    for volume in items(template, "/spec/volumes") {
        let copied = containers.iter().flat_map(|container| items(container, "/volumeMounts")).any(|mount| {
            let part = mount.get("subPath").or_else(|| mount.get("subPathExpr"));
            mount.get("name") == volume.get("name") && part.is_some()
        });
        let how = if copied { How::Copied } else { How::Files };
        add(text(volume, "/configMap/name"), how);
        for source in items(volume, "/projected/sources") {
            add(text(source, "/configMap/name"), how);
        }
    }
    found
}

fn items<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_read_a_config_map_is_found() {
        let template = json!({ "spec": {
            "initContainers": [{ "envFrom": [{ "configMapRef": { "name": "early" } }, { "secretRef": { "name": "s" } }] }],
            "containers": [{
                "env": [{ "name": "A", "valueFrom": { "configMapKeyRef": { "name": "env", "key": "a" } } }, { "name": "B", "value": "b" }],
                "envFrom": [{ "configMapRef": { "name": "env" } }],
                "volumeMounts": [{ "name": "one", "mountPath": "/one" }, { "name": "two", "mountPath": "/two", "subPath": "x" }],
            }],
            "volumes": [
                { "name": "one", "configMap": { "name": "files" } },
                { "name": "two", "projected": { "sources": [{ "configMap": { "name": "copied" } }, { "secret": { "name": "s" } }] } },
            ],
        } });
        let found = configs(&template);
        let found: Vec<(&str, How)> = found.iter().map(|way| (way.name.as_str(), way.how)).collect();
        assert_eq!(
            found,
            [
                ("early", How::Environment),
                ("env", How::Environment),
                ("files", How::Files),
                ("copied", How::Copied)
            ]
        );
        assert!(configs(&json!({})).is_empty());
    }
}
