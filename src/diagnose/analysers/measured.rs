//! What measurements show: causes that no object's state tells. Each threshold says where it comes from.

use super::pods;
use crate::diagnose::evidence::{Book, Key};
use crate::domain::action::ActionKind;
use crate::domain::alert::Labels;
use crate::domain::cause::CauseWord;
use crate::domain::cluster::{ContainerState, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::gauge::{Gauge, Reading, rolled_out};
use crate::domain::redact;

/// A quarter of all periods: the threshold of the mixin's `CPUThrottlingHigh`, in thousandths.
const THROTTLED: i64 = 250;
/// Below three tenths of the limit of memory a slope may be a cache that warms, in thousandths.
const LEAKY_FROM: i64 = 300;
/// A leak that reaches its limit later than this is no reason for an alert now, in seconds.
const LEAK_WITHIN: i64 = 24 * 3_600;
/// Errors that a budget of 99.9 % burns within hours: 14.4 times a thousandth is the fast burn of the SRE workbook, and
/// this is three times that, in thousandths.
const BURNING: i64 = 45;
/// And so many times what it was before.
const WORSE: i64 = 3;
/// Requests a second below which a ratio says little, in thousandths: six a minute.
const TRAFFIC: i64 = 100;
/// Half of all calls fail: that is no single bad request, in thousandths.
const FAILING: i64 = 500;
/// What `KubePersistentVolumeFillingUp` calls critical: less than 3 % left, in thousandths; and what it warns of.
const FULL: (i64, i64) = (970, 850);
/// What cert-manager and the usual rules warn of, in seconds: a week. It is renewed a month before.
const EXPIRES: i64 = 7 * 24 * 3_600;
/// Xids that NVIDIA's own catalogue says a GPU does not come back from without a reset or a technician.
const LOST: [i64; 8] = [48, 62, 64, 74, 79, 95, 119, 120];
/// Images of model servers, by the name that their makers give them.
const MODEL_SERVERS: [&str; 6] =
    ["vllm", "ollama", "text-generation-inference", "llama.cpp", "tritonserver", "sglang"];

/// What a rule found: the cause, how sure, the reading it rests on, and the sentence.
struct Found<'a> {
    word: CauseWord,
    certainty: Certainty,
    reading: &'a Reading,
    says: String,
}

/// Each rule gives at most one finding.
type Rule = for<'a> fn(&'a Snapshot) -> Option<Found<'a>>;

const RULES: [Rule; 7] = [throttled, leak, burn, dependency, volume, gpu, model];

/// What an alert about certificates has in its name. A certificate is its namespace's, not one owner's: beside another
/// alert it would be no explanation.
const CERTIFICATES: [&str; 4] = ["cert", "tls", "ssl", "expir"];

/// The findings, in the order of the rules; likely at best, as a measure says that something is so and not that it is
/// the reason.
pub fn measured(snapshot: &Snapshot, labels: &Labels, book: &Book) -> Vec<Finding> {
    let alert = labels.get("alertname").map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let certificates = CERTIFICATES.iter().any(|word| alert.contains(word));
    let certificate = certificates.then(|| certificate(snapshot)).flatten();
    let found = RULES.iter().filter_map(|rule| rule(snapshot)).chain(certificate);
    found.map(|found| finding(snapshot, book, found)).collect()
}

fn finding(snapshot: &Snapshot, book: &Book, found: Found<'_>) -> Finding {
    let Found { word, certainty, reading, says } = found;
    let pod = pods(snapshot).into_iter().find(|pod| pod.object.named.name == reading.subject);
    let subject = pod.map_or_else(|| snapshot.owner.0.clone(), |pod| pod.object.clone());
    let suggests = match word {
        CauseWord::MemoryLeak => vec![ActionKind::RestartPod],
        CauseWord::ErrorBudgetBurn => vec![ActionKind::RollbackWorkload],
        _ => vec![],
    };
    Finding {
        cause: Cause::Measured {
            word,
            gauge: reading.gauge,
            about: reading.subject.clone(),
            milli: reading.milli,
        },
        subject,
        certainty,
        summary: says,
        evidence: book.cite(&[Key::Gauges, Key::Workload, Key::Pods]),
        rules_out: vec![],
        suggests,
    }
}

