//! The fuzz targets, in one program: the first argument-like word in `BELAY_FUZZ` names the target.
//! `fuzz/README.md` tells what each holds; `tests/run fuzz` builds and runs them.
#![no_main]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a finding is a panic")]

mod facts;
mod freezes;
mod journal;
mod places;
mod policy;
mod slack;
mod warrants;
mod webhook;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// Every target, by name. `tests/run fuzz` runs them in this order.
const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("policy", policy::run),
    ("facts", facts::run),
    ("freezes", freezes::run),
    ("webhook", webhook::run),
    ("slack", slack::run),
    ("journal", journal::run),
    ("warrants", warrants::run),
];

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("BELAY_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("BELAY_FUZZ names no target: {:?}", TARGETS.map(|(name, _)| name))).1
});

fuzz_target!(|data: &[u8]| TARGET(data));
