//! The composition root: what is decided elsewhere is carried out here. `Daemon` owns the ports and the
//! loops over them; handles to it are what the HTTP server, the admin socket and the demo hold.

mod accounts;
mod acts;
pub mod admin;
mod apart;
mod brief;
pub mod build;
pub mod checkup;
mod chronicle;
mod desk;
pub mod doctor;
pub mod door;
mod effects;
pub mod eval;
mod facts;
mod fleet;
mod forges;
mod former;
mod gauged;
mod hands;
mod incidents;
pub mod incidents_server;
mod inquiries;
mod intake;
mod investigations;
mod keys;
mod logged;
mod loops;
mod measured;
mod memory;
pub mod models;
pub mod open;
pub mod own;
mod pages;
pub mod policies;
mod query;
mod reconcile;
mod recorded;
mod recorder;
pub mod replay;
pub mod runbooks;
mod sites;
mod story;
mod strangers;
mod track;
pub mod undo;
mod watch;
mod work;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::diagnose::runbooks::Library;
use crate::execute::Signer;
use crate::policy::PolicySet;
use crate::ports::clock::SharedClock;
use crate::ports::messenger::{Messenger, Pager};
use crate::ports::store::Store;
use crate::telemetry::Metrics;

pub use apart::{Apart, Hands};
pub use incidents::{Fed, FeedError};
pub use inquiries::{Inquire, Inquired};
pub use intake::{Receipt, ReceiveError};
pub use query::{Summary, Unclear};
pub use recorder::Recorder;
pub use sites::{Site, Sites};
pub use strangers::Strangers;
pub use track::{GrantStanding, TrackAsk, Tracks};
pub use watch::armed;
pub use work::Job;

/// The streams that are no incidents.
const OWN_STREAMS: [&str; 6] = ["daemon", "intake", "acts", "brakes", "memory", "models"];

/// The ports that the daemon works through.
pub struct Ports {
    /// Time.
    pub clock: SharedClock,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// The clusters.
    pub sites: Sites,
    /// What runs in this process or under its user: how far a policy may go depends on it.
    pub apart: Apart,
    /// The MCP servers of others.
    pub strangers: Strangers,
    /// Where people read and answer.
    pub messenger: Arc<dyn Messenger>,
    /// How people are called.
    pub pager: Arc<dyn Pager>,
}

/// The running daemon's shared part. Cheap to clone.
#[derive(Clone)]
pub struct Daemon {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Ports,
    policies: ArcSwap<PolicySet>,
    signer: Signer,
    metrics: Metrics,
    missing: reconcile::Missing,
    desk: desk::Desk,
    acts: acts::Acts,
    memory: memory::Memory,
    runbooks: ArcSwap<Library>,
    under_way: investigations::UnderWay,
}

impl Daemon {
    /// A daemon over these ports; nothing runs yet.
    pub fn new(ports: Ports, policies: PolicySet, signer: Signer) -> Self {
        let metrics = Metrics::default();
        policies::in_force(&metrics, policies.hash(), ports.clock.now());
        let inner = Inner {
            ports,
            policies: ArcSwap::from_pointee(policies),
            signer,
            metrics,
            missing: reconcile::Missing::default(),
            desk: desk::Desk::default(),
            acts: acts::Acts::default(),
            memory: memory::Memory::default(),
            runbooks: ArcSwap::default(),
            under_way: investigations::UnderWay::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    fn desk(&self) -> &desk::Desk {
        &self.inner.desk
    }

    fn under_way(&self) -> &investigations::UnderWay {
        &self.inner.under_way
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    fn policies(&self) -> Arc<PolicySet> {
        self.inner.policies.load_full()
    }

    fn now(&self) -> jiff::Timestamp {
        self.inner.ports.clock.now()
    }
}

/// 128 bits from the system's generator.
fn entropy() -> u128 {
    // a ULID holds 80 random bits; two of them, apart, fill 128
    (ulid::Ulid::generate().random() << 48) ^ ulid::Ulid::generate().random()
}

/// The daemon's own stream.
fn daemon_stream() -> crate::domain::ids::StreamId {
    crate::domain::ids::StreamId::new("daemon")
}
