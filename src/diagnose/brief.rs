//! The points of the brief that a snapshot, the alerts that fire and the record answer. Names of others are cleaned;
//! whatever they are, the brief is no input of policy.

use jiff::{SignedDuration, Timestamp};

use crate::domain::brief::{About, Point};
use crate::domain::cluster::{ActiveAlert, Part, Revision, Snapshot};
use crate::domain::ids::Fingerprint;
use crate::domain::recorded::Concern;
use crate::domain::redact;
use crate::domain::service_map::{Beside, Health, Neighbour, Way};

/// Lines of one point: what is read at a glance.
const LINES: usize = 5;
/// A change that is older explains little.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A change within this is named first.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Lines of a log that are shown.
const QUOTED: usize = 3;
/// One such line: two of a terminal.
const LINE: usize = 300;
/// The share of calls that fails where something is wrong with what is called: one in a hundred.
const FAILING: f64 = 0.01;

/// Other alerts that fire about the owner's namespace; `None` where no Alertmanager is configured.
pub fn alerts(snapshot: &Snapshot, active: Option<&Part<Vec<ActiveAlert>>>, own: &[Fingerprint]) -> Point {
    let namespace = &snapshot.owner.0.named.namespace;
    let active = match active {
        None => {
            return Point::found(
                About::Alerts,
                vec!["no Alertmanager is configured that could be asked".into()],
            );
        }
        Some(Err(why)) => return Point::unknown(About::Alerts, redact::line(why, LINE)),
        Some(Ok(active)) => active,
    };
    let here = |alert: &&ActiveAlert| alert.labels.get("namespace") == Some(namespace);
    let mut others: Vec<&ActiveAlert> =
        active.iter().filter(here).filter(|alert| !own.contains(&alert.fingerprint)).collect();
    others.sort_by_key(|alert| (std::cmp::Reverse(alert.starts_at), alert.fingerprint.clone()));
    let name = |alert: &ActiveAlert| {
        let label = |label: &str| alert.labels.get(label).map_or("", String::as_str);
        let silenced = if alert.suppressed { ", silenced or inhibited" } else { "" };
        let about = ["deployment", "statefulset", "daemonset", "job_name", "pod"].map(label);
        let about = about.into_iter().find(|about| !about.is_empty());
        let about = about.map_or_else(String::new, |about| format!(" about `{}`", redact::line(about, 80)));
        let since = ago(snapshot.at, alert.starts_at);
        format!("`{}`{about} fires since {since}{silenced}", redact::line(label("alertname"), 80))
    };
    let mut says: Vec<String> = others.iter().take(LINES).map(|alert| name(alert)).collect();
    match others.len() {
        0 => says.push(format!("no other alert fires in namespace `{}`", redact::line(namespace, 80))),
        n if n > LINES => says.push(format!("and {} more in the namespace", n - LINES)),
        _ => {}
    }
    Point::found(About::Alerts, says)
}

/// What was changed within the last day: rollouts, and what the record knows of configuration.
pub fn changes(snapshot: &Snapshot) -> Point {
    let mut found: Vec<(Timestamp, String)> = Vec::new();
    let revisions = snapshot.revisions.as_deref().unwrap_or_default();
    let came = revisions.iter().filter_map(|revision| Some((revision.created?, rollout(revision))));
    found.extend(came);
    for config in &snapshot.recorded.configs {
        let named = &config.object.named;
        let what = format!("{} `{}` was changed", named.kind, redact::line(&named.name, 80));
        found.extend(config.changes.iter().map(|change| (change.at, what.clone())));
    }
    found.retain(|(at, _)| snapshot.at.duration_since(*at) <= DAY);
    found.sort_by(|a, b| b.cmp(a));
    let lately = found.iter().filter(|(at, _)| snapshot.at.duration_since(*at) <= HOUR).count();
    let mut says: Vec<String> =
        found.iter().take(LINES).map(|(at, what)| format!("{what} {} ago", ago(snapshot.at, *at))).collect();
    match found.len() {
        0 => says.push("nothing that was read changed within the last day".to_owned()),
        n => says.insert(0, format!("{n} within the last day, {lately} of them within the hour")),
    }
    let unread = snapshot.revisions.as_ref().err().or(snapshot.recorded.unwatched.first());
    Point { missing: unread.map(|why| redact::line(why, LINE)), ..Point::found(About::Changes, says) }
}

fn rollout(revision: &Revision) -> String {
    let images = redact::line(&revision.images.join(", "), 160);
    format!("revision {} ({images}) came", revision.revision)
}

