//! Reading webhook bodies of 3, 100 and 5,000 alerts, and bringing what was read into the form that is
//! stored.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

use belay::domain::canonical::canonical;
use belay::domain::record::Record;
use belay::intake::parse;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

/// A body that a real Alertmanager sent.
const BODY: &str = include_str!("../tests/data/alertmanager/am-0.33.1-prometheus-firing-3alerts.json");

const ALERTS: [usize; 3] = [3, 100, 5_000];

fn main() {
    divan::main();
}

/// The captured body with its alerts repeated, each under a fingerprint of its own.
fn body(alerts: usize) -> String {
    let (head, rest) = BODY.split_once("\"alerts\":[").unwrap();
    let (list, tail) = rest.split_once("],\"notification_reason\"").unwrap();
    let ends = "\"fingerprint\":\"";
    let one = list.split_inclusive("\"},").next().unwrap_or(list);
    let first = list.find("},{\"status\"").map_or(one, |end| &list[..=end]);
    let before = first.split_once(ends).unwrap().0;
    let alerts: Vec<String> = (0..alerts).map(|n| format!("{before}{ends}{n:016x}\"}}")).collect();
    format!("{head}\"alerts\":[{}],\"notification_reason\"{tail}", alerts.join(","))
}

#[divan::bench(args = ALERTS)]
fn parsed(bencher: Bencher<'_, '_>, alerts: usize) {
    let body = body(alerts);
    assert_eq!(parse(&body).unwrap().alerts.len(), alerts);
    bencher.counter(BytesCount::of_str(&body)).bench(|| parse(black_box(&body)));
}

#[divan::bench(args = ALERTS)]
fn stored_form(bencher: Bencher<'_, '_>, alerts: usize) {
    let body = body(alerts);
    let record = Record::Received { body: body.clone() };
    bencher.counter(BytesCount::of_str(&body)).bench(|| canonical(black_box(&record)));
}
