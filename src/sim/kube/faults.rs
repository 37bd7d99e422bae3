//! What goes wrong on purpose: rules that fail, delay, lose or reorder requests, and people who edit in
//! between.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::api;
use super::objects::Objects;
use super::route::{Request, Verb};
use super::state::State;
use super::status::Answer;

/// A person's edit, run right before a request is handled.
pub type Edit = Box<dyn FnMut(&mut Objects) + Send>;

/// What befalls a request.
pub enum Effect {
    /// It is refused with this code and message; nothing happens.
    Fail(u16, String),
    /// It waits so long (on the world's clock) before it is handled; not handled when the client leaves.
    Delay(SignedDuration),
    /// It is never handled and never answered.
    Hang,
    /// The connection closes before it is handled.
    Lose,
    /// It is handled, and the connection closes without an answer.
    DropAnswer,
    /// It is handled at once and answered so much later.
    AnswerLate(SignedDuration),
    /// It is handled so much later, whether or not the client still waits.
    ApplyLate(SignedDuration),
    /// Somebody edits the world first; then it is handled as usual.
    Edit(Edit),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(code, message) => write!(f, "Fail({code}, {message:?})"),
            Self::Delay(span) => write!(f, "Delay({span:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Lose => f.write_str("Lose"),
            Self::DropAnswer => f.write_str("DropAnswer"),
            Self::AnswerLate(span) => write!(f, "AnswerLate({span:?})"),
            Self::ApplyLate(span) => write!(f, "ApplyLate({span:?})"),
            Self::Edit(_) => f.write_str("Edit(…)"),
        }
    }
}

/// Which requests an effect befalls: by default the next one that matches.
#[derive(Debug)]
pub struct Rule {
    verb: Option<Verb>,
    prefix: String,
    suffix: String,
    dry_run: Option<bool>,
    skip: u32,
    times: u32,
    effect: Effect,
}

impl Rule {
    /// Requests of `verb` whose path starts with `prefix`.
    #[must_use]
    pub fn on(verb: Verb, prefix: &str, effect: Effect) -> Self {
        let prefix = prefix.to_owned();
        Self { verb: Some(verb), prefix, suffix: String::new(), dry_run: None, skip: 0, times: 1, effect }
    }

    /// Requests of any verb whose path starts with `prefix`.
    #[must_use]
    pub fn any(prefix: &str, effect: Effect) -> Self {
        Self { verb: None, ..Self::on(Verb::Get, prefix, effect) }
    }

    /// Only paths that end so, such as `/eviction`.
    #[must_use]
    pub fn ending(mut self, suffix: &str) -> Self {
        suffix.clone_into(&mut self.suffix);
        self
    }

    /// Only dry runs, or only requests that are none.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = Some(dry_run);
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Befalls so many matching requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, verb: Verb, path: &str, dry_run: bool) -> bool {
        self.times > 0
            && self.verb.is_none_or(|wanted| wanted == verb)
            && self.dry_run.is_none_or(|wanted| wanted == dry_run)
            && path.starts_with(&self.prefix)
            && path.ends_with(&self.suffix)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    /// Adds a rule; earlier rules come first.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Drops every rule.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// How many rules have not been used up.
    pub fn pending(&self) -> usize {
        self.rules.iter().filter(|rule| rule.times > 0).count()
    }
}

/// What the server does with a request.
#[derive(Debug)]
pub(crate) enum Fate {
    Handle,
    Fail(u16, String),
    Delay(SignedDuration),
    Hang,
    Lose,
    DropAnswer,
    AnswerLate(SignedDuration),
    ApplyLate(SignedDuration),
}

/// Runs the edits that are due and says what becomes of the request: the first rule that is no edit.
pub(crate) fn fate(state: &mut State, verb: Verb, path: &str, dry_run: bool) -> Fate {
    let mut rules = std::mem::take(&mut state.faults.rules);
    let mut fate = Fate::Handle;
    for rule in &mut rules {
        if !rule.matches(verb, path, dry_run) {
            continue;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        rule.times -= 1;
        match &mut rule.effect {
            Effect::Edit(edit) => {
                edit(&mut state.objects);
                continue;
            }
            Effect::Fail(code, message) => fate = Fate::Fail(*code, message.clone()),
            Effect::Delay(span) => fate = Fate::Delay(*span),
            Effect::Hang => fate = Fate::Hang,
            Effect::Lose => fate = Fate::Lose,
            Effect::DropAnswer => fate = Fate::DropAnswer,
            Effect::AnswerLate(span) => fate = Fate::AnswerLate(*span),
            Effect::ApplyLate(span) => fate = Fate::ApplyLate(*span),
        }
        break;
    }
    rules.retain(|rule| rule.times > 0);
    state.faults.rules = rules;
    state.reconcile();
    fate
}

/// A request that takes effect later.
#[derive(Debug)]
pub(crate) struct Late {
    pub due: Timestamp,
    pub request: Request,
    pub answer: oneshot::Sender<Answer>,
}

/// Lets the late requests that are due take effect; whoever waits is answered.
pub(crate) fn apply_late(state: &mut State) {
    let now = state.now();
    let (due, later): (Vec<Late>, Vec<Late>) =
        std::mem::take(&mut state.late).into_iter().partition(|late| late.due <= now);
    state.late = later;
    for late in due {
        let answer = api::apply(state, &late.request);
        // the client may have gone: the effect stays
        let _ = late.answer.send(answer);
    }
}