/// The pods whose memory a leak was measured in.
pub fn leaking<'a>(snapshot: &'a Snapshot, cause: &Cause) -> Vec<&'a Pod> {
    let Cause::Measured { word: CauseWord::MemoryLeak, about, .. } = cause else { return vec![] };
    pods(snapshot).into_iter().filter(|pod| pod.object.named.name == *about).collect()
}

/// The greatest reading of a gauge; equal ones by their subject, so that it is the same each time.
fn worst(snapshot: &Snapshot, gauge: Gauge) -> Option<&Reading> {
    snapshot.gauges.of(gauge).max_by_key(|reading| (reading.milli, std::cmp::Reverse(&reading.subject)))
}

fn least(snapshot: &Snapshot, gauge: Gauge) -> Option<&Reading> {
    snapshot.gauges.of(gauge).min_by_key(|reading| (reading.milli, &reading.subject))
}

fn name(reading: &Reading) -> String {
    redact::line(&reading.subject, 120)
}

fn throttled(snapshot: &Snapshot) -> Option<Found<'_>> {
    let reading = worst(snapshot, Gauge::CpuThrottled).filter(|reading| reading.milli >= THROTTLED)?;
    let says = format!(
        "pod `{}` is held back at its cpu limit in {} % of its time, over 10 minutes",
        name(reading),
        reading.milli / 10
    );
    Some(Found { word: CauseWord::CpuThrottling, certainty: Certainty::Likely, reading, says })
}

/// Memory that grew for hours, still grows, and will be at its limit within a day.
fn leak(snapshot: &Snapshot) -> Option<Found<'_>> {
    let gauges = &snapshot.gauges;
    let candidate = |reading: &&Reading| -> Option<i64> {
        let pod = &reading.subject;
        let (used, limit) = (gauges.about(Gauge::MemoryUsed, pod)?, gauges.about(Gauge::MemoryLimit, pod)?);
        let lately = gauges.about(Gauge::MemorySlopeLately, pod)?;
        let leaky = reading.milli > 0 && lately > 0 && used / LEAKY_FROM >= limit / 1_000 && limit > used;
        let left = (limit - used).checked_div(reading.milli)?;
        (leaky && left <= LEAK_WITHIN).then_some(left)
    };
    let found = gauges.of(Gauge::MemorySlope).filter_map(|reading| Some((candidate(&reading)?, reading)));
    let (left, reading) = found.min_by_key(|(left, reading)| (*left, reading.subject.clone()))?;
    let says = format!(
        "memory of pod `{}` has grown for hours by {} KiB a minute and is at its limit in {} hours",
        name(reading),
        reading.milli.saturating_mul(60) / 1_000 / 1_024,
        (left / 3_600).max(1)
    );
    Some(Found { word: CauseWord::MemoryLeak, certainty: Certainty::Likely, reading, says })
}

/// Many more requests fail since the last rollout than before.
fn burn(snapshot: &Snapshot) -> Option<Found<'_>> {
    rolled_out(snapshot)?;
    let now = worst(snapshot, Gauge::ErrorsNow).filter(|reading| reading.milli >= BURNING)?;
    let before = worst(snapshot, Gauge::ErrorsBefore)?.milli;
    let traffic = worst(snapshot, Gauge::Requests)?.milli;
    let worse = now.milli >= before.saturating_mul(WORSE);
    (worse && traffic >= TRAFFIC).then(|| Found {
        word: CauseWord::ErrorBudgetBurn,
        certainty: Certainty::Likely,
        reading: now,
        says: format!(
            "{} of its requests fail, and {} before the last rollout",
            percent(now.milli),
            percent(before)
        ),
    })
}

fn percent(milli: i64) -> String {
    format!("{}.{} %", milli / 10, (milli % 10).abs())
}

