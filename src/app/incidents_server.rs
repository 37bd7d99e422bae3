//! The incidents server's view of the daemon: by the admin socket for a server that runs by itself, and what the daemon
//! answers there.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::{self, Config};
use crate::diagnose::recall::Ask;
use crate::domain::ids::IncidentId;
use crate::domain::record::Suggestion;
use crate::domain::redact;
use crate::domain::target::{Kind, Named};
use crate::incident::{Input, State};
use crate::ports::incidents::{
    IncidentAnswer, IncidentAsk, IncidentLine, IncidentStory, Incidents, Proposal, Proposed,
};
use crate::ports::reads::ReadError;
use crate::servers::incidents::IncidentsServer;
use crate::servers::kit::{self, Scope};

use super::admin::{self, Request, Response};
use super::build::BuildError;
use super::query::Summary;
use super::{Daemon, Fed, chronicle};

/// Incidents of one list.
const LINES: usize = 50;
/// What is kept of a caller's name.
const CALLER: usize = 120;
/// What is kept of a caller's reason: a paragraph.
const WHY: usize = 1_000;

/// Serves them on standard input and output, through the daemon whose state directory the configuration names.
pub async fn serve(config: &Config, site: config::Site<'_>) -> Result<(), BuildError> {
    let incidents = Arc::new(BySocket { state_dir: config.state_dir.clone() });
    let scope = Scope::new(site.limits.namespaces.clone());
    let server = IncidentsServer::new(incidents, scope, config::user());
    kit::serve_stdio(server).await.map_err(|e| BuildError::Served(e.to_string()))
}

/// The daemon's incidents, by its admin socket.
pub struct BySocket {
    /// Where the socket is.
    pub state_dir: PathBuf,
}

#[async_trait]
impl Incidents for BySocket {
    async fn ask(&self, ask: IncidentAsk, caller: &str) -> Result<IncidentAnswer, ReadError> {
        let failed = |why: String| ReadError::Failed { what: "the daemon's incidents".to_owned(), why };
        let request = Request::Incidents { asked: ask, name: caller.to_owned() };
        match admin::ask(&self.state_dir, &request).await {
            Ok(Response::Incidents(answer)) => Ok(*answer),
            Ok(Response::Refused(why)) => Err(failed(why)),
            Ok(_) => Err(failed("it answered something else".to_owned())),
            Err(e) => Err(failed(format!("no daemon answers on its socket: {e}"))),
        }
    }
}

#[async_trait]
impl Incidents for Daemon {
    async fn ask(&self, ask: IncidentAsk, caller: &str) -> Result<IncidentAnswer, ReadError> {
        let failed = |why| ReadError::Failed { what: "the daemon's incidents".to_owned(), why };
        Box::pin(self.tell_incidents(ask, caller)).await.map_err(failed)
    }
}

impl Daemon {
    /// Answers the incidents server.
    pub(super) async fn tell_incidents(
        &self,
        ask: IncidentAsk,
        caller: &str,
    ) -> Result<IncidentAnswer, String> {
        match ask {
            IncidentAsk::List { namespace, all } => self.lines(&namespace, all).await,
            IncidentAsk::Show { namespace, incident } => {
                let (id, state) = self.of_namespace(&namespace, &incident).await?;
                let (entries, _) = self.load(&id).await.map_err(|e| e.to_string())?;
                let candidates = state.diagnosis.iter().flat_map(|d| &d.candidates).map(|candidate| {
                    let target = &candidate.action.target().named;
                    format!("{} of {} {}", candidate.action.kind().name(), target.kind, target.name)
                });
                Ok(IncidentAnswer::Show(Box::new(IncidentStory {
                    line: line(self.about(&id).await.map_err(|e| e.to_string())?),
                    timeline: chronicle::timeline(entries.iter().map(|e| &**e)),
                    candidates: candidates.collect(),
                    takes_proposals: state.takes_proposals(),
                })))
            }
            IncidentAsk::Similar { namespace, incident } => {
                let (_, state) = self.of_namespace(&namespace, &incident).await?;
                self.alike(&state).await.map(IncidentAnswer::Similar)
            }
            IncidentAsk::PostMortem { namespace, incident } => {
                let (id, state) = self.of_namespace(&namespace, &incident).await?;
                let (entries, _) = self.load(&id).await.map_err(|e| e.to_string())?;
                let timeline = chronicle::timeline(entries.iter().map(|e| &**e));
                Ok(IncidentAnswer::PostMortem(chronicle::post_mortem(&state, &timeline)))
            }
            IncidentAsk::Propose(proposal) => {
                self.propose(proposal, caller).await.map(IncidentAnswer::Proposed)
            }
        }
    }

