//! Which jobs are candidates for an alert: from its authenticated labels and the name of what it is about, and
//! from nothing that is read later.

use std::collections::BTreeMap;

use super::super::Action;
use super::template::{Part, Source, Template};
use super::templates::Templates;
use crate::domain::alert::Labels;
use crate::domain::target::{Object, RootOwner};

impl Templates {
    /// The jobs that are declared for an alert with these labels about this object. One whose parameters cannot
    /// be had, or are none that its schema lets be, is not offered.
    pub fn offers(&self, labels: &Labels, target: &Object, owner: &RootOwner) -> Vec<Action> {
        self.iter().filter_map(|template| offer(template, labels, target, owner)).collect()
    }
}

fn offer(template: &Template, labels: &Labels, target: &Object, owner: &RootOwner) -> Option<Action> {
    let is_meant = |object: &&Object| template.spec.when.kinds.contains(&object.named.kind);
    let about = [target, &owner.0].into_iter().find(is_meant).filter(|_| template.is_for(labels))?;
    let mut parameters = BTreeMap::new();
    for (name, source) in &template.spec.bind {
        let value = match source {
            Source::Label(label) => labels.get(label).cloned(),
            Source::Target(part) => Some(part_of(about, *part)),
            Source::Value(text) => Some(text.clone()),
        };
        // a label that is not there is the empty text, and that one that is not there
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            parameters.insert(name.clone(), value);
        }
    }
    template.spec.parameters.admit(&parameters).ok()?;
    Some(Action::RunJob {
        about: about.clone(),
        template: template.name().to_owned(),
        parameters,
        declared: template.class(),
        hash: template.hash().ok()?,
    })
}

fn part_of(about: &Object, part: Part) -> String {
    match part {
        Part::Name => about.named.name.clone(),
        Part::Namespace => about.named.namespace.clone(),
        Part::Kind => about.named.kind.name().to_owned(),
    }
}
