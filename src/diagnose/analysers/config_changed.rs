//! A ConfigMap that the pods read was changed shortly before they began to fail; or a Service was changed so that
//! it sends no traffic to pods that are well. What came before what is told by the record and by the pods' own
//! conditions, never by text.

use jiff::{SignedDuration, Timestamp};

use super::{crash_loop, earlier, last_end, oom, others, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Container, ContainerState, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::recorded::{Change, Concern, Config};

/// How long before the first failure a change may have been: pods that read it at their start fail with their
/// next start, which a day's work brings within the hour or not because of this.
const WINDOW: SignedDuration = SignedDuration::from_mins(60);
/// The API server cuts its moments to whole seconds, and a watch shows a change some time after it.
const SLACK: SignedDuration = SignedDuration::from_secs(5);
/// A pod that is not ready for less than this may just be starting.
const STARTING: SignedDuration = SignedDuration::from_secs(60);

/// The finding, about the ConfigMap or Service.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    unread_traffic(snapshot, book).or_else(|| unread_config(snapshot, book))
}

/// A Service that sends nothing to pods that are well, and did before it was changed.
fn unread_traffic(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    if workload.desired == 0 || workload.ready < workload.desired {
        return None;
    }
    let (service, change) = snapshot.recorded.configs.iter().find_map(|config| {
        let lost = config.concern == Concern::Traffic { selects: false };
        let change = config.changes.iter().find(|change| change.selected)?;
        lost.then_some((config, change))
    })?;
    let name = &service.object.named.name;
    let summary = format!(
        "Service `{name}` selects none of the {} ready pods of `{}` since it was changed {}",
        workload.ready,
        workload.object.named.name,
        ago(snapshot.at, change.at),
    );
    let certainty = if change.watched { Certainty::Certain } else { Certainty::Possible };
    let rules_out = vec!["its pods are well: all of them are ready".to_owned()];
    Some(finding(book, (service, change), (certainty, summary, rules_out), &[Key::Workload, Key::Pods]))
}

/// A ConfigMap that was changed before the pods that read it began to fail.
fn unread_config(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let failing: Vec<(&Pod, Failure)> =
        pods(snapshot).into_iter().filter_map(|pod| Some((pod, failure(snapshot, pod)?))).collect();
    let began = failing.iter().map(|(_, failure)| failure.began).min()?;
    let suspects: Vec<(&Config, &Change)> = snapshot
        .recorded
        .configs
        .iter()
        .filter(|config| matches!(config.concern, Concern::Read { .. }))
        .filter_map(|config| Some((config, config.changes.iter().find(|change| before(change, began))?)))
        .collect();
    let (config, change) = suspects.iter().max_by_key(|(_, change)| change.at).copied()?;
    let released = released(snapshot, began);
    let by_itself = failing.iter().all(|(_, failure)| failure.by_itself);
    let certainty = match (change.watched && !released, by_itself && suspects.len() == 1) {
        (true, true) => Certainty::Certain,
        (true, false) => Certainty::Likely,
        (false, _) => Certainty::Possible,
    };
    let (first, _) = failing.first()?;
    let named = &config.object.named;
    let summary = format!(
        "{} `{}`, which pod `{}` reads, was changed {}, and the pod began to fail after that{}",
        named.kind,
        named.name,
        first.object.named.name,
        ago(snapshot.at, change.at),
        others(failing.len()),
    );
    let mut rules_out = Vec::new();
    if !released {
        rules_out.push("what its pods are made from was not changed within the hour before".to_owned());
    }
    if suspects.len() == 1 {
        rules_out.push("nothing else that its pods read was changed then".to_owned());
    }
    let pods = failing.iter().map(|(pod, _)| Key::Pod(pod.object.named.name.clone()));
    let keys: Vec<Key> = [Key::Workload, Key::Pods].into_iter().chain(pods).collect();
    Some(finding(book, (config, change), (certainty, summary, rules_out), &keys))
}

/// Whether another template came within the hour before, for all that was read. One that only restarted the
/// pods is none: that is how a program is made to read what was changed.
fn released(snapshot: &Snapshot, began: Timestamp) -> bool {
    let changed = snapshot.workload.iter().flatten().find_map(|workload| workload.template_changed);
    let lately = changed.is_none_or(|at| began.duration_since(at) <= WINDOW);
    let restarted = match snapshot.revisions.as_deref() {
        Ok([newest, before, ..]) => newest.content.is_some() && newest.content == before.content,
        Ok([] | [_]) | Err(_) => false,
    };
    lately && !restarted
}

fn finding(
    book: &Book,
    (config, change): (&Config, &Change),
    (certainty, summary, rules_out): (Certainty, String, Vec<String>),
    keys: &[Key],
) -> Finding {
    let keys: Vec<Key> = [Key::Recorded].iter().chain(keys).cloned().collect();
    let possible = certainty > Certainty::Possible;
    Finding {
        cause: Cause::ConfigChanged { config: config.object.clone(), version: change.version, at: change.at },
        subject: config.object.clone(),
        certainty,
        summary,
        evidence: book.cite(&keys),
        rules_out,
        suggests: if possible { vec![ActionKind::RestoreConfig] } else { vec![] },
    }
}

/// How a pod fails.
struct Failure {
    /// Not later than this it began.
    began: Timestamp,
    /// It ends by itself, or cannot even start: not for want of memory, and not only unready.
    by_itself: bool,
}

fn failure(snapshot: &Snapshot, pod: &Pod) -> Option<Failure> {
    let refused = |container: &Container| match &container.state {
        ContainerState::Waiting { reason, .. } => reason == super::missing_config::REASON,
        ContainerState::Running { .. } | ContainerState::Ended(_) => false,
    };
    let loops = |c: &Container| crash_loop::sure(snapshot, c).is_some();
    let killed = |c: &Container| oom::sure(snapshot, c).is_some();
    let unready = pod.not_ready_since.is_some_and(|since| snapshot.at.duration_since(since) >= STARTING);
    let ends = pod.containers.iter().find(|c| loops(c) || refused(c));
    let failing = ends.or_else(|| pod.containers.iter().find(|c| killed(c) || (unready && !c.ready)))?;
    let looped = last_end(failing).and_then(|end| end.at).map(|at| earlier(at, failing.restarts));
    let began = [pod.not_ready_since, looped].into_iter().flatten().min()?;
    // a pod does not fail before it is there
    let began = pod.created.map_or(began, |created| began.max(created));
    Some(Failure { began, by_itself: ends.is_some() })
}

fn before(change: &Change, began: Timestamp) -> bool {
    let until = began.duration_since(change.at);
    until >= -SLACK && until <= WINDOW
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    match now.duration_since(then).as_mins() {
        minutes if minutes <= 1 => "a minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}
