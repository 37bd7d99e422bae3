//! The incidents server on a whole daemon: what it tells, and what becomes of proposals. Nothing that comes in there is done
//! before a person approves it.

use std::sync::Arc;
use std::time::Duration;

use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::domain::action::ActionKind;
use belay::domain::decision::{Asked, Decided, Outcome};
use belay::domain::ids::CandidateId;
use belay::domain::plan::Refusal;
use belay::domain::record::{Answer, Ask, Record, Suggestion};
use belay::domain::target::Named;
use belay::incident::{Effect, Input, Phase, State};
use belay::servers::incidents::{IncidentsServer, TOOLS};
use belay::servers::kit::Scope;
use belay::sim::model::{Script, Turn};
use serde_json::{Value, json};

use crate::e2e::house::{House, Wish, body, crash_loop};
use crate::given;
use crate::incident::Life;

const STARTS: &str = "2026-11-21T01:50:00Z";

fn suggestion(action: ActionKind, target: Named) -> Suggestion {
    Suggestion { by: "agent".into(), action, target, why: "try it".into(), candidate: None, queued: false }
}

fn restart() -> Input {
    Input::Suggested(suggestion(ActionKind::RestartPod, given::pod().named))
}

/// An incident with one candidate, which a person has.
fn escalated() -> Life {
    let mut life = Life::opened();
    life.give(Input::Diagnosed(Box::new(given::diagnosis(given::restart())))).unwrap();
    let choice = belay::domain::record::Choice {
        conclusion: belay::domain::record::Conclusion::Escalate,
        ..given::choice()
    };
    life.give(Input::Chosen(choice)).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
    life
}

fn decided(life: &Life, asked: Asked, outcome: Outcome) -> Input {
    let plan = (asked == Asked::Plan).then(|| life.state.plan.clone().unwrap());
    let question = given::question(asked, given::restart(), plan, life.now);
    Input::Decided {
        decided: Box::new(Decided { question, decision: given::decision(outcome) }),
        cleared: false,
    }
}

fn pages(life: &Life) -> usize {
    life.effects().iter().filter(|effect| matches!(effect, Effect::Page { .. })).count()
}

#[test]
fn a_candidate_goes_the_ordinary_way_and_a_person_is_asked() {
    let mut life = escalated();
    life.give(restart()).unwrap();
    let c1 = CandidateId::new("c1");
    assert_eq!(life.state.phase, Phase::Deciding(c1.clone()));
    assert_eq!(life.effects()[0], &Effect::Decide { candidate: c1.clone() });
    assert_eq!(life.state.outside(), Some("agent"));
    life.give(decided(&life.clone(), Asked::Candidate, Outcome::Ask)).unwrap();
    let plan = given::plan(given::restart(), life.now);
    life.give(Input::Planned { candidate: c1, result: Ok(Box::new(plan)), kept: None }).unwrap();
    life.give(decided(&life.clone(), Asked::Plan, Outcome::Ask)).unwrap();
    assert_eq!(
        (life.state.phase.clone(), life.state.question.as_ref().unwrap().question.ask),
        (Phase::Approving, Ask::Approve)
    );
    // a person says no to the proposal: the incident stays theirs, nobody is called once more, and it is not taken again
    let no = life.answer(Answer::Reject { reason: "no".into() });
    life.give(no).unwrap();
    assert_eq!((life.state.phase.clone(), pages(&life)), (Phase::Escalated, 0));
    assert!(life.state.acts.is_empty());
    assert!(life.give(restart()).unwrap_err().to_string().contains("proposed the same before"));
}

