//! The declared templates of one action server or daemon: read once, each name once, within its limits.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rights::{self, Right};
use super::super::{Action, ActionKind};
use super::template::{Template, WrongTemplate};
use crate::domain::plan::Refusal;
use crate::domain::target::Kind;

/// What a job can be about: what lives in a namespace and what belay reads.
pub(super) const ABOUT: [Kind; 9] = [
    Kind::Pod,
    Kind::ReplicaSet,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::CronJob,
    Kind::PersistentVolumeClaim,
    Kind::Service,
];

/// Where jobs may be run.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The namespaces in which anything is done.
    pub namespaces: &'a BTreeSet<String>,
    /// Where belay itself runs.
    pub own_namespace: &'a str,
    /// What belay stands on, with why.
    pub protected: &'a BTreeMap<String, String>,
}

/// All templates, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates(BTreeMap<String, Template>);

impl Templates {
    /// These templates, each with the name of its file.
    pub fn new(read: Vec<(String, Template)>, rules: Rules<'_>) -> Result<Self, WrongTemplate> {
        let mut all: BTreeMap<String, Template> = BTreeMap::new();
        for (file, template) in read {
            let name = template.name().to_owned();
            let wrong = |why: String| WrongTemplate { file: file.clone(), why };
            template.check().map_err(wrong)?;
            rules.admit(&template).map_err(wrong)?;
            template.hash().map_err(|e| wrong(e.to_string()))?;
            if all.contains_key(&name) {
                return Err(wrong(format!("another file has a template of the name `{name}`, too")));
            }
            all.insert(name, template);
        }
        Ok(Self(all))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.values()
    }

    /// The template of this action: by name, by hash, with the class that it declares, for parameters that it
    /// lets be chosen, on what it may be about.
    pub fn find(&self, action: &Action) -> Result<&Template, Refusal> {
        let limit = |why: String| Err(Refusal::Limit(why));
        let Action::RunJob { about, template: name, parameters, declared, hash } = action else {
            return limit("the plan is not one of `run_job`".to_owned());
        };
        let Some(template) = self.0.get(name) else {
            return limit(format!("it knows no job template `{name}`"));
        };
        let own = template.hash()?;
        if own != *hash {
            return limit(format!(
                "its text of job template `{name}` is another one: `{}`, and not `{}`",
                own.short(),
                hash.short()
            ));
        }
        if template.class() != *declared {
            return limit(format!("job template `{name}` declares another class"));
        }
        if !template.spec.when.kinds.contains(&about.named.kind) {
            return limit(format!("job template `{name}` is not about a {}", about.named.kind));
        }
        match template.spec.parameters.admit(parameters) {
            Ok(()) => Ok(template),
            Err(why) => limit(format!("job template `{name}`: {why}")),
        }
    }

    /// What running them takes in this namespace: making and reading Jobs where they are run, and reading what
    /// they are about, with the controllers above it, wherever anything is done.
    pub fn needs(&self, namespace: &str) -> BTreeSet<Right> {
        let mut needs: BTreeSet<Right> = self
            .iter()
            .flat_map(|template| &template.spec.when.kinds)
            .flat_map(|kind| rights::reading(*kind))
            .copied()
            .collect();
        if self.iter().any(|template| template.spec.namespace == namespace) {
            needs.extend(rights::needed(ActionKind::RunJob));
        }
        needs
    }

    /// The namespaces and service accounts as which they are run.
    pub fn places(&self) -> BTreeSet<(String, String)> {
        let place =
            |template: &Template| (template.spec.namespace.clone(), template.spec.service_account.clone());
        self.iter().map(place).collect()
    }
}

impl Rules<'_> {
    /// Where it is run is a place like any other in which belay acts.
    fn admit(&self, template: &Template) -> Result<(), String> {
        let namespace = &template.spec.namespace;
        if namespace == self.own_namespace {
            return Err(format!("namespace `{namespace}` is belay's own"));
        }
        if let Some(why) = self.protected.get(namespace) {
            return Err(format!("namespace `{namespace}` is protected: {why}"));
        }
        if !self.namespaces.contains(namespace) {
            return Err(format!("namespace `{namespace}` is not one of `limits.namespaces`"));
        }
        Ok(())
    }
}
