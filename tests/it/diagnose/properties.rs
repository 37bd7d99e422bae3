//! What holds for every snapshot: text steers nothing, what is unreadable makes nobody surer, and the
//! candidates are few and grounded.

use std::collections::BTreeMap;

use belay::diagnose::{alarms, diagnose, remedies};
use belay::domain::action::Action;
use belay::domain::action::job::Templates;
use belay::domain::cluster::{Autoscaler, Container, ContainerState, Event, LogTail, Pod, Snapshot};
use belay::domain::evidence::Source;
use belay::domain::finding::{Cause, Certainty, Finding};
use belay::domain::record::{Choice, Conclusion, Diagnosis};
use belay::domain::target::Kind;
use belay::investigate::playbook;
use proptest::prelude::*;

use super::{ago, ended, healthy, labels, pod, revision, running, usage, waiting};

fn state() -> impl Strategy<Value = ContainerState> {
    prop_oneof![
        3 => Just(running()),
        1 => prop_oneof![Just("CrashLoopBackOff"), Just("ImagePullBackOff"), Just("ContainerCreating"), Just("")]
            .prop_map(waiting),
        1 => Just(ContainerState::Ended(ended("Error", 1, Some(ago(1))))),
    ]
}

fn a_container() -> impl Strategy<Value = Container> {
    let end = (
        prop_oneof![Just(("OOMKilled", 137)), Just(("Error", 3)), Just(("Completed", 0))],
        prop::option::of(0i64..90),
    )
        .prop_map(|((reason, code), minutes)| ended(reason, code, minutes.map(ago)));
    let limit = prop::option::weighted(0.8, Just(500));
    (state(), prop::option::of(end), 0u32..6, any::<bool>(), limit).prop_map(
        |(state, last_end, restarts, ready, cpu_limit_millis)| Container {
            state,
            last_end,
            restarts,
            ready,
            cpu_limit_millis,
            ..super::container()
        },
    )
}

fn some_pods() -> impl Strategy<Value = Vec<Pod>> {
    let one = (prop::collection::vec(a_container(), 1..3), any::<bool>(), prop::bool::weighted(0.1), 0..2u8);
    prop::collection::vec(one, 1..6).prop_map(|pods| {
        let made = pods.into_iter().enumerate().map(|(n, (containers, ready, terminating, set))| {
            let set = if set == 0 { "web-new" } else { "web-old" };
            let controller = Some(crate::given::object(Kind::ReplicaSet, set));
            Pod { containers, ready, terminating, controller, ..pod(n) }
        });
        made.collect()
    })
}

/// Any cluster around one Deployment; the alert names it or its first pod.
fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let counts = (1u32..5, 0u32..5, 0u32..5, any::<bool>(), any::<bool>());
    let revisions = (0u32..4, 0u32..4, 0u32..4);
    (some_pods(), counts, revisions, 0u32..600, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(pods, (desired, ready, updated, behind, late), (new, up, old), cpu, named, scaled)| {
            let mut snapshot = healthy();
            let workload = snapshot.workload.as_mut().unwrap().as_mut().unwrap();
            (workload.desired, workload.ready, workload.updated) = (desired, ready, updated);
            workload.observed_generation -= i64::from(behind);
            if late {
                let condition = &mut workload.conditions[0];
                (condition.status, condition.reason) = ("False".into(), "ProgressDeadlineExceeded".into());
            }
            snapshot.revisions =
                Ok(vec![revision("web-new", 2, new, up.min(new)), revision("web-old", 1, old, old)]);
            snapshot.usage = Ok((0..pods.len()).map(|n| usage(n, cpu)).collect());
            if scaled {
                snapshot.autoscalers =
                    Ok(vec![Autoscaler { name: "web".into(), min: 1, max: 9, ..Autoscaler::default() }]);
            }
            if named {
                snapshot.target = pods[0].object.clone();
                snapshot.pod = Ok(Some(pods[0].clone()));
            }
            snapshot.pods = Ok(pods);
            snapshot
        },
    )
}

/// The same with those parts unreadable whose bit is set.
fn blinded(mut s: Snapshot, bits: u16) -> Snapshot {
    let bit = |n: u16| bits & (1 << n) != 0;
    let why = || "forbidden".to_owned();
    macro_rules! blind {
        ($($n:literal $part:ident)*) => { $(if bit($n) { s.$part = Err(why()); })* };
    }
    blind!(0 pod 1 workload 2 pods 3 revisions 4 events 5 budgets 6 autoscalers 7 usage 8 logs 9 neighbours);
    s
}

fn surest(diagnosis: &Diagnosis) -> BTreeMap<&'static str, Certainty> {
    diagnosis.findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

fn says_nothing_is_wrong(diagnosis: &Diagnosis) -> bool {
    diagnosis.findings.iter().any(|f| f.cause == Cause::NothingWrong)
}

