//! A job template, as a file says it, and what is refused where it is read.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::super::{Class, Reversibility, Risk};
use super::parameters::Schema;
use super::pod::JobSpec;
use crate::domain::canonical::{self, Hash};
use crate::domain::matchers::Matchers;
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, is_dns_label, is_dns_name};

/// The longest name: the Job's own adds 13 characters for the intent and five for an undo, and has 63 at most.
const LONGEST_NAME: usize = 44;

/// The longest description: what fits into a message beside everything else.
const LONGEST_DESCRIPTION: usize = 200;

/// How long a run may take: no verification waits longer than that, and what ends within seconds still has to
/// have its image pulled.
const TIMEOUT: std::ops::RangeInclusive<SignedDuration> =
    SignedDuration::from_secs(10)..=SignedDuration::from_hours(2);

/// A file of `kind: JobTemplate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Template {
    api_version: ApiVersion,
    kind: TemplateKind,
    metadata: Metadata,
    /// What it says.
    pub spec: Spec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ApiVersion {
    #[serde(rename = "belay.dev/v1")]
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum TemplateKind {
    JobTemplate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

/// What a template says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Spec {
    /// What the job does, for people.
    pub description: String,
    /// When it is offered as a candidate.
    pub when: When,
    /// Where the Job is made.
    pub namespace: String,
    /// As whom its pod runs.
    pub service_account: String,
    /// What may be chosen.
    #[serde(default)]
    pub parameters: Schema,
    /// Where each parameter's value comes from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bind: BTreeMap<String, Source>,
    /// What it is by its nature.
    #[serde(default)]
    pub class: Declared,
    /// How long a run may take.
    pub timeout: SignedDuration,
    /// What is run.
    pub job: JobSpec,
    /// What is run to put it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<JobSpec>,
}

/// When a job is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Alertmanager's matchers; one of these texts must hold as a whole.
    pub alerts: Vec<String>,
    /// The kinds of object that it is about.
    pub kinds: Vec<Kind>,
}

/// Where a value comes from. Nothing that anybody else could have written is among it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// This label of the alert, as the webhook authenticated it.
    Label(String),
    /// A part of the name of what it is about.
    Target(Part),
    /// This text.
    Value(String),
}

/// A part of an object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Name,
    Namespace,
    Kind,
}

/// The class that a template declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declared {
    undo: Reversibility,
    risk: Risk,
}

impl Default for Declared {
    fn default() -> Self {
        let Class { undo, risk } = super::ENTRY.class;
        Self { undo, risk }
    }
}

/// A template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}` is no usable job template: {why}")]
pub struct WrongTemplate {
    /// Its file.
    pub file: String,
    /// Why.
    pub why: String,
}

impl Template {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The name of its text: another text, another hash. Comments and the order of keys are no part of it.
    pub fn hash(&self) -> Result<Hash, Refusal> {
        canonical::hash(self).map_err(|e| Refusal::Limit(format!("job template `{}`: {e}", self.name())))
    }

    /// The class it declares.
    pub const fn class(&self) -> Class {
        let Declared { undo, risk } = self.spec.class;
        Class { undo, risk }
    }

    /// Whether an alert with these labels is one that it is for.
    pub fn is_for(&self, labels: &crate::domain::alert::Labels) -> bool {
        let holds = |text: &String| Matchers::parse(text).is_ok_and(|matchers| matchers.hold(labels));
        self.spec.when.alerts.iter().any(holds)
    }

    /// Refuses what cannot be meant, whatever the server's limits are.
    pub fn check(&self) -> Result<(), String> {
        let Spec {
            description,
            when,
            namespace,
            service_account,
            parameters,
            bind,
            class,
            timeout,
            job,
            undo,
        } = &self.spec;
        let name = self.name();
        if !is_dns_label(name) || name.len() > LONGEST_NAME {
            return Err(format!(
                "`metadata.name`: `{name}` must have at most {LONGEST_NAME} lower-case letters, digits and dashes"
            ));
        }
        let words = description.chars().count();
        if words == 0 || words > LONGEST_DESCRIPTION || description.chars().any(char::is_control) {
            return Err(format!(
                "`description` must be one line of at most {LONGEST_DESCRIPTION} characters"
            ));
        }
        when.check()?;
        if !is_dns_label(namespace) {
            return Err(format!("`namespace`: `{namespace}` is not the name of a namespace"));
        }
        if !is_dns_name(service_account) {
            return Err(format!(
                "`serviceAccount`: `{service_account}` is not the name of a service account"
            ));
        }
        if !TIMEOUT.contains(timeout) {
            let (least, most) = (TIMEOUT.start(), TIMEOUT.end());
            return Err(format!("`timeout` must be from {least:#} to {most:#}"));
        }
        parameters.check()?;
        bound(parameters, bind)?;
        job.check("job")?;
        undo.as_ref().map_or(Ok(()), |undo| undo.check("undo"))?;
        undone(class.undo, undo.is_some())
    }
}

impl When {
    fn check(&self) -> Result<(), String> {
        if self.alerts.is_empty() || self.kinds.is_empty() {
            return Err("`when` must name `alerts` and `kinds`: nothing is offered for everything".to_owned());
        }
        for text in &self.alerts {
            Matchers::parse(text).map_err(|why| format!("`when.alerts`: `{text}`: {why}"))?;
        }
        // what is about a node or a namespace is about everything in it
        let unfit = self.kinds.iter().find(|kind| !super::templates::ABOUT.contains(kind));
        match unfit {
            Some(kind) => Err(format!("`when.kinds`: a job cannot be about a {kind}")),
            None => Ok(()),
        }
    }
}

/// Every parameter has a source, and what an alert says is bounded by more than its length.
fn bound(parameters: &Schema, bind: &BTreeMap<String, Source>) -> Result<(), String> {
    if let Some(name) = bind.keys().find(|name| !parameters.properties.contains_key(*name)) {
        return Err(format!("`bind` has `{name}`, which is no parameter"));
    }
    for (name, property) in &parameters.properties {
        match bind.get(name) {
            None => return Err(format!("`bind` does not say where `{name}` comes from")),
            Some(Source::Label(_)) if !property.bounds() => {
                return Err(format!(
                    "`{name}` comes from a label of the alert: say by `enum` or `pattern` what it may be"
                ));
            }
            Some(Source::Value(value)) => {
                property.admit(value).map_err(|why| format!("`bind.{name}`: the value {why}"))?;
            }
            Some(Source::Label(_) | Source::Target(_)) => {}
        }
    }
    Ok(())
}

fn undone(class: Reversibility, has_undo: bool) -> Result<(), String> {
    let said = class.name();
    match (class, has_undo) {
        (Reversibility::Exact | Reversibility::SideEffects, true) | (Reversibility::None, false) => Ok(()),
        (Reversibility::Exact | Reversibility::SideEffects, false) => {
            Err(format!("`class.undo` is `{said}`, and there is no `undo` to run"))
        }
        (Reversibility::None, true) => Err(
            "there is an `undo`, and `class.undo` does not say what it is worth: `exact` or `side_effects`"
                .to_owned(),
        ),
        (Reversibility::SelfHealing, _) => {
            Err("`class.undo`: no controller heals what a job did: say `exact`, `side_effects` or `none`"
                .to_owned())
        }
    }
}
