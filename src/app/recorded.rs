//! What is recorded, as `belay recorded` tells it.

use crate::domain::recorded::{Held, History, Kept, Place, Version, WorkloadHistory};

use super::{Daemon, Recorder};

/// The longest part of a value that is shown: enough to know it again.
const SHOWN: usize = 60;

impl Daemon {
    /// What is recorded in these words: of all, of a namespace, or of one object.
    pub(super) fn recorded(&self, what: &str) -> Result<String, String> {
        let sites = self.ports().sites.all().filter_map(|site| Some((site, site.recorder.as_ref()?)));
        let sites: Vec<_> = sites.collect();
        if sites.is_empty() {
            return Err("nothing is recorded: `limits.namespaces` names no namespace, or the cluster is reached through a \
                        read server, which shows no changes"
                .to_owned());
        }
        let mut lines = Vec::new();
        for (site, recorder) in &sites {
            let told = self.recorded_by(recorder, what);
            if sites.len() > 1 && !told.is_empty() {
                lines.push(format!("cluster {}", site.cluster));
            }
            lines.extend(told);
        }
        if lines.is_empty() { Err(format!("nothing is recorded of `{what}`")) } else { Ok(lines.join("\n")) }
    }

    fn recorded_by(&self, recorder: &Recorder, what: &str) -> Vec<String> {
        let book = recorder.book();
        let under = |place: &Place| {
            let name = place.to_string();
            what.is_empty()
                || name == what
                || name.strip_prefix(what).is_some_and(|rest| rest.starts_with('/'))
        };
        let found: Vec<(Place, Kept)> = book.all().into_iter().filter(|(place, _)| under(place)).collect();
        let alone = what.split('/').count() == 3;
        let lines: Vec<String> = found
            .iter()
            .flat_map(|(place, kept)| match kept {
                Kept::Config(history) if alone => config(place, history),
                Kept::Config(history) => vec![summary(place, history)],
                Kept::Workload(history) => vec![workload(place, &history.at(self.now()))],
            })
            .collect();
        let mut blind = recorder.unwatched();
        blind.extend(lines);
        blind
    }
}

fn summary(place: &Place, history: &History) -> String {
    let kept = history.versions.len();
    let state = match (history.gone, history.restless(), history.versions.last()) {
        (Some(gone), ..) => format!("gone since {gone}"),
        (None, true, _) => "changes too often to be kept".to_owned(),
        (None, false, Some(last)) => format!("holds version {} since {}", last.number, last.seen),
        (None, false, None) => "too much to be kept".to_owned(),
    };
    format!("{place}: {kept} of {} versions are kept; {state}", history.count)
}

fn config(place: &Place, history: &History) -> Vec<String> {
    let versions = history.versions.iter().rev().flat_map(version);
    std::iter::once(summary(place, history)).chain(versions).collect()
}

fn version(version: &Version) -> Vec<String> {
    let Version { number, seen, watched, until, fields, uid: _ } = version;
    let how = if *watched { "changed" } else { "found" };
    let until = until.map_or_else(|| "now".to_owned(), |until| until.to_string());
    let head = format!("  version {number}, {how} at {seen}, until {until}");
    let rows = fields.iter().map(|(path, held)| format!("    {path}: {}", value(held)));
    std::iter::once(head).chain(rows).collect()
}

fn value(held: &Held) -> String {
    match held {
        Held::Plain(text) if text.chars().count() <= SHOWN => text.clone(),
        Held::Plain(text) => format!("{}…", text.chars().take(SHOWN).collect::<String>()),
        Held::Secret(tag) => format!("a secret was here ({})", tag.short()),
        Held::Long(tag) => format!("longer than is kept ({})", tag.short()),
    }
}

fn workload(place: &Place, history: &WorkloadHistory) -> String {
    let above =
        history.last_above_zero.map_or("never above zero".to_owned(), |n| format!("last at {n} replicas"));
    let worked: Vec<String> = history
        .healthy
        .iter()
        .map(|healthy| match (&healthy.name, healthy.revision) {
            (Some(name), _) => name.clone(),
            (None, Some(revision)) => format!("revision {revision}"),
            (None, None) => healthy.template.short(),
        })
        .collect();
    let worked = if worked.is_empty() {
        "no template was seen to work yet".to_owned()
    } else {
        format!("seen to work: {}", worked.join(", "))
    };
    format!("{place}: watched since {}, {above}; {worked}", history.since)
}
