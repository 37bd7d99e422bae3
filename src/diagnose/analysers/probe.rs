//! A container runs and does not answer its probe: without one, or with one that is answered, it would be ready.

use jiff::{SignedDuration, Timestamp};

use super::{crash_loop, is_named, oom, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Container, ContainerState, Pod, Probe, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

/// The kubelet writes a status within ten seconds of what it saw.
const SLACK: SignedDuration = SignedDuration::from_secs(10);

/// Whether this container runs, and for longer than its probes take to find it ready, and is not.
pub fn sure(snapshot: &Snapshot, container: &Container) -> Option<Certainty> {
    let since = up(container)?;
    let allowed = allowance(container)?;
    let ends = crash_loop::sure(snapshot, container).is_some() || oom::sure(snapshot, container).is_some();
    let late = snapshot.at.duration_since(since) > allowed;
    (!container.ready && late && !ends).then_some(Certainty::Certain)
}

fn up(container: &Container) -> Option<Timestamp> {
    match container.state {
        ContainerState::Running { since } => since,
        ContainerState::Waiting { .. } | ContainerState::Ended(_) => None,
    }
}

/// How long it may take to become ready; `None` without a probe that could find it unready.
fn allowance(container: &Container) -> Option<SignedDuration> {
    let probes = [container.probes.startup, container.probes.readiness];
    let span = |probe: Probe| i64::from(probe.delay) + i64::from(probe.period) * i64::from(probe.failures);
    let seconds: Vec<i64> = probes.into_iter().flatten().map(span).collect();
    (!seconds.is_empty()).then(|| SignedDuration::from_secs(seconds.iter().sum()) + SLACK)
}

/// Whether the pod was ready with the instance that runs now: it became unready after that had started.
fn served(pod: &Pod, container: &Container) -> bool {
    pod.not_ready_since.zip(up(container)).is_some_and(|(unready, started)| unready > started)
}

/// The pods that may be helped by a fresh start: they were ready, and others are, so that what they need is there.
pub fn hanging(snapshot: &Snapshot) -> Vec<&Pod> {
    let ready = snapshot.pods.iter().flatten().any(|pod| pod.ready && !pod.terminating);
    let mut found: Vec<&Pod> = pods(snapshot)
        .into_iter()
        .filter(|pod| ready && pod.containers.iter().any(|c| sure(snapshot, c).is_some() && served(pod, c)))
        .collect();
    found.sort_by_key(|pod| (!is_named(snapshot, pod), pod.object.named.name.clone()));
    found
}

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = super::first(snapshot, sure)?;
    let served = served(pod, container);
    let ready = snapshot.pods.iter().flatten().filter(|pod| pod.ready && !pod.terminating).count();
    let ready = u32::try_from(ready).unwrap_or(u32::MAX);
    let name = &pod.object.named.name;
    let before = if served { "was ready before and" } else { "was never ready: it" };
    let mut rules_out = vec![
        "it was not killed and is in no loop: it runs".to_owned(),
        "its image was pulled, and what it refers to is there: it has started".to_owned(),
    ];
    if ready > 0 {
        rules_out.push(format!("not all of them fail: {ready} are ready"));
    }
    Some(Finding {
        summary: format!(
            "container `{}` of pod `{name}` runs and {before} does not answer its probe{}",
            container.name,
            super::others(count)
        ),
        cause: Cause::FailingProbe { container: container.name.clone(), served, ready },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Pod(name.clone()), Key::Pods, Key::Workload, Key::Events]),
        rules_out,
        suggests: if served && ready > 0 { vec![ActionKind::RestartPod] } else { vec![] },
    })
}
