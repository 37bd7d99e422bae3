//! The words belay thinks in: plain data and pure functions over it. Knows nothing of IO, clocks or vendors.

pub mod action;
pub mod alert;
pub mod approval;
pub mod canonical;
pub mod cause;
pub mod cluster;
pub mod decision;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod ids;
pub mod matchers;
pub mod message;
pub mod plan;
pub mod quantity;
pub mod record;
pub mod recorded;
pub mod redact;
pub mod surroundings;
pub mod target;
pub mod template;
pub mod track;
pub mod warrant;
