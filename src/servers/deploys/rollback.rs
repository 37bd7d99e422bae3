//! A rollback as it would be: to which revision, what that changes, what speaks against it, and how it is proposed.
//! Pure, and nothing is done.

use super::cluster::{Rollouts, differs};
use super::views::{Proposal, Rollback};
use crate::domain::action::ActionKind;
use crate::domain::action::managers::Managers;
use crate::domain::action::rollback_workload::{Between, MIGRATION, TemplateHash, migration, risk};
use crate::domain::cluster::Revision;
use crate::domain::deploy;
use crate::domain::plan::Refusal;
use crate::domain::recorded::back;
use crate::servers::kit::Trouble;

/// The plan; trouble where there is no such revision.
pub fn plan(rollouts: &Rollouts, to: Option<u64>) -> Result<Rollback, Trouble> {
    let named = &rollouts.workload.object.named;
    let Some((running, older)) = rollouts.revisions.split_first() else {
        return Err(Trouble::Argument(format!("deployment `{}` has no revisions yet", named.name)));
    };
    let newest_healthy = back(rollouts.known.as_ref(), older);
    let (target, why) = match to {
        Some(number) => (Some(chosen(rollouts, number)?), "it was asked for".to_owned()),
        None => match newest_healthy {
            Some(target) if target.ready > 0 => {
                (Some(target), "it is the newest that worked, and pods of it serve".to_owned())
            }
            Some(target) => (Some(target), "it is the newest that was seen to work".to_owned()),
            None => (None, none(rollouts, older)),
        },
    };
    let mut rollback = Rollback {
        namespace: named.namespace.clone(),
        service: named.name.clone(),
        running: running.revision,
        to: target.map(|target| target.revision),
        why,
        newest_healthy: newest_healthy.map(|revision| revision.revision),
        changes: Vec::new(),
        migration: said(migration(&rollouts.workload.annotations)),
        risk: None,
        against: Vec::new(),
        notes: Vec::new(),
        proposal: None,
    };
    if let Some(target) = target {
        toward(&mut rollback, rollouts, (running, target));
    }
    Ok(rollback)
}

/// An earlier revision by its number.
fn chosen(rollouts: &Rollouts, number: u64) -> Result<&Revision, Trouble> {
    let found = rollouts.revisions.iter().find(|revision| revision.revision == number);
    found.ok_or_else(|| {
        let there: Vec<String> = rollouts.revisions.iter().map(|r| r.revision.to_string()).collect();
        let name = &rollouts.workload.object.named.name;
        Trouble::Argument(format!(
            "deployment `{name}` has no revision {number}; it has {}",
            there.join(", ")
        ))
    })
}

fn none(rollouts: &Rollouts, older: &[Revision]) -> String {
    match (older, &rollouts.known) {
        ([], _) => "there is no earlier revision".to_owned(),
        (_, Some(_)) => "no earlier revision was seen to work, and none serves".to_owned(),
        (_, None) => {
            "nobody recorded which earlier revision worked, and none serves: name one in `to_revision`"
                .to_owned()
        }
    }
}

/// What going there changes, and what speaks against it.
fn toward(rollback: &mut Rollback, rollouts: &Rollouts, (running, target): (&Revision, &Revision)) {
    let workload = &rollouts.workload;
    rollback.changes = differs(running, target);
    if target.revision == running.revision {
        rollback.against.push("it runs this revision already".to_owned());
    }
    let between = Between { old_serves: target.ready > 0, migration: migration(&workload.annotations) };
    match risk(between) {
        Ok(risk) => rollback.risk = Some(risk.name()),
        Err(refusal) => rollback.against.push(refused(&refusal)),
    }
    if rollouts.is_paused() {
        rollback.against.push("its rollout is paused: a new template would change nothing".to_owned());
    }
    let managers = Managers::of(&workload.labels, &workload.annotations, Vec::new());
    if let Some(who) = managers.who(std::iter::empty()) {
        let why =
            "manages it and would put the change back: open a pull request where the desired state is kept";
        rollback.against.push(format!("{who} {why}"));
    }
    rollback.notes.extend(managers.note().map(|note| deploy::name(&note)));
    if rollback.migration == UNKNOWN {
        rollback.notes.push(format!(
            "nothing in a cluster shows a migration of data: the annotation `{MIGRATION}` (`true` or `false`) would say"
        ));
    }
    rollback.notes.push("the number of replicas is no part of a revision and stays".to_owned());
    if rollback.against.is_empty() {
        rollback.proposal = proposal(rollouts, target);
    }
}

fn proposal(rollouts: &Rollouts, target: &Revision) -> Option<Proposal> {
    let object = &rollouts.workload.object;
    let template = TemplateHash::try_from(target.template_hash.clone()).ok()?;
    Some(Proposal {
        action: ActionKind::RollbackWorkload.name(),
        kind: object.named.kind.name(),
        namespace: object.named.namespace.clone(),
        name: object.named.name.clone(),
        template: template.as_str().to_owned(),
    })
}

fn refused(refusal: &Refusal) -> String {
    refusal.to_string()
}

/// What is answered where nobody says.
const UNKNOWN: &str = "unknown";

fn said(migration: Option<bool>) -> &'static str {
    match migration {
        Some(true) => "yes",
        Some(false) => "no",
        None => UNKNOWN,
    }
}
