//! The alerts server on fakes of its ports: thresholds with values and trends, episodes out of samples, who was
//! called, silences of a namespace and of no other, and rotations.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use belay::domain::alert::Labels;
use belay::domain::ids::Fingerprint;
use belay::domain::roster::{Layer, Override, Roster, Team};
use belay::domain::series::{Point, Series, Window};
use belay::ports::alerting::*;
use belay::ports::clock::ManualClock;
use belay::ports::reads::{Listed, Metrics, ReadError, Sample};
use belay::servers::alerts::{AlertsServer, Mapped, Pager, Sources, TOOLS};
use belay::servers::kit::Scope;
use jiff::civil::{Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Asked, WITHIN};

fn now() -> Timestamp {
    "2026-03-30T12:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn firing(of: &[(&str, &str)], since: Timestamp, silenced_by: &[&str]) -> Firing {
    Firing {
        fingerprint: Some(Fingerprint::new("f")),
        labels: labels(of),
        annotations: Labels::new(),
        since,
        silenced_by: silenced_by.iter().map(|id| (*id).to_owned()).collect(),
        quiet: !silenced_by.is_empty(),
        value: None,
    }
}

const ERRORS: [(&str, &str); 4] =
    [("alertname", "Errors"), ("namespace", "shop"), ("deployment", "web"), ("severity", "critical")];

/// Everything that the server asks.
#[derive(Clone, Default)]
struct World {
    firing: Vec<Firing>,
    rules: Vec<Rule>,
    silences: Vec<Silence>,
    series: Vec<Series>,
    shifts: Vec<Shift>,
    calls: Vec<Call>,
    told: Vec<Told>,
    down: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn ask<T: Clone>(&self, what: &str, of: &T) -> Result<T, ReadError> {
        self.asked.lock().unwrap().push(what.to_owned());
        let failed = || ReadError::Failed { what: what.to_owned(), why: "it answered 503".into() };
        if self.down { Err(failed()) } else { Ok(of.clone()) }
    }
}

#[async_trait]
impl Metrics for World {
    async fn query(&self, promql: &str, _: Timestamp) -> Result<Vec<Sample>, ReadError> {
        self.ask(promql, &vec![])
    }

    async fn range(&self, promql: &str, _: Window) -> Result<Vec<Series>, ReadError> {
        self.ask(promql, &self.series)
    }
}

#[async_trait]
impl Rules for World {
    async fn rules(&self) -> Result<Vec<Rule>, ReadError> {
        self.ask("rules", &self.rules)
    }
}

#[async_trait]
impl Router for World {
    async fn firing(&self) -> Result<Vec<Firing>, ReadError> {
        Ok(self.firing.clone())
    }

    async fn silences(&self) -> Result<Vec<Silence>, ReadError> {
        self.ask("silences", &self.silences)
    }
}

#[async_trait]
impl Paging for World {
    async fn on_call(&self, of: &[String], _: Timestamp, _: Timestamp) -> Result<Listed<Shift>, ReadError> {
        let items = self.ask(&format!("on call by {}", of.join(",")), &self.shifts)?;
        Ok(Listed { items, left_out: Some(0) })
    }

    async fn calls(&self, asked: &Calls) -> Result<Listed<Call>, ReadError> {
        let items = self.ask(&format!("calls of {}", asked.services.join(",")), &self.calls)?;
        Ok(Listed { items, left_out: Some(0) })
    }

    async fn told(&self, call: &str) -> Result<Listed<Told>, ReadError> {
        Ok(Listed { items: self.ask(&format!("told of {call}"), &self.told)?, left_out: Some(0) })
    }
}

fn pager(world: &Arc<World>) -> Pager {
    let of = Mapped { services: vec!["PSVC".into()], schedules: vec!["PSCH".into()] };
    Pager { paging: Arc::clone(world) as _, namespaces: Arc::new([("shop".to_owned(), of)].into()) }
}

