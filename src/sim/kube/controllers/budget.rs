//! Disruption budgets: how many of the pods they cover may be evicted right now.

use serde_json::{Value, json};

use crate::sim::kube::json::{int, put, share, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{controller, generation, name, namespace, terminating};
use crate::sim::kube::pod;
use crate::sim::kube::selectors::matches_selector;
use crate::sim::kube::state::State;

pub(super) fn reconcile(state: &mut State, budget: &Value) {
    let covered: Vec<&Value> = state
        .objects
        .list(Kind::Pod, namespace(budget))
        .filter(|pod| matches_selector(budget.pointer("/spec/selector"), pod))
        .collect();
    let healthy = covered.iter().filter(|pod| pod::is_ready(pod) && !terminating(pod)).count();
    let healthy = i64::try_from(healthy).unwrap_or(0);
    let expected = expected(state, &covered);
    let desired = desired(budget, expected);
    let allowed = healthy.saturating_sub(desired).max(0);
    let since = super::super::json::time(state.now());
    let held = text(budget, "/status/conditions/0/status");
    let holds = if allowed > 0 { "True" } else { "False" };
    let since = if held == holds {
        text(budget, "/status/conditions/0/lastTransitionTime").to_owned()
    } else {
        since
    };
    let status = json!({
        "conditions": [{
            "lastTransitionTime": since,
            "message": "",
            "observedGeneration": generation(budget),
            "reason": if allowed > 0 { "SufficientPods" } else { "InsufficientPods" },
            "status": holds,
            "type": "DisruptionAllowed",
        }],
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation(budget),
    });
    state.objects.modify(Kind::PodDisruptionBudget, namespace(budget), name(budget), |budget| {
        put(budget, &["status"], status);
    });
}

/// The pods that the controllers of the covered pods ask for in sum.
fn expected(state: &State, covered: &[&Value]) -> i64 {
    let mut seen = std::collections::BTreeMap::new();
    for pod in covered {
        let Some((kind, set, id)) = controller(pod) else { continue };
        let space = namespace(pod);
        let above = match kind {
            "ReplicaSet" => state.objects.get(Kind::ReplicaSet, space, set).and_then(|set| {
                let (_, deployment, id) = controller(set)?;
                Some((id.to_owned(), state.objects.get(Kind::Deployment, space, deployment)?))
            }),
            _ => state.objects.get(Kind::StatefulSet, space, set).map(|set| (id.to_owned(), set)),
        };
        if let Some((id, object)) = above {
            seen.insert(id, int(object, "/spec/replicas"));
        }
    }
    seen.values().sum()
}

fn desired(budget: &Value, expected: i64) -> i64 {
    let least = share(budget.pointer("/spec/minAvailable"), expected, true);
    let most_out = share(budget.pointer("/spec/maxUnavailable"), expected, true);
    match (least, most_out) {
        (Some(least), _) => least,
        (None, Some(out)) => expected.saturating_sub(out).max(0),
        (None, None) => expected,
    }
}
