//! Evictions: a uid precondition, then the disruption budgets, then the pod's end.

use serde_json::{Value, json};

use super::api::stored;
use super::json::{int, text};
use super::kinds::Kind;
use super::kubelet;
use super::objects::{name, namespace, terminating, uid};
use super::patch;
use super::pod;
use super::route::{Request, Target};
use super::selectors::matches_selector;
use super::state::State;
use super::status::{Answer, Refusal, Reply};

pub(crate) fn create(state: &mut State, request: &Request, target: &Target) -> Reply {
    if target.kind != Kind::Pod {
        return Err(Refusal::method_not_allowed());
    }
    let body: Value = patch::parse(&request.body)?;
    let named = text(&body, "/metadata/name");
    if !named.is_empty() && named != target.name {
        return Err(Refusal::bad_request("name in URL does not match name in Eviction object"));
    }
    let evicted = stored(state, target)?;
    let asked = text(&body, "/deleteOptions/preconditions/uid");
    if !asked.is_empty() && asked != uid(&evicted) {
        return Err(Refusal::evicts_another(name(&evicted), asked, uid(&evicted)));
    }
    if !terminating(&evicted) {
        budget_allows(state, &evicted)?;
    }
    if !request.dry_run() && kubelet::stop(state, uid(&evicted)) {
        let count = state.evictions.entry(uid(&evicted).to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    Ok(Answer::json(
        201,
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }),
    ))
}

/// A pod that has not started does not count; one that is not ready may go while the budget is kept.
fn budget_allows(state: &State, evicted: &Value) -> Result<(), Refusal> {
    if text(evicted, "/status/phase") == "Pending" {
        return Ok(());
    }
    let covers = |budget: &&Value| matches_selector(budget.pointer("/spec/selector"), evicted);
    let budgets: Vec<&Value> =
        state.objects.list(Kind::PodDisruptionBudget, namespace(evicted)).filter(covers).collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(()),
        [budget] => *budget,
        _ => return Err(Refusal::two_budgets()),
    };
    let (needs, has) = (int(budget, "/status/desiredHealthy"), int(budget, "/status/currentHealthy"));
    let always = text(budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow";
    let allowed = if pod::is_ready(evicted) {
        int(budget, "/status/disruptionsAllowed") > 0
    } else {
        always || (has >= needs && needs > 0)
    };
    if allowed { Ok(()) } else { Err(Refusal::disruption(name(budget), needs, has)) }
}
