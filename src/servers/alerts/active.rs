//! What fires in a namespace, each alert with what its rule compares: the value now, the threshold, the trend.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use tokio::time::timeout;

use super::args::{ActiveArgs, MOST_ROWS};
use super::sources::Eyes;
use super::views::{Active, AlertRow, labels, long, name, number, sentence, when};
use crate::domain::alert::Labels;
use crate::domain::change::{self, Meets};
use crate::domain::comparison::{Comparison, comparison};
use crate::domain::redact;
use crate::domain::series::{Series, Window, binned, short, sparkline};
use crate::domain::signature;
use crate::ports::alerting::{Firing, Rule};
use crate::ports::reads::Metrics;
use crate::servers::kit::{Extent, Trouble};

/// Rules whose values are asked for: one query each, at once.
const RULES: usize = 10;
/// How long all of them may take: an answer without values is better than none within a tool's 15 seconds.
const WITHIN: Duration = Duration::from_secs(8);
/// How far back a trend is looked for.
const BACK: SignedDuration = SignedDuration::from_hours(1);
/// Its points: one a minute.
const POINTS: u32 = 60;
/// Blocks of its picture.
const WIDTH: usize = 20;

/// What a rule compares, and the series behind it.
struct Measured {
    comparison: Comparison,
    series: Result<Vec<Series>, String>,
}

impl Eyes {
    /// What fires.
    pub async fn active(&self, args: &ActiveArgs) -> Result<Active, Trouble> {
        let ActiveArgs { namespace, alert, limit } = args;
        self.scope.check(namespace)?;
        let mut firing = self.firing(namespace).await?;
        firing.retain(|f| alert.as_ref().is_none_or(|alert| f.labels.get("alertname") == Some(alert)));
        firing.sort_by_key(|f| (loudness(&f.labels), f.quiet, std::cmp::Reverse(f.since), f.labels.clone()));
        let total = firing.len() as u64;
        firing.truncate((*limit).clamp(1, MOST_ROWS) as usize);
        let (rules, mut notes) = self.rules().await;
        let pairs: Vec<(Firing, Option<&Rule>)> = firing
            .into_iter()
            .map(|f| {
                let rule = behind(&rules, &f.labels);
                (f, rule)
            })
            .collect();
        let window = self.window();
        let measured = self.measured(&pairs, window, &mut notes).await;
        let row = |(firing, rule): &(Firing, Option<&Rule>)| {
            row(firing, *rule, rule.and_then(|rule| measured.get(&rule.expression)), window)
        };
        let alerts: Vec<AlertRow> = pairs.iter().map(row).collect();
        let extent = Extent { shown: alerts.len() as u64, total: Some(total), at_least: total };
        Ok(Active { namespace: namespace.clone(), extent, notes, alerts })
    }

    fn window(&self) -> Window {
        let now = self.sources.clock.now();
        Window::of(now.saturating_sub(BACK).unwrap_or(now), now, POINTS, SignedDuration::from_secs(15))
    }

    /// The rules, or why there are none.
    async fn rules(&self) -> (Vec<Rule>, Vec<String>) {
        let Some(rules) = &self.sources.rules else {
            return (vec![], vec!["no thresholds: the configuration has no `prometheus`".to_owned()]);
        };
        match rules.rules().await {
            Ok(rules) => (rules, vec![]),
            Err(error) => (vec![], vec![format!("no thresholds: {error}")]),
        }
    }

    /// The series behind the rules that have a comparison, by their expressions.
    async fn measured(
        &self,
        pairs: &[(Firing, Option<&Rule>)],
        window: Window,
        notes: &mut Vec<String>,
    ) -> BTreeMap<String, Measured> {
        let Some(metrics) = &self.sources.metrics else { return BTreeMap::new() };
        let mut asked: Vec<(String, Comparison)> = Vec::new();
        for expression in pairs.iter().filter_map(|(_, rule)| rule.map(|rule| &rule.expression)) {
            if asked.iter().all(|(known, _)| known != expression)
                && let Some(found) = comparison(expression)
            {
                asked.push((expression.clone(), found));
            }
        }
        if asked.len() > RULES {
            notes.push(format!("trends of {RULES} of {} rules only", asked.len()));
        }
        let many = asked.len().min(RULES);
        let ask = async |(n, (expression, comparison)): (usize, (String, Comparison))| {
            let series = if n < many { series(&**metrics, &comparison, window).await } else { Ok(vec![]) };
            (expression, Measured { comparison, series })
        };
        let found = join_all(asked.into_iter().enumerate().map(ask)).await;
        let failed = found.iter().filter_map(|(_, m)| m.series.as_ref().err());
        notes.extend(failed.take(1).map(|why| format!("values are those that rules saw last: {why}")));
        found.into_iter().collect()
    }
}

