//! A third-party MCP server: connected to when it can be, never waited for at start, and believed in nothing. What is
//! on offer is what people accepted (`pins`), whether it is up or not; what it lists only ever takes something away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rmcp::model::{CallToolResult, JsonObject, Tool};
use secrecy::SecretString;
use tokio::time::{Instant, timeout};

use super::child::{self, Program, Running};
use super::client::{self, CallError, Client, Stale};
use super::pins::{Pins, Standing};
use super::remote::{Address, RemoteError};
use super::text;
use crate::domain::rate::{Rate, Rates};
use crate::domain::redact;
use crate::ports::clock::SharedClock;

/// How long a server may take to list its tools.
const LISTING: Duration = Duration::from_secs(10);
/// How often a server's connection is looked after.
const EVERY: SignedDuration = SignedDuration::from_secs(5);
/// How often its tools are listed again, should it not say that they are others: a change is found before most
/// investigations of a day.
const RELIST: SignedDuration = SignedDuration::from_mins(5);
/// The pause after a first failure; doubled with each further one.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause: a server that is back is used within a minute.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// Calls in a row without an answer after which a connection is given up: one slow query is no sign, three are.
const MUTE: u32 = 3;
/// Callers at a time that are told apart: one for each cluster's investigations, and one for its briefs.
const CALLERS: usize = 64;
/// What people are told of one server's tools in a life of the daemon: more is a server that changes at will.
const TOLD: usize = 64;
/// How much of a reason is passed on.
const REASON: usize = 300;

/// How a server is reached.
#[derive(Debug, Clone)]
pub enum Reach {
    /// A child of this process, over its standard input and output.
    Child(Program),
    /// A process elsewhere, over streamable HTTP: a sidecar, or a machine on the network.
    Remote {
        /// Its URL; https unless it is this machine.
        url: String,
        /// The bearer token that it is shown.
        token: Option<SecretString>,
    },
}

/// A third-party server, as it is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name: tools become `name__tool`.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// Its tools that may be called.
    pub allow: BTreeSet<String>,
    /// How many calls each caller has a minute.
    pub per_minute: u32,
    /// How long one call may take.
    pub within: Duration,
}

/// A tool that may be called and that nobody accepted as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Of which server.
    pub server: String,
    /// Which tool.
    pub tool: String,
    /// How it stands.
    pub standing: Standing,
    /// What differs from what was accepted.
    pub difference: Vec<String>,
}

/// A call had no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// For a reason that the caller can do something about.
    Said(String),
    /// The server gave none.
    Mute(String),
}

/// A third-party server.
pub struct Foreign {
    settings: Settings,
    address: Option<Address>,
    pins: Arc<Pins>,
    clock: SharedClock,
    link: tokio::sync::Mutex<Link>,
    stale: Arc<Stale>,
    seen: Mutex<Seen>,
    rates: Mutex<Rates<String>>,
}

#[derive(Default)]
struct Link {
    live: Option<Live>,
    failures: u32,
    mute: u32,
    not_before: Option<Timestamp>,
    why: String,
}

struct Live {
    client: Client,
    listed_at: Timestamp,
    /// The child ends with the connection.
    _child: Option<Running>,
}

#[derive(Default)]
struct Seen {
    /// How each tool stood when the server last listed them; nothing before it first did.
    standing: BTreeMap<String, Standing>,
    told: BTreeSet<(String, String)>,
    news: Vec<News>,
}

