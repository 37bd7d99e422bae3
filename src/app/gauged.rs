//! Measurements around a snapshot: the fixed table, asked at once and within a deadline.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::domain::cluster::{Snapshot, Usage};
use crate::domain::gauge::{self, Asked, Gauge, Gauges, Reading};
use crate::domain::redact;
use crate::ports::reads::{Metrics, Sample};

/// How long all of it may take: the brief is to be there within seconds. As of a request, in the network's time.
const WITHIN: Duration = Duration::from_secs(8);
/// Samples of one query that are kept: the pods that are asked about, and a namespace's certificates.
const SAMPLES: usize = 50;

/// Measures what the table has, and stands in for the metrics API where that does not answer.
pub(super) async fn gauged(metrics: &dyn Metrics, snapshot: &mut Snapshot) {
    let table = gauge::table(snapshot);
    let late = || Err(format!("no answer within {} seconds", WITHIN.as_secs()));
    let one = async |asked: &Asked| {
        let answer = timeout(WITHIN, metrics.query(&asked.promql, asked.at)).await;
        let answer = answer.map_or_else(|_| late(), |answer| answer.map_err(|e| e.to_string()));
        (asked.gauge, answer)
    };
    let mut gauges = Gauges::default();
    for (gauge, answer) in join_all(table.iter().map(one)).await {
        match answer {
            Ok(samples) => {
                gauges.readings.extend(samples.into_iter().take(SAMPLES).map(|s| reading(gauge, &s)));
            }
            Err(why) => {
                let sentence = format!("{}: {}", gauge.name(), redact::line(&why, 200));
                if !gauges.unread.contains(&sentence) {
                    gauges.unread.push(sentence);
                }
            }
        }
    }
    if snapshot.usage.is_err()
        && let Some(usage) = usage(snapshot, &gauges)
    {
        snapshot.usage = Ok(usage);
    }
    snapshot.gauges = gauges;
}

fn reading(gauge: Gauge, sample: &Sample) -> Reading {
    let subject = gauge.label().and_then(|label| sample.labels.get(label));
    // past any real measure the number stays at the end of the scale
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let milli = (sample.value * 1_000.0) as i64;
    Reading { gauge, subject: subject.map(|s| redact::line(s, 253)).unwrap_or_default(), milli }
}

/// Use of the owner's pods by cAdvisor's counters: only of pods that the API server knows, and only both numbers.
fn usage(snapshot: &Snapshot, gauges: &Gauges) -> Option<Vec<Usage>> {
    let pods = snapshot.pods.as_ref().ok()?;
    let one = |pod: &String| {
        let cpu = gauges.about(Gauge::CpuUsed, pod)?;
        let memory = gauges.about(Gauge::MemoryUsed, pod)? / 1_000;
        Some(Usage {
            pod: pod.clone(),
            cpu_millis: u32::try_from(cpu).ok()?,
            memory_bytes: u64::try_from(memory).ok()?,
        })
    };
    let usage: Vec<Usage> = pods.iter().filter_map(|pod| one(&pod.object.named.name)).collect();
    (!usage.is_empty()).then_some(usage)
}
