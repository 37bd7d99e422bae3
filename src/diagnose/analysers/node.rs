//! A node that pods of the owner run on is not ready or short of something; or the alert is about a node.

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::surroundings::Node;
use crate::domain::target::Kind;

const PRESSURES: [(&str, &str); 3] =
    [("DiskPressure", "disk"), ("MemoryPressure", "memory"), ("PIDPressure", "process ids")];

/// A node is not ready, and so pods on it are not.
pub fn not_ready(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (node, unready) = concerned(snapshot).find(|(node, _)| node.holds("Ready") != Some(true))?;
    let name = &node.object.named.name;
    let said = if node.holds("Ready").is_some() { "is not ready" } else { "cannot be reached" };
    let cause = Cause::NodeNotReady { node: name.clone(), pods: unready };
    Some(finding(snapshot, book, node, (cause, format!("node `{name}` {said}{}", on_it(unready)))))
}

/// A node is short of something, and pods on it are not ready or were evicted.
pub fn pressure(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let short = |(node, unready): (&'_ Node, u32)| {
        let (pressure, of) = PRESSURES.into_iter().find(|(name, _)| node.holds(name) == Some(true))?;
        Some((node.clone(), unready, pressure, of))
    };
    let (node, unready, pressure, of) = concerned(snapshot).find_map(short)?;
    let name = &node.object.named.name;
    let cause = Cause::NodePressure { node: name.clone(), pressure: pressure.to_owned() };
    Some(finding(snapshot, book, &node, (cause, format!("node `{name}` is short of {of}{}", on_it(unready)))))
}

/// The nodes on which pods are not well, with how many; the one that the alert is about.
fn concerned(snapshot: &Snapshot) -> impl Iterator<Item = (&Node, u32)> {
    let nodes = snapshot.around.nodes.iter().flatten();
    nodes.filter_map(|node| {
        let on_it = |pod: &&Pod| pod.node.as_deref() == Some(node.object.named.name.as_str());
        let unready = pods(snapshot).into_iter().filter(on_it).filter(|pod| is_unwell(pod)).count();
        let unready = u32::try_from(unready).unwrap_or(u32::MAX);
        (unready > 0 || snapshot.target == node.object).then_some((node, unready))
    })
}

fn is_unwell(pod: &Pod) -> bool {
    !pod.ready && pod.phase != "Succeeded"
}

fn on_it(unready: u32) -> String {
    match unready {
        0 => String::new(),
        1 => "; a pod on it is not ready".to_owned(),
        n => format!("; {n} pods on it are not ready"),
    }
}

fn finding(snapshot: &Snapshot, book: &Book, node: &Node, (cause, summary): (Cause, String)) -> Finding {
    let named = snapshot.target.named.kind == Kind::Node && !node.cordoned;
    Finding {
        cause,
        subject: node.object.clone(),
        certainty: Certainty::Certain,
        summary,
        evidence: book.cite(&[Key::Nodes, Key::Pods, Key::Workload]),
        rules_out: vec!["it is not the program alone: its node is not well".to_owned()],
        suggests: if named { vec![ActionKind::CordonNode] } else { vec![] },
    }
}
