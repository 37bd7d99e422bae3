//! Alerts of an incident: again, anew, resolved, gone. Ordered by their own times, never by arrival.

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::ids::Fingerprint;
use crate::domain::record::{Outcome, Record};

use super::super::effect::Effect;
use super::super::phase::Phase;
use super::{Ignored, Writer};

impl Writer<'_> {
    pub(super) fn alert(&mut self, alert: Alert) -> Result<(), Ignored> {
        if let Some(known) = self.state.alerts.get(&alert.fingerprint) {
            newer(known, &alert)?;
        }
        match alert.status {
            AlertStatus::Firing => self.fires(alert),
            AlertStatus::Resolved => self.resolved(alert)?,
        }
        Ok(())
    }

    fn fires(&mut self, alert: Alert) {
        if *self.phase() == Phase::Closed {
            self.hush = self.state.is_quiet(&alert, self.moment.at);
            self.step.open = Some(true);
            self.effect(if self.state.owner.is_some() { Effect::Look } else { Effect::Advise });
        }
        let helped = match self.phase() {
            Phase::Confirming(intent) => Some(intent.clone()),
            _ => None,
        };
        let name = alert.name().to_owned();
        self.record(Record::Observed { alert });
        if let Some(intent) = helped {
            let why = format!("{name} fires again after the act");
            if self.state.watched(self.moment.at).is_some() {
                self.record(Record::Recurred { intent, seen: vec![why.clone()] });
            }
            self.escalate(why);
        }
    }

    fn resolved(&mut self, alert: Alert) -> Result<(), Ignored> {
        if *self.phase() == Phase::Closed && !self.state.alerts.contains_key(&alert.fingerprint) {
            return Err(Ignored::TooLate("the incident is over".into()));
        }
        let others = self.others_fire(&alert.fingerprint);
        self.record(Record::Observed { alert });
        if !others {
            self.over("its alerts are resolved");
        }
        Ok(())
    }

    pub(super) fn vanished(&mut self, fingerprint: Fingerprint, why: &str) -> Result<(), Ignored> {
        let known = self.state.alerts.get(&fingerprint);
        if known.is_none_or(|a| a.status == AlertStatus::Resolved) {
            return Err(Ignored::Duplicate);
        }
        let others = self.others_fire(&fingerprint);
        self.record(Record::Vanished { fingerprint, why: why.to_owned() });
        if !others {
            self.over(why);
        }
        Ok(())
    }

    fn others_fire(&self, but: &Fingerprint) -> bool {
        self.state.alerts.values().any(|a| a.status == AlertStatus::Firing && a.fingerprint != *but)
    }

    /// No alert of the incident fires any more. Before anything was done, that ends it; afterwards the
    /// verification and the people who were asked have the word.
    fn over(&mut self, why: &str) {
        match self.phase() {
            Phase::Looking | Phase::Choosing | Phase::Deciding(_) | Phase::Judging | Phase::Approving => {
                self.close(Outcome::ResolvedBySelf, why);
            }
            Phase::Escalated => self.close(Outcome::HandedOver, why),
            Phase::Acting(_)
            | Phase::Verifying(_)
            | Phase::Confirming(_)
            | Phase::PlanningRevert(_)
            | Phase::Closed => {}
        }
    }
}

/// Refuses an observation that is not newer than what is known of the same alert.
fn newer(known: &Alert, seen: &Alert) -> Result<(), Ignored> {
    if seen.starts_at < known.starts_at {
        return Err(Ignored::Stale);
    }
    let same_episode = seen.starts_at == known.starts_at;
    match (known.status, seen.status) {
        (AlertStatus::Firing, AlertStatus::Firing) | (AlertStatus::Resolved, AlertStatus::Resolved)
            if same_episode =>
        {
            Err(Ignored::Duplicate)
        }
        // within one episode an alert is resolved once: a firing copy that comes later is an old one
        (AlertStatus::Resolved, AlertStatus::Firing) if same_episode => Err(Ignored::Stale),
        (AlertStatus::Firing | AlertStatus::Resolved, AlertStatus::Firing | AlertStatus::Resolved) => Ok(()),
    }
}