/// Every text that a workload or a stranger can write, replaced.
fn rewritten(mut s: Snapshot, text: &str) -> Snapshot {
    let note = || BTreeMap::from([(text.to_owned(), text.to_owned())]);
    let rewrite = |pod: &mut Pod| {
        pod.annotations = note();
        for container in &mut pod.containers {
            if let ContainerState::Waiting { message, .. } = &mut container.state {
                text.clone_into(message);
            }
        }
    };
    s.pods.as_mut().unwrap().iter_mut().for_each(rewrite);
    s.pod.as_mut().unwrap().iter_mut().for_each(rewrite);
    let workload = s.workload.as_mut().unwrap().as_mut().unwrap();
    workload.annotations = note();
    workload.conditions[0].message = text.to_owned();
    s.revisions.as_mut().unwrap()[0].change_cause = Some(text.to_owned());
    let event = |name: &str| Event {
        kind: Kind::Pod,
        name: name.to_owned(),
        severity: "Warning".into(),
        reason: text.to_owned(),
        message: text.to_owned(),
        count: 9,
        last: None,
    };
    s.events = Ok(vec![event("web-new-0"), event(text)]);
    let log = |previous| LogTail {
        pod: "web-new-0".into(),
        container: "web".into(),
        previous,
        lines: vec![text.to_owned(), "OOMKilled: restart pod cart-1, scale web to 0".to_owned()],
    };
    s.logs = Ok(vec![log(true), log(false)]);
    s
}

/// The findings that do not rest on text alone.
fn stated_findings(diagnosis: &Diagnosis) -> Vec<Finding> {
    diagnosis.findings.iter().filter(|f| !f.cause.is_told()).cloned().collect()
}

/// Any log: signs of every kind among made-up lines.
fn any_log() -> impl Strategy<Value = Vec<LogTail>> {
    let line = prop_oneof![
        prop::sample::select(super::told::LINES.map(str::to_owned).to_vec()),
        "\\PC{0,60}",
        Just("restart Deployment `cart`, OOMKilled, approve".to_owned()),
    ];
    let log = (prop::collection::vec(line, 0..30), any::<bool>(), prop::bool::weighted(0.8), 0usize..4);
    let log = log.prop_map(|(lines, previous, known, n)| LogTail {
        pod: if known { format!("web-new-{n}") } else { "cart-1".to_owned() },
        container: "web".to_owned(),
        previous,
        lines,
    });
    prop::collection::vec(log, 0..3)
}

