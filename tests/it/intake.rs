//! Intake as pure functions: bodies that a real Alertmanager sent, bodies that nobody honest sends, and
//! what real label sets are about.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::alert::{Alert, AlertStatus, Delivery};
use belay::domain::ids::{Cluster, Fingerprint};
use belay::domain::target::{Kind, Targeted};
use belay::intake::{self, BadBody, target};
use serde_json::{Value, json};

/// Every captured body, by file name.
pub fn captured() -> Vec<(String, Vec<u8>)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/alertmanager");
    let mut bodies: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    bodies.sort();
    bodies
}

fn good_alert() -> Value {
    json!({
        "status": "firing",
        "labels": { "alertname": "A", "namespace": "shop", "pod": "web-1" },
        "annotations": {},
        "startsAt": "2026-11-21T01:34:49Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "0123456789abcdef",
    })
}

fn with(alerts: &[Value]) -> Value {
    json!({ "version": "4", "groupKey": "k", "truncatedAlerts": 0, "status": "firing", "receiver": "r",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "u",
            "alerts": alerts })
}

fn parse(body: &[u8]) -> Result<Delivery, BadBody> {
    let body = intake::text(body.to_vec())?;
    let parsed = intake::parse(&body);
    assert_eq!(intake::readable(&body), parsed.clone().map(|delivery| delivery.alerts.len()));
    parsed
}

fn refused(body: &[u8]) -> String {
    parse(body).expect_err("it should not be readable").to_string()
}

#[test]
fn every_captured_body_is_read_whole() {
    let bodies = captured();
    assert!(bodies.len() >= 22, "{}", bodies.len());
    for (name, body) in bodies {
        let delivery = parse(&body).unwrap_or_else(|e| panic!("{name}: {e}"));
        let raw: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(delivery.alerts.len(), raw["alerts"].as_array().unwrap().len(), "{name}");
        assert!(delivery.unreadable.is_empty(), "{name}");
        assert_eq!(delivery.truncated, raw["truncatedAlerts"].as_u64().unwrap(), "{name}");
        for (alert, raw) in delivery.alerts.iter().zip(raw["alerts"].as_array().unwrap()) {
            // the alert's own status, never the delivery's
            assert_eq!(alert.status == AlertStatus::Firing, raw["status"] == "firing", "{name}");
            assert_eq!(alert.ends_at.is_some(), alert.status == AlertStatus::Resolved, "{name}");
            assert_eq!(alert.fingerprint.as_str(), raw["fingerprint"].as_str().unwrap(), "{name}");
            assert_eq!(alert.labels.len(), raw["labels"].as_object().unwrap().len(), "{name}");
        }
    }
}

#[test]
fn a_mixed_body_keeps_each_alerts_own_status() {
    let (_, body) =
        captured().into_iter().find(|(n, _)| n == "am-0.33.1-mixed-firing-3firing-1resolved.json").unwrap();
    let states: Vec<_> = parse(&body).unwrap().alerts.iter().map(|a| a.status).collect();
    let firing = AlertStatus::Firing;
    assert_eq!(states, [AlertStatus::Resolved, firing, firing, firing]);
}

#[test]
fn what_cannot_be_read_says_where() {
    let mut late = with(&[good_alert()]);
    late["alerts"][0]["startsAt"] = json!("yesterday");
    let mut number = with(&[good_alert()]);
    number["alerts"][0]["labels"]["pod"] = json!(7);
    let mut short = with(&[good_alert()]);
    short["alerts"][0]["fingerprint"] = json!("../../etc");
    let mut endless = with(&[good_alert()]);
    endless["alerts"][0]["status"] = json!("resolved");
    endless["alerts"][0].as_object_mut().unwrap().remove("endsAt");
    let mut suppressed = with(&[good_alert()]);
    suppressed["alerts"][0]["status"] = json!("suppressed");
    let mut truncated = with(&[good_alert()]);
    truncated["truncatedAlerts"] = json!(-1);
    let cases = [
        (late, "`alerts[0].startsAt`"),
        (number, "`alerts[0].labels"),
        (short, "`alerts[0].fingerprint`"),
        (endless, "`alerts[0].endsAt`"),
        (suppressed, "`alerts[0].status`"),
        (truncated, "`truncatedAlerts`"),
        (json!({ "version": "4" }), "missing field `alerts`"),
        (json!({ "version": 4, "alerts": [] }), "`version`"),
    ];
    for (body, says) in cases {
        let error = refused(body.to_string().as_bytes());
        assert!(error.contains(says), "{error} does not name {says}");
        assert!(!error.contains("etc"), "what was found there is not repeated: {error}");
    }
}

