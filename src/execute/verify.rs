//! Whether an act helped: what was expected, held against what is seen now. Pure; one look at a time, and
//! whoever asks keeps looking until all of it held for long enough or the time is up.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::{Action, ActionKind};
use crate::domain::alert::Labels;
use crate::domain::cluster::{ActiveAlert, Container, ContainerState, Ended, Part, Pod, Snapshot};
use crate::domain::decision::Expectation;
use crate::domain::measure::MeasureRule;
use crate::domain::record::Intent;
use crate::domain::target::{Kind, Object};
use crate::domain::warrant::{Applied, Progress, Stands};

/// How long the kubelet takes to bring files of a ConfigMap up to date: its period of a minute, and its cache's.
const FOLLOWS: SignedDuration = SignedDuration::from_mins(2);

/// One expectation, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It holds.
    Held(String),
    /// It does not hold yet, or no more; it may later.
    Not(String),
    /// The cause came again, or what was to bring it about failed: it will not hold any more.
    Again(String),
    /// What would show it could not be read.
    CannotTell(String),
    /// Nothing has changed yet: people have not merged what was proposed.
    Pending(String),
    /// People closed what was proposed.
    Declined(String),
}

/// What one look shows: the world before the act and now, and what Alertmanager lists.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What was meant.
    pub intent: &'a Intent,
    /// When it was done.
    pub acted: Timestamp,
    /// The labels of the alert that the incident is about.
    pub alert: &'a Labels,
    /// The cluster before.
    pub before: &'a Snapshot,
    /// The cluster now.
    pub after: &'a Snapshot,
    /// All alerts that Alertmanager knows, or why it could not be asked.
    pub active: &'a Part<Vec<ActiveAlert>>,
    /// What the action server says became of the act.
    pub applied: &'a Part<Applied>,
    /// The measures that the grant names.
    pub measured: &'a [Measured],
}

/// A measure when the act was done, where that matters, and now.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What has to become of it.
    pub rule: MeasureRule,
    /// What it was when the act was done; not asked for where nothing is compared with it.
    pub before: Part<Option<f64>>,
    /// What it is.
    pub now: Part<f64>,
}

/// Each expectation of the intent's terms with what is seen of it, in their order.
///
/// A Job has to be complete first: until then nothing else says anything of whether it helped.
pub fn verify(look: &Look<'_>) -> Vec<(Expectation, Seen)> {
    let expected = &look.intent.terms.verify.expect;
    if expected.contains(&Expectation::JobComplete) {
        let seen = job(look);
        if !matches!(seen, Seen::Held(_)) {
            return vec![(Expectation::JobComplete, seen)];
        }
    }
    let see = |expectation: &Expectation| match expectation {
        Expectation::WorkloadReady => ready(look),
        Expectation::NoNewRestarts => restarts(look),
        Expectation::AlertGone => alert(look),
        Expectation::StillOurs => still_ours(look),
        Expectation::JobComplete => job(look),
        Expectation::Measures => measures(look.measured),
    };
    if look.intent.plan.proposal.is_some() && look.intent.reverts.is_none() {
        return proposed(look, see);
    }
    expected.iter().map(|e| (*e, see(e))).collect()
}

/// Whether the Job is complete. One that still runs may come to anything.
fn job(look: &Look<'_>) -> Seen {
    match look.applied {
        Ok(Applied::Done { progress: Some(progress), .. }) => match progress {
            Progress::Complete { .. } => Seen::Held("its Job is complete".into()),
            Progress::Running => Seen::CannotTell("its Job still runs".into()),
            Progress::Failed { why } => Seen::Again(format!("its Job failed: {why}")),
        },
        Ok(Applied::Done { changed, progress: None, .. }) => {
            Seen::CannotTell(changed.clone().unwrap_or_else(|| "how far its Job is is not known".into()))
        }
        Ok(Applied::Unknown { detail }) => Seen::CannotTell(detail.clone()),
        Ok(Applied::Refused { refusal }) => Seen::CannotTell(refusal.to_string()),
        Err(why) => Seen::CannotTell(why.clone()),
    }
}

/// When the Job ended, where one did: what happened before that is not *again*.
fn completed(look: &Look<'_>) -> Option<Timestamp> {
    match look.applied {
        Ok(Applied::Done { progress: Some(Progress::Complete { at }), .. }) => {
            Some(at.map_or(look.acted, |at| at.max(look.acted)))
        }
        _ => None,
    }
}