async fn served(world: World, allowed: &[&str], with: impl FnOnce(&Arc<World>, &mut Sources)) -> Asked {
    let world = Arc::new(world);
    let mut sources = Sources {
        metrics: Some(Arc::clone(&world) as _),
        rules: Some(Arc::clone(&world) as _),
        router: Some(Arc::clone(&world) as _),
        pager: Some(pager(&world)),
        roster: None,
        clock: ManualClock::new(now()),
    };
    with(&world, &mut sources);
    let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
    Asked::of(AlertsServer::new(sources, scope)).await
}

fn rule(expression: &str) -> Rule {
    let annotations = labels(&[
        ("runbook_url", "https://runbooks.example/errors"),
        ("summary", "{{ $value }} of web fail"),
    ]);
    let seen = Firing { value: Some(0.07), ..firing(&ERRORS, ago(20), &[]) };
    Rule {
        name: "Errors".into(),
        expression: expression.into(),
        holds: SignedDuration::from_mins(5),
        labels: labels(&[("severity", "critical")]),
        annotations,
        firing: vec![seen],
    }
}

/// A point a minute in the last hour.
fn hour(of: &[(&str, &str)], value: fn(i32) -> f64) -> Series {
    let point = |minute| Point { at: ago(60 - i64::from(minute)), value: value(minute) };
    Series { labels: labels(of), points: (0..=60).map(point).collect() }
}

#[tokio::test]
async fn an_alert_has_its_threshold_its_value_and_its_trend() {
    let mine = [("namespace", "shop"), ("deployment", "web")];
    let theirs = [("namespace", "bank"), ("deployment", "web")];
    let world = World {
        firing: vec![
            firing(&[("alertname", "Note"), ("namespace", "shop"), ("severity", "info")], ago(5), &[]),
            firing(&ERRORS, ago(20), &["s-1"]),
            firing(&[("alertname", "Errors"), ("namespace", "bank"), ("severity", "critical")], ago(9), &[]),
        ],
        rules: vec![rule("sum by (namespace, deployment) (x) / y > 0.05")],
        series: vec![hour(&mine, |m| 0.06 + f64::from(m) / 1000.0), hour(&theirs, |_| 9.0)],
        ..World::default()
    };
    let asked = Arc::clone(&world.asked);
    let server = served(world, &["shop"], |_, _| {}).await;
    let (structure, text) = server.answer("get_active_alerts", json!({"namespace":"shop"})).await;
    let rows = structure["alerts"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "of the namespace alone: {text}");
    let loud = &rows[0];
    assert_eq!(
        (&loud["alert"], &loud["threshold"], &loud["value"]),
        (&json!("Errors"), &json!("> 0.05"), &json!(0.12))
    );
    assert_eq!(
        (&loud["service"], &loud["quiet"], &loud["silences"]),
        (&json!("web"), &json!(true), &json!(["s-1"]))
    );
    assert_eq!(loud["runbook"], "https://runbooks.example/errors");
    assert!(loud.get("summary").is_none(), "a template is no summary");
    assert!(loud["trend"].as_str().unwrap().starts_with("rising by 0.06 an hour"), "{loud}");
    assert!(text.contains("Errors (quiet)") && text.contains("> 0.05") && !text.contains("bank"), "{text}");
    assert!(asked.lock().unwrap().contains(&"sum by (namespace, deployment) (x) / y".to_owned()));
    let (structure, _) = server.answer("get_active_alerts", json!({"namespace":"shop","alert":"Note"})).await;
    assert_eq!(
        (structure["extent"]["total"].as_u64(), structure["alerts"][0]["value"].clone()),
        (Some(1), json!(null))
    );
    let told = server.trouble("get_active_alerts", json!({"namespace":"bank"})).await;
    assert!(told.contains("namespace `bank` is not allowed"), "{told}");
}

