//! The investigation as a pure state machine: an event in, the next step out. It reads nothing, waits for
//! nothing and knows no time but what it is told; whoever drives it makes no choices.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::calls::{self, Admitted, Ids};
use super::desk::{Call, Desk, Gate, Planned};
use super::ending::{ESCALATE, Ended, Endings, is_ending};
use super::endpoints::egress::{Place, Reach};
use super::fence::{self, Fence};
use super::limits::{CALLS_IN_ANSWER, Limits, TOOLS};
use super::outcome::{Degraded, End, Gathered, Note};
use super::playbook;
use super::shelf::{self, READ, Shelf};
use super::step::Flaw;
pub use super::step::{Event, Frame, Step};
use super::tokens;
use super::transcript::Transcript;
use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::EvidenceId;
use crate::domain::record::{Conclusion, Diagnosis, Said};
use crate::domain::suspicion::{self, Flag};
use crate::ports::model::{Chat, Reply, ToolError, ToolResult, ToolSpec};

#[derive(Debug, Clone)]
enum Phase {
    Fresh,
    Asked,
    Calling(Vec<Planned>),
    Ended(End),
}

/// One investigation under way.
#[derive(Debug, Clone)]
pub struct Investigation {
    limits: Limits,
    fence: Fence,
    tools: Vec<ToolSpec>,
    endings: Endings,
    /// A certain cause with a remedy, where there is one.
    certain: Option<&'static str>,
    started: Timestamp,
    phase: Phase,
    transcript: Transcript,
    ids: Ids,
    desk: Desk,
    shelf: Shelf,
    places: BTreeSet<Place>,
    reach: Reach,
    /// Which endpoint answered last.
    endpoint: Option<usize>,
    gathered: Vec<Evidence>,
    said: Vec<String>,
    /// What the text that the model read does that data does not.
    flags: BTreeSet<Flag>,
    spent: Spent,
    /// Whether read tools were on offer in the turn that is being answered.
    offered: bool,
    /// Whether the next turn must correct an error.
    repairing: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    turns: u32,
    tokens: u64,
    repairs: u32,
    denials: u32,
    /// What the turn that is being answered cost to send, where nobody counts.
    sending: u64,
    /// Turns in which a call was made again: the first is a nudge, the second takes the tools away.
    repeats: u32,
}

impl Investigation {
    /// An investigation of this diagnosis that begins at `now`.
    pub fn new(frame: Frame, diagnosis: &Diagnosis, limits: Limits, now: Timestamp) -> Self {
        let certain = playbook::certain_remedy(diagnosis);
        Self { certain, ..Self::with(frame, Endings::of(diagnosis), limits, now) }
    }

    /// A question that is asked at `now`, in whose context this evidence stands.
    pub fn of_question(
        frame: Frame,
        known: impl IntoIterator<Item = EvidenceId>,
        limits: Limits,
        now: Timestamp,
    ) -> Self {
        Self::with(frame, Endings::of_question(known), limits, now)
    }

    fn with(frame: Frame, endings: Endings, limits: Limits, now: Timestamp) -> Self {
        let Frame { system, incident, tools, fence, place, reach } = frame;
        let mut names = BTreeSet::new();
        let tools: Vec<ToolSpec> = tools
            .into_iter()
            .filter(|t| calls::is_tool_name(&t.name) && !is_ending(&t.name) && !shelf::is_own(&t.name))
            .filter(|t| names.insert(t.name.clone()))
            .take(TOOLS)
            .collect();
        // without a tool there is nothing to page through
        let paging = shelf::specs().into_iter().filter(|_| !tools.is_empty()).collect::<Vec<_>>();
        let tools: Vec<ToolSpec> = tools.into_iter().chain(paging).collect();
        Self {
            desk: Desk::new(tools.iter().map(|t| t.name.clone()).collect(), &limits),
            endings,
            certain: None,
            transcript: Transcript::new(system, incident),
            started: now,
            phase: Phase::Fresh,
            ids: Ids::default(),
            shelf: Shelf::default(),
            places: BTreeSet::from([place]),
            reach,
            endpoint: None,
            gathered: Vec::new(),
            said: Vec::new(),
            flags: BTreeSet::new(),
            spent: Spent::default(),
            offered: false,
            repairing: false,
            limits,
            fence,
            tools,
        }
    }

