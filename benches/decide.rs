//! A decision with 1,000 grants of which 20 guards apply (goal: under 40 µs), its explanation, and
//! loading such a set.
#![expect(clippy::panic, reason = "a bench that cannot be set up fails")]

use std::fmt::Write as _;

use belay::domain::decision::Question;
use belay::policy::{PolicySet, decide, draft, example, explain};

fn main() {
    divan::main();
}

fn text(grants: usize) -> String {
    let mut text = String::from(
        "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: bench, owner: us }\nspec:\n  environments:\n    - { name: shop, when: \"target.namespace == 'shop'\", maxLevel: 5, ladder: off }\n  approvers:\n    terminal: { operators: true }\n  approvals:\n    one: { from: [terminal], expires: 15m }\n  guards:\n",
    );
    for i in 0..20 {
        let _ = writeln!(
            text,
            "    - {{ id: g{i}, when: \"owner.replicas > {i} || owner.stateful\", maxLevel: 3 }}"
        );
    }
    text.push_str("  grants:\n");
    for i in 0..grants {
        let alert = if i == 0 { "KubePodCrashLooping".to_owned() } else { format!("Alert{i}") };
        let _ = writeln!(
            text,
            "    - {{ id: grant-{i}, alerts: ['alertname=\"{alert}\"'], when: \"finding.cause == 'OOMKilled' && owner.kind == 'Deployment'\", actions: [restart_pod], environments: [shop], level: 4, limits: {{ perTarget: {{ max: 1, window: 10m }} }}, verify: {{ within: 20m, expect: [workload_ready] }}, confirm: {{ approval: one }} }}"
        );
    }
    text
}

fn loaded(grants: usize) -> PolicySet {
    let oom = include_str!("../policies/examples/oom.yaml");
    // a draft: no golden input reaches a thousand grants of made-up alerts
    draft([("bench.yaml", text(grants).as_str()), ("examples/oom.yaml", oom)])
        .unwrap_or_else(|e| panic!("{e}"))
}

fn question(set: &PolicySet) -> Question {
    example(set, "examples/oom.yaml", &[("owner.replicas", "100")]).unwrap_or_else(|e| panic!("{e}"))
}

#[divan::bench]
fn decision(bencher: divan::Bencher<'_, '_>) {
    let set = loaded(1_000);
    let question = question(&set);
    bencher.bench(|| decide(&set, divan::black_box(&question)));
}

#[divan::bench]
fn explanation(bencher: divan::Bencher<'_, '_>) {
    let set = loaded(1_000);
    let question = question(&set);
    bencher.bench(|| explain(&set, divan::black_box(&question)));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_1000_grants() -> PolicySet {
    loaded(1_000)
}