fn dependency(snapshot: &Snapshot) -> Option<Found<'_>> {
    let reading = worst(snapshot, Gauge::CallsFailing).filter(|reading| reading.milli >= FAILING)?;
    let says = format!(
        "{} of its calls to `{}` fail: look for the cause there",
        percent(reading.milli),
        name(reading)
    );
    Some(Found { word: CauseWord::DependencyDown, certainty: Certainty::Likely, reading, says })
}

fn volume(snapshot: &Snapshot) -> Option<Found<'_>> {
    let reading = worst(snapshot, Gauge::VolumeUsed)?;
    let left = snapshot.gauges.about(Gauge::VolumeLeftInADay, &reading.subject);
    let filling = reading.milli >= FULL.1 && left.is_some_and(|left| left <= 0);
    (reading.milli >= FULL.0 || filling).then(|| Found {
        word: CauseWord::VolumeFilling,
        certainty: Certainty::Likely,
        reading,
        says: format!(
            "volume claim `{}` is {} full{}",
            name(reading),
            percent(reading.milli),
            if filling { ", and at this pace wholly within a day" } else { "" }
        ),
    })
}

/// By what cert-manager itself says; a probe may look at another's certificate.
fn certificate(snapshot: &Snapshot) -> Option<Found<'_>> {
    let soon = |gauge| least(snapshot, gauge).filter(|reading| reading.milli <= EXPIRES * 1_000);
    let own = soon(Gauge::CertificateLeft).map(|reading| (reading, Certainty::Likely));
    let (reading, certainty) =
        own.or_else(|| Some((soon(Gauge::ProbedCertificateLeft)?, Certainty::Possible)))?;
    let hours = reading.milli / 1_000 / 3_600;
    let when = if reading.milli <= 0 {
        "has expired".to_owned()
    } else if hours < 48 {
        format!("expires in {hours} hours")
    } else {
        format!("expires in {} days", hours / 24)
    };
    let says = format!("certificate `{}` {when}", name(reading));
    Some(Found { word: CauseWord::CertificateExpiring, certainty, reading, says })
}

/// An Xid stays as it was last reported: it explains only a pod that is not well now.
fn gpu(snapshot: &Snapshot) -> Option<Found<'_>> {
    let lost = |reading: &&Reading| LOST.contains(&(reading.milli / 1_000));
    let reading = snapshot.gauges.of(Gauge::GpuError).find(lost)?;
    let unwell = pods(snapshot).iter().any(|pod| pod.object.named.name == reading.subject && !pod.ready);
    Some(Found {
        word: CauseWord::GpuLost,
        certainty: if unwell { Certainty::Likely } else { Certainty::Possible },
        reading,
        says: format!("a GPU of pod `{}` reported Xid {}", name(reading), reading.milli / 1_000),
    })
}

/// A model server's pod that runs and does not answer. By its image, which the API server states.
fn model(snapshot: &Snapshot) -> Option<Found<'_>> {
    let is_server = |pod: &&Pod| {
        let known = |image: &str| MODEL_SERVERS.iter().any(|server| image.contains(server));
        pod.containers.iter().any(|container| known(&container.image))
    };
    let runs = |pod: &&Pod| {
        pod.containers.iter().all(|container| matches!(container.state, ContainerState::Running { .. }))
    };
    let servers: Vec<&Pod> = pods(snapshot).into_iter().filter(is_server).filter(runs).collect();
    let down = |reading: &&Reading| {
        reading.milli == 0 && servers.iter().any(|pod| pod.object.named.name == reading.subject)
    };
    let reading = snapshot.gauges.of(Gauge::Up).find(down)?;
    let unready = servers.iter().any(|pod| pod.object.named.name == reading.subject && !pod.ready);
    Some(Found {
        word: CauseWord::ModelServerDown,
        certainty: if unready { Certainty::Likely } else { Certainty::Possible },
        reading,
        says: format!("the model server of pod `{}` runs and does not answer", name(reading)),
    })
}