#[test]
fn what_policy_or_the_world_refuses_leaves_the_incident_with_its_person() {
    for outcome in [Outcome::Drop, Outcome::Notify, Outcome::Escalate] {
        let mut life = escalated();
        life.give(restart()).unwrap();
        life.give(decided(&life.clone(), Asked::Candidate, outcome)).unwrap();
        assert_eq!((life.state.phase.clone(), pages(&life)), (Phase::Escalated, 0), "{outcome:?}");
    }
    for refusal in
        [Refusal::NothingToDo("well".into()), Refusal::Changed { object: "x".into(), detail: "y".into() }]
    {
        let mut life = escalated();
        life.give(restart()).unwrap();
        life.give(decided(&life.clone(), Asked::Candidate, Outcome::Ask)).unwrap();
        let result = Err(refusal.clone());
        life.give(Input::Planned { candidate: CandidateId::new("c1"), result, kept: None }).unwrap();
        assert_eq!((life.state.phase.clone(), pages(&life)), (Phase::Escalated, 0), "{refusal:?}");
        assert!(!life.effects().contains(&&Effect::Look), "belay does not set itself going again");
    }
}

#[test]
fn an_idea_outside_the_candidates_is_noted_and_never_decided() {
    let other = Named { name: "other".into(), ..given::pod().named };
    let ideas = [
        suggestion(ActionKind::RestartPod, other),
        suggestion(ActionKind::CordonNode, given::pod().named),
        suggestion(ActionKind::RestartWorkload, given::pod().named),
    ];
    let mut life = escalated();
    for idea in ideas {
        // a caller's own word about the candidate counts for nothing
        let idea = Suggestion { candidate: Some(CandidateId::new("c1")), queued: true, ..idea };
        life.give(Input::Suggested(idea)).unwrap();
        assert_eq!(life.state.phase, Phase::Escalated);
        assert_eq!(life.effects(), [&Effect::Publish]);
        let last = life.state.suggestions.last().unwrap();
        assert_eq!((&last.candidate, last.queued), (&None, false));
    }
    // and no more than a handful of them
    for n in 0..3 {
        let target = Named { name: format!("web-{n}"), ..given::pod().named };
        life.give(Input::Suggested(suggestion(ActionKind::RestartPod, target))).unwrap();
    }
    assert!(life.give(restart()).unwrap_err().to_string().contains("takes no more"));
}

#[test]
fn before_a_person_has_it_a_proposal_is_only_noted() {
    let mut life = Life::opened();
    life.give(restart()).unwrap();
    assert_eq!(life.state.phase, Phase::Looking);
    let mut life = Life::planned(given::restart(), Outcome::Act);
    let phase = life.state.phase.clone();
    life.give(restart()).unwrap();
    assert_eq!((life.state.phase.clone(), life.state.outside()), (phase, None));
    // automation that stands down for good stays so
    let mut life = Life::planned(given::restart(), Outcome::Ask);
    let hand_over = life.answer(Answer::HandOver);
    life.give(hand_over).unwrap();
    assert!(life.state.hands_off);
    life.give(restart()).unwrap();
    assert_eq!(life.state.phase, Phase::Escalated);
}

struct Bench(InProcess);

impl Bench {
    async fn new(house: &House, allowed: &[&str]) -> Self {
        let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
        let server = IncidentsServer::new(Arc::new(house.daemon.clone()), scope, "agent <b>of</b> rob");
        Self(connect_in_process(server).await.unwrap())
    }

    async fn call(&self, tool: &str, arguments: Value) -> (bool, String, Value) {
        let Value::Object(arguments) = arguments else { panic!() };
        let result = self.0.client.call(tool, arguments, Duration::from_secs(20)).await.unwrap();
        let text = result.content[0].as_text().unwrap().text.clone();
        (result.is_error == Some(true), text, result.structured_content.unwrap_or_default())
    }
}

fn namespace(state: &State) -> String {
    state.owner.as_ref().unwrap().0.named.namespace.clone()
}

