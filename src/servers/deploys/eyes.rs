//! The reads behind the tools: the cluster, whoever delivers, and what was recorded, each within its own deadline. What
//! does not answer is named, and the rest is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;

use super::args::{ChangesArgs, HistoryArgs, MOST, PipelineArgs, RollbackArgs};
use super::cluster::Rollouts;
use super::rollback;
use super::views::{ChangeRow, Changes, DeployRow, History, PipelineRow, Pipelines, Rollback};
use crate::domain::cluster::Workload;
use crate::domain::deploy::{Compared, Deploy};
use crate::domain::recorded::back;
use crate::ports::clock::SharedClock;
use crate::ports::deploys::{Delivery, Recorded};
use crate::ports::reads::{Listing, ReadError};
use crate::servers::kit::{Scope, Span, Trouble, did_you_mean, object_name};

/// Changed Deployments of a namespace whose revisions are read: two requests each.
const CHANGED: usize = 20;
/// Deploys of one source whose commits are compared with those before: a request each.
const COMPARED: usize = 3;
/// Runs of one pipeline.
const RUNS: usize = 3;

/// Who delivers which service.
#[derive(Clone, Default)]
pub struct Delivered(Arc<Ways>);

/// By namespace and name, the ways by which it is delivered.
type Ways = BTreeMap<(String, String), Vec<Arc<dyn Delivery>>>;

impl Delivered {
    /// By namespace and name.
    pub fn new(services: BTreeMap<(String, String), Vec<Arc<dyn Delivery>>>) -> Self {
        Self(Arc::new(services))
    }

