//! No dead knobs: every key of the format, as its schema lists them, is turned once, and what is decided, what
//! a yes obliges to, or what people are told must be otherwise.

use std::collections::{BTreeMap, BTreeSet};

use belay::domain::decision::Decision;
use belay::policy::{draft, example, explain, schema};
use serde_json::Value;

use super::{OOM, SATURATION, files};

/// A policy that says everything a platform's file may say.
const FULL: &str = r#"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: full, owner: us }
spec:
  mode: enforce
  environments:
    - { name: shop, when: "target.namespace == 'shop'", maxLevel: 3, ladder: off }
    - { name: calm, when: "target.namespace == 'calm'", maxLevel: 5, ladder: strict }
    - { name: spare, when: "target.namespace == 'spare'", maxLevel: 4, ladder: off }
  approvers:
    some: { slackUsers: [U0A, U0B] }
    ops: { operators: true }
    desk: { operators: true }
    group: { slackUserGroup: S0G }
    duty: { schedule: duty-one }
    leads: { oidcGroup: leads-one }
  approvals:
    one: { from: [some, ops, group, duty, leads], count: 1, stepUp: false, expires: 15m, onExpire: escalate }
    two: { from: [some, desk], count: 4, eachGroup: 1, expires: 25m }
  ceilings:
    - { environments: [shop], actions: [scale_workload], maxLevel: 3 }
  grants:
    - id: restart
      description: Restart once.
      alerts: ['alertname="KubePodCrashLooping"']
      when: "finding.cause == 'OOMKilled'"
      actions: [restart_pod]
      environments: [shop, calm]
      level: 4
      actFrom: 3
      mode: enforce
      limits:
        perTarget: { max: 3, window: 11m }
        perGrant: { max: 4, window: 12m }
        perNamespace: { max: 5, window: 13m }
        perCluster: { max: 6, window: 14m }
      blastRadius: { maxUnavailable: 50%, keepReady: 2, respectBudgets: true }
      verify: { within: 21m, stabilise: 3m, expect: [workload_ready], metrics: [p99 falls], onFailure: escalate }
      confirm: { approval: one, within: 31m, onSilence: keep }
      playbook: true
      override: { level: 3, by: kim, reason: a launch, until: 2026-11-30T00:00:00Z }
    - id: scale
      alerts: ['alertname="CPUSaturation"']
      actions: [scale_workload]
      level: 3
      expires: 6h
      blastRadius: { maxReplicaDelta: 2, maxReplicas: 12 }
      verify: { within: 22m, expect: [alert_gone], onFailure: revert }
      confirm: { approval: one }
  advice:
    - { alerts: ['alertname="Quiet"'], outcome: notify, look: [the logs] }
  guards:
    - { id: capped, when: owner.hpa, maxLevel: 2, approval: two, offer: open_pull_request }
    - { id: denied, when: owner.busy, deny: true, message: not now }
  freezes:
    - { name: once, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, environments: [shop], when: owner.stateful, maxLevel: 1 }
    - { name: again, cron: "0 2 * * *", for: 2h, timezone: Europe/Berlin, when: owner.migration, maxLevel: 1 }
    - { name: company, ics: one.ics, timezone: Europe/Rome, when: owner.migration, maxLevel: 1 }
  brakes:
    global: { maxInFlight: 4, maxActions: 10, window: 1h, ramp: [1, 2, 4] }
    storm: { firingGroupsAbove: 20, unhealthyFractionAbove: 0.4, cooldown: 10m, maxLevel: 2 }
    breaker: { failedVerifications: 2, window: 50m, maxLevel: 2, resetBy: person }
    blind: { alert: Watchdog, missingFor: 5m, maxLevel: 1 }
    trust: { alerts: ['alertname=~"Prometheus.*"'], maxLevel: 2 }
    target: { sameActionCooldown: 5m, failures: { count: 3, hold: 70m }, ineffective: { count: 4, hold: 4h } }
"#;

/// A team's file.
const TEAM: &str = r"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: team, owner: team-shop }
spec:
  scope: { cluster: [demo], namespace: [shop] }
  guards:
    - { id: of-the-team, when: owner.stateful, maxLevel: 2 }