    /// Takes what came back and says what to do next.
    pub fn next(&mut self, event: Event, now: Timestamp) -> Step {
        match (std::mem::replace(&mut self.phase, Phase::Fresh), event) {
            (Phase::Ended(end), _) => self.end(end),
            (Phase::Fresh | Phase::Asked | Phase::Calling(_), Event::Cancelled) => {
                self.end(End::Degraded(Degraded::Cancelled))
            }
            (Phase::Fresh, Event::Start) => self.ask(now),
            (Phase::Asked, Event::Replied(Ok(reply))) => self.replied(reply, now),
            (Phase::Asked, Event::Replied(Err(error))) => self.end(End::Degraded(error.into())),
            (Phase::Calling(calls), Event::Answered(results)) => {
                self.answered(&calls, results, now);
                self.ask(now)
            }
            (Phase::Calling(calls), Event::Late) => {
                self.answered(&calls, Vec::new(), now);
                self.end(End::Degraded(Degraded::Slow))
            }
            (Phase::Fresh | Phase::Asked, Event::Late) => self.end(End::Degraded(Degraded::Slow)),
            (Phase::Fresh, Event::Replied(_) | Event::Answered(_))
            | (Phase::Asked, Event::Start | Event::Answered(_))
            | (Phase::Calling(_), Event::Start | Event::Replied(_)) => {
                self.end(End::Degraded(Degraded::OutOfStep))
            }
        }
    }

    /// What was gathered on the way.
    pub fn gathered(self) -> Gathered {
        let said = self.said.join("\n");
        Gathered {
            evidence: self.gathered,
            said: fence::bounded(&said, self.limits.said_bytes),
            transcript: self.transcript.into_messages(),
            outputs: self.shelf.into_outputs(),
            endpoint: self.endpoint,
            tokens: self.spent.tokens,
            turns: self.spent.turns,
            flags: self.flags,
        }
    }

    fn left(&self, now: Timestamp) -> SignedDuration {
        // a clock that jumped back gives no more time than there was
        let spent = now.duration_since(self.started).max(SignedDuration::ZERO);
        self.limits.wall.saturating_sub(spent)
    }

    fn ask(&mut self, now: Timestamp) -> Step {
        let (left, Spent { turns, tokens, .. }) = (self.left(now), self.spent);
        let over = if !left.is_positive() {
            Some(Degraded::Slow)
        } else if tokens >= self.limits.tokens {
            Some(Degraded::Tokens { spent: tokens, limit: self.limits.tokens })
        } else if turns >= self.limits.turns {
            Some(Degraded::Turns { limit: self.limits.turns })
        } else {
            None
        };
        if let Some(why) = over {
            return self.end(End::Degraded(why));
        }
        self.spent.turns += 1;
        self.offered = !self.must_end(left);
        let mut tools = if self.offered { self.tools.clone() } else { Vec::new() };
        tools.extend(self.endings.specs());
        self.transcript.compact(self.limits.history);
        let chat = Chat {
            messages: self.transcript.sent(),
            tools,
            must_call: std::mem::take(&mut self.repairing) || !self.offered,
            max_tokens: self.limits.answer_tokens,
        };
        self.phase = Phase::Asked;
        self.spent.sending = tokens::most(&chat).prompt;
        let places = self.places.clone();
        Step::Ask { chat, places, within: left.min(self.limits.turn).unsigned_abs() }
    }

    /// Whether the coming turn has only the endings: it is the last, tools were withdrawn, or only a
    /// quarter of tokens or time is left.
    fn must_end(&self, left: SignedDuration) -> bool {
        self.spent.turns >= self.limits.turns
            || self.spent.tokens >= self.limits.tokens / 4 * 3
            || left < self.limits.wall / 4
            || self.withdrawn()
            || self.desk.exhausted()
    }

    const fn withdrawn(&self) -> bool {
        self.spent.repeats >= 2
    }

