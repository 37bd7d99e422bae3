//! A Job failed for good, or runs far longer than it did before.

use jiff::{SignedDuration, Timestamp};

use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::surroundings::JobRun;

/// Three times its longest run is no slow day any more.
const TIMES: i64 = 3;
/// Below this nobody waits for a Job.
const AT_LEAST: SignedDuration = SignedDuration::from_mins(10);
/// Runs that say how long it takes: one may have been the odd one.
const HISTORY: usize = 2;
/// Without a history: the threshold of the usual rule (`KubeJobNotCompleted`).
const UNKNOWN: SignedDuration = SignedDuration::from_hours(12);

/// Its latest run that ended has failed.
pub fn failed(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let runs = snapshot.around.jobs.as_ref().ok()?;
    let run = runs.iter().find(|run| run.failed.is_some() || run.completed.is_some())?;
    let reason = run.failed.clone()?;
    let name = run.object.named.name.clone();
    let times = if run.failures > 0 { format!(" after {} failed pods", run.failures) } else { String::new() };
    let mut rules_out = vec!["it is not retried any more: its Failed condition is set".to_owned()];
    if runs.iter().any(|run| run.completed.is_some()) {
        rules_out.push("it did not always fail: an earlier run was complete".to_owned());
    }
    Some(Finding {
        summary: format!("job `{name}` failed{times}: {reason}"),
        cause: Cause::JobFailed { job: name, reason },
        subject: run.object.clone(),
        certainty: Certainty::Certain,
        evidence: book.cite(&[Key::Jobs, Key::Pods, Key::Workload]),
        rules_out,
        suggests: vec![],
    })
}

/// Its present run takes far longer than those before.
pub fn stuck(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let runs = snapshot.around.jobs.as_ref().ok()?;
    let runs_now = |run: &&JobRun| run.completed.is_none() && run.failed.is_none() && !run.suspended;
    let run = runs.iter().filter(runs_now).min_by_key(|run| run.started)?;
    let lasted = snapshot.at.duration_since(run.started?);
    let past: Vec<SignedDuration> =
        runs.iter().filter_map(|run| span(run.started?, run.completed?)).collect();
    let longest = past.iter().max().copied().filter(|_| past.len() >= HISTORY);
    let (limit, certainty) = match longest {
        Some(longest) => (AT_LEAST.max(longest.checked_mul(i32::try_from(TIMES).ok()?)?), Certainty::Likely),
        None => (UNKNOWN, Certainty::Possible),
    };
    if lasted <= limit {
        return None;
    }
    let name = run.object.named.name.clone();
    let usual =
        longest.map_or_else(String::new, |l| format!("; the longest before took {} minutes", l.as_mins()));
    Some(Finding {
        summary: format!("job `{name}` runs for {} minutes{usual}", lasted.as_mins()),
        cause: Cause::JobStuck { job: name, minutes: lasted.as_mins() },
        subject: run.object.clone(),
        certainty,
        evidence: book.cite(&[Key::Jobs, Key::Pods, Key::Workload]),
        rules_out: vec!["it has not failed and is not suspended".to_owned()],
        suggests: vec![],
    })
}

fn span(started: Timestamp, completed: Timestamp) -> Option<SignedDuration> {
    Some(completed.duration_since(started)).filter(|span| *span >= SignedDuration::ZERO)
}