    async fn lines(&self, namespace: &str, all: bool) -> Result<IncidentAnswer, String> {
        let ids = if all { self.incident_ids().await } else { self.open_incidents().await };
        let mut lines = Vec::new();
        for id in ids.map_err(|e| e.to_string())? {
            let state = self.incident(&id).await.map_err(|e| e.to_string())?;
            if namespace_of(&state).as_deref() == Some(namespace) {
                lines.push(line(self.about(&id).await.map_err(|e| e.to_string())?));
            }
        }
        lines.sort_by(|a, b| (b.opened_at, &b.incident).cmp(&(a.opened_at, &a.incident)));
        let more = lines.len().saturating_sub(LINES) as u64;
        lines.truncate(LINES);
        Ok(IncidentAnswer::List(lines, more))
    }

    /// The incident of this name, if it is about this namespace. Of one elsewhere not even its existence is told.
    async fn of_namespace(&self, namespace: &str, given: &str) -> Result<(IncidentId, State), String> {
        let none =
            || format!("there is no incident `{}` in namespace `{namespace}`", redact::line(given, 80));
        // as long as a whole name's beginning that tells two apart: guesses find nothing
        if given.len() < 4 {
            return Err(none());
        }
        let mut found = None;
        for id in self.incident_ids().await.map_err(|e| e.to_string())? {
            if !id.as_str().starts_with(given) {
                continue;
            }
            let state = self.incident(&id).await.map_err(|e| e.to_string())?;
            if namespace_of(&state).as_deref() == Some(namespace) {
                if found.is_some() {
                    return Err(format!(
                        "`{}` could be several incidents: give more of it",
                        redact::line(given, 80)
                    ));
                }
                found = Some((id, state));
            }
        }
        found.ok_or_else(none)
    }

    /// What is remembered that is like it, of its own namespace.
    async fn alike(&self, state: &State) -> Result<Vec<String>, String> {
        let (Some(lead), Some(owner)) = (state.lead(), &state.owner) else { return Ok(Vec::new()) };
        let findings = state.diagnosis.as_ref().map(|d| d.findings.as_slice()).unwrap_or_default();
        let ask = Ask { incident: &state.id, alert: lead, owner, findings };
        let kept = self.remembered().await.map_err(|e| e.to_string())?;
        Ok(kept.recall().point(&ask).says)
    }

    async fn propose(&self, proposal: Proposal, caller: &str) -> Result<Proposed, String> {
        let Proposal { namespace, incident, action, kind, name, why } = proposal;
        let (id, state) = self.of_namespace(&namespace, &incident).await?;
        // a node is of no namespace, and no caller of one may speak of it
        if matches!(kind, Kind::Node | Kind::Namespace | Kind::Other) {
            return Err(format!(
                "a proposal is about an object in namespace `{namespace}`, and a {kind} is in none"
            ));
        }
        let target = Named { cluster: state.cluster.clone(), kind, namespace, name };
        let suggestion = Suggestion {
            by: redact::line(caller, CALLER),
            action,
            target,
            why: redact::safe(&why, WHY),
            candidate: None,
            queued: false,
        };
        let fed = self.feed(&id, Input::Suggested(suggestion), None).await.map_err(|e| e.to_string())?;
        let state = match fed {
            Fed::Taken(state) => state,
            Fed::Ignored(why) => {
                return Ok(Proposed { noted: false, queued: false, says: format!("not taken: {why}") });
            }
        };
        let Some(last) = state.suggestions.last() else {
            return Err("the proposal was taken and is not there".to_owned());
        };
        let says = match (&last.candidate, last.queued) {
            (Some(_), true) => {
                "it is put to policy, and then to a person: nothing is done before somebody approves"
            }
            (Some(_), false) => {
                "it is noted and shown: belay, or a person, is deciding about this incident without it"
            }
            (None, _) => {
                "it is noted and shown, and cannot be approved here: belay's own diagnosis has no such candidate"
            }
        };
        Ok(Proposed { noted: true, queued: last.queued, says: says.to_owned() })
    }
}

/// The namespace that an incident is about; `None`: it is of none, or that is unclear, and is nobody's to see.
fn namespace_of(state: &State) -> Option<String> {
    let owner = state.owner.as_ref().map(|owner| owner.0.named.namespace.clone());
    let named = || state.target.named().map(|named| named.namespace.clone());
    owner.or_else(named).filter(|namespace| !namespace.is_empty())
}

fn line(summary: Summary) -> IncidentLine {
    let Summary { incident, phase, about, alert, opened_at, note } = summary;
    IncidentLine {
        incident: incident.to_string(),
        phase,
        about: redact::line(&about, 300),
        alert: redact::line(&alert, 200),
        opened_at,
        note: redact::line(&note, 300),
    }
}
