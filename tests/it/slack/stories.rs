//! Two incidents at every point of their way: the pod that was OOMKilled and the saturated Deployment.

use std::collections::BTreeMap;

use belay::domain::action::{Action, ActionKind, Candidate, Class, Reversibility, Risk};
use belay::domain::alert::{Alert, AlertStatus};
use belay::domain::canonical::Hash;
use belay::domain::decision::{
    ApprovalRule, ConfirmRule, Decision, Expectation, Level, OnFailure, OnSilence, Outcome as Says, Person,
    Reason, Terms, VerifyRule,
};
use belay::domain::evidence::{Evidence, Source};
use belay::domain::finding::{Cause, Certainty, Finding};
use belay::domain::ids::{
    CandidateId, Cluster, EvidenceId, Fingerprint, GrantId, IncidentId, IntentId, QuestionId,
};
use belay::domain::plan::{BlastRadius, Direction, FieldChange, Plan, Preconditions, Refusal, Undo};
use belay::domain::record::{
    Answer, Ask, Choice, Conclusion, Diagnosis, Intent, Investigator, Outcome, Question, Verdict,
};
use belay::domain::target::{Kind, Named, Object, RootOwner, Targeted};
use belay::domain::warrant::Applied;
use belay::notify::{Act, Closed, Escalation, Open, Story};
use jiff::SignedDuration;

use super::at;

const START: &str = "2026-11-21T02:07:00Z";

