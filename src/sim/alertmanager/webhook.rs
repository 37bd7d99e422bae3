//! The webhook body, version 4, as Alertmanager 0.33 writes it, and its delivery.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::groups::Alert;
use super::{Labels, Receiver, Rule};

/// Go's zero time: how a firing alert says that it has no end.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// What the simulated Alertmanager calls itself: the version its bodies were recorded from.
const USER_AGENT: &str = "Alertmanager/0.33.1";
/// The longest that a receiver may take, in real time: the flush context's floor in Alertmanager.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct One<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: Labels,
    #[serde(rename = "startsAt")]
    starts_at: String,
    #[serde(rename = "endsAt")]
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// The whole body.
pub(super) fn body(
    receiver: &Receiver,
    group: &Labels,
    reason: &'static str,
    alerts: &[Alert],
    external_url: &str,
) -> Value {
    let ones: Vec<One<'_>> = alerts.iter().map(one).collect();
    let firing = alerts.iter().any(|alert| alert.ends.is_none());
    let annotations: Vec<Labels> = alerts.iter().map(|alert| alert.rule.annotations(&alert.labels)).collect();
    let labels: Vec<Labels> = alerts.iter().map(|alert| alert.labels.clone()).collect();
    json!({
        "receiver": receiver.name,
        "status": if firing { "firing" } else { "resolved" },
        "alerts": ones,
        "notification_reason": reason,
        "groupLabels": group,
        "commonLabels": common(&labels),
        "commonAnnotations": common(&annotations),
        "externalURL": external_url,
        "version": "4",
        "groupKey": group_key(group),
        "truncatedAlerts": 0,
    })
}

fn one(alert: &Alert) -> One<'_> {
    One {
        status: if alert.ends.is_none() { "firing" } else { "resolved" },
        labels: &alert.labels,
        annotations: alert.rule.annotations(&alert.labels),
        starts_at: alert.starts.to_string(),
        ends_at: alert.ends.map_or_else(|| NEVER.to_owned(), |ends: Timestamp| ends.to_string()),
        generator_url: generator(alert.rule),
        fingerprint: fingerprint(&alert.labels),
    }
}

/// Where a person would see the expression.
pub(super) fn generator(rule: Rule) -> String {
    let query = serde_urlencoded::to_string([("g0.expr", rule.expression()), ("g0.tab", "1")]);
    format!("http://prometheus.sim:9090/graph?{}", query.unwrap_or_default())
}

/// The pairs that all have.
fn common(all: &[Labels]) -> Labels {
    let Some((first, rest)) = all.split_first() else { return Labels::new() };
    let shared = |key: &String, value: &String| rest.iter().all(|other| other.get(key) == Some(value));
    first
        .iter()
        .filter(|(key, value)| shared(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// `{}:{alertname="X", namespace="Y"}`: the route has no matchers.
pub(super) fn group_key(group: &Labels) -> String {
    let pairs: Vec<String> = group.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
    format!("{{}}:{{{}}}", pairs.join(", "))
}

/// FNV-1a over the sorted label pairs, each part closed by the byte 255 (`model.LabelSet.Fingerprint` of
/// the Prometheus common library), as 16 hexadecimal digits.
pub fn fingerprint(labels: &Labels) -> String {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let add = |hash: u64, part: &str| {
        let bytes = part.bytes().chain(std::iter::once(0xff));
        bytes.fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    };
    let hash = labels.iter().fold(BASIS, |hash, (key, value)| add(add(hash, key), value));
    format!("{hash:016x}")
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Accepted,
    /// A 5xx answer or none: tried again soon.
    TryAgain,
    /// Any other answer: not tried again with this flush.
    Refused,
}

pub(super) async fn deliver(client: &reqwest::Client, receiver: &Receiver, body: &Value) -> Delivery {
    let mut request = client.post(&receiver.url).timeout(TIMEOUT).header("user-agent", USER_AGENT).json(body);
    if let Some(token) = &receiver.bearer {
        request = request.bearer_auth(token);
    }
    match request.send().await {
        Ok(response) if response.status().is_success() => Delivery::Accepted,
        Ok(response) if response.status().is_server_error() => Delivery::TryAgain,
        Ok(_) => Delivery::Refused,
        Err(_) => Delivery::TryAgain,
    }
}
