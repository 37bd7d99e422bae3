//! Expressions: an arbitrary one as the `when` of a grant and of a guard, asked about a question whose
//! facts are known, unknown and not applicable. Errors are strict in both directions.

use std::sync::LazyLock;

use belay::domain::decision::{Decision, Fact, Question};
use belay::policy::{PolicySet, decide, draft, example};

use crate::places;

const OOM: &str = "examples/oom.yaml";
const EXAMPLE: &str = include_str!("../../policies/examples/oom.yaml");

/// How a question's facts are changed.
const WAYS: [fn(&mut Question); 6] = [
    |_| (),
    |q| each(q, &Ways::unknown()),
    |q| each(q, &Ways::not_applicable()),
    // one object that cannot be read, all others can
    |q| q.owner.stateful = Fact::Unknown("it could not be read".to_owned()),
    |q| q.target.labels = Fact::Known((0..300).map(|n| (format!("label-{n}"), n.to_string())).collect()),
    |q| q.target.object.named.name = "a".repeat(3_000),
];

/// The question with these: everything that can be unknown is.
const ALL_UNKNOWN: usize = 1;
const ONE_UNKNOWN: usize = 3;

static QUESTIONS: LazyLock<Vec<Question>> = LazyLock::new(|| {
    let set = policy("", "").unwrap();
    let ask = |way: &fn(&mut Question)| {
        let mut question = example(&set, OOM, &[]).unwrap();
        way(&mut question);
        question
    };
    WAYS.iter().map(ask).collect()
});

pub fn run(data: &[u8]) {
    let Ok(expression) = std::str::from_utf8(data) else { return };
    let when = format!(", when: {}", serde_json::to_string(expression).unwrap());
    let (Some(granting), Some(guarding)) = (policy(&when, ""), policy("", &when)) else { return };
    let found: Vec<(bool, bool)> =
        QUESTIONS.iter().map(|q| (grants(&granting, q), fires(&guarding, q))).collect();
    for (grants, fires) in &found {
        assert!(!grants || *fires, "a grant matches on what a guard does not fire on");
    }
    let known = found[0];
    for unknown in [found[ALL_UNKNOWN], found[ONE_UNKNOWN]] {
        assert!(known.0 || !unknown.0, "a grant matches only while something is unknown");
        assert!(!known.1 || unknown.1, "a guard does not fire because something is unknown");
    }
}

/// Whether the grant with the expression matches.
fn grants(set: &PolicySet, question: &Question) -> bool {
    twice(set, question).terms.is_some()
}

/// Whether the guard with the expression fires.
fn fires(set: &PolicySet, question: &Question) -> bool {
    twice(set, question).reasons.iter().any(|reason| reason.code == "guard/fuzz")
}

fn twice(set: &PolicySet, question: &Question) -> Decision {
    let decision = decide(set, question);
    assert_eq!(decision, decide(set, question), "the decision is a function");
    decision
}

/// A grant and a guard with these keys; a guard without a `when` of its own never fires.
fn policy(grant: &str, guard: &str) -> Option<PolicySet> {
    let guard = if guard.is_empty() { ", when: 'false'" } else { guard };
    let text = format!(
        r#"apiVersion: belay.dev/v1
kind: Policy
metadata: {{ name: fuzz, owner: us }}
spec:
  environments: [{{ name: shop, when: "target.namespace == 'shop'", maxLevel: 5, ladder: off }}]
  approvers: {{ terminal: {{ operators: true }} }}
  approvals: {{ one: {{ from: [terminal], expires: 15m }} }}
  grants:
    - id: fuzz
      alerts: ['alertname="KubePodCrashLooping"']
      actions: [restart_pod]
      level: 4
      verify: {{ within: 20m, expect: [workload_ready] }}
      confirm: {{ approval: one }}
      {}
  guards:
    - {{ id: fuzz, deny: true{guard} }}
"#,
        grant.trim_start_matches(", ")
    );
    let files = vec![("policies/fuzz.yaml".to_owned(), text), (format!("policies/{OOM}"), EXAMPLE.to_owned())];
    match draft(files.clone()) {
        Ok(set) => Some(set),
        Err(errors) => {
            places::hold(&errors, &files);
            None
        }
    }
}

/// What becomes of a fact.
struct Ways {
    unknown: bool,
}

impl Ways {
    const fn unknown() -> Self {
        Self { unknown: true }
    }

    const fn not_applicable() -> Self {
        Self { unknown: false }
    }

    fn set<T>(&self, fact: &mut Fact<T>) {
        *fact = if self.unknown { Fact::Unknown("it could not be read".to_owned()) } else { Fact::NotApplicable };
    }
}

/// Everything of the target, the owner and the incident that can be other than known.
fn each(question: &mut Question, way: &Ways) {
    let Question { target, owner, incident_facts, finding, cluster, .. } = question;
    way.set(&mut target.labels);
    way.set(&mut target.annotations);
    way.set(&mut target.lookalikes);
    way.set(&mut owner.replicas);
    way.set(&mut owner.ready);
    way.set(&mut owner.stateful);
    way.set(&mut owner.busy);
    way.set(&mut owner.gitops_self_heal);
    way.set(&mut owner.hpa);
    way.set(&mut owner.minutes_since_rollout);
    way.set(&mut owner.changed_by_person_minutes);
    way.set(&mut owner.budget);
    way.set(&mut owner.migration);
    way.set(&mut incident_facts.acknowledged_elsewhere);
    way.set(&mut incident_facts.severity);
    way.set(&mut finding.services);
    way.set(&mut cluster.firing_groups);
    way.set(&mut cluster.unhealthy_permille);
    way.set(&mut cluster.major_incident);
}