#[tokio::test]
async fn without_measurements_what_the_rule_saw_last_counts() {
    let world = World {
        firing: vec![firing(&ERRORS, ago(20), &[])],
        rules: vec![rule("x > 0.05")],
        ..World::default()
    };
    // nothing is measured of it
    let server = served(world.clone(), &[], |_, _| {}).await;
    let (structure, _) = server.answer("get_active_alerts", json!({"namespace":"shop"})).await;
    assert_eq!(
        (&structure["alerts"][0]["value"], &structure["alerts"][0]["trend"]),
        (&json!(0.07), &json!(null))
    );
    // neither Prometheus nor its rules answer: the alerts are there all the same
    let server = served(World { down: true, ..world.clone() }, &[], |_, _| {}).await;
    let (structure, text) = server.answer("get_active_alerts", json!({"namespace":"shop"})).await;
    assert_eq!(structure["alerts"][0]["threshold"], json!(null));
    assert!(text.contains("note: no thresholds: reading rules failed: it answered 503"), "{text}");
    // without Alertmanager the rules say what fires
    let server = served(world, &[], |_, sources| sources.router = None).await;
    let (structure, _) = server.answer("get_active_alerts", json!({"namespace":"shop"})).await;
    assert_eq!(structure["alerts"][0]["value"], 0.07);
    let server =
        served(World::default(), &[], |_, sources| (sources.router, sources.rules) = (None, None)).await;
    let told = server.trouble("get_active_alerts", json!({"namespace":"shop"})).await;
    assert_eq!(told, "what fires cannot be told: the configuration has no `alertmanager`");
}

/// Samples at these steps of a day in 300 steps.
fn at_steps(of: &[(&str, &str)], steps: &[i64]) -> Series {
    let point = |step: &i64| Point { at: ago(24 * 60) + SignedDuration::from_secs(288 * step), value: 1.0 };
    let mut all = of.to_vec();
    all.extend([("__name__", "ALERTS"), ("alertstate", "firing")]);
    Series { labels: labels(&all), points: steps.iter().map(point).collect() }
}

fn call(id: &str, title: &str, at: Timestamp, state: CallState) -> Call {
    Call {
        id: id.into(),
        number: 7,
        title: title.into(),
        service: "Shop".into(),
        state,
        urgency: "high".into(),
        at,
        resolved: (state == CallState::Resolved).then(now),
        assigned: vec![],
        acknowledged: vec!["Ada".into()],
        link: "https://x.pagerduty.com/incidents/P1".into(),
    }
}

#[tokio::test]
async fn history_is_read_off_the_samples_and_says_who_was_called() {
    let first = ago(24 * 60) + SignedDuration::from_secs(288 * 10);
    let world = World {
        // steps 10 to 12, then a gap, then until now
        series: vec![at_steps(&ERRORS, &[10, 11, 12, 298, 299, 300])],
        calls: vec![
            call("P1", "[FIRING:1] Errors shop", first + SignedDuration::from_mins(1), CallState::Resolved),
            call("P2", "Errors of last week", ago(600), CallState::Resolved),
            call("P3", "something else", first, CallState::Resolved),
        ],
        told: vec![
            Told { member: "Ada".into(), at: first },
            Told { member: "Ada".into(), at: first },
            Told { member: "Bob".into(), at: first },
        ],
        ..World::default()
    };
    let asked = Arc::clone(&world.asked);
    let server = served(world, &["shop"], |_, _| {}).await;
    let arguments = json!({"namespace":"shop","since":"1d","alert":"Err\"ors"});
    let (structure, text) = server.answer("get_alert_history", arguments).await;
    let rows = structure["episodes"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{text}");
    assert_eq!((&rows[0]["until"], &rows[0]["paged"]), (&json!(null), &json!(null)));
    assert_eq!(rows[1]["from"], (first - SignedDuration::from_secs(288)).to_string());
    assert_eq!((&rows[1]["seconds"], &rows[1]["paged"]), (&json!(864), &json!(["Ada", "Bob"])));
    assert_eq!(structure["precision_seconds"], 288);
    assert!(text.contains("still firing") && text.contains("Ada, Bob"), "{text}");
    let asked = asked.lock().unwrap();
    let promql = r#"max_over_time(ALERTS{alertstate="firing",namespace="shop",alertname="Err\"ors"}[288s])"#;
    assert_eq!(*asked, [promql, "calls of PSVC", "told of P1"]);
}

#[tokio::test]
async fn what_is_alike_is_told_by_how_alike_it_is() {
    let world = World {
        firing: vec![firing(&ERRORS, ago(3), &[])],
        series: vec![
            at_steps(&ERRORS, &[298, 299, 300]),
            at_steps(&ERRORS, &[5, 50]),
            at_steps(
                &[
                    ("alertname", "Errors"),
                    ("namespace", "shop"),
                    ("deployment", "api"),
                    ("severity", "critical"),
                ],
                &[7],
            ),
            at_steps(
                &[
                    ("alertname", "Errors"),
                    ("namespace", "shop"),
                    ("deployment", "api"),
                    ("severity", "info"),
                ],
                &[8],
            ),
            at_steps(&[("alertname", "Slow"), ("namespace", "shop"), ("deployment", "web")], &[9]),
            at_steps(&[("alertname", "Slow"), ("namespace", "shop"), ("deployment", "api")], &[9]),
        ],
        ..World::default()
    };
    let server = served(world.clone(), &["shop"], |_, _| {}).await;
    let arguments = json!({"namespace":"shop","alert":"Errors","service":"web","since":"1d"});
    let (structure, text) = server.answer("similar_alerts", arguments).await;
    let rows: Vec<(String, u64, bool)> = structure["similar"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let name = format!("{} {}", row["alert"].as_str().unwrap(), row["service"].as_str().unwrap());
            (name, row["times"].as_u64().unwrap(), row["active"].as_bool().unwrap())
        })
        .collect();
    let expected =
        [("Errors web", 3, true), ("Errors api", 1, false), ("Errors api", 1, false), ("Slow web", 1, false)];
    assert_eq!(rows, expected.map(|(name, times, active)| (name.to_owned(), times, active)), "{text}");
    // one source that is down leaves the other
    let server = served(World { down: true, ..world }, &["shop"], |_, _| {}).await;
    let (structure, text) =
        server.answer("similar_alerts", json!({"namespace":"shop","alert":"Errors"})).await;
    assert_eq!(structure["similar"].as_array().unwrap().len(), 1);
    assert!(text.contains("note: ") && text.contains("503"), "{text}");
}

