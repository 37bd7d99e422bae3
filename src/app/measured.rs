//! The measures that a grant names, asked for: when the act was done, and now.

use futures::future::join_all;
use jiff::Timestamp;

use super::sites::Site;
use crate::domain::cluster::Part;
use crate::domain::measure::MeasureRule;
use crate::domain::record::Intent;
use crate::execute::verify::Measured;
use crate::ports::reads::{Metrics, Sample};

/// Each measure of the intent's grant, at these two moments. What a server keeps of the first is as good as if it
/// had been asked then, and outlives this process.
pub(super) async fn measured(site: &Site, intent: &Intent, [acted, now]: [Timestamp; 2]) -> Vec<Measured> {
    let one = async |rule: &MeasureRule| {
        let none = || Err("no Prometheus is configured that could be asked".to_owned());
        let query = site.measures.query(&rule.measure, &intent.plan.owner.0.named);
        let (query, metrics) = match (query, &site.metrics) {
            (Ok(query), Some(metrics)) => (query, &**metrics),
            (Err(why), _) => return unknown(rule, Err(why)),
            (Ok(_), None) => return unknown(rule, none()),
        };
        let then =
            async { if rule.compares() { value(metrics, &query, acted).await.map(Some) } else { Ok(None) } };
        let (before, now) = tokio::join!(then, value(metrics, &query, now));
        Measured { rule: rule.clone(), before, now }
    };
    join_all(intent.terms.verify.metrics.iter().map(one)).await
}

fn unknown(rule: &MeasureRule, why: Part<f64>) -> Measured {
    Measured { rule: rule.clone(), before: Ok(None), now: why }
}

/// The one value of a query. Nothing, or several, is not what was to be measured.
async fn value(metrics: &dyn Metrics, query: &str, at: Timestamp) -> Part<f64> {
    let samples = metrics.query(query, at).await.map_err(|e| e.to_string())?;
    match samples.as_slice() {
        [Sample { value, .. }] => Ok(*value),
        [] => Err("its query gives nothing".to_owned()),
        many => Err(format!("its query gives {} series: aggregate it to one", many.len())),
    }
}
