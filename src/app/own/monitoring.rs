//! The metrics server and the alerts server, put together from the configuration.

use std::sync::Arc;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::super::build::{BuildError, credentials, measures};
use super::Sources;
use crate::adapters::alertmanager::Alertmanager;
use crate::adapters::pagerduty::PagerDuty;
use crate::adapters::prometheus::Prometheus;
use crate::config::{self, DayConfig, LayerConfig, OnCallFile, OverrideConfig, PagerDutyConfig, TeamConfig};
use crate::domain::roster::{Layer, Override, Roster, Team};
use crate::servers::alerts::{self, AlertsServer, Mapped, Pager};
use crate::servers::metrics::MetricsServer;

/// The metrics server of this cluster.
pub(super) fn metrics(sources: &Sources<'_>) -> Result<MetricsServer, BuildError> {
    let prometheus =
        prometheus(sources)?.ok_or(BuildError::NoSource { server: "metrics", key: "prometheus" })?;
    let measures = Arc::new(measures(sources.site)?);
    Ok(MetricsServer::new(prometheus, measures, Arc::clone(sources.clock), sources.scope()))
}

/// The alerts server of this cluster.
pub(super) fn alerts(sources: &Sources<'_>) -> Result<AlertsServer, BuildError> {
    let prometheus = prometheus(sources)?;
    let router = match sources.site.alertmanager {
        None => None,
        Some(of) => {
            let credentials = credentials(of.bearer_token_file.as_deref())?;
            Some(Arc::new(Alertmanager::new(&of.url, credentials)?) as _)
        }
    };
    let of = alerts::Sources {
        metrics: prometheus.clone().map(|p| p as _),
        rules: prometheus.map(|p| p as _),
        router,
        pager: sources.config.pagerduty.as_ref().map(pager).transpose()?,
        roster: sources.config.on_call.as_deref().map(roster).transpose()?.map(Arc::new),
        clock: Arc::clone(sources.clock),
    };
    Ok(AlertsServer::new(of, sources.scope()))
}

fn prometheus(sources: &Sources<'_>) -> Result<Option<Arc<Prometheus>>, BuildError> {
    let Some(of) = sources.site.prometheus else { return Ok(None) };
    let credentials = credentials(of.bearer_token_file.as_deref())?;
    Ok(Some(Arc::new(Prometheus::new(&of.url, credentials)?)))
}

pub(in crate::app) fn pager(config: &PagerDutyConfig) -> Result<Pager, BuildError> {
    let PagerDutyConfig { url, token_file, namespaces } = config;
    let mapped = |(namespace, of): (&String, &config::PagedConfig)| {
        let config::PagedConfig { services, schedules } = of.clone();
        (namespace.clone(), Mapped { services, schedules })
    };
    let namespaces = Arc::new(namespaces.iter().map(mapped).collect());
    Ok(Pager { paging: Arc::new(PagerDuty::new(url, config::secret(token_file)?)?), namespaces })
}

/// The rotations of a file.
pub(in crate::app) fn roster(path: &std::path::Path) -> Result<Roster, BuildError> {
    let OnCallFile { teams } = config::on_call(path)?;
    let wrong = |why: String| BuildError::OnCall { path: path.to_owned(), why };
    let teams: Result<Vec<Team>, String> = teams.into_iter().map(team).collect();
    Roster::new(teams.map_err(wrong)?).map_err(|e| wrong(e.to_string()))
}

fn team(of: TeamConfig) -> Result<Team, String> {
    let TeamConfig { name, namespaces, time_zone, layers, overrides } = of;
    let zone = TimeZone::get(&time_zone).map_err(|_| {
        format!("team `{name}`: `{time_zone}` is no time zone that this machine knows, as in `Europe/Berlin`")
    })?;
    let layers: Result<Vec<Layer>, String> = layers.into_iter().map(layer).collect();
    let overrides: Result<Vec<Override>, String> =
        overrides.into_iter().map(|instead| overridden(instead, &zone)).collect();
    let namespaces = namespaces.into_iter().collect();
    Ok(Team { namespaces, layers: layers?, overrides: overrides?, name, zone })
}

fn layer(of: LayerConfig) -> Result<Layer, String> {
    let LayerConfig { name, members, start, handoff } = of;
    let start: civil::Date = start
        .parse()
        .map_err(|_| format!("layer `{name}`: `start` is `{start}`: write a day, as in `2026-01-05`"))?;
    let time = handoff.time;
    let time: civil::Time = time
        .parse()
        .map_err(|_| format!("layer `{name}`: `handoff.time` is `{time}`: write it as in `\"09:00\"`"))?;
    Ok(Layer { name, members, day: handoff.day.map(day), time, start })
}

const fn day(of: DayConfig) -> Weekday {
    match of {
        DayConfig::Monday => Weekday::Monday,
        DayConfig::Tuesday => Weekday::Tuesday,
        DayConfig::Wednesday => Weekday::Wednesday,
        DayConfig::Thursday => Weekday::Thursday,
        DayConfig::Friday => Weekday::Friday,
        DayConfig::Saturday => Weekday::Saturday,
        DayConfig::Sunday => Weekday::Sunday,
    }
}

fn overridden(of: OverrideConfig, zone: &TimeZone) -> Result<Override, String> {
    let OverrideConfig { layer, member, from, until } = of;
    let read = |text: &str| {
        let at = text.parse::<Timestamp>().ok();
        let local = || text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        at.or_else(local).ok_or_else(|| {
            format!("the override for `{member}`: `{text}` is no time: write it as in `2026-04-03T09:00`, which is in the team's zone")
        })
    };
    let (from, until) = (read(&from)?, read(&until)?);
    Ok(Override { layer, member, from, until })
}