    fn replied(&mut self, reply: Reply, now: Timestamp) -> Step {
        let used = match reply.usage.total() {
            0 => self.spent.sending.saturating_add(tokens::of_reply(&reply)),
            counted => counted,
        };
        let Reply { content, calls, incomplete, usage: _, endpoint } = reply;
        self.spent.tokens = self.spent.tokens.saturating_add(used);
        self.endpoint = Some(endpoint);
        self.hear(&content);
        let flaw = if incomplete.is_some() {
            Some((Flaw::CutOff, "Your answer was cut off or withheld and counts for nothing. Be brief."))
        } else if calls.len() > CALLS_IN_ANSWER {
            Some((Flaw::TooMany, "Far too many calls in one answer: none was carried out."))
        } else if calls.is_empty() {
            Some((Flaw::NoCall, "Only calls count. Call a tool, or end the investigation with one call."))
        } else {
            None
        };
        if let Some((flaw, nudge)) = flaw {
            self.transcript.assistant(&content, Vec::new());
            self.transcript.user(nudge);
            return self.repair(flaw, now);
        }
        let admitted: Vec<Admitted> =
            calls.iter().map(|call| calls::admit(&mut self.ids, call, self.limits.argument_bytes)).collect();
        self.transcript.assistant(&content, admitted.iter().map(|a| a.call.clone()).collect());
        let mut endings = admitted.iter().filter(|a| is_ending(&a.call.name));
        match (endings.next(), admitted.len()) {
            (None, _) => self.reads(&admitted, now),
            (Some(only), 1) => self.ending(only, now),
            (Some(first), _) => {
                if first.call.name == ESCALATE || endings.any(|a| a.call.name == ESCALATE) {
                    return self.escalate(Note::Mixed);
                }
                self.transcript.close("nothing was done: end with one call and no other beside it");
                self.repair(Flaw::Mixed, now)
            }
        }
    }

    /// The model ended with one call.
    fn ending(&mut self, Admitted { call, fault }: &Admitted, now: Timestamp) -> Step {
        let checked = match fault {
            Some(fault) => Err((*fault).to_owned()),
            None => self.endings.check(&call.name, &call.arguments).map_err(|e| e.to_string()),
        };
        let (conclusion, reason) = match checked {
            Ok(Ended::Concluded { conclusion, reason }) => (conclusion, reason),
            Ok(Ended::Said(said)) => {
                self.transcript.close("accepted");
                return self.end(End::Said(self.bounded(said)));
            }
            Err(why) => {
                self.transcript.close(&format!("not accepted: {why}"));
                return self.repair(Flaw::Ending, now);
            }
        };
        self.hear(&reason);
        self.transcript.close("accepted");
        match (&conclusion, self.certain) {
            (Conclusion::NoAction, Some(cause)) => self.escalate(Note::Overruled { cause }),
            (Conclusion::Choose { .. } | Conclusion::NoAction | Conclusion::Escalate, _) => {
                self.end(End::Concluded { conclusion, note: None })
            }
        }
    }

    /// What the model says to a question, fit to be kept and shown.
    fn bounded(&self, said: Said) -> Said {
        let plain = |text: String| fence::bounded(fence::clean(&text).trim(), self.limits.said_bytes);
        match said {
            Said::Answer { text, evidence } => Said::Answer { text: plain(text), evidence },
            Said::CannotTell { reason } => Said::CannotTell { reason: plain(reason) },
            Said::OnlyReads { reason } => Said::OnlyReads { reason: plain(reason) },
            Said::Nothing { why } => Said::Nothing { why },
        }
    }

    /// The model called tools.
    fn reads(&mut self, admitted: &[Admitted], now: Timestamp) -> Step {
        if self.withdrawn() {
            return self.escalate(Note::Looped);
        }
        let endpoint = self.endpoint.unwrap_or_default();
        let gate = Gate { offered: self.offered, reach: &self.reach, endpoint };
        let plan = self.desk.plan(admitted, &gate);
        self.spent.repeats += u32::from(plan.repeated);
        self.spent.denials += plan.denied;
        if self.spent.denials >= self.limits.denials {
            return self.escalate(Note::Denied(self.spent.denials));
        }
        if plan.faulty && self.spent.repairs >= self.limits.repairs {
            return self.escalate(Note::Malformed(Flaw::Call.words()));
        }
        if plan.faulty {
            self.spent.repairs += 1;
            self.repairing = true;
        }
        let runs: Vec<Call> = plan
            .calls
            .iter()
            .filter_map(|p| match p {
                Planned::Run(call) => Some(call.clone()),
                Planned::Refuse { .. } | Planned::Show(_) => None,
            })
            .collect();
        if runs.is_empty() {
            self.answered(&plan.calls, Vec::new(), now);
            return self.ask(now);
        }
        let left = self.left(now);
        if !left.is_positive() {
            return self.end(End::Degraded(Degraded::Slow));
        }
        self.places.extend(plan.places);
        self.phase = Phase::Calling(plan.calls);
        Step::CallTools { calls: runs, within: left.min(self.limits.tool).unsigned_abs() }
    }

