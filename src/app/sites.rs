//! The clusters that belay looks after, and whose an alert is: by its labels alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::domain::action::job::Templates;
use crate::domain::alert::Alert;
use crate::domain::ids::Cluster;
use crate::domain::measure::Measures;
use crate::investigate::Mind;
use crate::ports::actions::Actions;
use crate::ports::brief::Brief;
use crate::ports::reads::{Alerts, Listing, Metrics, Reads};
use crate::servers::map;

use super::effects::NotNow;
use super::{Daemon, Recorder};
use super::{fleet, watch};

/// The name under which alerts are kept that are no cluster's; `?` is part of no cluster's name.
const NOBODYS: &str = "?";

/// What belay has of one cluster.
#[derive(Clone)]
pub struct Site {
    /// Its name; targets, records and limits carry it.
    pub cluster: Cluster,
    /// The labels by which an alert is this cluster's; none: every alert is.
    pub labels: BTreeMap<String, String>,
    /// The namespaces that belay may act in; how they are as a whole is a fact of policy.
    pub namespaces: Vec<String>,
    /// The eyes.
    pub reads: Arc<dyn Reads>,
    /// Plain reads, for what looks around; without them the steps of runbooks are not looked at.
    pub listing: Option<Arc<dyn Listing>>,
    /// Alertmanager's own list, where it is configured.
    pub alerts: Option<Arc<dyn Alerts>>,
    /// Measurements, where they are configured.
    pub metrics: Option<Arc<dyn Metrics>>,
    /// What the logs say of a workload, where a store of them is configured.
    pub logged: Option<Arc<dyn Brief>>,
    /// What grants may measure.
    pub measures: Arc<Measures>,
    /// The hands.
    pub actions: Arc<dyn Actions>,
    /// The jobs that somebody declared for it.
    pub jobs: Arc<Templates>,
    /// What was recorded of it, where anything is.
    pub recorder: Option<Arc<Recorder>>,
    /// Who calls whom in it, where anything says so and no server of others is asked instead.
    pub map: Option<map::Sources>,
    /// The model with its tools for this cluster, where one is configured.
    pub mind: Option<Mind>,
}

/// A site with what was seen of it last.
pub(super) struct Kept {
    pub(super) site: Site,
    pub(super) watch: watch::Watch,
    pub(super) fleet: fleet::Counted,
    /// Whether it is the first: what was seen of it goes by no name of a cluster in the journal, as when
    /// there was only one.
    pub(super) first: bool,
}

/// All of them, the first one first.
pub struct Sites(Vec<Kept>);

impl Sites {
    /// These clusters.
    pub fn new(sites: impl IntoIterator<Item = Site>) -> Self {
        let kept = |(number, site)| Kept {
            site,
            watch: Mutex::default(),
            fleet: Mutex::default(),
            first: number == 0,
        };
        Self(sites.into_iter().enumerate().map(kept).collect())
    }

    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = &Site> {
        self.0.iter().map(|kept| &kept.site)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.0.iter()
    }

    pub(super) fn of(&self, cluster: &Cluster) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.site.cluster == *cluster)
    }

    /// The one cluster whose labels the alert carries, or why there is none.
    pub(super) fn of_alert(&self, alert: &Alert) -> Result<&Kept, String> {
        let has = |(label, value): (&String, &String)| alert.label(label) == Some(value.as_str());
        let mut theirs = self.0.iter().filter(|kept| kept.site.labels.iter().all(has));
        match (theirs.next(), theirs.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err("its labels are those of no cluster that belay looks after".to_owned()),
            (Some(one), Some(other)) => {
                Err(format!("its labels are those of `{}` and of `{}`", one.site.cluster, other.site.cluster))
            }
        }
    }
}

/// The cluster that alerts of no cluster are kept under.
pub(super) fn nobodys() -> Cluster {
    Cluster::new(NOBODYS)
}

impl Daemon {
    /// What belay has of this cluster. One that an incident speaks of may have been taken out of the
    /// configuration since.
    pub(super) fn kept(&self, cluster: &Cluster) -> Result<&Kept, NotNow> {
        let kept = self.ports().sites.of(cluster);
        kept.ok_or_else(|| NotNow(format!("cluster `{cluster}` is not among those that are configured")))
    }

    pub(super) fn site(&self, cluster: &Cluster) -> Result<&Site, NotNow> {
        self.kept(cluster).map(|kept| &kept.site)
    }
}
