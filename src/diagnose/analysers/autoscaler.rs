//! An autoscaler stands at its upper bound and wants more.

use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::cluster::{Autoscaler, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::target::{Kind, Named, Object};

/// The first of the owner's autoscalers that is held back by its upper bound, as its own condition says.
pub fn held(snapshot: &Snapshot) -> Option<(&Autoscaler, Object)> {
    let scaler = snapshot.autoscalers.as_ref().ok()?.iter().find(|scaler| {
        let limited = scaler
            .conditions
            .iter()
            .any(|c| c.name == "ScalingLimited" && c.status == "True" && c.reason == "TooManyReplicas");
        limited && scaler.max > 0 && scaler.current >= scaler.max
    })?;
    let Named { cluster, namespace, .. } = &snapshot.owner.0.named;
    let named = Named {
        cluster: cluster.clone(),
        kind: Kind::HorizontalPodAutoscaler,
        namespace: namespace.clone(),
        name: scaler.name.clone(),
    };
    Some((scaler, Object { named, uid: scaler.uid.clone() }))
}

/// The finding, about the autoscaler.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let (scaler, subject) = held(snapshot)?;
    Some(Finding {
        summary: format!("autoscaler `{}` wants more than its {} replicas", scaler.name, scaler.max),
        cause: Cause::AutoscalerAtCeiling { autoscaler: scaler.name.clone(), max: scaler.max },
        subject,
        certainty: Certainty::Certain,
        evidence: book.cite(&[Key::Autoscalers, Key::Workload, Key::Usage]),
        rules_out: vec!["it does read its metrics: it knows that it wants more".to_owned()],
        suggests: vec![ActionKind::SetHpaBounds],
    })
}
