//! The paragraphs below the headline: what happened, what was found, what is done and why, what came of it.

use crate::domain::action::ActionKind;
use crate::domain::brief::{About, Brief};
use crate::domain::decision::{Decision, OnSilence, Reason};
use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::EvidenceId;
use crate::domain::message::{Line, Section};
use crate::domain::plan::Plan;
use crate::domain::record::{Answer, Choice, Conclusion, Diagnosis, Investigator, Suggestion, Verdict};
use crate::domain::redact;
use crate::domain::target::Targeted;
use crate::domain::warrant::{Applied, Proposed};

use super::words::{self, Form, act, brief, clause};
use super::{Act, Open, Story};

/// The bounds of a message that is read on a telephone: beyond them `belay incidents show` has the rest.
const ALERTS: usize = 3;
const FINDINGS: usize = 3;
const EVIDENCE: usize = 10;
/// Lines of what a finding rests on. What no finding cites is named and not shown: the journal has it.
const EVIDENCE_LINES: usize = 2;
/// Characters of such a line: two lines of a terminal.
const EVIDENCE_LINE: usize = 160;
const REASONS: usize = 6;
/// Characters of one text of others.
const TEXT: usize = 600;

/// The sections of this story, in reading order.
pub fn sections(story: &Story) -> Vec<Section> {
    let all = [
        ("What happened", happened(story)),
        ("What belay found", story.diagnosis.as_ref().map_or_else(Vec::new, found)),
        ("What belay looked up", story.diagnosis.as_ref().map_or_else(Vec::new, |d| looked_up(&d.brief))),
        (
            plan_title(story),
            story.plan.as_ref().map_or_else(|| unplanned(story), |plan| planned(story, plan)),
        ),
        ("Why", story.decisions.last().map_or_else(Vec::new, decided)),
        ("What was done", done(story)),
        ("Who investigated", story.choice.as_ref().map_or_else(Vec::new, investigated)),
        ("What others proposed", suggested(&story.suggestions)),
        ("What people said", said(story)),
        ("If nobody answers", story.asked().map_or_else(Vec::new, |open| silence(story, open))),
        ("Paused", story.holds.iter().map(|hold| belay(hold)).collect()),
        ("Why a person was called", story.escalations.iter().map(|e| belay(&e.why)).collect()),
        ("How it ended", story.closed.iter().map(|closed| belay(&closed.summary)).collect()),
    ];
    all.into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(title, lines)| Section { title: title.to_owned(), lines })
        .collect()
}

/// A sentence of belay's, bounded.
fn belay(text: &str) -> Line {
    Line::Belay(brief(text, TEXT))
}

/// Text of others, verbatim but for secrets, and bounded.
fn quoted(text: &str) -> Line {
    let text = redact::redact(text);
    if text.chars().count() <= TEXT {
        return Line::Quoted(text);
    }
    Line::Quoted(text.chars().take(TEXT - 1).chain(['…']).collect())
}

fn happened(story: &Story) -> Vec<Line> {
    let mut lines = Vec::new();
    for alert in story.alerts.iter().take(ALERTS) {
        lines.push(Line::Belay(words::alert(alert)));
    }
    let more = story.alerts.len().saturating_sub(ALERTS);
    if more > 0 {
        lines.push(Line::Belay(format!("And {more} more alerts of the same owner.")));
    }
    let annotations = story.alerts.first().map(|alert| &alert.annotations);
    let text = annotations.and_then(|a| ["summary", "description", "message"].iter().find_map(|k| a.get(*k)));
    lines.extend(text.filter(|t| !t.is_empty()).map(|text| quoted(text)));
    lines.push(about(story));
    lines
}

fn about(story: &Story) -> Line {
    let cluster = &story.cluster;
    belay(&match &story.target {
        Targeted::Named { object, label } => {
            let place = if object.namespace.is_empty() {
                String::new()
            } else {
                format!(", namespace `{}`", object.namespace)
            };
            let owner = story.owner.as_ref().filter(|owner| owner.0.named != *object);
            let owner = owner.map_or_else(String::new, |o| format!(", owned by {}", words::object(&o.0)));
            format!(
                "It is about {} `{}`{owner}{place}, cluster `{cluster}` (named by the label `{label}`).",
                object.kind, object.name
            )
        }
        Targeted::Unclear { why } => {
            format!("What it is about, in cluster `{cluster}`, is unclear: {}.", clause(why))
        }
    })
}

