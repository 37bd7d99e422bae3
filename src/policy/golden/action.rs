//! The `action` of a golden input: a kind of the catalogue with the parameters of that kind, on the target.

use std::collections::BTreeMap;

use super::super::problem::meant;
use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use crate::domain::action::Restore;
use crate::domain::action::{
    Action, ActionKind, Class, HpaBounds, Resource, ResourceStep, Reversibility, Risk, TemplateHash,
};
use crate::domain::canonical::Hash;
use crate::domain::target::Object;

/// Every key that some action has.
const KEYS: [&str; 13] = [
    "kind",
    "replicas",
    "template",
    "min",
    "max",
    "container",
    "resource",
    "from",
    "to",
    "version",
    "insteadOf",
    "parameters",
    "declares",
];

/// The keys of this kind, besides `kind`.
const fn keys(kind: ActionKind) -> &'static [&'static str] {
    match kind {
        ActionKind::ScaleWorkload => &["replicas"],
        ActionKind::RollbackWorkload => &["template"],
        ActionKind::SetHpaBounds => &["min", "max"],
        ActionKind::SetResources => &["container", "resource", "from", "to"],
        ActionKind::RestoreConfig => &["version"],
        ActionKind::OpenPullRequest => &["insteadOf"],
        ActionKind::RunJob => &["template", "parameters", "declares"],
        ActionKind::RestartPod
        | ActionKind::RestartWorkload
        | ActionKind::PauseRollout
        | ActionKind::ResumeRollout
        | ActionKind::SuspendCronjob
        | ActionKind::ResumeCronjob
        | ActionKind::CordonNode
        | ActionKind::UncordonNode => &[],
    }
}

/// Reads it.
pub(super) fn action(reader: &mut Reader<'_>, node: &Node, target: &Object) -> Option<Action> {
    let fields = reader.fields(node, "action", &KEYS, &[])?;
    let words = ActionKind::ALL.map(|kind| (kind.name(), kind));
    let kind = fields.need(reader, "kind")?;
    let kind = reader.word(kind, "an action", &words)?;
    for (key, _) in fields.entries() {
        if key.text != "kind" && KEYS.contains(&key.text.as_str()) && !keys(kind).contains(&key.text.as_str())
        {
            let message = format!("`{}` is no parameter of `{}`", key.text, kind.name());
            reader.wrong(key.at, message, Some(meant(&key.text, keys(kind))));
        }
    }
    let on = target.clone();
    Some(match kind {
        ActionKind::RestartPod => Action::RestartPod { pod: on },
        ActionKind::RestartWorkload => Action::RestartWorkload { workload: on },
        ActionKind::ScaleWorkload => {
            Action::ScaleWorkload { workload: on, replicas: count(reader, &fields, "replicas")? }
        }
        ActionKind::RollbackWorkload => {
            Action::RollbackWorkload { workload: on, template: template(reader, &fields)? }
        }
        ActionKind::PauseRollout => Action::PauseRollout { workload: on },
        ActionKind::ResumeRollout => Action::ResumeRollout { workload: on },
        ActionKind::SuspendCronjob => Action::SuspendCronjob { cronjob: on },
        ActionKind::ResumeCronjob => Action::ResumeCronjob { cronjob: on },
        ActionKind::SetHpaBounds => {
            Action::SetHpaBounds { autoscaler: on, bounds: bounds(reader, node, &fields)? }
        }
        ActionKind::SetResources => Action::SetResources {
            workload: on,
            container: text(reader, &fields, "container")?,
            step: step(reader, node, &fields)?,
        },
        ActionKind::CordonNode => Action::CordonNode { node: on },
        ActionKind::UncordonNode => Action::UncordonNode { node: on },
        ActionKind::RestoreConfig => {
            let version = count(reader, &fields, "version")?.into();
            Action::RestoreConfig { config: on, version, restore: Restore::default() }
        }
        ActionKind::OpenPullRequest => proposal(reader, &fields, target)?,
        ActionKind::RunJob => job(reader, &fields, on)?,
    })
}

fn count(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<u32> {
    let node = fields.need(reader, key)?;
    reader.count(node, 0..=u32::MAX)
}

fn text(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let node = fields.need(reader, key)?;
    reader.text(node)
}

fn template(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<TemplateHash> {
    let node = fields.need(reader, "template")?;
    let text = reader.text(node)?;
    TemplateHash::try_from(text).map_err(|why| reader.wrong(node.at, why, None)).ok()
}

fn bounds(reader: &mut Reader<'_>, node: &Node, fields: &Fields<'_>) -> Option<HpaBounds> {
    let (min, max) = (count(reader, fields, "min")?, count(reader, fields, "max")?);
    let bounds = HpaBounds::new(min, max);
    if bounds.is_none() {
        reader.wrong(node.at, format!("no autoscaler has the bounds {min} to {max}"), None);
    }
    bounds
}

fn step(reader: &mut Reader<'_>, node: &Node, fields: &Fields<'_>) -> Option<ResourceStep> {
    let words = [Resource::Cpu, Resource::Memory].map(|resource| (resource.name(), resource));
    let resource = fields.need(reader, "resource")?;
    let resource = reader.word(resource, "a resource", &words)?;
    let (from, to) = (count(reader, fields, "from")?, count(reader, fields, "to")?);
    let step = ResourceStep::new(resource, from.into(), to.into());
    if step.is_none() {
        let help = "`cpu` counts in thousandths of a core, `memory` in mebibytes".to_owned();
        reader.wrong(
            node.at,
            format!("from {from} to {to} is no step up of at most half as much again"),
            Some(help),
        );
    }
    step
}

fn proposal(reader: &mut Reader<'_>, fields: &Fields<'_>, target: &Object) -> Option<Action> {
    let node = fields.need(reader, "insteadOf")?;
    match action(reader, node, target)? {
        Action::OpenPullRequest { .. } => {
            reader.wrong(node.at, "a pull request stands for another action, not for a pull request", None);
            None
        }
        other => Some(Action::OpenPullRequest { instead_of: Box::new(other) }),
    }
}

fn job(reader: &mut Reader<'_>, fields: &Fields<'_>, about: Object) -> Option<Action> {
    let template = text(reader, fields, "template")?;
    let mut parameters = BTreeMap::new();
    if let Some(map) = fields.get("parameters").and_then(|node| reader.map(node, "parameters")) {
        for (key, node) in map.entries() {
            parameters.insert(key.text.clone(), reader.text(node)?);
        }
    }
    let declared = match fields.get("declares") {
        Some(node) => declared(reader, node)?,
        None => ActionKind::RunJob.class(),
    };
    // a golden input is never carried out: no text of the template is behind it
    let hash = Hash::of(template.as_bytes());
    Some(Action::RunJob { about, template, parameters, declared, hash })
}

/// The class that a template declares.
fn declared(reader: &mut Reader<'_>, node: &Node) -> Option<Class> {
    let fields = reader.fields(node, "declares", &["undo", "risk"], &[])?;
    let undos =
        [Reversibility::Exact, Reversibility::SelfHealing, Reversibility::SideEffects, Reversibility::None];
    let undos = undos.map(|undo| (undo.name(), undo));
    let risks = [Risk::Low, Risk::Medium, Risk::High].map(|risk| (risk.name(), risk));
    let undo = fields.need(reader, "undo")?;
    let risk = fields.need(reader, "risk")?;
    Some(Class {
        undo: reader.word(undo, "what can be put back", &undos)?,
        risk: reader.word(risk, "a risk", &risks)?,
    })
}
