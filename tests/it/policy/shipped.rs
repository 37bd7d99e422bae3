//! The policies that belay ships, and the manual beside them.

use belay::domain::decision::Outcome;
use belay::policy::{example, explain};

use super::{OOM, SATURATION, decided, read, set, shipped, with_examples};

#[test]
fn the_demo_loads_with_its_tests() {
    shipped("demo.yaml");
}

#[test]
fn the_default_pack_acts_nowhere_until_an_environment_is_declared() {
    let set = shipped("default.yaml");
    for given in [OOM, SATURATION] {
        let decision = decided(&set, given, &[]);
        assert_eq!(
            (decision.outcome, decision.reasons[0].code.as_str()),
            (Outcome::Notify, "environment/none")
        );
    }
    // A reached limit is heard all the same.
    assert_eq!(decided(&set, OOM, &[("history.per_target", "1")]).outcome, Outcome::Escalate);
    let mine = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: mine, owner: us }\nspec:\n  environments:\n    - { name: shop, when: \"target.namespace == 'shop'\", maxLevel: 3, ladder: off }\n";
    let files = [("mine.yaml", mine.to_owned()), ("default.yaml", read("default.yaml")), (OOM, read(OOM))];
    let set = belay::policy::load(files).unwrap();
    let decision = decided(&set, OOM, &[]);
    assert_eq!((decision.outcome, decision.level.map(|level| level.number())), (Outcome::Act, Some(3)));
}

/// Every policy in the manual loads, with its tests.
#[test]
fn the_manual_is_true() {
    let manual = read("README.md");
    let blocks = manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole: Vec<&str> = blocks.filter(|block| block.starts_with("apiVersion")).collect();
    assert!(whole.len() >= 2);
    for block in whole {
        if let Err(errors) = with_examples("readme.yaml", block) {
            panic!("{block}\n{errors}");
        }
    }
}

#[test]
fn notes_say_what_the_strict_ladder_means_now() {
    let text = super::edited(&[(", ladder: off", "")]);
    let set = set(&text);
    assert_eq!(set.notes().len(), 1);
    assert!(set.notes()[0].contains("capped at level 2"), "{:?}", set.notes());
}

#[test]
fn scratch() {
    let set = shipped("demo.yaml");
    let cases: [&[(&str, &str)]; 4] = [
        &[("history.per_target", "1"), ("plan.unavailable_after", "1"), ("plan.budget_allows", "1")],
        &[("now", "2026-11-28T10:00:00Z"), ("owner.hpa", "not_applicable")],
        &[("owner.stateful", "unknown")],
        &[("finding.cause", "CrashLoop")],
    ];
    for changes in cases {
        println!("@@@\n{}\n@@@end", explain(&set, &example(&set, OOM, changes).unwrap()));
    }
}
