//! Freezes: an arbitrary calendar, cron expression and time zone. The first line is what a moment after
//! the example's is asked about, the second the cron expression, the third the zone; the rest the calendar.

use belay::domain::decision::Question;
use belay::policy::{decide, draft, example};
use jiff::SignedDuration;

use crate::places;

const OOM: &str = "examples/oom.yaml";
const EXAMPLE: &str = include_str!("../../policies/examples/oom.yaml");

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (minutes, cron, zone, calendar) = (next(), next(), next(), next());
    let minutes: i64 = minutes.trim().parse::<i32>().unwrap_or_default().into();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let (cron, zone) = (quoted(cron), quoted(zone));
    for keys in [
        format!("cron: {cron}, for: 3h, timezone: {zone}"),
        format!("ics: fuzz.ics, timezone: {zone}"),
        "ics: fuzz.ics".to_owned(),
    ] {
        freeze(&keys, calendar, minutes);
    }
}

fn freeze(keys: &str, calendar: &str, minutes: i64) {
    let text = format!(
        r#"apiVersion: belay.dev/v1
kind: Policy
metadata: {{ name: fuzz, owner: us }}
spec:
  environments: [{{ name: shop, when: "target.namespace == 'shop'", maxLevel: 5, ladder: off }}]
  approvers: {{ terminal: {{ operators: true }} }}
  approvals: {{ one: {{ from: [terminal], expires: 15m }} }}
  grants:
    - id: fuzz
      alerts: ['alertname="KubePodCrashLooping"']
      actions: [restart_pod]
      level: 4
      verify: {{ within: 20m, expect: [workload_ready] }}
      confirm: {{ approval: one }}
  freezes:
    - {{ name: fuzz, maxLevel: 1, {keys} }}
"#
    );
    let files = vec![
        ("policies/fuzz.yaml".to_owned(), text),
        ("policies/fuzz.ics".to_owned(), calendar.to_owned()),
        (format!("policies/{OOM}"), EXAMPLE.to_owned()),
    ];
    let set = match draft(files.clone()) {
        Err(errors) => return places::hold(&errors, &files),
        Ok(set) => set,
    };
    let mut question: Question = example(&set, OOM, &[]).unwrap();
    let Ok(now) = question.now.checked_add(SignedDuration::from_mins(minutes)) else { return };
    question.now = now;
    let decision = decide(&set, &question);
    let frozen = decision.reasons.iter().find(|reason| reason.code == "freeze/fuzz");
    // a freeze that holds says until when: not until a moment that is past
    if let Some(until) = frozen.and_then(|reason| reason.text.rsplit(' ').next()) {
        let until: jiff::Timestamp = until.parse().unwrap();
        assert!(now < until, "{}", frozen.unwrap().text);
    }
}
