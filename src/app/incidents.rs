//! One step of one incident: load, fold, step, append, and again if somebody was faster.

use jiff::Timestamp;

use crate::domain::ids::{IncidentId, IntentId, QuestionId, StreamId};
use crate::domain::record::{Answer, Entry, Intent, Record};
use crate::domain::target::RootOwner;
use crate::incident::{Ignored, Illegal, Input, Moment, State, Step, TimerName, step};
use crate::ports::reads::ReadError;
use crate::ports::store::{Append, AppendError, IndexOp, Reserve, StoreError, TimerOp, WorkId};
use crate::store::Durable;

use super::Daemon;
use super::work::Job;

/// How often a step is decided anew because somebody else was faster. Contention is between a handful of
/// inputs of one incident; more than this means that something spins.
const TRIES: usize = 16;

/// What became of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Fed {
    /// It was taken; this is the state now.
    Taken(Box<State>),
    /// It changes nothing.
    Ignored(Ignored),
}

/// An input could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// There is no such incident.
    #[error("there is no incident `{0}`")]
    NoIncident(StreamId),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster or Alertmanager could not be read.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// The journal does not make sense.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The step was refused for another reason than those that are decided anew.
    #[error("the step was refused: {0}")]
    Refused(AppendError),
    /// Somebody else was always faster.
    #[error("the incident changes too fast to be changed")]
    Busy,
}

/// The index key of an owner's open incident.
pub(super) fn owner_key(owner: &RootOwner) -> String {
    format!("owner/{}", owner.key())
}

/// The index key of an open incident.
fn open_key(incident: &IncidentId) -> String {
    format!("{OPEN}{incident}")
}

/// The prefix under which all open incidents are found.
pub(super) const OPEN: &str = "open/";

/// The index key of a question: a button carries nothing else.
pub(super) fn question_key(question: &QuestionId) -> String {
    format!("question/{question}")
}

impl Daemon {
    /// The incident's entries and state.
    pub(super) async fn load(
        &self,
        incident: &IncidentId,
    ) -> Result<(Vec<Durable<Entry>>, State), FeedError> {
        let stream = incident.stream();
        let entries = self.ports().store.load(&stream).await?;
        let state = State::fold(entries.iter().map(|e| &**e))?;
        state.map(|state| (entries, state)).ok_or(FeedError::NoIncident(stream))
    }

    /// Gives `input` to the incident. `work`, if any, is completed in the same step.
    pub async fn feed(
        &self,
        incident: &IncidentId,
        input: Input,
        work: Option<&WorkId>,
    ) -> Result<Fed, FeedError> {
        let (mut input, mut aside) = (input, false);
        for _ in 0..TRIES {
            let (_, state) = self.load(incident).await?;
            let moment = self.moment();
            let step = match step(&state, input.clone(), moment) {
                Ok(step) => step,
                Err(ignored) => return self.ignore(&state, ignored, work).await,
            };
            let place = Place { incident: &state.id, state: Some(&state), at: moment.at, work, aside };
            let append = place.append(step);
            match self.ports().store.append(append).await {
                Ok(entries) => {
                    let mut state = state;
                    for entry in &entries {
                        state = state.next(entry)?;
                    }
                    self.metrics().steps.inc();
                    self.under_way().moved_on(&state);
                    return Ok(Fed::Taken(Box::new(state)));
                }
                Err(AppendError::Moved { .. }) => {}
                Err(AppendError::Limit { code, key: _, taken, max }) => {
                    let why = format!("{taken} of {max} taken");
                    input = Input::Blocked { code, why };
                }
                Err(AppendError::Held(why)) => {
                    input = Input::Blocked { code: "hold".into(), why };
                }
                Err(AppendError::AlreadyDone(_)) => return Ok(Fed::Ignored(Ignored::Duplicate)),
                Err(AppendError::Store(e)) => return Err(e.into()),
                Err(AppendError::Taken { .. }) if !aside && puts_back(&input) => aside = true,
                Err(AppendError::Taken { stream, .. }) if matches!(input, Input::Rehomed(_)) => {
                    let other = IncidentId::new(stream.as_str());
                    if !Box::pin(self.converge(&state, &other)).await? {
                        input = Input::Merge { into: other };
                    }
                }
                Err(e @ AppendError::Taken { .. }) => match elsewhere(input, &e) {
                    Some(noted) => input = noted,
                    None => return Err(FeedError::Refused(e)),
                },
                Err(e @ AppendError::Unwritable(_)) => return Err(FeedError::Refused(e)),
            }
        }
        Err(FeedError::Busy)
    }