fn found(diagnosis: &Diagnosis) -> Vec<Line> {
    let mut lines = Vec::new();
    for finding in diagnosis.findings.iter().take(FINDINGS) {
        lines.push(Line::Belay(words::finding(finding)));
        if !finding.rules_out.is_empty() {
            lines.push(belay(&format!("Ruled out: {}.", finding.rules_out.join("; "))));
        }
    }
    if diagnosis.findings.is_empty() {
        lines.push(Line::Belay("No cause that belay knows.".to_owned()));
    }
    lines.extend(rests_on(diagnosis));
    lines
        .extend(diagnosis.missing.iter().map(|what| belay(&format!("Could not be read: {}.", clause(what)))));
    lines
}

/// The brief: a line a point, and what others wrote about it. All of it is in `belay incidents show`, as is this.
fn looked_up(brief: &Brief) -> Vec<Line> {
    let mut lines = Vec::new();
    for point in &brief.points {
        let name = sentence(point.about.name());
        let says: Vec<&str> = point.says.iter().chain(&point.elsewhere).map(String::as_str).collect();
        match (point.about, says.split_first()) {
            // a step of a runbook is a line of its own: together they would be cut
            (About::Runbooks, Some((first, steps))) => {
                lines.push(belay(&format!("{name}: {first}.")));
                lines.extend(steps.iter().map(|step| belay(&format!("{}.", sentence(step)))));
            }
            (_, Some(_)) => lines.push(belay(&format!("{name}: {}.", says.join("; ")))),
            (_, None) => {}
        }
        if point.about == About::Runbooks {
            lines.extend(point.quoted.iter().map(|text| quoted(text)));
        }
    }
    lines.extend(brief.missing().map(|gap| belay(&format!("{}.", sentence(&gap)))));
    lines
}

/// What the findings cite, with its text; the rest by name, on one line.
fn rests_on(diagnosis: &Diagnosis) -> Vec<Line> {
    let shown = diagnosis.findings.iter().take(FINDINGS);
    let cited: Vec<&EvidenceId> = shown.flat_map(|finding| &finding.evidence).collect();
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for evidence in diagnosis.evidence.iter().take(EVIDENCE) {
        if cited.contains(&&evidence.id) {
            lines.push(belay(&named(evidence)));
            lines.extend(excerpt(&evidence.summary));
        } else {
            others.push(format!("{} {}{}", evidence.id, clause(&evidence.title), warned(evidence)));
        }
    }
    let more = diagnosis.evidence.len().saturating_sub(EVIDENCE);
    if more > 0 {
        others.push(format!("and {more} more pieces of evidence"));
    }
    if !others.is_empty() {
        lines.push(belay(&format!("Also read: {}.", others.join("; "))));
    }
    lines
}

/// "e1 Deployment shop/web (API server)".
fn named(evidence: &Evidence) -> String {
    let source = match evidence.source {
        Source::Api => "API server",
        Source::Metrics => "metrics",
        Source::Logs => "logs",
        Source::Events => "events",
        Source::Alerts => "alerts",
        Source::Tool => "tool",
    };
    format!("{} {} ({source}){}", evidence.id, clause(&evidence.title), warned(evidence))
}

/// What people have to know before they read it.
fn warned(evidence: &Evidence) -> String {
    let flags: Vec<String> = evidence.flags.iter().map(ToString::to_string).collect();
    if flags.is_empty() { String::new() } else { format!(" — careful: {}", flags.join(", ")) }
}

/// The first lines of a text of others, verbatim but each bounded.
fn excerpt(text: &str) -> Option<Line> {
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(EVIDENCE_LINES)
        .map(|line| match line.char_indices().nth(EVIDENCE_LINE) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line.to_owned(),
        })
        .collect();
    (!lines.is_empty()).then(|| Line::Quoted(lines.join("\n")))
}

