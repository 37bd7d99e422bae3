//! What fired in a namespace, when and for how long, by Prometheus' own series of alerts; who was called, by the paging
//! service; and what of it is like one alert.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::args::{HistoryArgs, MOST_ROWS, SimilarArgs};
use super::sources::{Eyes, lacks};
use super::views::{EpisodeRow, History, Similar, SimilarRow, labels, name, when};
use crate::domain::alert::Labels;
use crate::domain::gauge;
use crate::domain::series::{Series, Window};
use crate::domain::signature;
use crate::ports::alerting::{Call, Calls};
use crate::ports::reads::MOST_STEPS;
use crate::servers::kit::{Extent, Span, Trouble, quoted};

/// The shortest step: rules are rarely evaluated more often.
const LEAST: SignedDuration = SignedDuration::from_secs(30);
/// Pages whose log is read to see who was told: one request each, at once.
const ASKED: usize = 10;
/// How long after an alert's beginning a page about it may come: Alertmanager's group interval of five minutes, twice.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// Groups of like alerts that are shown.
const ALIKE: usize = 25;

/// An alert that fired once.
struct Episode {
    labels: Labels,
    from: Timestamp,
    until: Option<Timestamp>,
    seconds: u64,
}

impl Eyes {
    /// What fired.
    pub async fn history(&self, args: &HistoryArgs) -> Result<History, Trouble> {
        let HistoryArgs { namespace, since, until, alert, limit } = args;
        self.scope.check(namespace)?;
        let span = Span::read(since, until.as_deref(), self.sources.clock.now())?;
        let (window, mut episodes) = self.episodes(namespace, alert.as_deref(), span).await?;
        episodes.sort_by(|a, b| b.from.cmp(&a.from).then_with(|| a.labels.cmp(&b.labels)));
        let total = episodes.len() as u64;
        episodes.truncate((*limit).clamp(1, MOST_ROWS) as usize);
        let (paged, notes) = self.paged(namespace, &episodes, window).await;
        let episodes: Vec<EpisodeRow> = episodes.iter().zip(paged).map(|(e, paged)| row(e, paged)).collect();
        Ok(History {
            namespace: namespace.clone(),
            since: when(span.since),
            until: when(span.until),
            precision_seconds: window.step.as_secs().unsigned_abs(),
            extent: Extent { shown: episodes.len() as u64, total: Some(total), at_least: total },
            notes,
            episodes,
        })
    }