#[tokio::test]
async fn an_outside_agent_reads_proposes_and_a_person_approves() {
    let script = Script::Turns(vec![Turn::Escalate("a person should look".into())]);
    let house = House::open(Wish { model: Some(script), speed: 40.0, ..Wish::by_hand() }).await;
    let pod = house.leak("web").await;
    assert_eq!(house.deliver(body(&[crash_loop(&pod.name, STARTS, None)])).await, 200);
    let state = house.phase("web", |p| *p == Phase::Escalated).await;
    let (id, there) = (state.id.to_string(), namespace(&state));
    let bench = Bench::new(&house, &[]).await;
    let of = |namespace: &str| json!({ "namespace": namespace, "incident": id });

    let (_, text, view) = bench.call("list_incidents", json!({ "namespace": there })).await;
    assert_eq!(view["incidents"][0]["incident"], id.as_str(), "{text}");
    let (_, text, view) = bench.call("get_incident", of(&there)).await;
    assert_eq!(view["takes_proposals"], true, "{text}");
    assert!(text.contains("opened the incident") && text.contains("restart_pod of Pod"), "{text}");
    let (_, similar, _) = bench.call("similar_incidents", of(&there)).await;
    assert_eq!(similar, "- nothing like it is remembered");
    let (_, draft, _) = bench.call("draft_post_mortem", of(&there)).await;
    assert!(draft.starts_with("# Post-mortem (draft)") && draft.contains("## Timeline"), "{draft}");
    assert_eq!(bench.call("draft_post_mortem", of(&there)).await.1, draft, "the same facts, the same text");

    // of an incident elsewhere nothing is told, not even that it is there
    let (failed, told, _) = bench.call("get_incident", of("elsewhere")).await;
    assert!(failed && told.contains("there is no incident"), "{told}");
    let narrow = Bench::new(&house, &["other"]).await;
    assert!(narrow.call("get_incident", of(&there)).await.1.contains("is not allowed"));

    let target = state.diagnosis.as_ref().unwrap().candidates[0].action.clone();
    let named = target.target().named.clone();
    let proposal = |action: &str, name: &str| {
        json!({ "namespace": there, "incident": id, "action": action, "kind": named.kind.name(), "name": name,
            "why": "it leaks *again* <script>" })
    };
    let (failed, told, _) = bench.call("propose_action", proposal("rm_rf", &named.name)).await;
    assert!(failed && told.contains("does not know"), "{told}");
    let (_, told, view) = bench.call("propose_action", proposal("restart_pod", "somebody-elses")).await;
    assert_eq!((&view["noted"], &view["queued"]), (&json!(true), &json!(false)), "{told}");
    assert!(told.contains("cannot be approved here"), "{told}");
    assert_eq!(house.effects().len(), 0);

    let (_, told, view) = bench.call("propose_action", proposal(target.kind().name(), &named.name)).await;
    assert_eq!((&view["noted"], &view["queued"]), (&json!(true), &json!(true)), "{told}");
    // the grant is at level 3, where belay acts first: what comes from outside is asked about all the same
    let state = house.phase("web", |p| *p == Phase::Approving).await;
    assert_eq!(house.effects().len(), 0, "nothing is done before a person approves");
    let decided = state.decided.as_ref().unwrap();
    assert!(decided.decision.reasons.iter().any(|reason| reason.code == "proposed/outside"), "{decided:?}");
    let views = house.people.views.lock().unwrap().iter().map(|view| format!("{view:?}")).collect::<Vec<_>>();
    assert!(views.iter().any(|view| view.contains("What others proposed")), "people see it");

    house.answer(&state, Answer::Approve).await;
    // it helped, and a person wanted it: there is nothing left to ask
    house.phase("web", |p| *p == Phase::Closed).await;
    let records = house.records(&id).await;
    let order = |wanted: fn(&Record) -> bool| records.iter().position(wanted).unwrap();
    let suggested = order(|r| matches!(r, Record::Suggested(s) if s.queued));
    let approved = order(|r| matches!(r, Record::Answered { answer: Answer::Approve, .. }));
    let intended = order(|r| matches!(r, Record::Intended(_)));
    assert!(suggested < approved && approved < intended);
    house.stop().await;
}

#[tokio::test]
async fn the_tools_are_as_they_are_listed() {
    let house = House::open(Wish::by_hand()).await;
    let bench = Bench::new(&house, &[]).await;
    let tools = bench.0.client.tools(Duration::from_secs(20)).await.unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let mut listed = TOOLS.to_vec();
    names.sort_unstable();
    listed.sort_unstable();
    assert_eq!(names, listed);
    house.stop().await;
}
