//! `belay serve`: the daemon.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapters::terminal::{Look, TerminalMessenger, TerminalPager};
use crate::app::build::{self, Built, Given};
use crate::app::policies::Watch;
use crate::app::runbooks;
use crate::app::{Daemon, admin};
use crate::config::{self, Config, WebhookConfig};
use crate::http::{self, Clicks, Gate, WebhookAuth};
use crate::ports::clock::SystemClock;
use crate::telemetry;

/// Which configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration
    #[arg(long, short, default_value = "belay.yaml", value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config)?;
    telemetry::init(&config.log.filter, config.log.format).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let policies = config::policies(&config.policies)?;
    anyhow::ensure!(
        !policies.is_empty(),
        "`{}` holds no policy (`*.yaml`); belay does nothing without one",
        config.policies.display()
    );
    let look = Look { width: 100, colour: std::io::stdout().is_terminal() && !config::no_color() };
    let out = || Box::new(std::io::stdout());
    let given = Given {
        clock: Arc::new(SystemClock),
        policies: policies.clone(),
        messenger: Arc::new(TerminalMessenger::new(out(), look)),
        pager: Arc::new(TerminalPager::new(out(), look)),
        simulated: false,
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; change `listen`", config.listen))?;
    let built = build::build(&config, given).await?;
    let gate = gate(&config, &built.daemon)?;
    let stop = CancellationToken::new();
    let mut critical = start(&config, &built, listener, gate, &stop)?;
    let watch = Watch::new(built.daemon.clone(), &config.policies, &policies).after(&built.start);
    let token = stop.clone();
    critical.spawn(async move {
        watch.run(token).await;
        Ok(())
    });
    if let Some(dir) = &config.runbooks {
        let (watch, token) = (runbooks::Watch::new(built.daemon.clone(), dir), stop.clone());
        critical.spawn(async move {
            watch.run(token).await;
            Ok(())
        });
    }
    if !built.daemon.is_armed().await? {
        tracing::warn!("the alert that always fires was never seen: if alerts stop arriving, nobody notices");
    }
    tracing::info!(listen = %config.listen, cluster = %config.cluster.name, "ready");
    let mut terminate = signal(SignalKind::terminate())?;
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        ended = critical.join_next() => ended,
    };
    stop.cancel();
    // whatever ended by itself ends the process with its reason; the others finish what is under way
    let first = ended.map_or(Ok(()), flatten);
    while let Some(ended) = critical.join_next().await {
        flatten(ended)?;
    }
    first.map(|()| ExitCode::SUCCESS)
}

/// Why a task of the daemon ended.
pub(super) fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended.context("a task of the daemon died")?
}

/// Starts everything that has to live for the daemon to be one.
pub(super) fn start(
    config: &Config,
    built: &Built,
    listener: TcpListener,
    gate: Gate,
    stop: &CancellationToken,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let mut critical = JoinSet::new();
    let admin = admin::bind(&config.state_dir).context("the admin socket cannot be opened")?;
    let daemon = built.daemon.clone();
    let token = stop.clone();
    critical.spawn(async move { daemon.run(token).await.map_err(Into::into) });
    let (daemon, token) = (built.daemon.clone(), stop.clone());
    critical.spawn(async move { daemon.tick(token).await.map_err(Into::into) });
    let (daemon, token) = (built.daemon.clone(), stop.clone());
    critical.spawn(async move {
        admin::serve(admin, daemon, token).await;
        Ok(())
    });
    let token = stop.clone();
    critical.spawn(async move { http::serve(listener, http::routes(gate), token).await.map_err(Into::into) });
    Ok(critical)
}

/// The listener's side of the configuration.
pub(super) fn gate(config: &Config, daemon: &Daemon) -> anyhow::Result<Gate> {
    let slack = match &config.slack {
        None => None,
        Some(slack) => {
            let expected = http::slack::Expected {
                app: slack.app.clone(),
                team: slack.team.clone(),
                channel: slack.channel.clone(),
            };
            Some(Arc::new(Clicks::new(config::secret(&slack.signing_secret_file)?, expected)))
        }
    };
    Ok(Gate { daemon: daemon.clone(), webhook: Arc::new(webhook(&config.webhook)?), slack })
}

fn webhook(config: &WebhookConfig) -> anyhow::Result<WebhookAuth> {
    Ok(match config {
        WebhookConfig { bearer_token_file: Some(file), .. } => WebhookAuth::Bearer(config::secret(file)?),
        WebhookConfig { username: Some(user), password_file: Some(file), .. } => {
            WebhookAuth::Basic { user: user.clone(), password: config::secret(file)? }
        }
        WebhookConfig { .. } => WebhookAuth::LoopbackOnly,
    })
}
