//! What an explanation shows, line by line, and what it says would change the outcome.

use std::fmt::Write as _;

use belay::policy::{Explanation, draft, explain, situation};

use super::{OOM, SATURATION, ask, edited, files, read, set};

fn of(text: &str, given: &str, changes: &[(&str, &str)]) -> Explanation {
    let set = set(text);
    explain(&set, &ask(&set, given, changes))
}

/// `name verdict text` of each line of a kind.
fn lines(explained: &Explanation, kind: &str) -> Vec<String> {
    let lines = explained.lines.iter().filter(|line| line.kind == kind);
    lines.map(|line| format!("{} {} {}", line.name, line.verdict, line.text)).collect()
}

/// `BASE` with these guards.
fn guarded(guards: &str) -> String {
    edited(&[("  grants:\n", &format!("  guards:\n{guards}  grants:\n"))])
}

#[test]
fn a_target_is_named_beside_its_owner_where_it_is_another() {
    assert!(!of(&edited(&[]), SATURATION, &[]).target.contains('('));
    let pod = of(&edited(&[]), OOM, &[]).target;
    assert!(pod.contains(" (pod "), "{pod}");
    // of the same name, and of the same kind
    for (change, named) in
        [(("target.name", "web"), "(pod web)"), (("target.kind", "Deployment"), "(deployment ")]
    {
        let named_so = of(&edited(&[]), OOM, &[("owner.name", "web"), change]).target;
        assert!(named_so.contains(named), "{named_so}");
    }
}

#[test]
fn what_is_not_listed_is_counted() {
    let mut more = String::from("  grants:\n");
    for n in 0..210 {
        writeln!(
            more,
            "    - {{ id: g{n}, alerts: ['alertname=\"X{n}\"'], actions: [restart_pod], level: 2, verify: {{ within: 20m, expect: [workload_ready] }}, confirm: {{ approval: one }} }}"
        )
        .unwrap();
    }
    let grants = lines(&of(&edited(&[("  grants:\n", &more)]), OOM, &[]), "grant");
    assert_eq!(grants.len(), 201);
    assert_eq!(grants[200], "…  12 more are not listed here");
    assert_eq!(lines(&of(&edited(&[]), OOM, &[]), "grant").len(), 2);
}

#[test]
fn each_cap_is_shown_once() {
    let guard = "    - { id: quiet, when: 'true', maxLevel: 3 }\n";
    let within = of(&guarded(guard), OOM, &[]);
    assert_eq!(lines(&within, "cap"), ["environment shop  5, ladder off"]);
    let anywhere = guarded(guard).replace("      environments: [shop]\n", "");
    let nowhere = lines(&of(&anywhere, OOM, &[("target.namespace", "elsewhere")]), "cap");
    assert_eq!(nowhere.len(), 1, "{nowhere:?}");
    assert!(nowhere[0].starts_with("environment/"), "{nowhere:?}");
}

#[test]
fn a_guard_says_what_it_does() {
    let guards = "    - { id: no, when: owner.stateful, deny: true }\n    - { id: low, when: '!owner.stateful', maxLevel: 2 }\n";
    let stateful = lines(&of(&guarded(guards), OOM, &[("owner.stateful", "true")]), "guard");
    assert!(stateful[1].starts_with("no YES denied, "), "{stateful:?}");
    assert!(stateful[0].starts_with("low no "), "{stateful:?}");
    let stateless = lines(&of(&guarded(guards), OOM, &[("owner.stateful", "false")]), "guard");
    assert!(stateless[1].starts_with("no no ") && !stateless[1].contains("denied"), "{stateless:?}");
    assert!(stateless[0].starts_with("low YES level 2, "), "{stateless:?}");
}

#[test]
fn a_freeze_out_of_its_scope_says_so() {
    let team = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: team, owner: team-b }\nspec:\n  scope: { namespace: [other] }\n  freezes:\n    - { name: theirs, from: 2020-01-01T00:00:00Z, to: 2020-01-02T00:00:00Z, maxLevel: 1 }\n";
    let mut all = files("test.yaml", &edited(&[]));
    all.push(("policies/team.yaml".to_owned(), team.to_owned()));
    let set = draft(all).unwrap();
    let freezes = lines(&explain(&set, &ask(&set, OOM, &[])), "freeze");
    assert_eq!(freezes.len(), 1);
    assert!(freezes[0].ends_with("/shop is out of the scope of `team-b`"), "{freezes:?}");
    let there = lines(&explain(&set, &ask(&set, OOM, &[("target.namespace", "other")])), "freeze");
    assert!(there[0].starts_with("theirs no ") && !there[0].contains("scope"), "{there:?}");
}

#[test]
fn what_the_code_denies_is_listed_and_what_a_guard_denies_is_not_listed_twice() {
    let guard = "    - { id: no, when: 'true', deny: true }\n";
    let denied = of(&guarded(guard), OOM, &[("target.grounded", "false")]);
    let denials = lines(&denied, "deny");
    assert_eq!(denials.len(), 1, "{denials:?}");
    assert!(!denials[0].contains("guard/"), "{denials:?}");
    assert!(lines(&of(&edited(&[]), OOM, &[]), "deny").is_empty());
}

#[test]
fn the_smallest_change_is_told_and_only_where_one_would_do() {
    let alone = |text: &str, changes: &[(&str, &str)]| of(text, OOM, changes).counterfactual;
    // it acts already; no grant is for it, with a model or without
    assert_eq!(alone(&edited(&[]), &[]), None);
    assert_eq!(
        alone(&edited(&[]), &[("alert.labels.alertname", "Other"), ("chosen_by_model", "false")]),
        None
    );
    let one = alone(&guarded("    - { id: low, when: 'true', maxLevel: 1 }\n"), &[]).unwrap();
    assert!(one.starts_with("would act at level 4 if: ") && one.contains("`low`"), "{one}");
    // the environment allows as much as the grant gives: it stands against nothing
    let two = "    - { id: low, when: 'true', maxLevel: 1 }\n    - { id: also, when: 'true', maxLevel: 1 }\n";
    let text = guarded(two).replace("maxLevel: 5, ladder", "maxLevel: 4, ladder");
    let both = alone(&text, &[]).unwrap();
    assert!(both.starts_with("would act at level 4 if all of this were so: "), "{both}");
    assert!(both.contains("`low`") && both.contains("`also`") && !both.contains("environment"), "{both}");
}

#[test]
fn a_case_that_cannot_be_read_says_where_or_only_what() {
    let set = set(&edited(&[]));
    let read_with = |name: &str, changes: &[(&str, &str)]| situation(&set, name, &read(OOM), changes);
    assert!(read_with("case.yaml", &[]).is_ok() && read_with("", &[]).is_ok());
    let wrong = [("owner.stateful", "perhaps"), ("finding.certainty", "maybe")];
    let of_file = read_with("case.yaml", &wrong).unwrap_err();
    assert_eq!(of_file.matches("--> case.yaml:").count(), 2, "{of_file}");
    let of_flags = read_with("", &wrong).unwrap_err();
    assert!(
        of_flags.contains("expected `true` or `false`")
            && of_flags.contains("maybe")
            && !of_flags.contains("-->"),
        "{of_flags}"
    );
    // a fraction is one
    for (share, good) in
        [("0", true), ("1", true), ("0.25", true), ("1.5", false), ("-0.5", false), ("2", false)]
    {
        let asked = read_with("", &[("cluster.unhealthy_fraction", share)]);
        assert_eq!(asked.is_ok(), good, "{share}: {asked:?}");
    }
}
