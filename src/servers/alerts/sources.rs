//! What the tools ask, as far as it is there, and the namespace that they are held to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::roster::Roster;
use crate::ports::alerting::{Firing, Paging, Router, Rules};
use crate::ports::clock::SharedClock;
use crate::ports::reads::Metrics;
use crate::servers::kit::{Scope, Trouble};

/// What of the paging service belongs to a namespace, by its ids there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Services.
    pub services: Vec<String>,
    /// Schedules.
    pub schedules: Vec<String>,
}

/// A paging service, and what of it belongs to which namespace; `*` is every one that is not named.
#[derive(Clone)]
pub struct Pager {
    /// The service.
    pub paging: Arc<dyn Paging>,
    /// What of it is whose.
    pub namespaces: Arc<BTreeMap<String, Mapped>>,
}

/// What the server asks: each where it is configured.
#[derive(Clone)]
pub struct Sources {
    /// Measurements.
    pub metrics: Option<Arc<dyn Metrics>>,
    /// The rules behind alerts.
    pub rules: Option<Arc<dyn Rules>>,
    /// Alertmanager.
    pub router: Option<Arc<dyn Router>>,
    /// PagerDuty.
    pub pager: Option<Pager>,
    /// The file with rotations.
    pub roster: Option<Arc<Roster>>,
    /// What time it is.
    pub clock: SharedClock,
}

/// The sources, and what may be looked at.
#[derive(Clone)]
pub struct Eyes {
    pub(super) sources: Sources,
    pub(super) scope: Scope,
}

/// That a part of the configuration is needed for this.
pub(super) fn lacks(key: &'static str, what: &str) -> Trouble {
    Trouble::Argument(format!("{what} cannot be told: the configuration has no `{key}`"))
}

impl Eyes {
    /// Asks these, within `scope`.
    pub fn new(sources: Sources, scope: Scope) -> Self {
        Self { sources, scope }
    }

    /// Everything that fires in a namespace: by Alertmanager, which knows what is silenced, or by the rules themselves.
    pub(super) async fn firing(&self, namespace: &str) -> Result<Vec<Firing>, Trouble> {
        let all = match (&self.sources.router, &self.sources.rules) {
            (Some(router), _) => router.firing().await?,
            (None, Some(rules)) => rules.rules().await?.into_iter().flat_map(|rule| rule.firing).collect(),
            (None, None) => return Err(lacks("alertmanager", "what fires")),
        };
        Ok(all
            .into_iter()
            .filter(|alert| alert.labels.get("namespace").is_some_and(|n| n == namespace))
            .collect())
    }

    /// What of the paging service belongs to a namespace.
    pub(super) fn mapped(&self, namespace: &str, what: &str) -> Result<(&Arc<dyn Paging>, &Mapped), Trouble> {
        let pager = self.sources.pager.as_ref().ok_or_else(|| lacks("pagerduty", what))?;
        let of = pager.namespaces.get(namespace).or_else(|| pager.namespaces.get("*"));
        let of = of.ok_or_else(|| {
            Trouble::Argument(format!(
                "{what} cannot be told: `pagerduty.namespaces` says nothing about `{namespace}`"
            ))
        })?;
        Ok((&pager.paging, of))
    }
}