fn plan_title(story: &Story) -> &'static str {
    if story.acts.is_empty() { "What belay wants to do" } else { "What belay does" }
}

fn unplanned(story: &Story) -> Vec<Line> {
    let refusal = story.not_planned.iter();
    refusal.map(|r| belay(&format!("No plan could be made: {}.", clause(&r.to_string())))).collect()
}

fn planned(story: &Story, plan: &Plan) -> Vec<Line> {
    let mut lines = vec![Line::Belay(format!("{}.", sentence(&act(plan, Form::Do))))];
    let job = plan.action.kind() == ActionKind::RunJob;
    if !plan.changes.is_empty() {
        let told = if job { words::makes(&plan.changes) } else { words::diff(&plan.changes) };
        lines.push(Line::Diff(told));
    }
    lines.extend(plan.proposal.as_ref().map(|proposal| belay(&words::place(proposal))));
    lines.push(Line::Belay(if job {
        format!("What the job does besides, belay cannot know. Risk: {}.", plan.class.risk.name())
    } else {
        words::blast(&plan.blast, plan.class.risk)
    }));
    lines.extend(plan.note.as_ref().map(|note| belay(&format!("Mind: {}.", clause(note)))));
    lines.push(belay(&words::undo(plan)));
    lines.extend(story.kept.as_ref().map(|kept| belay(&words::kept(kept, &story.incident))));
    lines
}

fn decided(decision: &Decision) -> Vec<Line> {
    let level = decision.level.map_or_else(
        || "no grant matches".to_owned(),
        |level| format!("level {}, {}", level.number(), level.name()),
    );
    let grant = decision.terms.as_ref().map_or_else(String::new, |t| format!(", grant `{}`", t.grant));
    let set = decision.set.short();
    let mut lines =
        vec![belay(&format!("Policy says {} ({level}{grant}, policy `{set}`).", decision.outcome.name()))];
    let known = decision.terms.as_ref().map(|terms| format!("grant/{}", terms.grant));
    let news = decision.reasons.iter().filter(|reason| known.as_ref() != Some(&reason.code));
    lines.extend(news.take(REASONS).map(reason));
    lines
}

/// A reason, with its code where the text does not name the rule anyway.
fn reason(reason: &Reason) -> Line {
    let rule = reason.code.rsplit('/').next().unwrap_or_default();
    let text = sentence(&brief(&reason.text, TEXT));
    let text = text.strip_suffix('.').unwrap_or(&text);
    if text.contains(&format!("`{rule}`")) {
        return belay(&format!("{text}."));
    }
    belay(&format!("`{}`: {text}.", reason.code))
}

/// `text` with a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn done(story: &Story) -> Vec<Line> {
    story.acts.iter().flat_map(one_act).collect()
}

fn one_act(done: &Act) -> Vec<Line> {
    let plan = &done.intent.plan;
    let (form, came_of_it) = match &done.applied {
        None => (Form::Doing, ": begun, no answer yet".to_owned()),
        Some(Applied::Done { proposed: Some(Proposed { link, stands }), .. }) => {
            (Form::Done, format!(": {link} ({})", stands.name()))
        }
        // the hand's own words for it would only say it twice
        Some(Applied::Done { detail, .. }) if detail.starts_with(&plan.action.done_words()) => {
            (Form::Done, String::new())
        }
        Some(Applied::Done { detail, .. }) => (Form::Done, format!(": {}", clause(detail))),
        Some(Applied::Refused { refusal }) => (Form::Do, format!(": not done: {refusal}")),
        Some(Applied::Unknown { detail }) => (Form::Do, format!(": no answer: {}", clause(detail))),
    };
    let (what, by) = (sentence(&act(plan, form)), clause(&done.intent.approved_by));
    let mut lines = vec![belay(&format!("{what}{came_of_it} (`{}`, allowed by {by}).", done.intent.id))];
    lines.extend(done.verdict.as_ref().map(checked));
    let again = |seen: &Vec<String>| belay(&format!("Its cause came again: {}.", seen.join("; ")));
    lines.extend(done.came_again.as_ref().map(again));
    lines
}

