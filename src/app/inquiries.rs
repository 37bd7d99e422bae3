//! Questions that people ask: answered by the model with its read-only tools, written down with what they rest
//! on, and gone on with by the name of their conversation.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::domain::decision::Person;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{Cluster, EvidenceId, StreamId};
use crate::domain::record::{Inquiry, Record, Said};
use crate::incident::State;
use crate::investigate::prompts::QUESTION_BYTES;
use crate::investigate::{self, Case, Query, fence};
use crate::ports::store::Append;

use super::Daemon;

/// What the streams of conversations begin with.
const STREAM: &str = "inquiry-";
/// The questions of one conversation that the next one is given, and that one is read for: beyond, a new one is
/// clearer.
const EARLIER: usize = 6;
const LONGEST: usize = 100;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquire {
    /// The question.
    pub question: String,
    /// The cluster; nothing: the first, or that of the incident.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Only these namespaces are read; none: all that belay may.
    #[serde(default)]
    pub namespaces: BTreeSet<String>,
    /// The incident that it is about, or the beginning of its name.
    #[serde(default)]
    pub incident: Option<String>,
    /// The conversation that it goes on with.
    #[serde(default)]
    pub conversation: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquired {
    /// The conversation, by which one can go on.
    pub conversation: String,
    /// What was said.
    pub said: Said,
    /// What it cites, in order.
    pub cited: Vec<Evidence>,
    /// Tokens used.
    pub tokens: u64,
}

/// What is fixed once a conversation has begun.
struct Begun {
    stream: StreamId,
    earlier: Vec<Inquiry>,
    cluster: Cluster,
    namespaces: Option<BTreeSet<String>>,
    about: Option<State>,
}

impl Daemon {
    /// Answers a question for somebody. `told` hears what is read meanwhile.
    pub async fn inquire(
        &self,
        inquire: Inquire,
        by: Person,
        told: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Inquired, String> {
        let question = fence::bounded(fence::clean(&inquire.question).trim(), QUESTION_BYTES);
        if question.is_empty() {
            return Err("there is no question".to_owned());
        }
        let Begun { stream, earlier, cluster, namespaces, about } = self.begin(&inquire).await?;
        let site = self.site(&cluster).map_err(|e| e.0)?;
        let Some(mind) = &site.mind else {
            return Err(
                "no model is configured, and without one nobody answers: set `model` in the configuration; \
                        `belay diagnose` looks without one"
                    .to_owned(),
            );
        };
        let case = about.as_ref().and_then(case_of);
        let pairs: Vec<(String, String)> = earlier.iter().rev().take(EARLIER).rev().map(pair).collect();
        let query = Query {
            cluster: &cluster,
            namespaces: namespaces.as_ref(),
            incident: case,
            earlier: &pairs,
            question: &question,
        };
        let stop = CancellationToken::new();
        let found = investigate::ask(mind, &query, (stream.as_str(), super::entropy()), told, &stop).await;
        let store = &self.ports().store;
        let blobs =
            found.outputs.iter().map(|output| output.clone().into_bytes()).chain([found.tape.clone()]);
        for blob in blobs.filter(|blob| !blob.is_empty()) {
            store.put_blob(blob).await.map_err(|e| e.to_string())?;
        }
        let known = case.iter().flat_map(|case| &case.diagnosis.evidence).chain(&found.evidence);
        let cited = match &found.said {
            Said::Answer { evidence, .. } => cited(evidence, known),
            Said::CannotTell { .. } | Said::OnlyReads { .. } | Said::Nothing { .. } => Vec::new(),
        };
        let tokens = found.minutes.as_ref().map_or(0, |minutes| minutes.usage.total());
        let said = found.said.clone();
        let record = Inquiry {
            by,
            cluster: cluster.clone(),
            namespaces,
            incident: about.as_ref().map(|state| state.id.clone()),
            question,
            said: found.said,
            minutes: found.minutes,
        };
        let mut append = Append::to(stream.clone(), None, self.now());
        append.records.push(Record::Inquired(Box::new(record)));
        store.append(append).await.map_err(|e| format!("the answer could not be written down: {e}"))?;
        Ok(Inquired { conversation: stream.as_str().to_owned(), said, cited, tokens })
    }

    /// The whole text of what an answer cites.
    pub async fn cited(&self, conversation: &str, evidence: &str) -> Result<String, String> {
        let (_, earlier) = self.conversation(conversation).await?;
        let of = |inquiry: &Inquiry| {
            let mut read = inquiry.minutes.iter().flat_map(|minutes| &minutes.evidence);
            read.find(|e| e.id.as_str() == evidence).cloned()
        };
        let Some(found) = earlier.iter().rev().find_map(of) else {
            return self.of_incident(&earlier, evidence).await?.ok_or_else(|| {
                format!("nothing was read as `{}` in `{conversation}`", fence::one_line(evidence, 80))
            });
        };
        let hash = found.blob.ok_or("only its summary was kept")?;
        let blob = self.ports().store.blob(hash).await.map_err(|e| e.to_string())?;
        let blob = blob.ok_or_else(|| format!("`{hash}` is not in the state directory any more"))?;
        String::from_utf8(blob).map_err(|e| e.to_string())
    }

    /// What the incident that a conversation is about has under this name.
    async fn of_incident(&self, earlier: &[Inquiry], evidence: &str) -> Result<Option<String>, String> {
        let Some(id) = earlier.first().and_then(|inquiry| inquiry.incident.as_ref()) else { return Ok(None) };
        let state = self.incident(id).await.map_err(|e| e.to_string())?;
        let found = state.diagnosis.iter().flat_map(|d| &d.evidence).find(|e| e.id.as_str() == evidence);
        Ok(found.map(|evidence| format!("{}\n{}", evidence.title, evidence.summary)))
    }

    async fn begin(&self, inquire: &Inquire) -> Result<Begun, String> {
        let Some(conversation) = &inquire.conversation else {
            let about = match &inquire.incident {
                Some(given) => {
                    let id = self.resolve(given).await.map_err(|e| e.to_string())?;
                    Some(self.incident(&id).await.map_err(|e| e.to_string())?)
                }
                None => None,
            };
            let named = inquire.cluster.as_ref().map(Cluster::new);
            let of_incident = about.as_ref().map(|state| state.cluster.clone());
            let first = || self.ports().sites.all().next().map(|site| site.cluster.clone());
            let cluster = named.or(of_incident).or_else(first).ok_or("there is no cluster")?;
            if about.as_ref().is_some_and(|state| state.cluster != cluster) {
                return Err(format!("the incident is not about cluster `{cluster}`"));
            }
            let namespaces = (!inquire.namespaces.is_empty()).then(|| inquire.namespaces.clone());
            let outside = |namespace: &str| namespaces.as_ref().is_some_and(|only| !only.contains(namespace));
            if let Some(named) = about.as_ref().and_then(|state| state.target.named())
                && outside(&named.namespace)
            {
                return Err(
                    "the incident is not about a namespace that may be read for this question".to_owned()
                );
            }
            let stream = StreamId::new(format!("{STREAM}{:010x}", super::entropy() >> 88));
            return Ok(Begun { stream, earlier: Vec::new(), cluster, namespaces, about });
        };
        if inquire.cluster.is_some() || inquire.incident.is_some() || !inquire.namespaces.is_empty() {
            return Err("a conversation goes on about what it began with: ask a new question".to_owned());
        }
        let (stream, earlier) = self.conversation(conversation).await?;
        let first = earlier.first().ok_or("it has no beginning")?;
        let about = match &first.incident {
            Some(id) => Some(self.incident(id).await.map_err(|e| e.to_string())?),
            None => None,
        };
        let (cluster, namespaces) = (first.cluster.clone(), first.namespaces.clone());
        Ok(Begun { stream, earlier, cluster, namespaces, about })
    }

    async fn conversation(&self, name: &str) -> Result<(StreamId, Vec<Inquiry>), String> {
        let unknown = || format!("there is no conversation `{}`", fence::one_line(name, 80));
        if !name.starts_with(STREAM) {
            return Err(unknown());
        }
        let stream = StreamId::new(name);
        let entries = self.ports().store.range(&stream, 1, LONGEST).await.map_err(|e| e.to_string())?;
        if entries.len() >= LONGEST {
            return Err(format!("`{name}` has {LONGEST} questions: begin a new conversation"));
        }
        let inquired = entries.iter().filter_map(|entry| match &entry.record {
            Record::Inquired(inquiry) => Some((**inquiry).clone()),
            _ => None,
        });
        let earlier: Vec<Inquiry> = inquired.collect();
        if earlier.is_empty() { Err(unknown()) } else { Ok((stream, earlier)) }
    }
}

/// What an incident is about, as far as it has been looked at.
fn case_of(state: &State) -> Option<Case<'_>> {
    Some(Case {
        incident: &state.id,
        cluster: &state.cluster,
        namespace: &state.target.named()?.namespace,
        alert: state.lead()?,
        diagnosis: state.diagnosis.as_ref()?,
    })
}

fn pair(inquiry: &Inquiry) -> (String, String) {
    let answer = match &inquiry.said {
        Said::Answer { text, .. } => text.clone(),
        Said::CannotTell { reason } | Said::OnlyReads { reason } => reason.clone(),
        Said::Nothing { why } => why.clone(),
    };
    (inquiry.question.clone(), answer)
}

/// The evidence of these names, in their order.
fn cited<'a>(ids: &[EvidenceId], known: impl Iterator<Item = &'a Evidence>) -> Vec<Evidence> {
    let known: Vec<&Evidence> = known.collect();
    ids.iter().filter_map(|id| known.iter().find(|e| e.id == *id).map(|e| (*e).clone())).collect()
}
