//! A recorded conversation, played again: the same machine, the recorded answers and results, no model and no
//! cluster. Pure; and the tools of a recording, for another model to be tried on it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::desk::Call;
use super::ending::is_ending;
use super::endpoints;
use super::endpoints::egress::Place;
use super::fence::Fence;
use super::machine::{Event, Frame, Investigation, Step};
use super::outcome::End;
use super::prompts::{Case, Prompts};
use super::shelf;
use super::tape::{Answer, Called, Exchange, Gave, Tape};
use crate::domain::alert::Alert;
use crate::domain::canonical::Hash;
use crate::domain::ids::{Cluster, IncidentId};
use crate::domain::record::{Choice, Conclusion, Diagnosis};
use crate::ports::model::{Chat, Message, ToolError, ToolResult, ToolSpec, Tools};

/// One investigation with everything that it needs to be had again: what a file of `belay eval` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The incident.
    pub incident: IncidentId,
    /// Which cluster.
    pub cluster: Cluster,
    /// The namespace of the target.
    pub namespace: String,
    /// The alert.
    pub alert: Alert,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// What was chosen.
    pub choice: Choice,
    /// What passed.
    pub tape: Tape,
    /// What tools gave, by hash.
    pub outputs: BTreeMap<Hash, String>,
}

/// How it went the second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How it ended, if the recording went on for long enough.
    pub end: Option<End>,
    /// Where it was not as recorded, one sentence each.
    pub differs: Vec<String>,
}

impl Recording {
    /// What it is about.
    pub fn case(&self) -> Case<'_> {
        let Self { incident, cluster, namespace, alert, diagnosis, .. } = self;
        Case { incident, cluster, namespace, alert, diagnosis }
    }

    /// Has it again with these prompts.
    pub fn play(&self, prompts: &Prompts) -> Played {
        let mut differs = Vec::new();
        let Some(frame) = self.frame(prompts, &mut differs) else { return Played { end: None, differs } };
        let tape = &self.tape;
        let mut exchanges = tape.exchanges.iter().zip(tape.requests()).enumerate();
        let mut now = tape.started;
        let mut machine = Investigation::new(frame, &self.diagnosis, tape.limits.clone(), now);
        let mut step = machine.next(Event::Start, now);
        loop {
            let event = match step {
                Step::End(end) => {
                    let more = exchanges.count();
                    if more > 0 {
                        differs.push(format!("it ends {more} turns earlier"));
                    }
                    self.compare(&end, &mut differs);
                    return Played { end: Some(end), differs };
                }
                Step::Ask { chat, .. } => {
                    let Some((n, (exchange, recorded))) = exchanges.next() else {
                        differs.push("it asks once more than was recorded".to_owned());
                        return Played { end: None, differs };
                    };
                    if endpoints::request(&chat) != exchange.request {
                        differs.push(format!("turn {}: {}", n + 1, apart(&chat, &recorded)));
                    }
                    now = now.max(exchange.until);
                    answer(exchange)
                }
                Step::CallTools { calls, .. } => self.results(&calls, &mut now),
            };
            step = machine.next(event, now);
        }
    }

    fn frame(&self, prompts: &Prompts, differs: &mut Vec<String>) -> Option<Frame> {
        let Ok(nonce) = u128::from_str_radix(&self.tape.nonce, 16) else {
            differs.push("the recording has no nonce".to_owned());
            return None;
        };
        let (case, fence) = (self.case(), Fence::new(nonce));
        if prompts.hash() != self.tape.prompts {
            differs.push("the prompts in force are others than the recorded ones".to_owned());
        }
        let rendered =
            prompts.system(&case, &fence).and_then(|system| Ok((system, prompts.incident(&case, &fence)?)));
        let (system, incident) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => {
                differs.push(error.to_string());
                return None;
            }
        };
        let (place, reach) = (Place::of(&self.namespace), self.tape.reach.clone());
        Some(Frame { system, incident, tools: self.tools(), fence, place, reach })
    }

    /// The tools of the hub as they were on offer.
    fn tools(&self) -> Vec<ToolSpec> {
        let offered = self.tape.exchanges.first().and_then(|e| e.tools.clone()).unwrap_or_default();
        offered.into_iter().filter(|t| !is_ending(&t.name) && !shelf::is_own(&t.name)).collect()
    }

    /// What these calls gave then. Where nothing was waited for, nothing is now.
    fn results(&self, calls: &[Call], now: &mut Timestamp) -> Event {
        let recorded: Vec<&Called> =
            calls.iter().filter_map(|call| self.tape.calls.iter().find(|c| c.id == call.id)).collect();
        if recorded.is_empty() && !calls.is_empty() {
            return Event::Late;
        }
        let until = recorded.iter().filter_map(|c| c.at.checked_add(c.took).ok()).max();
        *now = until.unwrap_or(*now).max(*now);
        Event::Answered(recorded.into_iter().map(|c| (c.id.clone(), self.gave(c))).collect())
    }

    fn gave(&self, called: &Called) -> Result<ToolResult, ToolError> {
        let output = |hash: &Hash, failed| match self.outputs.get(hash) {
            Some(text) => Ok(ToolResult { text: text.clone(), failed }),
            None => Err(ToolError::NoAnswer("its result is not kept any more".to_owned())),
        };
        match &called.gave {
            Gave::Output(hash) => output(hash, false),
            Gave::Failure(hash) => output(hash, true),
            Gave::Nothing(error) => Err(error.clone()),
        }
    }

    fn compare(&self, end: &End, differs: &mut Vec<String>) {
        let now = match end {
            End::Concluded { conclusion, .. } => conclusion.clone(),
            End::Said(_) => {
                differs.push("it ends as a question does".to_owned());
                return;
            }
            End::Degraded(why) => super::playbook(&self.diagnosis, why.to_string()).conclusion,
        };
        if now != self.choice.conclusion {
            differs.push(format!(
                "it ends with {} instead of {}",
                words(&now),
                words(&self.choice.conclusion)
            ));
        }
    }
}

