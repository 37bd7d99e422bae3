//! The OOM story: the tests that the format's own description shows, on an example of its own.

use super::{read, with_examples};

const STORY: &str = r#"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: payments, owner: team-payments }
spec:
  environments:
    - { name: staging, when: "target.namespace.startsWith('stg-')", maxLevel: 5, ladder: off }
    - { name: production, when: "target.namespace in ['shop', 'checkout']", maxLevel: 4 }
  approvers:
    oncall: { slackUsers: [U0A, U0B] }
  approvals:
    one: { from: [oncall], count: 1, expires: 15m, onExpire: escalate }
  grants:
    - id: oomkilled-restart-once
      alerts: ['alertname="KubePodCrashLooping"']
      when: "finding.cause == 'OOMKilled' && owner.kind == 'Deployment'"
      actions: [restart_pod]
      environments: [staging, production]
      level: 4
      limits: { perTarget: { max: 1, window: 10m } }
      blastRadius: { maxUnavailable: 25%, keepReady: 1, respectBudgets: true }
      verify: { within: 20m, stabilise: 2m, expect: [workload_ready, no_new_restarts, alert_gone], onFailure: escalate }
      confirm: { approval: one, within: 30m, onSilence: keep }
      playbook: true
  freezes:
    - { name: black-friday, from: 2026-11-27T00:00:00Z, to: 2026-12-01T06:00:00Z, environments: [production], maxLevel: 1 }
  tests:
    - { name: first restart in staging, given: examples/oom.yaml, set: { target.namespace: stg-pay }, expect: { outcome: act, level: 4, grant: oomkilled-restart-once } }
    - { name: without a model, given: examples/oom.yaml, set: { target.namespace: stg-pay, chosen_by_model: false }, expect: { outcome: act, level: 4 } }
    - { name: again within ten minutes, given: examples/oom.yaml, set: { target.namespace: stg-pay, history.per_target: 1 }, expect: { outcome: escalate, reason: limit/perTarget } }
    - { name: production has to earn it, given: examples/oom.yaml, expect: { outcome: ask, level: 2, reason: earned } }
    - { name: a cap never hides an escalation, given: examples/oom.yaml, set: { now: 2026-11-28T10:00:00Z, history.per_target: 1 }, expect: { outcome: escalate, reason: limit/perTarget } }
    - { name: a quarter of four is one, given: examples/oom.yaml, set: { target.namespace: stg-pay, plan.unavailable_after: 1, plan.budget_allows: 1 }, expect: { outcome: act } }
    - { name: two of four are too many, given: examples/oom.yaml, set: { target.namespace: stg-pay, plan.unavailable_after: 2 }, expect: { outcome: escalate, reason: blast/maxUnavailable } }
    - { name: the last ready replica is asked about, given: examples/oom.yaml, set: { target.namespace: stg-pay, plan.unavailable_after: 1, plan.risk: medium }, expect: { outcome: ask, level: 4, reason: class } }
    - name: the input may stand in the test itself
      given:
        now: 2026-11-20T02:07:41Z
        action: { kind: restart_pod }
        alert: { labels: { alertname: KubePodCrashLooping } }
        finding: { cause: OOMKilled, certainty: certain }
        target: { cluster: eu-1, namespace: stg-pay, kind: Pod, name: api-1, grounded: true }
        owner: { kind: Deployment, name: api }
      expect: { outcome: act, level: 4 }
"#;

#[test]
fn the_story_is_told_as_it_was_written() {
    with_examples("payments.yaml", STORY).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn a_test_that_does_not_hold_refuses_the_set() {
    let wrong =
        STORY.replace("outcome: ask, level: 2, reason: earned", "outcome: act, level: 2, reason: earned");
    let errors = with_examples("payments.yaml", &wrong).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert!(errors.0[0].message.contains("expected outcome `act`, got `ask`"), "{errors}");
    assert!(read("examples/oom.yaml").contains("kind: Example"));
}
