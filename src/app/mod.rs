//! The composition root: what is decided elsewhere is carried out here. `Daemon` owns the ports and the
//! loops over them; handles to it are what the HTTP server, the admin socket and the demo hold.

mod acts;
pub mod admin;
mod apart;
pub mod build;
pub mod checkup;
mod desk;
mod effects;
mod facts;
mod fleet;
mod forges;
mod former;
mod hands;
mod incidents;
mod intake;
mod keys;
mod loops;
pub mod policies;
mod query;
mod reconcile;
mod recorded;
mod recorder;
mod sites;
mod story;
mod track;
pub mod undo;
mod watch;
mod work;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::execute::Signer;
use crate::policy::PolicySet;
use crate::ports::clock::SharedClock;
use crate::ports::messenger::{Messenger, Pager};
use crate::ports::store::Store;
use crate::telemetry::Metrics;

pub use apart::Apart;
pub use incidents::{Fed, FeedError};
pub use intake::{Receipt, ReceiveError};
pub use query::{Summary, Unclear};
pub use recorder::Recorder;
pub use sites::{Site, Sites};
pub use track::{GrantStanding, TrackAsk, Tracks};
pub use watch::armed;
pub use work::Job;

/// The streams that are no incidents.
const OWN_STREAMS: [&str; 4] = ["daemon", "intake", "acts", "brakes"];

/// The ports that the daemon works through.
pub struct Ports {
    /// Time.
    pub clock: SharedClock,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// The clusters.
    pub sites: Sites,
    /// Where the action servers run: how far a policy may go depends on it.
    pub apart: Apart,
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
