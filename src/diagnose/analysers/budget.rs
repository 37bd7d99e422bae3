//! A disruption budget allows nothing, and a node that is being drained waits for it.

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::target::{Kind, Named, Object};

/// The finding, about the budget. That somebody drains the node is not stated: it is cordoned, and the pods stay.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let budget = snapshot.budgets.as_ref().ok()?.iter().find(|budget| budget.allowed == 0)?;
    let nodes = snapshot.around.nodes.as_ref().ok()?;
    let stays = |node: &str| pods(snapshot).iter().any(|pod| pod.node.as_deref() == Some(node));
    let node = nodes.iter().find(|node| node.cordoned && stays(&node.object.named.name))?;
    let Named { cluster, namespace, .. } = &snapshot.owner.0.named;
    let named = Named {
        cluster: cluster.clone(),
        kind: Kind::PodDisruptionBudget,
        namespace: namespace.clone(),
        name: budget.name.clone(),
    };
    let node = node.object.named.name.clone();
    Some(Finding {
        summary: format!(
            "budget `{}` allows no eviction ({} of {} pods that it wants are well), and pods stay on the cordoned node `{node}`",
            budget.name, budget.healthy, budget.desired
        ),
        cause: Cause::BudgetDeadlock { budget: budget.name.clone(), node },
        subject: Object { named, uid: String::new() },
        certainty: Certainty::Likely,
        evidence: book.cite(&[Key::Budgets, Key::Nodes, Key::Pods]),
        rules_out: vec![],
        suggests: vec![],
    })
}
