//! May this be done to this, now, by itself? Pure: files' texts and facts in, a decision with its
//! reasons out. `policies/README.md` teaches the format.

mod admission;
mod book;
mod brakes;
mod calendar;
mod cel;
mod check;
mod compile;
mod cron;
mod decide;
mod explain;
mod facts;
mod golden;
mod ics;
mod judge;
mod ladder;
mod limits;
mod mutate;
mod people;
mod permit;
mod problem;
mod raw;
mod reader;
mod replay;
mod report;
mod schema;
mod scope;
mod set;
mod situation;
mod table;
#[cfg(test)]
mod tried;

pub use admission::{Bounds, admission, granted, highest, stop};
pub use book::Book;
pub use brakes::{storm_now, watchdog};
pub use check::{Checked, TestRun, check};
pub use compile::{Around, blind, draft, fingerprint, lint, load, unmeasured};
pub use decide::{advise, decide};
pub use explain::{Explanation, Line, explain};
pub use golden::example;
pub use ladder::{Earned, Next, demoted, earned, earning, environment, track_grants};
pub use limits::{IN_FLIGHT, history_keys};
pub use mutate::{Mutant, mutants, noticed};
pub use permit::{Permit, permit};
pub use problem::{Errors, Problem, meant};
pub use raw::Pos;
pub use replay::{Change, Counted, Enforced, Replay, Said, Trial, Trials, enforced};
pub use report::{Format, bail, report};
pub use schema::schema;
pub use set::PolicySet;
pub use situation::situation;
