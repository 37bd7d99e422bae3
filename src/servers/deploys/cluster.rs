//! Deploys as the cluster itself tells of them: the revisions of a Deployment, whether the newest works, and which Helm
//! release it is of.

use jiff::{SignedDuration, Timestamp};

use crate::domain::cluster::{Revision, Workload};
use crate::domain::deploy::{self, Deploy, Outcome, Source};
use crate::domain::recorded::{WorkloadHistory, never};

/// Who wrote the spec this close to the birth of a revision wrote the revision: its controller answers within seconds.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(60);

/// A Deployment with its revisions, newest first, and what was recorded of it.
#[derive(Debug, Clone)]
pub struct Rollouts {
    /// The Deployment.
    pub workload: Workload,
    /// Its revisions, newest first.
    pub revisions: Vec<Revision>,
    /// Whether there are more than were read.
    pub more: bool,
    /// What was recorded of it.
    pub known: Option<WorkloadHistory>,
}

impl Rollouts {
    /// Each revision as a deploy, with how it differs from the one before.
    pub fn deploys(&self) -> Vec<Deploy> {
        let older = self.revisions.iter().skip(1).map(Some).chain(std::iter::once(None));
        self.revisions
            .iter()
            .zip(older)
            .enumerate()
            .map(|(place, (r, older))| self.deploy(place, r, older))
            .collect()
    }

    fn deploy(&self, place: usize, revision: &Revision, older: Option<&Revision>) -> Deploy {
        let differs = older.map(|older| differs(older, revision)).unwrap_or_default();
        Deploy {
            source: Source::Kubernetes,
            name: format!("revision {}", revision.revision),
            at: revision.created,
            by: self.writer(revision.created),
            what: revision.images.iter().map(|image| deploy::name(image)).collect(),
            commit: None,
            outcome: if place == 0 { self.present() } else { self.former(revision) },
            note: revision.change_cause.as_deref().and_then(deploy::message),
            changes: differs,
        }
    }

    /// The field manager that wrote the spec when the revision came to be; known of the latest writes only.
    fn writer(&self, created: Option<Timestamp>) -> Option<String> {
        let created = created?;
        let near = |at: Timestamp| created.duration_since(at).abs() <= AT_ONCE;
        let writer = self.workload.writers.iter().rev().find(|writer| writer.at.is_some_and(near))?;
        Some(deploy::name(&writer.manager))
    }

    /// How the newest revision fares.
    fn present(&self) -> Outcome {
        let Workload { desired, ready, updated, conditions, .. } = &self.workload;
        let reason = conditions.iter().find(|c| c.name == "Progressing").map(|c| c.reason.as_str());
        match reason {
            Some("ProgressDeadlineExceeded") => Outcome::Failed,
            Some("DeploymentPaused") => Outcome::Waiting,
            _ if updated >= desired && ready >= desired => Outcome::Succeeded,
            Some("NewReplicaSetAvailable") => Outcome::Succeeded,
            _ => Outcome::Running,
        }
    }

    /// How an earlier one fared, as far as anybody watched.
    fn former(&self, revision: &Revision) -> Outcome {
        let Some(known) = &self.known else { return Outcome::Replaced };
        let worked = known.healthy.iter().any(|healthy| healthy.revision == Some(revision.revision));
        match (worked, never(known, revision)) {
            (true, _) => Outcome::Succeeded,
            (false, true) => Outcome::Failed,
            (false, false) => Outcome::Replaced,
        }
    }

    /// Whether somebody stopped its rollout.
    pub fn is_paused(&self) -> bool {
        self.workload.conditions.iter().any(|c| c.name == "Progressing" && c.reason == "DeploymentPaused")
    }

    /// What Helm writes on what it installs: release, chart and version; never what it keeps in Secrets.
    pub fn helm(&self) -> Option<String> {
        let Workload { labels, annotations, .. } = &self.workload;
        let chart = labels.get("helm.sh/chart").map(|chart| format!("chart `{}`", deploy::name(chart)));
        let release = annotations.get("meta.helm.sh/release-name");
        let release = release.map(|release| format!("release `{}`", deploy::name(release)));
        let told: Vec<String> = [release, chart].into_iter().flatten().collect();
        let version = labels.get("app.kubernetes.io/version");
        let version = version.map_or_else(String::new, |it| format!(", version `{}`", deploy::name(it)));
        (!told.is_empty()).then(|| format!("Helm {}{version}", told.join(", ")))
    }
}

/// What lies between two revisions of one list.
pub fn differs(older: &Revision, newer: &Revision) -> Vec<String> {
    match (&older.template, &newer.template) {
        (Some(old), Some(new)) => deploy::changes(old, new),
        // a read server of an earlier version tells no templates
        (None, _) | (_, None) if older.images == newer.images => Vec::new(),
        (None, _) | (_, None) => {
            let images =
                |r: &Revision| r.images.iter().map(|i| deploy::name(i)).collect::<Vec<_>>().join(", ");
            vec![format!("images: {} to {}", images(older), images(newer))]
        }
    }
}
