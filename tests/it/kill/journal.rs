//! The journal as a copy taken at some instant shows it: whole lines only, checked by `store` itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use belay::domain::canonical::Hash;
use belay::domain::ids::{Fingerprint, IntentId, StreamId};
use belay::domain::record::{Entry, Intent, Record};
use belay::incident::{Phase, State};
use belay::intake;
use belay::store::{self, LOG_FILE};

/// The bytes of the journal now, without a line that is being written or was torn.
pub fn copy(state_dir: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(state_dir.join(LOG_FILE)).unwrap_or_default();
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(whole);
    bytes
}

/// How many records of a kind the bytes hold.
pub fn count(bytes: &[u8], kind: &str) -> usize {
    let needle = format!("\"kind\":\"{kind}\"");
    let text = String::from_utf8_lossy(bytes);
    text.matches(&needle).count()
}

/// What a copy says.
#[derive(Debug, Default)]
pub struct Journal {
    pub entries: Vec<Entry>,
    /// The fold of each incident's stream, or why there is none.
    pub incidents: BTreeMap<StreamId, Result<State, String>>,
}

impl Journal {
    /// Reads a copy; an error is a journal that does not verify. `scratch` is a file to use for it.
    pub fn read(bytes: &[u8], scratch: &PathBuf) -> Result<Self, String> {
        std::fs::write(scratch, bytes).unwrap();
        store::verify(scratch, &[]).map_err(|e| e.to_string())?;
        let mut lines = Vec::new();
        store::export(scratch, &mut lines).map_err(|e| e.to_string())?;
        let entries: Vec<Entry> = serde_json::Deserializer::from_slice(&lines)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        let mut streams: BTreeMap<StreamId, Vec<&Entry>> = BTreeMap::new();
        for entry in &entries {
            if !["daemon", "intake", "acts", "brakes", "memory"].contains(&entry.stream.as_str()) {
                streams.entry(entry.stream.clone()).or_default().push(entry);
            }
        }
        let fold = |entries: Vec<&Entry>| match State::fold(entries) {
            Ok(Some(state)) => Ok(state),
            Ok(None) => Err("it is empty".to_owned()),
            Err(e) => Err(e.to_string()),
        };
        let incidents = streams.into_iter().map(|(stream, entries)| (stream, fold(entries))).collect();
        Ok(Self { entries, incidents })
    }

    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.incidents.values().filter_map(|state| state.as_ref().ok())
    }

    pub fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.entries.iter().filter_map(|entry| match &entry.record {
            Record::Intended(intent) => Some(&**intent),
            _ => None,
        })
    }

    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents().find(|intent| intent.id == IntentId::new(id))
    }

    /// The bodies that were taken in.
    pub fn received(&self) -> Vec<Hash> {
        let body = |entry: &Entry| match &entry.record {
            Record::Received { body } => Some(Hash::of(body.as_bytes())),
            _ => None,
        };
        self.entries.iter().filter_map(body).collect()
    }

    /// What is still open: nothing once every incident is over or with a person who was called, every
    /// intent has an outcome, and every alert that fired reached an incident.
    pub fn open(&self) -> Vec<String> {
        let mut open: Vec<String> = self.states().filter_map(|state| self.unfinished(state)).collect();
        let known =
            |fingerprint: &Fingerprint| self.states().any(|state| state.alerts.contains_key(fingerprint));
        for entry in &self.entries {
            let Record::Received { body } = &entry.record else { continue };
            let delivery = intake::parse(body).unwrap();
            let firing = delivery.alerts.iter().filter(|alert| alert.ends_at.is_none());
            let lost =
                firing.filter(|alert| !known(&alert.fingerprint) && !self.reopened(&alert.fingerprint));
            open.extend(lost.map(|alert| format!("`{}` reached no incident", alert.name())));
        }
        open
    }

    /// A reopened incident forgets what was resolved before.
    fn reopened(&self, fingerprint: &Fingerprint) -> bool {
        self.entries.iter().any(|entry| match &entry.record {
            Record::Observed { alert } => alert.fingerprint == *fingerprint,
            Record::Opened(opening) => opening.alert.fingerprint == *fingerprint,
            _ => false,
        })
    }

    fn unfinished(&self, state: &State) -> Option<String> {
        let stream = state.id.stream();
        let unknown = state.acts.iter().find(|act| {
            use belay::domain::warrant::Applied;
            !matches!(act.applied, Some(Applied::Done { .. } | Applied::Refused { .. }))
        });
        if let Some(act) = unknown {
            return Some(format!("the intent `{}` has no outcome", act.intent.id));
        }
        match state.phase {
            Phase::Closed => None,
            Phase::Escalated => {
                let mut own = self.entries.iter().filter(|entry| entry.stream == stream).rev();
                let called = own.find_map(|entry| match entry.record {
                    Record::Paged { .. } => Some(true),
                    Record::Escalated { .. } => Some(false),
                    _ => None,
                });
                (called != Some(true)).then(|| format!("nobody was called about `{stream}`"))
            }
            ref phase => Some(format!("`{stream}` is in {phase:?}")),
        }
    }
}
