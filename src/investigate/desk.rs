//! Which tool calls are carried out: known, sound, new, and within the limits. Everything else is refused
//! with a sentence that says what to do instead.

use std::collections::BTreeSet;

use super::calls::{self, Admitted, Key};
use super::limits::Limits;

/// A call to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id in the transcript.
    pub id: String,
    /// One of the tools on offer.
    pub tool: String,
    /// A JSON object, in canonical order.
    pub arguments: String,
}

/// What becomes of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// It is carried out.
    Run(Call),
    /// It is not, and its result says why.
    Refuse {
        /// The call's id.
        id: String,
        /// The result.
        why: String,
    },
}

/// What becomes of the calls of one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each call, in order.
    pub calls: Vec<Planned>,
    /// Some call named no tool on offer, or its arguments could not be read.
    pub faulty: bool,
    /// Some call was made before.
    pub repeated: bool,
}

/// What was called so far.
#[derive(Debug, Clone)]
pub struct Desk {
    names: BTreeSet<String>,
    made: BTreeSet<Key>,
    carried: usize,
    per_turn: usize,
    in_all: usize,
}

impl Desk {
    /// A desk that knows these tools.
    pub fn new(names: BTreeSet<String>, limits: &Limits) -> Self {
        let (per_turn, in_all) = (limits.calls_per_turn, limits.calls);
        Self { names, made: BTreeSet::new(), carried: 0, per_turn, in_all }
    }

    /// Whether no further call will be carried out.
    pub const fn exhausted(&self) -> bool {
        self.carried >= self.in_all
    }

    /// Sorts the calls of one answer; `offered` says whether read tools were on offer for it.
    pub fn plan(&mut self, admitted: &[Admitted], offered: bool) -> Plan {
        let mut plan = Plan::default();
        let mut running = 0;
        for Admitted { call, fault } in admitted {
            let key = calls::key(&call.name, &call.arguments);
            let refusal = if !offered {
                plan.faulty = true;
                Some("tools are no longer on offer: end now".to_owned())
            } else if !self.names.contains(&call.name) {
                plan.faulty = true;
                Some(format!("there is no such tool; the tools are: {}", self.list()))
            } else if let Some(fault) = fault {
                plan.faulty = true;
                Some((*fault).to_owned())
            } else if self.made.contains(&key) {
                plan.repeated = true;
                Some("you have made this very call before, and its result stands above".to_owned())
            } else if running >= self.per_turn {
                Some(format!("not done: at most {} calls in one turn", self.per_turn))
            } else if self.exhausted() {
                Some(format!("not done: at most {} calls in all; end now", self.in_all))
            } else {
                None
            };
            if let Some(why) = refusal {
                plan.calls.push(Planned::Refuse { id: call.id.clone(), why });
                continue;
            }
            running += 1;
            self.carried += 1;
            self.made.insert(key);
            let (id, tool, arguments) = (call.id.clone(), call.name.clone(), call.arguments.clone());
            plan.calls.push(Planned::Run(Call { id, tool, arguments }));
        }
        plan
    }

    fn list(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
