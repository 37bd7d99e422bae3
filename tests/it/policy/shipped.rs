//! The policies that belay ships.

use belay::policy::{example, explain};

use super::shipped;

#[test]
fn the_demo_loads_with_its_tests() {
    let set = shipped("demo.yaml");
    let question = example(&set, "examples/oom.yaml", &[("history.per_target", "1")]).unwrap();
    println!("{}", explain(&set, &question));
}
