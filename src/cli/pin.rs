//! `belay mcp pin`: what the tools of third-party MCP servers say of themselves, beside what was accepted, and the
//! accepting of it. The only writer of the file of pins.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use futures::future::join_all;

use crate::adapters::mcp::{Foreign, Pins, Standing};
use crate::app::Strangers;
use crate::app::build;
use crate::config::{self, Config};
use crate::domain::suspicion;
use crate::ports::clock::{SharedClock, SystemClock};

/// What to accept.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The daemon's configuration, with `mcpServers` and `mcpPins`
    #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
    config: PathBuf,
    /// Accept all that a server's allowed tools say of themselves now, or one tool of it; may be given again
    #[arg(long, value_name = "SERVER[/TOOL]")]
    accept: Vec<String>,
}

/// What is pinned and what is not. Exit code: 0 all allowed tools are pinned, 1 some are not, 2 a server could not be
/// asked.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config)?;
    crate::telemetry::init("error", config.log.format).map_err(anyhow::Error::msg)?;
    super::runtime()?.block_on(pin(&config, &args.accept))
}

async fn pin(config: &Config, accept: &[String]) -> anyhow::Result<ExitCode> {
    let file = config.mcp_pins.as_deref().context("name the file of the pins in `mcpPins`")?;
    let clock: SharedClock = Arc::new(SystemClock);
    let strangers = Strangers::of(config, &clock)?;
    let mut pins = build::pins(config)?;
    known(accept, strangers.servers())?;
    let surveys = join_all(strangers.servers().iter().map(|server| server.survey())).await;
    let mut out = std::io::stdout().lock();
    let (mut open, mut unasked, mut accepted) = (0, 0, 0);
    for (server, survey) in strangers.servers().iter().zip(surveys) {
        let name = server.name();
        let listed = match survey {
            Ok(listed) => listed,
            Err(why) => {
                writeln!(out, "{name}: could not be asked: {why}")?;
                unasked += 1;
                continue;
            }
        };
        for tool in server.allowed() {
            let standing = pins.judge(name, tool, &listed);
            writeln!(out, "{standing:12} {name}/{tool}")?;
            if standing == Standing::Pinned {
                continue;
            }
            let found = listed.iter().find(|listed| listed.name == tool);
            let difference = found.map(|found| pins.difference(name, found)).unwrap_or_default();
            for line in &difference {
                writeln!(out, "    {}", line.replace('\n', "\n      "))?;
            }
            for flag in suspicion::flags(&difference.join("\n")) {
                writeln!(out, "    ! this text speaks to the model: {flag}")?;
            }
            let wanted = accept.iter().any(|a| a == name || *a == format!("{name}/{tool}"));
            match (found, wanted, standing) {
                (Some(found), true, Standing::New | Standing::Changed) => {
                    pins.accept(name, found);
                    accepted += 1;
                    writeln!(out, "accepted     {name}/{tool}")?;
                }
                (_, _, _) => open += 1,
            }
        }
    }
    if accepted > 0 {
        write(file, &pins)?;
        writeln!(out, "{accepted} written to `{}`; the daemon takes them at its next start", file.display())?;
    }
    Ok(match (unasked, open) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        (_, _) => ExitCode::from(2),
    })
}

/// What is to be accepted has to be configured: a misspelt name must not pass in silence.
fn known(accept: &[String], servers: &[Arc<Foreign>]) -> anyhow::Result<()> {
    for wanted in accept {
        let (server, tool) = wanted.split_once('/').map_or((wanted.as_str(), None), |(s, t)| (s, Some(t)));
        let found = servers.iter().find(|known| known.name() == server);
        let found = found.with_context(|| format!("`mcpServers` has no server `{server}`"))?;
        if let Some(tool) = tool {
            let listed = found.allowed().any(|allowed| allowed == tool);
            anyhow::ensure!(listed, "`{tool}` is not among the `tools` of `mcpServers.{server}`");
        }
    }
    Ok(())
}

/// Writes the file as a whole: a daemon that starts meanwhile reads the one or the other.
fn write(file: &Path, pins: &Pins) -> anyhow::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, pins.text()).with_context(|| format!("cannot write `{}`", beside.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("cannot write `{}`", file.display()))
}
