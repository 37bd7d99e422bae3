//! The reads behind the tools: the namespace, the names, the caps, and what is said where something is left out.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::args::{ChangeArgs, LONGEST, QueryArgs, RangeArgs, ServiceArgs};
use super::views::{
    ChangeRow, Changes, LimitRow, Queried, Ranged, SampleRow, SeriesRow, ServiceMetric, ShiftRow, TrendRow,
    labels, number, shape, when,
};
use crate::domain::change::{self, Meets};
use crate::domain::measure::{Limit, Measures};
use crate::domain::series::{Aggregation, Series, Window};
use crate::ports::clock::SharedClock;
use crate::ports::reads::{MOST_STEPS, Metrics};
use crate::servers::kit::{Extent, Moment, Scope, Span, Trouble, did_you_mean, list, object_name, quoted};

/// Steps of a stretch: each block of a sparkline is the mean of six.
const STEPS: u32 = 240;
/// The shortest step: scrapes are rarely closer.
const LEAST: SignedDuration = SignedDuration::from_secs(15);
/// Series that are shown of one answer: with 40 numbers each, 4 KiB a series at most.
const SERIES: usize = 20;
/// Samples that are shown of one answer: a screen.
const SAMPLES: usize = 50;

/// What is measured, and what may be looked at.
#[derive(Clone)]
pub struct Eyes {
    metrics: Arc<dyn Metrics>,
    measures: Arc<Measures>,
    clock: SharedClock,
    pub(super) scope: Scope,
}

impl Eyes {
    /// Asks `metrics` for what `measures` has names for, within `scope`.
    pub fn new(metrics: Arc<dyn Metrics>, measures: Arc<Measures>, clock: SharedClock, scope: Scope) -> Self {
        Self { metrics, measures, clock, scope }
    }

    /// A metric of a service over a period.
    pub async fn service(&self, args: &ServiceArgs) -> Result<ServiceMetric, Trouble> {
        let ServiceArgs { namespace, service, metric, period, aggregation } = args;
        let now = self.clock.now();
        let from = now.saturating_sub(SignedDuration::from_mins(period.minutes())).unwrap_or(now);
        let window = Window::of(from, now, STEPS, LEAST);
        let promql = self.promql(namespace, service, metric, window)?;
        let aggregation = Aggregation::from(*aggregation);
        let all = self.metrics.range(&promql, window).await?;
        let (extent, series) = first(&all, |series| SeriesRow::of(series, window, Some(aggregation)));
        Ok(ServiceMetric {
            namespace: namespace.clone(),
            service: service.clone(),
            metric: metric.clone(),
            unit: self.unit(metric),
            aggregation: aggregation.name().to_owned(),
            since: when(window.from),
            until: when(window.to),
            step_seconds: window.step.as_secs().unsigned_abs(),
            promql,
            extent,
            series,
        })
    }

    /// What changed of a metric.
    pub async fn changes(&self, args: &ChangeArgs) -> Result<Changes, Trouble> {
        let ChangeArgs { namespace, service, metric, since, limit } = args;
        let span = Span::read(since, None, self.clock.now())?;
        let window = Window::of(span.since, span.until, STEPS, LEAST);
        let promql = self.promql(namespace, service, metric, window)?;
        if limit.is_some_and(|limit| !limit.is_finite()) {
            return Err(Trouble::Argument("`limit` is no number".to_owned()));
        }
        let all = self.metrics.range(&promql, window).await?;
        let limit = match limit {
            Some(limit) => Some((*limit, "as asked".to_owned(), false)),
            None => self.limit(args, window).await,
        };
        let (extent, series) = first(&all, |series| changed(series, window, limit.as_ref()));
        Ok(Changes {
            namespace: namespace.clone(),
            service: service.clone(),
            metric: metric.clone(),
            unit: self.unit(metric),
            since: when(window.from),
            until: when(window.to),
            extent,
            series,
        })
    }

    /// The metric's own limit, who says so, and that it is met from below. None where it cannot be read: what changed
    /// is worth saying without it.
    async fn limit(&self, args: &ChangeArgs, window: Window) -> Option<(f64, String, bool)> {
        match self.measures.limit(&args.metric)? {
            Limit::Whole => Some((1.0, "all of it".to_owned(), true)),
            Limit::Measure(name) => {
                let promql = self.promql(&args.namespace, &args.service, name, window).ok()?;
                let samples = self.metrics.query(&promql, window.to).await.ok()?;
                let [only] = samples.as_slice() else { return None };
                (only.value.is_finite() && only.value > 0.0).then(|| (only.value, format!("`{name}`"), true))
            }
        }
    }

