//! Third-party MCP servers, and which of their tools answer belay's own questions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::load::ConfigError;

/// The longest name of a tool that model servers accept.
const LONGEST_NAME: usize = 64;
/// The longest that a call may take: an investigation has two minutes in all.
const LONGEST_DEADLINE: u32 = 60;
/// The most calls a minute that can be set: ten a second is more than any investigation asks for.
const MOST_CALLS: u32 = 600;
/// The most servers: each costs a process or a connection, and the prompt its tools.
const MOST_SERVERS: usize = 32;

/// A third-party MCP server: a child of the daemon (`command`), or one that runs elsewhere (`url`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct McpServerConfig {
    /// The full path of the program to start.
    #[serde(default)]
    pub command: Option<PathBuf>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its environment; it gets no other, not even `PATH`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// More of its environment: the file that holds each value.
    #[serde(default)]
    pub env_files: BTreeMap<String, PathBuf>,
    /// Where it is; https unless it is this machine.
    #[serde(default)]
    pub url: Option<String>,
    /// A file with the bearer token that it is shown.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Its tools that may be called, by their own names. Each has to be accepted besides (`belay mcp pin`).
    pub tools: Vec<String>,
    /// How many calls each caller has a minute.
    #[serde(default = "calls_per_minute")]
    pub calls_per_minute: u32,
    /// How long a call may take, in seconds.
    #[serde(default = "deadline_seconds")]
    pub deadline_seconds: u32,
}

/// One call a second: hosted monitoring APIs allow a few hundred a minute to all that share a token.
const fn calls_per_minute() -> u32 {
    60
}

/// As long as a tool of belay's own may take in an investigation.
const fn deadline_seconds() -> u32 {
    15
}

/// Which tools answer which of belay's own questions about a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct McpReadsConfig {
    /// The errors that it logged lately.
    pub error_logs: Option<McpReadConfig>,
    /// What was deployed lately.
    pub recent_deploys: Option<McpReadConfig>,
    /// What it calls, and how that is.
    pub dependencies: Option<McpReadConfig>,
    /// Its measured values.
    pub metrics: Option<McpReadConfig>,
}

/// One tool, and what it is called with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct McpReadConfig {
    /// `server__tool`.
    pub tool: String,
    /// Its arguments; `{cluster}`, `{namespace}`, `{kind}` and `{workload}` in a text stand for those of the workload
    /// in question.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// As in `true`.
    Flag(bool),
    /// As in `50`.
    Number(i64),
    /// As in `{namespace="{namespace}"}`.
    Text(String),
}

impl McpReadsConfig {
    /// Each that is set, by its key.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &McpReadConfig)> {
        let Self { error_logs, recent_deploys, dependencies, metrics } = self;
        let all = [
            ("errorLogs", error_logs),
            ("recentDeploys", recent_deploys),
            ("dependencies", dependencies),
            ("metrics", metrics),
        ];
        all.into_iter().filter_map(|(key, read)| Some((key, read.as_ref()?)))
    }
}

/// What cannot be used of these servers and reads, if anything.
pub(super) fn check(
    servers: &BTreeMap<String, McpServerConfig>,
    pins: Option<&PathBuf>,
    reads: &McpReadsConfig,
) -> Result<(), ConfigError> {
    if servers.len() > MOST_SERVERS {
        return Err(ConfigError::Conflict(format!("`mcpServers` names more than {MOST_SERVERS} servers")));
    }
    if !servers.is_empty() && pins.is_none() {
        return Err(ConfigError::Conflict(
            "`mcpServers` needs `mcpPins`, the file with the definitions that people accepted: name one, and \
             `belay mcp pin` writes it"
                .to_owned(),
        ));
    }
    servers.iter().try_for_each(|(name, server)| check_server(name, server))?;
    for (key, read) in reads.each() {
        check_read(key, read, servers)?;
    }
    Ok(())
}

fn check_server(name: &str, server: &McpServerConfig) -> Result<(), ConfigError> {
    let wrong = |why: String| Err(ConfigError::Conflict(format!("`mcpServers.{name}`: {why}")));
    let McpServerConfig { command, args, env, env_files, url, token_file, tools, .. } = server;
    match (command, url) {
        (Some(_), Some(_)) => return wrong("has `command` and `url` both: leave one of them out".into()),
        (None, None) => return wrong("needs `command` or `url`".into()),
        (Some(command), None) if !command.is_absolute() => {
            return wrong("`command` must be a full path: nothing is looked up in `PATH`".into());
        }
        (Some(_), None) if token_file.is_some() => return wrong("`tokenFile` goes with `url`".into()),
        (None, Some(_)) if !(args.is_empty() && env.is_empty() && env_files.is_empty()) => {
            return wrong("`args`, `env` and `envFiles` go with `command`".into());
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    if let Some(name) = env.keys().find(|name| env_files.contains_key(*name)) {
        return wrong(format!("`env` and `envFiles` both set `{name}`"));
    }
    if let Some(name) = env.keys().chain(env_files.keys()).find(|n| n.is_empty() || n.contains(['=', '\0'])) {
        return wrong(format!("`{}` is no name of an environment variable", name.escape_debug()));
    }
    if tools.is_empty() {
        return wrong("`tools` names no tool: list those that may be called".into());
    }
    let fit = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let long = |tool: &str| name.len() + 2 + tool.len() > LONGEST_NAME;
    if let Some(tool) = tools.iter().find(|t| t.is_empty() || !t.bytes().all(fit) || long(t)) {
        return wrong(format!(
            "tool `{}` cannot be offered to a model: letters, digits, `_` and `-`, and with `{name}__` before it at \
             most {LONGEST_NAME} of them",
            tool.escape_debug()
        ));
    }
    if !(1..=MOST_CALLS).contains(&server.calls_per_minute) {
        return wrong(format!("`callsPerMinute` must be 1 to {MOST_CALLS}"));
    }
    if !(1..=LONGEST_DEADLINE).contains(&server.deadline_seconds) {
        return wrong(format!("`deadlineSeconds` must be 1 to {LONGEST_DEADLINE}"));
    }
    Ok(())
}

fn check_read(
    key: &str,
    read: &McpReadConfig,
    servers: &BTreeMap<String, McpServerConfig>,
) -> Result<(), ConfigError> {
    let wrong = |why: String| Err(ConfigError::Conflict(format!("`mcpReads.{key}`: {why}")));
    let named = read.tool.split_once("__").and_then(|(server, tool)| Some((servers.get(server)?, tool)));
    let Some((server, tool)) = named else {
        return wrong(format!(
            "`{}` names no tool of a server in `mcpServers`, as in `server__tool`",
            read.tool
        ));
    };
    if !server.tools.iter().any(|allowed| allowed == tool) {
        return wrong(format!("`{tool}` is not among the server's `tools`"));
    }
    for (name, argument) in &read.arguments {
        if let Argument::Text(text) = argument
            && let Some(unknown) = placeholders(text).find(|word| !KNOWN.contains(word))
        {
            return wrong(format!("argument `{name}` has `{{{unknown}}}`: there are {}", KNOWN.join(", ")));
        }
    }
    Ok(())
}

/// What an argument may be made from.
const KNOWN: [&str; 4] = ["cluster", "namespace", "kind", "workload"];

/// The words in braces that look like placeholders: query languages have braces of their own.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    words.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}
