//! All ready pods of a workload use what CPU they may.

use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::target::Kind;

/// From here on the kernel throttles in some periods although the mean is below the limit.
const FULL_PERCENT: u64 = 90;

/// Use of CPU over the ready pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Mean usage ÷ limit, in percent.
    pub percent: u32,
    /// Ready pods.
    pub pods: u32,
    /// Every ready pod was measured and has a limit.
    pub complete: bool,
}

/// The use of CPU of those ready pods that were measured and whose every container has a limit; `None`
/// where there is no such pod, or nothing was measured.
pub fn measured(snapshot: &Snapshot) -> Option<Measured> {
    let pods = snapshot.pods.as_ref().ok()?;
    let usage = snapshot.usage.as_ref().ok()?;
    let ready: Vec<&Pod> = pods.iter().filter(|p| p.ready && !p.terminating).collect();
    let mut sum = (0u64, 0u64, 0u32);
    for pod in &ready {
        let used = usage.iter().find(|u| u.pod == pod.object.named.name).map(|u| u.cpu_millis);
        if let (Some(used), Some(limit)) = (used, limit(pod)) {
            sum = (sum.0 + u64::from(used), sum.1 + limit, sum.2 + 1);
        }
    }
    let (used, limit, counted) = sum;
    let percent = u32::try_from((used * 100).checked_div(limit)?).unwrap_or(u32::MAX);
    Some(Measured {
        percent,
        pods: counted,
        complete: usize::try_from(counted).is_ok_and(|n| n == ready.len()),
    })
}

fn limit(pod: &Pod) -> Option<u64> {
    pod.containers.iter().map(|c| c.cpu_limit_millis.map(u64::from)).sum()
}

/// The finding: certain only if every ready pod was measured.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let workload = snapshot.workload.as_ref().ok()?.as_ref()?;
    let Measured { percent, pods, complete } =
        measured(snapshot).filter(|m| u64::from(m.percent) >= FULL_PERCENT)?;
    let named = &workload.object.named;
    Some(Finding {
        summary: format!("`{}` uses {percent} % of its cpu limit over {pods} ready pods", named.name),
        cause: Cause::Saturation { percent, pods },
        subject: workload.object.clone(),
        certainty: if complete { Certainty::Certain } else { Certainty::Possible },
        evidence: book.cite(&[Key::Usage, Key::Workload, Key::Pods, Key::Autoscalers]),
        rules_out: vec!["it is not one hot pod: the mean over the ready pods is at the limit".to_owned()],
        suggests: if named.kind == Kind::Deployment { vec![ActionKind::ScaleWorkload] } else { vec![] },
    })
}
