//! The policies that belay ships, and the manual beside them.

use belay::policy::explain;

use super::{OOM, ask, read, set, shipped, shown, with_examples};

#[test]
fn the_demo_loads_with_its_tests() {
    shipped("demo.yaml");
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
fn notes_say_what_the_strict_ladder_means() {
    let text = super::edited(&[(", ladder: off", "")]);
    let set = set(&text);
    assert_eq!(set.notes().len(), 1);
    assert!(set.notes()[0].contains("begins at level 2"), "{:?}", set.notes());
}

fn explained(changes: &[(&str, &str)]) -> String {
    let set = shipped("demo.yaml");
    shown(&explain(&set, &ask(&set, OOM, changes)).to_string())
}

#[test]
fn a_reached_limit_explained() {
    insta::assert_snapshot!(explained(&[("history.per_target", "1"), ("plan.unavailable_after", "1"), ("plan.budget_allows", "1")]), @r#"
    escalate   restart_pod  demo/shop/Deployment/api (pod api-7f4b9)      policy <hash>
    because    limit/perTarget: 1 of 1 acts on this owner in the last 10m, the last at 2026-11-20T02:06:41Z

      grant    oomkilled-restart-once  YES       level 3: Restart once; again means that it did not help.      policies/demo.yaml:20
      grant    scale-up-on-saturation  no        action restart_pod is not listed      policies/demo.yaml:32
      cap      environment shop                  5, ladder off      policies/demo.yaml:10
      guard    a-person-is-at-it       no        owner.changed_by_person_minutes = 600      policies/demo.yaml:57
      guard    gitops-would-undo-it    no        owner.gitops.selfHeal = false, action.transient = true      policies/demo.yaml:51
      guard    hpa-would-undo-it       no        owner.hpa = false, action.kind = 'restart_pod'      policies/demo.yaml:52
      guard    lone-replica            no        owner.replicas = 4      policies/demo.yaml:56
      guard    look-alike              no        target.lookalikes = 0, target.named_by_alert = true      policies/demo.yaml:55
      guard    not-grounded            no        target.grounded = true      policies/demo.yaml:54
      guard    stateful-needs-two      no        owner.stateful = false      policies/demo.yaml:50
      guard    work-in-progress        no        owner.busy = false, target.annotations = 0 entries      policies/demo.yaml:53
      freeze   black-friday            no        from 2026-11-27T00:00:00Z to 2026-12-01T06:00:00Z      policies/demo.yaml:60
      limit    perTarget               EXCEEDED  1 of 1 acts on this owner in the last 10m, the last at 2026-11-20T02:06:41Z
      limit    cooldown                          0 of 1 acts of this kind on this owner in the last 5m
      limit    global                            0 of 10 acts in all in the last 1h
      limit    inFlight                          0 of 4 acts under way
      limit    failures                          0 of 3 acts on this owner in a row failed
      limit    ineffective                       0 of 3 acts on this owner in a row did not help
      blast    maxUnavailable                    1 of 4 unavailable, 50 % allow 2
      blast    keepReady                         3 of 4 stay ready, at least 1 must
      blast    respectBudgets                    the disruption budget allows 1

    would act at level 3 if: the last act were older than 10m (in 9m)
    "#);
}

#[test]
fn a_freeze_explained() {
    insta::assert_snapshot!(explained(&[("now", "2026-11-28T10:00:00Z"), ("owner.hpa", "not_applicable")]), @r#"
    notify     restart_pod  demo/shop/Deployment/api (pod api-7f4b9)      policy <hash>
    because    freeze/black-friday: freeze `black-friday` until 2026-12-01T06:00:00Z

      grant    oomkilled-restart-once  YES       level 3: Restart once; again means that it did not help.      policies/demo.yaml:20
      grant    scale-up-on-saturation  no        action restart_pod is not listed      policies/demo.yaml:32
      cap      environment shop                  5, ladder off      policies/demo.yaml:10
      guard    a-person-is-at-it       no        owner.changed_by_person_minutes = 600      policies/demo.yaml:57
      guard    gitops-would-undo-it    no        owner.gitops.selfHeal = false, action.transient = true      policies/demo.yaml:51
      guard    hpa-would-undo-it       no        owner.hpa does not apply, action.kind = 'restart_pod'      policies/demo.yaml:52
      guard    lone-replica            no        owner.replicas = 4      policies/demo.yaml:56
      guard    look-alike              no        target.lookalikes = 0, target.named_by_alert = true      policies/demo.yaml:55
      guard    not-grounded            no        target.grounded = true      policies/demo.yaml:54
      guard    stateful-needs-two      no        owner.stateful = false      policies/demo.yaml:50
      guard    work-in-progress        no        owner.busy = false, target.annotations = 0 entries      policies/demo.yaml:53
      freeze   black-friday            YES       level 1, freeze `black-friday` until 2026-12-01T06:00:00Z      policies/demo.yaml:60
      limit    perTarget                         0 of 1 acts on this owner in the last 10m
      limit    cooldown                          0 of 1 acts of this kind on this owner in the last 5m
      limit    global                            0 of 10 acts in all in the last 1h
      limit    inFlight                          0 of 4 acts under way
      limit    failures                          0 of 3 acts on this owner in a row failed
      limit    ineffective                       0 of 3 acts on this owner in a row did not help

    would act at level 3 if: freeze `black-friday` were over
    "#);
}

#[test]
fn an_unknown_fact_explained() {
    insta::assert_snapshot!(explained(&[("owner.stateful", "unknown")]), @r#"
    ask        restart_pod  demo/shop/Deployment/api (pod api-7f4b9)      policy <hash>
    because    guard/stateful-needs-two: guard `stateful-needs-two` holds because owner.stateful is unknown: the golden input does not say

      grant    oomkilled-restart-once  YES       level 3: Restart once; again means that it did not help.      policies/demo.yaml:20
      grant    scale-up-on-saturation  no        action restart_pod is not listed      policies/demo.yaml:32
      cap      environment shop                  5, ladder off      policies/demo.yaml:10
      guard    a-person-is-at-it       no        owner.changed_by_person_minutes = 600      policies/demo.yaml:57
      guard    gitops-would-undo-it    no        owner.gitops.selfHeal = false, action.transient = true      policies/demo.yaml:51
      guard    hpa-would-undo-it       no        owner.hpa = false, action.kind = 'restart_pod'      policies/demo.yaml:52
      guard    lone-replica            no        owner.replicas = 4      policies/demo.yaml:56
      guard    look-alike              no        target.lookalikes = 0, target.named_by_alert = true      policies/demo.yaml:55
      guard    not-grounded            no        target.grounded = true      policies/demo.yaml:54
      guard    stateful-needs-two      YES       level 2, owner.stateful is unknown: the golden input does not say; what cannot be told fires      policies/demo.yaml:50
      guard    work-in-progress        no        owner.busy = false, target.annotations = 0 entries      policies/demo.yaml:53
      freeze   black-friday            no        from 2026-11-27T00:00:00Z to 2026-12-01T06:00:00Z      policies/demo.yaml:60
      limit    perTarget                         0 of 1 acts on this owner in the last 10m
      limit    cooldown                          0 of 1 acts of this kind on this owner in the last 5m
      limit    global                            0 of 10 acts in all in the last 1h
      limit    inFlight                          0 of 4 acts under way
      limit    failures                          0 of 3 acts on this owner in a row failed
      limit    ineffective                       0 of 3 acts on this owner in a row did not help

    would act at level 3 if: guard `stateful-needs-two` did not fire
    "#);
}

#[test]
fn no_grant_explained() {
    insta::assert_snapshot!(explained(&[("finding.cause", "CrashLoop")]), @r#"
    notify     restart_pod  demo/shop/Deployment/api (pod api-7f4b9)      policy <hash>
    because    no-grant: no grant covers this

      grant    oomkilled-restart-once  no        finding.cause = 'CrashLoop', owner.kind = 'Deployment'      policies/demo.yaml:20
      grant    scale-up-on-saturation  no        action restart_pod is not listed      policies/demo.yaml:32
      cap      environment shop                  5, ladder off      policies/demo.yaml:10
      guard    a-person-is-at-it       no        owner.changed_by_person_minutes = 600      policies/demo.yaml:57
      guard    gitops-would-undo-it    no        owner.gitops.selfHeal = false, action.transient = true      policies/demo.yaml:51
      guard    hpa-would-undo-it       no        owner.hpa = false, action.kind = 'restart_pod'      policies/demo.yaml:52
      guard    lone-replica            no        owner.replicas = 4      policies/demo.yaml:56
      guard    look-alike              no        target.lookalikes = 0, target.named_by_alert = true      policies/demo.yaml:55
      guard    not-grounded            no        target.grounded = true      policies/demo.yaml:54
      guard    stateful-needs-two      no        owner.stateful = false      policies/demo.yaml:50
      guard    work-in-progress        no        owner.busy = false, target.annotations = 0 entries      policies/demo.yaml:53
      freeze   black-friday            no        from 2026-11-27T00:00:00Z to 2026-12-01T06:00:00Z      policies/demo.yaml:60
    "#);
}

#[test]
fn an_explanation_is_versioned_json() {
    let set = shipped("demo.yaml");
    let json = serde_json::to_value(explain(&set, &ask(&set, OOM, &[("history.per_target", "1")]))).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["decision"]["outcome"], "escalate");
    assert_eq!(json["lines"][0]["at"], "policies/demo.yaml:20");
}
