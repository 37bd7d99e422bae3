//! The pieces of evidence that a snapshot holds, each with an id. What the API and measurements state comes
//! first and text last, so that text never moves the id of anything else.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::cluster::{ContainerState, LogTail, Pod, Snapshot, Workload};
use crate::domain::evidence::{Evidence, Source};
use crate::domain::gauge::{Gauge, Reading};
use crate::domain::ids::EvidenceId;
use crate::domain::recorded::Config;
use crate::domain::redact;

/// Ten pods show a pattern; the overview counts the others.
const PODS: usize = 10;
/// Two lines on a screen.
const SUMMARY: usize = 400;

/// What a piece of evidence is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The root owner.
    Workload,
    /// All of its pods, counted.
    Pods,
    /// One pod, by name.
    Pod(String),
    /// The revisions.
    Revisions,
    /// Measured use.
    Usage,
    /// Autoscalers.
    Autoscalers,
    /// What was recorded of the ConfigMaps and Services around it.
    Recorded,
    /// What Prometheus measured.
    Gauges,
    /// The nodes that its pods stand on, or that do not take them.
    Nodes,
    /// The quotas of its namespace.
    Quotas,
    /// Its budgets.
    Budgets,
    /// The volume claims of its pods.
    Claims,
    /// What its pods refer to.
    Refers,
    /// The network policies over its pods.
    Policies,
    /// The certificates that its pods hold.
    Certificates,
    /// Its Jobs.
    Jobs,
    /// What kubelet and scheduler say of its pods: text.
    Said,
    /// Events: text.
    Events,
    /// A log: text.
    Log,
}

/// All evidence of one snapshot.
#[derive(Debug, Default)]
pub struct Book(Vec<(Key, Evidence)>);

impl Book {
    /// The ids of those keys that there is evidence for.
    pub fn cite(&self, keys: &[Key]) -> Vec<EvidenceId> {
        let find = |key: &Key| self.0.iter().find(|(k, _)| k == key).map(|(_, e)| e.id.clone());
        keys.iter().filter_map(find).collect()
    }

    /// The evidence itself.
    pub fn pages(self) -> Vec<Evidence> {
        self.0.into_iter().map(|(_, evidence)| evidence).collect()
    }

    /// Lines of a log that a finding rests on, as evidence of their own.
    pub fn quote(&mut self, at: Timestamp, title: String, lines: &[&str]) -> EvidenceId {
        self.add(at, Key::Log, Source::Logs, (title, &lines.join("\n")));
        EvidenceId::new(format!("e{}", self.0.len()))
    }

    pub(super) fn add(&mut self, at: Timestamp, key: Key, source: Source, (title, summary): (String, &str)) {
        let id = EvidenceId::new(format!("e{}", self.0.len() + 1));
        let summary = redact::safe(summary, SUMMARY);
        self.0.push((
            key,
            Evidence {
                id,
                source,
                title: redact::line(&title, 120),
                summary,
                blob: None,
                at,
                flags: BTreeSet::new(),
            },
        ));
    }
}

/// Reads the snapshot into evidence.
pub fn gather(snapshot: &Snapshot) -> Book {
    let mut book = Book::default();
    let at = snapshot.at;
    if let Ok(Some(workload)) = &snapshot.workload {
        book.add(at, Key::Workload, Source::Api, (title_of(workload), &counts(workload)));
    }
    if let Ok(pods) = &snapshot.pods {
        let ready = pods.iter().filter(|p| p.ready).count();
        let summary = format!("{ready} of {} pods are ready", pods.len());
        book.add(at, Key::Pods, Source::Api, (format!("pods of {}", snapshot.owner), &summary));
    }
    for pod in shown(snapshot) {
        let name = pod.object.named.name.clone();
        book.add(at, Key::Pod(name.clone()), Source::Api, (format!("pod {name}"), &state_of(pod)));
    }
    measured(&mut book, snapshot);
    gauged(&mut book, snapshot);
    recorded(&mut book, snapshot);
    super::around::gather(&mut book, snapshot);
    text(&mut book, snapshot);
    book
}

/// The named pod, then those that are not ready or have restarted, the worst first.
fn shown(snapshot: &Snapshot) -> Vec<&Pod> {
    let named = snapshot.pod.as_ref().ok().and_then(Option::as_ref);
    let restarts = |p: &Pod| p.containers.iter().map(|c| c.restarts).max().unwrap_or(0);
    let mut others: Vec<&Pod> = snapshot
        .pods
        .iter()
        .flatten()
        .filter(|p| named.is_none_or(|n| n.object.uid != p.object.uid))
        .filter(|p| !p.ready || restarts(p) > 0)
        .collect();
    others.sort_by_key(|p| (p.ready, std::cmp::Reverse(restarts(p)), p.object.named.name.clone()));
    named.into_iter().chain(others).take(PODS).collect()
}

