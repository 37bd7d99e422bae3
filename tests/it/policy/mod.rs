//! The policy engine, through its public face.

use belay::policy::{PolicySet, load};

mod shipped;

/// The shipped policy file of this name, with the golden inputs beside it.
fn shipped(name: &str) -> PolicySet {
    let files = [name, "examples/oom.yaml", "examples/saturation.yaml"];
    let files = files.map(|file| (format!("policies/{file}"), read(file)));
    load(files).unwrap_or_else(|errors| panic!("{errors}"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/policies/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
