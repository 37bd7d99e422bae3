//! Every key of `belay.yaml` changes something, what cannot be meant is refused, and no error shows a
//! secret that stands beside the mistake.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use belay::app::build::hard_limits;
use belay::config::{
    AlertmanagerConfig, Amount, BudgetConfig, ClusterConfig, Config, ConfigError, DeliveredConfig,
    DelivererConfig, DeploysConfig, FileConfig, ForgeName, LimitsConfig, Log, LogStore, MeshName,
    MinimumGrade, ModelBudgetConfig, ModelConfig, PagedConfig, PagerConfig, PagerDutyConfig, PriceConfig,
    PrometheusConfig, RepositoryConfig, ServerConfig, ServiceMapConfig, SiteConfig, SlackConfig,
    TracesConfig, TracesKind, WebhookConfig, load, parse, policies, prompts, secret,
};
use belay::domain::action::ActionKind;
use belay::domain::ids::Cluster;
use belay::telemetry::LogFormat;
use secrecy::ExposeSecret as _;

/// The least that is a configuration.
const LEAST: &str = "policies: p\ncluster: { name: eu-1 }\n";

const ALL: &str = "
listen: 127.0.0.2:1234
stateDir: state
policies: rules
prompts: words
runbooks: books
log: { filter: debug, format: json }
warrantKeyFile: key.pem
oneProcessHoldsEverything: true
cluster: { name: eu-1, labels: { cluster: eu-1 }, url: 'http://127.0.0.1:6443', caFile: ca, tokenFile: read, writeTokenFile: write }
webhook: { bearerTokenFile: hook }
alertmanager: { url: 'http://am:9093', bearerTokenFile: am }
prometheus: { url: 'http://prom:9090', bearerTokenFile: prom, measures: { p99: x_$pods } }
logs: { kind: loki, url: 'http://loki:3100', bearerTokenFile: loki, tenant: t, fields: { service: app }, services: { a: b } }
deploys: { argocd: { url: 'https://argo', tokenFile: argo }, github: { url: 'https://gh', tokenFile: gh }, gitlab: { url: 'https://gl', tokenFile: gl }, services: { shop/web: { application: a, github: o/n, gitlab: g/p, environment: prod } } }
traces: { kind: tempo, url: 'http://tempo:3200', tokenFile: tempo, namespaceAttributes: [ns] }
serviceMap: { file: map, mesh: istio, annotation: belay.dev/calls }
slack: { channel: C1, policyChannel: C2, app: A1, team: T1, tokenFile: bot, signingSecretFile: sign, url: 'http://127.0.0.1:1' }
pager: { webhook: 'https://pager.example', bearerTokenFile: page }
pagerduty: { url: 'https://api.eu.pagerduty.com', tokenFile: pd, namespaces: { shop: { services: [PIJ90N7], schedules: [PI7DH85] } } }
onCall: rotations.yaml
model: { url: 'http://llm/v1', name: m, apiKeyFile: key, stream: true, egress: [shop], price: { prompt: 0.15, completion: 1, cached: 0.075 } }
modelBudget: { perIncident: { tokens: 9, money: 0.5 }, perDay: { turns: 8, seconds: 7 } }
mcp: { environment: production }
minimumGrade: B
mcpServers: { g: { url: 'https://g/mcp', tools: [x] } }
mcpPins: pins
mcpReads: { metrics: { tool: g__x } }
otherClusters:
- cluster: { name: eu-2, labels: { cluster: eu-2 }, kubeconfig: kube, context: two }
  alertmanager: { url: 'http://am2:9093', bearerTokenFile: am2 }
  prometheus: { url: 'http://prom2:9090', bearerTokenFile: prom2 }
  logs: { kind: elasticsearch, url: 'https://es2', index: logs-*, apiKeyFile: es2 }
  deploys: { argocd: { url: 'https://argo2', tokenFile: argo2 } }
  limits: { namespaces: [till], jobs: [jobs2] }