    fn of(&self, namespace: &str, service: &str) -> &[Arc<dyn Delivery>] {
        self.0.get(&(namespace.to_owned(), service.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Each way of each service: `namespace/name`, and who tells.
    pub fn each(&self) -> impl Iterator<Item = (String, &Arc<dyn Delivery>)> {
        self.0.iter().flat_map(|((namespace, name), ways)| {
            ways.iter().map(move |way| (format!("{namespace}/{name}"), way))
        })
    }

    fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a str, &'a [Arc<dyn Delivery>])> {
        let here = self.0.iter().filter(move |((theirs, _), _)| theirs == namespace);
        here.map(|((_, service), ways)| (service.as_str(), ways.as_slice()))
    }
}

/// What may be looked at, and with what.
#[derive(Clone)]
pub struct Eyes {
    pub(super) listing: Arc<dyn Listing>,
    pub(super) delivered: Delivered,
    pub(super) recorded: Option<Arc<dyn Recorded>>,
    pub(super) clock: SharedClock,
    pub(super) scope: Scope,
}

impl Eyes {
    /// The deploys of a service, of all sources, newest first.
    pub async fn history(&self, args: &HistoryArgs) -> Result<History, Trouble> {
        let HistoryArgs { namespace, service, limit } = args;
        self.checked(namespace, Some(service))?;
        let most = (*limit).clamp(1, MOST) as usize;
        let ways = self.delivered.of(namespace, service);
        let (rollouts, told) = futures::join!(self.rollouts(namespace, service), histories(ways, most));
        let mut missing = Vec::new();
        let (mut deploys, helm, mut more) = match rollouts {
            Ok(rollouts) => (rollouts.deploys(), rollouts.helm(), rollouts.more),
            // who delivers it may still know what the cluster has lost
            Err(trouble) if !ways.is_empty() => {
                missing.push(trouble.to_string());
                (Vec::new(), None, false)
            }
            Err(trouble) => return Err(trouble),
        };
        for told in told {
            match told {
                Ok(told) => deploys.extend(told),
                Err(error) => missing.push(error.to_string()),
            }
        }
        deploys.sort_by_key(|deploy| std::cmp::Reverse(deploy.at));
        more |= deploys.len() > most;
        let deploys = deploys.iter().take(most).map(DeployRow::from).collect();
        Ok(History { namespace: namespace.clone(), service: service.clone(), helm, deploys, more, missing })
    }

    /// What changed in a namespace lately.
    pub async fn changes(&self, args: &ChangesArgs) -> Result<Changes, Trouble> {
        let ChangesArgs { namespace, service, since } = args;
        self.checked(namespace, service.as_deref())?;
        let Span { since, .. } = Span::read(since, None, self.clock.now())?;
        let mut missing = Vec::new();
        let listed = self.listing.deployments(namespace).await?;
        if let Some(service) = service {
            self.there(namespace, service, &listed.items)?;
        }
        let wanted = |name: &str| service.as_ref().is_none_or(|service| service == name);
        let written = |w: &&Workload| wanted(&w.object.named.name) && lately(w, since);
        let lately: Vec<&Workload> = listed.items.iter().filter(written).collect();
        if listed.left_out != Some(0) || lately.len() > CHANGED {
            missing.push(format!(
                "more than the first {CHANGED} of the Deployments that somebody wrote to since then"
            ));
        }
        let rollouts = lately.iter().take(CHANGED).map(|w| self.rollouts_of((*w).clone()));
        let ways: Vec<_> =
            self.delivered.within(namespace).filter(|(name, _)| wanted(name)).take(CHANGED).collect();
        let delivered =
            ways.iter().map(|(name, ways)| async move { (*name, histories(ways, RUNS * 2).await) });
        let (rollouts, delivered) = futures::join!(join_all(rollouts), join_all(delivered));
        let mut found: Vec<(Timestamp, ChangeRow)> = Vec::new();
        let mut take = |name: &str, deploy: &Deploy| {
            let at = deploy.at.filter(|at| *at >= since);
            found.extend(at.map(|at| (at, ChangeRow::deploy(name, deploy, at))));
        };
        for (workload, rollouts) in lately.iter().zip(rollouts) {
            match rollouts {
                Ok(rollouts) => rollouts.deploys().iter().for_each(|d| take(&workload.object.named.name, d)),
                Err(error) => missing.push(error.to_string()),
            }
        }
        for (name, told) in delivered {
            for told in told {
                match told {
                    Ok(told) => told.iter().for_each(|deploy| take(name, deploy)),
                    Err(error) => missing.push(error.to_string()),
                }
            }
        }
        match &self.recorded {
            None => missing.push(
                "changes of ConfigMaps and Services: only a running daemon records them, of the namespaces that it \
                 may act in"
                    .to_owned(),
            ),
            Some(recorded) => {
                missing.extend(recorded.unwatched(namespace));
                let told = recorded.changes(namespace, since);
                found.extend(told.iter().map(|change| (change.at, ChangeRow::config(change))));
            }
        }
        found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let left_out = found.len().saturating_sub(MOST as usize) as u64;
        let changes = found.into_iter().take(MOST as usize).map(|(_, row)| row).collect();
        Ok(Changes { namespace: namespace.clone(), since: since.to_string(), changes, left_out, missing })
    }

    /// How the pipelines of a service stand, and whether there is a way back.
    pub async fn pipelines(&self, args: &PipelineArgs) -> Result<Pipelines, Trouble> {
        let PipelineArgs { namespace, service } = args;
        self.checked(namespace, Some(service))?;
        let ways = self.delivered.of(namespace, service);
        let told = join_all(ways.iter().map(|way| way.pipelines(RUNS)));
        let (rollouts, told) = futures::join!(self.rollouts(namespace, service), told);
        let mut missing = Vec::new();
        let rollback = match rollouts {
            Ok(rollouts) => available(&rollouts),
            Err(trouble @ (Trouble::NotFound { .. } | Trouble::NotAllowed { .. })) => return Err(trouble),
            Err(trouble) => {
                missing.push(trouble.to_string());
                "not known".to_owned()
            }
        };
        let mut pipelines = Vec::new();
        for told in told {
            match told {
                Ok(told) => pipelines.extend(told.iter().map(PipelineRow::from)),
                Err(error) => missing.push(error.to_string()),
            }
        }
        if ways.is_empty() {
            missing.push(format!(
                "no pipeline: `deploys.services` of the configuration names none for `{namespace}/{service}`"
            ));
        }
        Ok(Pipelines { namespace: namespace.clone(), service: service.clone(), pipelines, rollback, missing })
    }

    /// What a rollback would be.
    pub async fn rollback(&self, args: &RollbackArgs) -> Result<Rollback, Trouble> {
        let RollbackArgs { namespace, service, to_revision } = args;
        self.checked(namespace, Some(service))?;
        rollback::plan(&self.rollouts(namespace, service).await?, *to_revision)
    }

    fn checked(&self, namespace: &str, service: Option<&str>) -> Result<(), Trouble> {
        self.scope.check(namespace)?;
        service.map_or(Ok(()), |service| object_name(service, "a deployment"))
    }

    #[expect(clippy::unused_self, reason = "reads better beside the others")]
    fn there<'a>(
        &self,
        namespace: &str,
        service: &str,
        all: &'a [Workload],
    ) -> Result<&'a Workload, Trouble> {
        let found = all.iter().find(|one| one.object.named.name == service);
        found.ok_or_else(|| {
            let hint = did_you_mean(service, all.iter().map(|one| one.object.named.name.as_str()));
            Trouble::NotFound {
                what: format!("deployment `{service}`"),
                namespace: namespace.to_owned(),
                hint,
            }
        })
    }

