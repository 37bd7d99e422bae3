//! Above level 2, the write credentials belong into a process of their own: where the action server runs in the
//! daemon's, whoever takes over the daemon has its key for warrants and the means to use them, both.

use crate::config::Config;
use crate::domain::decision::Level;
use crate::policy::{self, PolicySet};

/// How far belay goes with all its hands in one process.
const TOGETHER: Level = Level::InTheLoop;

/// Where the action servers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// Each in a process of its own, or on a cluster that is only simulated.
    Yes,
    /// One in this process, and a person has accepted it for every level.
    Accepted,
    /// One in this process.
    No,
}

impl Apart {
    /// Where this configuration has them.
    pub(super) fn of(config: &Config, simulated: bool) -> Self {
        let apart = simulated || config.sites().all(|site| site.actions.is_some());
        match (apart, config.one_process_holds_everything) {
            (true, _) => Self::Yes,
            (false, true) => Self::Accepted,
            (false, false) => Self::No,
        }
    }

    /// Whether this set may be in force.
    pub(super) fn admits(self, set: &PolicySet) -> Result<(), String> {
        let level = policy::highest(set);
        if self != Self::No || level <= TOGETHER {
            return Ok(());
        }
        Err(format!(
            "this policy lets belay act at level {}, and above level {} its action server must be a process of its \
             own: run `belay mcp serve actions --limits` and name it in `actions`, lower `maxLevel` of the \
             environments, or set `oneProcessHoldsEverything: true`, which every report will show",
            level.number(),
            TOGETHER.number()
        ))
    }

    /// What every report says of it.
    pub(super) fn warning(self, set: &PolicySet) -> Option<&'static str> {
        let so = self == Self::Accepted && policy::highest(set) > TOGETHER;
        so.then_some(
            "WARNING: oneProcessHoldsEverything: whoever takes over the daemon can act without a permit; give the \
             action server a process of its own",
        )
    }
}