- cluster: { name: eu-3, labels: { cluster: eu-3 } }
  actions: { url: 'https://hands/mcp', tokenFile: hands }
  reads: { url: 'https://eyes/mcp', tokenFile: eyes }
limits: { namespaces: [shop], ownNamespace: ops, ownNode: n1, protected: [data/postgres], nodes: true, maxReplicas: 7, maxReplicaDelta: 2, actions: [restart_pod, cordon_node], extraRights: [delete pods], jobs: [jobs], repositories: [{ forge: gitlab, url: 'https://git.example/api/v4', repository: shop/deploy, branch: trunk, tokenFile: forge, files: [{ namespace: shop, kind: Deployment, name: web, path: '{name}.yaml' }] }] }
";

fn ok(text: &str) -> Config {
    parse("belay.yaml", text).unwrap()
}

fn why(text: &str) -> String {
    parse("belay.yaml", text).unwrap_err().to_string()
}

fn path(name: &str) -> Option<PathBuf> {
    Some(name.into())
}

fn models_are_read(model: ModelConfig, models: &[ModelConfig], budget: &ModelBudgetConfig) {
    let price = PriceConfig {
        prompt: Amount(150_000_000),
        completion: Amount(1_000_000_000),
        cached: Some(Amount(75_000_000)),
    };
    let expected = ModelConfig {
        url: "http://llm/v1".into(),
        name: "m".into(),
        api_key_file: path("key"),
        stream: true,
        egress: Some(vec!["shop".into()]),
        price: Some(price),
    };
    assert_eq!((model, models), (expected, &[][..]));
    let incident = BudgetConfig { tokens: 9, money: Some(Amount(500_000_000)), ..BudgetConfig::INCIDENT };
    let day = BudgetConfig { turns: 8, seconds: 7, ..BudgetConfig::DAY };
    assert_eq!(*budget, ModelBudgetConfig { per_incident: incident, per_day: day });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line a key, and none may be forgotten")]
fn each_key_is_read_into_its_place() {
    // no `..`: a key that nobody tries here does not compile
    let Config {
        actions,
        other_clusters,
        reads,
        mcp_servers,
        mcp_pins,
        mcp_reads,
        mcp,
        minimum_grade,
        warrant_key_file,
        one_process_holds_everything,
        listen,
        state_dir,
        policies,
        prompts,
        runbooks,
        log,
        cluster,
        webhook,
        alertmanager,
        prometheus,
        deploys,
        logs,
        service_map,
        traces,
        slack,
        pager,
        pagerduty,
        on_call,
        model,
        models,
        model_budget,
        limits,
    } = ok(ALL);
    // each of their keys is tried in `foreign::config`
    assert!(mcp_servers.contains_key("g") && mcp_reads.metrics.is_some());
    assert_eq!(mcp_pins, path("pins"));
    assert_eq!(listen.to_string(), "127.0.0.2:1234");
    assert_eq!((state_dir, policies, prompts), ("state".into(), "rules".into(), path("words")));
    assert_eq!(runbooks, path("books"));
    let by = |url: &str, token: &str| Some(DelivererConfig { url: url.into(), token_file: token.into() });
    let web = DeliveredConfig {
        application: Some("a".into()),
        github: Some("o/n".into()),
        gitlab: Some("g/p".into()),
        environment: Some("prod".into()),
    };
    let expected = DeploysConfig {
        argocd: by("https://argo", "argo"),
        github: by("https://gh", "gh"),
        gitlab: by("https://gl", "gl"),
        services: [("shop/web".to_owned(), web)].into(),
    };
    assert_eq!(deploys, Some(expected));
    assert_eq!(log, Log { filter: "debug".into(), format: LogFormat::Json });
    let expected = ClusterConfig {
        name: "eu-1".into(),
        labels: [("cluster".to_owned(), "eu-1".to_owned())].into(),
        kubeconfig: None,
        context: None,
        url: Some("http://127.0.0.1:6443".into()),
        ca_file: path("ca"),
        token_file: path("read"),
        write_token_file: path("write"),
    };
    assert_eq!(cluster, expected);
    let expected = WebhookConfig { bearer_token_file: path("hook"), username: None, password_file: None };
    assert_eq!(webhook, expected);
    let expected = AlertmanagerConfig { url: "http://am:9093".into(), bearer_token_file: path("am") };
    assert_eq!(alertmanager, Some(expected));
    let measures = [("p99".to_owned(), "x_$pods".to_owned())].into();
    let expected =
        PrometheusConfig { url: "http://prom:9090".into(), bearer_token_file: path("prom"), measures };
    assert_eq!(prometheus, Some(expected));
    // each of its keys is tried below
    assert_eq!(logs.map(|logs| (logs.kind, logs.bearer_token_file)), Some((LogStore::Loki, path("loki"))));
    let expected = TracesConfig {
        kind: TracesKind::Tempo,
        url: "http://tempo:3200".into(),
        token_file: path("tempo"),
        namespace_attributes: vec!["ns".into()],
    };
    assert_eq!(traces, Some(expected));
    let annotation = Some("belay.dev/calls".to_owned());
    let expected = ServiceMapConfig { file: path("map"), mesh: Some(MeshName::Istio), annotation };
    assert_eq!(service_map, Some(expected));
    let expected = SlackConfig {
        policy_channel: Some("C2".into()),
        channel: "C1".into(),
        app: "A1".into(),
        team: "T1".into(),
        token_file: "bot".into(),
        signing_secret_file: "sign".into(),
        url: "http://127.0.0.1:1".into(),
    };
    assert_eq!(slack, Some(expected));
    let expected = PagerConfig { webhook: "https://pager.example".into(), bearer_token_file: path("page") };
    assert_eq!(pager, Some(expected));
    let shop = PagedConfig { services: vec!["PIJ90N7".into()], schedules: vec!["PI7DH85".into()] };
    let expected = PagerDutyConfig {
        url: "https://api.eu.pagerduty.com".into(),
        token_file: "pd".into(),
        namespaces: [("shop".to_owned(), shop)].into(),
    };
    assert_eq!((pagerduty, on_call), (Some(expected), path("rotations.yaml")));
    models_are_read(model.unwrap(), &models, &model_budget);
    let expected = LimitsConfig {
        namespaces: vec!["shop".into()],
        own_namespace: "ops".into(),
        own_node: Some("n1".into()),
        protected: vec!["data/postgres".into()],
        nodes: true,
        max_replicas: 7,
        max_replica_delta: 2,
        actions: Some(vec!["restart_pod".into(), "cordon_node".into()]),
        extra_rights: vec!["delete pods".into()],
        jobs: vec!["jobs".into()],
        repositories: vec![RepositoryConfig {
            forge: ForgeName::GitLab,
            url: "https://git.example/api/v4".into(),
            repository: "shop/deploy".into(),
            branch: "trunk".into(),
            token_file: "forge".into(),
            files: vec![FileConfig {
                namespace: Some("shop".into()),
                kind: Some("Deployment".into()),
                name: Some("web".into()),
                path: "{name}.yaml".into(),
            }],
        }],
    };
    assert_eq!(limits, expected);
    assert_eq!((actions, reads), (None, None), "it excludes `writeTokenFile`");
    assert_eq!((warrant_key_file, one_process_holds_everything), (path("key.pem"), true));
    // each of its keys is tried in `servers::authority`
    assert!(mcp.is_some_and(|mcp| mcp.environment == "production"));
    assert_eq!(minimum_grade, MinimumGrade::B);
    let [
        SiteConfig {
            cluster,
            alertmanager,
            prometheus,
            logs,
            deploys,
            limits,
            actions: None,
            reads: None,
            traces: None,
            service_map: None,
        },
        apart,
    ] = <[SiteConfig; 2]>::try_from(other_clusters).unwrap()
    else {
        panic!("the second is reached from here");
    };
    assert_eq!((cluster.kubeconfig, cluster.context), (path("kube"), Some("two".into())));
    assert_eq!(
        (alertmanager.unwrap().bearer_token_file, limits.namespaces),
        (path("am2"), vec!["till".into()])
    );
    assert_eq!(prometheus.unwrap().bearer_token_file, path("prom2"));
    assert_eq!(logs.unwrap().api_key_file, path("es2"));
    assert_eq!(deploys.unwrap().argocd.unwrap().token_file, Path::new("argo2"));
    assert_eq!(apart.actions.unwrap().url, "https://hands/mcp");
    assert_eq!(apart.reads.unwrap().token_file, Path::new("eyes"));
    let apart = ok(&format!("{LEAST}actions: {{ url: 'https://hands/mcp', tokenFile: t }}\n")).actions;
    assert_eq!(apart, Some(ServerConfig { url: "https://hands/mcp".into(), token_file: "t".into() }));
    let both = why(&format!("{ALL}actions: {{ url: 'https://hands/mcp', tokenFile: t }}\n"));
    assert!(both.contains("`cluster.writeTokenFile` is for the action server in this process"), "{both}");
}

#[test]
fn what_is_not_said_is_the_careful_choice() {
    let config = ok(LEAST);
    assert!(config.listen.ip().is_loopback());
    assert_eq!((config.listen.port(), config.state_dir.as_path()), (9099, Path::new("belay-state")));
    assert_eq!(config.log, Log { filter: "info".into(), format: LogFormat::Text });
    assert_eq!(config.webhook, WebhookConfig::default());
    assert!(config.limits.namespaces.is_empty(), "acting nowhere");
    assert_eq!((config.limits.max_replicas, config.limits.max_replica_delta), (20, 5));
    assert_eq!(config.limits.own_namespace, "belay");
    assert!(config.prompts.is_none() && config.alertmanager.is_none() && config.slack.is_none());
    assert!(config.pager.is_none() && config.model.is_none() && config.cluster.url.is_none());
    let slack = "slack: { channel: C1, app: A1, team: T1, tokenFile: t, signingSecretFile: s }";
    assert_eq!(ok(&format!("{LEAST}{slack}")).slack.unwrap().url, "https://slack.com/api");
}

#[test]
fn what_belay_cannot_do_without_is_asked_for() {
    for (text, missing) in [
        ("cluster: { name: eu-1 }", "policies"),
        ("policies: p", "cluster"),
        ("policies: p\ncluster: {}", "name"),
        (
            "policies: p\ncluster: { name: c }\nslack: { channel: C1, app: A1, team: T1, tokenFile: t }",
            "signingSecretFile",
        ),
    ] {
        let why = why(text);
        assert!(why.contains(missing), "{text}: {why}");
    }
    assert!(why("policies: p\ncluster: { name: '' }").contains("cluster.name"));
}

#[test]
fn only_this_machine_delivers_without_credentials() {
    let open = format!("{LEAST}listen: 0.0.0.0:9099\n");
    assert!(why(&open).contains("`webhook` has no credentials"), "{}", why(&open));
    for listen in ["127.0.0.1:1", "'[::1]:1'"] {
        ok(&format!("{LEAST}listen: {listen}\n"));
    }
    ok(&format!("{open}webhook: {{ bearerTokenFile: t }}\n"));
    ok(&format!("{open}webhook: {{ username: am, passwordFile: p }}\n"));
}

#[test]
fn credentials_that_exclude_or_need_each_other_are_refused() {
    for (webhook, part) in [
        ("{ bearerTokenFile: t, username: u, passwordFile: p }", "not both"),
        ("{ bearerTokenFile: t, passwordFile: p }", "not both"),
        ("{ username: u }", "belong together"),
        ("{ passwordFile: p }", "belong together"),
    ] {
        let why = why(&format!("{LEAST}webhook: {webhook}\n"));
        assert!(why.contains(part), "{webhook}: {why}");
    }
}

#[test]
fn a_token_that_would_not_be_used_is_refused() {
    for key in ["caFile", "tokenFile", "writeTokenFile"] {
        let why = why(&format!("policies: p\ncluster: {{ name: c, {key}: t }}\n"));
        assert!(why.contains("cluster.url"), "{key}: {why}");
    }
}

#[test]
fn an_alert_can_be_of_one_cluster_at_most() {
    let with = |first: &str, second: &str| {
        format!(
            "policies: p\ncluster: {{ name: a{first} }}\notherClusters: [{{ cluster: {{ name: {second} }} }}]\n"
        )
    };
    ok(&with(", labels: { cluster: a }", "b, labels: { cluster: b }"));
    for (first, second, said) in [
        ("", "b, labels: { cluster: b }", "cluster `a` needs `cluster.labels`"),
        (", labels: { cluster: a }", "b", "cluster `b` needs `cluster.labels`"),
        (", labels: { cluster: a }", "a, labels: { cluster: c }", "two clusters are named `a`"),
        (
            ", labels: { cluster: a }",
            "b, labels: { cluster: a, env: p }",
            "of cluster `a` and of cluster `b` both",
        ),
        (", labels: { cluster: a }", "b, labels: { env: p }", "of cluster `a` and of cluster `b` both"),
        ("", "'b:c'", "letters, digits"),
    ] {
        let why = why(&with(first, second));
        assert!(why.contains(said), "{first} {second}: {why}");
    }
}

#[test]
fn a_way_into_a_cluster_that_would_not_be_used_is_refused() {
    let servers =
        "actions: { url: 'https://h/mcp', tokenFile: t }\nreads: { url: 'https://r/mcp', tokenFile: t }\n";
    for (text, said) in [
        ("cluster: { name: c, url: 'https://x', context: y }\n".to_owned(), "leave one of them out"),
        (format!("cluster: {{ name: c, context: y }}\n{servers}"), "would be used by nothing"),
        (format!("cluster: {{ name: c, url: 'https://x' }}\n{servers}"), "would be used by nothing"),
    ] {
        let why = why(&format!("policies: p\n{text}"));
        assert!(why.contains(said), "{text}: {why}");
    }
    ok(&format!("policies: p\ncluster: {{ name: c }}\n{servers}"));
}

#[test]
fn limits_become_those_of_the_action_server() {
    let cluster = Cluster::new("eu-1");
    let own = LimitsConfig { jobs: Vec::new(), ..ok(ALL).limits };
    let limits = hard_limits(&own, &cluster, &[]).unwrap();
    assert_eq!(limits.actions, [ActionKind::RestartPod, ActionKind::CordonNode].into());
    assert_eq!((limits.max_replicas, limits.max_replica_delta), (7, 2));
    assert_eq!(limits.own_namespace, "ops");
    assert_eq!((limits.cluster.clone(), limits.namespaces.len()), (cluster.clone(), 1));
    assert!(limits.namespaces.contains("shop"));
    let limits = hard_limits(&LimitsConfig::default(), &cluster, &[]).unwrap();
    assert!(limits.namespaces.is_empty());
    assert!(
        limits.actions.contains(&ActionKind::ScaleWorkload)
            && !limits.actions.contains(&ActionKind::CordonNode)
    );
    for (name, said) in
        [("restart_pods", "did you mean `restart_pod`?"), ("run_job", "`limits.jobs` names no template")]
    {
        let wrong = LimitsConfig { actions: Some(vec![name.to_owned()]), ..LimitsConfig::default() };
        let why = hard_limits(&wrong, &cluster, &[]).unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.yaml");
    let here = |name: &str| Some(dir.path().join(name));
    fs::write(&file, ALL).unwrap();
    let config = load(&file).unwrap();
    assert_eq!((Some(config.state_dir), Some(config.policies)), (here("state"), here("rules")));
    assert_eq!((config.prompts, config.runbooks), (here("words"), here("books")));
    let deploys = config.deploys.unwrap();
    let [argo, gh, gl] =
        [deploys.argocd, deploys.github, deploys.gitlab].map(|one| Some(one.unwrap().token_file));
    assert_eq!((argo, gh, gl), (here("argo"), here("gh"), here("gl")));
    let tokens = (config.cluster.token_file, config.cluster.write_token_file);
    assert_eq!(tokens, (here("read"), here("write")));
    assert_eq!(config.webhook.bearer_token_file, here("hook"));
    assert_eq!(config.alertmanager.unwrap().bearer_token_file, here("am"));
    let slack = config.slack.unwrap();
    assert_eq!((Some(slack.token_file), Some(slack.signing_secret_file)), (here("bot"), here("sign")));
    assert_eq!(config.pager.unwrap().bearer_token_file, here("page"));
    assert_eq!(
        (Some(config.pagerduty.unwrap().token_file), config.on_call),
        (here("pd"), here("rotations.yaml"))
    );
    assert_eq!(config.model.unwrap().api_key_file, here("key"));
    assert_eq!(config.limits.jobs.first(), here("jobs").as_ref());
    assert_eq!(config.warrant_key_file, here("key.pem"));
    let [second, third] = &config.other_clusters[..] else { panic!("two") };
    assert_eq!(second.cluster.kubeconfig, here("kube"));
    assert_eq!(second.limits.jobs.first(), here("jobs2").as_ref());
    assert_eq!(second.alertmanager.as_ref().unwrap().bearer_token_file, here("am2"));
    assert_eq!(second.prometheus.as_ref().unwrap().bearer_token_file, here("prom2"));
    assert_eq!(second.logs.as_ref().unwrap().api_key_file, here("es2"));
    assert_eq!(config.logs.unwrap().bearer_token_file, here("loki"));
    let servers = [&third.actions, &third.reads].map(|s| Some(s.clone().unwrap().token_file));
    assert_eq!(servers, [here("hands"), here("eyes")]);
    fs::write(
        &file,
        format!("{LEAST}stateDir: /var/lib/belay\nwebhook: {{ username: u, passwordFile: pw }}\n"),
    )
    .unwrap();
    let config = load(&file).unwrap();
    assert_eq!(config.state_dir, Path::new("/var/lib/belay"), "absolute ones stay");
    assert_eq!(config.webhook.password_file, here("pw"));
    fs::write(&file, format!("{LEAST}actions: {{ url: 'https://hands/mcp', tokenFile: hands }}\n")).unwrap();
    assert_eq!(Some(load(&file).unwrap().actions.unwrap().token_file), here("hands"));
}

#[test]
fn a_store_of_logs_has_the_keys_of_its_kind() {
    let fields = "{ namespace: a, service: b, pod: c, container: d, host: e, trace: f, text: g }";
    for whole in [
        "kind: kubernetes, fields: { service: team/app }, services: { a: b }".to_owned(),
        "kind: loki, url: 'http://l', tenant: t, username: u, passwordFile: p, fields: { severity: level }".to_owned(),
        "kind: elasticsearch, url: 'http://e', index: 'logs-*', apiKeyFile: k, fields: { time: '@t', severity: l.l }".to_owned(),
        format!("kind: cloudwatch, region: eu-central-1, logGroups: [g], accessKeyIdFile: i, secretAccessKeyFile: s, sessionTokenFile: t, fields: {fields}"),
    ] {
        assert!(ok(&format!("{LEAST}logs: {{ {whole} }}\n")).logs.is_some(), "{whole}");
    }
    for (wrong, says) in [
        ("url: x", "kind"),
        ("kind: splunk", "expected one of kubernetes, loki, elasticsearch, cloudwatch"),
        ("kind: loki", "needs `logs.url`"),
        ("kind: loki, url: x, index: y", "`logs.index` is nothing that `kind: loki` has"),
        ("kind: loki, url: x, fields: { text: y }", "`logs.fields.text`"),
        ("kind: loki, url: x, fields: { service: a.b }", "cannot be the name of a label"),
        ("kind: loki, url: x, bearerTokenFile: a, username: b, passwordFile: c", "one of"),
        ("kind: loki, url: x, username: b", "belong together"),
        ("kind: kubernetes, url: x", "`logs.url` is nothing"),
        ("kind: elasticsearch, url: x", "needs `logs.index`"),
        ("kind: elasticsearch, url: x, index: 'A/..'", "cannot name indices"),
        ("kind: elasticsearch, url: x, index: a, fields: { pod: 'a b' }", "cannot be the name of a field"),
        ("kind: cloudwatch, region: eu-central-1, logGroups: [g]", "needs `logs.accessKeyIdFile`"),
        (
            "kind: cloudwatch, region: 'e/u', logGroups: [g], accessKeyIdFile: i, secretAccessKeyFile: s",
            "is none, as in",
        ),
        ("kind: kubernetes, colour: red", "colour"),
    ] {
        let why = why(&format!("{LEAST}logs: {{ {wrong} }}\n"));
        assert!(why.contains(says), "{wrong}: {why}");
    }
}

#[test]
fn secrets_come_from_files_and_are_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (file, empty) = (dir.path().join("token"), dir.path().join("empty"));
    fs::write(&file, "  xoxb-secret\n").unwrap();
    fs::write(&empty, " \n").unwrap();
    let read = secret(&file).unwrap();
    assert_eq!(read.expose_secret(), "xoxb-secret");
    assert!(!format!("{read:?}").contains("xoxb"));
    assert!(matches!(secret(&empty), Err(ConfigError::EmptySecret { .. })));
    let gone = secret(&dir.path().join("gone")).unwrap_err();
    assert!(matches!(gone, ConfigError::Read { .. }) && gone.to_string().contains("gone"));
}

#[test]
fn policies_and_prompts_are_the_files_of_their_ending_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yaml", "freezes.ics", "note.txt", "system.md"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    fs::create_dir(dir.path().join("examples")).unwrap();
    fs::write(dir.path().join("examples/oom.yaml"), "oom").unwrap();
    let texts = |files: Vec<(String, String)>| files.into_iter().map(|(_, t)| t).collect::<Vec<_>>();
    assert_eq!(texts(policies(dir.path()).unwrap()), ["a.yaml", "b.yaml", "freezes.ics", "oom"]);
    // tests of a policy name `examples/oom.yaml`, and prompts are overridden by their file names
    assert!(policies(dir.path()).unwrap()[3].0.ends_with("/examples/oom.yaml"));
    assert_eq!(prompts(dir.path()).unwrap(), [("system.md".to_owned(), "system.md".to_owned())]);
    assert!(policies(&dir.path().join("gone")).is_err());
}

