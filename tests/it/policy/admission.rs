//! The admission policy that is generated from a set: pinned, deterministic, and its expressions parse.

use belay::policy::{Bounds, admission, draft, stop};
use serde_json::Value;

use super::{BASE, edited};

fn bounds() -> Bounds {
    Bounds {
        identity: "system:serviceaccount:belay:belay-actions".to_owned(),
        cluster: None,
        namespaces: Vec::new(),
        max_replicas: 20,
        max_replica_delta: 5,
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
    assert!(text.contains("variables.what in ['mark', 'evict', 'rehearse', 'scale']"), "{text}");
    // a grant on trial writes nothing
    let trial = edited(&[("- id: scale\n", "- id: scale\n      mode: shadow\n")]);
    assert!(!made(&trial, &bounds()).contains("'scale'"));
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
    assert!(all.contains("'scale'") && !fewer.contains("'scale'"), "{fewer}");
}
