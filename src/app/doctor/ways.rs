//! What tells of logs, traces, deploys, calls between services and people on call, each asked one small question.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{asked, source};
use crate::app::build::{self, BuildError};
use crate::app::own;
use crate::config::{Config, Site};
use crate::domain::sight::{Answer, Sense, Source};
use crate::ports::clock::SharedClock;
use crate::ports::logs;
use crate::ports::probe::Probed;
use crate::ports::traces::TraceQuery;

/// How far back a question looks: an answer, not what it says, is what counts.
const BACK: SignedDuration = SignedDuration::from_mins(5);
/// Deliverers that are asked: each is another answer to wait for, and they share one token and one address.
const DELIVERERS: usize = 20;
/// Whom traces are asked for.
const ANYBODY: &str = "belay";

/// Asks them, and adds what they answered.
pub(super) async fn add(
    config: &Config,
    of: Site<'_>,
    clock: &SharedClock,
    sources: &mut Vec<Source>,
) -> Result<(), BuildError> {
    let now = clock.now();
    let since = now.saturating_sub(BACK).unwrap_or(now);
    if let Some(logs) = stored_logs(of, clock, (since, now)).await? {
        sources.push(logs);
    }
    let traces = traces(of, clock, (since, now)).await?;
    let seen = traces.as_ref().is_some_and(Source::is_seen);
    sources.extend(traces);
    sources.extend(deliverers(of, clock).await?);
    sources.extend(map(of, clock, seen).await?);
    sources.extend(on_call(config, clock, now).await?);
    Ok(())
}

type Stretch = (Timestamp, Timestamp);

/// The store of logs, where one is configured: those of pods stand with the cluster.
async fn stored_logs(
    of: Site<'_>,
    clock: &SharedClock,
    (since, until): Stretch,
) -> Result<Option<Source>, BuildError> {
    if of.logs.is_none() {
        return Ok(None);
    }
    let build::Eyes { listing, .. } = build::eyes(of, clock).await?;
    let store = own::logs::source(of, &listing, clock)?;
    let namespace = of.limits.namespaces.first().unwrap_or(&of.limits.own_namespace).clone();
    let query = logs::Query {
        namespace,
        service: None,
        instance: None,
        since,
        until,
        least: None,
        pattern: None,
        context: 0,
        limit: 1,
        newest: true,
    };
    let (answer, _) = asked(clock, store.search(&query), |_| Probed::default()).await;
    Ok(Some(source(Sense::Logs, store.name(), "logs", answer)))
}

async fn traces(
    of: Site<'_>,
    clock: &SharedClock,
    (since, until): Stretch,
) -> Result<Option<Source>, BuildError> {
    let Some((traces, _)) = own::traces(of)? else { return Ok(None) };
    let query = TraceQuery {
        service: ANYBODY.to_owned(),
        namespace: None,
        operation: None,
        at_least: None,
        failed: false,
        since,
        until,
        limit: 1,
    };
    let (answer, _) = asked(clock, traces.search(&query), |_| Probed::default()).await;
    Ok(Some(source(Sense::Traces, "traces", "traces", answer)))
}

/// Each that delivers a service, by the service.
async fn deliverers(of: Site<'_>, clock: &SharedClock) -> Result<Vec<Source>, BuildError> {
    let Some(deploys) = of.deploys else { return Ok(Vec::new()) };
    let delivered = own::delivered(deploys, clock)?;
    let each = delivered.each().take(DELIVERERS).map(async |(service, delivery)| {
        let (answer, _) = asked(clock, delivery.history(1), |_| Probed::default()).await;
        let name = format!("{} of {service}", delivery.source().name());
        source(Sense::Deploys, &name, "deploys", answer)
    });
    Ok(join_all(each).await)
}

/// The map says nothing of itself: it is what its file, the workloads' annotations and the other sources tell.
async fn map(of: Site<'_>, clock: &SharedClock, traced: bool) -> Result<Option<Source>, BuildError> {
    let build::Eyes { listing, .. } = build::eyes(of, clock).await?;
    let answer = match own::map(of, &listing, clock) {
        Ok(None) => return Ok(None),
        Ok(Some(_)) if of.service_map.is_some() || traced => {
            Answer::Usable { version: None, retention: None, took: SignedDuration::ZERO }
        }
        Ok(Some(_)) => Answer::Unusable { why: "it is made of traces, which cannot be read".to_owned() },
        Err(why) => Answer::Unusable { why: why.to_string() },
    };
    Ok(Some(source(Sense::Map, "service map", "serviceMap", answer)))
}

async fn on_call(config: &Config, clock: &SharedClock, now: Timestamp) -> Result<Vec<Source>, BuildError> {
    let mut sources = Vec::new();
    if let Some(paged) = &config.pagerduty {
        let pager = own::pager(paged)?;
        let schedules: Vec<String> = paged.namespaces.values().flat_map(|of| of.schedules.clone()).collect();
        let until = now.saturating_add(BACK).unwrap_or(now);
        let asking = pager.paging.on_call(&schedules, now, until);
        let (answer, _) = asked(clock, asking, |_| Probed::default()).await;
        sources.push(source(Sense::OnCall, "PagerDuty", "pagerduty", answer));
    }
    if let Some(file) = config.on_call.as_deref() {
        let answer = match own::roster(file) {
            Ok(_) => Answer::Usable { version: None, retention: None, took: SignedDuration::ZERO },
            Err(why) => Answer::Unusable { why: why.to_string() },
        };
        sources.push(source(Sense::OnCall, "rotations", "onCall", answer));
    }
    Ok(sources)
}
