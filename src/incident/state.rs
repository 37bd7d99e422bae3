//! The state of an incident: the fold of its records, nothing else. `next` is total: whatever record
//! comes, it gives a state or says why the record cannot follow.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::decision::{Asked, Decided, Person};
use crate::domain::evidence::Preserved;
use crate::domain::ids::{CandidateId, Cluster, Fingerprint, IncidentId, IntentId, QuestionId};
use crate::domain::plan::{Direction, Plan};
use crate::domain::record::{
    Answer, Ask, Choice, Conclusion, Diagnosis, Entry, Intent, MessageRef, Opening, Outcome, Question,
    Record, Suggestion,
};
use crate::domain::target::{RootOwner, Targeted};
use crate::domain::warrant::Applied;

use super::act::Act;
use super::phase::{OpenQuestion, Phase};

/// How long an alert is quiet after people were told that nothing had to be done: a day, so that every shift
/// hears of it once.
const QUIET: SignedDuration = SignedDuration::from_hours(24);

/// A record that cannot follow: the journal was not written by this state machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of `{stream}` cannot follow: {why}")]
pub struct Illegal {
    /// The stream.
    pub stream: String,
    /// Its number.
    pub seq: u64,
    /// Why.
    pub why: String,
}

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its name.
    pub id: IncidentId,
    /// Its cluster.
    pub cluster: Cluster,
    /// How many records made it.
    pub version: u64,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When its last record was written.
    pub updated_at: Timestamp,
    /// The latest observation of each alert.
    pub alerts: BTreeMap<Fingerprint, Alert>,
    /// How often an alert of it began anew.
    pub flaps: u32,
    /// How often the cluster was diagnosed for it.
    pub looks: u32,
    /// What the first alert's labels name.
    pub target: Targeted,
    /// Who answers for it.
    pub owner: Option<RootOwner>,
    /// Where it is.
    pub phase: Phase,
    /// The last diagnosis.
    pub diagnosis: Option<Diagnosis>,
    /// Who chose what.
    pub choice: Option<Choice>,
    /// What others proposed.
    pub suggestions: Vec<Suggestion>,
    /// The candidate that is proposed where its state is kept, and why it is not carried out.
    pub proposing: Option<(CandidateId, String)>,
    /// What policy decided last.
    pub decided: Option<Decided>,
    /// The last plan that was made.
    pub plan: Option<Plan>,
    /// What was kept of what it takes away.
    pub kept: Option<Preserved>,
    /// The open question.
    pub question: Option<OpenQuestion>,
    /// Everything that was intended, in order.
    pub acts: Vec<Act>,
    /// Who wants the newest act put back.
    pub reverting: Option<Person>,
    /// The living message.
    pub message: Option<MessageRef>,
    /// Which version it shows.
    pub published: u64,
    /// The newest version that people have not seen.
    pub news: u64,
    /// Why people were called.
    pub escalations: Vec<String>,
    /// How often it waited for another act on its owner.
    pub waits: u32,
    /// Whether it is waiting for one.
    pub waiting: bool,
    /// The incident that goes on with it.
    pub merged: Option<IncidentId>,
    /// Automation stands down for good.
    pub hands_off: bool,
    /// How it ended.
    pub closed: Option<(Outcome, String, Timestamp)>,
    /// People were told that nothing had to be done: until then the same alerts are quiet.
    pub quiet_until: Option<Timestamp>,
    /// It came back while it was quiet: people hear of it once there is more to say than before.
    pub hushed: bool,
}

impl State {
    /// The state after the first entry of a stream.
    pub fn open(entry: &Entry) -> Result<Self, Illegal> {
        let Record::Opened(opening) = &entry.record else {
            return Err(illegal(entry, "an incident begins with its opening"));
        };
        let Opening { incident, cluster, alert, target, owner } = (**opening).clone();
        Ok(Self {
            id: incident,
            cluster,
            version: entry.seq,
            opened_at: entry.at,
            updated_at: entry.at,
            alerts: BTreeMap::from([(alert.fingerprint.clone(), alert)]),
            flaps: 0,
            looks: 0,
            target,
            owner,
            phase: Phase::Looking,
            diagnosis: None,
            choice: None,
            suggestions: Vec::new(),
            proposing: None,
            decided: None,
            plan: None,
            kept: None,
            question: None,
            acts: Vec::new(),
            reverting: None,
            message: None,
            published: 0,
            news: entry.seq,
            escalations: Vec::new(),
            waits: 0,
            waiting: false,
            merged: None,
            hands_off: false,
            closed: None,
            quiet_until: None,
            hushed: false,
        })
    }