#[test]
fn a_mistake_is_placed_and_nothing_beside_it_is_shown() {
    for (text, place, word) in [
        (
            "policies: p\ncluster: { name: c }\nmodel:\n  url: http://llm/v1\n  apiKey: sk-hunter2\n  name: m\n",
            "line 5",
            "apiKey",
        ),
        ("policies: p\nlisten: sk-hunter2\ncluster: { name: c }\n", "line 2", "socket address"),
        ("policies: p\ncluster: { name: c }\nwebhook: { token: sk-hunter2 }\n", "line 3", "token"),
        ("policies: p\ncluster: { name: c, name: sk-hunter2 }\n", "line 2", "name"),
        ("policies: p\ncluster: { name: c }\nlimits: { maxReplicas: -1 }\n", "line 3", ""),
        ("policies: p\nlog: { format: xml }\ncluster: { name: c }\n", "line 2", "xml"),
    ] {
        let why = why(text);
        assert!(why.starts_with("`belay.yaml` is not a usable configuration"), "{why}");
        assert!(why.contains(place) && why.contains("column") && why.contains(word), "{text}: {why}");
        assert!(!why.contains("hunter2"), "{text}: {why}");
    }
}

#[test]
fn pagerduty_s_ids_are_ids_and_belong_to_a_namespace() {
    let with = |namespaces: &str| format!("{LEAST}pagerduty: {{ tokenFile: t, namespaces: {namespaces} }}\n");
    assert_eq!(ok(&with("{ '*': { services: [P1] } }")).pagerduty.unwrap().url, "https://api.pagerduty.com");
    for (namespaces, said) in [
        ("{}", "name 1 to 1000"),
        ("{ shop: {} }", "needs 1 to 50"),
        ("{ shop: { services: ['../users'] } }", "no id"),
        ("{ shop: { schedules: [''] } }", "no id"),
        ("{ shop: { service: [P1] } }", "service"),
    ] {
        let why = why(&with(namespaces));
        assert!(why.contains(said), "{namespaces}: {why}");
    }
}