async fn series(
    metrics: &dyn Metrics,
    comparison: &Comparison,
    window: Window,
) -> Result<Vec<Series>, String> {
    match timeout(WITHIN, metrics.range(&comparison.value, window)).await {
        Ok(read) => read.map_err(|e| redact::line(&e.to_string(), 240)),
        Err(_) => Err(format!("no answer within {} seconds", WITHIN.as_secs())),
    }
}

/// The rule behind an alert: of its name, and with no label that the alert has otherwise.
fn behind<'a>(rules: &'a [Rule], labels: &Labels) -> Option<&'a Rule> {
    let name = labels.get("alertname")?;
    let of = |rule: &&Rule| rule.name == *name;
    let speaks = |rule: &&Rule| rule.firing.iter().any(|firing| within(&firing.labels, labels));
    // labels with places in them are text until the rule is evaluated
    let fits = |rule: &&Rule| {
        let fixed = rule.labels.iter().filter(|(_, value)| !value.contains("{{"));
        fixed.into_iter().all(|(label, value)| labels.get(label) == Some(value))
    };
    let theirs = || rules.iter().filter(of);
    theirs().find(speaks).or_else(|| theirs().find(fits))
}

/// Whether every label stands in the others with the same value.
fn within(labels: &Labels, others: &Labels) -> bool {
    labels.iter().all(|(label, value)| others.get(label) == Some(value))
}

/// The one series that the alert was made from.
fn behind_it<'a>(all: &'a [Series], rule: &Rule, alert: &Labels) -> Option<&'a Series> {
    let from = |series: &&Series| {
        let own = series.labels.iter().filter(|(label, _)| *label != "__name__");
        own.into_iter()
            .all(|(label, value)| rule.labels.contains_key(label) || alert.get(label) == Some(value))
    };
    let mut found = all.iter().filter(from);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// Critical before warning before the rest.
fn loudness(labels: &Labels) -> u8 {
    match labels.get("severity").map(String::as_str) {
        Some("critical" | "page" | "error" | "high") => 0,
        Some("info" | "none") => 2,
        _ => 1,
    }
}

fn row(firing: &Firing, rule: Option<&Rule>, measured: Option<&Measured>, window: Window) -> AlertRow {
    let series = rule.zip(measured).and_then(|(rule, measured)| {
        behind_it(measured.series.as_deref().unwrap_or_default(), rule, &firing.labels)
    });
    let seen = rule.and_then(|rule| rule.firing.iter().find(|f| within(&f.labels, &firing.labels)));
    let last = series.and_then(|series| series.points.last()).map(|point| point.value);
    let value = last.or(firing.value).or(seen.and_then(|f| f.value));
    let threshold =
        measured.map(|m| format!("{} {}", m.comparison.operator.symbol(), m.comparison.threshold));
    let annotation = |keys: &[&str]| {
        let own = keys.iter().find_map(|key| firing.annotations.get(*key));
        own.or_else(|| keys.iter().find_map(|key| rule?.annotations.get(*key))).filter(|t| !t.is_empty())
    };
    AlertRow {
        alert: name(firing.labels.get("alertname").map_or("", String::as_str)),
        severity: firing.labels.get("severity").map(|s| name(s)),
        service: signature::service(&firing.labels).map(name),
        since: when(firing.since),
        quiet: firing.quiet,
        silences: firing.silenced_by.iter().take(3).map(|id| name(id)).collect(),
        value: value.and_then(number),
        threshold: threshold.map(|t| long(&t)),
        trend: series.zip(measured).and_then(|(series, measured)| trend(series, &measured.comparison)),
        shape: series.map(|s| sparkline(&binned(&s.points, window.from, window.to, WIDTH))),
        expression: rule.map(|rule| long(&rule.expression)),
        runbook: annotation(&["runbook_url", "runbook"]).map(|t| long(t)),
        summary: annotation(&["summary", "message", "description"])
            .filter(|text| !text.contains("{{"))
            .map(|t| sentence(t)),
        labels: labels(&firing.labels),
    }
}

/// Where the value goes, and when it will be on the good side of its threshold again.
fn trend(series: &Series, comparison: &Comparison) -> Option<String> {
    let shift = change::shift(&series.points);
    let trend = change::trend(&series.points, shift.as_ref())?;
    let word = trend.direction.name();
    let per_hour = match trend.direction {
        change::Direction::Flat => String::new(),
        change::Direction::Rising => format!(" by {} an hour", short(trend.per_hour)),
        change::Direction::Falling => format!(" by {} an hour", short(-trend.per_hour)),
    };
    let back = || {
        let threshold: f64 = comparison.threshold.parse().ok()?;
        // it comes back from the other side
        match change::meets(&trend, threshold, !comparison.operator.above()?) {
            Meets::At(at) => Some(format!(", back at about {}", when(at))),
            Meets::Already | Meets::Far | Meets::Never => None,
        }
    };
    let since = shift.map(|shift| format!(", since a shift at {}", when(shift.at))).unwrap_or_default();
    Some(format!("{word}{per_hour}{since}{}", back().unwrap_or_default()))
}
