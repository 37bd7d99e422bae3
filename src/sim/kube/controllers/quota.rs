//! Quotas: what of them is used, and whether one more pod would go beyond.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sim::kube::json::{bytes, items, millicores, put, text};
use crate::sim::kube::kinds::Kind;
use crate::sim::kube::objects::{name, namespace, terminating};
use crate::sim::kube::state::State;

/// Brings a quota's status up to date.
pub(super) fn reconcile(state: &mut State, quota: &Value) {
    let hard = quota.pointer("/spec/hard").cloned().unwrap_or_else(|| json!({}));
    let used = used(state, quota);
    let shown: BTreeMap<String, String> = limits(quota)
        .into_keys()
        .map(|of| (of.clone(), written(&of, used.get(&of).copied().unwrap_or(0))))
        .collect();
    let status = json!({ "hard": hard, "used": shown });
    state
        .objects
        .modify(Kind::ResourceQuota, namespace(quota), name(quota), |quota| put(quota, &["status"], status));
}

/// The API server's words where a quota forbids a pod of this template.
pub(super) fn forbids(state: &State, space: &str, template: &Value, pod: &str) -> Option<String> {
    let wanted = asks(template);
    state.objects.list(Kind::ResourceQuota, space).find_map(|quota| {
        let used = used(state, quota);
        let over: Vec<(String, u64, u64, u64)> = limits(quota)
            .into_iter()
            .filter_map(|(of, hard)| {
                let (has, more) =
                    (used.get(&of).copied().unwrap_or(0), wanted.get(&of).copied().unwrap_or(0));
                (more > 0 && has.saturating_add(more) > hard).then_some((of, more, has, hard))
            })
            .collect();
        let list = |pick: fn(&(String, u64, u64, u64)) -> u64| {
            let parts: Vec<String> =
                over.iter().map(|row| format!("{}={}", row.0, written(&row.0, pick(row)))).collect();
            parts.join(",")
        };
        (!over.is_empty()).then(|| {
            format!(
                "pods \"{pod}\" is forbidden: exceeded quota: {}, requested: {}, used: {}, limited: {}",
                name(quota),
                list(|row| row.1),
                list(|row| row.2),
                list(|row| row.3)
            )
        })
    })
}

/// What the quota limits, in millicores, bytes or pieces.
fn limits(quota: &Value) -> BTreeMap<String, u64> {
    let hard = quota.pointer("/spec/hard").and_then(Value::as_object).into_iter().flatten();
    hard.filter_map(|(of, value)| Some((of.clone(), amount(of, value.as_str()?)?))).collect()
}

fn used(state: &State, quota: &Value) -> BTreeMap<String, u64> {
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for pod in state.objects.list(Kind::Pod, namespace(quota)).filter(|pod| !terminating(pod)) {
        for (of, amount) in asks(pod) {
            *sum.entry(of).or_default() += amount;
        }
    }
    sum
}

/// What a pod, or a template for one, adds.
fn asks(pod: &Value) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::from([("pods".to_owned(), 1), ("count/pods".to_owned(), 1)]);
    for container in items(pod, "/spec/containers") {
        for part in ["requests", "limits"] {
            for of in ["cpu", "memory"] {
                let Some(more) = amount(of, text(container, &format!("/resources/{part}/{of}"))) else {
                    continue;
                };
                *sum.entry(format!("{part}.{of}")).or_default() += more;
                if part == "requests" {
                    *sum.entry(of.to_owned()).or_default() += more;
                }
            }
        }
    }
    sum
}

fn amount(of: &str, quantity: &str) -> Option<u64> {
    match of.rsplit('.').next() {
        Some("cpu") => millicores(quantity),
        Some("memory") => bytes(quantity),
        _ => quantity.parse().ok(),
    }
}

fn written(of: &str, amount: u64) -> String {
    match of.rsplit('.').next() {
        Some("cpu") if amount.is_multiple_of(1000) => (amount / 1000).to_string(),
        Some("cpu") => format!("{amount}m"),
        Some("memory") if amount > 0 && amount.is_multiple_of(1 << 30) => format!("{}Gi", amount >> 30),
        Some("memory") if amount > 0 && amount.is_multiple_of(1 << 20) => format!("{}Mi", amount >> 20),
        _ => amount.to_string(),
    }
}