    /// Any query of a moment.
    pub async fn query(&self, args: &QueryArgs) -> Result<Queried, Trouble> {
        self.raw(&args.promql)?;
        let now = self.clock.now();
        let Moment(at) = args.at.as_deref().map_or(Ok(Moment(now)), |at| Moment::read("at", at, now))?;
        let mut all = self.metrics.query(&args.promql, at).await?;
        all.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.labels.cmp(&b.labels)));
        let row = |sample: &crate::ports::reads::Sample| SampleRow {
            labels: labels(&sample.labels),
            value: number(sample.value),
        };
        let samples: Vec<SampleRow> = all.iter().take(SAMPLES).map(row).collect();
        Ok(Queried { at: when(at), extent: extent(samples.len(), all.len()), samples })
    }

    /// Any query over a stretch of time.
    pub async fn query_range(&self, args: &RangeArgs) -> Result<Ranged, Trouble> {
        let RangeArgs { promql, since, until, step_seconds } = args;
        self.raw(promql)?;
        let span = Span::read(since, until.as_deref(), self.clock.now())?;
        let asked = i64::from(step_seconds.unwrap_or(0));
        let most = if asked > 0 { MOST_STEPS } else { STEPS };
        let least = if asked > 0 { SignedDuration::from_secs(asked) } else { LEAST };
        let window = Window::of(span.since, span.until, most, least);
        let step = window.step.as_secs();
        let note = (asked > 0 && step > asked)
            .then(|| format!("a step of {asked} s would give more than {MOST_STEPS} points"));
        let all = self.metrics.range(promql, window).await?;
        let (extent, series) = first(&all, |series| SeriesRow::of(series, window, None));
        let (since, until) = (when(window.from), when(window.to));
        Ok(Ranged { since, until, step_seconds: step.unsigned_abs(), note, extent, series })
    }

    /// Whether any query may be asked: none can be held to a namespace.
    fn raw(&self, promql: &str) -> Result<(), Trouble> {
        if !self.scope.is_everywhere() {
            let allowed = list(self.scope.allowed().iter().map(String::as_str));
            return Err(Trouble::Argument(format!(
                "a query of one's own cannot be held to a namespace, and this server looks only into {allowed}: use \
                 `get_service_metrics` or `detect_change`"
            )));
        }
        if promql.trim().is_empty() || promql.len() > LONGEST as usize {
            let why = format!("`promql` must be 1 to {LONGEST} bytes, and is {}", promql.len());
            return Err(Trouble::Argument(why));
        }
        Ok(())
    }

    /// The query of a named metric; its rates are over no less than a step, so that no sample falls between.
    fn promql(
        &self,
        namespace: &str,
        service: &str,
        metric: &str,
        window: Window,
    ) -> Result<String, Trouble> {
        self.scope.check(namespace)?;
        object_name(service, "a service")?;
        if self.measures.names().all(|name| name != metric) {
            return Err(self.no_metric(metric));
        }
        self.measures.of_service(metric, namespace, service, window.step).map_err(Trouble::Argument)
    }

    fn no_metric(&self, metric: &str) -> Trouble {
        let hint = did_you_mean(metric, self.measures.names());
        let known: Vec<&str> = self.measures.names().collect();
        let metric = quoted(metric);
        Trouble::Argument(format!("there is no metric `{metric}`: there are {}{hint}", known.join(", ")))
    }

    fn unit(&self, metric: &str) -> Option<String> {
        self.measures.unit(metric).map(|unit| unit.name().to_owned())
    }
}

fn extent(shown: usize, all: usize) -> Extent {
    Extent { shown: shown as u64, total: Some(all as u64), at_least: all as u64 }
}

/// The first series in the order of their labels, and how much that is of all.
fn first<R>(all: &[Series], row: impl Fn(&Series) -> R) -> (Extent, Vec<R>) {
    let mut all: Vec<&Series> = all.iter().collect();
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    let rows: Vec<R> = all.iter().take(SERIES).map(|series| row(series)).collect();
    (extent(rows.len(), all.len()), rows)
}

/// What changed of one series. A limit with `below` is met from below only; any other from the side that it is on.
fn changed(series: &Series, window: Window, limit: Option<&(f64, String, bool)>) -> ChangeRow {
    let shift = change::shift(&series.points);
    let trend = change::trend(&series.points, shift.as_ref());
    let last = series.points.last();
    let limit = limit.zip(trend).map(|((value, source, below), trend)| {
        let met = change::meets(&trend, *value, *below || trend.now <= *value);
        let met_at = match met {
            Meets::At(at) => Some(when(at)),
            Meets::Already | Meets::Far | Meets::Never => None,
        };
        LimitRow { value: number(*value), source: source.clone(), met_at, says: says(met, window.to) }
    });
    ChangeRow {
        labels: labels(&series.labels),
        points: series.points.len() as u64,
        last: last.and_then(|point| number(point.value)),
        shift: shift.map(|shift| ShiftRow {
            at: when(shift.at),
            before: number(shift.before),
            after: number(shift.after),
            deviations: number(shift.apart),
        }),
        trend: trend.map(|trend| TrendRow {
            direction: trend.direction.name().to_owned(),
            per_hour: number(trend.per_hour),
            fit: number(trend.fit),
            since: when(trend.since),
        }),
        limit,
        shape: shape(series, window),
    }
}

/// When a limit is met, in words.
fn says(met: Meets, now: Timestamp) -> String {
    match met {
        Meets::Already => "met already".to_owned(),
        Meets::At(at) => {
            let minutes = at.duration_since(now).as_mins().max(0);
            let wait = match minutes {
                0..120 => format!("{minutes} minutes"),
                120..2880 => format!("{} hours", minutes / 60),
                _ => format!("{} days", minutes / 1440),
            };
            format!("met in about {wait}, at {}, if it goes on like this", when(at))
        }
        Meets::Far => "not met within 30 days".to_owned(),
        Meets::Never => "not met as it goes now".to_owned(),
    }
}