    /// Every time that an alert fired.
    async fn episodes(
        &self,
        namespace: &str,
        alert: Option<&str>,
        span: Span,
    ) -> Result<(Window, Vec<Episode>), Trouble> {
        let metrics = self.sources.metrics.as_ref().ok_or_else(|| lacks("prometheus", "what fired"))?;
        let window = Window::of(span.since, span.until, MOST_STEPS, LEAST);
        let only =
            alert.map(|alert| format!(r#",alertname="{}""#, gauge::escaped(alert))).unwrap_or_default();
        let namespace = gauge::escaped(namespace);
        // whatever fired since the step before counts at a step, so that nothing falls between two
        let promql = format!(
            r#"max_over_time(ALERTS{{alertstate="firing",namespace="{namespace}"{only}}}[{}s])"#,
            window.step.as_secs()
        );
        let all = metrics.range(&promql, window).await?;
        Ok((window, all.iter().flat_map(|series| episodes(series, window)).collect()))
    }

    /// Who was called about each, and what could not be told.
    async fn paged(
        &self,
        namespace: &str,
        episodes: &[Episode],
        window: Window,
    ) -> (Vec<Vec<String>>, Vec<String>) {
        let nobody = || episodes.iter().map(|_| Vec::new()).collect();
        if self.sources.pager.is_none() {
            return (
                nobody(),
                vec!["who was called is not known: the configuration has no `pagerduty`".into()],
            );
        }
        let (paging, services) = match self.mapped(namespace, "who was called") {
            Ok((paging, of)) if !of.services.is_empty() => (paging, of.services.clone()),
            Ok(_) => {
                return (
                    nobody(),
                    vec!["who was called is not known: the namespace has no `services`".into()],
                );
            }
            Err(why) => return (nobody(), vec![why.to_string()]),
        };
        let calls = Calls { services, since: window.from, until: window.to };
        let calls = match paging.calls(&calls).await {
            Ok(calls) => calls,
            Err(why) => return (nobody(), vec![why.to_string()]),
        };
        let about = |episode: &Episode| about(&calls.items, episode, window);
        let mut wanted: Vec<&str> = episodes.iter().flat_map(about).map(|call| call.id.as_str()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut notes = Vec::new();
        if wanted.len() > ASKED || calls.left_out != Some(0) {
            notes.push(format!("who was called is told of at most {ASKED} pages"));
        }
        wanted.truncate(ASKED);
        let ask = async |id: &str| (id.to_owned(), paging.told(id).await);
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (id, read) in join_all(wanted.into_iter().map(ask)).await {
            match read {
                Ok(read) => {
                    let people = told.entry(id).or_default();
                    for one in read.items {
                        let member = name(&one.member);
                        if !people.contains(&member) {
                            people.push(member);
                        }
                    }
                }
                Err(why) if notes.len() < 2 => notes.push(why.to_string()),
                Err(_) => {}
            }
        }
        let people = |episode: &Episode| {
            let mut people: Vec<String> = Vec::new();
            for one in about(episode).into_iter().filter_map(|call| told.get(&call.id)).flatten() {
                if !people.contains(one) {
                    people.push(one.clone());
                }
            }
            people
        };
        (episodes.iter().map(people).collect(), notes)
    }

    /// What fires or fired like this alert.
    pub async fn similar(&self, args: &SimilarArgs) -> Result<Similar, Trouble> {
        let SimilarArgs { namespace, alert, service, since } = args;
        self.scope.check(namespace)?;
        let span = Span::read(since, None, self.sources.clock.now())?;
        let mut notes = Vec::new();
        let active = self.firing(namespace).await.unwrap_or_else(|why| {
            notes.push(why.to_string());
            vec![]
        });
        let mut all: Vec<Episode> = match self.episodes(namespace, None, span).await {
            Ok((_, all)) => all,
            Err(why) if !notes.is_empty() => return Err(why),
            Err(why) => {
                notes.push(why.to_string());
                vec![]
            }
        };
        // what fires now and is known by its series too is there once
        for firing in active {
            let known = |e: &Episode| {
                e.until.is_none() && e.labels.iter().all(|(l, v)| firing.labels.get(l) == Some(v))
            };
            if !all.iter().any(known) {
                all.push(Episode { labels: firing.labels, from: firing.since, until: None, seconds: 0 });
            }
        }
        let (shown, total) = alike(&all, alert, service.as_deref());
        Ok(Similar {
            namespace: namespace.clone(),
            alert: quoted(alert),
            since: when(span.since),
            extent: Extent { shown: shown.len() as u64, total: Some(total), at_least: total },
            notes,
            similar: shown,
        })
    }
}

/// Alerts of one likeness, name and service.
type Like<'a> = (How, String, Option<&'a str>);
/// How often they were, when last, and whether one is.
type Seen = (u64, Timestamp, bool);

/// How alike two alerts are; the earlier, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Wholly,
    Elsewhere,
    ByName,
    Beside,
}

impl How {
    const fn words(self) -> &'static str {
        match self {
            Self::Wholly => "the same about the same service",
            Self::Elsewhere => "the same about another service",
            Self::ByName => "the same alert, otherwise labelled",
            Self::Beside => "another about the same service",
        }
    }
}