/// What the logs of the container that is worst off say: how many lines of trouble, and the last of them.
pub fn errors(snapshot: &Snapshot) -> Point {
    let logs = match &snapshot.logs {
        Ok(logs) => logs,
        Err(why) => return Point::unknown(About::Errors, redact::line(why, LINE)),
    };
    let mut point = Point::found(About::Errors, Vec::new());
    for log in logs {
        let bad: Vec<&String> = log.lines.iter().filter(|line| is_error(line)).collect();
        let which = if log.previous { "previous" } else { "current" };
        point.says.push(format!(
            "{} of the last {} lines of the {which} log of `{}/{}` speak of an error",
            bad.len(),
            log.lines.len(),
            redact::line(&log.pod, 80),
            redact::line(&log.container, 80)
        ));
        let last = bad.iter().rev().take(QUOTED).rev();
        point.quoted.extend(last.map(|line| redact::clean(line, LINE)));
    }
    if logs.is_empty() {
        point.says.push("there is no log: nothing has run".to_owned());
    }
    point
}

/// Levels as loggers write them, and what runtimes call what went wrong.
fn is_error(line: &str) -> bool {
    const WORDS: [&str; 9] =
        ["error", "fatal", "panic", "exception", "critical", "failed", "traceback", "refused", "timeout"];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// What the service is known to stand on: what its pods read, what sends it traffic, and where there is a service map, what
/// it calls and what calls it. What the map says of other namespaces, or does not place, is for people.
pub fn dependencies(snapshot: &Snapshot, beside: Option<&Beside>) -> Point {
    let mut says: Vec<String> = Vec::new();
    for config in snapshot.recorded.configs.iter().take(LINES) {
        let named = &config.object.named;
        let (kind, name) = (named.kind, redact::line(&named.name, 80));
        says.push(match config.concern {
            Concern::Read { .. } => format!("its pods read {kind} `{name}`"),
            Concern::Traffic { selects: true } => format!("{kind} `{name}` sends it traffic"),
            Concern::Traffic { selects: false } => format!("{kind} `{name}` sends it no traffic any more"),
        });
    }
    let Some(Beside { neighbours, gaps }) = beside else {
        says.push("what it calls is not known: no service map is connected".to_owned());
        return Point::found(About::Dependencies, says);
    };
    let namespace = snapshot.owner.0.named.namespace.as_str();
    let (here, there): (Vec<_>, Vec<_>) = worst_first(neighbours)
        .into_iter()
        .partition(|(n, _)| n.place.namespace.as_deref() == Some(namespace));
    if neighbours.is_empty() {
        says.push("the service map knows nothing that it calls and nothing that calls it".to_owned());
    }
    says.extend(lines(&here));
    let missing = gaps.first().map(|why| redact::line(why, LINE));
    Point { elsewhere: lines(&there), missing, ..Point::found(About::Dependencies, says) }
}

type Beneath<'a> = &'a (Neighbour, Option<Health>);

/// What is down, and what fails, before what is well; what is called before what calls.
fn worst_first(neighbours: &[(Neighbour, Option<Health>)]) -> Vec<Beneath<'_>> {
    let rank = |(neighbour, health): Beneath<'_>| {
        let lacking = health.is_some_and(|h| h.ready < h.desired);
        let failing = neighbour.flow.failing.is_some_and(|share| share >= FAILING);
        (!lacking, !failing, neighbour.way, neighbour.place.clone())
    };
    let mut sorted: Vec<_> = neighbours.iter().collect();
    sorted.sort_by_key(|one| rank(one));
    sorted
}

fn lines(neighbours: &[Beneath<'_>]) -> Vec<String> {
    let mut lines: Vec<String> = neighbours.iter().take(LINES).map(|one| line_of(one)).collect();
    if neighbours.len() > LINES {
        lines.push(format!("and {} more in the service map", neighbours.len() - LINES));
    }
    lines
}

fn line_of((neighbour, health): Beneath<'_>) -> String {
    let Neighbour { way, place, tellers, flow } = neighbour;
    let does = match way {
        Way::Downstream => "it calls",
        Way::Upstream => "it is called by",
    };
    let namespace =
        place.namespace.as_ref().map_or_else(String::new, |n| format!("{}/", redact::line(n, 80)));
    let mut line = format!("{does} `{namespace}{}`", redact::line(&place.service, 80));
    if let Some(health) = health {
        line = format!("{line}: {}", health.words());
    }
    if let Some(failing) = flow.failing {
        line = format!("{line}; {:.1}% of the calls fail", failing * 100.0);
    }
    let tellers: Vec<&str> = tellers.iter().map(|teller| teller.words()).collect();
    format!("{line} (by {})", tellers.join(", "))
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    match now.duration_since(then).as_mins().max(0) {
        0 | 1 => "a minute".to_owned(),
        minutes if minutes < 120 => format!("{minutes} minutes"),
        minutes if minutes < 2 * 24 * 60 => format!("{} hours", minutes / 60),
        minutes => format!("{} days", minutes / (24 * 60)),
    }
}
