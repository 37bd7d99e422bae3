//! What may run in the daemon's process, or under its user, depends on how far it may go. Above level 2, the write
//! credentials belong into a process of their own: where the action server runs in the daemon's, whoever takes over the
//! daemon has its key for warrants and the means to use them, both. Above level 1, so do MCP servers of others: a child
//! runs under the daemon's user and can read its keys, its tokens and its journal. And above level 1 belay has to see what
//! it does: a configuration that names too few sources does not act.

use crate::config::Config;
use crate::domain::decision::Level;
use crate::domain::sight::{Grade, Sense};
use crate::policy::{self, PolicySet};

use super::doctor;

/// How far belay goes with all its hands in one process.
const TOGETHER: Level = Level::InTheLoop;

/// How far belay goes with programs of others as its children.
const WITH_CHILDREN: Level = Level::Observe;

/// How far belay goes where it sees less than it should: it observes, and people act.
const BLINDLY: Level = Level::Observe;

/// What runs in this process or under its user, and what it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// The action servers.
    pub hands: Hands,
    /// The MCP servers of others that are its children, by name.
    pub children: Vec<String>,
    /// What belay sees too little with to act; nothing: it sees enough.
    pub blind: Option<Blind>,
}

/// How badly belay sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    grade: Grade,
    minimum: Grade,
    lacking: Vec<Sense>,
}

impl Blind {
    fn of(config: &Config) -> Option<Self> {
        let (grade, lacking) = doctor::named(config);
        let minimum = doctor::minimum(config);
        (grade > minimum).then_some(Self { grade, minimum, lacking })
    }

    /// Why nothing is done at this level.
    fn why(&self, level: Level) -> String {
        let lacking: Vec<String> = self.lacking.iter().map(|s| format!("`{}`", s.name())).collect();
        format!(
            "this policy lets belay act at level {}, and its sight has grade {}, below {}: name {} in the configuration \
             (`belay doctor` says what is decided blindly without), lower `maxLevel` of the environments, or accept less \
             with `minimumGrade: {}`",
            level.number(),
            self.grade,
            self.minimum,
            lacking.join(" and "),
            self.grade
        )
    }
}

/// Where the action servers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
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
        let hands = match (apart, config.one_process_holds_everything) {
            (true, _) => Hands::Yes,
            (false, true) => Hands::Accepted,
            (false, false) => Hands::No,
        };
        let children = config.mcp_servers.iter().filter(|(_, server)| server.command.is_some() && !simulated);
        let blind = if simulated { None } else { Blind::of(config) };
        Self { hands, children: children.map(|(name, _)| name.clone()).collect(), blind }
    }

    /// Whether this set may be in force.
    pub(super) fn admits(&self, set: &PolicySet) -> Result<(), String> {
        let level = policy::highest(set);
        if let (Some(child), true) = (self.children.first(), level > WITH_CHILDREN) {
            return Err(format!(
                "this policy lets belay act at level {}, and above level {} no MCP server of others may be a child of \
                 the daemon, where it could read the key for warrants, the tokens and the journal: run `{child}` as a \
                 container or machine of its own and name its `url` in `mcpServers`, or lower `maxLevel` of the \
                 environments",
                level.number(),
                WITH_CHILDREN.number()
            ));
        }
        if self.hands == Hands::No && level > TOGETHER {
            return Err(together(level));
        }
        match &self.blind {
            Some(blind) if level > BLINDLY => Err(blind.why(level)),
            Some(_) | None => Ok(()),
        }
    }

    /// What every report says of it.
    pub(super) fn warning(&self, set: &PolicySet) -> Option<&'static str> {
        let so = self.hands == Hands::Accepted && policy::highest(set) > TOGETHER;
        so.then_some(
            "WARNING: oneProcessHoldsEverything: whoever takes over the daemon can act without a permit; give the \
             action server a process of its own",
        )
    }
}

/// Why its hands are not to be in the daemon's process at this level.
fn together(level: Level) -> String {
    format!(
        "this policy lets belay act at level {}, and above level {} its action server must be a process of its own: run \
         `belay mcp serve actions --limits` and name it in `actions`, lower `maxLevel` of the environments, or set \
         `oneProcessHoldsEverything: true`, which every report will show",
        level.number(),
        TOGETHER.number()
    )
}
