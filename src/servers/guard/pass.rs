//! The one place that every call of a server goes through: who calls, whether they may, how often, for how long, and the
//! line in the audit.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rmcp::model::{CallToolResponse, ErrorData};
use tokio_util::sync::CancellationToken;

use crate::domain::authority::{Caller, Right};
use crate::domain::rate::{Rate, Rates, TooOften};
use crate::ports::access::{Audit, Called, Outcome};
use crate::ports::clock::SharedClock;

use super::reach::Denied;

/// How long a call may take. A server asks one to three backends one after the other, each for at most 10 s.
pub const WITHIN: Duration = Duration::from_secs(30);
/// Callers with a bucket that is not full, at a time: more than a company has people on call. Each costs 100 bytes.
const CALLERS: usize = 4096;

/// What a guard needs.
pub struct Post {
    /// The server's name, as in scopes.
    pub server: &'static str,
    /// The environment that it looks into, as in scopes.
    pub environment: String,
    /// Calls a minute for each caller; a quarter of it may come at once. `None`: any number.
    pub per_minute: Option<u32>,
    /// How long a call may take.
    pub within: Duration,
    /// What time it is.
    pub clock: SharedClock,
    /// Where calls are written down.
    pub audit: Arc<dyn Audit>,
}

/// What one server's calls have in common.
pub struct Guard {
    post: Post,
    pace: Option<Mutex<Pace>>,
}

/// How often each calls.
struct Pace {
    rates: Rates<String>,
    /// Calls that came too often since the first of them was written down.
    unwritten: BTreeMap<String, u64>,
}

/// One call, before it is let through.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) what: String,
    pub(super) namespace: Option<String>,
}

/// Why a call was not answered as it was meant to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error("there was no answer within {} s: ask for less", .0.as_secs())]
    TooLong(Duration),
    #[error("the call was taken back")]
    Abandoned,
}

impl Refused {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Denied(why) => Outcome::Denied(why.to_string()),
            Self::TooOften(_) => Outcome::TooOften,
            Self::TooLong(_) => Outcome::TooLong,
            Self::Abandoned => Outcome::Abandoned,
        }
    }
}

/// What tells an answer from a failure.
pub(super) trait Answer {
    fn failed(&self) -> bool;
}

impl Answer for CallToolResponse {
    fn failed(&self) -> bool {
        matches!(self, Self::Complete(result) if result.is_error == Some(true))
    }
}

/// A line of the audit that is written whatever happens, also when the call is dropped.
struct Line<'a> {
    guard: &'a Guard,
    began: Instant,
    called: Option<Called>,
}

impl Line<'_> {
    fn end(mut self, outcome: Outcome) {
        if let Some(called) = &mut self.called {
            called.outcome = outcome;
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(mut called) = self.called.take() {
            called.took = self.began.elapsed();
            self.guard.post.audit.called(&called);
        }
    }
}

impl Guard {
    /// A guard for this server.
    pub fn new(post: Post) -> Self {
        let pace = post.per_minute.map(|per_minute| {
            // as elsewhere: a quarter of a minute's calls may come at once
            let rate = Rate { per_minute, burst: per_minute.div_ceil(4) };
            Mutex::new(Pace { rates: Rates::new(rate, CALLERS), unwritten: BTreeMap::new() })
        });
        Self { post, pace }
    }

    /// Lets the call through if its caller may make it, `check` included, and ends it in time.
    pub(super) async fn pass<T, F>(
        &self,
        caller: Option<&Caller>,
        call: Call,
        cancelled: &CancellationToken,
        run: impl FnOnce(&Caller) -> F,
    ) -> Result<Result<T, ErrorData>, Refused>
    where
        T: Answer,
        F: Future<Output = Result<Result<T, ErrorData>, Denied>>,
    {
        let Some(caller) = caller else {
            self.line("nobody", &call).end(Outcome::Denied(Denied::Nobody.to_string()));
            return Err(Denied::Nobody.into());
        };
        let unwritten = match self.pace(caller.name(), self.post.clock.now()) {
            Ok(unwritten) => unwritten,
            Err((first, refused)) => {
                if first {
                    self.line(caller.name(), &call).end(Outcome::TooOften);
                }
                return Err(refused.into());
            }
        };
        let mut line = self.line(caller.name(), &call);
        if let Some(called) = &mut line.called {
            called.unwritten = unwritten;
        }
        let run = async {
            let Post { server, environment, .. } = &self.post;
            if !caller.may_read(server, environment) {
                return Err(Denied::Scope(Right::to_read(server, environment).to_string()).into());
            }
            Ok::<_, Refused>(run(caller).await?)
        };
        let ran = tokio::select! {
            ran = tokio::time::timeout(self.post.within, run) => {
                ran.unwrap_or(Err(Refused::TooLong(self.post.within)))
            }
            () = cancelled.cancelled() => Err(Refused::Abandoned),
        };
        line.end(match &ran {
            Ok(Ok(answer)) if answer.failed() => Outcome::Failed,
            Ok(Ok(_)) => Outcome::Answered,
            Ok(Err(_)) => Outcome::Failed,
            Err(refused) => refused.outcome(),
        });
        ran
    }

    /// Takes one call of the caller's. The number of those that came too often and were not written down; or the wait,
    /// and whether this is the first that has to. So no flood of calls becomes a flood of lines.
    fn pace(&self, caller: &str, now: Timestamp) -> Result<u64, (bool, TooOften)> {
        let Some(pace) = &self.pace else { return Ok(0) };
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        match pace.rates.take(caller.to_owned(), now) {
            Ok(()) => Ok(pace.unwritten.remove(caller).unwrap_or(0)),
            Err(refused) => {
                let first = !pace.unwritten.contains_key(caller);
                if first && pace.unwritten.len() >= CALLERS {
                    return Err((true, refused));
                }
                let count = pace.unwritten.entry(caller.to_owned()).or_default();
                *count = count.saturating_add(u64::from(!first));
                Err((first, refused))
            }
        }
    }

    fn line(&self, caller: &str, call: &Call) -> Line<'_> {
        let begun = Called {
            caller: caller.to_owned(),
            server: self.post.server,
            environment: self.post.environment.clone(),
            method: call.method,
            what: call.what.clone(),
            namespace: call.namespace.clone(),
            outcome: Outcome::Abandoned,
            took: Duration::ZERO,
            unwritten: 0,
        };
        Line { guard: self, began: Instant::now(), called: Some(begun) }
    }
}
