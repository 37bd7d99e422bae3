//! Questions: answered from what is read, cited so that each citation resolves, held to the asker's namespaces,
//! written down, and gone on with.

use std::collections::BTreeSet;
use std::sync::Mutex;

use belay::app::{Inquire, Inquired};
use belay::domain::record::{Record, Said};
use belay::sim::kube::Kind;
use belay::sim::model::{Script, Turn};
use serde_json::json;

use super::house::{House, Wish, body, operator, saturation};

/// A question, what a sensible model reads for it, and what the state of the cluster says.
struct Question {
    asks: String,
    tool: &'static str,
    arguments: serde_json::Value,
    /// All of it stands in what was read.
    facts: Vec<String>,
    /// What a pod logs right before it is asked.
    logs: Option<String>,
}

const DEPLOYMENTS: [&str; 5] = ["web", "checkout", "cart", "payments", "search"];

/// Fifty and more, and their answers by the state of the simulated cluster.
fn questions(house: &House) -> Vec<Question> {
    let ask = |asks: String, tool, arguments, facts| Question { asks, tool, arguments, facts, logs: None };
    let mut all = Vec::new();
    for name in DEPLOYMENTS {
        let seen = house.world.deployment("shop", name).unwrap();
        let listed = json!({ "namespace": "shop", "name_contains": name });
        let ready = format!("{}/{}", seen.ready, seen.replicas);
        all.push(ask(
            format!("how many replicas of {name} are ready?"),
            "kubernetes__list_deployments",
            listed.clone(),
            vec![name.to_owned(), ready],
        ));
        let image = house.world.object(Kind::Deployment, "shop", name).unwrap();
        let image =
            image.pointer("/spec/template/spec/containers/0/image").unwrap().as_str().unwrap().to_owned();
        all.push(ask(
            format!("which image does {name} run?"),
            "kubernetes__get_rollout_history",
            json!({ "namespace": "shop", "name": name }),
            vec![image],
        ));
        let pods = house.world.pods("shop", name);
        let names = pods.iter().map(|pod| pod.name.clone()).collect();
        all.push(ask(format!("which pods has {name}?"), "kubernetes__list_pods", listed, names));
        for pod in pods {
            let listed = json!({ "namespace": "shop", "name_contains": pod.name });
            let state = if pod.ready { "Running" } else { "0/1" };
            all.push(ask(
                format!("is {} well?", pod.name),
                "kubernetes__list_pods",
                listed,
                vec![pod.name.clone(), state.to_owned()],
            ));
            let word = format!("marker-of-{}", pod.name);
            let said = ask(
                format!("what did {} say last?", pod.name),
                "kubernetes__get_pod_logs",
                json!({ "namespace": "shop", "pod": pod.name, "tail": 500 }),
                vec![word],
            );
            all.push(Question { logs: Some(pod.name.clone()), ..said });
            all.push(ask(
                format!("what happened to {}?", pod.name),
                "kubernetes__get_events",
                json!({ "namespace": "shop", "object": pod.name }),
                vec!["no events".to_owned()],
            ));
        }
    }
    all
}

fn inquire(question: &str) -> Inquire {
    Inquire {
        question: question.to_owned(),
        cluster: None,
        namespaces: BTreeSet::from(["shop".to_owned()]),
        incident: None,
        conversation: None,
    }
}

fn answers(text: &str, evidence: &[&str]) -> Turn {
    Turn::call("answer", &json!({ "text": text, "evidence": evidence }).to_string())
}

async fn house(turns: Vec<Turn>) -> House {
    House::open(Wish { model: Some(Script::Turns(turns)), ..Wish::by_hand() }).await
}

impl House {
    async fn asked(&self, inquire: Inquire) -> Inquired {
        self.daemon.inquire(inquire, operator(), &|_| ()).await.unwrap()
    }

    async fn cited(&self, asked: &Inquired, evidence: &str) -> String {
        self.daemon.cited(&asked.conversation, evidence).await.unwrap()
    }
}