#[test]
fn other_versions_and_payloads_are_refused_with_a_hint() {
    let mut five = with(&[good_alert()]);
    five["version"] = json!("5");
    assert_eq!(parse(five.to_string().as_bytes()), Err(BadBody::Version("5".into())));
    for custom in
        ["{}", r#"{"text":"fire!"}"#, "[]", "[{\"version\":\"4\"}]", "\"4\"", "4", "null", "true", "", " "]
    {
        let error = refused(custom.as_bytes());
        assert!(error.starts_with("the body cannot be read at `"), "{custom}: {error}");
    }
    // what is said of the version is bounded
    let long = with(&[]).to_string().replace("\"4\"", &format!("\"{}\"", "9".repeat(10_000)));
    assert!(refused(long.as_bytes()).len() < 300);
}

#[test]
fn keys_that_are_given_twice_are_refused() {
    let body = with(&[good_alert()]).to_string();
    // in the labels: parsers that disagree on which one counts have been used to smuggle
    let twice = body.replace("\"pod\":\"web-1\"", "\"pod\":\"web-1\",\"pod\":\"db-0\"");
    assert_ne!(twice, body);
    assert!(refused(twice.as_bytes()).contains("`pod` is given twice"));
    // at the top and in an alert
    let twice = body.replace("\"version\":\"4\"", "\"version\":\"4\",\"version\":\"4\"");
    assert!(refused(twice.as_bytes()).contains("duplicate field `version`"));
    let twice = body.replace("\"fingerprint\":", "\"fingerprint\":\"ffffffffffffffff\",\"fingerprint\":");
    assert!(refused(twice.as_bytes()).contains("duplicate field `fingerprint`"));
}

#[test]
fn bytes_that_are_no_json_are_refused() {
    let body = with(&[good_alert()]).to_string();
    let mut nul = body.clone().into_bytes();
    nul.insert(1, 0);
    refused(&nul);
    let mut utf8 = body.clone().into_bytes();
    let at = body.find("web-1").unwrap();
    utf8[at] = 0xff;
    let error = refused(&utf8);
    assert!(!error.is_empty());
    refused(format!("{body}{body}").as_bytes());
    refused(&body.as_bytes()[..body.len() - 1]);
    refused(b"\xef\xbb\xbf{}");
    let latin = [body.as_bytes(), b" \xe4"].concat();
    assert!(refused(&latin).contains("utf-8"), "{}", refused(&latin));
    let deep = format!("{{\"version\":\"4\",\"alerts\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    refused(deep.as_bytes());
    let deep = body.replace(
        "\"commonLabels\":{}",
        &format!("\"commonLabels\":{}{}", "[".repeat(200_000), "]".repeat(200_000)),
    );
    assert_eq!(parse(deep.as_bytes()).unwrap().alerts.len(), 1, "nobody looks there, so it does no harm");
    // a lone surrogate is no text
    refused(body.replace("web-1", "\\ud800").as_bytes());
}

#[test]
fn an_escaped_nul_is_text_and_never_a_target() {
    let body = with(&[good_alert()]).to_string().replace("web-1", "web-1\\u0000;rm");
    let delivery = parse(body.as_bytes()).unwrap();
    let target = target(&Cluster::new("c"), &delivery.alerts[0]);
    assert!(matches!(target, Targeted::Unclear { .. }), "{target:?}");
}

#[test]
fn the_readable_alerts_of_a_partly_unreadable_body_are_kept() {
    let mut bad = good_alert();
    bad["startsAt"] = json!(12);
    let mut other = good_alert();
    other["fingerprint"] = json!("fedcba9876543210");
    let delivery = parse(with(&[good_alert(), bad, json!(null), other]).to_string().as_bytes()).unwrap();
    assert_eq!(delivery.alerts.len(), 2);
    let lost: Vec<_> = delivery.unreadable.iter().map(|u| (u.index, u.path.as_str())).collect();
    assert_eq!(lost, [(1, "alerts[1].startsAt"), (2, "alerts[2]")]);
}

#[test]
fn no_alerts_at_all_is_a_body_like_any_other() {
    let delivery = parse(with(&[]).to_string().as_bytes()).unwrap();
    assert!(delivery.alerts.is_empty());
}

#[test]
fn unknown_fields_are_ignored() {
    let mut body = with(&[good_alert()]);
    body["notificationReason"] = json!("first");
    body["alerts"][0]["silenceURL"] = json!({ "any": ["thing"] });
    assert_eq!(parse(body.to_string().as_bytes()).unwrap().alerts.len(), 1);
}

fn labelled(labels: &Value) -> Alert {
    Alert {
        fingerprint: Fingerprint::new("0123456789abcdef"),
        status: AlertStatus::Firing,
        labels: serde_json::from_value(labels.clone()).unwrap(),
        annotations: [("pod".to_owned(), "db-0".to_owned())].into(),
        starts_at: "2026-11-21T01:34:49Z".parse().unwrap(),
        ends_at: None,
        generator_url: String::new(),
    }
}

/// What each of the recorded label sets is about: kind and name, or nothing that is sure.
fn expected(labels: &Value) -> Option<(Kind, &str)> {
    let label = |name: &str| labels[name].as_str();
    let kinds = [
        ("deployment", Kind::Deployment),
        ("statefulset", Kind::StatefulSet),
        ("daemonset", Kind::DaemonSet),
        ("job_name", Kind::Job),
        ("horizontalpodautoscaler", Kind::HorizontalPodAutoscaler),
        ("poddisruptionbudget", Kind::PodDisruptionBudget),
        ("persistentvolumeclaim", Kind::PersistentVolumeClaim),
        ("node", Kind::Node),
    ];
    match label("alertname").unwrap() {
        "KubePodCrashLooping" | "KubePodNotReady" | "KubeContainerWaiting" | "CPUThrottlingHigh" => {
            Some((Kind::Pod, label("pod").unwrap()))
        }
        _ => kinds.iter().find_map(|(name, kind)| Some((*kind, label(name)?))),
    }
}

#[test]
fn real_label_sets_name_what_the_alert_is_about_and_never_the_exporter() {
    let files = [
        include_str!("../data/alert-labels/helm.alerts.json"),
        include_str!("../data/alert-labels/jsonnet.alerts.json"),
    ];
    let mut seen = 0;
    for file in files {
        let file: Value = serde_json::from_str(file).unwrap();
        for alert in file["data"]["alerts"].as_array().unwrap() {
            let labels = &alert["labels"];
            let found = target(&Cluster::new("c"), &labelled(labels));
            let named = found.named().map(|n| (n.kind, n.name.as_str()));
            assert_eq!(named, expected(labels), "{labels}: {found:?}");
            if let Some(named) = found.named().filter(|n| n.kind != Kind::Node) {
                assert_eq!(named.namespace, labels["namespace"], "{labels}");
                assert!(!named.name.contains("kube-state-metrics"), "{labels}");
            }
            seen += 1;
        }
    }
    assert!(seen > 90, "{seen}");
}

#[test]
fn labels_that_are_no_names_are_no_targets() {
    for pod in
        ["../secrets/x", "web/1", "Web-1", "web 1", "web-1\n", "", "-web", "web-", &"a".repeat(254), "wéb"]
    {
        let labels = json!({ "alertname": "A", "namespace": "shop", "pod": pod });
        assert!(
            matches!(target(&Cluster::new("c"), &labelled(&labels)), Targeted::Unclear { .. }),
            "{pod:?}"
        );
    }
    for labels in [
        json!({ "alertname": "A", "pod": "web-1" }),
        json!({ "alertname": "A", "namespace": "../kube-system", "pod": "web-1" }),
        json!({ "alertname": "A", "namespace": "", "pod": "web-1" }),
        json!({ "alertname": "A", "node": "n1/../n2" }),
        json!({}),
    ] {
        assert!(
            matches!(target(&Cluster::new("c"), &labelled(&labels)), Targeted::Unclear { .. }),
            "{labels}"
        );
    }
}
