//! What the journal holds of one incident, as a timeline and as the draft of a post-mortem. Pure: the same records give the
//! same text, and no model has a part in it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::alert::AlertStatus;
use crate::domain::record::{Answer, Conclusion, Entry, Intent, Investigator, Record, Verdict};
use crate::domain::redact;
use crate::domain::warrant::Applied;
use crate::incident::State;
use crate::ports::incidents::Happening;

/// One sentence of a timeline: two lines of a screen.
const SENTENCE: usize = 300;
/// Sentences of one timeline: an incident that flaps all day has no more that matters.
const MOST: usize = 200;

/// What happened, in order. Of more than two hundred, the first half and the last.
pub(super) fn timeline<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Happening> {
    let tell = |entry: &Entry| {
        let says = redact::line(&sentence(&entry.record)?, SENTENCE);
        Some(Happening { at: entry.at, says })
    };
    let mut all: Vec<Happening> = entries.filter_map(tell).collect();
    if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
        let from = MOST / 2;
        let at = all.get(from).map_or(Timestamp::MIN, |h| h.at);
        let gap = Happening { at, says: format!("({more} entries are left out here)") };
        all.splice(from..from + more, [gap]);
    }
    all
}

/// What a record says to people; `None`: nothing that belongs into a story.
fn sentence(record: &Record) -> Option<String> {
    Some(match record {
        Record::Opened(opening) => format!("alert {} opened the incident", opening.alert.name()),
        Record::Observed { alert } => match alert.status {
            AlertStatus::Firing => format!("alert {} fires", alert.name()),
            AlertStatus::Resolved => format!("alert {} is resolved", alert.name()),
        },
        Record::Vanished { why, .. } => format!("an alert is over: {why}"),
        Record::Rehomed { owner } => format!("{owner} answers for it now"),
        Record::Merged { into } => format!("incident {into} goes on with it"),
        Record::Waits { why } => format!("it waits: {why}"),
        Record::Diagnosed(diagnosis) => {
            let found: Vec<&str> = diagnosis.findings.iter().map(|f| f.summary.as_str()).take(3).collect();
            match found.as_slice() {
                [] => "belay looked and found nothing".to_owned(),
                found => format!("belay found: {}", found.join("; ")),
            }
        }
        Record::Chosen(choice) => {
            let by = match &choice.by {
                Investigator::Playbook { .. } => "the playbook".to_owned(),
                Investigator::Model { model, .. } => format!("the model {model}"),
                Investigator::Outside { caller } => format!("{caller}, from outside,"),
            };
            match &choice.conclusion {
                Conclusion::Choose { candidate, .. } => format!("{by} chose candidate {candidate}"),
                Conclusion::NoAction => format!("{by} concluded that nothing should be done"),
                Conclusion::Escalate => format!("{by} concluded that a person should look"),
            }
        }
        Record::Suggested(s) => {
            let target = &s.target;
            format!("{} proposed {} of {} {}", s.by, s.action.name(), target.kind, target.name)
        }
        Record::Decided(decided) => {
            format!("policy: {}: {}", decided.decision.outcome.name(), decided.decision.because())
        }
        Record::Planned { plan, .. } => {
            let target = &plan.action.target().named;
            format!("a plan was made: {} of {} {}", plan.action.kind().name(), target.kind, target.name)
        }
        Record::NotPlanned { refusal, .. } => format!("no plan could be made: {refusal}"),
        Record::Asked(_) => "people were asked".to_owned(),
        Record::Answered { answer, by, .. } => format!("{} {}", by.name(), answered(answer)),
        Record::Lapsed { why, .. } => format!("the question is over: {why}"),
        Record::Intended(intent) => intended(intent),
        Record::Acted { applied, .. } => match applied {
            Applied::Done { .. } => "it was done".to_owned(),
            Applied::Refused { refusal } => format!("it was refused: {refusal}"),
            Applied::Unknown { detail } => format!("what became of it is not known: {detail}"),
        },
        Record::Verified { verdict, .. } => match verdict {
            Verdict::Helped { seen } => format!("it helped: {}", seen.join("; ")),
            Verdict::DidNotHelp { seen } => format!("it did not help: {}", seen.join("; ")),
            Verdict::CannotTell { why } => format!("whether it helped could not be told: {}", why.join("; ")),
        },
        Record::Recurred { seen, .. } => format!("its cause came again: {}", seen.join("; ")),
        Record::Escalated { why, .. } => format!("a person was called: {why}"),
        Record::Paged { through } => format!("the call went out through {through}"),
        Record::Closed { summary, .. } => format!("the incident is over: {summary}"),
        // bookkeeping, and what belongs to streams of the daemon
        _ => return None,
    })
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Approve => "approved".to_owned(),
        Answer::Reject { reason } => format!("rejected: {reason}"),
        Answer::Confirm => "confirmed".to_owned(),
        Answer::Revert => "asked to put it back".to_owned(),
        Answer::HandOver => "took it over".to_owned(),
    }
}

