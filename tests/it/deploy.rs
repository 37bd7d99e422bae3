//! What is shipped in `deploy/` fits the code: the example configuration is read, and the roles hold what
//! the code asks for and nothing more.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
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
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    namespace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

fn manifests(file: &str) -> Vec<Manifest> {
    text(file).split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect()
}

fn rights(file: &str, kind: &str) -> BTreeSet<Right> {
    let rules = manifests(file).into_iter().filter(|m| m.kind == kind).flat_map(|m| m.rules);
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
#[expect(clippy::too_many_lines, reason = "one line a key, and none may be forgotten")]
fn every_key_is_documented_and_every_documented_key_is_read() {
    const KEYS: [&str; 105] = [
        "listen",
        "stateDir",
        "policies",
        "prompts",
        "runbooks",
        "log.filter",
        "log.format",
        "cluster.name",
        "cluster.labels",
        "cluster.kubeconfig",
        "cluster.context",
        "cluster.url",
        "cluster.caFile",
        "cluster.tokenFile",
        "cluster.writeTokenFile",
        "webhook.bearerTokenFile",
        "webhook.username",
        "webhook.passwordFile",
        "alertmanager.url",
        "alertmanager.bearerTokenFile",
        "prometheus.url",
        "prometheus.bearerTokenFile",
        "prometheus.measures",
        "logs.kind",
        "logs.url",
        "logs.bearerTokenFile",
        "logs.username",
        "logs.passwordFile",
        "logs.apiKeyFile",
        "logs.tenant",
        "logs.index",
        "logs.logGroups",
        "logs.region",
        "logs.accessKeyIdFile",
        "logs.secretAccessKeyFile",
        "logs.sessionTokenFile",
        "logs.fields",
        "logs.services",
        "deploys.argocd",
        "deploys.github",
        "deploys.gitlab",
        "deploys.services",
        "traces.kind",
        "traces.url",
        "traces.tokenFile",
        "traces.namespaceAttributes",
        "serviceMap.file",
        "serviceMap.mesh",
        "serviceMap.annotation",
        "slack.channel",
        "slack.policyChannel",
        "slack.app",
        "slack.team",
        "slack.tokenFile",
        "slack.signingSecretFile",
        "slack.url",
        "pager.webhook",
        "pager.bearerTokenFile",
        "pagerduty.url",
        "pagerduty.tokenFile",
        "pagerduty.namespaces",
        "onCall",
        "model.url",
        "model.name",
        "model.apiKeyFile",
        "model.stream",
        "model.egress",
        "model.price",
        "models",
        "modelBudget.perIncident",
        "modelBudget.perDay",
        "actions.url",
        "actions.tokenFile",
        "reads.url",
        "reads.tokenFile",
        "otherClusters",
        "mcpServers",
        "mcpPins",
        "mcpReads",
        "mcp.environment",
        "mcp.publicUrl",
        "mcp.allowedOrigins",
        "mcp.tokens",
        "mcp.oauth",
        "mcp.callsPerMinute",
        "warrantKeyFile",
        "oneProcessHoldsEverything",
        "minimumGrade",
        "warrantKeys",
        "clientTokenFile",
        "limits.namespaces",
        "limits.ownNamespace",
        "limits.ownNode",
        "limits.protected",
        "limits.nodes",
        "limits.actions",
        "limits.extraRights",
        "limits.jobs",
        "limits.repositories",
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

/// The example of an action server's own file is read, and both schema and manual know each of its keys.
#[test]
fn an_action_servers_own_file_is_described() {
    let config =
        config::load_actions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/actions.example.yaml"));
    let config = config.unwrap();
    assert!(!config.limits.namespaces.is_empty() && config.limits.actions.is_some());
    assert!(config.state_dir.ends_with("actions") && config.client_token_file.is_some());
    let schema = text("deploy/actions.schema.json");
    assert_eq!(printed(&["mcp", "schema"]), schema);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let (doc, mut all) = (text("docs/configuration.md"), text("deploy/actions.example.yaml"));
    // every key that the schema knows is one that the reader knows, and the other way round
    for (key, field) in schema["properties"].as_object().unwrap() {
        let inner =
            field["properties"].as_object().map(|inner| inner.keys().map(|k| format!("{key}.{k}")).collect());
        for key in inner.unwrap_or_else(|| vec![key.clone()]) {
            assert!(doc.contains(&format!("| `{key}` |")), "{key} is not in the manual");
        }
    }
    for (key, value) in [
        ("ownNode", "n1"),
        ("protected", "[data/postgres]"),
        ("nodes", "true"),
        ("extraRights", "[delete pods]"),
        ("jobs", "[jobs]"),
        (
            "repositories",
            "[{ forge: github, url: 'https://api.github.com', repository: a/b, branch: main, tokenFile: t, files: [{ namespace: n, kind: Deployment, name: w, path: w.yaml }] }]",
        ),
    ] {
        all = all.replacen("limits:\n", &format!("limits:\n  {key}: {value}\n"), 1);
    }
    // of two ways to the API server one is taken, and each is known
    let by_context = all.replacen("  url:", "  kubeconfig: k\n  context: c\n  # url:", 1);
    let by_context =
        by_context.replacen("  caFile:", "  # caFile:", 1).replacen("  tokenFile:", "  # tokenFile:", 1);
    config::parse_actions("by context", &by_context).unwrap();
    config::parse_actions("all keys", &all).unwrap();
    let all = all.replacen("  url:", "  kubeconfig: k\n  context: c\n  url:", 1);
    let given: serde_json::Value = serde_saphyr::from_str(&all).unwrap();
    let keys =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for part in ["cluster", "limits", "log"] {
        assert_eq!(keys(&given[part]), keys(&schema["properties"][part]["properties"]), "{part}");
    }
    assert_eq!(keys(&given), keys(&schema["properties"]));
}

#[test]
fn an_action_servers_own_file_is_refused_where_it_cannot_be_meant() {
    let good = text("deploy/actions.example.yaml");
    for (from, to, said) in [
        ("limits:", "policies: p\nlimits:", "policies"),
        ("  tokenFile:", "  writeTokenFile: w\n  tokenFile:", "one account"),
        ("warrantKeys:", "warrantKeys: []\nodd:", "odd"),
        ("  namespaces:", "  maxReplica: 3\n  namespaces:", "maxReplica"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let why = config::parse_actions("actions.yaml", &text).unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
    }
    let none = "cluster: { name: c }\nlimits: {}\nwarrantKeys: []\n";
    let why = config::parse_actions("actions.yaml", none).unwrap_err().to_string();
    assert!(why.contains("`belay mcp key`"), "{why}");
    for missing in ["cluster: { name: c }\nlimits: {}\n", "cluster: { name: c }\nwarrantKeys: [k]\n"] {
        assert!(config::parse_actions("actions.yaml", missing).is_err(), "{missing}");
    }
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
    // what surrounds a workload; of ConfigMaps and Secrets the metadata, by a role of its own
    let around = text("src/adapters/kube/surroundings.rs");
    for (code, group, plural) in [
        ("core::ResourceQuota>", "", "resourcequotas"),
        ("networking::NetworkPolicy>", "networking.k8s.io", "networkpolicies"),
        ("storage::StorageClass>", "storage.k8s.io", "storageclasses"),
        ("certificate_resource()", "cert-manager.io", "certificates"),
    ] {
        assert!(around.contains(code), "{code}");
        wanted.insert(right(group, plural, "list"));
    }
    // what the kubernetes server lists besides
    for (file, code, group, plural) in [
        ("mod.rs", "networking::Ingress", "networking.k8s.io", "ingresses"),
        ("network.rs", "discovery::EndpointSlice>", "discovery.k8s.io", "endpointslices"),
        ("templates.rs", "apps::ControllerRevision>", "apps", "controllerrevisions"),
        ("usage.rs", "\"NodeMetrics\", \"nodes\"", "metrics.k8s.io", "nodes"),
    ] {
        assert!(text(&format!("src/adapters/kube/inventory/{file}")).contains(code), "{code}");
        wanted.insert(right(group, plural, "list"));
    }
    let metadata = rights("deploy/rbac/metadata.yaml", "Role");
    assert_eq!(metadata, [right("", "configmaps", "list"), right("", "secrets", "list")].into());
    assert!(!around.contains("raw::<core::Secret>") && !around.contains("raw::<core::ConfigMap>"));
    assert_eq!(rights("deploy/rbac/reader.yaml", "ClusterRole"), wanted);
}

/// What the recorder follows, in the namespaces of the example, and not one right more.
#[test]
fn the_recorder_may_follow_what_it_records_and_nothing_else() {
    let kinds = [("", "configmaps"), ("", "services"), ("apps", "deployments"), ("apps", "statefulsets")];
    let wanted =
        kinds.iter().flat_map(|(group, name)| ["list", "watch"].map(|verb| right(group, name, verb)));
    assert_eq!(rights("deploy/rbac/recorder.yaml", "Role"), wanted.collect());
    let all = manifests("deploy/rbac/recorder.yaml");
    let of = |kind: &str| -> Vec<_> {
        all.iter().filter(|m| m.kind == kind).filter_map(|m| m.metadata.namespace.clone()).collect()
    };
    assert_eq!((of("Role"), of("RoleBinding")), (vec!["shop".into(), "stg-shop".into()], of("Role")));
    let named =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/recorder.rs")).unwrap();
    assert!(named.contains("[Kind::ConfigMap, Kind::Service, Kind::Deployment, Kind::StatefulSet]"));
}

/// Which rights each action needs is tried in `rights`; this says what they come down to as roles.
#[test]
fn the_writer_is_what_belay_rbac_prints_for_the_example() {
    let args = ["rbac", "--config", "deploy/belay.example.yaml", "--policies", "policies"];
    assert_eq!(printed(&args), text("deploy/rbac/writer.yaml"));
    let pinned: BTreeSet<Right> = [
        ("", "pods", "get"),
        ("", "pods", "patch"),           // mark
        ("", "pods", "create"),          // rehearse: a dry run, always
        ("", "pods/eviction", "create"), // evict
        ("apps", "deployments", "get"),
        ("apps", "deployments", "patch"),
        ("apps", "statefulsets", "get"),
        ("apps", "statefulsets", "patch"),
        ("apps", "daemonsets", "get"),
        ("apps", "daemonsets", "patch"),
        ("apps", "replicasets", "get"),  // the chain of controllers
        ("apps", "replicasets", "list"), // recorded templates
        ("apps", "controllerrevisions", "list"),
        ("policy", "poddisruptionbudgets", "list"),
        ("autoscaling", "horizontalpodautoscalers", "get"),
        ("autoscaling", "horizontalpodautoscalers", "list"),
        ("autoscaling", "horizontalpodautoscalers", "patch"),
        ("batch", "cronjobs", "get"),
        ("batch", "cronjobs", "patch"),
        ("", "configmaps", "get"), // restore
        ("", "configmaps", "patch"),
        ("", "services", "get"),
        ("", "services", "patch"),
        ("apps", "deployments", "list"), // whoever reads a ConfigMap
        ("apps", "statefulsets", "list"),
        ("apps", "daemonsets", "list"),
    ]
    .into_iter()
    .map(|(group, resource, verb)| right(group, resource, verb))
    .collect();
    assert_eq!(rights("deploy/rbac/writer.yaml", "Role"), pinned);
    assert!(rights("deploy/rbac/writer.yaml", "ClusterRole").is_empty(), "the example acts on no nodes");
    let namespaces: BTreeSet<String> = manifests("deploy/rbac/writer.yaml")
        .into_iter()
        .filter_map(|m| m.metadata.namespace.filter(|_| m.kind == "Role"))
        .collect();
    assert_eq!(namespaces, ["shop".to_owned(), "stg-shop".to_owned()].into());
}

fn printed(args: &[&str]) -> String {
    let done =
        Command::new(env!("CARGO_BIN_EXE_belay")).current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn roles_are_for_what_is_named_and_in_a_fixed_order() {
    let two = ["rbac", "--actions", "scale_workload,restart_pod", "--namespaces", "stg-shop,shop"];
    let other = ["rbac", "--actions", "restart_pod,scale_workload", "--namespaces", "shop,stg-shop,shop"];
    assert_eq!(printed(&two), printed(&other));
    assert!(!printed(&two).contains("ClusterRole"));
    assert!(printed(&two).contains("the dry run"));
    let account = printed(&[&two[..], &["--service-account", "ops/hands"]].concat());
    assert!(account.contains("{ kind: ServiceAccount, name: hands, namespace: ops }"), "{account}");
    // nodes are of no namespace
    let nodes = printed(&["rbac", "--actions", "cordon_node"]);
    assert!(nodes.contains("kind: ClusterRole\n") && !nodes.contains("kind: Role\n"), "{nodes}");
    assert!(
        nodes.contains("resources: [nodes], verbs: [get, list, patch]") && !nodes.contains("dry run"),
        "{nodes}"
    );
    let all = printed(&["rbac", "--all", "--namespaces", "shop"]);
    assert!(
        all.contains("cronjobs") && all.contains("nodes") && all.contains("controllerrevisions"),
        "{all}"
    );
}

#[test]
fn roles_for_what_there_is_not_are_refused() {
    for (args, said) in [
        (&["--actions", "restart_pods", "--namespaces", "shop"][..], "did you mean `restart_pod`?"),
        (&["--actions", "run_job", "--namespaces", "shop"], "name them with `--jobs`"),
        (&["--actions", "restart_pod"], "name the namespaces with `--namespaces`"),
        (&["--actions", "restart_pod", "--namespaces", "a b"], "`a b` is not the name of a namespace"),
        (&["--namespaces", "shop"], "name the actions with `--actions`"),
        (&["--all", "--namespaces", "shop", "--service-account", "belay"], "`NAMESPACE/NAME`"),
    ] {
        let done = Command::new(env!("CARGO_BIN_EXE_belay")).arg("rbac").args(args).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && told.contains(said), "{args:?}: {told}");
    }
}

/// Jobs are made and read where they are run; what they are about is read wherever belay acts.
#[test]
fn the_roles_for_jobs_are_what_the_templates_say() {
    let args = ["rbac", "--actions", "run_job", "--namespaces", "shop,stg-shop", "--jobs", "deploy/jobs"];
    let all = printed(&args);
    let (run, read) = all.split_once("namespace: stg-shop").unwrap();
    let making = "apiGroups: [batch], resources: [jobs], verbs: [get, create]";
    let reading = "apiGroups: [apps], resources: [deployments], verbs: [get]";
    assert!(run.contains(making) && run.contains(reading), "{run}");
    assert!(!read.contains("jobs") && read.contains(reading), "{read}");
    // where nothing may be done, no job is run either
    let done = Command::new(env!("CARGO_BIN_EXE_belay"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["rbac", "--actions", "run_job", "--namespaces", "stg-shop", "--jobs", "deploy/jobs"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&done.stderr).contains("`shop` is not one of `limits.namespaces`"));
}

/// Applied in this order to a cluster that has nothing of belay's yet, nothing is missing: an API server takes
/// an account only into a namespace that is there.
#[test]
fn the_accounts_have_their_namespace_and_the_roles_their_accounts() {
    let all: Vec<Manifest> =
        ["deploy/rbac/reader.yaml", "deploy/rbac/recorder.yaml", "deploy/rbac/writer.yaml"]
            .into_iter()
            .flat_map(manifests)
            .collect();
    let (mut namespaces, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    for Manifest { kind, metadata, subjects, .. } in &all {
        match kind.as_str() {
            "Namespace" => drop(namespaces.insert(metadata.name.clone())),
            "ServiceAccount" => {
                let namespace = metadata.namespace.clone().unwrap();
                assert!(namespaces.contains(&namespace), "`{namespace}` is not there yet");
                accounts.insert((namespace, metadata.name.clone()));
            }
            _ => {}
        }
        for Subject { name, namespace } in subjects {
            assert!(accounts.contains(&(namespace.clone(), name.clone())), "{kind}: no account `{name}`");
        }
    }
}

/// Whoever applies both holds the account that the role is given to, and not one that writes nothing.
#[test]
fn the_admission_policy_holds_the_account_that_the_writer_is_given_to() {
    let printed = Command::new(env!("CARGO_BIN_EXE_belay")).args(["policy", "admission", "--stop"]).output();
    let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
    for Subject { name, namespace } in
        manifests("deploy/rbac/writer.yaml").into_iter().flat_map(|m| m.subjects)
    {
        assert!(printed.contains(&format!("'system:serviceaccount:{namespace}:{name}'")), "{printed}");
    }
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