    /// Gives each call its one result, in order.
    fn answered(
        &mut self,
        calls: &[Planned],
        results: Vec<(String, Result<ToolResult, ToolError>)>,
        now: Timestamp,
    ) {
        // the first answer to a call counts; later ones are dropped
        let mut by_id = BTreeMap::new();
        for (id, result) in results {
            by_id.entry(id).or_insert(result);
        }
        for planned in calls {
            match planned {
                Planned::Refuse { id, why } => self.transcript.result(id, why.clone(), None),
                Planned::Show(call) => {
                    let (text, brief) = self.page(call);
                    self.transcript.result(&call.id, text, brief);
                }
                Planned::Run(call) => {
                    let (text, brief) = match by_id.remove(&call.id) {
                        Some(Ok(result)) => self.present(call, &result, now),
                        Some(Err(error)) => {
                            self.flags.extend(suspicion::flags(&error.to_string()));
                            (fence::one_line(&error.to_string(), 300), None)
                        }
                        None => ("the tool did not answer in time".to_owned(), None),
                    };
                    self.transcript.result(&call.id, text, brief);
                }
            }
        }
    }

    /// A tool's result as the model sees it, and the line that may stand for it later. One that did not fail
    /// becomes evidence, and is kept whole.
    fn present(&mut self, call: &Call, result: &ToolResult, now: Timestamp) -> (String, Option<String>) {
        let max = self.limits.result_bytes;
        self.flags.extend(suspicion::flags(&result.text));
        let text = fence::clean(&result.text);
        let kept = self.shelf.keep(&text, max);
        if result.failed {
            return (format!("The call failed.\n{}", self.fence.data(&call.tool, &text, max)), None);
        }
        let id = self.next_evidence();
        // what the view adds comes on top
        let block = self.fence.cleaned(&call.tool, &shelf::view(&text, call, &id, max));
        self.endings.add(id.clone());
        self.shelf.name(id.clone(), kept);
        let title = fence::one_line(&format!("{} {}", call.tool, calls::blanked(&call.arguments)), 120);
        let brief = format!("Evidence {id} ({title}) stood here. `{READ}` shows it again.");
        self.gathered.push(Evidence {
            id: id.clone(),
            source: Source::Tool,
            title,
            // the first lines say what it is
            summary: fence::one_line(fence::head(&text, 1024), 240),
            blob: Some(kept),
            at: now,
            flags: suspicion::flags(&result.text),
        });
        (format!("Evidence {id}:\n{block}"), Some(brief))
    }

    /// A page of what is kept.
    fn page(&self, call: &Call) -> (String, Option<String>) {
        match self.shelf.page(call) {
            Err(why) => (why, None),
            Ok(page) => {
                let block = self.fence.data(&page.title, &page.text, self.limits.result_bytes);
                (block, Some(format!("{} stood here. `{READ}` shows them again.", page.title)))
            }
        }
    }

    fn next_evidence(&self) -> EvidenceId {
        let mut number = self.gathered.len() + 1;
        loop {
            let id = EvidenceId::new(format!("t{number}"));
            if !self.endings.knows(&id) {
                return id;
            }
            number += 1;
        }
    }

    /// Keeps the model's words for people.
    fn hear(&mut self, text: &str) {
        let text = fence::clean(text);
        if !text.trim().is_empty() {
            self.said.push(fence::bounded(text.trim(), self.limits.said_bytes));
        }
    }

    /// One more turn to put it right, if none was had yet.
    fn repair(&mut self, flaw: Flaw, now: Timestamp) -> Step {
        if self.spent.repairs >= self.limits.repairs {
            return self.escalate(Note::Malformed(flaw.words()));
        }
        self.spent.repairs += 1;
        self.repairing = true;
        self.ask(now)
    }

    fn escalate(&mut self, note: Note) -> Step {
        self.end(End::Concluded { conclusion: Conclusion::Escalate, note: Some(note) })
    }

    fn end(&mut self, end: End) -> Step {
        self.transcript.close("no result: the investigation ended");
        self.phase = Phase::Ended(end.clone());
        Step::End(end)
    }
}
