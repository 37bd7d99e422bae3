//! Brakes: what holds over everything, whatever a grant says. They are on by default.

use jiff::SignedDuration;

use super::matchers::Matchers;
use crate::domain::decision::Level;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_watches_what_belay_sees_by() {
        assert_eq!(Brakes::default().trust.alerts.len(), 1);
    }
}
