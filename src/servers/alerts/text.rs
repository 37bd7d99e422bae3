//! The same answers as text for people and models: a sentence, then a table, then what could not be had.

use super::views::{Active, AlertRow, EpisodeRow, History, OnCall, Pages, ShiftRow, Silences, Similar};
use crate::domain::series::short;
use crate::servers::kit::{Readable, or_dash, page};

/// A page, and the notes below it.
fn noted(text: &str, notes: &[String]) -> String {
    let notes: Vec<String> = notes.iter().map(|note| format!("note: {note}")).collect();
    if notes.is_empty() { text.to_owned() } else { format!("{text}\n\n{}", notes.join("\n")) }
}

impl Readable for Active {
    fn text(&self) -> String {
        let sentence = self.extent.words(&format!("alerts firing in namespace `{}`", self.namespace));
        let rows: Vec<Vec<String>> = self.alerts.iter().map(alert).collect();
        let heading = ["ALERT", "SEVERITY", "ABOUT", "SINCE", "VALUE", "THRESHOLD", "TREND"];
        let more = self.alerts.iter().filter_map(|row| {
            let runbook = row.runbook.as_ref().map(|link| format!("runbook {link}"));
            let told: Vec<String> = row.summary.iter().cloned().chain(runbook).collect();
            (!told.is_empty()).then(|| format!("{}: {}", row.alert, told.join("; ")))
        });
        let more: Vec<String> = more.collect();
        let text = page(&sentence, &heading, &rows);
        let text = if more.is_empty() { text } else { format!("{text}\n\n{}", more.join("\n")) };
        noted(&text, &self.notes)
    }
}

fn alert(row: &AlertRow) -> Vec<String> {
    let quiet = if row.quiet { " (quiet)" } else { "" };
    vec![
        format!("{}{quiet}", row.alert),
        or_dash(row.severity.as_ref()),
        or_dash(row.service.as_ref()),
        row.since.clone(),
        row.value.map_or_else(|| "-".to_owned(), short),
        or_dash(row.threshold.as_ref()),
        match (&row.trend, &row.shape) {
            (Some(trend), Some(shape)) => format!("{trend} {shape}"),
            (trend, _) => or_dash(trend.as_ref()),
        },
    ]
}

/// `90` seconds as `1m30s`.
fn length(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes) => format!("{hours}h{minutes:02}m"),
    }
}

impl Readable for History {
    fn text(&self) -> String {
        let Self { namespace, since, until, precision_seconds, extent, .. } = self;
        let words = extent.words(&format!("times that an alert fired in namespace `{namespace}`"));
        let sentence =
            format!("{words} from {since} to {until}; times are exact to {}", length(*precision_seconds));
        let row = |row: &EpisodeRow| {
            vec![
                row.alert.clone(),
                or_dash(row.severity.as_ref()),
                or_dash(row.service.as_ref()),
                row.from.clone(),
                row.until.clone().unwrap_or_else(|| "still firing".to_owned()),
                length(row.seconds),
                if row.paged.is_empty() { "-".to_owned() } else { row.paged.join(", ") },
            ]
        };
        let rows: Vec<Vec<String>> = self.episodes.iter().map(row).collect();
        let heading = ["ALERT", "SEVERITY", "ABOUT", "FROM", "UNTIL", "FOR", "CALLED"];
        noted(&page(&sentence, &heading, &rows), &self.notes)
    }
}

impl Readable for Silences {
    fn text(&self) -> String {
        let words = self.extent.words(&format!("silences about namespace `{}`", self.namespace));
        let rows: Vec<Vec<String>> = self
            .silences
            .iter()
            .map(|row| {
                let state = if row.active { "active" } else { "pending" };
                let quiets = if row.quiets.is_empty() { "-".to_owned() } else { row.quiets.join(", ") };
                vec![
                    state.to_owned(),
                    row.matchers.join(", "),
                    row.until.clone(),
                    row.by.clone(),
                    quiets,
                    row.comment.clone(),
                ]
            })
            .collect();
        let heading = ["STATE", "MATCHERS", "UNTIL", "BY", "QUIETS", "COMMENT"];
        page(&format!("{words}; {}", self.left_out), &heading, &rows)
    }
}

fn shift(row: &ShiftRow) -> Vec<String> {
    let instead = if row.stands_in { " (stands in)" } else { "" };
    vec![
        format!("{}{instead}", row.member),
        row.rotation.clone(),
        row.from.clone().unwrap_or_else(|| "always".to_owned()),
        row.until.clone().unwrap_or_else(|| "for good".to_owned()),
        row.source.clone(),
    ]
}

impl Readable for OnCall {
    fn text(&self) -> String {
        let heading = ["WHO", "ROTATION", "FROM", "UNTIL", "SOURCE"];
        let rows = |rows: &[ShiftRow]| rows.iter().map(shift).collect::<Vec<_>>();
        let of = format!("for namespace `{}` at {}", self.namespace, self.at);
        let now = if self.now.is_empty() {
            format!("nobody is known to be on call {of}")
        } else {
            format!("on call {of}")
        };
        let mut text = page(&now, &heading, &rows(&self.now));
        if !self.next.is_empty() {
            text = format!("{text}\n\n{}", page("after that", &heading, &rows(&self.next)));
        }
        noted(&text, &self.notes)
    }
}

impl Readable for Pages {
    fn text(&self) -> String {
        let words = self.extent.words(&format!("pages about namespace `{}`", self.namespace));
        let rows: Vec<Vec<String>> = self
            .pages
            .iter()
            .map(|row| {
                let who = row.acknowledged.iter().chain(&row.assigned).cloned().collect::<Vec<_>>();
                vec![
                    format!("#{}", row.number),
                    row.state.clone(),
                    row.urgency.clone(),
                    row.at.clone(),
                    or_dash(row.resolved.as_ref()),
                    if who.is_empty() { "-".to_owned() } else { who.join(", ") },
                    row.title.clone(),
                ]
            })
            .collect();
        let heading = ["PAGE", "STATE", "URGENCY", "AT", "RESOLVED", "WHO", "TITLE"];
        page(&format!("{words} since {}", self.since), &heading, &rows)
    }
}

impl Readable for Similar {
    fn text(&self) -> String {
        let Self { namespace, alert, since, extent, .. } = self;
        let words = extent.words(&format!("alerts like `{alert}` in namespace `{namespace}`"));
        let rows: Vec<Vec<String>> = self
            .similar
            .iter()
            .map(|row| {
                vec![
                    row.how.clone(),
                    row.alert.clone(),
                    or_dash(row.service.as_ref()),
                    row.times.to_string(),
                    row.last.clone(),
                    if row.active { "yes".to_owned() } else { "no".to_owned() },
                ]
            })
            .collect();
        let heading = ["HOW", "ALERT", "ABOUT", "TIMES", "LAST", "FIRING"];
        noted(&page(&format!("{words} since {since}"), &heading, &rows), &self.notes)
    }
}