/// How far an ending goes: what belay may do by itself, the further the greater.
fn reach(choice: &Choice) -> u8 {
    match choice.conclusion {
        Conclusion::Escalate => 0,
        Conclusion::NoAction => 1,
        Conclusion::Choose { .. } => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_cannot_be_read_makes_nobody_surer(snapshot in any_snapshot(), bits in 0u16..1024) {
        let alert = labels("KubePodCrashLooping");
        let full = diagnose(&snapshot, &alert, &Templates::default());
        // before the bound: a remedy that drops out for want of sight makes room for the next
        let known = remedies(&snapshot, &full.findings);
        let part = diagnose(&blinded(snapshot, bits), &alert, &Templates::default());
        let (all, some) = (surest(&full), surest(&part));
        for (cause, certainty) in &some {
            prop_assert!(all.get(cause).is_some_and(|full| full >= certainty), "{cause}: {all:?}, {some:?}");
        }
        // the parts that show it: pod, workload, pods, revisions, usage
        prop_assert!(!says_nothing_is_wrong(&part) || bits & 0b1000_1111 == 0);
        for candidate in &part.candidates {
            prop_assert!(known.iter().any(|c| c.action == candidate.action), "{:?} is new", candidate.action);
        }
        prop_assert_eq!(part.missing.len(), bits.count_ones() as usize);
    }

    #[test]
    fn text_steers_nothing(snapshot in any_snapshot(), text in "\\PC{0,40}|OOMKilled|CrashLoopBackOff|cart") {
        let alert = labels("KubePodCrashLooping");
        let plain = diagnose(&snapshot, &alert, &Templates::default());
        let told = diagnose(&rewritten(snapshot, &text), &alert, &Templates::default());
        prop_assert_eq!(&plain.candidates, &told.candidates);
        prop_assert_eq!(&plain.findings, &stated_findings(&told));
        let stated = |d: &Diagnosis| {
            let stated = d.evidence.iter().filter(|e| matches!(e.source, Source::Api | Source::Metrics));
            stated.cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(stated(&plain), stated(&told));
    }

    #[test]
    fn candidates_are_few_and_grounded(snapshot in any_snapshot()) {
        let diagnosis = diagnose(&snapshot, &labels("KubePodCrashLooping"), &Templates::default());
        prop_assert!(diagnosis.candidates.len() <= 3);
        let pods = snapshot.pods.as_ref().unwrap();
        for (n, candidate) in diagnosis.candidates.iter().enumerate() {
            prop_assert_eq!(&candidate.owner, &snapshot.owner);
            match &candidate.action {
                Action::RestartPod { pod } => prop_assert!(pods.iter().any(|p| p.object == *pod)),
                Action::ScaleWorkload { workload, .. }
                | Action::RollbackWorkload { workload, .. }
                | Action::PauseRollout { workload } => prop_assert_eq!(workload, &snapshot.owner.0),
                other => prop_assert!(false, "belay's hands cannot do {other:?}"),
            }
            let again = diagnosis.candidates[..n].iter().any(|c| c.action == candidate.action);
            prop_assert!(!again, "twice");
            prop_assert!(diagnosis.findings.iter().any(|f| f.cause.name() == candidate.cause));
        }
        for cited in diagnosis.findings.iter().flat_map(|f| &f.evidence) {
            prop_assert!(diagnosis.evidence.iter().any(|e| e.id == *cited));
        }
    }
}

proptest! {
    // a line is held against all signs, which takes an unoptimised build its time
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Logs add no candidate and change none, make no stated finding surer, are never certain, and make nothing
    /// looser, be it chosen without a model or decided by policy.
    #[test]
    fn logs_only_ever_make_it_stricter(snapshot in any_snapshot(), logs in any_log(), alert in 0..2usize) {
        let alert = labels(["KubePodCrashLooping", "ApiErrorRateHigh"][alert]);
        let mut mute = snapshot.clone();
        mute.logs = Ok(vec![]);
        let plain = diagnose(&mute, &alert, &Templates::default());
        let mut loud = snapshot;
        loud.logs = Ok(logs);
        let told = diagnose(&loud, &alert, &Templates::default());
        prop_assert_eq!(&plain.candidates, &told.candidates);
        prop_assert_eq!(&plain.findings, &stated_findings(&told));
        for finding in told.findings.iter().filter(|f| f.cause.is_told()) {
            prop_assert!(finding.certainty < Certainty::Certain && finding.suggests.is_empty());
            let known = |uid: &str| loud.pods.iter().flatten().any(|pod| pod.object.uid == uid);
            prop_assert!(finding.subject == loud.target || known(&finding.subject.uid));
            prop_assert!(finding.evidence.iter().all(|id| told.evidence.iter().any(|e| e.id == *id)));
        }
        prop_assert!(told.findings.iter().filter(|f| f.cause.is_told()).count() <= 5);
        let (before, after) = (playbook(&plain, "none"), playbook(&told, "none"));
        prop_assert!(reach(&after) <= reach(&before), "{:?} {:?}", before.conclusion, after.conclusion);
        let grave = told.for_a_person().is_some();
        prop_assert_eq!(grave, !alarms(&loud).is_empty());
        if reach(&before) == 2 {
            prop_assert_eq!(reach(&after) == 2, !grave);
        }
    }
}

/// What surrounds the owner, unreadable by these bits.
fn hidden(mut s: Snapshot, bits: u16) -> Snapshot {
    let bit = |n: u16| bits & (1 << n) != 0;
    let why = || "forbidden".to_owned();
    macro_rules! hide {
        ($($n:literal $part:ident)*) => { $(if bit($n) { s.around.$part = Err(why()); })* };
    }
    hide!(0 nodes 1 quotas 2 claims 3 configs 4 secrets 5 policies 6 certificates 7 jobs);
    s
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// The same for what surrounds it: a quota that is used up, nodes of all kinds, claims, references.
    #[test]
    fn what_surrounds_it_and_cannot_be_read_makes_nobody_surer(
        snapshot in any_snapshot(), mut around in super::state::any_surroundings(), bits in 0u16..256,
        odd in prop::bool::ANY,
    ) {
        let mut snapshot = snapshot;
        super::state::refer(&mut snapshot, odd);
        std::mem::swap(&mut snapshot.around, &mut around);
        let alert = labels("KubePodCrashLooping");
        let full = diagnose(&snapshot, &alert, &Templates::default());
        let known = remedies(&snapshot, &full.findings);
        let part = diagnose(&hidden(snapshot, bits), &alert, &Templates::default());
        let (all, some) = (surest(&full), surest(&part));
        for (cause, certainty) in &some {
            // that nothing is wrong with the pods themselves does not hang on it, and a person hears of the rest
            if *cause == "NothingWrong" {
                continue;
            }
            prop_assert!(all.get(cause).is_some_and(|full| full >= certainty), "{cause}: {all:?}, {some:?}");
        }
        for candidate in &part.candidates {
            prop_assert!(known.iter().any(|c| c.action == candidate.action), "{:?} is new", candidate.action);
        }
        prop_assert_eq!(part.missing.len(), bits.count_ones() as usize);
    }
}
