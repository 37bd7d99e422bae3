//! The whole of belay as `belay serve` puts it together, before a simulated API server, with its real
//! listener and its journal on the disk that the build is on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use belay::app::build::{self, Given};
use belay::config;
use belay::domain::ids::IncidentId;
use belay::domain::message::{Notice, View};
use belay::domain::record::MessageRef;
use belay::http::{self, Gate, WebhookAuth};
use belay::ports::clock::SystemClock;
use belay::ports::messenger::{Messenger, Pager, Undelivered};
use belay::sim::kube::World;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The policies that are shipped to begin with.
pub fn policies() -> Vec<(String, String)> {
    config::policies(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap()
}

/// Whether what is taken in is worked on meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loops {
    /// It waits in the outbox.
    Off,
    /// Each alert is given to its incident, as in the daemon.
    On,
}

/// A directory on the disk that the build is on: `/tmp` may be in memory, where a flush costs nothing.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Tasks that end with their token.
pub struct Server {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves these routes with belay's own server.
    pub async fn start(routes: Router) -> (SocketAddr, Self) {
        let mut server = Self { stop: CancellationToken::new(), tasks: JoinSet::new() };
        let address = server.serve(routes).await;
        (address, server)
    }

    async fn serve(&mut self, routes: Router) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = self.stop.clone();
        self.tasks.spawn(async move { http::serve(listener, routes, stop).await.unwrap() });
        address
    }

    /// Ends them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A running belay.
pub struct Stand {
    /// Where it listens.
    pub address: SocketAddr,
    /// The server.
    pub server: Server,
}

/// Starts it.
pub async fn start(loops: Loops) -> Stand {
    let mut server = Server { stop: CancellationToken::new(), tasks: JoinSet::new() };
    let (_, api) = simulated(&mut server.tasks, &server.stop).await;
    let dir = scratch();
    let config = config::parse("the measure", &configuration(dir.path(), api, "127.0.0.1:0")).unwrap();
    let given = Given {
        clock: Arc::new(SystemClock),
        policies: policies(),
        messenger: Arc::new(Nobody),
        pager: Arc::new(Nobody),
        simulated: true,
    };
    let built = build::build(&config, given).await.unwrap();
    let gate =
        Gate { daemon: built.daemon.clone(), webhook: Arc::new(WebhookAuth::LoopbackOnly), slack: None };
    let address = server.serve(http::routes(gate)).await;
    let stop = server.stop.clone();
    server.tasks.spawn(async move {
        match loops {
            Loops::On => built.daemon.run(stop).await.unwrap(),
            Loops::Off => stop.cancelled().await,
        }
        drop((built, dir));
    });
    Stand { address, server }
}

/// A simulated API server of a small shop.
pub async fn simulated(tasks: &mut JoinSet<()>, stop: &CancellationToken) -> (World, SocketAddr) {
    let world = World::shop(Arc::new(SystemClock));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(world.serve(listener, stop.clone()));
    (world, address)
}

/// A configuration, as its file would have it.
pub fn configuration(dir: &Path, api: SocketAddr, listen: &str) -> String {
    let dir = dir.display();
    format!(
        "listen: '{listen}'\nstateDir: '{dir}/state'\npolicies: '{dir}/policies'\n\
         cluster: {{ name: lab, url: 'http://{api}' }}\n"
    )
}

/// Takes whatever is said, and answers nothing.
pub struct Nobody;

#[async_trait]
impl Messenger for Nobody {
    fn name(&self) -> &'static str {
        "nobody"
    }

    async fn publish(&self, view: &View, _: Option<&MessageRef>) -> Result<MessageRef, Undelivered> {
        let (through, id) = ("nobody".to_owned(), view.incident.to_string());
        Ok(MessageRef { through, channel: String::new(), id })
    }

    async fn tell(&self, _: &Notice) -> Result<(), Undelivered> {
        Ok(())
    }
}

#[async_trait]
impl Pager for Nobody {
    fn name(&self) -> &'static str {
        "nobody"
    }

    async fn page(&self, _: &IncidentId, _: &str, _: &str) -> Result<(), Undelivered> {
        Ok(())
    }
}