/// The state of the cluster is in what each answer cites.
#[tokio::test]
async fn fifty_questions_are_answered_from_what_the_cluster_shows() {
    // one world for the script, and the same for the house: names come from a seed of the world's own
    let house = house(vec![]).await;
    let questions = questions(&house);
    assert!(questions.len() >= 50, "{}", questions.len());
    let model = house.model.as_ref().unwrap();
    for question in &questions {
        model.then([
            Turn::call(question.tool, &question.arguments.to_string()),
            answers(&format!("As read: {}", question.facts.join(", ")), &["t1"]),
        ]);
        if let Some(pod) = &question.logs {
            house.world.say("shop", pod, &format!("INFO {}", question.facts[0]));
        }
        let told = Mutex::new(Vec::new());
        let hear = |line: &str| told.lock().unwrap().push(line.to_owned());
        let asked = house.daemon.inquire(inquire(&question.asks), operator(), &hear).await.unwrap();
        let Said::Answer { evidence, .. } = &asked.said else {
            panic!("{}: {:?}", question.asks, asked.said)
        };
        assert_eq!(evidence.len(), asked.cited.len(), "each citation resolves");
        let whole = house.cited(&asked, "t1").await;
        for fact in &question.facts {
            assert!(whole.contains(fact), "{}: no `{fact}` in\n{whole}", question.asks);
        }
        assert!(told.lock().unwrap()[0].starts_with(question.tool), "{told:?}");
    }
    assert_eq!(model.violations(), Vec::<String>::new());
    assert!(house.world.writes().is_empty(), "nothing is written for a question");
    house.stop().await;
}

