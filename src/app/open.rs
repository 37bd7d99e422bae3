//! belay's own read-only MCP servers, opened to other clients: behind the door over HTTP, or on standard input and
//! output for whoever started the process. Each call is written down as one line of the log.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::Level;

use crate::config::{self, Config, ConfigError, McpAccessConfig};
use crate::domain::authority::Caller;
use crate::domain::redact;
use crate::ports::access::{Audit, Called, Outcome};
use crate::ports::clock::{SharedClock, SystemClock};
use crate::servers::guard::{Guard, Post, WITHIN};
use crate::servers::kit::HttpService;

use super::build::{self, BuildError, Eyes};
use super::door::Door;
use super::own::{Kind, Own, Sources};

/// Where the log has the lines of the audit.
const AUDIT: &str = "belay::audit";
/// The longest name of a caller in a line: 255 of `sub`, and what is before it.
const CALLER: usize = 300;

/// The servers and their door.
pub struct Opened {
    /// Who is let in.
    pub door: Arc<Door>,
    /// Each server, by its name.
    pub servers: Vec<(&'static str, HttpService)>,
}

/// The audit as lines of the log.
struct Lines;

impl Audit for Lines {
    fn called(&self, call: &Called) {
        let Called { caller, server, environment, method, what, namespace, outcome, took, unwritten } = call;
        let why = match outcome {
            Outcome::Denied(why) => Some(why.as_str()),
            Outcome::Answered
            | Outcome::Failed
            | Outcome::TooOften
            | Outcome::TooLong
            | Outcome::Abandoned => None,
        };
        tracing::info!(
            target: AUDIT,
            // a name is not redacted: it says who it was
            caller = %redact::clean(caller, CALLER).replace(['\n', '\t'], " "),
            server,
            environment,
            method,
            what,
            namespace,
            outcome = outcome.word(),
            why,
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            unwritten,
            "a call of a server"
        );
    }
}

fn guard(kind: Kind, environment: &str, per_minute: Option<u32>, clock: &SharedClock) -> Arc<Guard> {
    Arc::new(Guard::new(Post {
        server: kind.name(),
        environment: environment.to_owned(),
        per_minute,
        within: WITHIN,
        clock: clock.clone(),
        audit: Arc::new(Lines),
    }))
}

/// A log without the audit would let calls go by unseen.
fn audited() -> Result<(), BuildError> {
    if tracing::enabled!(target: AUDIT, Level::INFO) {
        return Ok(());
    }
    let why = format!("`log.filter` leaves out the audit of calls: add `{AUDIT}=info` to it");
    Err(ConfigError::Conflict(why).into())
}

/// Opens these servers of the cluster behind the door of a listener at `address`; all that the configuration has sources
/// for, where none is named.
pub async fn open(
    kind: Option<Kind>,
    config: &Config,
    of: config::Site<'_>,
    address: SocketAddr,
    stop: &CancellationToken,
) -> Result<Opened, BuildError> {
    audited()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let mcp = config.mcp.as_ref();
    let door = Door::new(mcp, address, &clock)?;
    let Eyes { listing, inventory, .. } = build::eyes(of, &clock).await?;
    let sources =
        Sources { config, site: of, listing: &listing, inventory: &inventory, clock: &clock, recorded: None };
    let owned = match kind {
        Some(kind) => vec![(kind, Own::build(kind, &sources)?)],
        None => Own::all(&sources)?,
    };
    let per_minute = mcp.map(|McpAccessConfig { calls_per_minute, .. }| *calls_per_minute);
    let serve = |(kind, own): (Kind, Own)| {
        let guard = guard(kind, door.environment(), per_minute, &clock);
        (kind.name(), own.over_http(guard, stop))
    };
    let servers = owned.into_iter().map(serve).collect();
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            public = door.base(),
            "this listens beyond this machine and speaks no TLS: tokens and answers can be read on the way, unless what \
             is before it, as a proxy or a mesh, speaks it"
        );
    }
    if !door.asks_for_tokens() {
        tracing::warn!(%address, "no tokens are asked for: everybody on this machine may ask these servers");
    }
    Ok(Opened { door: Arc::new(door), servers })
}

/// Serves one of them on standard input and output.
pub async fn serve_own(kind: Kind, config: &Config, of: config::Site<'_>) -> Result<(), BuildError> {
    let clock: SharedClock = Arc::new(SystemClock);
    let Eyes { listing, inventory, .. } = build::eyes(of, &clock).await?;
    let sources =
        Sources { config, site: of, listing: &listing, inventory: &inventory, clock: &clock, recorded: None };
    let own = Own::build(kind, &sources)?;
    let environment = config.mcp.as_ref().map_or("default", |mcp| mcp.environment.as_str());
    let caller = Caller::at_home(format!("process:{}", config::user()));
    own.stdio(guard(kind, environment, None, &clock), caller).await
}
