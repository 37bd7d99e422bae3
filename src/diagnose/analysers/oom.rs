//! A container was killed at its memory limit: the kernel says so through the kubelet.

use jiff::SignedDuration;

use super::{about, first, last_end, matters, others};
use crate::diagnose::evidence::Book;
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Container, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

/// Whether this container was killed for memory, and lately enough to matter.
pub fn sure(snapshot: &Snapshot, container: &Container) -> Option<Certainty> {
    let end = last_end(container).filter(|end| end.reason == "OOMKilled")?;
    matters(snapshot, container, end)
}

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = first(snapshot, sure)?;
    let name = &pod.object.named.name;
    let limit = container.memory_limit.clone();
    let course = course(pod, container);
    let at = limit.as_ref().map_or_else(String::new, |l| format!(" at its limit of {l}"));
    let mut rules_out = vec![
        "it did not end by itself: the kernel killed it (OOMKilled)".to_owned(),
        "its image was pulled: it has run".to_owned(),
    ];
    let (told, suggests) = match course {
        Course::Unknown => ("", ActionKind::RestartPod),
        Course::Hours(_) => {
            rules_out.push("its limit is enough to start with: it ran for hours below it".to_owned());
            (", each time after hours", ActionKind::RestartPod)
        }
        Course::AtOnce => {
            rules_out.push("it is no leak over hours: it never lived for long".to_owned());
            (", each time soon after its start", ActionKind::SetResources)
        }
    };
    let (name_of, restarts) = (container.name.clone(), container.restarts);
    Some(Finding {
        summary: format!(
            "container `{}` of pod `{name}` was killed for memory{at}{told}; {} restarts{}",
            container.name,
            container.restarts,
            others(count)
        ),
        cause: match (course, limit) {
            (Course::Hours(lived), limit) => {
                Cause::MemoryLeak { container: name_of, limit, restarts, lived_minutes: lived.as_mins() }
            }
            (Course::AtOnce, Some(limit)) => Cause::MemoryLimitTooLow { container: name_of, limit, restarts },
            (Course::Unknown | Course::AtOnce, limit) => {
                Cause::OomKilled { container: name_of, limit, restarts }
            }
        },
        subject: pod.object.clone(),
        certainty: if matches!(course, Course::Unknown) {
            certainty
        } else {
            certainty.min(Certainty::Likely)
        },
        evidence: book.cite(&about(pod)),
        rules_out,
        suggests: vec![suggests],
    })
}

/// How it came to be killed, as far as starts and ends tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// They do not tell.
    Unknown,
    /// Its last instance lived for so long, and it is not the first.
    Hours(SignedDuration),
    /// It never lived for long.
    AtOnce,
}

/// A single kill says little: a leak and a limit that is too low show in the second and third.
fn course(pod: &Pod, container: &Container) -> Course {
    let Some(end) = last_end(container) else { return Course::Unknown };
    let (Some(started), Some(ended)) = (end.started, end.at) else { return Course::Unknown };
    let lived = ended.duration_since(started);
    if container.restarts >= 2 && lived >= HOURS {
        return Course::Hours(lived);
    }
    let first = super::earlier(ended, container.restarts);
    let soon = pod.created.is_some_and(|created| first.duration_since(created) <= SOON);
    if container.restarts >= super::crash_loop::LOOP
        && lived <= SOON
        && soon
        && container.memory_limit.is_some()
    {
        return Course::AtOnce;
    }
    Course::Unknown
}

/// From here on memory grew while it worked, and not while it started.
const HOURS: SignedDuration = SignedDuration::from_hours(1);
/// A start takes less: twice the usual time until a probe counts as failed.
const SOON: SignedDuration = SignedDuration::from_mins(2);
