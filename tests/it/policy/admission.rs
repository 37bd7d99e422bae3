//! The admission policy that is generated from a set: pinned, deterministic, and its expressions parse.

use std::collections::HashMap;

use belay::domain::action::ActionKind;
use belay::domain::action::edit::own_field;
use belay::domain::action::live::LiveObject;
use belay::domain::ids::IntentId;
use belay::domain::plan::INTENT_ANNOTATION;
use belay::domain::target::Kind;
use belay::policy::{Bounds, admission, draft, stop};
use serde_json::{Value, json};

use super::{BASE, edited};
use crate::hands::edits::{cases, planned, write};
use crate::jobs::templates;

fn bounds() -> Bounds {
    Bounds {
        identity: "system:serviceaccount:belay:belay-actions".to_owned(),
        cluster: None,
        namespaces: Vec::new(),
        nodes: false,
        max_replicas: 20,
        max_replica_delta: 5,
        jobs: templates().places(),
    }
}

fn made(text: &str, bounds: &Bounds) -> String {
    let files = [("policies/test.yaml".to_owned(), text.to_owned())];
    let set = draft(files.clone()).unwrap_or_else(|errors| panic!("{errors}"));
    let made = admission(&set, &files, bounds).unwrap();
    assert_eq!(made, admission(&set, &files, bounds).unwrap(), "the same set, the same text");
    made
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// Every expression of a policy.
fn expressions(document: &Value) -> Vec<String> {
    let lists = ["matchConditions", "variables", "validations"].map(|list| document["spec"][list].clone());
    let items = lists.iter().flat_map(|list| list.as_array().cloned().unwrap_or_default());
    items.map(|item| item["expression"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_generated_policy_is_as_pinned() {
    let hash = regex::Regex::new("policy set [0-9a-f]{8}").unwrap();
    let text = made(BASE, &bounds());
    insta::assert_snapshot!(hash.replace(&text, "policy set <hash>"));
    insta::assert_snapshot!(stop(&bounds()).unwrap());
}

/// Every write of every action, as the API server is told of it.
#[test]
fn the_policy_for_every_action_is_as_pinned() {
    let most: Vec<&str> = ActionKind::ALL
        .into_iter()
        .filter(|kind| *kind != ActionKind::SetHpaBounds)
        .map(ActionKind::name)
        .collect();
    let all = edited(&[
        ("actions: [restart_pod]", &format!("actions: [{}]", most.join(", "))),
        ("actions: [scale_workload]", "actions: [set_hpa_bounds]\n      expires: 24h"),
    ]);
    let policy = documents(&made(&all, &with_nodes())).remove(0);
    let told = |list: &str, name: &str| -> Vec<String> {
        let items = policy["spec"][list].as_array().unwrap();
        let text = |item: &Value| {
            format!("{}: {}", item[name].as_str().unwrap(), item["expression"].as_str().unwrap())
        };
        items.iter().map(text).collect()
    };
    insta::assert_snapshot!([told("variables", "name"), told("validations", "message")].concat().join("\n"));
}

#[test]
fn its_documents_are_a_policy_its_binding_and_a_stop_without_one() {
    let documents = documents(&made(BASE, &bounds()));
    let kinds: Vec<_> = documents
        .iter()
        .map(|d| (d["kind"].as_str().unwrap(), d["metadata"]["name"].as_str().unwrap()))
        .collect();
    let (policy, binding) = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding");
    assert_eq!(kinds, [(policy, "belay-policy"), (binding, "belay-policy"), (policy, "belay-stop")]);
    assert_eq!(documents[1]["spec"]["policyName"], "belay-policy");
    assert_eq!(documents[0]["spec"]["failurePolicy"], "Fail");
    assert!(
        documents.iter().all(|d| d["spec"].get("paramKind").is_none() && d["spec"].get("paramRef").is_none())
    );
    let stopping = stop(&bounds()).unwrap();
    assert_eq!(stopping.split("\n---\n").count(), 2);
}

#[test]
fn every_expression_parses() {
    let texts = [made(BASE, &bounds()), stop(&bounds()).unwrap()];
    let mut seen = 0;
    for document in texts.iter().flat_map(|text| documents(text)) {
        for expression in expressions(&document) {
            cel::Program::compile(&expression).unwrap_or_else(|e| panic!("{expression}: {e:?}"));
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

/// Words that CEL keeps for itself. The API server takes none of them as the name of a variable, and refuses
/// the policy that has one.
const RESERVED: [&str; 19] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "void",
];

#[test]
fn the_api_server_takes_the_names_of_its_variables() {
    for document in documents(&made(BASE, &bounds())) {
        for variable in document["spec"]["variables"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap();
            assert!(!RESERVED.contains(&name) && name != "var" && name != "while", "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
        }
    }
}

#[test]
fn it_allows_what_the_grants_need_and_no_more() {
    let text = made(BASE, &bounds());
    assert!(text.contains("variables.what in ['mark', 'evict', 'rehearse', 'deployment']"), "{text}");
    // a grant on trial writes nothing
    let trial = edited(&[("- id: scale\n", "- id: scale\n      mode: shadow\n")]);
    assert!(!made(&trial, &bounds()).contains("scales"));
    // nothing is enforced: nothing may be written
    let all = edited(&[("mode: enforce", "mode: shadow")]);
    assert!(made(&all, &bounds()).contains("expression: \"false\""));
}

#[test]
fn the_environments_of_the_grants_bound_the_namespaces() {
    assert!(made(BASE, &bounds()).contains("(variables.place == 'shop')"));
    // at level 1 nothing is done there
    let observed = edited(&[("maxLevel: 5", "maxLevel: 1")]);
    let text = made(&observed, &bounds());
    assert!(!text.contains("'shop'") && text.contains("|| (false)"), "{text}");
    // what a request does not show is said
    let labelled = edited(&[("target.namespace == 'shop'", "target.labels['tier'] == 'web'")]);
    assert!(made(&labelled, &bounds()).contains("# Environment shop cannot be told from a request"));
    let bounded = Bounds { namespaces: vec!["shop".to_owned()], ..bounds() };
    assert!(made(&labelled, &bounded).contains("variables.place in ['shop']"));
}

#[test]
fn the_replicas_are_the_least_of_grants_and_bounds() {
    assert!(made(BASE, &bounds()).contains("object.spec.replicas <= 20"), "no grant bounds it");
    let confirm = "      verify: { within: 20m, expect: [workload_ready], onFailure: revert }\n";
    let blast = format!("      blastRadius: {{ maxReplicas: 12, maxReplicaDelta: 2 }}\n{confirm}");
    let text = made(&edited(&[(confirm, &blast)]), &bounds());
    assert!(text.contains("object.spec.replicas <= 12"), "{text}");
    assert!(text.contains("a step of more than 2 replicas"), "{text}");
}

#[test]
fn names_that_are_none_are_refused() {
    for identity in ["", "kim", "system:serviceaccount:belay", "system:serviceaccount:a:b' || true || '"] {
        assert!(stop(&Bounds { identity: identity.to_owned(), ..bounds() }).is_err(), "{identity}");
    }
    let files = [("a.yaml", BASE)];
    let set = draft(files).unwrap();
    let wrong = Bounds { namespaces: vec!["a', 'b".to_owned()], ..bounds() };
    assert!(admission(&set, &files, &wrong).is_err());
}

#[test]
fn names_that_are_none_are_refused_and_those_that_are_stand_in_it() {
    let files = [("policies/test.yaml".to_owned(), BASE.to_owned())];
    let set = draft(files.clone()).unwrap();
    let with = |cluster: Option<&str>, namespace: &str, identity: &str| {
        let (cluster, namespaces) = (cluster.map(str::to_owned), vec![namespace.to_owned()]);
        admission(&set, &files, &Bounds { cluster, namespaces, identity: identity.to_owned(), ..bounds() })
    };
    let account = "system:serviceaccount:belay:belay";
    assert!(with(Some("eu-1"), "shop", account).is_ok());
    assert!(with(Some("eu'1"), "shop", account).unwrap_err().contains("not the name of a cluster"));
    assert!(with(None, "Shop", account).unwrap_err().contains("not the name of a namespace"));
    assert!(with(None, "shop", "a b").unwrap_err().contains("not the name of a Kubernetes user"));
    assert!(with(None, "shop", "kim").unwrap_err().contains("not a service account"));
}

#[test]
fn a_cluster_that_is_named_is_told_and_one_that_is_not_is_left_to_belay() {
    let text =
        edited(&[("target.namespace == 'shop'", "target.namespace == 'shop' && target.cluster == 'eu-1'")]);
    let told = made(&text, &Bounds { cluster: Some("eu-1".to_owned()), ..bounds() });
    assert!(told.contains("'eu-1' == 'eu-1'"), "{told}");
    assert!(!made(&text, &bounds()).contains("'eu-1'"));
}

#[test]
fn a_grant_that_only_observes_lets_nothing_through() {
    let text = edited(&[("level: 3", "level: 1")]);
    let (all, fewer) = (made(BASE, &bounds()), made(&text, &bounds()));
    assert!(all.contains("'deployment'") && !fewer.contains("'deployment'"), "{fewer}");
}

/// A request as the API server shows it to its policies.
#[derive(Debug, Clone)]
struct Request {
    group: &'static str,
    resource: &'static str,
    sub: &'static str,
    operation: &'static str,
    place: String,
    dry_run: bool,
    object: Value,
    old: Value,
}

impl Request {
    /// An update of an object of this kind.
    fn update(kind: Kind, old: Value, object: Value) -> Self {
        let (group, resource) = match kind {
            Kind::Deployment => ("apps", "deployments"),
            Kind::StatefulSet => ("apps", "statefulsets"),
            Kind::DaemonSet => ("apps", "daemonsets"),
            Kind::CronJob => ("batch", "cronjobs"),
            Kind::HorizontalPodAutoscaler => ("autoscaling", "horizontalpodautoscalers"),
            Kind::Node => ("", "nodes"),
            Kind::Pod => ("", "pods"),
            Kind::ConfigMap => ("", "configmaps"),
            Kind::Service => ("", "services"),
            other => panic!("belay changes no {other}"),
        };
        let place = if kind == Kind::Node { "" } else { "shop" }.to_owned();
        Self { group, resource, sub: "", operation: "UPDATE", place, dry_run: false, object, old }
    }

    fn shown(&self) -> Value {
        let mut request = json!({
            "operation": self.operation,
            "resource": { "group": self.group, "version": "v1", "resource": self.resource },
            "dryRun": self.dry_run,
        });
        if !self.sub.is_empty() {
            request["subResource"] = self.sub.into();
        }
        if !self.place.is_empty() {
            request["namespace"] = self.place.as_str().into();
        }
        request
    }
}

/// JSON as CEL has it on the API server: whole numbers are `int`.
fn cel_value(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(yes) => cel::Value::Bool(*yes),
        Value::Number(number) => cel::Value::Int(number.as_i64().unwrap()),
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Array(items) => cel::Value::List(items.iter().map(cel_value).collect::<Vec<_>>().into()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), cel_value(value)));
            fields.collect::<HashMap<_, _>>().into()
        }
    }
}

fn evaluated(expression: &str, context: &cel::Context<'_, '_>) -> Result<cel::Value, String> {
    let program = cel::Program::compile(expression).map_err(|e| format!("{expression}: {e:?}"))?;
    program.execute(context).map_err(|e| format!("{expression}: {e}"))
}

/// The first validation that denies the request, as the API server goes through them: a variable that cannot be
/// worked out is an error only where it is used, and an error denies.
fn denied(policy: &Value, request: &Request) -> Option<String> {
    let mut context = cel::Context::default();
    context.add_variable_from_value("request", cel_value(&request.shown()));
    context.add_variable_from_value("object", cel_value(&request.object));
    context.add_variable_from_value("oldObject", cel_value(&request.old));
    let mut variables: HashMap<String, cel::Value> = HashMap::new();
    let list = |name: &str| policy["spec"][name].as_array().cloned().unwrap_or_default();
    for variable in list("variables") {
        context.add_variable_from_value("variables", cel::Value::from(variables.clone()));
        if let Ok(value) = evaluated(variable["expression"].as_str().unwrap(), &context) {
            variables.insert(variable["name"].as_str().unwrap().to_owned(), value);
        }
    }
    context.add_variable_from_value("variables", cel::Value::from(variables));
    list("validations").into_iter().find_map(|validation| {
        match evaluated(validation["expression"].as_str().unwrap(), &context) {
            Ok(cel::Value::Bool(true)) => None,
            Ok(_) => Some(validation["message"].as_str().unwrap().to_owned()),
            Err(error) => Some(format!("error: {error}")),
        }
    })
}

/// The policy for a grant of this one action, everywhere.
fn policy_for(kind: ActionKind, bounds: &Bounds) -> Value {
    let action = format!("actions: [{}]", kind.name());
    let (from, to) = match kind {
        ActionKind::SetHpaBounds => ("actions: [restart_pod]", format!("{action}\n      expires: 24h")),
        _ => ("actions: [restart_pod]", action),
    };
    let everywhere = ("target.namespace == 'shop'", "target.kind != 'Secret'");
    let text = edited(&[(from, &to), everywhere, ("- id: scale\n", "- id: scale\n      mode: shadow\n")]);
    documents(&made(&text, bounds)).remove(0)
}

fn with_nodes() -> Bounds {
    Bounds { nodes: true, namespaces: vec!["shop".to_owned()], ..bounds() }
}

/// The object as it is stored, with a mark and without.
fn stored(live: &LiveObject, intent: Option<&str>) -> Value {
    let mut object = live.content.clone();
    object["metadata"] = json!({ "name": live.object.named.name, "labels": { "app": "web" }, "annotations": { "team": "shop" } });
    if let Some(intent) = intent {
        object["metadata"]["annotations"][INTENT_ANNOTATION] = intent.into();
    }
    object
}

/// Each action's own write, and its undo, with the kind it is of.
fn writes() -> Vec<(ActionKind, Request)> {
    let mut all = Vec::new();
    for case in cases() {
        let after = write(&case.live, &planned(&case), &IntentId::new("inc-0"));
        let (old, new) = (stored(&case.live, None), stored(&after, Some("inc-0")));
        let back = stored(&case.live, Some("inc-1"));
        let kind = case.live.object.named.kind;
        all.push((case.action.kind(), Request::update(kind, old, new.clone())));
        // what was restarted is not put back
        if case.action.kind() != ActionKind::RestartWorkload {
            all.push((case.action.kind(), Request::update(kind, new, back)));
        }
    }
    all
}

#[test]
fn each_action_may_write_its_own_fields_and_no_other_action_may() {
    for (kind, request) in writes() {
        assert_eq!(denied(&policy_for(kind, &with_nodes()), &request), None, "{}: {request:?}", kind.name());
        let mut off = request.clone();
        off.place = "elsewhere".to_owned();
        assert!(denied(&policy_for(kind, &with_nodes()), &off).is_some() || kind_of_node(kind), "{off:?}");
        let own = Request { place: "belay".to_owned(), ..request.clone() };
        assert!(denied(&policy_for(kind, &with_nodes()), &own).is_some(), "belay's own namespace");
        for other in ActionKind::ALL {
            // a template may hold anything, and what is paused may go on
            let wider = other == ActionKind::RollbackWorkload
                && [ActionKind::RestartWorkload, ActionKind::SetResources].contains(&kind);
            let told = denied(&policy_for(other, &with_nodes()), &request);
            let pairs = [
                [ActionKind::PauseRollout, ActionKind::ResumeRollout],
                [ActionKind::SuspendCronjob, ActionKind::ResumeCronjob],
                [ActionKind::CordonNode, ActionKind::UncordonNode],
            ];
            let pair = pairs.iter().any(|pair| pair.contains(&kind) && pair.contains(&other));
            let same = other == kind || wider || pair;
            assert_eq!(told.is_none(), same, "{} under {}: {told:?}", kind.name(), other.name());
        }
    }
}

fn kind_of_node(kind: ActionKind) -> bool {
    [ActionKind::CordonNode, ActionKind::UncordonNode].contains(&kind)
}

/// A Job is made where and as whom a template says, with an intent on it; nothing else is done to Jobs.
#[test]
fn only_the_jobs_of_the_templates_are_made() {
    let object = json!({
        "metadata": { "annotations": { INTENT_ANNOTATION: "inc-0" } },
        "spec": { "template": { "spec": { "serviceAccountName": "flags" } } },
    });
    let made = Request {
        group: "batch",
        resource: "jobs",
        sub: "",
        operation: "CREATE",
        place: "shop".to_owned(),
        dry_run: false,
        object: object.clone(),
        old: Value::Null,
    };
    let policy = policy_for(ActionKind::RunJob, &bounds());
    assert_eq!(denied(&policy, &made), None);
    assert_eq!(denied(&policy, &Request { dry_run: true, ..made.clone() }), None, "the rehearsal");
    let with = |path: &str, value: Value| {
        let mut other = object.clone();
        *other.pointer_mut(path).unwrap() = value;
        Request { object: other, ..made.clone() }
    };
    for wrong in [
        with("/metadata/annotations", json!({})),
        with("/spec/template/spec/serviceAccountName", json!("default")),
        with("/spec/template/spec", json!({})),
        Request { place: "other".to_owned(), ..made.clone() },
        Request { place: "belay".to_owned(), ..made.clone() },
        Request { operation: "UPDATE", old: object.clone(), ..made.clone() },
        Request { operation: "DELETE", object: Value::Null, old: object.clone(), ..made.clone() },
        Request { resource: "cronjobs", ..made.clone() },
        Request { sub: "status", ..made.clone() },
    ] {
        assert!(denied(&policy, &wrong).is_some(), "{wrong:?}");
    }
    let none = policy_for(ActionKind::RunJob, &Bounds { jobs: [].into(), ..bounds() });
    assert!(denied(&none, &made).is_some(), "without a template there is no job");
    assert!(denied(&policy_for(ActionKind::RestartPod, &bounds()), &made).is_some());
}

/// Every place in a value.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let here = format!("{at}/{}", escaped(key));
                out.push(here.clone());
                pointers(value, &here, out);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{i}"), out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whatever else changes in the same write, it is denied.
#[test]
fn nothing_else_may_change_with_it() {
    let mut tried = 0;
    for (kind, request) in writes() {
        let policy = policy_for(kind, &with_nodes());
        let mut places = Vec::new();
        for (key, value) in request.object.as_object().unwrap().iter().filter(|(key, _)| *key != "metadata") {
            places.push(format!("/{key}"));
            pointers(value, &format!("/{key}"), &mut places);
        }
        places.retain(|place| place != "/spec");
        let foreign = |path: &str| {
            let own = |at: &str| {
                own_field(kind, at) || (own_field(kind, "/spec/template/x") && at == "/spec/template")
            };
            // a part of it, or all of it, is the action's own
            !own(path) && !path.match_indices('/').any(|(i, _)| i > 0 && own(&path[..i]))
        };
        for place in places.iter().filter(|place| foreign(place)) {
            let mut changed = request.clone();
            let value = changed.object.pointer_mut(place).unwrap();
            match value {
                Value::Object(fields) => drop(fields.insert("odd".to_owned(), "x".into())),
                Value::Array(items) => items.push(json!({ "name": "odd", "image": "odd" })),
                Value::Bool(_) | Value::Null | Value::Number(_) => *value = 97.into(),
                Value::String(_) => *value = "odd".into(),
            }
            if place.ends_with("/annotations") && kind == ActionKind::RestartWorkload {
                assert!(changed.object.pointer(place).unwrap().get(INTENT_ANNOTATION).is_some());
            }
            assert!(denied(&policy, &changed).is_some(), "{}: {place} {changed:?}", kind.name());
            tried += 1;
        }
        for (key, value) in [
            ("labels", json!({ "app": "other" })),
            ("annotations", json!({ "team": "other" })),
            ("annotations", json!({})),
            ("finalizers", json!(["odd/one"])),
            ("ownerReferences", json!([{ "name": "odd" }])),
        ] {
            let mut changed = request.clone();
            changed.object["metadata"][key] = value;
            let told = denied(&policy, &changed).unwrap_or_default();
            assert!(told.contains("only the annotation"), "{}: {key} {told}", kind.name());
        }
        for (sub, operation) in [("status", "UPDATE"), ("scale", "UPDATE"), ("", "DELETE"), ("", "CREATE")] {
            let other = Request { sub, operation, ..request.clone() };
            assert!(denied(&policy, &other).is_some(), "{} {sub} {operation}", kind.name());
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn an_autoscaler_goes_no_further_than_grants_and_bounds() {
    let policy = policy_for(ActionKind::SetHpaBounds, &bounds());
    let to = |before: u32, after: u32| {
        let spec = |max: u32| json!({ "metadata": {}, "spec": { "minReplicas": 2, "maxReplicas": max } });
        denied(&policy, &Request::update(Kind::HorizontalPodAutoscaler, spec(before), spec(after)))
    };
    assert_eq!(to(8, 20), None);
    assert_eq!(to(8, 21).unwrap(), "no grant lets an autoscaler go beyond 20 replicas");
    assert_eq!(to(50, 30), None, "back towards what is allowed");
}

#[test]
fn replicas_stay_within_grants_and_bounds() {
    let policy = documents(&made(BASE, &bounds())).remove(0);
    let to = |before: u32, after: u32| {
        let spec =
            |replicas: u32| json!({ "metadata": {}, "spec": { "replicas": replicas, "paused": false } });
        denied(&policy, &Request::update(Kind::Deployment, spec(before), spec(after)))
    };
    assert_eq!(to(3, 5), None);
    assert_eq!(to(3, 9).unwrap(), "no grant allows a step of more than 5 replicas");
    assert_eq!(to(18, 21).unwrap(), "no grant allows more than 20 replicas");
    assert_eq!(to(30, 28), None);
}

#[test]
fn a_node_is_let_through_only_where_nodes_are_acted_on() {
    let spec =
        |shut: bool| json!({ "metadata": {}, "spec": { "podCIDR": "10.0.0.0/24", "unschedulable": shut } });
    let request = Request::update(Kind::Node, spec(false), spec(true));
    assert_eq!(denied(&policy_for(ActionKind::CordonNode, &with_nodes()), &request), None);
    let told = denied(&policy_for(ActionKind::CordonNode, &bounds()), &request);
    assert_eq!(told.unwrap(), "belay may only do what the grants of its policy need");
}

#[test]
fn a_pod_is_marked_evicted_by_uid_and_made_in_dry_runs_only() {
    let policy = documents(&made(BASE, &bounds())).remove(0);
    let pod = |mark: Option<&str>| {
        let annotations = mark.map_or(json!({}), |mark| json!({ INTENT_ANNOTATION: mark }));
        json!({ "metadata": { "annotations": annotations }, "spec": { "nodeName": "a" } })
    };
    let mark = Request::update(Kind::Pod, pod(None), pod(Some("inc-0")));
    assert_eq!(denied(&policy, &mark), None);
    let mut moved = mark.clone();
    moved.object["spec"]["nodeName"] = "b".into();
    assert_eq!(denied(&policy, &moved).unwrap(), "no grant allows this change of a pod");
    let created = Request { operation: "CREATE", old: Value::Null, ..mark };
    assert!(denied(&policy, &created).is_some(), "a real pod");
    assert_eq!(denied(&policy, &Request { dry_run: true, ..created.clone() }), None);
    let eviction = |options: Value| Request {
        sub: "eviction",
        object: json!({ "metadata": { "name": "web" }, "deleteOptions": options }),
        ..created.clone()
    };
    assert_eq!(denied(&policy, &eviction(json!({ "preconditions": { "uid": "u" } }))), None);
    assert_eq!(denied(&policy, &eviction(json!({}))).unwrap(), "an eviction must name the uid of its pod");
    // template changes are rehearsed, too
    let restart = policy_for(ActionKind::RestartWorkload, &bounds());
    assert_eq!(denied(&restart, &Request { dry_run: true, ..created.clone() }), None);
    let scale = policy_for(ActionKind::ScaleWorkload, &bounds());
    assert!(denied(&scale, &Request { dry_run: true, ..created }).is_some());
}
