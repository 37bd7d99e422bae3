//! What measurements show: each rule at its threshold and just below it, with several pods, and where a measurement
//! is missing; and the queries, which are built from names alone.

use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::cluster::Snapshot;
use belay::domain::finding::Certainty::{self, Likely, Possible};
use belay::domain::gauge::{Asked, Gauge, Reading, table};
use belay::domain::record::Diagnosis;
use belay::domain::target::Kind;

use super::{ago, healthy, labels, other_owner, with_pod};

const GIB: i64 = 1 << 30;

fn with(mut snapshot: Snapshot, readings: &[(Gauge, &str, i64)]) -> Snapshot {
    let reading = |(gauge, subject, milli): &(Gauge, &str, i64)| Reading {
        gauge: *gauge,
        subject: (*subject).to_owned(),
        milli: *milli,
    };
    snapshot.gauges.readings = readings.iter().map(reading).collect();
    snapshot
}

fn of(snapshot: &Snapshot, alert: &str) -> Diagnosis {
    diagnose(snapshot, &labels(alert), &Templates::default())
}

fn causes(snapshot: &Snapshot) -> Vec<(&'static str, Certainty)> {
    of(snapshot, "ApiErrorRateHigh").findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

fn acts(snapshot: &Snapshot) -> Vec<String> {
    of(snapshot, "ApiErrorRateHigh").candidates.iter().map(|c| c.action.words()).collect()
}

/// Rolled out half an hour ago, while the template before still serves.
fn rolled_out() -> Snapshot {
    let mut snapshot = healthy();
    snapshot.workload.as_mut().unwrap().as_mut().unwrap().template_changed = Some(ago(30));
    snapshot.revisions.as_mut().unwrap()[1].ready = 1;
    snapshot
}

#[test]
fn held_back_at_the_cpu_limit() {
    let throttled = |a, b| {
        with(healthy(), &[(Gauge::CpuThrottled, "web-new-0", a), (Gauge::CpuThrottled, "web-new-1", b)])
    };
    assert_eq!(causes(&throttled(100, 250)), [("CpuThrottling", Likely)]);
    assert_eq!(causes(&throttled(100, 249)), []);
    let found = of(&throttled(300, 412), "X");
    assert_eq!(found.findings[0].subject.named.name, "web-new-1", "the worst of several");
    let says = "pod `web-new-1` is held back at its cpu limit in 41 % of its time, over 10 minutes";
    assert_eq!(found.findings[0].summary, says);
    assert!(!found.findings[0].evidence.is_empty());
    assert!(acts(&throttled(300, 412)).is_empty());
}

#[test]
fn a_leak_is_growth_for_hours_that_ends_at_the_limit_within_a_day() {
    let leak = |used: i64, slope: i64, lately: i64| {
        with(
            healthy(),
            &[
                (Gauge::MemoryUsed, "web-new-1", used),
                (Gauge::MemoryLimit, "web-new-1", GIB * 1_000),
                (Gauge::MemorySlope, "web-new-1", slope),
                (Gauge::MemorySlopeLately, "web-new-1", lately),
            ],
        )
    };
    // half a GiB in four hours
    let slope = GIB * 1_000 / 2 / (4 * 3_600);
    let half = GIB * 1_000 / 2;
    assert_eq!(causes(&leak(half, slope, slope)), [("MemoryLeak", Likely)]);
    assert_eq!(acts(&leak(half, slope, slope)), ["restart pod `web-new-1`"]);
    assert_eq!(causes(&leak(half, slope, 0)), [], "it has stopped growing");
    assert_eq!(causes(&leak(half, slope / 7, slope)), [], "a day and more are left");
    assert_eq!(causes(&leak(GIB * 100, slope, slope)), [], "a cache that warms");
    let mut unlimited = leak(half, slope, slope);
    unlimited.gauges.readings.retain(|reading| reading.gauge != Gauge::MemoryLimit);
    assert_eq!(causes(&unlimited), []);
    let mut unread = leak(half, slope, slope);
    unread.revisions = Err("forbidden".into());
    assert!(acts(&unread).is_empty(), "for all that was read the template may be failing");
}

#[test]
fn errors_that_came_with_a_rollout_lead_back() {
    let burn = |now, before, requests| {
        let readings = [(Gauge::ErrorsNow, "", now), (Gauge::ErrorsBefore, "", before)];
        with(rolled_out(), &[readings.as_slice(), &[(Gauge::Requests, "", requests)]].concat())
    };
    assert_eq!(causes(&burn(120, 1, 5_000)), [("ErrorBudgetBurn", Likely)]);
    assert_eq!(acts(&burn(120, 1, 5_000)), ["roll back Deployment `web` to template `web-old`"]);
    assert_eq!(causes(&burn(44, 0, 5_000)), [], "too few");
    assert_eq!(causes(&burn(120, 41, 5_000)), [], "not three times what it was");
    assert_eq!(causes(&burn(120, 1, 99)), [], "a ratio of next to nothing");
    let mut unknown = burn(120, 1, 5_000);
    unknown.gauges.readings.retain(|reading| reading.gauge != Gauge::ErrorsBefore);
    assert_eq!(causes(&unknown), [], "what it was before is not known");
    let mut old = burn(120, 1, 5_000);
    old.workload.as_mut().unwrap().as_mut().unwrap().template_changed = Some(ago(25 * 60));
    assert_eq!(causes(&old), []);
}

#[test]
fn what_is_elsewhere_or_full_or_over() {
    let calls = |share| with(healthy(), &[(Gauge::CallsFailing, "cart.shop.svc", share)]);
    assert_eq!(causes(&calls(500)), [("DependencyDown", Likely)]);
    assert_eq!(causes(&calls(499)), []);
    let volume = |used, left| {
        with(healthy(), &[(Gauge::VolumeUsed, "data", used), (Gauge::VolumeLeftInADay, "data", left)])
    };
    assert_eq!(causes(&volume(970, 1)), [("VolumeFilling", Likely)]);
    assert_eq!(causes(&volume(850, 0)), [("VolumeFilling", Likely)]);
    assert_eq!(causes(&volume(850, 1)), []);
    assert_eq!(causes(&volume(849, -1)), []);
    let ends = |days: i64| with(healthy(), &[(Gauge::CertificateLeft, "web-tls", days * 24 * 3_600_000)]);
    let found = |days| of(&ends(days), "CertificateExpiresSoon").findings.pop().map(|f| f.summary);
    assert_eq!(found(7).unwrap(), "certificate `web-tls` expires in 7 days");
    assert_eq!(found(-1).unwrap(), "certificate `web-tls` has expired");
    assert_eq!(found(8), None);
    assert_eq!(causes(&ends(1)), [], "no explanation of an alert that speaks of something else");
}

#[test]
fn models_and_gpus() {
    let served = |image: &str, ready: bool, up: i64| {
        let snapshot = with_pod(|pod| {
            image.clone_into(&mut pod.containers[0].image);
            pod.ready = ready;
        });
        with(snapshot, &[(Gauge::Up, "web-new-0", up)])
    };
    assert_eq!(causes(&served("vllm/vllm-openai:v1", false, 0)), [("ModelServerDown", Likely)]);
    assert_eq!(causes(&served("vllm/vllm-openai:v1", true, 0)), [("ModelServerDown", Possible)]);
    assert_eq!(causes(&served("vllm/vllm-openai:v1", false, 1_000)), []);
    assert_eq!(causes(&served("web:1", false, 0)), [], "no model server");
    let xid = |n: i64| with(healthy(), &[(Gauge::GpuError, "web-new-0", n * 1_000)]);
    assert_eq!(causes(&xid(79)), [("GpuLost", Possible)]);
    assert_eq!(causes(&xid(31)), [], "an application's own fault");
}

#[test]
fn nothing_is_certainly_well_where_a_measurement_failed() {
    let mut snapshot = healthy();
    assert_eq!(of(&snapshot, "KubePodCrashLooping").findings[0].cause.name(), "NothingWrong");
    snapshot.gauges.unread.push("error ratio: no answer".into());
    let blind = of(&snapshot, "KubePodCrashLooping");
    assert!(blind.findings.is_empty());
    assert_eq!(blind.missing, ["a measurement could not be read: error ratio: no answer"]);
}

#[test]
fn what_only_a_measurement_shows_is_over_once_it_is_measured_of_every_pod() {
    let calm = |n: i64| ["web-new-0", "web-new-1", "web-new-2"].map(|pod| (Gauge::CpuThrottled, pod, n));
    let found = |readings: &[(Gauge, &str, i64)]| {
        let found = of(&with(healthy(), readings), "CPUThrottlingHigh").findings.pop();
        found.map(|finding| finding.cause.name())
    };
    assert_eq!(found(&calm(10)), Some("NothingWrong"));
    assert_eq!(found(&calm(10)[..2]), None, "one pod was not measured");
    assert_eq!(found(&calm(300)), Some("CpuThrottling"));
    assert_eq!(found(&[]), None);
}

#[test]
fn queries_are_built_from_names_that_stand_for_themselves() {
    let mut snapshot = healthy();
    snapshot.pods.as_mut().unwrap()[0].object.named.name = "web.0".into();
    snapshot.workload.as_mut().unwrap().as_mut().unwrap().template_changed = Some(ago(30));
    let find = |table: &[Asked], gauge| table.iter().find(|asked| asked.gauge == gauge).cloned().unwrap();
    let all = table(&snapshot);
    let used = find(&all, Gauge::MemoryUsed).promql;
    assert_eq!(
        used,
        r#"sum by (pod) (container_memory_working_set_bytes{namespace="shop",pod=~"web\\.0|web-new-1|web-new-2",container!="",container!="POD"})"#
    );
    assert_eq!(find(&all, Gauge::ErrorsBefore).at, ago(31));
    assert_eq!(find(&all, Gauge::ErrorsNow).at, snapshot.at);
    assert!(!all.iter().any(|asked| asked.gauge == Gauge::VolumeUsed), "of a Deployment no claim is known");
    snapshot.owner = other_owner(Kind::StatefulSet);
    let claims = find(&table(&snapshot), Gauge::VolumeLeftInADay).promql;
    assert!(claims.contains(r#"persistentvolumeclaim=~".+-(?:web\\.0|web-new-1|web-new-2)""#), "{claims}");
    snapshot.workload.as_mut().unwrap().as_mut().unwrap().template_changed = None;
    assert!(!table(&snapshot).iter().any(|asked| asked.gauge == Gauge::ErrorsBefore));
    // text has no part in them
    snapshot.logs.as_mut().unwrap()[0].lines = vec!["\"} or up".into()];
    snapshot.pods.as_mut().unwrap()[1].object.named.name = "x\"} or up{a=\"".into();
    let sly = find(&table(&snapshot), Gauge::Up).promql;
    assert_eq!(sly, r#"min by (pod) (up{namespace="shop",pod=~"web\\.0|x\"\\} or up\\{a=\"|web-new-2"})"#);
    assert!(table(&snapshot).iter().all(|asked| asked.promql.len() < 4_096));
    snapshot.owner.0.named.namespace = String::new();
    assert!(table(&snapshot).is_empty());
}
