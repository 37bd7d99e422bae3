//! The MCP servers of others: built from the configuration, looked after while belay runs, and reported to people when
//! a tool is not what was accepted.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::adapters::mcp::{Foreign, Mapped, MappedReads, News, Pins, Program, Reach, Settings, Template};
use crate::config::{self, Argument, Config, McpReadConfig, McpServerConfig};
use crate::domain::message::Notice;
use crate::domain::redact;
use crate::ports::brief::{About, Brief, Missing, Page, Topic};
use crate::ports::clock::SharedClock;
use crate::ports::messenger::Undelivered;

use super::Daemon;
use super::build::BuildError;

/// How often it is looked whether there is something to tell.
const EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Lines of a difference that a notice shows: `belay mcp pin` shows all.
const LINES: usize = 12;
/// The longest line of a notice.
const LONGEST: usize = 300;

/// The MCP servers of others.
#[derive(Clone, Default)]
pub struct Strangers {
    servers: Vec<Arc<Foreign>>,
    reads: Option<Arc<dyn Brief>>,
}

impl Strangers {
    /// Those of this configuration. None of them is connected to yet.
    pub fn of(config: &Config, clock: &SharedClock) -> Result<Self, BuildError> {
        let pins = Arc::new(pins(config)?);
        let mut servers = Vec::new();
        for (name, server) in &config.mcp_servers {
            let settings = settings(name, server)?;
            servers.push(Arc::new(Foreign::new(settings, Arc::clone(&pins), Arc::clone(clock))?));
        }
        let mapped: Vec<Mapped> =
            config.mcp_reads.each().filter_map(|(key, read)| mapped(key, read, &servers)).collect();
        let reads = (!mapped.is_empty()).then(|| Arc::new(MappedReads::new(mapped)) as Arc<dyn Brief>);
        Ok(Self { servers, reads })
    }

    /// Each server.
    pub fn servers(&self) -> &[Arc<Foreign>] {
        &self.servers
    }

    /// What they say about a workload.
    pub(super) async fn pages(&self, about: Option<&About>) -> Vec<Result<Page, Missing>> {
        match (&self.reads, about) {
            (Some(reads), Some(about)) => reads.pages(about).await,
            (None, _) | (_, None) => Vec::new(),
        }
    }
}

/// The definitions that people accepted; none, where the file is not there yet.
pub fn pins(config: &Config) -> Result<Pins, BuildError> {
    let Some(path) = &config.mcp_pins else { return Ok(Pins::default()) };
    match config::text_if_there(path)? {
        Some(text) => Pins::parse(&text).map_err(|source| BuildError::Pins { path: path.clone(), source }),
        None => Ok(Pins::default()),
    }
}

fn settings(name: &str, server: &McpServerConfig) -> Result<Settings, BuildError> {
    let McpServerConfig { command, args, env, env_files, url, token_file, tools, .. } = server;
    let reach = match (command, url) {
        (Some(command), _) => {
            let given = env.iter().map(|(name, value)| Ok((name.clone(), value.as_str().into())));
            let read = env_files.iter().map(|(name, file)| Ok((name.clone(), config::secret(file)?)));
            let env = given.chain(read).collect::<Result<_, config::ConfigError>>()?;
            Reach::Child(Program { command: command.clone(), args: args.clone(), env })
        }
        (None, url) => Reach::Remote {
            url: url.clone().unwrap_or_default(),
            token: token_file.as_deref().map(config::secret).transpose()?,
        },
    };
    Ok(Settings {
        name: name.to_owned(),
        reach,
        allow: tools.iter().cloned().collect::<BTreeSet<_>>(),
        per_minute: server.calls_per_minute,
        within: Duration::from_secs(server.deadline_seconds.into()),
    })
}

/// A read of the configuration, whose names were checked when it was loaded.
fn mapped(key: &str, read: &McpReadConfig, servers: &[Arc<Foreign>]) -> Option<Mapped> {
    let topic = match key {
        "errorLogs" => Topic::ErrorLogs,
        "recentDeploys" => Topic::RecentDeploys,
        "dependencies" => Topic::Dependencies,
        _ => Topic::Metrics,
    };
    let (server, tool) = read.tool.split_once("__")?;
    let server = Arc::clone(servers.iter().find(|foreign| foreign.name() == server)?);
    let template = |argument: &Argument| match argument {
        Argument::Flag(flag) => Template::Flag(*flag),
        Argument::Number(number) => Template::Number(*number),
        Argument::Text(text) => Template::Text(text.clone()),
    };
    let arguments =
        read.arguments.iter().map(|(name, argument)| (name.clone(), template(argument))).collect();
    Some(Mapped { topic, server, tool: tool.to_owned(), arguments })
}

impl Daemon {
    /// Looks after the servers of others until `stop`, and tells people which tools are disabled.
    pub(super) async fn mind_strangers(&self, stop: &CancellationToken) {
        let servers = self.ports().strangers.servers();
        if servers.is_empty() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = join_all(servers.iter().map(|server| server.watch())) => {}
            () = self.tell_of_strangers() => {}
        }
    }

    async fn tell_of_strangers(&self) {
        let (mut waiting, mut not_before) = (VecDeque::new(), Timestamp::MIN);
        loop {
            for server in self.ports().strangers.servers() {
                for news in server.news() {
                    self.metrics().disabled_tools.inc();
                    waiting.push_back(notice(&news));
                }
            }
            if self.now() >= not_before
                && let Some(notice) = waiting.front()
            {
                match self.ports().messenger.tell(notice).await {
                    Err(Undelivered::Later { why, after_seconds }) => {
                        tracing::warn!(error = %why, "a notice about an MCP server was not accepted yet");
                        let wait = SignedDuration::from_secs(after_seconds.into());
                        not_before = self.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
                    }
                    Err(e @ Undelivered::Never(_)) => {
                        tracing::error!(error = %e, "a notice about an MCP server was refused");
                        waiting.pop_front();
                    }
                    Ok(()) => {
                        waiting.pop_front();
                        continue;
                    }
                }
            }
            self.ports().clock.sleep(EVERY).await;
        }
    }
}

fn notice(news: &News) -> Notice {
    let News { server, tool, standing, difference } = news;
    let headline =
        format!("The tool {server}/{tool} is disabled until a person accepts it: it is {standing}.");
    let mut lines: Vec<String> =
        difference.iter().take(LINES).map(|line| redact::line(line, LONGEST)).collect();
    if difference.len() > LINES {
        lines.push(format!("and {} more", difference.len() - LINES));
    }
    lines.push(format!(
        "`belay mcp pin` shows all of it; `belay mcp pin --accept {server}/{tool}` accepts it."
    ));
    Notice { headline, lines }
}