fn measured(book: &mut Book, snapshot: &Snapshot) {
    if let Ok(revisions) = &snapshot.revisions
        && !revisions.is_empty()
    {
        let rows: Vec<String> = revisions
            .iter()
            .take(3)
            .map(|r| {
                format!(
                    "revision {}: {} of {} ready, {}",
                    r.revision,
                    r.ready,
                    r.desired,
                    r.images.join(", ")
                )
            })
            .collect();
        book.add(snapshot.at, Key::Revisions, Source::Api, ("revisions".into(), &rows.join("\n")));
    }
    if let Ok(scalers) = &snapshot.autoscalers
        && !scalers.is_empty()
    {
        let rows: Vec<String> =
            scalers.iter().take(3).map(|h| format!("{}: {} to {} replicas", h.name, h.min, h.max)).collect();
        book.add(snapshot.at, Key::Autoscalers, Source::Api, ("autoscalers".into(), &rows.join("\n")));
    }
    if let Ok(usage) = &snapshot.usage
        && !usage.is_empty()
    {
        let rows: Vec<String> =
            usage.iter().take(PODS).map(|u| format!("{}: {}m cpu", u.pod, u.cpu_millis)).collect();
        book.add(snapshot.at, Key::Usage, Source::Metrics, ("cpu in use".into(), &rows.join("\n")));
    }
}

/// The readings that are not mere amounts.
fn gauged(book: &mut Book, snapshot: &Snapshot) {
    let amounts = [Gauge::CpuUsed, Gauge::MemoryUsed, Gauge::MemoryLimit, Gauge::MemorySlopeLately];
    let told = snapshot.gauges.readings.iter().filter(|reading| !amounts.contains(&reading.gauge));
    let row = |reading: &Reading| {
        let about =
            if reading.subject.is_empty() { String::new() } else { format!(" of {}", reading.subject) };
        format!(
            "{}{about}: {}.{:03}",
            reading.gauge.name(),
            reading.milli / 1_000,
            (reading.milli % 1_000).abs()
        )
    };
    let rows: Vec<String> = told.take(PODS).map(row).collect();
    if !rows.is_empty() {
        book.add(snapshot.at, Key::Gauges, Source::Metrics, ("measurements".into(), &rows.join("\n")));
    }
}

/// What was changed, by name: values are for the plan, and their authors are anybody.
fn recorded(book: &mut Book, snapshot: &Snapshot) {
    let rows: Vec<String> = snapshot.recorded.configs.iter().flat_map(rows_of).take(PODS).collect();
    if !rows.is_empty() {
        let title = "changes of what its pods read or are reached by".to_owned();
        book.add(snapshot.at, Key::Recorded, Source::Api, (title, &rows.join("\n")));
    }
}

fn rows_of(config: &Config) -> impl Iterator<Item = String> {
    let named = &config.object.named;
    config.changes.iter().map(move |change| {
        let written = change.fields.iter().map(|field| field.path.as_str());
        let withheld = change.withheld.iter().filter(|field| field.changed).map(|field| field.path.as_str());
        let fields: Vec<&str> = written.chain(withheld).take(5).collect();
        let (at, version) = (change.at.strftime("%H:%M:%SZ"), change.version);
        let seen = if change.watched { "changed" } else { "was found changed" };
        format!(
            "{} {} {seen} at {at}, after version {version}: {}",
            named.kind,
            named.name,
            fields.join(", ")
        )
    })
}

fn text(book: &mut Book, snapshot: &Snapshot) {
    super::around::said(book, snapshot, &shown(snapshot));
    if let Ok(events) = &snapshot.events
        && !events.is_empty()
    {
        let warnings = events.iter().filter(|e| e.severity == "Warning");
        let rows: Vec<String> = warnings
            .take(3)
            .map(|e| format!("{} {} ×{}: {}", e.name, e.reason, e.count, e.message))
            .collect();
        let title = format!("{} events, warnings first seen last", events.len());
        book.add(snapshot.at, Key::Events, Source::Events, (title, &rows.join("\n")));
    }
    for LogTail { pod, container, previous, lines } in snapshot.logs.iter().flatten() {
        let which = if *previous { "previous" } else { "current" };
        let title = format!("{which} log of {pod}/{container}");
        let end: Vec<&str> = lines.iter().rev().take(2).rev().map(String::as_str).collect();
        book.add(snapshot.at, Key::Log, Source::Logs, (title, &end.join("\n")));
    }
}

fn title_of(workload: &Workload) -> String {
    let named = &workload.object.named;
    format!("{} {}/{}", named.kind, named.namespace, named.name)
}

fn counts(w: &Workload) -> String {
    let conditions: Vec<String> =
        w.conditions.iter().map(|c| format!("{}={} ({})", c.name, c.status, c.reason)).collect();
    let Workload { desired, ready, updated, available, .. } = w;
    format!(
        "wants {desired}, ready {ready}, updated {updated}, available {available}\n{}",
        conditions.join(", ")
    )
}

fn state_of(pod: &Pod) -> String {
    let rows: Vec<String> = pod
        .containers
        .iter()
        .map(|c| {
            let state = match &c.state {
                ContainerState::Running { .. } => "running".to_owned(),
                ContainerState::Waiting { reason, .. } => format!("waiting: {reason}"),
                ContainerState::Ended(end) => format!("ended: {} (exit {})", end.reason, end.exit_code),
            };
            let last = c.last_end.as_ref().map_or_else(String::new, |end| {
                format!(", last ended: {} (exit {})", end.reason, end.exit_code)
            });
            format!("{}: {state}, {} restarts{last}", c.name, c.restarts)
        })
        .collect();
    format!("{}{}; {}", pod.phase, if pod.ready { ", ready" } else { ", not ready" }, rows.join("; "))
}
