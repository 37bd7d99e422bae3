//! Reads at a bounded pace: a caller that asks without end costs the API server no more than a person's dashboard.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::cluster::{Event, LogTail, Pod, Revision, Workload};
use crate::domain::inventory::{ContainerUse, Keeper, KeptTemplate, Kind, Row};
use crate::domain::rate::{Rate, Rates};
use crate::ports::clock::SharedClock;
use crate::ports::inventory::{Found, Inventory};
use crate::ports::reads::{Listed, Listing, LogQuery, ReadError, Stretch, StretchQuery};

/// Five a second, which is what Kubernetes' own clients keep to; and at once all that five investigations may read.
const PACE: Rate = Rate { per_minute: 300, burst: 120 };

/// Another's reads, at that pace. One for each caller: the investigations of a cluster are one, a client that started
/// this server is another.
pub struct Paced<T: ?Sized> {
    inner: Arc<T>,
    clock: SharedClock,
    rates: Arc<Mutex<Rates<()>>>,
}

impl<T: ?Sized> Paced<T> {
    /// These reads, at a bounded pace.
    pub fn new(inner: Arc<T>, clock: SharedClock) -> Self {
        Self { inner, clock, rates: Arc::new(Mutex::new(Rates::new(PACE, 1))) }
    }

    /// Other reads of the same caller: both together keep to the pace.
    pub fn beside<U: ?Sized>(&self, inner: Arc<U>) -> Paced<U> {
        Paced { inner, clock: Arc::clone(&self.clock), rates: Arc::clone(&self.rates) }
    }

    fn take(&self, what: &str) -> Result<(), ReadError> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rates.take((), self.clock.now());
        taken.map_err(|e| ReadError::Failed { what: what.to_owned(), why: e.to_string() })
    }
}

#[async_trait]
impl<T: Listing + ?Sized> Listing for Paced<T> {
    async fn pods(&self, namespace: &str) -> Result<Listed<Pod>, ReadError> {
        self.take("pods")?;
        self.inner.pods(namespace).await
    }

    async fn deployments(&self, namespace: &str) -> Result<Listed<Workload>, ReadError> {
        self.take("deployments")?;
        self.inner.deployments(namespace).await
    }

    async fn events(&self, namespace: &str) -> Result<Listed<Event>, ReadError> {
        self.take("events")?;
        self.inner.events(namespace).await
    }

    async fn revisions(&self, namespace: &str, deployment: &str) -> Result<Listed<Revision>, ReadError> {
        self.take("revisions")?;
        self.inner.revisions(namespace, deployment).await
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        self.take("a log")?;
        self.inner.log(query).await
    }

    async fn stretch(&self, query: &StretchQuery) -> Result<Stretch, ReadError> {
        self.take("a log")?;
        self.inner.stretch(query).await
    }
}

#[async_trait]
impl<T: Inventory + ?Sized> Inventory for Paced<T> {
    async fn objects(
        &self,
        kind: Kind,
        namespace: &str,
        after: Option<&str>,
    ) -> Result<Found<Row>, ReadError> {
        self.take(kind.name())?;
        self.inner.objects(kind, namespace, after).await
    }

    async fn nodes(&self, after: Option<&str>) -> Result<Found<Row>, ReadError> {
        self.take("nodes")?;
        self.inner.nodes(after).await
    }

    async fn usage(&self, namespace: &str) -> Result<Found<ContainerUse>, ReadError> {
        self.take("measured use")?;
        self.inner.usage(namespace).await
    }

    async fn templates(
        &self,
        keeper: Keeper,
        namespace: &str,
        name: &str,
    ) -> Result<Listed<KeptTemplate>, ReadError> {
        self.take("revisions")?;
        self.inner.templates(keeper, namespace, name).await
    }
}
