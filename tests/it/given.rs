//! Values that tests start from: one small, consistent story (a pod of Deployment `web` in `shop`).
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::action::{Action, ActionKind, Candidate};
use belay::domain::alert::{Alert, AlertStatus};
use belay::domain::canonical::Hash;
use belay::domain::decision::{
    AlertFacts, ApprovalRule, Asked, ClusterFacts, ConfirmRule, Decision, Expectation, Fact, FindingFacts,
    HistoryFacts, IncidentFacts, Level, OnFailure, OnSilence, Outcome, OwnerFacts, Person, Question, Reason,
    TargetFacts, Terms, VerifyRule,
};
use belay::domain::evidence::{Evidence, Source};
use belay::domain::finding::{Cause, Certainty, Finding};
use belay::domain::ids::{CandidateId, Cluster, EvidenceId, Fingerprint, GrantId, IncidentId};
use belay::domain::plan::{
    BlastRadius, Direction, FieldChange, Forge, Place, Plan, Preconditions, Proposal, Undo,
};
use belay::domain::record::{Choice, Conclusion, Diagnosis, Investigator, Opening};
use belay::domain::target::{Kind, Named, Object, RootOwner, Targeted};
use jiff::{SignedDuration, Timestamp};

/// The story begins here.
pub const T0: &str = "2026-11-21T02:07:41Z";

pub fn t0() -> Timestamp {
    T0.parse().unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    t0() + SignedDuration::from_secs(seconds)
}

pub fn cluster() -> Cluster {
    Cluster::new("eu-1")
}

pub fn object(kind: Kind, name: &str) -> Object {
    let named = Named { cluster: cluster(), kind, namespace: "shop".into(), name: name.into() };
    Object { named, uid: format!("uid-of-{name}") }
}

pub fn owner() -> RootOwner {
    RootOwner(object(Kind::Deployment, "web"))
}

pub fn pod() -> Object {
    object(Kind::Pod, "web-5d9f-abcde")
}

/// An alert on the pod that fires since `starts` seconds into the story.
pub fn firing(starts: i64) -> Alert {
    let labels = [
        ("alertname", "KubePodCrashLooping"),
        ("namespace", "shop"),
        ("pod", "web-5d9f-abcde"),
        ("container", "web"),
        ("severity", "warning"),
    ];
    Alert {
        fingerprint: Fingerprint::new("585350fd607ab0b5"),
        status: AlertStatus::Firing,
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        annotations: [("summary".to_owned(), "Pod shop/web is crash looping".to_owned())].into(),
        starts_at: after(starts),
        ends_at: None,
        generator_url: String::new(),
    }
}

pub fn resolved(starts: i64, ends: i64) -> Alert {
    Alert { status: AlertStatus::Resolved, ends_at: Some(after(ends)), ..firing(starts) }
}

pub fn opening() -> Opening {
    let alert = firing(0);
    Opening {
        incident: IncidentId::derive(&cluster(), &alert.fingerprint, alert.starts_at),
        cluster: cluster(),
        target: Targeted::Named { object: pod().named, label: "pod".into() },
        owner: Some(owner()),
        alert,
    }
}

pub fn restart() -> Action {
    Action::RestartPod { pod: pod() }
}

pub fn scale(replicas: u32) -> Action {
    Action::ScaleWorkload { workload: owner().0, replicas }
}

pub fn candidate(action: Action) -> Candidate {
    Candidate {
        id: CandidateId::new("c1"),
        action,
        owner: owner(),
        cause: "OOMKilled".into(),
        evidence: vec![EvidenceId::new("e1")],
    }
}

pub fn diagnosis(action: Action) -> Diagnosis {
    let evidence = Evidence {
        id: EvidenceId::new("e1"),
        source: Source::Api,
        title: "pod web-5d9f-abcde".into(),
        summary: "container `web` ended: OOMKilled, exit code 137".into(),
        blob: None,
        at: t0(),
        flags: std::collections::BTreeSet::default(),
    };
    let finding = Finding {
        cause: Cause::OomKilled { container: "web".into(), limit: Some("256Mi".into()), restarts: 3 },
        subject: pod(),
        certainty: Certainty::Certain,
        summary: "container `web` was killed at its memory limit of 256Mi".into(),
        evidence: vec![EvidenceId::new("e1")],
        rules_out: vec!["the image was pulled".into()],
        suggests: vec![ActionKind::RestartPod],
    };
    Diagnosis {
        evidence: vec![evidence],
        findings: vec![finding],
        candidates: vec![candidate(action)],
        missing: vec![],
        brief: belay::domain::brief::Brief::default(),
    }
}

