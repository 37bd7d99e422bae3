//! What a template comes down to: a plan that a person can read, one Job for one intent, its undo once, and
//! nothing that another text of the template would do.

use belay::domain::action::job::{self, LiveJob};
use belay::domain::action::live::LiveAbout;
use belay::domain::action::{Action, Class, Reversibility, Risk};
use belay::domain::canonical::Hash;
use belay::domain::ids::IntentId;
use belay::domain::plan::{Direction, Plan, Refusal, Undo};
use belay::domain::target::{Kind, RootOwner};
use belay::domain::warrant::{Applied, Progress};
use belay::ports::actions::Actions as _;
use jiff::Timestamp;

use super::{off, requeue, templates};
use crate::hands::world::{Bench, deployment, object, owner, start};

fn live() -> LiveAbout {
    let web = object(Kind::Deployment, "web", "u-web");
    LiveAbout { owner: RootOwner(web.clone()), object: web }
}

fn now() -> Timestamp {
    start()
}

fn planned(action: &Action) -> Plan {
    job::plan(Some(&live()), action, &templates(), now()).unwrap()
}

#[test]
fn a_person_sees_where_as_whom_and_what_runs_with_what() {
    let plan = planned(&requeue(&live().object));
    let shown: Vec<String> =
        plan.changes.iter().map(|c| format!("{} {}", c.path, c.to.as_deref().unwrap_or("-"))).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    /metadata/namespace "shop"
    /spec/template/spec/serviceAccountName "requeue"
    /spec/template/spec/containers/0/image "registry.example/shop/queue-tools:4.2"
    /spec/template/spec/containers/0/command ["/bin/requeue-dead-letters"]
    /spec/template/spec/containers/0/env [{"name":"BELAY_PARAM_CONSUMER","value":"web"},{"name":"BELAY_PARAM_MOST","value":"1000"},{"name":"BELAY_PARAM_QUEUE","value":"orders"},{"name":"QUEUE_URL","valueFrom":{"secretKeyRef":{"key":"url","name":"queue-tools"}}}]
    /spec/activeDeadlineSeconds 300
    "#);
    assert_eq!(plan.class, Class { undo: Reversibility::None, risk: Risk::Medium });
    assert!(!plan.revertible() && plan.note.as_ref().unwrap().contains("puts the dead letters"));
    let plan = planned(&off(&live().object));
    assert!(plan.revertible());
    let Undo::Job { runs } = &plan.undo else { panic!("{:?}", plan.undo) };
    assert_eq!(runs, "`registry.example/shop/flags:1.9` with `/bin/flags set recommendations on`");
}