/// Until it is merged, a proposal has changed nothing that could have helped. When it was merged is not known:
/// restarts cannot be told from those before.
fn proposed(look: &Look<'_>, see: impl Fn(&Expectation) -> Seen) -> Vec<(Expectation, Seen)> {
    let Ok(Applied::Done { proposed: Some(stands), .. }) = look.applied else {
        return vec![(Expectation::StillOurs, still_ours(look))];
    };
    let link = &stands.link;
    let stands = match stands.stands {
        Stands::Open => Seen::Pending(format!("{link} is open: nothing has changed until people merge it")),
        Stands::Closed => Seen::Declined(format!("{link} was closed without being merged")),
        Stands::Merged => Seen::Held(format!("{link} was merged")),
    };
    let mut all = vec![(Expectation::StillOurs, stands)];
    if let [(_, Seen::Held(_))] = all.as_slice() {
        let expect = look.intent.terms.verify.expect.iter();
        let told = |e: &&Expectation| !matches!(e, Expectation::StillOurs | Expectation::NoNewRestarts);
        all.extend(expect.filter(told).map(|e| (*e, see(e))));
        if all.len() == 1 {
            let why = "nothing that is expected shows whether it helped".to_owned();
            all.push((Expectation::NoNewRestarts, Seen::CannotTell(why)));
        }
    }
    all
}

/// Whether what was changed still holds what was written. Once it does not, nobody can tell any more what the
/// act has done.
fn still_ours(look: &Look<'_>) -> Seen {
    match look.applied {
        Ok(Applied::Done { changed: None, .. }) => Seen::Held("what was changed is as it was written".into()),
        Ok(Applied::Done { changed: Some(what), .. } | Applied::Unknown { detail: what }) => {
            Seen::CannotTell(what.clone())
        }
        Ok(Applied::Refused { refusal }) => Seen::CannotTell(refusal.to_string()),
        Err(why) => Seen::CannotTell(why.clone()),
    }
}