pub fn choice() -> Choice {
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

pub fn plan(action: Action, made: Timestamp) -> Plan {
    if let Action::OpenPullRequest { instead_of } = action {
        return proposal(plan(*instead_of, made));
    }
    let kind = action.kind();
    let (changes, undo) = match &action {
        Action::RestartPod { .. } => {
            (vec![], Undo::Nothing { why: "a new pod replaces it; there is nothing to put back".into() })
        }
        Action::ScaleWorkload { replicas, .. } => {
            let change = |from: &str, to: &str| FieldChange {
                path: "/spec/replicas".into(),
                from: Some(from.into()),
                to: Some(to.into()),
            };
            let to = replicas.to_string();
            (vec![change("3", &to)], Undo::Restore { fields: vec![change(&to, "3")] })
        }
        other => panic!("no plan of {other:?} can be made yet"),
    };
    Plan {
        preconditions: Preconditions { uid: action.target().uid.clone(), generation: Some(1) },
        action,
        direction: Direction::Forward,
        owner: owner(),
        changes,
        blast: BlastRadius {
            desired: 3,
            ready: 3,
            unavailable_after: 1,
            replica_delta: 0,
            budget_allows: None,
        },
        class: kind.class(),
        undo,
        proposal: None,
        note: None,
        made_at: made,
        expires_at: made + SignedDuration::from_mins(10),
    }
}

/// The same change as a pull request.
fn proposal(plan: Plan) -> Plan {
    let place = Place {
        forge: Forge::Github,
        url: "https://api.github.com".into(),
        repository: "shop/deploy".into(),
        into: "main".into(),
    };
    let proposal = Proposal {
        place,
        base: "0123456789abcdef".into(),
        path: "apps/web.yaml".into(),
        version: "1".into(),
        patch: "--- a/apps/web.yaml\n".into(),
        result: Hash::of(b"file"),
        closes: None,
    };
    let action = Action::OpenPullRequest { instead_of: Box::new(plan.action) };
    Plan { class: action.class(), action, proposal: Some(Box::new(proposal)), ..plan }
}

pub fn rule() -> ApprovalRule {
    ApprovalRule {
        name: "one".into(),
        slack_users: vec!["U0ONCALL1".into()],
        operators: true,
        count: 1,
        expires: SignedDuration::from_mins(15),
        groups: vec![],
        each_group: 0,
        step_up: false,
    }
}

pub fn terms() -> Terms {
    Terms {
        grant: GrantId::new("oomkilled-restart-once"),
        draws: vec![],
        approval: rule(),
        also: vec![],
        verify: VerifyRule {
            within: SignedDuration::from_mins(20),
            stabilise: SignedDuration::from_mins(2),
            expect: vec![Expectation::WorkloadReady, Expectation::NoNewRestarts, Expectation::AlertGone],
            metrics: vec![],
            on_failure: OnFailure::Escalate,
        },
        confirm: Some(ConfirmRule {
            approval: rule(),
            within: SignedDuration::from_mins(30),
            on_silence: OnSilence::Keep,
        }),
        expires: None,
    }
}

pub fn decision(outcome: Outcome) -> Decision {
    Decision {
        outcome,
        level: Some(Level::OnTheLoop),
        reasons: vec![Reason {
            code: "grant/oomkilled-restart-once".into(),
            text: "the grant allows it".into(),
        }],
        terms: Some(terms()),
        page: false,
        set: Hash::of(b"policies"),
    }
}

pub fn question(asked: Asked, action: Action, plan: Option<Plan>, now: Timestamp) -> Question {
    let alert = firing(0);
    Question {
        asked,
        incident: opening().incident,
        target: TargetFacts {
            kept: Fact::NotApplicable,
            object: action.target().clone(),
            labels: Fact::Known([].into()),
            annotations: Fact::Known([].into()),
            grounded: true,
            named_by_alert: true,
            lookalikes: Fact::Known(0),
        },
        action,
        plan,
        chosen_by_model: false,
        outside: false,
        alert: AlertFacts {
            labels: alert.labels.clone(),
            severity: alert.severity(),
            starts_at: alert.starts_at,
            flaps: 0,
        },
        finding: FindingFacts {
            cause: "OOMKilled".into(),
            certainty: Certainty::Certain,
            services: Fact::Known(1),
            beside: std::collections::BTreeSet::new(),
        },
        incident_facts: IncidentFacts::default(),
        owner: OwnerFacts {
            owner: owner(),
            replicas: Fact::Known(3),
            ready: Fact::Known(3),
            stateful: Fact::Known(false),
            busy: Fact::Known(false),
            gitops_self_heal: Fact::Known(false),
            hpa: Fact::Known(false),
            minutes_since_rollout: Fact::Known(600),
            changed_by_person_minutes: Fact::Known(100_000),
            budget: Fact::NotApplicable,
            migration: Fact::default(),
        },
        history: HistoryFacts::default(),
        cluster: ClusterFacts {
            firing_groups: Fact::Known(1),
            actions_in_flight: 0,
            holds: vec![],
            strange_intents: false,
            unhealthy_permille: Fact::NotApplicable,
            major_incident: Fact::NotApplicable,
            firing: Fact::default(),
            last_storm: None,
            heartbeat: Fact::NotApplicable,
        },
        approval: None,
        people: [].into(),
        undoes: None,
        now,
    }
}

pub fn operator() -> Person {
    Person::Operator { name: "ann".into() }
}
