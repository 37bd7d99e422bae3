//! What the stores of logs have in common: by which names they keep what belay asks for, pages of lines read until
//! enough is found, and the lines around those.

mod gather;
mod names;

pub(super) use gather::{Ask, Entry, Page, Store, gather};
pub use names::Names;