fn answer(exchange: &Exchange) -> Event {
    match &exchange.answer {
        Answer::Reply(reply) => Event::Replied(Ok(reply.clone())),
        Answer::Failed(error) => Event::Replied(Err(error.clone())),
        Answer::Late => Event::Late,
        Answer::Cancelled => Event::Cancelled,
    }
}

/// Where two requests part.
fn apart(now: &Chat, then: &Chat) -> String {
    let role = |message: Option<&Message>| match message {
        Some(Message::System { .. }) => "the system message",
        Some(Message::User { .. }) => "a message of belay's",
        Some(Message::Assistant { .. }) => "an answer of the model",
        Some(Message::Tool { .. }) => "a tool result",
        None => "the end",
    };
    let same = now.messages.iter().zip(&then.messages).take_while(|(a, b)| a == b).count();
    if same < now.messages.len().max(then.messages.len()) {
        let what = role(now.messages.get(same).or_else(|| then.messages.get(same)));
        return format!("message {} differs, {what}", same + 1);
    }
    if now.tools == then.tools {
        "what is demanded differs".to_owned()
    } else {
        "the tools on offer differ".to_owned()
    }
}

/// A conclusion in a few words.
pub fn words(conclusion: &Conclusion) -> String {
    match conclusion {
        Conclusion::Choose { candidate, .. } => format!("choose {candidate}"),
        Conclusion::NoAction => "no_action".to_owned(),
        Conclusion::Escalate => "escalate".to_owned(),
    }
}

/// The tools of a recording: what was called then is answered as it was then, and nothing else is.
#[derive(Debug, Clone)]
pub struct RecordedTools(Recording);

impl RecordedTools {
    /// Those of this one.
    pub const fn of(recording: Recording) -> Self {
        Self(recording)
    }
}

#[async_trait]
impl Tools for RecordedTools {
    async fn list(&self) -> Result<Vec<ToolSpec>, ToolError> {
        Ok(self.0.tools())
    }

    async fn call(&self, name: &str, arguments: &str, _: Duration) -> Result<ToolResult, ToolError> {
        let arguments = super::calls::blanked(arguments);
        let then = self.0.tape.calls.iter().find(|c| c.tool == name && c.arguments == arguments);
        match then {
            Some(called) => self.0.gave(called),
            None => Ok(ToolResult { text: "nothing is recorded of that".to_owned(), failed: true }),
        }
    }
}
