//! What is remembered of past incidents, and which of them are like this one: by owner, by signature, by text. A
//! fold over notes of which only the newest are kept; what it says is for people and the model.

pub mod bm25;

use std::collections::{BTreeMap, VecDeque};

use bm25::{Bag, Corpus};

use crate::domain::action::ActionKind;
use crate::domain::alert::{Alert, Labels};
use crate::domain::brief::{About, Point};
use crate::domain::cause::CauseWord;
use crate::domain::finding::Finding;
use crate::domain::ids::IncidentId;
use crate::domain::past::IncidentNote;
use crate::domain::redact;
use crate::domain::signature;
use crate::domain::target::RootOwner;
use crate::domain::track::Became;

/// Incidents that are kept in mind: two years of three a day, and 2 MB.
pub const KEPT: usize = 2_000;
/// Incidents that are told one by one.
const TOLD: usize = 3;
/// How much of what this incident's text could score another one's must: about half of its telling words.
const ALIKE: f64 = 0.5;
/// Text of one incident: a summary and two findings.
const TEXT: usize = 600;
/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// This incident, which is not like itself.
    pub incident: &'a IncidentId,
    /// Its alert.
    pub alert: &'a Alert,
    /// Who answers for it.
    pub owner: &'a RootOwner,
    /// What was found.
    pub findings: &'a [Finding],
}

/// How alike a past incident is. Ordered: the earlier, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The same alert about the same owner.
    SameOwner,
    /// The same alert, kind of owner and cause elsewhere.
    SameSignature,
    /// What is said of it is much alike.
    AlikeText,
}

/// The fold.
#[derive(Debug, Default)]
pub struct Recall {
    notes: VecDeque<(IncidentNote, Bag)>,
    corpus: Corpus,
}

impl Recall {
    /// Takes a note in; it takes the place of an earlier one about the same incident.
    pub fn take(&mut self, note: IncidentNote) {
        if let Some(at) = self.notes.iter().position(|(known, _)| known.incident == note.incident) {
            self.forget(at);
        } else if self.notes.len() >= KEPT {
            self.forget(0);
        }
        let bag = Bag::of(&format!("{} {}", note.alert, note.text));
        self.corpus.add(&bag);
        self.notes.push_back((note, bag));
    }

    fn forget(&mut self, at: usize) {
        if let Some((_, bag)) = self.notes.remove(at) {
            self.corpus.remove(&bag);
        }
    }

    /// What is remembered of this incident.
    pub fn of(&self, incident: &IncidentId) -> Option<&IncidentNote> {
        self.notes.iter().map(|(note, _)| note).find(|note| note.incident == *incident)
    }

    /// The incidents like this one, the most alike first, then the newest.
    pub fn similar(&self, ask: &Ask<'_>) -> Vec<(How, &IncidentNote)> {
        let query = Bag::of(&format!("{} {}", ask.alert.name(), text(ask.alert, ask.findings)));
        let full = self.corpus.score(&query, &query);
        let mut found: Vec<(How, f64, &IncidentNote)> = self
            .notes
            .iter()
            .filter(|(note, _)| note.incident != *ask.incident)
            .filter_map(|(note, bag)| {
                let score = self.corpus.score(&query, bag);
                let alike = full > 0.0 && score >= full * ALIKE;
                how(ask, note).or(alike.then_some(How::AlikeText)).map(|how| (how, score, note))
            })
            .collect();
        found.sort_by(|(how_a, score_a, a), (how_b, score_b, b)| {
            let by_text = score_b.total_cmp(score_a);
            let by_text = if *how_a == How::AlikeText { by_text } else { std::cmp::Ordering::Equal };
            let newest = (b.opened_at, &b.incident).cmp(&(a.opened_at, &a.incident));
            how_a.cmp(how_b).then(by_text).then(newest)
        });
        found.into_iter().map(|(how, _, note)| (how, note)).collect()
    }

    /// What they come to, for people and the model.
    pub fn point(&self, ask: &Ask<'_>) -> Point {
        let similar = self.similar(ask);
        let mut says = Vec::new();
        let here: Vec<&IncidentNote> =
            similar.iter().filter(|(how, _)| *how == How::SameOwner).map(|(_, note)| *note).collect();
        if let Some(last) = here.first() {
            let when = last.opened_at.strftime("%Y-%m-%d %H:%M UTC");
            let times = if here.len() == 1 { "once".to_owned() } else { format!("{} times", here.len()) };
            says.push(format!("this alert was seen {times} before on this owner, last at {when}"));
            says.extend(tally(&here));
        }
        let others = similar.iter().filter(|(how, _)| *how != How::SameOwner).take(TOLD);
        let (near, far): (Vec<_>, Vec<_>) = others.partition(|(_, note)| beside(ask, note));
        let told = |of: Vec<&(How, &IncidentNote)>| -> Vec<String> {
            of.into_iter().map(|(how, note)| other(*how, note)).collect()
        };
        says.extend(told(near));
        let elsewhere = told(far);
        if says.is_empty() && elsewhere.is_empty() {
            says.push("nothing like it is remembered".to_owned());
        }
        Point { elsewhere, ..Point::found(About::Similar, says) }
    }
}

