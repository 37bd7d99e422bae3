//! What is shipped in `deploy/` fits the code: the example configuration is read, and the roles hold what
//! the code asks for and nothing more.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use belay::config;
use serde::Deserialize;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// One (group, resource, verb).
type Right = (String, String, String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    kind: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

fn rights(file: &str, kind: &str) -> BTreeSet<Right> {
    let text = text(file);
    let manifests = text.split("\n---\n").map(|one| serde_saphyr::from_str::<Manifest>(one).unwrap());
    let rules = manifests.filter(|m| m.kind == kind).flat_map(|m| m.rules);
    let mut rights = BTreeSet::new();
    for Rule { api_groups, resources, verbs } in rules {
        for group in &api_groups {
            for resource in &resources {
                rights.extend(verbs.iter().map(|v| (group.clone(), resource.clone(), v.clone())));
            }
        }
    }
    rights
}

fn right(group: &str, resource: &str, verb: &str) -> Right {
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

#[test]
fn the_example_configuration_is_read() {
    let config = config::parse("deploy/belay.example.yaml", &text("deploy/belay.example.yaml")).unwrap();
    let config::Config { cluster, webhook, alertmanager, slack, pager, model, limits, .. } = config;
    assert_eq!(cluster.name, "eu-1");
    assert!(webhook.bearer_token_file.is_some() && alertmanager.is_some() && slack.is_some());
    assert!(pager.is_some() && model.is_some() && !limits.namespaces.is_empty());
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_read() {
    const KEYS: [&str; 36] = [
        "listen",
        "stateDir",
        "policies",
        "prompts",
        "log.filter",
        "log.format",
        "cluster.name",
        "cluster.url",
        "cluster.caFile",
        "cluster.tokenFile",
        "cluster.writeTokenFile",
        "webhook.bearerTokenFile",
        "webhook.username",
        "webhook.passwordFile",
        "alertmanager.url",
        "alertmanager.bearerTokenFile",
        "slack.channel",
        "slack.policyChannel",
        "slack.app",
        "slack.team",
        "slack.tokenFile",
        "slack.signingSecretFile",
        "slack.url",
        "pager.webhook",
        "pager.bearerTokenFile",
        "model.url",
        "model.name",
        "model.apiKeyFile",
        "limits.namespaces",
        "limits.ownNamespace",
        "limits.maxReplicas",
        "limits.maxReplicaDelta",
        "BELAY_STATE_DIR",
        "NO_COLOR",
        "COLUMNS",
        "USER",
    ];
    let doc = text("docs/configuration.md");
    let rows: BTreeSet<&str> = doc.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, KEYS.into_iter().collect());
}

/// The code names what it reads in one table; the reader's role holds exactly that.
#[test]
fn the_reader_may_read_what_the_code_reads_and_nothing_else() {
    let mut wanted = BTreeSet::new();
    for line in text("src/adapters/kube/locate.rs").lines() {
        let Some((_, triple)) = line.split_once("=> (\"") else { continue };
        let parts: Vec<&str> = triple.split('"').step_by(2).collect();
        let [group, _version, plural, ..] = parts.as_slice() else { panic!("`{line}`") };
        wanted.extend([right(group, plural, "get"), right(group, plural, "list")]);
    }
    assert!(wanted.len() >= 26, "the table in locate.rs was not found");
    wanted.insert(right("", "pods/log", "get"));
    wanted.insert(right("", "events", "list"));
    wanted.insert(right("metrics.k8s.io", "pods", "list"));
    assert_eq!(rights("deploy/rbac/reader.yaml", "ClusterRole"), wanted);
}

/// A verb that is not here is not needed: whoever adds one says here what sends it.
#[test]
fn the_writer_may_do_the_four_writes_and_their_reads() {
    let pinned: BTreeSet<Right> = [
        ("", "pods", "get"),
        ("", "pods", "patch"),           // mark
        ("", "pods", "create"),          // rehearse: a dry run, always
        ("", "pods/eviction", "create"), // evict
        ("apps", "deployments", "get"),
        ("apps", "deployments", "patch"), // set_replicas
        ("apps", "replicasets", "get"),   // the chain of controllers
        ("apps", "statefulsets", "get"),
        ("apps", "daemonsets", "get"),
        ("policy", "poddisruptionbudgets", "list"),
        ("autoscaling", "horizontalpodautoscalers", "list"),
    ]
    .into_iter()
    .map(|(group, resource, verb)| right(group, resource, verb))
    .collect();
    assert_eq!(rights("deploy/rbac/writer.yaml", "Role"), pinned);
}

#[test]
fn no_role_holds_a_wildcard_or_a_secret() {
    let all = rights("deploy/rbac/reader.yaml", "ClusterRole").into_iter();
    for (group, resource, verb) in all.chain(rights("deploy/rbac/writer.yaml", "Role")) {
        assert!([&group, &resource, &verb].iter().all(|part| *part != "*"), "{group}/{resource} {verb}");
        assert!(!["secrets", "pods/exec", "serviceaccounts/token"].contains(&resource.as_str()));
        assert!(
            !["delete", "deletecollection", "update", "impersonate", "escalate"].contains(&verb.as_str())
        );
    }
}

#[test]
fn slack_is_asked_for_no_more_than_the_code_uses() {
    #[derive(Deserialize)]
    struct App {
        oauth_config: Oauth,
        settings: Settings,
    }
    #[derive(Deserialize)]
    struct Oauth {
        scopes: Scopes,
    }
    #[derive(Deserialize)]
    struct Scopes {
        bot: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Settings {
        interactivity: Interactivity,
        socket_mode_enabled: bool,
    }
    #[derive(Deserialize)]
    struct Interactivity {
        is_enabled: bool,
        request_url: String,
    }
    let app: App = serde_saphyr::from_str(&text("deploy/slack/manifest.yaml")).unwrap();
    assert_eq!(app.oauth_config.scopes.bot, ["chat:write", "channels:history"]);
    assert!(app.settings.interactivity.is_enabled && !app.settings.socket_mode_enabled);
    assert!(app.settings.interactivity.request_url.ends_with("/slack/interactions"));
}

#[test]
fn alertmanager_is_pointed_at_the_webhook_and_sends_the_end_too() {
    let text = text("deploy/alertmanager-receiver.yaml");
    let _: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    for needed in ["/api/v1/alerts/webhook", "send_resolved: true", "max_alerts: 0", "continue: true"] {
        assert!(text.contains(needed), "{needed}");
    }
}