#[tokio::test]
async fn what_cannot_be_cited_is_no_answer() {
    let read = || Turn::call("kubernetes__list_pods", r#"{"namespace":"shop"}"#);
    let house = house(vec![
        // cites what it never read, and is corrected once
        answers("all is well", &["t1"]),
        answers("all is well", &["e9"]),
        // words alone are no answer either
        Turn::Say("all is well".into()),
        read(),
        answers("three pods", &["t1"]),
        // the endings of an investigation are not those of a question
        Turn::call("escalate", r#"{"reason":"x"}"#),
        Turn::call("no_action", r#"{"reason":"x"}"#),
    ])
    .await;
    let asked = house.asked(inquire("is all well?")).await;
    assert!(matches!(&asked.said, Said::Nothing { why } if why.contains("erred again")), "{:?}", asked.said);
    let asked = house.asked(inquire("is all well?")).await;
    assert!(matches!(&asked.said, Said::Answer { text, .. } if text == "three pods"), "{:?}", asked.said);
    let asked = house.asked(inquire("is all well?")).await;
    assert!(matches!(&asked.said, Said::Nothing { .. }), "{:?}", asked.said);
    house.stop().await;
}

#[tokio::test]
async fn whoever_may_see_one_namespace_reads_that_one_only() {
    let read =
        |namespace: &str| Turn::call("kubernetes__list_pods", &json!({ "namespace": namespace }).to_string());
    let house = house(vec![
        read("kube-system"),
        read("shop"),
        answers("pods", &["t1"]),
        Turn::call("only_reads", r#"{"reason":"restart web"}"#),
        Turn::call("cannot_tell", r#"{"reason":"no logs of the load balancer"}"#),
    ])
    .await;
    let asked = house.asked(inquire("what runs here?")).await;
    assert!(matches!(&asked.said, Said::Answer { .. }), "{:?}", asked.said);
    let seen = house.model.as_ref().unwrap().seen();
    let refused = seen[1]["messages"].to_string();
    assert!(refused.contains("not allowed") && refused.contains("one of these: shop"), "{refused}");
    assert!(house.cited(&asked, "t1").await.contains("web-"));
    let asked = house.asked(inquire("restart web!")).await;
    assert!(matches!(&asked.said, Said::OnlyReads { reason } if reason == "restart web"));
    let asked = house.asked(inquire("who is the caller?")).await;
    assert!(matches!(&asked.said, Said::CannotTell { .. }));
    assert!(house.world.writes().is_empty());
    house.stop().await;
}

/// A conversation is what the journal says of it, with the question before and its answer, and it stays about what
/// it began with.
#[tokio::test]
async fn a_conversation_goes_on_and_is_written_down() {
    let read = || Turn::call("kubernetes__list_pods", r#"{"namespace":"shop"}"#);
    let house =
        house(vec![read(), answers("three pods of web", &["t1"]), read(), answers("none", &["t1"])]).await;
    let first = house.asked(inquire("how many pods has web? key AKIAIOSFODNN7EXAMPLE")).await;
    let on = |question: &str| Inquire {
        namespaces: BTreeSet::new(),
        conversation: Some(first.conversation.clone()),
        ..inquire(question)
    };
    let second = house.asked(on("and which of them restart?")).await;
    assert_eq!(second.conversation, first.conversation);
    let sent = house.model.as_ref().unwrap().seen().pop().unwrap()["messages"].to_string();
    assert!(sent.contains("how many pods has web?") && sent.contains("three pods of web"), "{sent}");
    assert!(!sent.contains("AKIAIOSFODNN7EXAMPLE"), "{sent}");
    let records = house.records(&first.conversation).await;
    let [Record::Inquired(one), Record::Inquired(two)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&one.by, &one.namespaces), (&operator(), &two.namespaces));
    assert!(one.minutes.as_ref().is_some_and(|m| m.usage.total() > 0), "{one:?}");
    let wider = Inquire { namespaces: BTreeSet::from(["kube-system".to_owned()]), ..on("and there?") };
    let why = house.daemon.inquire(wider, operator(), &|_| ()).await.unwrap_err();
    assert!(why.contains("goes on about what it began with"), "{why}");
    for name in ["inquiry-0", "daemon", "intake", ""] {
        let unknown = Inquire { conversation: Some(name.to_owned()), ..on("and?") };
        let why = house.daemon.inquire(unknown, operator(), &|_| ()).await.unwrap_err();
        assert!(why.contains("there is no conversation"), "{why}");
    }
    house.stop().await;
}

/// About an incident: what was found about it is the context, may be cited, and the answer changes nothing of it.
#[tokio::test]
async fn a_question_about_an_incident_has_it_as_context() {
    let house =
        house(vec![Turn::Escalate("a person should look".into()), answers("it is saturated", &["e1"])]).await;
    house.surge();
    house.deliver(body(&[saturation("checkout", "2026-11-21T01:50:00Z", None)])).await;
    let state = house.find("a person is called", "checkout", |s| !s.escalations.is_empty()).await;
    let about = Inquire { incident: Some(state.id.to_string()), ..inquire("why is checkout slow?") };
    // whoever may not see its namespace is told nothing of it, and no model is asked
    let other = Inquire { namespaces: BTreeSet::from(["till".to_owned()]), ..about.clone() };
    let why = house.daemon.inquire(other, operator(), &|_| ()).await.unwrap_err();
    assert!(why.contains("not about a namespace that may be read"), "{why}");
    let asked = house.asked(about).await;
    assert!(matches!(&asked.said, Said::Answer { .. }), "{:?}", asked.said);
    assert_eq!(asked.cited[0].id.as_str(), "e1");
    assert!(house.cited(&asked, "e1").await.contains("checkout"));
    let why = house.daemon.cited(&asked.conversation, "e99").await.unwrap_err();
    assert!(why.contains("nothing was read as `e99`"), "{why}");
    let sent = house.model.as_ref().unwrap().seen().pop().unwrap()["messages"].to_string();
    assert!(sent.contains("CPUSaturation") && sent.contains("why is checkout slow?"), "{sent}");
    let own = house.entries(&state.id).await;
    assert!(
        !own.iter().any(|e| matches!(e.record, Record::Inquired(_))),
        "its own stream says nothing of it"
    );
    assert!(house.effects().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn without_a_model_it_says_what_to_do() {
    let house = House::open(Wish::by_hand()).await;
    let why = house.daemon.inquire(inquire("why?"), operator(), &|_| ()).await.unwrap_err();
    assert!(why.contains("no model is configured"), "{why}");
    house.stop().await;
}