impl Foreign {
    /// A server that nobody has connected to yet.
    pub fn new(settings: Settings, pins: Arc<Pins>, clock: SharedClock) -> Result<Self, RemoteError> {
        let address = match &settings.reach {
            Reach::Child(_) => None,
            Reach::Remote { url, token } => {
                let key = format!("mcpServers.{}.url", settings.name);
                Some(Address::new(key.into(), url, token.clone())?)
            }
        };
        // a quarter of a minute's calls at once: an investigation asks in bursts
        let rate = Rate { per_minute: settings.per_minute, burst: settings.per_minute.div_ceil(4) };
        Ok(Self {
            address,
            settings,
            pins,
            clock,
            link: tokio::sync::Mutex::default(),
            stale: Arc::default(),
            seen: Mutex::default(),
            rates: Mutex::new(Rates::new(rate, CALLERS)),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The tools on offer, as they were accepted: those that are allowed and pinned, without those that the server
    /// was seen to describe otherwise.
    pub(super) fn offers(&self) -> Vec<Tool> {
        let seen = self.seen();
        let fit = |name: &&String| matches!(seen.standing.get(*name), None | Some(Standing::Pinned));
        let allowed = self.settings.allow.iter().filter(fit);
        allowed.filter_map(|name| self.pins.accepted(&self.settings.name, name)).collect()
    }

    /// Calls a tool for `caller`, and answers within the deadline whatever the server does.
    pub(super) async fn call(
        &self,
        caller: &str,
        tool: &str,
        arguments: JsonObject,
        within: Duration,
    ) -> Result<CallToolResult, Failure> {
        let taken = lock(&self.rates).take(caller.to_owned(), self.clock.now());
        taken.map_err(|e| Failure::Said(e.to_string()))?;
        let within = within.min(self.settings.within);
        let deadline = Instant::now() + within;
        let late = |_| Failure::Mute(format!("no answer within {} s", within.as_secs()));
        let client = self.connected(deadline).await?;
        if client.take_stale() {
            tokio::time::timeout_at(deadline, self.list(&client))
                .await
                .map_err(late)?
                .map_err(Failure::Mute)?;
        }
        let standing = self.seen().standing.get(tool).copied().unwrap_or(Standing::Missing);
        if standing != Standing::Pinned {
            return Err(Failure::Said(disabled(standing).to_owned()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = match timeout(left, client.call(tool, arguments, left)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(CallError::Protocol(why))) => Err(Failure::Said(reason(&why))),
            Ok(Err(CallError::NoAnswer(why))) => Err(Failure::Mute(reason(&why))),
            Err(elapsed) => Err(late(elapsed)),
        };
        self.heard(&client, answer.is_ok() || matches!(answer, Err(Failure::Said(_)))).await;
        answer
    }

    /// The connection; made anew where there is none and the pause after the last failure is over.
    async fn connected(&self, deadline: Instant) -> Result<Client, Failure> {
        let late = |_| Failure::Mute("it is being connected to".to_owned());
        let mut link = tokio::time::timeout_at(deadline, self.link.lock()).await.map_err(late)?;
        if let Some(client) = link.usable() {
            return Ok(client);
        }
        let now = self.clock.now();
        if let Some(at) = link.not_before.filter(|at| *at > now) {
            let wait = at.duration_since(now).as_secs().saturating_add(1);
            return Err(Failure::Mute(format!("it is down ({}); it is tried again in {wait} s", link.why)));
        }
        let opened = match tokio::time::timeout_at(deadline, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err("no handshake in time".to_owned()),
        };
        self.keep(&mut link, opened).map_err(Failure::Mute)
    }

    /// Notes what came of connecting.
    fn keep(&self, link: &mut Link, opened: Result<Live, String>) -> Result<Client, String> {
        let server = &self.settings.name;
        match opened {
            Ok(live) => {
                tracing::info!(server, "an MCP server is connected");
                let client = live.client.clone();
                *link = Link { live: Some(live), ..Link::default() };
                Ok(client)
            }
            Err(why) => {
                link.fail(reason(&why), self.clock.now());
                let (why, failures) = (&link.why, link.failures);
                tracing::warn!(server, why, failures, "an MCP server cannot be used");
                Err(link.why.clone())
            }
        }
    }

    async fn open(&self) -> Result<Live, String> {
        let stale = Arc::clone(&self.stale);
        let (client, child) = match (&self.settings.reach, &self.address) {
            (Reach::Child(program), _) => {
                let (running, pipes) = child::start(&self.settings.name, program, &self.clock)?;
                (client::connect_hearing(pipes, stale).await, Some(running))
            }
            (Reach::Remote { .. }, Some(address)) => {
                (client::connect_hearing(address.transport(), stale).await, None)
            }
            (Reach::Remote { .. }, None) => return Err("its address is not known".to_owned()),
        };
        let client = client.map_err(|e| e.to_string())?;
        let _ = client.take_stale(); // the list is read now
        self.list(&client).await?;
        Ok(Live { client, listed_at: self.clock.now(), _child: child })
    }

    /// Reads the list of tools, and notes how each that is allowed stands.
    async fn list(&self, client: &Client) -> Result<(), String> {
        let listed =
            timeout(LISTING, client.tools(LISTING)).await.map_err(|_| "its tools were not listed in time")?;
        let listed = listed.map_err(|e| e.to_string())?;
        let server = &self.settings.name;
        let mut seen = self.seen();
        seen.standing.clear();
        for name in &self.settings.allow {
            let standing = self.pins.judge(server, name, &listed);
            seen.standing.insert(name.clone(), standing);
            if standing == Standing::Pinned {
                continue;
            }
            let tool = listed.iter().find(|tool| tool.name == *name);
            let difference = tool.map(|tool| self.pins.difference(server, tool)).unwrap_or_default();
            let what = format!("{standing} {}", difference.join("\n"));
            if seen.told.len() < TOLD && seen.told.insert((name.clone(), what)) {
                tracing::warn!(server, tool = name, %standing, "a tool of an MCP server is disabled");
                seen.news.push(News { server: server.clone(), tool: name.clone(), standing, difference });
            }
        }
        Ok(())
    }

    /// Notes whether a call was answered; a connection that has ended, or stays mute, is given up.
    async fn heard(&self, client: &Client, answered: bool) {
        let mut link = self.link.lock().await;
        link.mute = if answered { 0 } else { link.mute.saturating_add(1) };
        if client.is_closed() || link.mute >= MUTE {
            let why = if client.is_closed() { "it ended" } else { "it does not answer" };
            link.fail(why.to_owned(), self.clock.now());
        }
    }

    /// Looks after the connection: made anew when it ended, its tools listed again when they may be others. Never
    /// ends by itself; whoever holds the task ends it.
    pub async fn watch(&self) {
        loop {
            self.tend().await;
            tokio::select! {
                () = self.clock.sleep(EVERY) => {}
                () = self.stale.said() => {}
            }
        }
    }

    /// Looks after the connection once.
    pub async fn tend(&self) {
        let now = self.clock.now();
        let mut link = self.link.lock().await;
        if link.live.as_ref().is_some_and(|live| live.client.is_closed()) {
            link.fail("it ended".to_owned(), now);
        }
        match &link.live {
            None if link.not_before.is_none_or(|at| at <= now) => {
                let opened = self.open().await;
                let _ = self.keep(&mut link, opened); // it is logged, and tried again after the pause
            }
            None => {}
            Some(live) => {
                let old = now.duration_since(live.listed_at) >= RELIST;
                if live.client.take_stale() || old {
                    let client = live.client.clone();
                    let listed = self.list(&client).await;
                    match (listed, &mut link.live) {
                        (Ok(()), Some(live)) => live.listed_at = now,
                        (Ok(()), None) => {}
                        (Err(why), _) => link.fail(reason(&why), now),
                    }
                }
            }
        }
    }

    /// What people have not been told yet.
    pub fn news(&self) -> Vec<News> {
        std::mem::take(&mut self.seen().news)
    }

    /// Every tool that the server lists now, for people to accept; or why it cannot be told.
    pub async fn survey(&self) -> Result<Vec<Tool>, String> {
        let Live { client, _child, .. } = self.open().await?;
        client.tools(LISTING).await.map_err(|e| e.to_string())
    }

    /// The tools that may be called, by their own names.
    pub fn allowed(&self) -> impl Iterator<Item = &str> {
        self.settings.allow.iter().map(String::as_str)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Link {
    fn usable(&mut self) -> Option<Client> {
        self.live.as_ref().filter(|live| !live.client.is_closed()).map(|live| live.client.clone())
    }

    fn fail(&mut self, why: String, now: Timestamp) {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.live = None;
        self.mute = 0;
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(pause).ok();
        self.why = why;
    }
}

fn disabled(standing: Standing) -> &'static str {
    match standing {
        Standing::Pinned => "it is accepted",
        Standing::New => "this tool is disabled: no person has accepted it yet",
        Standing::Changed => {
            "this tool is disabled: its definition changed, and no person has accepted that yet"
        }
        Standing::Twice => "this tool is disabled: its server lists it more than once",
        Standing::Missing => "the server has no such tool now",
    }
}

/// A reason in one bounded line.
pub(super) fn reason(why: &str) -> String {
    redact::line(&text::bounded(why, REASON), REASON)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // what is kept is whole after each statement
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
