//! The `belay` program.
fn main() {}
