//! An incident once more, from what the journal kept: no cluster, no model, nothing written. Diagnosis,
//! conversation and decisions are made again and held against the records.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::job::Templates;
use crate::domain::canonical::Hash;
use crate::domain::cluster::Snapshot;
use crate::domain::decision::Decided;
use crate::domain::evidence::Source;
use crate::domain::ids::IncidentId;
use crate::domain::record::{Choice, Conclusion, Diagnosis, Entry, Investigator, Record};
use crate::incident::State;
use crate::investigate::replay::{self, Recording};
use crate::investigate::tape::{Gave, Tape};
use crate::investigate::{self, Prompts};
use crate::policy::{self, PolicySet};
use crate::{diagnose, store};

use super::pages;

/// Where things were kept.
pub struct Kept<'a> {
    /// Blobs by hash.
    pub blob: &'a dyn Fn(Hash) -> Option<Vec<u8>>,
    /// The blob with the files of each policy set.
    pub sets: BTreeMap<Hash, Hash>,
    /// The prompts to hold the conversation with.
    pub prompts: &'a Prompts,
    /// The job templates that candidates are made from.
    pub jobs: &'a Templates,
}

/// One step, made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The number of its record.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it is: `diagnosed`, `chosen`, `decided`.
    pub what: String,
    /// What came of it, in a few words.
    pub words: String,
    /// Where it is not as recorded; nothing: it is.
    pub differs: Vec<String>,
    /// Why it could not be made again; then nothing is said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmade: Option<String>,
}

/// Why there is nothing to make again.
#[derive(Debug, thiserror::Error)]
#[error("the records of `{0}` make no incident: {1}")]
pub struct NoIncident(String, String);