fn checked(verdict: &Verdict) -> Line {
    belay(&match verdict {
        Verdict::Helped { seen } => format!("Checked, it helped: {}.", seen.join("; ")),
        Verdict::DidNotHelp { seen } => format!("Checked, it did not help: {}.", seen.join("; ")),
        Verdict::CannotTell { why } => format!("Could not be checked: {}.", why.join("; ")),
    })
}

fn investigated(choice: &Choice) -> Vec<Line> {
    let end = match &choice.conclusion {
        Conclusion::Choose { candidate, evidence } => {
            let cited: Vec<&str> = evidence.iter().map(EvidenceId::as_str).collect();
            format!("chose candidate `{candidate}` [{}]", cited.join(", "))
        }
        Conclusion::NoAction => "concluded that nothing should be done".to_owned(),
        Conclusion::Escalate => "concluded that a person should look".to_owned(),
    };
    match &choice.by {
        Investigator::Playbook { why } => {
            vec![belay(&format!("No model was used ({}): the playbook {end}.", clause(why)))]
        }
        Investigator::Outside { caller } => {
            vec![belay(&format!("{} proposed it from outside: it {end}.", clause(caller)))]
        }
        Investigator::Model { model, .. } => {
            let mut lines =
                vec![belay(&format!("The model `{model}` {end}, using {} tokens.", choice.tokens))];
            lines.extend(choice.why.iter().map(|why| belay(&format!("{}.", clause(why)))));
            if !choice.flags.is_empty() {
                let flags: Vec<String> = choice.flags.iter().map(ToString::to_string).collect();
                let flags = flags.join(", ");
                lines.push(belay(&format!(
                    "Careful, text that the model read speaks to its reader: {flags}."
                )));
            }
            if !choice.said.trim().is_empty() {
                let said: String = redact::redact(&choice.said).chars().take(TEXT).collect();
                lines.push(Line::Model(said));
            }
            lines
        }
    }
}

/// What outside agents proposed, each with what belay makes of it. Their reasons are text of others.
fn suggested(suggestions: &[Suggestion]) -> Vec<Line> {
    let line = |s: &Suggestion| {
        let Suggestion { by, action, target, why, candidate, queued } = s;
        let makes = match candidate {
            Some(candidate) if *queued => format!("that is candidate `{candidate}`, which was put to policy"),
            Some(candidate) => format!("that is candidate `{candidate}`, and belay was not done itself"),
            None => "belay found no such candidate, so that nobody can approve it here".to_owned(),
        };
        let what = format!(
            "{} proposes `{}` of {} `{}/{}`: {makes}.",
            clause(by),
            action.entry().name,
            target.kind,
            redact::line(&target.namespace, 63),
            redact::line(&target.name, 253)
        );
        let why = (!why.trim().is_empty()).then(|| quoted(why));
        std::iter::once(belay(&what)).chain(why)
    };
    suggestions.iter().flat_map(line).collect()
}

fn said(story: &Story) -> Vec<Line> {
    let answers = story.answers.iter();
    answers
        .flat_map(|(person, answer)| {
            let (what, reason) = match answer {
                Answer::Approve => ("approved", None),
                Answer::Reject { reason } => ("rejected", Some(reason)),
                Answer::Confirm => ("confirmed", None),
                Answer::Revert => ("asked to revert", None),
                Answer::HandOver => ("took it over", None),
            };
            let line = belay(&format!("{} {what}.", clause(person.name())));
            let reason = reason.filter(|r| !r.trim().is_empty()).map(|r| quoted(r));
            [Some(line), reason].into_iter().flatten()
        })
        .collect()
}

fn silence(story: &Story, open: &Open) -> Vec<Line> {
    let within = words::span(open.question.within);
    let terms = story.remedy().filter(|_| open.question.intent.is_some());
    let confirm = terms.and_then(|act| act.intent.terms.confirm.as_ref());
    let then = match confirm.map(|rule| rule.on_silence) {
        None => "nothing is done and a person is called",
        Some(OnSilence::Keep) => "it stays as it is",
        Some(OnSilence::Escalate) => "a person is called",
        Some(OnSilence::Revert) => "it is put back, unless it was seen to help",
    };
    vec![Line::Belay(format!("After {within} {then}."))]
}