";

/// An hour that has no time zone of its own.
const CALENDAR: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20261120T030000\nDTEND:20261120T040000\nEND:VEVENT\nEND:VCALENDAR\n";
const EMPTY: &str = "BEGIN:VCALENDAR\nEND:VCALENDAR\n";

/// A key, its text and another one, and what is asked: an input and its changes.
type Turn = (&'static str, &'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const PLAN: &[(&str, &str)] = &[("plan.unavailable_after", "2"), ("plan.budget_allows", "0")];
const HPA: &[(&str, &str)] = &[("owner.hpa", "true")];
const BUSY: &[(&str, &str)] = &[("owner.busy", "true")];
const STATE: &[(&str, &str)] = &[("owner.stateful", "true")];
const MOVED: &[(&str, &str)] = &[("owner.migration", "true")];
const QUIET: &[(&str, &str)] = &[("alert.labels.alertname", "Quiet")];
const CALM: &[(&str, &str)] = &[("target.namespace", "calm")];
const STORM: &[(&str, &str)] = &[("cluster.firing_groups", "21")];
const UNWELL: &[(&str, &str)] = &[("cluster.unhealthy_fraction", "0.41")];
const AFTER: &[(&str, &str)] = &[("cluster.storm_minutes_ago", "9")];
const MISSED: &[(&str, &str)] =
    &[("history.missed", "2"), ("history.minutes_apart", "45"), ("history.minutes_ago", "9000")];
const SILENT: &[(&str, &str)] =
    &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")];
const DISTRUST: &[(&str, &str)] = &[("cluster.firing", "[PrometheusDown]")];
const FAILED: &[(&str, &str)] = &[("history.failures", "3")];
const USELESS: &[(&str, &str)] = &[("history.ineffective", "4")];

#[rustfmt::skip] // a row a key
const TURNS: &[Turn] = &[
    ("metadata.owner", "owner: team-shop", "owner: team-toys", OOM, &[]),
    ("spec.mode", "mode: enforce\n  environments", "mode: shadow\n  environments", OOM, &[]),
    ("spec.scope.cluster", "cluster: [demo]", "cluster: [eu-1]", OOM, STATE),
    ("spec.scope.namespace", "namespace: [shop]", "namespace: [toys]", OOM, STATE),
    ("spec.environments.name", "name: spare", "name: extra", SATURATION, &[("target.namespace", "spare")]),
    ("spec.environments.when", "== 'shop'\"", "== 'toys'\"", OOM, &[]),
    ("spec.environments.maxLevel", "maxLevel: 3, ladder", "maxLevel: 2, ladder", OOM, &[]),
    ("spec.environments.ladder", "ladder: strict", "ladder: off", OOM, CALM),
    ("spec.approvers.*.slackUsers", "[U0A, U0B]", "[U0A, U0C]", OOM, &[]),
    ("spec.approvers.*.operators", "ops: { operators: true", "ops: { operators: false", OOM, &[]),
    ("spec.approvers.*.slackUserGroup", "S0G", "S0H", OOM, &[]),
    ("spec.approvers.*.schedule", "duty-one", "duty-two", OOM, &[]),
    ("spec.approvers.*.oidcGroup", "leads-one", "leads-two", OOM, &[]),
    ("spec.approvals.*.from", "from: [some, ops, group,", "from: [some, group,", OOM, &[]),
    ("spec.approvals.*.count", "count: 1", "count: 2", OOM, &[]),
    ("spec.approvals.*.expires", "expires: 15m", "expires: 16m", OOM, &[]),
    ("spec.approvals.*.eachGroup", "eachGroup: 1", "eachGroup: 2", OOM, HPA),
    ("spec.approvals.*.stepUp", "stepUp: false", "stepUp: true", OOM, HPA),
    ("spec.ceilings.environments", "environments: [shop], actions", "environments: [calm], actions", SATURATION, &[]),
    ("spec.ceilings.actions", "actions: [scale_workload], maxLevel", "actions: [restart_pod], maxLevel", SATURATION, &[]),
    ("spec.ceilings.maxLevel", "actions: [scale_workload], maxLevel: 3", "actions: [scale_workload], maxLevel: 2", SATURATION, &[]),
    ("spec.grants.id", "id: restart", "id: again", OOM, &[]),
    ("spec.grants.description", "Restart once.", "Restart it.", OOM, &[]),
    ("spec.grants.alerts", "KubePodCrashLooping", "KubePodNotReady", OOM, &[]),
    ("spec.grants.when", "== 'OOMKilled'", "== 'CrashLoop'", OOM, &[]),
    ("spec.grants.actions", "actions: [restart_pod]\n", "actions: [restart_workload]\n", OOM, &[]),
    ("spec.grants.environments", "environments: [shop, calm]", "environments: [calm]", OOM, &[]),
    ("spec.grants.level", "level: 4\n      actFrom", "level: 5\n      actFrom", OOM, &[]),
    ("spec.grants.actFrom", "actFrom: 3", "actFrom: 4", OOM, &[]),
    ("spec.grants.mode", "mode: enforce\n      limits", "mode: shadow\n      limits", OOM, &[]),
    ("spec.grants.limits.perTarget.max", "max: 3", "max: 2", OOM, &[]),
    ("spec.grants.limits.perTarget.window", "window: 11m", "window: 9m", OOM, &[]),
    ("spec.grants.limits.perGrant.max", "max: 4, window", "max: 2, window", OOM, &[]),
    ("spec.grants.limits.perGrant.window", "window: 12m", "window: 9m", OOM, &[]),
    ("spec.grants.limits.perNamespace.max", "max: 5", "max: 2", OOM, &[]),
    ("spec.grants.limits.perNamespace.window", "window: 13m", "window: 9m", OOM, &[]),
    ("spec.grants.limits.perCluster.max", "max: 6", "max: 2", OOM, &[]),
    ("spec.grants.limits.perCluster.window", "window: 14m", "window: 9m", OOM, &[]),
    ("spec.grants.blastRadius.maxUnavailable", "50%", "25%", OOM, PLAN),
    ("spec.grants.blastRadius.keepReady", "keepReady: 2", "keepReady: 3", OOM, PLAN),
    ("spec.grants.blastRadius.respectBudgets", "respectBudgets: true", "respectBudgets: false", OOM, PLAN),
    ("spec.grants.blastRadius.maxReplicaDelta", "maxReplicaDelta: 2", "maxReplicaDelta: 1", SATURATION, &[]),
    ("spec.grants.blastRadius.maxReplicas", "maxReplicas: 12", "maxReplicas: 4", SATURATION, &[]),
    ("spec.grants.verify.within", "within: 21m", "within: 20m", OOM, &[]),
    ("spec.grants.verify.stabilise", "stabilise: 3m", "stabilise: 4m", OOM, &[]),
    ("spec.grants.verify.expect", "[workload_ready]", "[no_new_restarts]", OOM, &[]),
    ("spec.grants.verify.metrics", "[p99 falls]", "[p99 falls 20%]", OOM, &[]),
    ("spec.grants.verify.onFailure", "onFailure: revert", "onFailure: escalate", SATURATION, &[]),
    ("spec.grants.confirm.approval", "confirm: { approval: one }", "confirm: { approval: two }", SATURATION, &[]),
    ("spec.grants.confirm.within", "within: 31m", "within: 30m", OOM, &[]),
    ("spec.grants.confirm.onSilence", "onSilence: keep", "onSilence: escalate", OOM, &[]),
    ("spec.grants.playbook", "playbook: true", "playbook: false", OOM, &[("chosen_by_model", "false")]),
    ("spec.grants.expires", "expires: 6h", "expires: 7h", SATURATION, &[]),
    ("spec.grants.override.level", "override: { level: 3", "override: { level: 4", OOM, CALM),
    ("spec.grants.override.by", "by: kim", "by: lou", OOM, CALM),
    ("spec.grants.override.reason", "a launch", "a sale", OOM, CALM),
    ("spec.grants.override.until", "until: 2026-11-30T00", "until: 2026-11-20T00", OOM, CALM),
    ("spec.advice.alerts", "\"Quiet\"", "\"Loud\"", OOM, QUIET),
    ("spec.advice.outcome", "outcome: notify", "outcome: drop", OOM, QUIET),
    ("spec.advice.look", "[the logs]", "[the graphs]", OOM, QUIET),
    ("spec.guards.id", "id: capped", "id: bounded", OOM, HPA),
    ("spec.guards.when", "when: owner.hpa", "when: \"!owner.hpa\"", OOM, HPA),
    ("spec.guards.maxLevel", "when: owner.hpa, maxLevel: 2", "when: owner.hpa, maxLevel: 1", OOM, HPA),
    ("spec.guards.approval", "approval: two", "approval: one", OOM, HPA),
    ("spec.guards.offer", ", offer: open_pull_request", "", OOM, HPA),
    ("spec.guards.deny", "deny: true", "maxLevel: 2", OOM, BUSY),
    ("spec.guards.message", "not now", "later", OOM, BUSY),
    ("spec.freezes.name", "name: once", "name: this-once", OOM, STATE),
    ("spec.freezes.from", "from: 2026-11-20T00", "from: 2026-11-20T12", OOM, STATE),
    ("spec.freezes.to", "to: 2026-11-21T00", "to: 2026-11-20T01", OOM, STATE),
    ("spec.freezes.environments", "environments: [shop], when", "environments: [calm], when", OOM, STATE),
    ("spec.freezes.when", "when: owner.stateful, maxLevel: 1", "when: owner.hpa, maxLevel: 1", OOM, STATE),
    ("spec.freezes.maxLevel", "when: owner.stateful, maxLevel: 1", "when: owner.stateful, maxLevel: 2", OOM, STATE),
    ("spec.freezes.cron", "0 2 * * *", "0 4 * * *", OOM, MOVED),
    ("spec.freezes.for", "for: 2h", "for: 30m", OOM, MOVED),
    ("spec.freezes.timezone", "timezone: Europe/Rome", "timezone: Asia/Tokyo", OOM, MOVED),
    ("spec.freezes.ics", "ics: one.ics", "ics: other.ics", OOM, MOVED),
    ("spec.brakes.global.maxInFlight", "maxInFlight: 4, maxActions", "maxInFlight: 5, maxActions", OOM, &[("history.verified", "9")]),
    ("spec.brakes.global.maxActions", "maxActions: 10", "maxActions: 9", OOM, &[]),
    ("spec.brakes.global.window", "window: 1h", "window: 2h", OOM, &[]),
    ("spec.brakes.global.ramp", "[1, 2, 4]", "[2, 4]", OOM, &[]),
    ("spec.brakes.storm.firingGroupsAbove", "firingGroupsAbove: 20", "firingGroupsAbove: 21", OOM, STORM),
    ("spec.brakes.storm.unhealthyFractionAbove", "0.4", "0.41", OOM, UNWELL),
    ("spec.brakes.storm.cooldown", "cooldown: 10m", "cooldown: 9m", OOM, AFTER),
    ("spec.brakes.storm.maxLevel", "10m, maxLevel: 2", "10m, maxLevel: 1", OOM, STORM),
    ("spec.brakes.breaker.failedVerifications", "failedVerifications: 2", "failedVerifications: 3", OOM, MISSED),
    ("spec.brakes.breaker.window", "window: 50m", "window: 40m", OOM, MISSED),
    ("spec.brakes.breaker.maxLevel", "50m, maxLevel: 2", "50m, maxLevel: 1", OOM, MISSED),
    ("spec.brakes.blind.alert", "alert: Watchdog", "alert: Heartbeat", OOM, SILENT),
    ("spec.brakes.blind.missingFor", "missingFor: 5m", "missingFor: 6m", OOM, SILENT),
    ("spec.brakes.blind.maxLevel", "missingFor: 5m, maxLevel: 1", "missingFor: 5m, maxLevel: 2", OOM, SILENT),
    ("spec.brakes.trust.alerts", "Prometheus.*", "etcd.*", OOM, DISTRUST),
    ("spec.brakes.trust.maxLevel", "*\"'], maxLevel: 2", "*\"'], maxLevel: 1", OOM, DISTRUST),
    ("spec.brakes.target.sameActionCooldown", "sameActionCooldown: 5m", "sameActionCooldown: 6m", OOM, &[]),
    ("spec.brakes.target.failures.count", "failures: { count: 3", "failures: { count: 4", OOM, FAILED),
    ("spec.brakes.target.failures.hold", "hold: 70m", "hold: 80m", OOM, FAILED),
    ("spec.brakes.target.ineffective.count", "count: 4, hold", "count: 5, hold", OOM, USELESS),
    ("spec.brakes.target.ineffective.hold", "hold: 4h", "hold: 5h", OOM, USELESS),
];

/// Keys that decide nothing, and why they are there all the same.
const STILL: &[(&str, &str)] = &[
    ("apiVersion", "the version of the format: there is one"),
    ("kind", "a policy, or a golden input"),
    ("metadata.name", "how people call the file"),
    ("spec.approvals.*.onExpire", "silence never starts anything: there is one word for it"),
    ("spec.brakes.breaker.resetBy", "only a person resets it: there is one word for it"),
];

/// What a set says of a situation: the explanation, and what a yes obliges to.
fn said(full: &str, team: &str, given: &str, changes: &[(&str, &str)]) -> Result<String, String> {
    let mut all = files("full.yaml", full);
    all.push(("policies/team.yaml".to_owned(), team.to_owned()));
    all.push(("policies/one.ics".to_owned(), CALENDAR.to_owned()));
    all.push(("policies/other.ics".to_owned(), EMPTY.to_owned()));
    let set = draft(all).map_err(|errors| errors.to_string())?;
    let question = example(&set, given, changes)?;
    let explanation = explain(&set, &question);
    // the hash differs with every edit
    let lines: Vec<String> = explanation.lines.iter().map(|line| format!("{line:?}")).collect();
    let lines = lines.join("\n");
    let Decision { outcome, level, reasons, terms, .. } = explanation.decision;
    Ok(format!("{outcome:?} {level:?} {reasons:?} {terms:?}\n{lines}"))
}

#[test]
fn every_key_changes_something() {
    let turned = |(key, from, to, given, changes): &Turn| {
        let places = FULL.matches(from).count() + TEAM.matches(from).count();
        if places != 1 {
            return Some(format!("{key}: `{from}` stands {places} times"));
        }
        let before = said(FULL, TEAM, given, changes).unwrap();
        match said(&FULL.replace(from, to), &TEAM.replace(from, to), given, changes) {
            Ok(after) if after != before => None,
            Ok(_) => Some(format!("{key}: `{from}` -> `{to}` changes nothing")),
            Err(why) => Some(format!("{key}: {why}")),
        }
    };
    let wrong: Vec<String> = TURNS.iter().filter_map(turned).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The keys below a part of the schema that have none below themselves.
fn leaves(part: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(item) = part.get("items") {
        return leaves(item, path, found);
    }
    let named = part.get("properties").and_then(Value::as_object);
    let free = part.get("additionalProperties").filter(|free| free.is_object());
    if named.is_none() && free.is_none() {
        found.insert(path.trim_start_matches('.').to_owned());
    }
    for (key, inner) in named.into_iter().flatten() {
        leaves(inner, &format!("{path}.{key}"), found);
    }
    if let Some(free) = free {
        leaves(free, &format!("{path}.*"), found);
    }
}

#[test]
fn no_key_is_left_out() {
    let mut keys = BTreeSet::new();
    leaves(&schema()["else"], "", &mut keys);
    assert!(keys.len() > 100, "{}", keys.len());
    // tests decide whether a set is taken at all: `reports.rs`, `errors.rs`
    keys.retain(|key| !key.starts_with("spec.tests."));
    let turned: BTreeMap<&str, &str> =
        TURNS.iter().map(|(key, ..)| (*key, "")).chain(STILL.iter().copied()).collect();
    let missing: Vec<&String> = keys.iter().filter(|key| !turned.contains_key(key.as_str())).collect();
    assert!(missing.is_empty(), "nothing shows what these do: {missing:?}");
    let gone: Vec<&&str> = turned.keys().filter(|key| !keys.contains(**key)).collect();
    assert!(gone.is_empty(), "the format has no such key: {gone:?}");
}