#[test]
fn what_belay_stands_on_is_protected() {
    let cluster = Cluster::new("eu-1");
    let reached = [
        ("alertmanager.url", "http://alertmanager.monitoring.svc:9093/am"),
        ("model.url", "https://vllm.models.svc.cluster.local/v1"),
        ("pager.webhook", "https://pager.example.com/hook"),
    ];
    let own = LimitsConfig { jobs: Vec::new(), ..ok(ALL).limits };
    let limits = hard_limits(&own, &cluster, &reached).unwrap();
    let places: Vec<&str> = limits.protected.keys().map(String::as_str).collect();
    assert_eq!(places, ["data/postgres", "models", "monitoring"]);
    assert!(limits.protected["monitoring"].contains("`alertmanager.url`"));
    for wrong in ["Data", "a/b/c", "", "data/", "/x"] {
        let limits = LimitsConfig { protected: vec![wrong.into()], ..LimitsConfig::default() };
        let why = hard_limits(&limits, &cluster, &[]).unwrap_err().to_string();
        assert!(why.contains("`limits.protected`"), "{why}");
    }
}

#[test]
fn endpoints_and_budgets_that_cannot_be_meant_are_refused() {
    let head = "policies: p\ncluster: { name: c }\n";
    let one = "{ url: 'http://a/v1', name: one }";
    let priced = "{ url: 'http://b/v1', name: two, price: { prompt: 1, completion: 2 } }";
    for (text, said) in [
        (format!("model: {one}\nmodels: [{priced}]"), "put them all into `models`"),
        (
            format!("models: [{priced}, {one}]\nmodelBudget: {{ perDay: {{ money: 5 }} }}"),
            "`one` has no `price`",
        ),
        (format!("model: {one}\nmodelBudget: {{ perIncident: {{ money: 5 }} }}"), "`one` has no `price`"),
        (format!("model: {one}\nmodelBudget: {{ perDay: {{ turns: 0 }} }}"), "leaves nothing for models"),
        (format!("model: {one}\nmodelBudget: {{ perDay: {{ cents: 5 }} }}"), "cents"),
        (format!("models: [{priced}]\nmodelBudget: {{ perDay: {{ money: -5 }} }}"), "from 0 to a million"),
        (format!("models: [{priced}]\nmodelBudget: {{ perDay: {{ money: 1e9 }} }}"), "from 0 to a million"),
        ("models: [{ url: 'http://b/v1', name: two, price: { prompt: 1 } }]".into(), "completion"),
    ] {
        let why = why(&format!("{head}{text}\n"));
        assert!(why.contains(said), "{text}: {why}");
    }
    let config = ok(&format!("{head}models: [{priced}, {one}]\n"));
    assert_eq!(config.endpoints().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    ok(&format!("{head}models: [{priced}]\nmodelBudget: {{ perDay: {{ money: 5 }} }}\n"));
}
