//! Alertmanager's dispatcher: alerts in groups, and when a group has something to tell.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Labels, Rule};

/// An alert that fires or has just stopped.
#[derive(Debug, Clone)]
pub(super) struct Alert {
    pub rule: Rule,
    pub labels: Labels,
    pub starts: Timestamp,
    /// Set once it has stopped.
    pub ends: Option<Timestamp>,
    pub updated: Timestamp,
    pub silenced_by: Option<String>,
}

/// How groups are told.
#[derive(Debug, Clone)]
pub struct Pace {
    /// From a group's first alert to its first notification.
    pub group_wait: SignedDuration,
    /// From one notification of a group to the next when something changed.
    pub group_interval: SignedDuration,
    /// From one notification to the next when nothing changed.
    pub repeat_interval: SignedDuration,
}

/// What a group told last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    at: Timestamp,
    firing: Vec<Labels>,
}

/// The alerts of one namespace and name.
#[derive(Debug)]
pub(super) struct Group {
    pub labels: Labels,
    pub alerts: BTreeMap<Labels, Alert>,
    due: Timestamp,
    told: Option<Told>,
    failures: u32,
}

/// First wait after a failed delivery, and the longest: Alertmanager's own exponential back-off.
const RETRY: (i64, i64) = (1, 60);

impl Group {
    pub(super) fn new(labels: Labels, now: Timestamp, pace: &Pace) -> Self {
        let due = now.checked_add(pace.group_wait).unwrap_or(now);
        Self { labels, alerts: BTreeMap::new(), due, told: None, failures: 0 }
    }

    /// What the group has to tell at `now`: the reason and the alerts; `None` when it is not due or there
    /// is nothing to say.
    pub(super) fn tells(&mut self, now: Timestamp, pace: &Pace) -> Option<(&'static str, Vec<Alert>)> {
        if now < self.due {
            return None;
        }
        let heard: Vec<Alert> =
            self.alerts.values().filter(|alert| alert.silenced_by.is_none()).cloned().collect();
        let reason = self.reason(&heard, now, pace);
        if reason.is_none() {
            // looked and found nothing: what stopped meanwhile is forgotten, the next look is a period away
            self.alerts.retain(|_, alert| alert.ends.is_none());
            self.due = now.checked_add(pace.group_interval).unwrap_or(now);
        }
        reason.map(|reason| (reason, heard))
    }

    fn reason(&self, heard: &[Alert], now: Timestamp, pace: &Pace) -> Option<&'static str> {
        let firing = firing(heard);
        let Some(told) = &self.told else {
            // a group that ended before it was ever told of is not told of
            return (!firing.is_empty()).then_some("first notification");
        };
        let ended = heard.iter().any(|alert| alert.ends.is_some() && told.firing.contains(&alert.labels));
        if firing.iter().any(|labels| !told.firing.contains(labels)) {
            Some("new alerts added")
        } else if ended && firing.is_empty() {
            Some("all alerts resolved")
        } else if ended {
            Some("some alerts resolved")
        } else if !firing.is_empty() && now.duration_since(told.at) >= pace.repeat_interval {
            Some("repeat interval elapsed")
        } else {
            None
        }
    }

    /// The notification was accepted.
    pub(super) fn delivered(&mut self, sent: &[Alert], now: Timestamp, pace: &Pace) {
        let ended = |labels: &Labels| sent.iter().any(|one| one.ends.is_some() && one.labels == *labels);
        self.alerts.retain(|labels, alert| alert.ends.is_none() || !ended(labels));
        let firing = firing(sent);
        self.told = (!firing.is_empty()).then_some(Told { at: now, firing });
        self.failures = 0;
        self.due = now.checked_add(pace.group_interval).unwrap_or(now);
    }

    /// The notification failed: only what the receiver may recover from is tried again soon.
    pub(super) fn failed(&mut self, recoverable: bool, now: Timestamp, pace: &Pace) {
        let doubled = RETRY.0.saturating_mul(1_i64.checked_shl(self.failures.min(16)).unwrap_or(i64::MAX));
        let soon = SignedDuration::from_secs(doubled.min(RETRY.1)).min(pace.group_interval);
        self.failures = self.failures.saturating_add(1);
        let wait = if recoverable { soon } else { pace.group_interval };
        self.due = now.checked_add(wait).unwrap_or(now);
    }

    /// Nothing is left to tell of.
    pub(super) fn over(&self) -> bool {
        self.alerts.is_empty() && self.told.is_none()
    }
}

fn firing(alerts: &[Alert]) -> Vec<Labels> {
    alerts.iter().filter(|alert| alert.ends.is_none()).map(|alert| alert.labels.clone()).collect()
}
