//! What people ask of the daemon: which incidents there are, and which one they mean.

use serde::{Deserialize, Serialize};

use crate::domain::ids::IncidentId;
use crate::incident::{Phase, State};
use crate::ports::store::Head;

use super::Daemon;
use super::incidents::{FeedError, OPEN};

/// The shortest prefix that may stand for an incident.
const SHORTEST: usize = 2;

/// One line about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub incident: IncidentId,
    /// Where it is, in a word.
    pub phase: String,
    /// What it is about.
    pub about: String,
    /// The alert that speaks for it.
    pub alert: String,
    /// When it opened.
    pub opened_at: jiff::Timestamp,
    /// How it ended, or what is asked.
    pub note: String,
}

/// Which incident is meant could not be told.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// There is none.
    #[error("there is no incident `{0}`; `belay incidents list --all` shows them")]
    None(String),
    /// There are several.
    #[error("`{given}` could be {}; type more of it", among.join(", "))]
    Several {
        /// What was typed.
        given: String,
        /// What it could be.
        among: Vec<String>,
    },
    /// The prefix is too short.
    #[error("`{0}` is too short; type at least {SHORTEST} characters")]
    TooShort(String),
    /// The incidents could not be read.
    #[error(transparent)]
    Unreadable(#[from] FeedError),
}

impl Daemon {
    /// Every incident, the newest first; only open ones unless `all`.
    pub async fn incidents(&self, all: bool) -> Result<Vec<Summary>, FeedError> {
        let ids = if all { self.incident_ids().await? } else { self.open_incidents().await? };
        let mut found = Vec::new();
        for incident in ids {
            found.push(self.about(&incident).await?);
        }
        found.sort_by_key(|summary| std::cmp::Reverse(summary.opened_at));
        Ok(found)
    }

    /// The incident whose name begins with `given`.
    pub async fn resolve(&self, given: &str) -> Result<IncidentId, Unclear> {
        if given.len() < SHORTEST {
            return Err(Unclear::TooShort(given.into()));
        }
        let ids = self.incident_ids().await?;
        let mut among: Vec<_> = ids.into_iter().filter(|i| i.as_str().starts_with(given)).collect();
        match among.len() {
            0 => Err(Unclear::None(given.into())),
            1 => Ok(among.remove(0)),
            _ => {
                let among = among.into_iter().map(|i| i.to_string()).collect();
                Err(Unclear::Several { given: given.into(), among })
            }
        }
    }

    /// The incident's state.
    pub async fn incident(&self, incident: &IncidentId) -> Result<State, FeedError> {
        Ok(self.load(incident).await?.1)
    }

    /// One line about the incident.
    pub async fn about(&self, incident: &IncidentId) -> Result<Summary, FeedError> {
        Ok(summary(&self.load(incident).await?.1))
    }

    /// The incidents that are not over.
    pub(super) async fn open_incidents(&self) -> Result<Vec<IncidentId>, FeedError> {
        let found = self.ports().store.find(OPEN).await?;
        Ok(found.into_iter().map(|(_, stream)| IncidentId::new(stream.as_str())).collect())
    }

    pub(super) async fn incident_ids(&self) -> Result<Vec<IncidentId>, FeedError> {
        let heads = self.ports().store.heads().await?;
        let own = |h: &Head| super::OWN_STREAMS.contains(&h.stream.as_str());
        Ok(heads.into_iter().filter(|h| !own(h)).map(|h| IncidentId::new(h.stream.as_str())).collect())
    }
}

fn summary(state: &State) -> Summary {
    let about = match (&state.owner, &state.target) {
        (Some(owner), _) => {
            format!("{}/{}/{}", owner.0.named.namespace, owner.0.named.kind, owner.0.named.name)
        }
        (None, target) => target.named().map_or_else(|| "unclear".into(), ToString::to_string),
    };
    let note = match (&state.closed, &state.question, state.escalations.last()) {
        (Some((_, summary, _)), _, _) => summary.clone(),
        (None, Some(open), _) => match open.question.ask {
            crate::domain::record::Ask::Approve => "approve or reject?".into(),
            crate::domain::record::Ask::ConfirmOrRevert => "confirm or revert?".into(),
            crate::domain::record::Ask::ConfirmOrHandOver => "confirm or hand over?".into(),
        },
        (None, None, Some(why)) if state.phase == Phase::Escalated => why.clone(),
        (None, None, _) => String::new(),
    };
    Summary {
        incident: state.id.clone(),
        phase: phase(&state.phase).into(),
        about,
        alert: state.lead().map_or_else(String::new, |a| a.name().to_owned()),
        opened_at: state.opened_at,
        note,
    }
}

/// A phase in a word.
pub(super) const fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Looking => "looking",
        Phase::Choosing => "investigating",
        Phase::Deciding(_) => "deciding",
        Phase::Judging => "planned",
        Phase::Approving => "asking",
        Phase::Acting(_) => "acting",
        Phase::Verifying(_) => "verifying",
        Phase::Confirming(_) => "confirming",
        Phase::PlanningRevert(_) => "reverting",
        Phase::Escalated => "escalated",
        Phase::Closed => "closed",
    }
}
