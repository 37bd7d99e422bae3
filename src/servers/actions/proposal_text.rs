//! What a proposal says of itself. Everything that others could have written is put into code, where neither
//! mentions nor markup nor a forge's commands mean anything.

use crate::domain::action::Action;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Proposal};
use crate::domain::redact;

/// Longest title; GitLab takes 255.
const TITLE: usize = 200;
/// Longest single text of others.
const TEXT: usize = 300;

/// Longest diff: as long as one that is worked out at all.
const PATCH: usize = 8 * 1024;

/// "belay: scale Deployment web to 5".
pub(super) fn title(instead_of: &Action) -> String {
    format!("belay: {}", plain(&instead_of.words(), TITLE))
}

/// The line of a commit by which a retry knows it.
pub(super) fn trailer(intent: &IntentId) -> String {
    format!("Belay-Intent: {intent}")
}

/// What the commit says.
pub(super) fn message(plan: &Plan, instead_of: &Action, intent: &IntentId) -> String {
    let object = plain(&plan.action.target().to_string(), TEXT);
    format!("{}\n\nProposed by belay for {object}.\n\n{}\n", title(instead_of), trailer(intent))
}

/// What the pull request says.
pub(super) fn body(plan: &Plan, proposal: &Proposal, intent: &IntentId, told: &str) -> String {
    let what = match &plan.action {
        Action::OpenPullRequest { instead_of } => instead_of.words(),
        other => other.words(),
    };
    let incident = intent.incident().map_or_else(|| intent.to_string(), |incident| incident.to_string());
    let why = plan.note.as_deref().unwrap_or("its desired state is kept here");
    let patch = redact::clean(proposal.patch.trim_end(), PATCH);
    let fence = fence(&patch);
    format!(
        "belay proposes this change instead of making it in the cluster. Nothing changes until people merge it.\n\
         \n\
         - what: {}\n\
         - object: {}\n\
         - why here: {}\n\
         - incident: {}\n\
         - allowed by: {}\n\
         - undo: close this; once it is merged, revert the merge\n\
         \n\
         {fence}diff\n{patch}\n{fence}\n",
        code(&what),
        code(&plan.action.target().to_string()),
        code(why),
        code(&incident),
        code(told),
    )
}

/// A fence that the text cannot end.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// As code on one line.
fn code(text: &str) -> String {
    match plain(text, TEXT) {
        text if text.is_empty() => "(not said)".to_owned(),
        text => format!("`{text}`"),
    }
}

/// On one line, bounded, without backticks and without what cannot be seen.
fn plain(text: &str, most: usize) -> String {
    let line = redact::line(text, most);
    let line: String = line.chars().filter(|c| *c != '`' && !c.is_control()).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_in_its_code() {
        assert_eq!(code("a`\n/close @all <b>"), "`a /close @all <b>`");
        assert_eq!(code(" ` "), "(not said)");
        assert_eq!(fence("a"), "```");
        assert_eq!(fence("x ```` y"), "`````");
        assert!(code(&"x".repeat(10_000)).len() < 1000);
    }
}
