//! Several endpoints in order: one that is down, slow, over quota, or answers garbage is left for the next
//! within the same turn. Nothing here knows of incidents: whoever has a conversation may ask.

pub mod breaker;
pub mod egress;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::breaker::Breaker;
use self::egress::{Egress, Place, Reach};
use super::fence::one_line;
use super::tokens;
use crate::domain::canonical::Hash;
use crate::domain::spend::{Became, Invocation, Money, Price, Usage};
use crate::ports::clock::Clock;
use crate::ports::model::{Accounts, Chat, Left, Model, ModelError, Reply, Undrawn};

/// One endpoint.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name for people and records: `qwen3 at vllm.models.svc`.
    pub name: String,
    /// The model behind it.
    pub model: Arc<dyn Model>,
    /// Whose text may leave for it.
    pub egress: Egress,
    /// What it costs, where that is known.
    pub price: Option<Price>,
}

/// All of them, in the order in which they are tried, and how they fared.
pub struct Endpoints {
    all: Vec<Endpoint>,
    breakers: Mutex<Vec<Breaker>>,
    accounts: Option<Arc<dyn Accounts>>,
}

/// One turn to be had.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// For whom: the incident's name.
    pub by: &'a str,
    /// The turn's name, unlike any other's.
    pub turn: &'a str,
    /// Which cluster the conversation is about.
    pub cluster: &'a str,
    /// Where its text was read.
    pub places: &'a BTreeSet<Place>,
    /// What is sent.
    pub chat: &'a Chat,
    /// How long it may take in all.
    pub within: Duration,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// One endpoint's part in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Its name.
    pub endpoint: String,
    /// When it was asked, or passed over.
    pub at: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// Tokens, where it was asked.
    #[serde(default)]
    pub usage: Usage,
    /// What it cost, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Why it gave no answer; nothing, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A turn that was had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The answer, or why no endpoint gave one.
    pub result: Result<Reply, ModelError>,
    /// Each endpoint's part, in order.
    pub tries: Vec<Try>,
}

/// Why an endpoint was passed over or gave no answer.
enum Missed {
    /// It was not asked: nothing was spent.
    Unasked(String),
    /// It was asked.
    Failed(ModelError),
}

impl Endpoints {
    /// These endpoints, on these accounts.
    pub fn new(all: Vec<Endpoint>, accounts: Option<Arc<dyn Accounts>>) -> Self {
        let breakers = Mutex::new(vec![Breaker::default(); all.len()]);
        Self { all, breakers, accounts }
    }

    /// One endpoint that may see everything and whose costs nobody counts.
    pub fn only(model: Arc<dyn Model>) -> Self {
        let name = model.name().to_owned();
        Self::new(vec![Endpoint { name, model, egress: Egress::everything(), price: None }], None)
    }

    /// What may leave for each, in a conversation about this cluster.
    pub fn reach(&self, cluster: &str) -> Reach {
        Reach::new(cluster.to_owned(), self.all.iter().map(|e| e.egress.clone()).collect())
    }

    /// The name of one of them.
    pub fn name(&self, endpoint: usize) -> &str {
        self.all.get(endpoint).map_or("?", |e| e.name.as_str())
    }

    /// The model's name at one of them.
    pub fn model(&self, endpoint: usize) -> &str {
        self.all.get(endpoint).map_or("?", |e| e.model.name())
    }

    /// What budgets leave for this caller; `None` where nobody counts.
    pub async fn left(&self, by: &str) -> Result<Option<Left>, Undrawn> {
        match &self.accounts {
            Some(accounts) => accounts.left(by).await.map(Some),
            None => Ok(None),
        }
    }

    /// One turn: the first endpoint that may be asked and answers.
    pub async fn ask(&self, asking: Asking<'_>) -> Turn {
        let started = asking.clock.now();
        let mut tries = Vec::new();
        let mut failures: Vec<(usize, Missed)> = Vec::new();
        for (number, endpoint) in self.all.iter().enumerate() {
            let at = asking.clock.now();
            let left = self.patience(number, &asking, started, at);
            let (result, usage, cost) = self.ask_one(number, endpoint, &asking, left).await;
            let took = asking.clock.now().duration_since(at).max(SignedDuration::ZERO);
            let name = endpoint.name.clone();
            let done = |failed| Try { endpoint: name, at, took, usage, cost, failed };
            match result {
                Ok(reply) => {
                    tries.push(done(None));
                    return Turn { result: Ok(Reply { endpoint: number, ..reply }), tries };
                }
                Err(missed) => {
                    tries.push(done(Some(missed.words())));
                    failures.push((number, missed));
                }
            }
        }
        Turn { result: Err(self.summed_up(failures)), tries }
    }

    /// How long this endpoint may take: half of what is left while there is another to turn to, else all.
    fn patience(&self, number: usize, asking: &Asking<'_>, started: Timestamp, now: Timestamp) -> Duration {
        let spent = now.duration_since(started).max(SignedDuration::ZERO).unsigned_abs();
        let left = asking.within.saturating_sub(spent);
        let reach = self.reach(asking.cluster);
        let others = (number + 1..self.all.len()).any(|next| reach.allows_all(next, asking.places));
        if others { left / 2 } else { left }
    }

