//! The stage: the simulated world, the daemon before it, and the two things that break.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::Daemon;
use crate::app::build::{self, Given};
use crate::cli::serve;
use crate::config::{self, Config};
use crate::domain::decision::Level;
use crate::http::{Gate, WebhookAuth};
use crate::ports::clock::{ScaledClock, SharedClock};
use crate::sim::alertmanager::{Alertmanager, Settings};
use crate::sim::kube::{Fault, Pods, World};
use crate::store;

use super::talk::{Ending, Stage, say};
use super::{Answers, Args};

/// The cluster's name in the demo.
const CLUSTER: &str = "demo";
/// When the story begins: at night, as these stories do. A fixed moment, so that every run is alike.
const BEGINS: &str = "2026-11-21T02:00:00Z";
/// The demo's policy, as it is shipped.
const POLICY: &str = include_str!("../../../policies/demo/demo.yaml");
/// The golden inputs beside it, that its own tests start from.
const EXAMPLES: [(&str, &str); 3] = [
    ("policies/demo/examples/oom.yaml", include_str!("../../../policies/demo/examples/oom.yaml")),
    (
        "policies/demo/examples/saturation.yaml",
        include_str!("../../../policies/demo/examples/saturation.yaml"),
    ),
    ("policies/demo/examples/hands-off.yaml", include_str!("../../../policies/demo/examples/hands-off.yaml")),
];

/// Everything that runs beside the daemon.
struct Scenery {
    world: World,
    api: String,
    alertmanager: String,
}

pub(super) async fn play(args: &Args, answers: Answers) -> anyhow::Result<std::process::ExitCode> {
    let origin = BEGINS.parse().context("the demo's own date")?;
    let clock: SharedClock = Arc::new(ScaledClock::new(origin, args.speed));
    let state_dir = match &args.state_dir {
        Some(dir) => dir.clone(),
        None => new_folder()?,
    };
    let stop = CancellationToken::new();
    let mut sides = JoinSet::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let webhook = format!("http://{}/api/v1/alerts/webhook", listener.local_addr()?);
    let scenery = scenery(&clock, &webhook, &stop, &mut sides).await?;

    let config = configuration(&scenery, &state_dir)?;
    let (mut stage, messenger, pager) = Stage::set(Arc::clone(&clock), answers);
    let policies = policies(args.level);
    let given = Given { clock: Arc::clone(&clock), policies, messenger, pager, simulated: true };
    let built = build::build(&config, given).await?;
    let daemon = built.daemon.clone();
    let gate = Gate { daemon: daemon.clone(), webhook: Arc::new(WebhookAuth::LoopbackOnly), slack: None };
    let mut critical = serve::start(&config, &built, listener, gate, &stop)?;

    stage.welcome(args.level, args.speed, &webhook);
    let story = tell(&mut stage, &daemon, &scenery.world);
    tokio::select! {
        told = story => told?,
        ended = critical.join_next() => {
            if let Some(ended) = ended {
                serve::flatten(ended)?;
            }
        }
        _ = tokio::signal::ctrl_c() => say("stopped"),
    }
    if args.serve {
        Stage::serving(&state_dir, &webhook);
        tokio::signal::ctrl_c().await?;
    }
    stop.cancel();
    while let Some(ended) = critical.join_next().await {
        serve::flatten(ended)?;
    }
    while sides.join_next().await.is_some() {}
    drop((daemon, built));
    verified(&stage, &state_dir)
}

/// The two things that break, one after the other.
async fn tell(stage: &mut Stage, daemon: &Daemon, world: &World) -> anyhow::Result<()> {
    stage.act("A pod of `web` begins to leak memory.");
    world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    stage.follow(daemon, world).await?;

    stage.act("A sale begins: `checkout` has twice as much to do.");
    world.break_it(Fault::Surge { deployment: "checkout".into(), demand_millicores: 1600 });
    stage.follow(daemon, world).await?;
    Ok(())
}

async fn scenery(
    clock: &SharedClock,
    webhook: &str,
    stop: &CancellationToken,
    sides: &mut JoinSet<()>,
) -> anyhow::Result<Scenery> {
    let world = World::shop(Arc::clone(clock));
    let api = TcpListener::bind("127.0.0.1:0").await?;
    let listing = TcpListener::bind("127.0.0.1:0").await?;
    let (api_url, listing_url) =
        (format!("http://{}", api.local_addr()?), format!("http://{}", listing.local_addr()?));
    sides.spawn(world.serve(api, stop.clone()));
    let settings = Settings::quick(CLUSTER).receiver(webhook, None);
    let alertmanager = Alertmanager::new(world.clone(), settings, crate::sim::client()?);
    sides.spawn(alertmanager.run(stop.clone()));
    sides.spawn(alertmanager.serve(listing, stop.clone()));
    Ok(Scenery { world, api: api_url, alertmanager: listing_url })
}

fn configuration(scenery: &Scenery, state_dir: &Path) -> anyhow::Result<Config> {
    let text = format!(
        "stateDir: {:?}\npolicies: policies\ncluster: {{ name: {CLUSTER}, url: {:?} }}\n\
         alertmanager: {{ url: {:?} }}\nlimits: {{ namespaces: [shop], extraRights: ['* *'] }}\n",
        state_dir.display().to_string(),
        scenery.api,
        scenery.alertmanager,
    );
    Ok(config::parse("the demo's configuration", &text)?)
}

/// The shipped policy, with its grants at the level that was asked for. Its own tests say what level 3
/// does, so that they go with it.
fn policies(level: Level) -> Vec<(String, String)> {
    let policy = match level {
        Level::OnTheLoop => POLICY.to_owned(),
        Level::Observe | Level::InTheLoop | Level::Supervised | Level::Autonomous => {
            let rules = POLICY.split("\n  tests:").next().unwrap_or_default();
            rules.replace("      level: 3\n", &format!("      level: {}\n", level.number()))
        }
    };
    let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    let mut files = vec![("policies/demo/demo.yaml".to_owned(), policy)];
    files.extend(EXAMPLES.map(own));
    files
}

fn new_folder() -> anyhow::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("belay-demo-{}", ulid::Ulid::generate()));
    std::fs::create_dir(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    Ok(dir)
}

fn verified(stage: &Stage, state_dir: &Path) -> anyhow::Result<std::process::ExitCode> {
    let found = store::verify(&state_dir.join(store::LOG_FILE), &[])?;
    Stage::journal(&found, state_dir);
    Ok(match stage.ending() {
        Ending::Well => std::process::ExitCode::SUCCESS,
        Ending::Badly => std::process::ExitCode::FAILURE,
    })
}