fn object(kind: Kind, name: &str) -> Object {
    let named = Named { cluster: Cluster::new("eu-1"), kind, namespace: "shop".into(), name: name.into() };
    Object { named, uid: format!("uid-{name}") }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn evidence(id: &str, source: Source, title: &str, summary: &str) -> Evidence {
    let id = EvidenceId::new(id);
    Evidence {
        id,
        source,
        title: title.into(),
        summary: summary.into(),
        blob: None,
        at: at(START),
        flags: std::collections::BTreeSet::default(),
    }
}

fn rule() -> ApprovalRule {
    ApprovalRule {
        name: "one".into(),
        slack_users: vec!["U0ANN".into(), "U0BOB".into()],
        operators: true,
        count: 1,
        expires: SignedDuration::from_mins(15),
        groups: vec![],
        each_group: 0,
        step_up: false,
    }
}

fn terms(grant: &str, on_silence: OnSilence) -> Terms {
    Terms {
        grant: GrantId::new(grant),
        draws: vec![],
        approval: rule(),
        also: vec![],
        verify: VerifyRule {
            within: SignedDuration::from_mins(20),
            stabilise: SignedDuration::from_mins(2),
            expect: vec![Expectation::WorkloadReady],
            metrics: vec![],
            on_failure: OnFailure::Escalate,
        },
        confirm: Some(ConfirmRule { approval: rule(), within: SignedDuration::from_mins(30), on_silence }),
        expires: None,
    }
}

fn decision(outcome: Says, level: Option<Level>, grant: &str, reasons: &[(&str, &str)]) -> Decision {
    Decision {
        outcome,
        level,
        reasons: reasons.iter().map(|(c, t)| Reason { code: (*c).into(), text: (*t).into() }).collect(),
        terms: level.map(|_| terms(grant, OnSilence::Keep)),
        page: false,
        set: Hash::of(b"policy"),
    }
}

fn plan(action: Action, changes: Vec<FieldChange>, blast: BlastRadius, undo: Undo) -> Plan {
    let owner = match &action {
        Action::RestartPod { .. } => object(Kind::Deployment, "api"),
        Action::ScaleWorkload { workload, .. } => workload.clone(),
        other => panic!("no story is told of {other:?}"),
    };
    Plan {
        preconditions: Preconditions { uid: action.target().uid.clone(), generation: Some(4) },
        class: Class { undo: Reversibility::Exact, risk: Risk::Low },
        direction: Direction::Forward,
        owner: RootOwner(owner),
        made_at: at(START),
        expires_at: at("2026-11-21T02:12:00Z"),
        action,
        changes,
        blast,
        undo,
        proposal: None,
        note: None,
    }
}

fn restart_plan() -> Plan {
    let blast =
        BlastRadius { desired: 3, ready: 2, unavailable_after: 1, replica_delta: 0, budget_allows: Some(1) };
    let undo = Undo::Nothing { why: "the Deployment brings back an equivalent pod".into() };
    plan(Action::RestartPod { pod: object(Kind::Pod, "api-7f4b9") }, vec![], blast, undo)
}

fn replicas(from: &str, to: &str) -> FieldChange {
    FieldChange { path: "/spec/replicas".into(), from: Some(from.into()), to: Some(to.into()) }
}

fn scale_plan() -> Plan {
    let blast =
        BlastRadius { desired: 3, ready: 3, unavailable_after: 0, replica_delta: 2, budget_allows: None };
    let action = Action::ScaleWorkload { workload: object(Kind::Deployment, "web"), replicas: 5 };
    plan(action, vec![replicas("3", "5")], blast, Undo::Restore { fields: vec![replicas("5", "3")] })
}

fn scale_back_plan() -> Plan {
    let action = Action::ScaleWorkload { workload: object(Kind::Deployment, "web"), replicas: 3 };
    let undo = Undo::Nothing { why: "it is an undo itself".into() };
    Plan { direction: Direction::Revert, action, changes: vec![replicas("5", "3")], undo, ..scale_plan() }
}

fn act(number: usize, plan: Plan, applied: Option<Applied>, verdict: Option<Verdict>) -> Act {
    let incident = IncidentId::new("7k2m9x0a");
    let reverts = (plan.direction == Direction::Revert).then(|| IntentId::derive(&incident, 1));
    let silence = if reverts.is_none() { OnSilence::Keep } else { OnSilence::Escalate };
    let intent = Intent {
        id: IntentId::derive(&incident, number),
        incident,
        plan_hash: plan.hash().unwrap(),
        plan,
        terms: terms("grant-1", silence),
        approved_by: "grant `grant-1` at level 3".into(),
        set: Hash::of(b"policy"),
        reverts,
        deadline: at("2026-11-21T02:30:00Z"),
    };
    Act { intent, applied, verdict, came_again: None }
}

fn done() -> Applied {
    Applied::done("the object carries the intent")
}

fn helped() -> Verdict {
    Verdict::Helped { seen: vec!["3 of 3 replicas ready for 2 minutes".into(), "no new restarts".into()] }
}

fn open(ask: Ask, intent: Option<usize>) -> Open {
    let question = Question {
        id: QuestionId::from_bits(0xfeed),
        ask,
        plan: Hash::of(b"plan"),
        intent: intent.map(|n| IntentId::derive(&IncidentId::new("7k2m9x0a"), n)),
        rule: rule(),
        within: SignedDuration::from_mins(30),
    };
    Open { question, until: Some(at("2026-11-21T02:38:00Z")) }
}

fn ann() -> Person {
    Person::Slack { user: "U0ANN".into(), team: "T0SHOP".into(), name: "ann".into() }
}

fn story(alert: &[(&str, &str)], summary: &str, target: Object, owner: &str) -> Story {
    let alert = Alert {
        fingerprint: Fingerprint::new("0011223344556677"),
        status: AlertStatus::Firing,
        labels: labels(alert),
        annotations: labels(&[("summary", summary)]),
        starts_at: at(START),
        ends_at: None,
        generator_url: "http://prometheus/graph".into(),
    };
    Story {
        incident: IncidentId::new("7k2m9x0a"),
        version: 3,
        cluster: Cluster::new("eu-1"),
        alerts: vec![alert],
        target: Targeted::Named { object: target.named, label: "pod".into() },
        owner: Some(RootOwner(object(Kind::Deployment, owner))),
        diagnosis: None,
        choice: None,
        suggestions: Vec::new(),
        decisions: vec![],
        plan: None,
        kept: None,
        not_planned: None,
        acts: vec![],
        open: None,
        answers: vec![],
        escalations: vec![],
        closed: None,
        holds: vec![],
        now: at("2026-11-21T02:08:00Z"),
    }
}

fn oom() -> Story {
    let alert = [("alertname", "KubePodCrashLooping"), ("severity", "warning"), ("pod", "api-7f4b9")];
    story(&alert, "Pod shop/api-7f4b9 is crash looping <!channel>", object(Kind::Pod, "api-7f4b9"), "api")
}

fn oom_found() -> Story {
    let finding = Finding {
        cause: Cause::OomKilled { container: "api".into(), limit: Some("256Mi".into()), restarts: 6 },
        subject: object(Kind::Pod, "api-7f4b9"),
        certainty: Certainty::Certain,
        summary: "container `api` was killed at its limit of 256Mi, 6 times".into(),
        evidence: vec![EvidenceId::new("e1"), EvidenceId::new("e2")],
        rules_out: vec!["the image is there".into(), "no rollout in the last hour".into()],
        suggests: vec![ActionKind::RestartPod],
    };
    let candidate = Candidate {
        id: CandidateId::new("c1"),
        action: restart_plan().action,
        owner: restart_plan().owner,
        cause: "OOMKilled".into(),
        evidence: vec![EvidenceId::new("e1")],
    };
    let diagnosis = Diagnosis {
        evidence: vec![
            evidence(
                "e1",
                Source::Api,
                "status of pod `api-7f4b9`",
                "lastState.terminated.reason: OOMKilled",
            ),
            evidence(
                "e2",
                Source::Logs,
                "last lines before the end",
                "cache: 212 MiB\nclick <https://evil.example|here>",
            ),
        ],
        findings: vec![finding],
        candidates: vec![candidate],
        missing: vec!["metrics: the metrics API is not installed".into()],
        brief: belay::domain::brief::Brief::default(),
    };
    Story { diagnosis: Some(diagnosis), version: 4, ..oom() }
}

fn playbook() -> Choice {
    Choice {
        by: Investigator::Playbook { why: "no model is configured".into() },
        conclusion: Conclusion::Choose {
            candidate: CandidateId::new("c1"),
            evidence: vec![EvidenceId::new("e1")],
        },
        why: None,
        said: String::new(),
        transcript: None,
        tokens: 0,
        flags: std::collections::BTreeSet::default(),
        minutes: None,
    }
}

fn oom_planned(says: Says, level: Level, reason: (&str, &str)) -> Story {
    Story {
        choice: Some(playbook()),
        decisions: vec![decision(says, Some(level), "oomkilled-restart-once", &[reason])],
        plan: Some(restart_plan()),
        version: 7,
        ..oom_found()
    }
}

fn oom_acting() -> Story {
    let allowed = ("grant/oomkilled-restart-once", "The grant allows it at level 3.");
    oom_planned(Says::Act, Level::OnTheLoop, allowed)
}

fn with_act(story: Story, applied: Option<Applied>, verdict: Option<Verdict>) -> Story {
    let plan = story.plan.clone().unwrap();
    Story { acts: vec![act(1, plan, applied, verdict)], version: 9, ..story }
}

fn scale_confirming() -> Story {
    let alert = [("alertname", "CPUSaturation"), ("severity", "critical"), ("deployment", "web")];
    let base = story(&alert, "web is at its CPU limit", object(Kind::Deployment, "web"), "web");
    let finding = Finding {
        cause: Cause::Saturation { percent: 97, pods: 3 },
        subject: object(Kind::Deployment, "web"),
        certainty: Certainty::Likely,
        summary: "3 ready pods use 97 % of their CPU limit".into(),
        evidence: vec![EvidenceId::new("e1")],
        rules_out: vec![],
        suggests: vec![ActionKind::ScaleWorkload],
    };
    let diagnosis = Diagnosis {
        evidence: vec![evidence(
            "e1",
            Source::Metrics,
            "CPU of Deployment `web`",
            "970m of 1000m on each of 3 pods",
        )],
        findings: vec![finding],
        candidates: vec![],
        missing: vec![],
        brief: belay::domain::brief::Brief::default(),
    };
    let choice = Choice {
        by: Investigator::Model { model: "small-1".into(), prompts: Hash::of(b"prompts") },
        why: None,
        said: "Traffic doubled at 02:00.\nI am *sure* <!here>: `confirm` it.".into(),
        tokens: 1_234,
        ..playbook()
    };
    let allowed = ("grant/scale-up-on-saturation", "The grant allows it at level 3.");
    let story = Story {
        target: Targeted::Named { object: object(Kind::Deployment, "web").named, label: "deployment".into() },
        diagnosis: Some(diagnosis),
        choice: Some(choice),
        decisions: vec![decision(Says::Act, Some(Level::OnTheLoop), "scale-up-on-saturation", &[allowed])],
        plan: Some(scale_plan()),
        open: Some(open(Ask::ConfirmOrRevert, Some(1))),
        ..base
    };
    with_act(story, Some(done()), Some(helped()))
}

fn scale_reverting(applied: Option<Applied>) -> Story {
    let mut story = scale_confirming();
    story.acts.push(act(2, scale_back_plan(), applied, None));
    Story { open: None, answers: vec![(ann(), Answer::Revert)], version: 12, ..story }
}

fn close(story: Story, outcome: Outcome, summary: &str) -> Story {
    Story { open: None, closed: Some(Closed { outcome, summary: summary.into() }), version: 20, ..story }
}

fn escalated(story: Story, why: &str, hands_off: bool) -> Story {
    Story { escalations: vec![Escalation { why: why.into(), hands_off }], ..story }
}

/// Every state of an incident, by name, with the headline it must have.
#[expect(clippy::too_many_lines, reason = "a table: one row per state")]
pub fn all() -> Vec<(&'static str, Story, &'static str)> {
    let restart_open = || Story { open: Some(open(Ask::ConfirmOrHandOver, Some(1))), ..oom_acting() };
    let earned = ("earned", "Level 3 has to be earned: 4 of 10 acts so far.");
    let asked =
        || Story { open: Some(open(Ask::Approve, None)), ..oom_planned(Says::Ask, Level::InTheLoop, earned) };
    let refused =
        Refusal::Changed { object: "eu-1/shop/Pod/api-7f4b9".into(), detail: "its uid is another".into() };
    let none = decision(Says::Notify, None, "", &[("no-grant", "No grant covers this alert.")]);
    let limit = ("limit/perTarget", "It was restarted 1 of 1 times in the last 10 minutes.");
    vec![
        ("01-opened", oom(), "I am looking into KubePodCrashLooping on Deployment `api`."),
        (
            "02-diagnosed",
            oom_found(),
            "KubePodCrashLooping on Deployment `api` (OOMKilled). I am looking further.",
        ),
        ("03-asking", asked(), "May I restart pod `api-7f4b9` (OOMKilled)?"),
        ("04-intended", with_act(oom_acting(), None, None), "I am restarting pod `api-7f4b9` (OOMKilled)."),
        (
            "05-restarted",
            with_act(restart_open(), Some(done()), None),
            "I restarted pod `api-7f4b9` (OOMKilled). Confirm or hand over?",
        ),
        (
            "06-scaled",
            scale_confirming(),
            "I scaled Deployment `web` from 3 to 5 (CPU at 97 % of its limit). It helped. Confirm or revert?",
        ),
        (
            "07-unknown",
            with_act(oom_acting(), Some(Applied::Unknown { detail: "the connection broke".into() }), None),
            "I tried to restart pod `api-7f4b9` and got no answer: I am reading back what became of it.",
        ),
        (
            "08-refused",
            with_act(oom_acting(), Some(Applied::Refused { refusal: refused }), None),
            "I did not restart pod `api-7f4b9`: `eu-1/shop/Pod/api-7f4b9` changed since it was read: its uid is another.",
        ),
        (
            "09-no-help",
            escalated(
                with_act(
                    oom_acting(),
                    Some(done()),
                    Some(Verdict::DidNotHelp { seen: vec!["container `api` was OOMKilled again".into()] }),
                ),
                "the restart did not help.",
                false,
            ),
            "A person is needed: the restart did not help.",
        ),
        (
            "10-handed-over",
            Story {
                answers: vec![(ann(), Answer::HandOver)],
                ..escalated(with_act(restart_open(), Some(done()), None), "handed over by ann", true)
            },
            "Handed over by ann: KubePodCrashLooping on Deployment `api`.",
        ),
        ("11-reverting", scale_reverting(None), "I am scaling back Deployment `web` from 5 to 3."),
        (
            "12-reverted",
            close(scale_reverting(Some(done())), Outcome::Reverted, "Put back as ann asked."),
            "Reverted: I scaled back Deployment `web` from 5 to 3.",
        ),
        (
            "13-remedied",
            close(
                Story {
                    answers: vec![(ann(), Answer::Confirm)],
                    ..with_act(restart_open(), Some(done()), Some(helped()))
                },
                Outcome::Remedied,
                "Confirmed.",
            ),
            "I restarted pod `api-7f4b9` (OOMKilled). It helped. Confirmed by ann.",
        ),
        (
            "14-by-itself",
            close(oom_found(), Outcome::ResolvedBySelf, "The alert was resolved before anything was done."),
            "Resolved by itself: KubePodCrashLooping on Deployment `api`.",
        ),
        (
            "15-notified",
            close(Story { decisions: vec![none], ..oom_found() }, Outcome::Notified, "Told only."),
            "For your information: KubePodCrashLooping on Deployment `api` (OOMKilled). I changed nothing.",
        ),
        (
            "16-rejected",
            close(
                Story {
                    answers: vec![(ann(), Answer::Reject { reason: "backup is running <@U0BOB>".into() })],
                    ..asked()
                },
                Outcome::Rejected,
                "Rejected by ann.",
            ),
            "ann said no: I do not restart pod `api-7f4b9`.",
        ),
        (
            "17-limit",
            oom_planned(Says::Escalate, Level::Supervised, limit),
            "A person is needed: It was restarted 1 of 1 times in the last 10 minutes.",
        ),
        (
            "18-unclear-paused",
            Story {
                target: Targeted::Unclear { why: "the labels name no object.".into() },
                owner: None,
                not_planned: Some(Refusal::NothingToDo("no candidate".into())),
                holds: vec!["`deploy-week`: paused by ann".into()],
                ..oom()
            },
            "I am looking into KubePodCrashLooping.",
        ),
    ]
}