/// Makes the steps of an incident again, in order. `entries` are all of its records.
pub fn again(entries: &[Entry], kept: &Kept<'_>) -> Result<Vec<Again>, NoIncident> {
    let mut steps = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        let made = match &entry.record {
            Record::Diagnosed(diagnosis) => diagnosed(&before(entries, n)?, diagnosis, kept),
            Record::Chosen(choice) => chosen(&before(entries, n)?, choice, kept),
            Record::Decided(decided) => self::decided(decided, kept),
            _ => continue,
        };
        let (what, words, outcome) = made;
        let (differs, unmade) = match outcome {
            Ok(differs) => (differs, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        steps.push(Again { seq: entry.seq, at: entry.at, what: what.to_owned(), words, differs, unmade });
    }
    Ok(steps)
}

/// What it is, what came of it then, and where it differs now or why it cannot be told.
type Made = (&'static str, String, Result<Vec<String>, String>);

fn before(entries: &[Entry], n: usize) -> Result<State, NoIncident> {
    let name = entries.first().map_or_else(|| "?".to_owned(), |entry| entry.stream.to_string());
    match State::fold(entries.iter().take(n)) {
        Ok(Some(state)) => Ok(state),
        Ok(None) => Err(NoIncident(name, "it was never opened".to_owned())),
        Err(illegal) => Err(NoIncident(name, illegal.to_string())),
    }
}

fn diagnosed(state: &State, then: &Diagnosis, kept: &Kept<'_>) -> Made {
    let words = then.findings.first().map_or("nothing was found", |f| f.cause.name()).to_owned();
    let outcome = snapshot(then, kept).and_then(|snapshot| {
        let lead = state.lead().ok_or("no alert speaks for it")?;
        let mut now = diagnose::diagnose(&snapshot, &lead.labels, kept.jobs);
        let blob = then.evidence.first().and_then(|e| e.blob);
        now.evidence.iter_mut().for_each(|evidence| evidence.blob = blob);
        as_others_said(then, &mut now);
        pages::flag(&mut now);
        Ok(apart(then, &now))
    });
    ("diagnosed", words, outcome)
}

/// What was asked of others besides, and looked up for the brief, is as it was: nobody is asked again.
fn as_others_said(then: &Diagnosis, now: &mut Diagnosis) {
    now.brief = then.brief.clone();
    let pages = then.evidence.iter().skip(now.evidence.len()).filter(|e| e.source == Source::Tool);
    now.evidence.extend(pages.cloned());
    if let Some(more) = then.missing.strip_prefix(now.missing.as_slice()) {
        now.missing.extend_from_slice(more);
    }
}

fn snapshot(then: &Diagnosis, kept: &Kept<'_>) -> Result<Snapshot, String> {
    let hash = then.evidence.iter().find_map(|e| e.blob).ok_or("what was seen was not kept")?;
    read(kept, hash, "what was seen")
}

fn read<T: serde::de::DeserializeOwned>(kept: &Kept<'_>, hash: Hash, what: &str) -> Result<T, String> {
    let bytes = (kept.blob)(hash).ok_or_else(|| format!("{what} is not in the state directory any more"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{what} cannot be read: {e}"))
}

fn apart(then: &Diagnosis, now: &Diagnosis) -> Vec<String> {
    let causes = |d: &Diagnosis| d.findings.iter().map(|f| f.cause.name()).collect::<Vec<_>>().join(", ");
    let candidates =
        |d: &Diagnosis| d.candidates.iter().map(|c| c.action.words()).collect::<Vec<_>>().join(", ");
    let mut differs = Vec::new();
    for (what, then, now) in [
        ("findings", causes(then), causes(now)),
        ("candidates", candidates(then), candidates(now)),
        ("unread", then.missing.join(", "), now.missing.join(", ")),
    ] {
        if then != now {
            differs.push(format!("{what}: now `{now}`, then `{then}`"));
        }
    }
    if differs.is_empty() && then != now {
        differs.push("the evidence or its words differ".to_owned());
    }
    differs
}

fn chosen(state: &State, then: &Choice, kept: &Kept<'_>) -> Made {
    let words = match &then.by {
        Investigator::Playbook { .. } => format!("{}, by the playbook", replay::words(&then.conclusion)),
        Investigator::Model { model, .. } => format!("{}, by {model}", replay::words(&then.conclusion)),
        Investigator::Outside { .. } => format!("{}, proposed from outside", replay::words(&then.conclusion)),
    };
    let outcome = match (&then.minutes, &then.by) {
        (Some(_), _) => recording(state, then, kept).map(|recording| recording.play(kept.prompts).differs),
        (None, Investigator::Playbook { why }) => playbook(state, then, why),
        (None, Investigator::Outside { .. }) => Err("nothing of belay chose it".to_owned()),
        (None, Investigator::Model { .. }) => Err("what the model said was not kept in full then".to_owned()),
    };
    ("chosen", words, outcome)
}

fn playbook(state: &State, then: &Choice, why: &str) -> Result<Vec<String>, String> {
    let diagnosis = state.diagnosis.as_ref().ok_or("it was not diagnosed")?;
    let now: Conclusion = investigate::playbook(diagnosis, why).conclusion;
    if now == then.conclusion {
        return Ok(Vec::new());
    }
    Ok(vec![format!("it ends with {} instead of {}", replay::words(&now), replay::words(&then.conclusion))])
}

/// The investigation of which this was the choice, with everything that it needs.
fn recording(state: &State, choice: &Choice, kept: &Kept<'_>) -> Result<Recording, String> {
    let minutes = choice.minutes.as_ref().ok_or("no model was asked")?;
    let tape: Tape = read(kept, minutes.tape, "the conversation")?;
    let mut outputs = BTreeMap::new();
    for called in &tape.calls {
        if let Gave::Output(hash) | Gave::Failure(hash) = &called.gave
            && let Some(text) = (kept.blob)(*hash).and_then(|bytes| String::from_utf8(bytes).ok())
        {
            outputs.insert(*hash, text);
        }
    }
    Ok(Recording {
        incident: state.id.clone(),
        cluster: state.cluster.clone(),
        namespace: state.target.named().map(|named| named.namespace.clone()).unwrap_or_default(),
        alert: state.lead().ok_or("no alert speaks for it")?.clone(),
        diagnosis: state.diagnosis.clone().ok_or("it was not diagnosed")?,
        choice: choice.clone(),
        tape,
        outputs,
    })
}

/// The last investigation of an incident in which a model was asked.
pub fn last_recording(entries: &[Entry], kept: &Kept<'_>) -> Result<Recording, String> {
    let found = entries.iter().enumerate().rev().find_map(|(n, entry)| match &entry.record {
        Record::Chosen(choice) if choice.minutes.is_some() => Some((n, choice)),
        _ => None,
    });
    let (n, choice) = found.ok_or("no model was asked about it")?;
    recording(&before(entries, n).map_err(|e| e.to_string())?, choice, kept)
}

fn decided(then: &Decided, kept: &Kept<'_>) -> Made {
    let words = format!("{:?}: {}", then.decision.outcome, then.decision.because());
    let outcome = set(then.decision.set, kept).map(|set| {
        let now = policy::decide(&set, &then.question);
        if now == then.decision {
            return Vec::new();
        }
        vec![format!("now {:?}: {}", now.outcome, now.because())]
    });
    ("decided", words, outcome)
}

fn set(hash: Hash, kept: &Kept<'_>) -> Result<PolicySet, String> {
    let files = kept.sets.get(&hash).ok_or("the files of that policy set were not kept")?;
    let files: Vec<(String, String)> = read(kept, *files, "the policy set")?;
    policy::load(files.iter().map(|(n, t)| (n.as_str(), t.as_str())))
        .map_err(|_| "the policy set is not one of this version".to_owned())
}

/// The blobs that hold the files of policy sets, by set, as the journal names them.
pub fn sets(entries: &[Entry]) -> BTreeMap<Hash, Hash> {
    let one = |entry: &Entry| match &entry.record {
        Record::Started { set, files: Some(files), .. }
        | Record::PolicyLoaded { set, files: Some(files), .. } => Some((*set, *files)),
        _ => None,
    };
    entries.iter().filter_map(one).collect()
}

/// The records of the one incident whose name begins with `given`, and those of the daemon's own stream.
pub fn records(
    state_dir: &std::path::Path,
    given: &str,
) -> Result<(Vec<Entry>, Vec<Entry>), store::VerifyError> {
    let (mut own, mut daemon) = (Vec::new(), Vec::new());
    let wanted = store::Wanted { since: Timestamp::MIN, kinds: &[] };
    store::read(&state_dir.join(store::LOG_FILE), wanted, &mut |entry| {
        if entry.stream == super::daemon_stream() {
            daemon.push(entry);
        } else if entry.stream.as_str().starts_with(given) {
            own.push(entry);
        }
    })?;
    Ok((own, daemon))
}

/// Which incident these records are of; more than one, and none is meant.
pub fn only_incident(entries: &[Entry]) -> Option<IncidentId> {
    let first = entries.first()?;
    entries.iter().all(|e| e.stream == first.stream).then(|| IncidentId::new(first.stream.as_str()))
}