#[test]
fn the_job_is_complete_but_for_the_intent() {
    let plan = planned(&requeue(&live().object));
    let order = job::order(&plan, Some(&live()), &templates()).unwrap();
    let (body, again) = (order.body("zjyc43vm-1"), order.body("zjyc43vm-1"));
    assert_eq!(body, again, "asked for again, it is the same Job");
    assert_ne!(body["metadata"]["name"], order.body("zjyc43vm-2")["metadata"]["name"]);
    let name = body["metadata"]["name"].as_str().unwrap();
    assert!(name.len() <= 63 && belay::domain::target::is_dns_label(name), "{name}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
}

#[test]
fn no_value_names_another_variable() {
    let mut action = off(&live().object);
    let Action::RunJob { parameters, .. } = &mut action else { panic!() };
    parameters.insert("queue".into(), "orders".into());
    let why = job::plan(Some(&live()), &action, &templates(), now()).unwrap_err();
    assert!(why.to_string().contains("there is no parameter `queue`"), "{why}");
    let mut action = requeue(&live().object);
    let Action::RunJob { parameters, .. } = &mut action else { panic!() };
    parameters.insert("consumer".into(), "$(QUEUE_URL)".into());
    let plan = planned(&action);
    let body = job::order(&plan, Some(&live()), &templates()).unwrap().body("inc-0");
    let env = &body["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env[0]["name"], "BELAY_PARAM_CONSUMER");
    assert_eq!(env[0]["value"], "$$(QUEUE_URL)", "Kubernetes puts nothing in its place");
    assert_eq!(env[3]["name"], "QUEUE_URL", "the parameters come first");
}

#[test]
fn what_does_not_fit_the_template_is_refused() {
    let change = |with: fn(&mut Action)| {
        let mut action = requeue(&live().object);
        with(&mut action);
        job::plan(Some(&live()), &action, &templates(), now()).unwrap_err().to_string()
    };
    for (with, said) in [
        (
            (|a| set(a, |t, _, _, _| *t = "other".into())) as fn(&mut Action),
            "it knows no job template `other`",
        ),
        (|a| set(a, |_, h, _, _| *h = Hash::of(b"x")), "is another one"),
        (|a| set(a, |_, _, c, _| c.risk = Risk::Low), "declares another class"),
        (|a| set(a, |_, _, _, p| drop(p.remove("queue"))), "the parameter `queue` is missing"),
        (|a| set(a, |_, _, _, p| drop(p.insert("queue".into(), "../x".into()))), "does not match"),
        (
            |a| set(a, |_, _, _, p| drop(p.insert("most".into(), "2000".into()))),
            "none of those that its schema lists",
        ),
    ] {
        let told = change(with);
        assert!(told.contains(said), "{told}");
    }
    // on what it is not about
    let mut plan = planned(&requeue(&live().object));
    let pod = object(Kind::Pod, "web-x", "u-pod");
    let mut action = plan.action.clone();
    let Action::RunJob { about, .. } = &mut action else { panic!() };
    *about = pod.clone();
    let found = LiveAbout { owner: RootOwner(pod.clone()), object: pod };
    let why = job::plan(Some(&found), &action, &templates(), now()).unwrap_err();
    assert!(why.to_string().contains("is not about a Pod"), "{why}");
    // a plan that somebody else wrote
    plan.changes[2].to = Some("\"registry.example/evil:1\"".into());
    let why = job::order(&plan, Some(&live()), &templates()).unwrap_err();
    assert!(why.to_string().contains("not what its template comes down to"), "{why}");
}

fn set(action: &mut Action, with: fn(&mut String, &mut Hash, &mut Class, &mut Parameters)) {
    let Action::RunJob { template, hash, declared, parameters, .. } = action else { panic!() };
    with(template, hash, declared, parameters);
}

type Parameters = std::collections::BTreeMap<String, String>;

fn as_job(name: &str, intent: &str, progress: Progress) -> LiveJob {
    LiveJob { name: name.into(), intent: Some(intent.into()), progress }
}

#[test]
fn an_undo_waits_for_the_end_and_is_run_once() {
    let (done, intent) = (planned(&off(&live().object)), IntentId::new("inc-0"));
    let (_, name) = job::seen_as(&done, &intent).unwrap();
    let revert = |jobs: (Option<&LiveJob>, Option<&LiveJob>)| {
        job::plan_revert(Some(&live()), jobs, (&done, &intent), &templates(), now())
    };
    let complete = as_job(&name, "inc-0", Progress::Complete { at: None });
    let failed = as_job(&name, "inc-0", Progress::Failed { why: "x".into() });
    for ended in [&complete, &failed] {
        let back = revert((Some(ended), None)).unwrap();
        assert_eq!((back.direction, back.revertible()), (Direction::Revert, false));
        let body = job::order(&back, Some(&live()), &templates()).unwrap().body("inc-1");
        assert_eq!(body["metadata"]["name"], format!("{name}-undo"));
        assert_eq!(body["spec"]["template"]["spec"]["containers"][0]["args"][0], "on");
        assert_eq!(body["metadata"]["annotations"]["belay.dev/intent"], "inc-1");
    }
    for (jobs, said) in [
        ((None, None), "its Job is not there any more"),
        ((Some(&as_job(&name, "inc-0", Progress::Running)), None), "still runs"),
        ((Some(&as_job(&name, "inc-9", Progress::Running)), None), "does not carry the intent"),
        ((Some(&complete), Some(&as_job("u", "inc-1", Progress::Running))), "its undo was run before"),
    ] {
        let why = revert(jobs).unwrap_err();
        assert!(matches!(why, Refusal::Changed { .. }) && why.to_string().contains(said), "{why}");
    }
    // what declares none has none
    let done = planned(&requeue(&live().object));
    let why = job::plan_revert(Some(&live()), (Some(&complete), None), (&done, &intent), &templates(), now());
    assert!(matches!(why, Err(Refusal::NothingToDo(_))), "{why:?}");
}

#[tokio::test]
async fn an_action_server_with_another_text_refuses() {
    let bench = Bench::new().await;
    let mut action = requeue(&deployment().object);
    bench.actions().plan(&action, &owner()).await.unwrap().unwrap();
    let Action::RunJob { hash, .. } = &mut action else { panic!() };
    *hash = Hash::of(b"another text");
    let why = bench.actions().plan(&action, &owner()).await.unwrap().unwrap_err();
    assert!(matches!(&why, Refusal::Limit(text) if text.contains("its text of job template")), "{why:?}");
    assert!(bench.hand.world().sent.is_empty());
}

#[tokio::test]
async fn a_name_that_another_intent_has_is_not_taken_for_ours() {
    let bench = Bench::new().await;
    let plan = bench.actions().plan(&requeue(&deployment().object), &owner()).await.unwrap().unwrap();
    let (_, name) = job::seen_as(&plan, &IntentId::new("inc-0")).unwrap();
    let theirs = as_job(&name, "inc-7", Progress::Running);
    bench.hand.world().jobs.insert(name, theirs);
    let applied = bench.actions().apply(&plan, &bench.warrant(&plan, "w1", "inc-0")).await.unwrap();
    let Applied::Refused { refusal: Refusal::Changed { detail, .. } } = applied else {
        panic!("{applied:?}")
    };
    assert!(detail.contains("carries the intent `inc-7`"), "{detail}");
    assert!(bench.hand.world().effects.is_empty());
}