/// All of them, in one: what does not hold counts more than what cannot be told.
fn measures(measured: &[Measured]) -> Seen {
    let (mut not, mut unclear, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for measured in measured {
        match one_measure(measured) {
            Ok((true, words)) => held.push(words),
            Ok((false, words)) => not.push(words),
            Err(why) => unclear.push(why),
        }
    }
    match (not.is_empty(), unclear.is_empty()) {
        (false, _) => Seen::Not(not.join("; ")),
        (true, false) => Seen::CannotTell(unclear.join("; ")),
        (true, true) => Seen::Held(held.join("; ")),
    }
}

fn one_measure(Measured { rule, before, now }: &Measured) -> Result<(bool, String), String> {
    let unread = |when: &str, why: &String| format!("`{}` {when} could not be read: {why}", rule.measure);
    let before = *before.as_ref().map_err(|why| unread("when it was done", why))?;
    let now = *now.as_ref().map_err(|why| unread("now", why))?;
    let held = rule
        .holds(before, now)
        .ok_or_else(|| format!("what `{}` was when it was done is not known", rule.measure))?;
    let was = before.map_or_else(String::new, |before| format!(", and was {}", plain(before)));
    let said = if held { "holds" } else { "does not hold" };
    Ok((held, format!("`{rule}` {said}: it is {}{was}", plain(now))))
}

/// A measurement for people: four digits that matter.
fn plain(value: f64) -> String {
    let places = match value.abs() {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        1.0.. => 3,
        0.1.. => 4,
        0.01.. => 5,
        0.001.. => 6,
        _ => 9,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn ready(look: &Look<'_>) -> Seen {
    let workload = match &look.after.workload {
        Ok(Some(workload)) => workload,
        Ok(None) => return Seen::CannotTell(format!("`{}` is gone", look.after.owner)),
        Err(why) => return Seen::CannotTell(why.clone()),
    };
    let name = &workload.object.named.name;
    if workload.object.uid != look.intent.plan.owner.0.uid {
        return Seen::CannotTell(format!("`{name}` is another object now"));
    }
    let (ready, updated, desired) = (workload.ready, workload.updated, workload.desired);
    if let Action::ScaleWorkload { replicas, .. } = look.intent.plan.action.core()
        && desired != *replicas
    {
        return Seen::Not(format!(
            "`{name}` wants {desired} replicas, not {replicas}: somebody changed it since"
        ));
    }
    if workload.observed_generation < workload.generation {
        return Seen::Not(format!("the controller has not seen the change of `{name}` yet"));
    }
    if ready == desired && updated == desired && workload.current == desired {
        return Seen::Held(format!("{ready} of {desired} replicas of `{name}` are ready"));
    }
    Seen::Not(format!(
        "{ready} of {desired} replicas of `{name}` are ready, {updated} of the current template"
    ))
}

fn restarts(look: &Look<'_>) -> Seen {
    // counted from its end on, by when containers ended: nobody looked at that very moment
    let since = completed(look).map(|acted| Look { acted, before: look.after, ..*look });
    let look = since.as_ref().unwrap_or(look);
    let pods = match &look.after.pods {
        Ok(pods) => pods,
        Err(why) => return Seen::CannotTell(why.clone()),
    };
    let mut unclear = None;
    for pod in pods.iter().filter(|p| !ours(look, p)) {
        for container in &pod.containers {
            match container_since(look, pod, container) {
                Seen::Held(_) => {}
                again @ (Seen::Again(_) | Seen::Not(_) | Seen::Pending(_) | Seen::Declined(_)) => {
                    return again;
                }
                Seen::CannotTell(why) => unclear = Some(why),
            }
        }
    }
    unclear.map_or_else(|| Seen::Held("no container restarted or ended since".into()), Seen::CannotTell)
}

/// The pod that the act itself takes away, and pods on their way out: their ends are our doing or a
/// controller's, not the cause.
fn ours(look: &Look<'_>, pod: &Pod) -> bool {
    pod.terminating
        || (look.intent.plan.action.kind().name() == "restart_pod"
            && pod.object == *look.intent.plan.action.target())
}

/// Counted where the pod was seen before; a new pod begins at none; dated by its end otherwise.
fn container_since(look: &Look<'_>, pod: &Pod, container: &Container) -> Seen {
    let name = format!("container `{}` of pod `{}`", container.name, pod.object.named.name);
    let again = |end: Option<&Ended>| {
        Seen::Again(match end {
            Some(end) if end.reason == "OOMKilled" => format!("{name} was killed for memory again"),
            Some(end) => format!("{name} ended since ({}, exit {})", end.reason, end.exit_code),
            None => format!("{name} restarted since"),
        })
    };
    let due = settled(look);
    // a start that follows an end of before is the remedy at work, where the pod stays
    let late =
        |end: Option<&Ended>| due == look.acted || end.is_none_or(|end| end.at.is_none_or(|at| at >= due));
    let known = counts(look.before.pods.as_deref().unwrap_or_default());
    let before = known.get(&(pod.object.uid.as_str(), container.name.as_str()));
    if let Some(before) = before
        && container.restarts > *before
        && late(container.last_end.as_ref())
    {
        return again(container.last_end.as_ref());
    }
    let down = match &container.state {
        ContainerState::Ended(end) => Some(end),
        ContainerState::Running { .. } | ContainerState::Waiting { .. } => None,
    };
    for end in down.into_iter().chain(container.last_end.as_ref()) {
        match end.at {
            Some(at) if at >= due => return again(Some(end)),
            None if before.is_none() => {
                return Seen::CannotTell(format!("{name} does not say when it ended"));
            }
            Some(_) | None => {}
        }
    }
    if before.is_none() && container.restarts > 0 {
        // a pod that was not there before began at no restarts, whatever its clock says
        if is_new(look, pod) {
            return again(container.last_end.as_ref());
        }
        if down.is_none() && container.last_end.is_none() {
            return Seen::CannotTell(format!("{name} does not say when it restarted"));
        }
    }
    Seen::Held(name)
}

/// From when on an end is the cause coming again. Restored content reaches a container with its next start, and
/// files a minute or two later: until then it fails as before.
fn settled(look: &Look<'_>) -> Timestamp {
    match look.intent.plan.action.kind() {
        ActionKind::RestoreConfig => look.acted.saturating_add(FOLLOWS).unwrap_or(Timestamp::MAX),
        _ => look.acted,
    }
}

fn is_new(look: &Look<'_>, pod: &Pod) -> bool {
    pod.created.is_some_and(|at| at >= look.acted)
}

fn counts(pods: &[Pod]) -> BTreeMap<(&str, &str), u32> {
    pods.iter()
        .flat_map(|p| p.containers.iter().map(|c| ((p.object.uid.as_str(), c.name.as_str()), c.restarts)))
        .collect()
}

/// No alert of that name for the owner or any of its pods, before or after the act; a silenced one fires
/// all the same.
fn alert(look: &Look<'_>) -> Seen {
    let Some(name) = look.alert.get("alertname") else {
        return Seen::CannotTell("the alert has no name".into());
    };
    let active = match look.active {
        Ok(active) => active,
        Err(why) => return Seen::CannotTell(why.clone()),
    };
    let after = match &look.after.pods {
        Ok(pods) => pods,
        Err(why) => return Seen::CannotTell(why.clone()),
    };
    let before = look.before.pods.as_deref().unwrap_or_default();
    let pods: Vec<&str> = before.iter().chain(after).map(|p| p.object.named.name.as_str()).collect();
    let fires = active.iter().find(|a| {
        a.labels.get("alertname") == Some(name) && (a.labels == *look.alert || concerns(look, a, &pods))
    });
    match fires {
        None => Seen::Held(format!("`{name}` fires no more")),
        Some(a) if a.suppressed => Seen::Not(format!("`{name}` still fires (suppressed)")),
        Some(_) => Seen::Not(format!("`{name}` still fires")),
    }
}

/// Whether an alert is about the owner or one of these pods.
fn concerns(look: &Look<'_>, alert: &ActiveAlert, pods: &[&str]) -> bool {
    let Object { named, uid: _ } = &look.after.owner.0;
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    if label("namespace").is_some_and(|ns| ns != named.namespace) {
        return false;
    }
    let owner_label = match named.kind {
        Kind::Deployment => "deployment",
        Kind::StatefulSet => "statefulset",
        Kind::DaemonSet => "daemonset",
        Kind::ReplicaSet => "replicaset",
        Kind::Job => "job_name",
        Kind::CronJob => "cronjob",
        _ => "pod",
    };
    label(owner_label) == Some(named.name.as_str()) || label("pod").is_some_and(|pod| pods.contains(&pod))
}
