//! Brakes: what holds over everything, whatever a grant says. They are on by default.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::judge::Cap;
use super::set::PolicySet;
use crate::domain::alert::Labels;
use crate::domain::decision::{ClusterFacts, Fact, Heartbeat, Level, Question, Reason};
use crate::domain::matchers::Matchers;

/// All brakes of a policy set.
#[derive(Debug)]
pub(super) struct Brakes {
    pub global: Global,
    pub storm: Storm,
    pub breaker: Breaker,
    pub blind: Blind,
    pub trust: Trust,
    pub target: OnTarget,
}

/// How many acts at a time, and how many at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Global {
    pub max_in_flight: u32,
    pub max_actions: u32,
    pub window: SignedDuration,
    /// In flight at first, after one verified act, after two, … within the window; never above
    /// `max_in_flight`.
    pub ramp: Vec<u32>,
}

/// So much is wrong at once that one remedy at a time is beside the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storm {
    pub firing_groups_above: u32,
    /// Per mille, so that it can be compared exactly.
    pub unhealthy_permille_above: u32,
    /// How long it holds on after the last moment of the storm.
    pub cooldown: SignedDuration,
    pub max_level: Level,
}

/// Acts that did not help, wherever: something is not understood. Only a person resets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    pub failed_verifications: u32,
    pub window: SignedDuration,
    pub max_level: Level,
}

/// The alert that always fires does not: whatever is not alerted about may be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blind {
    pub alert: String,
    pub missing_for: SignedDuration,
    pub max_level: Level,
}

/// What belay sees by is itself unwell while one of these fires (told by the alert's name alone).
#[derive(Debug)]
pub(super) struct Trust {
    pub alerts: Vec<Matchers>,
    pub max_level: Level,
}

/// Holds on one root owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OnTarget {
    pub same_action_cooldown: SignedDuration,
    /// Calls that failed.
    pub failures: HoldOff,
    /// Acts that worked and did not help.
    pub ineffective: HoldOff,
}

/// After so many in a row, nothing for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HoldOff {
    pub count: u32,
    pub hold: SignedDuration,
}

impl Default for Global {
    /// Four at a time and ten an hour: about what one person can follow by reading.
    fn default() -> Self {
        Self { max_in_flight: 4, max_actions: 10, window: SignedDuration::from_hours(1), ramp: vec![1, 2, 4] }
    }
}

