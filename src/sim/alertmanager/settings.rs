//! How the simulated Alertmanager works: its receiver, its rules and its intervals.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::groups::Pace;
use super::rules::{Rule, Timing};

/// Where notifications go.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// `receiver` in the body.
    pub name: String,
    /// The webhook.
    pub url: String,
    /// Bearer token, when the webhook asks for one.
    pub bearer: Option<String>,
}

/// How this Alertmanager works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `cluster` label of every alert.
    pub cluster: String,
    /// Where notifications go; nowhere without one.
    pub receiver: Option<Receiver>,
    /// `externalURL` of the body.
    pub external_url: String,
    /// From one evaluation to the next.
    pub evaluate_every: SignedDuration,
    /// `for:` and ranges.
    pub timing: Timing,
    /// Grouping intervals.
    pub pace: Pace,
    /// The rules in force.
    pub rules: BTreeSet<Rule>,
}

impl Settings {
    /// The defaults of Alertmanager and of the usual Kubernetes rules: minutes before anything fires.
    #[must_use]
    pub fn usual(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            receiver: None,
            external_url: "http://alertmanager.sim:9093".to_owned(),
            evaluate_every: SignedDuration::from_secs(30),
            timing: Timing { hold: SignedDuration::from_mins(15), window: SignedDuration::from_mins(5) },
            pace: Pace {
                group_wait: SignedDuration::from_secs(30),
                group_interval: SignedDuration::from_mins(5),
                repeat_interval: SignedDuration::from_hours(4),
            },
            rules: Rule::ALL.into_iter().collect(),
        }
    }

    /// Seconds instead of minutes, for the demo and for tests. The window is longer than a relapse in
    /// place (a few seconds), so that an alert does not flap within one crash loop.
    #[must_use]
    pub fn quick(cluster: &str) -> Self {
        Self {
            evaluate_every: SignedDuration::from_secs(1),
            timing: Timing { hold: SignedDuration::from_secs(5), window: SignedDuration::from_secs(10) },
            pace: Pace {
                group_wait: SignedDuration::from_secs(2),
                group_interval: SignedDuration::from_secs(5),
                repeat_interval: SignedDuration::from_hours(4),
            },
            ..Self::usual(cluster)
        }
    }

    /// With a receiver.
    #[must_use]
    pub fn receiver(mut self, url: &str, bearer: Option<&str>) -> Self {
        let bearer = bearer.map(str::to_owned);
        self.receiver = Some(Receiver { name: "belay".to_owned(), url: url.to_owned(), bearer });
        self
    }
}