#[tokio::test]
async fn silences_are_those_of_the_namespace() {
    let silence = |id: &str, matches: &[(&str, &str, bool, bool)]| Silence {
        id: id.into(),
        active: true,
        matches: matches
            .iter()
            .map(|(name, value, regex, equal)| Matches {
                name: (*name).into(),
                value: (*value).into(),
                regex: *regex,
                equal: *equal,
            })
            .collect(),
        starts_at: ago(60),
        ends_at: now() + SignedDuration::from_hours(1),
        by: "ada".into(),
        comment: "token=abcdefghijklmnop1234567890".into(),
    };
    let world = World {
        firing: vec![firing(&ERRORS, ago(20), &["by-name"])],
        silences: vec![
            silence("exact", &[("namespace", "shop", false, true)]),
            silence("like", &[("namespace", "sh.*", true, true)]),
            silence("other", &[("namespace", "bank", false, true)]),
            silence("longer", &[("namespace", "shop-2", false, true)]),
            silence("not", &[("namespace", "bank", false, false)]),
            silence("by-name", &[("alertname", "Errors", false, true)]),
            silence("of all", &[("severity", "info", false, true)]),
            silence("broken", &[("namespace", "(", true, true)]),
        ],
        ..World::default()
    };
    let server = served(world, &["shop"], |_, _| {}).await;
    let (structure, text) = server.answer("get_silences", json!({"namespace":"shop"})).await;
    let ids: Vec<&str> =
        structure["silences"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["by-name", "exact", "like"]);
    assert_eq!(structure["silences"][0]["quiets"], json!(["Errors"]));
    assert!(text.contains("5 others do not speak of it") && text.contains("namespace=~sh.*"), "{text}");
    assert!(!text.contains("abcdefghijklmnop"), "{text}");
}

