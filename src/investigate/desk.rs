//! Which tool calls are carried out: known, sound, new, and within the limits. Everything else is refused
//! with a sentence that says what to do instead.

use std::collections::BTreeSet;

use super::calls::{self, Admitted, Key};
use super::endpoints::egress::{Place, Reach};
use super::limits::Limits;
use super::shelf;

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
    /// It pages through what is kept.
    Show(Call),
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
    /// Some call's arguments could not be read, or it came when none was on offer.
    pub faulty: bool,
    /// How many calls named no tool, or would have read where they may not.
    pub denied: u32,
    /// Where the calls that are carried out read.
    pub places: BTreeSet<Place>,
    /// Some call was made before.
    pub repeated: bool,
}

/// What the answer whose calls are sorted may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    /// Whether read tools were on offer for it.
    pub offered: bool,
    /// What may leave for which endpoint.
    pub reach: &'a Reach,
    /// Which endpoint it is from.
    pub endpoint: usize,
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

    /// Sorts the calls of one answer.
    pub fn plan(&mut self, admitted: &[Admitted], gate: &Gate<'_>) -> Plan {
        let mut plan = Plan::default();
        let mut running = 0;
        for Admitted { call, fault } in admitted {
            let key = calls::key(&call.name, &call.arguments);
            let own = shelf::is_own(&call.name);
            let place = calls::place(&call.arguments);
            let refusal = if !gate.offered {
                plan.faulty = true;
                Some("tools are no longer on offer: end now".to_owned())
            } else if !self.names.contains(&call.name) {
                plan.denied += 1;
                Some(format!("there is no such tool; the tools are: {}", self.list()))
            } else if let Some(fault) = fault {
                plan.faulty = true;
                Some((*fault).to_owned())
            } else if !own && !gate.reach.allows(gate.endpoint, &place) {
                plan.denied += 1;
                Some(gate.reach.instead(gate.endpoint))
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
            let call = Call { id, tool, arguments };
            if own {
                plan.calls.push(Planned::Show(call));
            } else {
                plan.places.insert(place);
                plan.calls.push(Planned::Run(call));
            }
        }
        plan
    }

    fn list(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}