/// The like ones, those of one name, service and likeness together; and how many such groups there are.
fn alike(all: &[Episode], alert: &str, service: Option<&str>) -> (Vec<SimilarRow>, u64) {
    let is = |e: &&Episode| e.labels.get("alertname").is_some_and(|name| name == alert);
    let of = |e: &&Episode| service.is_none_or(|s| signature::service(&e.labels) == Some(s));
    // what it looks like, by its newest example
    let example = all.iter().filter(is).filter(of).max_by_key(|e| e.from);
    let service = service.or_else(|| example.and_then(|e| signature::service(&e.labels)));
    let its = example.map(|e| signature::signature(&e.labels));
    let how = |e: &Episode| {
        let same = is(&e);
        let theirs = signature::service(&e.labels);
        let of = theirs.is_some() && theirs == service;
        match (same, of) {
            (true, true) => Some(How::Wholly),
            (true, false) if its.as_ref() == Some(&signature::signature(&e.labels)) => Some(How::Elsewhere),
            (true, false) => Some(How::ByName),
            (false, true) => Some(How::Beside),
            (false, false) => None,
        }
    };
    let mut groups: BTreeMap<Like<'_>, Seen> = BTreeMap::new();
    for episode in all {
        let Some(how) = how(episode) else { continue };
        let name = name(episode.labels.get("alertname").map_or("", String::as_str));
        let key = (how, name, signature::service(&episode.labels));
        let (times, last, active) = groups.entry(key).or_insert((0, episode.from, false));
        *times += 1;
        *last = (*last).max(episode.from);
        *active |= episode.until.is_none();
    }
    let total = groups.len() as u64;
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|((how_a, ..), (_, a, _)), ((how_b, ..), (_, b, _))| how_a.cmp(how_b).then(b.cmp(a)));
    let row = |((how, alert, service), (times, last, active)): ((How, String, Option<&str>), _)| SimilarRow {
        how: how.words().to_owned(),
        alert,
        service: service.map(name),
        times,
        last: when(last),
        active,
    };
    (groups.into_iter().take(ALIKE).map(row).collect(), total)
}

/// The times that a series was there, each from the step before its first point.
fn episodes(series: &Series, window: Window) -> Vec<Episode> {
    let labels: Labels = series
        .labels
        .iter()
        .filter(|(label, _)| *label != "__name__" && *label != "alertstate")
        .map(|(label, value)| (label.clone(), value.clone()))
        .collect();
    let gap = window.step.saturating_mul(3) / 2;
    let mut runs: Vec<(Timestamp, Timestamp)> = Vec::new();
    for point in &series.points {
        match runs.last_mut() {
            Some((_, end)) if point.at.duration_since(*end) <= gap => *end = point.at,
            _ => runs.push((point.at, point.at)),
        }
    }
    let one = |(first, last): (Timestamp, Timestamp)| {
        let from = first.saturating_sub(window.step).unwrap_or(first).max(window.from);
        let fires = window.to.duration_since(last) < window.step;
        let end = if fires { window.to } else { last };
        let seconds = end.duration_since(from).as_secs().unsigned_abs();
        Episode { labels: labels.clone(), from, until: (!fires).then_some(last), seconds }
    };
    runs.into_iter().map(one).collect()
}

fn about<'a>(calls: &'a [Call], episode: &Episode, window: Window) -> Vec<&'a Call> {
    calls.iter().filter(|call| is_about(call, episode, window)).collect()
}

/// Whether a page names the alert and came while it fired.
fn is_about(call: &Call, episode: &Episode, window: Window) -> bool {
    let Some(name) = episode.labels.get("alertname").filter(|name| !name.is_empty()) else { return false };
    let latest =
        episode.until.unwrap_or(window.to).max(episode.from.saturating_add(LATE).unwrap_or(window.to));
    call.title.contains(name.as_str())
        && episode.from.saturating_sub(window.step).unwrap_or(episode.from) <= call.at
        && call.at <= latest
}

fn row(episode: &Episode, paged: Vec<String>) -> EpisodeRow {
    let Episode { labels: of, from, until, seconds } = episode;
    EpisodeRow {
        alert: name(of.get("alertname").map_or("", String::as_str)),
        severity: of.get("severity").map(|s| name(s)),
        service: signature::service(of).map(name),
        from: when(*from),
        until: until.map(when),
        seconds: *seconds,
        paged,
        labels: labels(of),
    }
}