    /// The state that a whole stream gives; `None` for an empty one.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Option<Self>, Illegal> {
        let mut state: Option<Self> = None;
        for entry in entries {
            state = Some(match state {
                None => Self::open(entry)?,
                Some(state) => state.next(entry)?,
            });
        }
        Ok(state)
    }

    /// The state after one more entry.
    pub fn next(&self, entry: &Entry) -> Result<Self, Illegal> {
        if entry.seq != self.version + 1 {
            return Err(illegal(entry, "its number does not follow"));
        }
        let mut state = self.clone();
        state.version = entry.seq;
        state.updated_at = entry.at;
        if !matches!(entry.record, Record::Published { .. } | Record::Paged { .. }) {
            state.news = entry.seq;
        }
        state.take(entry).map_err(|why| illegal(entry, why))?;
        Ok(state)
    }

    fn wait(&mut self) -> Result<(), &'static str> {
        (self.waits, self.waiting) = (self.waits + 1, true);
        self.phase = Phase::Deciding(self.chosen().ok_or("nothing was chosen that could wait")?);
        Ok(())
    }

    fn take(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let at = entry.at;
        self.hushed &= says_nothing_new(&entry.record);
        match &entry.record {
            Record::Opened(_) => return Err("it is open already"),
            Record::Received { .. }
            | Record::Oversize { .. }
            | Record::Started { .. }
            | Record::PolicyLoaded { .. }
            | Record::PolicyRefused { .. }
            | Record::Held { .. }
            | Record::Lifted { .. }
            | Record::Checkpoint { .. }
            | Record::Noted(_)
            | Record::Judged { .. }
            | Record::Reset { .. }
            | Record::Promoted { .. }
            | Record::Reported { .. }
            | Record::SignedOff { .. }
            | Record::Remembered(_)
            | Record::Braked { .. }
            | Record::Invoked(_)
            | Record::Inquired(_) => return Err("it belongs to a stream of the daemon"),
            Record::Observed { alert } => self.observe(alert, at),
            Record::Vanished { fingerprint, .. } => {
                let alert = self.alerts.get_mut(fingerprint).ok_or("that alert is not of this incident")?;
                alert.status = AlertStatus::Resolved;
                alert.ends_at = Some(at.max(alert.starts_at));
            }
            Record::Rehomed { owner } => {
                self.looks += 1;
                self.owner = Some(owner.clone());
            }
            Record::Merged { into } => self.merged = Some(into.clone()),
            Record::Waits { .. } => self.wait()?,
            Record::Diagnosed(diagnosis) => {
                self.looks += 1;
                self.waiting = false;
                self.diagnosis = Some((**diagnosis).clone());
                self.choice = None;
                self.proposing = None;
                self.phase = Phase::Choosing;
            }
            Record::Chosen(choice) => {
                self.choice = Some(choice.clone());
                if let Conclusion::Choose { candidate, .. } = &choice.conclusion {
                    self.phase = Phase::Deciding(candidate.clone());
                }
            }
            Record::Suggested(suggestion) => self.suggestions.push((**suggestion).clone()),
            Record::Decided(decided) => self.was_decided(decided),
            Record::Planned { plan, kept, .. } => {
                self.plan = Some((**plan).clone());
                self.kept.clone_from(kept);
                if plan.direction == Direction::Forward {
                    self.phase = Phase::Judging;
                }
            }
            Record::NotPlanned { candidate, refusal } => self.not_planned(candidate, refusal),
            Record::Asked(question) => self.ask(question, at),
            Record::Answered { question, answer, by } => self.answer(question, answer, by, at)?,
            Record::Lapsed { question, .. } => self.lapse(question)?,
            Record::Intended(intent) => self.intend(intent, at)?,
            Record::Acted { intent, applied } => self.acted(intent, applied, at)?,
            Record::Watched { intent, held, seen } => {
                let act = self.act_mut(intent).ok_or("that act was never intended")?;
                act.held_since = held.then(|| act.held_since.unwrap_or(at));
                act.seen.clone_from(seen);
            }
            Record::Verified { intent, verdict } => {
                let act = self.act_mut(intent).ok_or("that act was never intended")?;
                act.verdict = Some(verdict.clone());
                act.ended_at = Some(at);
                self.phase = Phase::Confirming(intent.clone());
            }
            Record::Recurred { intent, seen } => {
                let act = self.act_mut(intent).ok_or("that act was never intended")?;
                act.recurred = true;
                act.ended_at = Some(at);
                act.seen.clone_from(seen);
            }
            Record::Published { message, version, carries } => self.published(message, *version, carries, at),
            Record::Escalated { why, hands_off } => {
                self.escalations.push(why.clone());
                self.closed = None;
                self.hands_off |= hands_off;
                self.phase = Phase::Escalated;
            }
            Record::Paged { .. } => {}
            Record::Closed { outcome, summary, nothing_to_do } => {
                self.closed = Some((*outcome, summary.clone(), at));
                if *nothing_to_do && !self.hushed {
                    self.quiet_until = at.checked_add(QUIET).ok();
                }
                self.question = None;
                self.phase = Phase::Closed;
            }
        }
        Ok(())
    }

    fn observe(&mut self, alert: &Alert, at: Timestamp) {
        let quiet = self.is_quiet(alert, at);
        let began_anew = alert.status == AlertStatus::Firing
            && self.alerts.get(&alert.fingerprint).is_none_or(|known| alert.starts_at > known.starts_at);
        if began_anew {
            self.flaps += u32::from(self.alerts.contains_key(&alert.fingerprint));
            if self.phase == Phase::Closed {
                self.reopen();
                self.hushed = quiet;
            }
        }
        self.alerts.insert(alert.fingerprint.clone(), alert.clone());
    }

    /// An alert of a closed incident fires anew: everything but its past starts over.
    fn reopen(&mut self) {
        self.phase = Phase::Looking;
        self.closed = None;
        self.looks = 0;
        self.waits = 0;
        self.waiting = false;
        self.merged = None;
        self.plan = None;
        self.alerts.retain(|_, alert| alert.status == AlertStatus::Firing);
    }

    /// Whether this alert, firing anew, says nothing that people were not told within the last day. Its
    /// fingerprint is that of its labels, severity among them.
    pub fn is_quiet(&self, alert: &Alert, at: Timestamp) -> bool {
        let same = self.alerts.get(&alert.fingerprint).is_some_and(|known| known.labels == alert.labels);
        self.phase == Phase::Closed && same && self.quiet_until.is_some_and(|until| at < until)
    }

    /// Policy decided. At the write it only ever says no: what it allows is written down as done.
    fn was_decided(&mut self, decided: &Decided) {
        if let (Asked::Write, Phase::Acting(intent)) = (decided.question.asked, self.phase.clone())
            && let Some(act) = self.act_mut(&intent)
        {
            act.unsent = true;
        }
        self.decided = Some(decided.clone());
    }

    fn ask(&mut self, question: &Question, at: Timestamp) {
        if question.ask == Ask::Approve {
            self.phase = Phase::Approving;
        }
        self.question = Some(OpenQuestion {
            question: question.clone(),
            asked_at: at,
            accepted_at: None,
            answers: Vec::new(),
        });
    }

    fn answer(
        &mut self,
        id: &QuestionId,
        answer: &Answer,
        by: &Person,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        match answer {
            Answer::Approve => {
                let open = self.question.as_mut().filter(|q| q.question.id == *id);
                let open = open.ok_or("the question is not open")?;
                open.answers.push((by.clone(), answer.clone(), at));
            }
            Answer::Confirm => {
                let intent = self.question.take().and_then(|q| q.question.intent);
                let act = intent.and_then(|i| self.act_mut(&i)).ok_or("there is no act to confirm")?;
                act.confirmed_by = Some(by.clone());
            }
            Answer::Reject { .. } | Answer::HandOver => self.question = None,
            Answer::Revert => {
                self.question = None;
                self.closed = None;
                self.reverting = Some(by.clone());
                let intent = self.revertible().ok_or("there is nothing to put back")?.intent.id.clone();
                self.phase = Phase::PlanningRevert(intent);
            }
        }
        Ok(())
    }

    fn lapse(&mut self, id: &QuestionId) -> Result<(), &'static str> {
        let open = self.question.take().filter(|q| q.question.id == *id).ok_or("the question is not open")?;
        if let Some(act) = open.question.intent.and_then(|i| self.act_mut(&i)) {
            act.silent = true;
        }
        Ok(())
    }

    fn intend(&mut self, intent: &Intent, at: Timestamp) -> Result<(), &'static str> {
        if self.act(&intent.id).is_some() {
            return Err("that act was intended before");
        }
        self.question = None;
        self.closed = None;
        self.phase = Phase::Acting(intent.id.clone());
        let question = self.decided.as_ref().map(|decided| &decided.question);
        let approval = question.and_then(|q| q.approval.as_ref()).filter(|a| a.plan == intent.plan_hash);
        self.acts.push(Act {
            cause: question.map(|q| q.finding.cause.clone()).unwrap_or_default(),
            approved_by: approval.map(|a| a.by.clone()).unwrap_or_default(),
            ended_at: None,
            unsent: false,
            recurred: false,
            put_back: None,
            intent: intent.clone(),
            intended_at: at,
            applied: None,
            done_at: None,
            held_since: None,
            seen: Vec::new(),
            verdict: None,
            confirmed_by: None,
            silent: false,
        });
        Ok(())
    }

    fn acted(&mut self, id: &IntentId, applied: &Applied, at: Timestamp) -> Result<(), &'static str> {
        let act = self.act_mut(id).ok_or("that act was never intended")?;
        if act.done() {
            return Err("that act is done already");
        }
        act.applied = Some(applied.clone());
        match applied {
            Applied::Done { .. } => {
                act.done_at = Some(at);
                let reverts = act.intent.reverts.clone();
                self.phase = Phase::Verifying(id.clone());
                let by = self.reverting.clone();
                if let Some(undone) = reverts.and_then(|reverts| self.act_mut(&reverts)) {
                    undone.put_back = Some((at, by));
                }
            }
            Applied::Refused { .. } => {
                act.ended_at = Some(at);
                self.phase = Phase::Looking;
            }
            Applied::Unknown { .. } => {}
        }
        Ok(())
    }

    fn published(&mut self, message: &MessageRef, version: u64, carries: &[QuestionId], at: Timestamp) {
        self.message = Some(message.clone());
        self.published = self.published.max(version);
        if let Some(open) = self.question.as_mut().filter(|q| carries.contains(&q.question.id)) {
            open.accepted_at.get_or_insert(at);
        }
    }

    /// The act with this intent.
    pub fn act(&self, id: &IntentId) -> Option<&Act> {
        self.acts.iter().find(|act| act.intent.id == *id)
    }

    fn act_mut(&mut self, id: &IntentId) -> Option<&mut Act> {
        self.acts.iter_mut().find(|act| act.intent.id == *id)
    }

    /// Whether people have not seen the newest version.
    pub const fn has_news(&self) -> bool {
        self.news > self.published
    }
}

/// Whether a record repeats what a quiet incident's people know: it was looked at, and nothing had to be done.
pub(super) fn says_nothing_new(record: &Record) -> bool {
    match record {
        Record::Closed { outcome, nothing_to_do, .. } => {
            *nothing_to_do || *outcome == Outcome::ResolvedBySelf
        }
        Record::Chosen(choice) => choice.conclusion == crate::domain::record::Conclusion::NoAction,
        other => {
            matches!(other, Record::Observed { .. } | Record::Vanished { .. } | Record::Diagnosed(_))
        }
    }
}

fn illegal(entry: &Entry, why: &str) -> Illegal {
    Illegal { stream: entry.stream.to_string(), seq: entry.seq, why: why.to_owned() }
}
