//! What the tools answer, as structure and as text. What comes from the daemon was cleaned there.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::incidents::{IncidentLine, IncidentStory, Proposed};
use crate::servers::kit::{Extent, Readable, page};

/// Incidents of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct IncidentList {
    /// The namespace.
    pub namespace: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// The incidents, the newest first.
    pub incidents: Vec<IncidentRow>,
}

/// An incident as a row.
#[derive(Debug, Serialize, JsonSchema)]
pub struct IncidentRow {
    /// Its name.
    pub incident: String,
    /// Where it is, in a word.
    pub phase: String,
    /// What it is about.
    pub about: String,
    /// The alert that speaks for it.
    pub alert: String,
    /// When it opened.
    pub opened: String,
    /// How it ended, or what is asked.
    pub note: String,
}

/// One incident.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoryView {
    /// One line.
    pub incident: IncidentRow,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// What belay's diagnosis found could be done: what may be proposed.
    pub candidates: Vec<String>,
    /// Whether a proposal of one of them would be decided now.
    pub takes_proposals: bool,
}

/// One thing that happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moment {
    /// When.
    pub at: String,
    /// What.
    pub says: String,
}

/// Sentences.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sentences {
    /// Each of them.
    pub says: Vec<String>,
}

/// A text in Markdown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Markdown {
    /// The text.
    pub markdown: String,
}

/// What became of a proposal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// It was written down, and people see it.
    pub noted: bool,
    /// It is put to policy and then to a person.
    pub queued: bool,
    /// In a sentence.
    pub says: String,
}

impl IncidentList {
    /// These incidents, and that there are so many more.
    pub fn new(namespace: String, lines: &[IncidentLine], more: u64) -> Self {
        let shown = lines.len() as u64;
        let total = shown.saturating_add(more);
        let extent = Extent { shown, total: Some(total), at_least: total };
        Self { namespace, extent, incidents: lines.iter().map(IncidentRow::from).collect() }
    }
}

impl From<&IncidentLine> for IncidentRow {
    fn from(line: &IncidentLine) -> Self {
        let IncidentLine { incident, phase, about, alert, opened_at, note } = line.clone();
        Self { incident, phase, about, alert, opened: opened_at.to_string(), note }
    }
}

impl From<&IncidentStory> for StoryView {
    fn from(story: &IncidentStory) -> Self {
        let IncidentStory { line, timeline, candidates, takes_proposals } = story;
        let moment =
            |h: &crate::ports::incidents::Happening| Moment { at: h.at.to_string(), says: h.says.clone() };
        Self {
            incident: IncidentRow::from(line),
            timeline: timeline.iter().map(moment).collect(),
            candidates: candidates.clone(),
            takes_proposals: *takes_proposals,
        }
    }
}

impl From<Proposed> for Outcome {
    fn from(proposed: Proposed) -> Self {
        let Proposed { noted, queued, says } = proposed;
        Self { noted, queued, says }
    }
}

impl Readable for IncidentList {
    fn text(&self) -> String {
        let sentence =
            self.extent.words(&format!("incidents in namespace `{}`, newest first", self.namespace));
        let row = |i: &IncidentRow| {
            let (incident, phase, opened) = (i.incident.clone(), i.phase.clone(), i.opened.clone());
            vec![incident, phase, opened, i.about.clone(), i.alert.clone(), i.note.clone()]
        };
        let rows: Vec<Vec<String>> = self.incidents.iter().map(row).collect();
        page(&sentence, &["INCIDENT", "PHASE", "OPENED", "ABOUT", "ALERT", "NOTE"], &rows)
    }
}

impl Readable for StoryView {
    fn text(&self) -> String {
        let Self { incident, timeline, candidates, takes_proposals } = self;
        let head = format!(
            "incident {}: {}, {} about {}, opened {}",
            incident.incident, incident.phase, incident.alert, incident.about, incident.opened
        );
        let rows: Vec<Vec<String>> = timeline.iter().map(|m| vec![m.at.clone(), m.says.clone()]).collect();
        let may = if *takes_proposals {
            "a proposal of one of its candidates would be put to policy and a person now"
        } else {
            "a proposal would only be noted now"
        };
        let candidates = match candidates.as_slice() {
            [] => "it has no candidates".to_owned(),
            candidates => format!("candidates: {}", candidates.join(", ")),
        };
        format!("{}\n\n{candidates}; {may}", page(&head, &["WHEN", "WHAT"], &rows))
    }
}

impl Readable for Sentences {
    fn text(&self) -> String {
        match self.says.as_slice() {
            [] => "nothing like it is remembered".to_owned(),
            says => says.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"),
        }
    }
}

impl Readable for Markdown {
    fn text(&self) -> String {
        self.markdown.clone()
    }
}

impl Readable for Outcome {
    fn text(&self) -> String {
        self.says.clone()
    }
}