impl Default for Brakes {
    /// The documented defaults: `policies/README.md` gives each with its reason.
    fn default() -> Self {
        // a default that does not parse would be a mistake of this line, and is caught by the test below
        let trust = Matchers::parse(r#"alertname=~"Prometheus.*|Alertmanager.*|KubeAPI.*|etcd.*""#);
        Self {
            global: Global::default(),
            storm: Storm {
                firing_groups_above: 20,
                unhealthy_permille_above: 400,
                cooldown: SignedDuration::from_mins(10),
                max_level: Level::InTheLoop,
            },
            breaker: Breaker {
                failed_verifications: 2,
                window: SignedDuration::from_hours(1),
                max_level: Level::InTheLoop,
            },
            blind: Blind {
                alert: "Watchdog".to_owned(),
                missing_for: SignedDuration::from_mins(5),
                max_level: Level::Observe,
            },
            trust: Trust { alerts: trust.into_iter().collect(), max_level: Level::InTheLoop },
            target: OnTarget {
                same_action_cooldown: SignedDuration::from_mins(5),
                failures: HoldOff { count: 3, hold: SignedDuration::from_hours(1) },
                ineffective: HoldOff { count: 3, hold: SignedDuration::from_hours(4) },
            },
        }
    }
}

/// What lowers the level because of the state of everything. An undo that the grant promised is not held
/// back by the breaker that its own failure may have tripped.
pub(super) fn caps(set: &PolicySet, question: &Question) -> Vec<Cap> {
    let Brakes { storm, breaker, blind, trust, .. } = &set.brakes;
    let (cluster, now) = (&question.cluster, question.now);
    let undo = question.undoes.is_some();
    let found = [
        (stormy(storm, cluster, now), "brake/storm", storm.max_level),
        (tripped(breaker, question).filter(|_| !undo), "brake/breaker", breaker.max_level),
        (blinded(blind, cluster, now), "brake/blind", blind.max_level),
        (untrusted(trust, cluster), "brake/trust", trust.max_level),
    ];
    let caps = found.into_iter().filter_map(|(why, code, level)| Some((why?, code, level)));
    caps.map(|(text, code, level)| Cap { level, reason: Reason { code: code.to_owned(), text } }).collect()
}

/// What makes a storm of this moment, if anything does. What is unknown is none: `caps` judges that.
pub fn storm_now(set: &PolicySet, cluster: &ClusterFacts) -> Option<String> {
    raging(&set.brakes.storm, cluster)
}

fn raging(storm: &Storm, cluster: &ClusterFacts) -> Option<String> {
    let Storm { firing_groups_above, unhealthy_permille_above, .. } = storm;
    match (cluster.firing_groups.known(), cluster.unhealthy_permille.known()) {
        (Some(groups), _) if groups > firing_groups_above => {
            Some(format!("{groups} groups of alerts fire, more than {firing_groups_above}"))
        }
        (_, Some(share)) if share > unhealthy_permille_above => {
            let (share, above) = (share / 10, unhealthy_permille_above / 10);
            Some(format!("{share} % of the pods are not well, more than {above} %"))
        }
        _ => None,
    }
}

fn stormy(storm: &Storm, cluster: &ClusterFacts, now: Timestamp) -> Option<String> {
    let ClusterFacts { firing_groups, unhealthy_permille, last_storm, .. } = cluster;
    if let Some(why) = raging(storm, cluster) {
        return Some(format!("a storm: {why}"));
    }
    for fact in [firing_groups, unhealthy_permille] {
        if let Fact::Unknown(why) = fact {
            return Some(format!("whether there is a storm is unknown: {why}"));
        }
    }
    let until = (*last_storm)?.saturating_add(storm.cooldown).unwrap_or(Timestamp::MAX);
    (now < until).then(|| format!("a storm was seen; it is quiet enough from {until} on"))
}

/// Whether so many acts within the window were not seen to help, ever since a person last reset it.
pub(super) fn tripped(breaker: &Breaker, question: &Question) -> Option<String> {
    let missed = match &question.history.missed {
        Fact::Known(missed) => missed,
        Fact::Unknown(why) => return Some(format!("whether acts helped is unknown: {why}")),
        Fact::NotApplicable => return None,
    };
    let enough = usize::try_from(breaker.failed_verifications.max(1)).unwrap_or(usize::MAX);
    let close = |run: &[Timestamp]| match (run.first(), run.last()) {
        (Some(last), Some(first)) => last.duration_since(*first).abs() <= breaker.window,
        _ => false,
    };
    // a full list has lost its older half: so many are enough by themselves
    let trips = missed.windows(enough).any(close) || missed.len() >= super::book::VERDICTS;
    let window = breaker.window;
    trips.then(|| {
        format!(
            "the breaker is open: {enough} acts did not help within {window:#}, and no person has reset it"
        )
    })
}

fn blinded(blind: &Blind, cluster: &ClusterFacts, now: Timestamp) -> Option<String> {
    match &cluster.heartbeat {
        Fact::Known(Heartbeat { alert, last_seen }) if *alert == blind.alert => {
            let silent = now.duration_since(*last_seen);
            (silent >= blind.missing_for).then(|| {
                format!("`{alert}`, which always fires, was last seen at {last_seen}: alerts may not arrive")
            })
        }
        Fact::Unknown(why) => Some(format!("whether alerts arrive is unknown: {why}")),
        Fact::Known(_) | Fact::NotApplicable => None,
    }
}

fn untrusted(trust: &Trust, cluster: &ClusterFacts) -> Option<String> {
    if trust.alerts.is_empty() {
        return None;
    }
    let firing: &BTreeSet<String> = match &cluster.firing {
        Fact::Known(firing) => firing,
        Fact::Unknown(why) => return Some(format!("whether what belay sees by is well is unknown: {why}")),
        Fact::NotApplicable => return None,
    };
    let mut labels = Labels::from([("alertname".to_owned(), String::new())]);
    for name in firing {
        labels.insert("alertname".to_owned(), name.clone());
        if trust.alerts.iter().any(|matchers| matchers.hold(&labels)) {
            return Some(format!("`{name}` fires: what belay sees by is not well"));
        }
    }
    None
}

/// The alert that always fires, and for how long it may be missing.
pub fn watchdog(set: &PolicySet) -> (&str, SignedDuration) {
    (&set.brakes.blind.alert, set.brakes.blind.missing_for)
}

#[cfg(test)]
mod tests;