    async fn ask_one(
        &self,
        number: usize,
        endpoint: &Endpoint,
        asking: &Asking<'_>,
        patience: Duration,
    ) -> (Result<Reply, Missed>, Usage, Option<Money>) {
        let unasked = |why: String| (Err(Missed::Unasked(why)), Usage::default(), None);
        let refused = asking.places.iter().find(|place| !endpoint.egress.allows(asking.cluster, place));
        if let Some(place) = refused {
            return unasked(format!("text of {place} may not leave for it"));
        }
        if patience.is_zero() {
            return unasked("there was no time left for it".to_owned());
        }
        let now = asking.clock.now();
        let span = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
        if let Err(until) = self.breakers().get_mut(number).map_or(Ok(()), |b| b.admit(now, span)) {
            let seconds = until.duration_since(now).as_secs().max(1);
            return unasked(format!("it failed again and again, and is left alone for {seconds} s"));
        }
        let most = most(endpoint, asking, span, number);
        if let Some(accounts) = &self.accounts
            && let Err(undrawn) = accounts.draw(&most).await
        {
            self.forget_probe(number, now);
            return unasked(undrawn.to_string());
        }
        let result = endpoint.model.chat(asking.chat, patience).await;
        let then = asking.clock.now();
        self.learn(number, then, &result);
        let usage = used(&result, &most);
        let cost = endpoint.price.map(|price| price.of(&usage));
        if let Some(accounts) = &self.accounts {
            let became = match &result {
                Ok(_) => Became::Answered,
                Err(error) => Became::Failed { why: one_line(&error.to_string(), 300) },
            };
            let took = then.duration_since(now).max(SignedDuration::ZERO);
            accounts.settle(&Invocation { usage, cost, took, became, ..most }).await;
        }
        let result = result.map(|reply| Reply { usage, ..reply }).map_err(Missed::Failed);
        (result, usage, cost)
    }

    fn learn(&self, number: usize, now: Timestamp, result: &Result<Reply, ModelError>) {
        let mut breakers = self.breakers();
        let Some(breaker) = breakers.get_mut(number) else { return };
        match result {
            Ok(_) => breaker.succeeded(),
            Err(ModelError::Unavailable(_) | ModelError::Unreadable(_)) => breaker.failed(now, None),
            Err(ModelError::Busy { leave, .. }) => {
                breaker.failed(now, Some(SignedDuration::try_from(*leave).unwrap_or(SignedDuration::MAX)));
            }
        }
    }

    /// A probe that was admitted and never sent.
    fn forget_probe(&self, number: usize, now: Timestamp) {
        if let Some(breaker) = self.breakers().get_mut(number) {
            breaker.unsent(now);
        }
    }

    fn breakers(&self) -> MutexGuard<'_, Vec<Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nobody answered: of a single endpoint its own error, of several one sentence each.
    fn summed_up(&self, mut failures: Vec<(usize, Missed)>) -> ModelError {
        if self.all.len() == 1
            && let Some((_, Missed::Failed(error))) = failures.pop_if(|(_, m)| matches!(m, Missed::Failed(_)))
        {
            return error;
        }
        let one = |(number, missed): &(usize, Missed)| format!("{}: {}", self.name(*number), missed.words());
        ModelError::Unavailable(failures.iter().map(one).collect::<Vec<_>>().join("; "))
    }
}

impl Missed {
    fn words(&self) -> String {
        match self {
            Self::Unasked(why) => why.clone(),
            Self::Failed(ModelError::Unavailable(why) | ModelError::Busy { why, .. }) => one_line(why, 300),
            Self::Failed(ModelError::Unreadable(why)) => {
                one_line(&format!("its answer could not be read: {why}"), 300)
            }
        }
    }
}

/// What asking this endpoint may cost at most.
fn most(endpoint: &Endpoint, asking: &Asking<'_>, patience: SignedDuration, number: usize) -> Invocation {
    let usage = tokens::most(asking.chat);
    Invocation {
        call: format!("{}/{number}", asking.turn),
        by: asking.by.to_owned(),
        endpoint: endpoint.name.clone(),
        model: endpoint.model.name().to_owned(),
        request: request(asking.chat),
        usage,
        cost: endpoint.price.map(|price| price.of(&usage)),
        took: patience,
        became: Became::Underway,
    }
}

/// What names a request, whatever endpoint it goes to.
pub fn request(chat: &Chat) -> Hash {
    // texts, lists and numbers always have a form in JSON
    Hash::of(&serde_json::to_vec(chat).unwrap_or_default())
}

/// What was used: what the server counted, else an estimate; of an asking that failed, what was sent.
fn used(result: &Result<Reply, ModelError>, most: &Invocation) -> Usage {
    match result {
        Ok(reply) if reply.usage.total() > 0 => reply.usage,
        Ok(reply) => Usage { completion: tokens::of_reply(reply), ..most.usage },
        Err(_) => Usage { completion: 0, ..most.usage },
    }
}
