//! `open_pull_request`: proposes the change of another action where the desired state is kept, for what a
//! GitOps controller would put back. Nothing in the cluster changes until people merge it.

use super::{Action, Class, Entry, Reversibility, Risk, Verb};

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "open_pull_request",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "it is undone by closing it, and nothing changes until people merge it",
    raised_by: "never",
    does: "proposes the change of another action on a branch, for people to merge",
    verb: Verb { plain: "open", doing: "opening", done: "opened" },
    transient: true,
};

/// "a pull request to roll back Deployment `web` to template `7c9f`".
pub fn what(instead_of: &Action) -> String {
    format!("a pull request to {}", instead_of.words())
}