    /// Two incidents turn out to be about one owner. Where this one is to go on for both, the other is merged into
    /// it; else it says no.
    async fn converge(&self, state: &State, other: &IncidentId) -> Result<bool, FeedError> {
        let (_, theirs) = self.load(other).await?;
        let goes_on = state.goes_on_for(&theirs);
        if goes_on {
            self.feed(other, Input::Merge { into: state.id.clone() }, None).await?;
        }
        Ok(goes_on)
    }

    /// Nothing follows from the input; the work that brought it is completed all the same.
    async fn ignore(&self, state: &State, ignored: Ignored, work: Option<&WorkId>) -> Result<Fed, FeedError> {
        if let Some(work) = work {
            let mut append = Append::to(state.id.stream(), None, self.now());
            append.done.push(work.clone());
            match self.ports().store.append(append).await {
                Ok(_) | Err(AppendError::AlreadyDone(_)) => {}
                Err(AppendError::Store(e)) => return Err(e.into()),
                Err(e) => return Err(FeedError::Refused(e)),
            }
        }
        Ok(Fed::Ignored(ignored))
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { at: self.now(), entropy: super::entropy() }
    }
}

/// Whether an incident that is over is taken up again only to put something back: another one may lead for
/// its owner meanwhile.
const fn puts_back(input: &Input) -> bool {
    matches!(input, Input::Timer(TimerName::Expires) | Input::Answered { answer: Answer::Revert, .. })
}

/// What is left of an input that would have opened an incident whose owner has another open one.
fn elsewhere(input: Input, taken: &AppendError) -> Option<Input> {
    let Input::Checked { intent, check } = input else { return None };
    let other = match taken {
        AppendError::Taken { stream, .. } => Some(IncidentId::new(stream.as_str())),
        _ => None,
    };
    Some(Input::AgainElsewhere { intent, seen: check.seen, other })
}

/// Where and when a step is written.
pub(super) struct Place<'a> {
    /// Its incident.
    pub incident: &'a IncidentId,
    /// The state it was decided on; `None` before there is one.
    pub state: Option<&'a State>,
    /// When.
    pub at: Timestamp,
    /// The work that it completes.
    pub work: Option<&'a WorkId>,
    /// It is open beside another one that its owner's name leads to.
    pub aside: bool,
}

impl Place<'_> {
    /// A step in the store's words.
    pub(super) fn append(&self, step: Step) -> Append {
        let Self { incident, state, at, work, aside } = *self;
        let stream = incident.stream();
        let version = state.map_or(0, |s| s.version);
        let mut append = Append::to(stream.clone(), Some(version), at);
        let nonce = format!("{:032x}", super::entropy());
        append.enqueue = step
            .effects
            .into_iter()
            .enumerate()
            .map(|(i, (effect, due))| {
                let job = Job::Incident { effect };
                job.work(format!("{stream}/{nonce}/{i}"), stream.clone(), due.unwrap_or(at))
            })
            .collect();
        let known = |r: &Record| {
            matches!(r, Record::Closed { .. } | Record::Escalated { .. } | Record::Verified { .. })
        };
        if step.records.iter().any(known) {
            append.enqueue.push(Job::Remember.work(format!("{stream}/{nonce}/memory"), stream.clone(), at));
        }
        append.timers = step
            .timers
            .into_iter()
            .map(|(name, due)| match due {
                Some(due) => TimerOp::Set { name: name.to_string(), due },
                None => TimerOp::Clear { name: name.to_string() },
            })
            .collect();
        if let Some(intent) = step.draws {
            append.reserve = reserves(&intent);
            append.unless_held = true;
        }
        append.release = step.release;
        let owner = state.and_then(|s| s.owner.as_ref());
        if let Some(new) = &step.owner {
            append.index.extend(owner.map(|former| IndexOp::Unbind { key: owner_key(former) }));
            append.index.push(IndexOp::Bind { key: owner_key(new) });
        }
        let owner = if step.owner.is_some() { None } else { owner };
        if let Some(open) = step.open {
            let keys = owner.filter(|_| !aside).map(owner_key).into_iter().chain([open_key(incident)]);
            let bind = |key| if open { IndexOp::Bind { key } } else { IndexOp::Unbind { key } };
            append.index.extend(keys.map(bind));
        }
        for record in &step.records {
            if let Record::Asked(question) = record {
                append.index.push(IndexOp::Bind { key: question_key(&question.id) });
            }
        }
        append.records = step.records;
        append.done.extend(work.cloned());
        append
    }
}

fn reserves(intent: &Intent) -> Vec<Reserve> {
    let id: &IntentId = &intent.id;
    intent.terms.draws.iter().map(|draw| Reserve { intent: id.clone(), draw: draw.clone() }).collect()
}