fn how(ask: &Ask<'_>, note: &IncidentNote) -> Option<How> {
    if note.alert != ask.alert.name() {
        return None;
    }
    let owner = note.owner.as_ref();
    if owner.is_some_and(|owner| owner.0.named == ask.owner.0.named) {
        return Some(How::SameOwner);
    }
    let kind = owner.is_some_and(|owner| owner.0.named.kind == ask.owner.0.named.kind);
    let cause = causes(ask.findings).first().copied();
    let same = kind && cause.is_some() && note.causes.first().copied() == cause;
    (same && labels(ask.alert) == note.labels).then_some(How::SameSignature)
}

/// What was done to this owner, and how often it helped: one sentence an action, and what did not help last.
fn tally(notes: &[&IncidentNote]) -> Vec<String> {
    let mut counts: BTreeMap<ActionKind, (u32, u32, u32)> = BTreeMap::new();
    for did in notes.iter().flat_map(|note| &note.did).filter(|did| did.became != Became::Withdrawn) {
        let (done, helped, back) = counts.entry(did.action).or_default();
        *done += 1;
        *helped += u32::from(did.became == Became::Helped && !did.reverted);
        *back += u32::from(did.reverted);
    }
    let times = |n: u32| if n == 1 { "once".to_owned() } else { format!("{n} times") };
    let mut says: Vec<String> = counts
        .into_iter()
        .map(|(action, (done, helped, back))| {
            let back = if back > 0 { format!(" and was put back {}", times(back)) } else { String::new() };
            format!("`{}` was done {}, helped {helped} of them{back}", action.name(), times(done))
        })
        .collect();
    let false_alarms = notes.iter().filter(|note| note.false_alarm).count();
    if false_alarms > 0 {
        says.push(format!("of these, {false_alarms} needed nothing done"));
    }
    let last = notes.first().and_then(|note| note.did.last());
    if let Some(did) = last.filter(|did| did.reverted || did.became == Became::Ineffective) {
        let what = if did.reverted { "was put back" } else { "did not help" };
        says.push(format!("mind: the last time `{}` {what}", did.action.name()));
    }
    says
}

/// Whether it was in the same namespace of the same cluster.
fn beside(ask: &Ask<'_>, note: &IncidentNote) -> bool {
    let own = &ask.owner.0.named;
    note.owner.as_ref().is_some_and(|owner| {
        let named = &owner.0.named;
        (&named.cluster, &named.namespace) == (&own.cluster, &own.namespace)
    })
}

fn other(how: How, note: &IncidentNote) -> String {
    let about =
        note.owner.as_ref().map_or_else(|| "an unknown owner".to_owned(), |owner| owner.0.named.to_string());
    let cause = note.causes.first().map_or("no cause known", |cause| cause.name());
    let did = note.did.last().map_or_else(
        || if note.escalated { "a person took over".to_owned() } else { "nothing was done".to_owned() },
        |did| {
            let back = if did.reverted { ", and was put back" } else { "" };
            format!("`{}`: {}{back}", did.action.name(), did.became.name())
        },
    );
    let how = match how {
        How::SameOwner | How::SameSignature => "the same elsewhere",
        How::AlikeText => "much alike",
    };
    let about = redact::line(&about, 160);
    format!("{how}: incident `{}` about `{about}` ({cause}); {did}", note.incident)
}

/// The causes that are stated, the surest first.
pub fn causes(findings: &[Finding]) -> Vec<CauseWord> {
    let stated = findings.iter().filter(|finding| !finding.cause.is_told());
    stated.map(|finding| finding.cause.word()).take(TOLD).collect()
}

/// The labels that say what it is, wherever it happens.
pub fn labels(alert: &Alert) -> Labels {
    signature::signature(&alert.labels)
}

/// What is said of an incident.
pub fn text(alert: &Alert, findings: &[Finding]) -> String {
    let said = ["summary", "description", "message"].iter().filter_map(|key| alert.annotations.get(*key));
    let found = findings.iter().take(2).map(|finding| &finding.summary);
    let all: Vec<&str> = said.chain(found).map(String::as_str).collect();
    redact::line(&all.join(" "), TEXT)
}

#[cfg(test)]
mod tests;