    async fn rollouts(&self, namespace: &str, service: &str) -> Result<Rollouts, Trouble> {
        let listed = self.listing.deployments(namespace).await?;
        let workload = self.there(namespace, service, &listed.items)?.clone();
        Ok(self.rollouts_of(workload).await?)
    }

    async fn rollouts_of(&self, workload: Workload) -> Result<Rollouts, ReadError> {
        let named = &workload.object.named;
        let listed = self.listing.revisions(&named.namespace, &named.name).await?;
        let known = self.recorded.as_ref().and_then(|it| it.workload(&workload.object, self.clock.now()));
        let more = listed.left_out != Some(0);
        Ok(Rollouts { workload, revisions: listed.items, more, known })
    }
}

/// Whether somebody wrote its spec since then, or nobody says when it was written.
fn lately(workload: &Workload, since: Timestamp) -> bool {
    let written = workload.writers.iter().map(|writer| writer.at);
    workload.writers.is_empty() || written.into_iter().any(|at| at.is_none_or(|at| at >= since))
}

/// Whether there is a way back.
fn available(rollouts: &Rollouts) -> String {
    let older = rollouts.revisions.get(1..).unwrap_or_default();
    match (older.len(), back(rollouts.known.as_ref(), older)) {
        (0, _) => "there is no earlier revision".to_owned(),
        (_, Some(to)) => format!("revision {} worked; see `plan_rollback`", to.revision),
        (n, None) => {
            format!("{n} earlier revisions, none of which is known to have worked; see `plan_rollback`")
        }
    }
}

/// What each of these tells, the newest deploys with what lies between their commits.
async fn histories(ways: &[Arc<dyn Delivery>], most: usize) -> Vec<Result<Vec<Deploy>, ReadError>> {
    join_all(ways.iter().map(|way| async move {
        let mut deploys = way.history(most).await?;
        let commits: Vec<Option<String>> = deploys.iter().map(|deploy| deploy.commit.clone()).collect();
        let pairs = commits.iter().zip(commits.iter().skip(1)).take(COMPARED);
        let compared = join_all(pairs.map(|pair| async move {
            match pair {
                (Some(head), Some(base)) if head != base => way.compare(base, head).await.ok().flatten(),
                _ => None,
            }
        }));
        for (deploy, compared) in deploys.iter_mut().zip(compared.await) {
            deploy.changes.extend(compared.map(Compared::words));
        }
        Ok(deploys)
    }))
    .await
}
