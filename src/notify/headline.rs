//! The one sentence that stands alone: on a lock screen, in a notification, read aloud.

use crate::domain::decision::Outcome as Says;
use crate::domain::record::{Answer, Ask, Outcome, Verdict};
use crate::domain::warrant::Applied;

use super::words::{Form, act, cause, clause, subject};
use super::{Act, Closed, Open, Story};

/// The headline of this story: the loudest thing that is true now.
pub fn headline(story: &Story) -> String {
    if let Some(closed) = &story.closed {
        return over(story, closed);
    }
    if let Some(why) = story.handed_over() {
        return handed_over(story, why);
    }
    if let Some(open) = story.asked() {
        return asking(story, open);
    }
    if let Some(call) = story.escalations.last() {
        return format!("A person is needed: {}.", clause(&call.why));
    }
    if let Some(last) = story.acts.last() {
        return going(story, last);
    }
    before(story)
}

fn over(story: &Story, closed: &Closed) -> String {
    let subject = subject(story);
    match closed.outcome {
        Outcome::ResolvedBySelf => match story.remedy().filter(|done| proposed(done).is_some()) {
            Some(done) => format!("Resolved: {subject}. {}", did(story, done)),
            None => format!("Resolved by itself: {subject}."),
        },
        Outcome::Remedied => match story.remedy() {
            Some(remedy) if remedy.came_again.is_some() => {
                format!("{} It helped, and its cause came again.{}", did(story, remedy), confirmed(story))
            }
            Some(remedy) => format!("{} It helped.{}", did(story, remedy), confirmed(story)),
            None => format!("Mended: {subject}."),
        },
        Outcome::Reverted => match story.undoing().or_else(|| story.acts.last()) {
            Some(undoing) => format!("Reverted: I {}.", act(&undoing.intent.plan, Form::Done)),
            None => format!("Reverted: {subject}."),
        },
        Outcome::HandedOver => handed_over(story, story.handed_over().unwrap_or(&closed.summary)),
        Outcome::Notified => format!("For your information: {}. I changed nothing.", found(story)),
        Outcome::Dropped => format!("Nothing to do, says the policy's advice: {subject}."),
        Outcome::Merged => format!("{}: {}.", found(story), clause(&closed.summary)),
        Outcome::Rejected => match (&story.plan, rejected_by(story)) {
            (Some(plan), Some(name)) => format!("{name} said no: I do not {}.", act(plan, Form::Do)),
            (Some(plan), None) => format!("Rejected: I do not {}.", act(plan, Form::Do)),
            (None, _) => format!("Rejected: {subject}."),
        },
    }
}

/// By whom, where a person took it; else why.
fn handed_over(story: &Story, why: &str) -> String {
    let by = story.answers.iter().rev().find(|(_, answer)| matches!(answer, Answer::HandOver));
    match by {
        Some((person, _)) => format!("Handed over by {}: {}.", clause(person.name()), subject(story)),
        None => format!("Handed over: {}.", clause(why)),
    }
}

fn confirmed(story: &Story) -> String {
    let by = story.answers.iter().rev().find(|(_, answer)| matches!(answer, Answer::Confirm));
    by.map_or_else(String::new, |(person, _)| format!(" Confirmed by {}.", clause(person.name())))
}

fn rejected_by(story: &Story) -> Option<String> {
    let by = story.answers.iter().rev().find(|(_, answer)| matches!(answer, Answer::Reject { .. }));
    by.map(|(person, _)| clause(person.name()))
}

fn asking(story: &Story, open: &Open) -> String {
    let (done, helped) = match story.remedy() {
        Some(remedy) => (did(story, remedy), verdict(remedy)),
        None => (format!("I acted on {}.", subject(story)), ""),
    };
    match open.question.ask {
        Ask::Approve => match &story.plan {
            Some(plan) => format!("May I {}{}?", act(plan, Form::Do), because(story)),
            None => format!("May I act on {}?", subject(story)),
        },
        Ask::ConfirmOrRevert if story.remedy().is_some_and(|done| proposed(done).is_some()) => {
            format!("{done}{helped} Confirm, or revert to close it?")
        }
        Ask::ConfirmOrRevert => format!("{done}{helped} Confirm or revert?"),
        Ask::ConfirmOrHandOver => format!("{done}{helped} Confirm or hand over?"),
    }
}

