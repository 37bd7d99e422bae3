//! `cordon_node` and `uncordon_node`: whether new pods may be put onto a node. Pods that run there are not
//! touched; draining is no action of belay's.

use super::edit::Drawn;
use super::live::{Around, LiveObject};
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::{FIELD_MANAGER, Refusal};
use crate::domain::target::{Kind, Object};

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
    raised_by: "high for a node that somebody else cordoned: it is not opened without being asked",
    does: "lets new pods onto a node again",
    verb: Verb { plain: "uncordon", doing: "uncordoning", done: "uncordoned" },
    transient: false,
};

/// "Node `worker-3`".
pub fn what(node: &Object) -> String {
    named(node)
}

/// The one field that is touched.
pub const UNSCHEDULABLE: &str = "/spec/unschedulable";

/// What cordoning or uncordoning changes. A second cordoned node makes room for pods scarce; a node that
/// somebody else cordoned was taken out for a reason that belay does not know.
pub fn draw(live: &LiveObject, cordoned: bool) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Node])?;
    let Around::Nodes { cordoned: others } = live.around else {
        return Err(Refusal::Unreadable("the other nodes were not looked at".to_owned()));
    };
    let ours = live.managers.owners(UNSCHEDULABLE).any(|manager| manager == FIELD_MANAGER);
    let risky = if cordoned { others > 0 } else { !ours };
    let risk = if risky { Risk::High } else { Risk::Low };
    Ok(Drawn::quiet(live, risk, diff::switched(&live.content, UNSCHEDULABLE, cordoned, diff::Off::Missing)))
}
