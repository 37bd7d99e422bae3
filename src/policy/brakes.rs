//! Brakes: what holds over everything, whatever a grant says. They are on by default.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::judge::Cap;
use super::matchers::Matchers;
use super::set::PolicySet;
use crate::domain::alert::Labels;
use crate::domain::decision::{ClusterFacts, Fact, Heartbeat, Level, Question, Reason};

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
mod tests {
    use super::super::decide::decide;
    use super::super::tried::{asked, check, lenient};
    use super::*;
    use crate::domain::decision::Outcome::{self, Act, Ask, Escalate, Notify};

    type Changes = &'static [(&'static str, &'static str)];
    type Knob = fn(&mut Brakes);
    type Then = (Outcome, u8, &'static str);

    #[test]
    fn the_default_watches_what_belay_sees_by() {
        assert_eq!(Brakes::default().trust.alerts.len(), 1);
    }

    /// What is asked, what follows by default, and a knob that changes it back.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table: one line a knob")]
    fn every_knob_changes_a_decision() {
        let acts = (Act, 4, "grant/restart");
        let cases: [(Changes, Then, Knob, Then); 25] = [
            (
                &[("cluster.firing_groups", "21")],
                (Ask, 2, "brake/storm"),
                |b| b.storm.firing_groups_above = 21,
                acts,
            ),
            (
                &[("cluster.firing_groups", "21")],
                (Ask, 2, "brake/storm"),
                |b| b.storm.max_level = Level::Observe,
                (Notify, 1, "brake/storm"),
            ),
            (
                &[("cluster.unhealthy_fraction", "0.41")],
                (Ask, 2, "brake/storm"),
                |b| b.storm.unhealthy_permille_above = 410,
                acts,
            ),
            (
                &[("cluster.storm_minutes_ago", "9")],
                (Ask, 2, "brake/storm"),
                |b| b.storm.cooldown = SignedDuration::from_mins(9),
                acts,
            ),
            (
                &[("cluster.storm_minutes_ago", "10")],
                acts,
                |b| b.storm.cooldown = SignedDuration::from_mins(11),
                (Ask, 2, "brake/storm"),
            ),
            (
                &[("history.missed", "2")],
                (Ask, 2, "brake/breaker"),
                |b| b.breaker.failed_verifications = 3,
                acts,
            ),
            (
                &[("history.missed", "2")],
                (Ask, 2, "brake/breaker"),
                |b| b.breaker.max_level = Level::Observe,
                (Notify, 1, "brake/breaker"),
            ),
            (
                &[("history.missed", "2"), ("history.minutes_apart", "60"), ("history.minutes_ago", "9000")],
                (Ask, 2, "brake/breaker"),
                |b| b.breaker.window = SignedDuration::from_mins(59),
                acts,
            ),
            (
                &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
                (Notify, 1, "brake/blind"),
                |b| b.blind.missing_for = SignedDuration::from_mins(6),
                acts,
            ),
            (
                &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
                (Notify, 1, "brake/blind"),
                |b| b.blind.max_level = Level::InTheLoop,
                (Ask, 2, "brake/blind"),
            ),
            (
                &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
                (Notify, 1, "brake/blind"),
                |b| b.blind.alert = "Other".to_owned(),
                acts,
            ),
            (
                &[("cluster.firing", "[PrometheusDown]")],
                (Ask, 2, "brake/trust"),
                |b| b.trust.alerts.clear(),
                acts,
            ),
            (
                &[("cluster.firing", "[etcdNoLeader]")],
                (Ask, 2, "brake/trust"),
                |b| b.trust.max_level = Level::Observe,
                (Notify, 1, "brake/trust"),
            ),
            (
                &[("history.cooldown", "1"), ("history.minutes_ago", "4")],
                (Escalate, 4, "limit/cooldown"),
                |b| b.target.same_action_cooldown = SignedDuration::from_mins(4),
                acts,
            ),
            (
                &[("history.failures", "3")],
                (Escalate, 4, "limit/failures"),
                |b| b.target.failures.count = 4,
                acts,
            ),
            (
                &[("history.failures", "3"), ("history.minutes_ago", "59")],
                (Escalate, 4, "limit/failures"),
                |b| b.target.failures.hold = SignedDuration::from_mins(59),
                acts,
            ),
            (
                &[("history.ineffective", "3"), ("history.minutes_ago", "239")],
                (Escalate, 4, "limit/ineffective"),
                |b| b.target.ineffective.count = 4,
                acts,
            ),
            (
                &[("history.ineffective", "3"), ("history.minutes_ago", "239")],
                (Escalate, 4, "limit/ineffective"),
                |b| b.target.ineffective.hold = SignedDuration::from_hours(3),
                acts,
            ),
            (
                &[("history.ineffective", "3"), ("history.minutes_ago", "240")],
                acts,
                |b| b.target.ineffective.hold = SignedDuration::from_hours(5),
                (Escalate, 4, "limit/ineffective"),
            ),
            (
                &[("cluster.actions_in_flight", "1")],
                (Escalate, 4, "limit/inFlight"),
                |b| b.global.ramp = vec![2],
                acts,
            ),
            (
                &[("cluster.actions_in_flight", "1")],
                (Escalate, 4, "limit/inFlight"),
                |b| b.global.ramp.clear(),
                acts,
            ),
            (
                &[("cluster.actions_in_flight", "1"), ("history.verified", "1")],
                acts,
                |b| b.global.max_in_flight = 1,
                (Escalate, 4, "limit/inFlight"),
            ),
            (
                &[("cluster.actions_in_flight", "3"), ("history.verified", "2")],
                acts,
                |b| b.global.ramp = vec![1, 2, 3],
                (Escalate, 4, "limit/inFlight"),
            ),
            (
                &[
                    ("cluster.actions_in_flight", "1"),
                    ("history.verified", "1"),
                    ("history.minutes_ago", "50"),
                ],
                acts,
                |b| b.global.window = SignedDuration::from_mins(50),
                (Escalate, 4, "limit/inFlight"),
            ),
            (
                &[("cluster.actions_in_flight", "1"), ("history.verified", "5"), ("history.missed", "1")],
                (Escalate, 4, "limit/inFlight"),
                |b| b.global.ramp = vec![9],
                acts,
            ),
        ];
        for (changes, (outcome, level, first), turn, (then, at, because)) in cases {
            let mut set = lenient();
            check(&set, changes, outcome, level, first);
            turn(&mut set.brakes);
            check(&set, changes, then, at, because);
        }
    }

    #[test]
    fn what_cannot_be_read_brakes_and_what_does_not_apply_does_not() {
        let set = lenient();
        let cases: [(&str, &str); 5] = [
            ("cluster.firing_groups", "brake/storm"),
            ("cluster.unhealthy_fraction", "brake/storm"),
            ("cluster.firing", "brake/trust"),
            ("cluster.heartbeat", "brake/blind"),
            ("owner.replicas", "grant/restart"),
        ];
        for (fact, code) in cases {
            let found = decide(&set, &asked(&set, &[(fact, "unknown")]));
            assert_eq!(found.reasons[0].code, code, "{fact}");
            check(&set, &[(fact, "not_applicable")], Act, 4, "grant/restart");
        }
        let forgets: [fn(&mut Question); 2] =
            [|q| q.history.missed = Fact::default(), |q| q.history.acts = Fact::default()];
        for forget in forgets {
            let mut question = asked(&set, &[]);
            forget(&mut question);
            assert_ne!(decide(&set, &question).outcome, Act);
        }
    }

    /// Within the window is enough, however long ago: only a person closes it.
    #[test]
    fn the_breaker_stays_open_until_a_person_resets_it() {
        let set = lenient();
        check(&set, &[("history.missed", "2"), ("history.minutes_ago", "500000")], Ask, 2, "brake/breaker");
        check(&set, &[("history.missed", "2"), ("history.minutes_apart", "61")], Act, 4, "grant/restart");
        // so many that the list is full: what fell out of it may have been closer together
        check(&set, &[("history.missed", "100"), ("history.minutes_apart", "61")], Ask, 2, "brake/breaker");
        let mut question = asked(&set, &[("history.missed", "2")]);
        question.history.missed = Fact::Known(Vec::new());
        assert_eq!(decide(&set, &question).outcome, Act);
    }

    /// At level 1 what is reached is printed; from 2 on it is loud.
    #[test]
    fn limits_are_loud_from_level_2_on() {
        for (key, code) in [
            ("history.cooldown", "limit/cooldown"),
            ("history.failures", "limit/failures"),
            ("history.ineffective", "limit/ineffective"),
        ] {
            for level in Level::ALL {
                let mut set = lenient();
                set.grants[0].level = level;
                let decision = decide(&set, &asked(&set, &[(key, "3")]));
                let loud = if level == Level::Observe { Notify } else { Escalate };
                assert_eq!(decision.outcome, loud, "{key} at {level:?}");
                assert!(decision.reasons.iter().any(|reason| reason.code == code), "{key}");
            }
        }
    }

    #[test]
    fn failures_and_what_did_not_help_are_counted_apart_and_in_a_row() {
        let set = lenient();
        let two_and_two: Changes = &[("history.failures", "2"), ("history.ineffective", "2")];
        check(&set, two_and_two, Act, 4, "grant/restart");
        let mut question = asked(&set, &[("history.ineffective", "3")]);
        let Fact::Known(acts) = &mut question.history.acts else { panic!() };
        // a call that failed in between says nothing about what helps
        let mut failed = acts[0].clone();
        failed.became = crate::domain::track::Became::Failed;
        acts.insert(1, failed.clone());
        assert_eq!(decide(&set, &question).reasons[0].code, "limit/ineffective");
        failed.became = crate::domain::track::Became::Helped;
        let Fact::Known(acts) = &mut question.history.acts else { panic!() };
        acts.insert(1, failed);
        assert_eq!(decide(&set, &question).outcome, Act);
    }

    #[test]
    fn limits_hold_over_a_clock_that_jumps_a_day_either_way() {
        let set = lenient();
        let day = SignedDuration::from_hours(24);
        for (key, code) in
            [("history.cooldown", "limit/cooldown"), ("history.ineffective", "limit/ineffective")]
        {
            let mut question = asked(&set, &[(key, "3")]);
            question.now -= day; // set back: what was done lies in the future now
            assert_eq!(decide(&set, &question).reasons[0].code, code);
            question.now += day; // and forth again
            assert_eq!(decide(&set, &question).reasons[0].code, code);
        }
        let mut question = asked(&set, &[("cluster.storm_minutes_ago", "1"), ("history.missed", "2")]);
        question.now -= day;
        let codes: Vec<_> = decide(&set, &question).reasons.into_iter().map(|r| r.code).collect();
        assert!(codes.contains(&"brake/storm".to_owned()) && codes.contains(&"brake/breaker".to_owned()));
    }

    #[test]
    fn an_act_draws_upon_what_it_was_judged_by() {
        let set = lenient();
        let terms = |changes| decide(&set, &asked(&set, changes)).terms.unwrap();
        let drawn = terms(&[("history.verified", "1")]).draws;
        let max =
            |code: &str| drawn.iter().find(|draw| draw.code == code).map(|draw| (draw.max, draw.window));
        assert_eq!(max("limit/inFlight"), Some((2, None)));
        assert_eq!(max("limit/cooldown"), Some((1, Some(SignedDuration::from_mins(5)))));
        assert_eq!(max("limit/perTarget"), Some((9, Some(SignedDuration::from_mins(10)))));
        let cooldown = drawn.iter().find(|draw| draw.code == "limit/cooldown").unwrap();
        assert_eq!(cooldown.key, "cooldown/restart_pod/demo/shop/Deployment/api/uid-api");
        assert!(super::super::history_keys(&set, &asked(&set, &[])).contains(&cooldown.key));
    }

    #[test]
    fn a_storm_of_the_moment_is_told_in_numbers() {
        let set = lenient();
        let storm = |changes: Changes| storm_now(&set, &asked(&set, changes).cluster);
        assert_eq!(storm(&[]), None);
        assert_eq!(
            storm(&[("cluster.firing_groups", "21")]).as_deref(),
            Some("21 groups of alerts fire, more than 20")
        );
        assert_eq!(
            storm(&[("cluster.unhealthy_fraction", "0.41")]).as_deref(),
            Some("41 % of the pods are not well, more than 40 %")
        );
        assert_eq!(storm(&[("cluster.firing_groups", "unknown")]), None);
        assert_eq!(watchdog(&set), ("Watchdog", SignedDuration::from_mins(5)));
    }
}