/// "I restarted pod `x` (OOMKilled)."; where that is a proposal, with where it is.
fn did(story: &Story, done: &Act) -> String {
    let words = format!("I {}{}", act(&done.intent.plan, Form::Done), because(story));
    match proposed(done) {
        Some(link) => format!("{words}: {link}."),
        None => format!("{words}."),
    }
}

/// Where people find what was proposed.
fn proposed(done: &Act) -> Option<&str> {
    match &done.applied {
        Some(Applied::Done { proposed: Some(proposed), .. }) => Some(&proposed.link),
        Some(Applied::Done { .. } | Applied::Refused { .. } | Applied::Unknown { .. }) | None => None,
    }
}

/// What is true of every proposal until it is known to have been merged.
const UNMERGED: &str = " Nothing changes until people merge it.";

fn because(story: &Story) -> String {
    cause(story).map_or_else(String::new, |cause| format!(" ({cause})"))
}

/// What is known of whether it helped; nothing while it is being watched.
fn verdict(done: &Act) -> &'static str {
    match &done.verdict {
        None | Some(Verdict::CannotTell { .. }) if proposed(done).is_some() => UNMERGED,
        None => "",
        Some(Verdict::Helped { .. }) => " It helped.",
        Some(Verdict::DidNotHelp { .. }) => " It did not help.",
        Some(Verdict::CannotTell { .. }) => " I cannot tell whether it helped.",
    }
}

fn going(story: &Story, last: &Act) -> String {
    let plan = &last.intent.plan;
    let why = if last.intent.reverts.is_none() { because(story) } else { String::new() };
    match &last.applied {
        None => format!("I am {}{why}.", act(plan, Form::Doing)),
        Some(Applied::Unknown { .. }) => {
            format!(
                "I tried to {} and got no answer: I am reading back what became of it.",
                act(plan, Form::Do)
            )
        }
        Some(Applied::Refused { refusal }) => {
            format!("I did not {}: {}.", act(plan, Form::Do), clause(&refusal.to_string()))
        }
        Some(Applied::Done { .. }) => {
            let rest = match &last.verdict {
                None if last.intent.reverts.is_some() => "",
                None if proposed(last).is_some() => UNMERGED,
                None => " I am watching whether it helps.",
                Some(_) => verdict(last),
            };
            let link = proposed(last).map_or_else(String::new, |link| format!(": {link}"));
            format!("I {}{why}{link}.{rest}", act(plan, Form::Done))
        }
    }
}

/// Before anything was done.
fn before(story: &Story) -> String {
    match (story.decisions.last(), &story.diagnosis) {
        (Some(decision), _) => match decision.outcome {
            Says::Notify if decision.waits() => {
                format!("{}. I wait: {}.", found(story), clause(decision.because()))
            }
            Says::Notify | Says::Drop => {
                format!("{}. I do nothing: {}.", found(story), clause(decision.because()))
            }
            Says::Escalate => format!("A person is needed: {}.", clause(decision.because())),
            Says::Ask | Says::Act => match &story.plan {
                Some(plan) => format!("I am about to {}{}.", act(plan, Form::Do), because(story)),
                None => format!("{}. I am working out what to do.", found(story)),
            },
        },
        (None, Some(_)) => format!("{}. I am looking further.", found(story)),
        (None, None) => format!("I am looking into {}.", subject(story)),
    }
}

/// "KubePodCrashLooping on Deployment `api` (OOMKilled)".
fn found(story: &Story) -> String {
    format!("{}{}", subject(story), because(story))
}
