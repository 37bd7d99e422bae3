//! The same answers as text for people and models.

use std::collections::BTreeMap;

use super::views::{ChangeRow, Changes, Queried, Ranged, SeriesRow, ServiceMetric};
use crate::domain::series::short;
use crate::servers::kit::{Readable, page};

/// Labels of one series in a table.
const WIDE: usize = 160;

fn named(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return "-".to_owned();
    }
    let all: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let all = all.join(",");
    match all.char_indices().nth(WIDE) {
        None => all,
        Some((end, _)) => format!("{}…", all.get(..end).unwrap_or_default()),
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), short)
}

fn figures(row: &SeriesRow) -> Vec<String> {
    let mut cells = vec![named(&row.labels)];
    cells.extend([row.min, row.avg, row.max, row.last].map(figure));
    cells.push(row.shape.clone());
    cells
}

const FIGURES: [&str; 6] = ["SERIES", "MIN", "AVG", "MAX", "LAST", "SHAPE"];

impl Readable for ServiceMetric {
    fn text(&self) -> String {
        let Self { namespace, service, metric, aggregation, since, until, .. } = self;
        let unit = self.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let of = format!("`{metric}` of `{service}` in namespace `{namespace}`");
        let sentence = match self.series.as_slice() {
            [] => format!(
                "{of} gave nothing from {since} to {until}: Prometheus has no such series of it, or nothing happened.\n\nasked: {}",
                self.promql
            ),
            [only] => {
                let value = only.value.map_or_else(|| "infinite".to_owned(), short);
                format!("{of}: {aggregation} {value}{unit} from {since} to {until}")
            }
            _ => format!("{of}, {aggregation} from {since} to {until}: {}", self.extent.words("series")),
        };
        let rows: Vec<Vec<String>> = self.series.iter().map(figures).collect();
        page(&sentence, &FIGURES, &rows)
    }
}

impl Readable for Ranged {
    fn text(&self) -> String {
        let Self { since, until, step_seconds, note, extent, .. } = self;
        let note = note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        let sentence =
            format!("{} from {since} to {until}, every {step_seconds} s{note}", extent.words("series"));
        let rows: Vec<Vec<String>> = self.series.iter().map(figures).collect();
        page(&sentence, &FIGURES, &rows)
    }
}

impl Readable for Queried {
    fn text(&self) -> String {
        let sentence = format!("{} at {}", self.extent.words("samples"), self.at);
        let row = |row: &super::views::SampleRow| vec![named(&row.labels), figure(row.value)];
        page(&sentence, &["SERIES", "VALUE"], &self.samples.iter().map(row).collect::<Vec<_>>())
    }
}

impl Readable for Changes {
    fn text(&self) -> String {
        let Self { namespace, service, metric, since, until, series, .. } = self;
        let of = format!("`{metric}` of `{service}` in namespace `{namespace}` from {since} to {until}");
        if series.is_empty() {
            return format!("{of} gave nothing: Prometheus has no such series of it, or nothing happened");
        }
        let unit = self.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let told: Vec<String> = series.iter().map(|row| told(row, &unit)).collect();
        format!("{of}, {}:\n\n{}", self.extent.words("series"), told.join("\n\n"))
    }
}

/// One series, a sentence a line.
fn told(row: &ChangeRow, unit: &str) -> String {
    let mut lines = vec![format!("{}  {}", row.shape, named(&row.labels))];
    match &row.shift {
        Some(shift) => {
            let apart = shift.deviations.map(|by| format!(", {} standard deviations", short(by)));
            lines.push(format!(
                "level: from {} to {}{unit} at {}{}",
                figure(shift.before),
                figure(shift.after),
                shift.at,
                apart.unwrap_or_default()
            ));
        }
        None if row.trend.is_none() => lines.push(format!("{} points are too few to say more", row.points)),
        None => lines.push(format!("level: no shift; now {}{unit}", figure(row.last))),
    }
    if let Some(trend) = &row.trend {
        lines.push(format!(
            "trend: {}, {}{unit} an hour since {} (fit {})",
            trend.direction,
            figure(trend.per_hour),
            trend.since,
            figure(trend.fit)
        ));
    }
    if let Some(limit) = &row.limit {
        lines.push(format!("limit: {}{unit} ({}): {}", figure(limit.value), limit.source, limit.says));
    }
    lines.join("\n")
}
