//! A container ends again and again with an exit code of its own.

use super::{about, first, last_end, matters, others};
use crate::diagnose::evidence::Book;
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Container, ContainerState, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};

/// Once is an accident and twice a coincidence; below this a container that runs again is no loop.
pub const LOOP: u32 = 3;

/// Certain while the kubelet itself says so; likely where it ended often and lately and runs at the moment.
pub fn sure(snapshot: &Snapshot, container: &Container) -> Option<Certainty> {
    let end = last_end(container).filter(|end| end.reason != "OOMKilled")?;
    match &container.state {
        ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff" => Some(Certainty::Certain),
        ContainerState::Waiting { .. } => None,
        ContainerState::Running { .. } | ContainerState::Ended(_) => {
            let often = container.restarts >= LOOP && end.exit_code != 0;
            often.then(|| matters(snapshot, container, end)).flatten().map(|sure| sure.min(Certainty::Likely))
        }
    }
}

/// The finding, about the named pod if it is affected.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (pod, container, certainty, count) = first(snapshot, sure)?;
    let exit_code = last_end(container)?.exit_code;
    let name = &pod.object.named.name;
    Some(Finding {
        summary: format!(
            "container `{}` of pod `{name}` ends with exit code {exit_code}{} again and again; {} restarts{}",
            container.name,
            meaning(exit_code, container),
            container.restarts,
            others(count)
        ),
        cause: Cause::CrashLoop {
            container: container.name.clone(),
            exit_code,
            restarts: container.restarts,
        },
        subject: pod.object.clone(),
        certainty,
        evidence: book.cite(&about(pod)),
        rules_out: vec![
            "it was not killed for memory: its last end is not OOMKilled".to_owned(),
            "its image was pulled: it has run".to_owned(),
        ],
        suggests: if never_starts(exit_code) { vec![] } else { vec![ActionKind::RestartPod] },
    })
}

/// The command is not there or cannot be run: a restart finds the same image.
pub const fn never_starts(exit_code: i32) -> bool {
    matches!(exit_code, 126 | 127)
}

/// What an exit code means, by the conventions of shells and of the kernel: 128 and the signal's number.
fn meaning(exit_code: i32, container: &Container) -> &'static str {
    match exit_code {
        0 => " (it ends well, and is to run for ever)",
        1 => " (an error of the program's own)",
        2 => " (wrong use of a command, or an error of the program's own)",
        126 => " (its command is there and cannot be run)",
        127 => " (its command is not there)",
        134 => " (it aborted itself)",
        137 if container.probes.liveness.is_some() => {
            " (killed, not for memory: its liveness probe may be why)"
        }
        137 => " (killed, not for memory)",
        139 => " (a fault in memory)",
        143 if container.probes.liveness.is_some() => " (it was told to end: its liveness probe may be why)",
        143 => " (it was told to end)",
        _ => "",
    }
}
