//! Prometheus' rules that make alerts, with the alerts that they make.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{ALSO, Answer, Prometheus};
use crate::domain::alert::Labels;
use crate::ports::alerting::{Firing, Rule, Rules};
use crate::ports::reads::ReadError;

/// 2,000 rules of a KiB, and 14,000 alerts of one.
const BODY: usize = 16 << 20;
/// What is asked for, in messages.
const WHAT: &str = "the alerting rules of Prometheus";

#[derive(Deserialize)]
struct Data {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Either>,
}

/// Recording rules are left out by Prometheus itself, and by whoever does not know `type=alert` they are not.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Either {
    Alerting(Alerting),
    Recording(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Alerting {
    name: String,
    query: String,
    /// Seconds.
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    active_at: Option<Timestamp>,
    value: String,
}

impl From<Alerting> for Rule {
    fn from(rule: Alerting) -> Self {
        let Alerting { name, query, duration, labels, annotations, alerts } = rule;
        let holds = SignedDuration::try_from_secs_f64(duration).unwrap_or_default();
        // one that only will fire has told nobody yet
        let firing = alerts.into_iter().filter(|alert| alert.state == "firing").filter_map(firing).collect();
        Self { name, expression: query, holds, labels, annotations, firing }
    }
}

fn firing(alert: Alert) -> Option<Firing> {
    let Alert { labels, annotations, state: _, active_at, value } = alert;
    Some(Firing {
        fingerprint: None,
        labels,
        annotations,
        since: active_at?,
        silenced_by: vec![],
        quiet: false,
        value: value.parse().ok().filter(|value: &f64| !value.is_nan()),
    })
}

#[async_trait]
impl Rules for Prometheus {
    async fn rules(&self) -> Result<Vec<Rule>, ReadError> {
        let api = self.0.with_body(BODY);
        let answer: Answer<Data> =
            api.get(WHAT, &["api", "v1", "rules"], &[("type", "alert")], &ALSO).await?;
        let rules = answer.whole(WHAT)?.groups.into_iter().flat_map(|group| group.rules);
        let alerting = rules.filter_map(|rule| match rule {
            Either::Alerting(rule) => Some(Rule::from(rule)),
            Either::Recording(_) => None,
        });
        Ok(alerting.collect())
    }
}
