//! What incidents share: an owner whom two turn out to be about, and one act at a time on it.

use jiff::SignedDuration;

use crate::domain::ids::{CandidateId, IncidentId};
use crate::domain::plan::Refusal;
use crate::domain::record::{Outcome, Record};
use crate::domain::target::RootOwner;

use super::super::effect::Effect;
use super::super::phase::Phase;
use super::{Ignored, MAX_LOOKS, Writer};

/// How long until it is asked again whether the other act is over.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How often. The longest that an act holds its owner is the life of its plan (10 minutes), a minute to read back what
/// became of it, and its verification, which usually ends within 20 minutes: after that a person sees to both.
const MOST_WAITS: u32 = 31;

impl Writer<'_> {
    /// Another object answers for the target than before. What was known of the former one is looked at anew.
    pub(super) fn rehomed(&mut self, owner: RootOwner) -> Result<(), Ignored> {
        self.only_in(&[Phase::Looking])?;
        if self.state.owner.as_ref() == Some(&owner) {
            return Err(Ignored::Duplicate);
        }
        if self.state.looks >= MAX_LOOKS {
            self.escalate(format!("who answers for the target changes too often; now it is {owner}"));
            return Ok(());
        }
        self.record(Record::Rehomed { owner: owner.clone() });
        self.step.owner = Some(owner);
        self.step.open = Some(true);
        self.effect(Effect::Look);
        Ok(())
    }

    /// Another incident is about the same owner and goes on for both. What was asked is withdrawn; an act that is
    /// under way stays with the incident that began it.
    pub(super) fn merge(&mut self, into: &IncidentId) -> Result<(), Ignored> {
        self.only_unless_under_way()?;
        self.withdraw("another incident is about the same owner and goes on for both");
        self.record(Record::Merged { into: into.clone() });
        self.effect(Effect::HandOn);
        self.close(
            Outcome::Merged,
            format!("incident `{into}` is about the same owner and goes on for both"),
        );
        Ok(())
    }

    fn only_unless_under_way(&self) -> Result<(), Ignored> {
        match self.phase() {
            Phase::Closed => Err(self.wrong_phase()),
            _ if self.state.under_way() => {
                Err(Ignored::TooLate("an act of it is under way, which ends where it began".into()))
            }
            _ => Ok(()),
        }
    }

    /// Another act on the owner is under way: this one is decided again once it is over.
    pub(super) fn wait(&mut self, why: &str) {
        if self.state.waits >= MOST_WAITS || self.state.outside().is_some() {
            let ends = if self.state.outside().is_some() { "" } else { ", and it does not end" };
            return self.escalate(format!("{why}{ends}"));
        }
        let Some(candidate) = self.state.chosen() else {
            return self.escalate(why);
        };
        self.withdraw("another act on the same owner came first: it is decided anew after that");
        self.record(Record::Waits { why: why.to_owned() });
        self.later(Effect::Decide { candidate }, AGAIN);
    }

    /// The other act is over: what it left is looked at before anything is decided.
    pub(super) fn waited(&mut self, candidate: CandidateId) {
        let object = self.state.owner.as_ref().map(ToString::to_string).unwrap_or_default();
        let detail = "another act on it was under way since".to_owned();
        let refusal = Refusal::Changed { object, detail };
        self.record(Record::NotPlanned { candidate, refusal: refusal.clone() });
        self.refused(&refusal);
    }
}
