//! Network policies over the pods let nothing through. Whether anything is to go through is not stated: possible at most.

use super::{crash_loop, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::{ContainerState, Pod, Snapshot};
use crate::domain::finding::{Blocked, Cause, Certainty, Finding};
use crate::domain::surroundings::NetPolicy;
use crate::domain::target::{Kind, Named, Object};

/// The finding: only where a pod runs or ended by itself, and is not well.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let policies = snapshot.around.policies.as_ref().ok()?;
    let suffers = |pod: &&Pod| {
        pod.containers.iter().any(|c| {
            let runs = matches!(c.state, ContainerState::Running { .. });
            !c.ready && (runs || crash_loop::sure(snapshot, c).is_some())
        })
    };
    let pod = pods(snapshot).into_iter().find(suffers)?;
    let way = blocked(policies)?;
    let restricts = |policy: &&NetPolicy| match way {
        Blocked::Ingress => policy.ingress.is_some(),
        Blocked::Egress | Blocked::Dns => policy.egress.is_some(),
    };
    let blocking: Vec<String> = policies.iter().filter(restricts).map(|policy| policy.name.clone()).collect();
    let first = blocking.first()?.clone();
    let what = match way {
        Blocked::Ingress => "nothing in",
        Blocked::Egress => "nothing out",
        Blocked::Dns => "no name be resolved",
    };
    let Named { cluster, namespace, .. } = &snapshot.owner.0.named;
    let named =
        Named { cluster: cluster.clone(), kind: Kind::Other, namespace: namespace.clone(), name: first };
    let of = &pod.object.named.name;
    Some(Finding {
        summary: format!("the network policies over pod `{of}` let {what}: {}", blocking.join(", ")),
        cause: Cause::NetworkPolicyBlocks { policies: blocking, way },
        subject: Object { named, uid: String::new() },
        certainty: Certainty::Possible,
        evidence: book.cite(&[Key::Policies, Key::Pod(of.clone()), Key::Pods]),
        rules_out: vec![],
        suggests: vec![],
    })
}

/// What all of them together, which add up, let nobody do.
fn blocked(policies: &[NetPolicy]) -> Option<Blocked> {
    let out: Vec<u32> = policies.iter().filter_map(|policy| policy.egress).collect();
    let into: Vec<u32> = policies.iter().filter_map(|policy| policy.ingress).collect();
    if !out.is_empty() && out.iter().all(|rules| *rules == 0) {
        return Some(Blocked::Egress);
    }
    if !out.is_empty() && !policies.iter().any(|policy| policy.egress.is_some() && policy.egress_dns) {
        return Some(Blocked::Dns);
    }
    (!into.is_empty() && into.iter().all(|rules| *rules == 0)).then_some(Blocked::Ingress)
}
