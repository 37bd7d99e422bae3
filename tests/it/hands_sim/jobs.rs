//! Jobs against the simulated API server: each run once for one intent, told as far as it is, put back by the
//! declared undo once, and never what somebody else made.

use belay::domain::action::job;
use belay::domain::ids::IntentId;
use belay::domain::plan::{Direction, Plan, Refusal};
use belay::domain::target::Kind as K;
use belay::domain::warrant::{Applied, Progress};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{Behaviour, Kind, Verb};
use serde_json::{Value, json};

use super::{JOBS, Stage, done, refusal};
use crate::jobs::{off, requeue};
use crate::sim::contract::{data, recorded_for, shape};

const FLAGS: &str = "registry.example/shop/flags:1.9";

fn jobs(stage: &Stage) -> Vec<Value> {
    stage.world().objects(Kind::Job, "shop")
}

fn name_of(plan: &Plan, intent: &str) -> String {
    job::seen_as(plan, &IntentId::new(intent)).unwrap().1
}

async fn progress(stage: &Stage, plan: &Plan, intent: &str) -> Option<Progress> {
    match stage.status(plan, intent).await {
        Applied::Done { progress, .. } => progress,
        other => panic!("{other:?}"),
    }
}

fn ended(stage: &Stage) -> bool {
    jobs(stage).iter().all(|job| job["status"].get("conditions").is_some())
}

#[tokio::test]
async fn a_job_is_made_once_and_told_as_far_as_it_is() {
    let stage = Stage::with(K::Deployment).await;
    let plan = stage.plan(&requeue(&stage.web())).await;
    assert!(jobs(&stage).is_empty() && stage.world().writes().iter().all(|write| write.dry_run));
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let made = jobs(&stage);
    let [made] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!(made["metadata"]["name"], name_of(&plan, "inc-0"));
    assert_eq!(made["metadata"]["annotations"]["belay.dev/intent"], "inc-0");
    assert_eq!(made["metadata"]["annotations"]["belay.dev/about"], "Deployment/shop/web");
    assert_eq!(made["spec"]["backoffLimit"], 0);
    assert_eq!(made["spec"]["activeDeadlineSeconds"], 300);
    assert_eq!(made["spec"]["template"]["spec"]["serviceAccountName"], "requeue");
    assert_eq!(stage.writes()[0].user_agent.split_once(' ').unwrap().1, "intent/inc-0");
    assert_eq!(progress(&stage, &plan, "inc-0").await, Some(Progress::Running));
    stage.until(ended);
    assert!(matches!(progress(&stage, &plan, "inc-0").await, Some(Progress::Complete { at: Some(_) })));
    // what stayed long enough goes, and is still known to have been done
    stage.served.clock.advance(crate::sim::seconds(86_500));
    assert!(jobs(&stage).is_empty());
    let gone = stage.status(&plan, "inc-0").await;
    assert!(
        matches!(&gone, Applied::Done { changed: Some(why), progress: None, .. } if why.contains("not there any more")),
        "{gone:?}"
    );
    assert!(done(&stage.apply(&plan, "inc-0").await), "told, and not made again");
    assert!(jobs(&stage).is_empty());
}

#[tokio::test]
async fn a_job_that_fails_or_hangs_is_told_as_such() {
    let failing = Behaviour::CrashAtStart { exit_code: 3, log: "no".into() };
    for (behaviour, said) in [(failing, "BackoffLimitExceeded"), (Behaviour::NeverReady, "DeadlineExceeded")]
    {
        let stage = Stage::with(K::Deployment).await;
        stage.world().behave_image(FLAGS, behaviour);
        let plan = stage.plan(&off(&stage.web())).await;
        assert!(done(&stage.apply(&plan, "inc-0").await));
        assert_eq!(progress(&stage, &plan, "inc-0").await, Some(Progress::Running));
        stage.until(ended);
        let Some(Progress::Failed { why }) = progress(&stage, &plan, "inc-0").await else { panic!("{said}") };
        assert!(why.contains(said), "{why}");
        // what it did before it failed can be put back
        assert_eq!(stage.try_revert(&plan, "inc-0").await.unwrap().direction, Direction::Revert);
    }
}

#[tokio::test]
async fn there_and_back_once() {
    let mut stage = Stage::with(K::Deployment).await;
    let plan = stage.plan(&off(&stage.web())).await;
    assert!(done(&stage.apply(&plan, "inc-0").await));
    let why = stage.try_revert(&plan, "inc-0").await.unwrap_err();
    assert!(why.to_string().contains("still runs"), "{why}");
    stage.until(ended);
    let (back, again) =
        (stage.try_revert(&plan, "inc-0").await.unwrap(), stage.try_revert(&plan, "inc-0").await);
    assert_eq!(back.direction, Direction::Revert);
    assert_eq!(back.changes, again.unwrap().changes);
    // the answer is lost, and the server dies
    stage.fault(Rule::on(Verb::Create, JOBS, Effect::DropAnswer).dry_run(false));
    assert!(done(&stage.apply(&back, "inc-1").await));
    stage.restart().await;
    assert!(done(&stage.apply(&back, "inc-1").await));
    assert_eq!((stage.effects("inc-1"), jobs(&stage).len()), (1, 2));
    let undo = jobs(&stage)
        .into_iter()
        .find(|job| job["metadata"]["name"] == format!("{}-undo", name_of(&plan, "inc-0")));
    assert_eq!(undo.unwrap()["spec"]["template"]["spec"]["containers"][0]["args"], json!(["on"]));
    stage.until(ended);
    assert!(matches!(progress(&stage, &back, "inc-1").await, Some(Progress::Complete { .. })));
    // once: neither planned again nor run again by whoever planned it before
    let why = stage.try_revert(&plan, "inc-0").await.unwrap_err();
    assert!(
        matches!(&why, Refusal::Changed { detail, .. } if detail.contains("its undo was run before")),
        "{why}"
    );
    let why = refusal(stage.apply(&back, "inc-2").await);
    assert!(
        matches!(&why, Refusal::Changed { detail, .. } if detail.contains("carries the intent `inc-1`")),
        "{why}"
    );
    assert_eq!(jobs(&stage).len(), 2);
    let why = stage.try_revert(&back, "inc-1").await.unwrap_err();
    assert!(matches!(why, Refusal::NothingToDo(_)), "an undo has no undo: {why}");
}

