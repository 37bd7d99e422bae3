//! `cordon_node` and `uncordon_node`: whether new pods may be put onto a node. Pods that run there are not
//! touched; draining is no action of belay's.

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What cordoning is by its nature.
pub const CORDON: Entry = Entry {
    name: "cordon_node",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by uncordoning; pods that run there go on running",
    raised_by: "high where another node is cordoned already: room for pods becomes scarce",
    does: "lets no new pod onto a node",
    verb: Verb { plain: "cordon", doing: "cordoning", done: "cordoned" },
    transient: false,
};

/// What uncordoning is by its nature.
pub const UNCORDON: Entry = Entry {
    name: "uncordon_node",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by cordoning",
    raised_by: "high for more than one node; a node that somebody else cordoned is not opened without being asked",
    does: "lets new pods onto a node again",
    verb: Verb { plain: "uncordon", doing: "uncordoning", done: "uncordoned" },
    transient: false,
};

/// "Node `worker-3`".
pub fn what(node: &Object) -> String {
    named(node)
}

/// The class of a concrete act, where so many other nodes are in the same state already.
pub const fn class(others: u32) -> Class {
    let risk = if others == 0 { Risk::Low } else { Risk::High };
    Class { risk, ..CORDON.class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_is_low_risk_and_the_second_is_high() {
        assert_eq!((class(0).risk, class(1).risk), (Risk::Low, Risk::High));
    }
}