fn roster() -> Roster {
    let team = Team {
        name: "shop".into(),
        namespaces: ["shop".to_owned()].into(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        layers: vec![Layer {
            name: "primary".into(),
            members: vec!["Ada".into(), "Bob".into()],
            day: Some(Weekday::Monday),
            time: time(9, 0, 0, 0),
            start: date(2026, 3, 23),
        }],
        overrides: vec![Override {
            layer: "primary".into(),
            member: "Eve".into(),
            from: now() + SignedDuration::from_hours(24),
            until: now() + SignedDuration::from_hours(48),
        }],
    };
    Roster::new(vec![team]).unwrap()
}

#[tokio::test]
async fn who_is_on_call_is_told_by_the_file_and_by_the_service() {
    let shift = Shift {
        member: "Tim".into(),
        schedule: Some("Daily".into()),
        policy: "Shop".into(),
        level: 2,
        from: Some(ago(60)),
        until: None,
    };
    let world = World { shifts: vec![shift], ..World::default() };
    let asked = Arc::clone(&world.asked);
    let server = served(world.clone(), &[], |_, s| s.roster = Some(Arc::new(roster()))).await;
    let (structure, text) = server.answer("get_on_call_schedule", json!({"namespace":"shop"})).await;
    // Bob's week began on that Monday at nine in Berlin, a day after the clock went forward
    assert_eq!(structure["now"][0]["member"], "Bob");
    assert_eq!(structure["now"][0]["from"], "2026-03-30T07:00:00Z");
    assert_eq!(structure["now"][1]["rotation"], "Shop, level 2 (Daily)");
    let next: Vec<&str> =
        structure["next"].as_array().unwrap().iter().map(|row| row["member"].as_str().unwrap()).collect();
    assert_eq!(next, ["Eve", "Bob", "Ada"]);
    assert!(text.contains("Eve (stands in)") && text.contains("for good"), "{text}");
    assert_eq!(*asked.lock().unwrap(), ["on call by PSCH"]);
    // a service that is down leaves the file, and the other way round says so
    let down = World { down: true, ..world.clone() };
    let server = served(down.clone(), &[], |_, s| s.roster = Some(Arc::new(roster()))).await;
    let (_, text) = server.answer("get_on_call_schedule", json!({"namespace":"shop"})).await;
    assert!(text.contains("Bob") && text.contains("note: reading on call by PSCH failed"), "{text}");
    let server = served(down, &[], |_, _| {}).await;
    assert!(server.trouble("get_on_call_schedule", json!({"namespace":"shop"})).await.contains("503"));
    let server = served(world, &[], |_, s| s.pager = None).await;
    let told = server.trouble("get_on_call_schedule", json!({"namespace":"shop"})).await;
    assert_eq!(told, "who is on call cannot be told: the configuration has no `onCall` and no `pagerduty`");
}

#[tokio::test]
async fn pages_are_those_of_the_namespace_s_services() {
    let world = World {
        calls: vec![
            call("P1", "down\u{202e} now", ago(30), CallState::Acknowledged),
            call("P2", "was down", ago(300), CallState::Resolved),
        ],
        ..World::default()
    };
    let server = served(world, &["shop", "bank"], |_, _| {}).await;
    let (structure, text) = server.answer("get_pages", json!({"namespace":"shop"})).await;
    assert_eq!(structure["pages"].as_array().unwrap().len(), 2);
    assert!(text.contains("#7") && text.contains("acknowledged") && text.contains("<U+202E>"), "{text}");
    let (structure, _) = server.answer("get_pages", json!({"namespace":"shop","open":true})).await;
    assert_eq!(structure["pages"].as_array().unwrap().len(), 1);
    let told = server.trouble("get_pages", json!({"namespace":"bank"})).await;
    assert!(told.contains("`pagerduty.namespaces` says nothing about `bank`"), "{told}");
}

#[tokio::test]
async fn the_tools_are_few_and_cheap_and_each_names_its_namespace() {
    let server = served(World::default(), &[], |_, _| {}).await;
    let tools = server.0.client.tools(WITHIN).await.unwrap();
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, TOOLS.into_iter().collect());
    for tool in &tools {
        assert_eq!(tool.annotations.as_ref().unwrap().read_only_hint, Some(true));
        let required = serde_json::to_value(&tool.input_schema).unwrap()["required"].to_string();
        assert!(required.contains("namespace"), "{}", tool.name);
    }
    let tokens = server.tokens().await;
    assert!(tokens < 730, "{tokens}");
}