#[tokio::test]
async fn a_person_who_takes_the_job_away_or_makes_one_of_its_name_is_not_overruled() {
    let stage = Stage::with(K::Deployment).await;
    let plan = stage.plan(&off(&stage.web())).await;
    let name = name_of(&plan, "inc-0");
    let theirs = json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": { "template": {} } });
    // there before, and right before the write
    stage.world().edit(|objects| objects.insert(Kind::Job, theirs.clone()));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(&why, Refusal::Changed { detail, .. } if detail.contains("carries no intent")), "{why}");
    assert_eq!(stage.effects("inc-0"), 0);
    let stage = Stage::with(K::Deployment).await;
    let plan = stage.plan(&off(&stage.web())).await;
    let made: belay::sim::kube::faults::Edit =
        Box::new(move |objects| drop(objects.insert(Kind::Job, theirs.clone())));
    stage.fault(Rule::on(Verb::Create, JOBS, Effect::Edit(made)).dry_run(false));
    let why = refusal(stage.apply(&plan, "inc-0").await);
    assert!(matches!(why, Refusal::Changed { .. }), "{why}");
    assert_eq!((stage.effects("inc-0"), jobs(&stage).len()), (0, 1));
    // taken away after it was made: done, and not made again, nor put back
    let stage = Stage::with(K::Deployment).await;
    let plan = stage.plan(&off(&stage.web())).await;
    assert!(done(&stage.apply(&plan, "inc-0").await));
    stage.world().edit(|objects| objects.remove(Kind::Job, "shop", &name_of(&plan, "inc-0"))).unwrap();
    assert!(done(&stage.apply(&plan, "inc-0").await));
    assert_eq!(progress(&stage, &plan, "inc-0").await, None);
    let why = stage.try_revert(&plan, "inc-0").await.unwrap_err();
    assert!(why.to_string().contains("nothing shows what there is to put back"), "{why}");
    assert_eq!((stage.effects("inc-0"), jobs(&stage).len()), (1, 0));
}

#[tokio::test]
async fn what_the_api_server_would_not_take_is_refused_when_it_is_planned() {
    let stage = Stage::with(K::Deployment).await;
    let denied = Effect::Fail(403, "exceeded quota: jobs".into());
    stage.fault(Rule::on(Verb::Create, JOBS, denied).dry_run(true));
    let why = stage.try_plan(&off(&stage.web())).await.unwrap_err();
    assert!(
        matches!(&why, Refusal::Api(text) if text.contains("making the Job would fail") && text.contains("quota")),
        "{why}"
    );
    assert!(stage.writes().is_empty());
    // the sim takes no Job that a real one would not
    let job = json!({
        "metadata": { "name": "x" },
        "spec": { "template": { "spec": { "containers": [{ "name": "a", "image": "a" }] } } },
    });
    let (code, said) = stage.served.send("POST", JOBS, Some(("application/json", job.clone()))).await;
    assert_eq!(code, 422);
    assert!(said.to_string().contains("spec.template.spec.restartPolicy: Required value"), "{said}");
    let mut good = job;
    good["spec"]["template"]["spec"]["restartPolicy"] = "Never".into();
    assert_eq!(stage.served.send("POST", JOBS, Some(("application/json", good.clone()))).await.0, 201);
    let (code, said) = stage.served.send("POST", JOBS, Some(("application/json", good))).await;
    let recorded = recorded_for("http-exists-409.txt", &[("recommendations-off-035b5c0b1670", "x")]);
    assert_eq!((code, said), recorded);
}

/// The ends of Jobs as 1.36 told them.
#[tokio::test]
async fn a_job_ends_as_in_the_recording() {
    let ends = data("jobs.json");
    for (behaviour, end) in [(Behaviour::Healthy, "complete"), (Behaviour::NeverReady, "failed")] {
        let stage = Stage::with(K::Deployment).await;
        stage.world().behave_image(FLAGS, behaviour);
        let plan = stage.plan(&off(&stage.web())).await;
        assert!(done(&stage.apply(&plan, "inc-0").await));
        stage.until(ended);
        let (job, recorded) = (jobs(&stage).remove(0), &ends[end]);
        let told = |job: &Value| -> Vec<Value> {
            let conditions = job["status"]["conditions"].as_array().unwrap();
            conditions
                .iter()
                .map(|one| json!([one["type"], one["status"], one["reason"], one["message"]]))
                .collect()
        };
        assert_eq!(told(&job), told(recorded));
        assert_eq!(shape(&job["status"]), shape(&recorded["status"]), "{end}");
        for field in [
            "backoffLimit",
            "completionMode",
            "completions",
            "parallelism",
            "podReplacementPolicy",
            "suspend",
        ] {
            assert_eq!(job["spec"][field], recorded["spec"][field], "{field}");
        }
    }
}