fn intended(intent: &Intent) -> String {
    let target = &intent.plan.action.target().named;
    let what = format!("{} of {} {}", intent.plan.action.kind().name(), target.kind, target.name);
    match &intent.reverts {
        Some(_) => format!("it is put back: {what}, approved by {}", intent.approved_by),
        None => format!("{what} is carried out, approved by {}", intent.approved_by),
    }
}

/// A draft of the post-mortem, in Markdown. What people have to add is asked, not made up.
pub(super) fn post_mortem(state: &State, timeline: &[Happening]) -> String {
    let alert = state.lead().map_or("an alert", |alert| alert.name());
    let owner = state.owner.as_ref().map_or_else(|| "an unclear target".to_owned(), ToString::to_string);
    let mut parts = vec![
        format!("# Post-mortem (draft): {} on {}", cell(alert), cell(&owner)),
        format!(
            "Incident `{}` of cluster `{}`, drafted from belay's journal. Nothing in it was written by a model.",
            state.id, state.cluster
        ),
        facts(state),
        "## Impact\n\n_To be written by a person: who noticed what, and for how long._".to_owned(),
        found(state),
        acts(state),
    ];
    let rows = timeline
        .iter()
        .map(|h| format!("| {} | {} |", h.at.strftime("%Y-%m-%d %H:%M:%S UTC"), cell(&h.says)));
    parts.push(format!("## Timeline\n\n| when | what |\n|---|---|\n{}", rows.collect::<Vec<_>>().join("\n")));
    parts.push(
        "## To be answered\n\n- What was the root cause, beyond what was found above?\n- What would have told sooner?\n- \
         What keeps it from happening again, who does it, and until when?"
            .to_owned(),
    );
    parts.join("\n\n") + "\n"
}

fn facts(state: &State) -> String {
    let mut lines = vec![format!("- opened: {}", state.opened_at)];
    let first = state.alerts.values().map(|alert| alert.starts_at).min();
    if let Some(first) = first {
        lines.push(format!("- its first alert fires since: {first}"));
    }
    if let Some((_, summary, at)) = &state.closed {
        lines.push(format!("- closed: {at}, after {}", long(at.duration_since(state.opened_at))));
        lines.push(format!("- outcome: {}", cell(summary)));
    } else {
        lines.push("- it is not over".to_owned());
    }
    lines.push(format!("- people were called {} times", state.escalations.len()));
    format!("## Summary\n\n{}", lines.join("\n"))
}

fn found(state: &State) -> String {
    let findings = state.diagnosis.as_ref().map(|d| d.findings.as_slice()).unwrap_or_default();
    let lines: Vec<String> =
        findings.iter().take(5).map(|f| format!("- {}: {}", f.cause.name(), cell(&f.summary))).collect();
    let lines = if lines.is_empty() { "- nothing".to_owned() } else { lines.join("\n") };
    format!("## What was found\n\n{lines}")
}

fn acts(state: &State) -> String {
    let line = |act: &crate::incident::Act| {
        let became = match (&act.verdict, &act.put_back) {
            (_, Some(_)) => "was put back",
            (Some(Verdict::Helped { .. }), None) => "helped",
            (Some(Verdict::DidNotHelp { .. }), None) => "did not help",
            (Some(Verdict::CannotTell { .. }) | None, None) => "it is not known whether it helped",
        };
        format!("- {}: {became}", cell(&intended(&act.intent)))
    };
    let lines: Vec<String> = state.acts.iter().map(line).collect();
    let lines = if lines.is_empty() { "- nothing".to_owned() } else { lines.join("\n") };
    format!("## What was done\n\n{lines}")
}

fn long(span: SignedDuration) -> String {
    match span.as_mins().max(0) {
        minutes if minutes < 120 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes / 60),
    }
}

/// Text of others within Markdown: on one line, and no character of it is markup.
fn cell(text: &str) -> String {
    let line = redact::line(text, SENTENCE);
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if r"\`*_{}[]<>#|~!&".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_no_markup() {
        assert_eq!(cell("a | b\n# c <img> [x](y)"), r"a \| b \# c \<img\> \[x\](y)");
    }
}
