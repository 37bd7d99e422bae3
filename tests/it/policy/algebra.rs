//! The laws of the algebra, over random policies and random questions.

use std::collections::BTreeMap;

use belay::domain::alert::Severity;
use belay::domain::decision::{ApprovalFacts, Asked, Decision, Fact, Outcome, Person, Question};
use belay::domain::finding::Certainty;
use belay::domain::ids::Cluster;
use belay::policy::{PolicySet, decide, draft, explain, permit};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{BASE, OOM, SATURATION, ask, authority, edited, files, read, set};

const GUARDS: [&str; 8] = [
    "{ id: a, when: owner.stateful, maxLevel: 2, approval: two }",
    "{ id: b, when: \"owner.busy || target.annotations['quiet'] == 'true'\", deny: true }",
    "{ id: c, when: \"owner.replicas < 2\", maxLevel: 2 }",
    "{ id: d, when: \"target.lookalikes > 0 && !target.named_by_alert\", maxLevel: 1 }",
    "{ id: e, when: \"owner.changed_by_person_minutes < 10 || alert.flaps > 2\", maxLevel: 3 }",
    "{ id: f, when: \"plan.unavailable_after > 1\", maxLevel: 3 }",
    "{ id: g, when: \"cluster.firing_groups > 20 || finding.certainty != 'certain'\", maxLevel: 2 }",
    "{ id: h, when: \"owner.gitops.selfHeal && !action.transient\", maxLevel: 2, offer: open_pull_request }",
];

const FREEZES: [&str; 5] = [
    "{ name: a, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, environments: [shop], maxLevel: 2 }",
    "{ name: b, from: 2026-11-20T00:00:00Z, to: 2026-11-20T10:00:00Z, when: owner.stateful, maxLevel: 1 }",
    "{ name: c, from: 2025-01-01T00:00:00Z, to: 2025-01-02T00:00:00Z, maxLevel: 1 }",
    "{ name: d, cron: '0 2 * * *', for: 3h, timezone: Europe/Berlin, maxLevel: 2 }",
    "{ name: e, cron: '*/30 * * * fri', for: 10m, timezone: UTC, when: owner.hpa, maxLevel: 1 }",
];

const CEILINGS: [&str; 3] = [
    "{ environments: [shop], actions: [restart_pod], maxLevel: 3 }",
    "{ actions: [restart_pod, scale_workload], maxLevel: 2 }",
    "{ maxLevel: 4 }",
];

/// Further grants for the same alert, which differ in what they ask for and in their level.
const GRANTS: [(&str, &str); 3] = [
    ("also", "when: \"owner.kind == 'Deployment'\", level: 5"),
    ("lower", "when: \"owner.replicas > 1\", level: 3"),
    ("trial", "mode: shadow, level: 5"),
];

/// Whom an override helps: nobody after this, and nobody 30 days before.
const OVERRIDE: &str = "      override: { level: 4, by: kim, reason: x, until: 2026-11-20T12:00:00Z }\n";

/// What a random policy is made of.
#[derive(Debug, Clone)]
struct Made {
    guards: Vec<&'static str>,
    freezes: Vec<&'static str>,
    ceilings: Vec<&'static str>,
    grants: Vec<(&'static str, &'static str)>,
    level: u8,
    act_from: Option<u8>,
    limited: bool,
    overridden: bool,
    max_level: u8,
    ladder: &'static str,
    shadow: bool,
    in_flight: u8,
}

impl Made {
    /// The parts of the file: what stands before the rules, and each section of rules.
    fn parts(&self) -> (String, Vec<String>) {
        let Self { level, act_from, max_level, ladder, in_flight, .. } = self;
        let act_from = act_from.map(|n| format!("      actFrom: {n}\n")).unwrap_or_default();
        let limits = if self.limited {
            "      limits: { perTarget: { max: 1, window: 10m } }\n      blastRadius: { maxUnavailable: 50%, keepReady: 1 }\n"
        } else {
            ""
        };
        let lifted = if self.overridden { OVERRIDE } else { "" };
        let text = edited(&[
            ("level: 4\n", &format!("level: {level}\n{act_from}{limits}{lifted}")),
            ("maxLevel: 5, ladder: off", &format!("maxLevel: {max_level}, ladder: {ladder}")),
            ("mode: enforce", if self.shadow { "mode: shadow" } else { "mode: enforce" }),
            ("maxInFlight: 4", &format!("maxInFlight: {in_flight}")),
        ]);
        let (head, grants) = text.split_once("  grants:\n").unwrap();
        let grant = |(id, more): &(&str, &str)| {
            format!(
                "{{ id: {id}, {more}, alerts: ['alertname=~\"Kube.*\"'], actions: [restart_pod], verify: {{ within: 20m, expect: [workload_ready] }}, confirm: {{ approval: one }} }}"
            )
        };
        let more: Vec<String> = self.grants.iter().map(grant).collect();
        let list = |key: &str, items: &[&str]| match items {
            [] => String::new(),
            items => format!("  {key}:\n    - {}\n", items.join("\n    - ")),
        };
        let grants = format!(
            "  grants:\n{}{grants}",
            list("", &more.iter().map(String::as_str).collect::<Vec<_>>()).replace("  :\n", "")
        );
        let sections = vec![
            list("guards", &self.guards),
            list("freezes", &self.freezes),
            list("ceilings", &self.ceilings),
            grants,
        ];
        (head.to_owned(), sections)
    }

    fn text(&self) -> String {
        let (head, sections) = self.parts();
        format!("{head}{}", sections.concat())
    }

    fn set(&self) -> PolicySet {
        set(&self.text())
    }

    /// The same rules in several files, each list the other way round.
    fn shuffled(&self, seed: u64) -> PolicySet {
        let mut other = self.clone();
        other.guards.reverse();
        other.freezes.reverse();
        other.ceilings.reverse();
        other.grants.reverse();
        let (head, sections) = other.parts();
        let mode = if self.shadow { "  mode: shadow\n" } else { "" };
        let mut all: Vec<(String, String)> = (0_u64..)
            .zip(&sections)
            .filter(|(_, text)| !text.is_empty())
            .map(|(i, text)| {
                let name = format!("policies/{}.yaml", (seed.rotate_left(u32::try_from(i).unwrap() * 8) % 251) * 10 + i);
                (name, format!("apiVersion: belay.dev/v1\nkind: Policy\nmetadata: {{ name: s{i}, owner: us }}\nspec:\n{mode}{text}"))
            })
            .collect();
        all.push(("policies/500.yaml".to_owned(), head));
        all.push((format!("policies/{OOM}"), read(OOM)));
        if seed.is_multiple_of(3) {
            all.reverse();
        }
        draft(all).unwrap()
    }
}

fn made() -> impl Strategy<Value = Made> {
    let rules = (
        subsequence(GUARDS.to_vec(), 0..=GUARDS.len()),
        subsequence(FREEZES.to_vec(), 0..=2),
        subsequence(CEILINGS.to_vec(), 0..=1),
        subsequence(GRANTS.to_vec(), 0..=GRANTS.len()),
    );
    let grant = (2..=5_u8, proptest::option::weighted(0.3, 3..=5_u8), any::<bool>(), any::<bool>());
    let place = (1..=5_u8, prop_oneof![3 => Just("off"), 1 => Just("strict")]);
    (rules, grant, place, prop::bool::weighted(0.1), 1..=5_u8).prop_map(
        |(rules, grant, place, shadow, in_flight)| Made {
            guards: rules.0,
            freezes: rules.1,
            ceilings: rules.2,
            grants: rules.3,
            level: grant.0,
            act_from: grant.1,
            limited: grant.2,
            // an override above the granted level is refused
            overridden: grant.3 && grant.0 >= 4,
            max_level: place.0,
            ladder: place.1,
            shadow,
            in_flight,
        },
    )
}

fn fact<T: std::fmt::Debug + Clone + 'static>(
    known: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Fact<T>> {
    prop_oneof![
        6 => known.prop_map(Fact::Known),
        1 => Just(Fact::Unknown("nobody answered".to_owned())),
        1 => Just(Fact::NotApplicable),
    ]
    .boxed()
}

type Change = Box<dyn Fn(&mut Question) + Send + Sync>;

/// One random change to a question.
#[derive(Clone)]
struct Changed(std::sync::Arc<Change>, &'static str);

impl std::fmt::Debug for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
}

fn changed<T, S>(name: &'static str, values: S, put: fn(&mut Question, T)) -> BoxedStrategy<Changed>
where
    T: Clone + Send + Sync + std::fmt::Debug + 'static,
    S: Strategy<Value = T> + 'static,
{
    values
        .prop_map(move |value| {
            let change: Change = Box::new(move |question| put(question, value.clone()));
            Changed(std::sync::Arc::new(change), name)
        })
        .boxed()
}

fn person() -> impl Strategy<Value = Person> {
    let slack =
        |user: &str| Person::Slack { user: user.to_owned(), team: "T0".to_owned(), name: user.to_owned() };
    prop_oneof![
        select(vec!["U0A", "U0B", "U0C", "U0D", "U0X"]).prop_map(slack),
        select(vec!["kim", "lee"]).prop_map(|name| Person::Operator { name: name.to_owned() }),
    ]
}

/// Every fact that policy is asked with, each changed at random.
fn change() -> impl Strategy<Value = Changed> {
    let few = 0..=5_u32;
    let minutes = prop_oneof![0..20_i64, Just(100_000_i64)];
    let labels =
        select(vec![vec![], vec![("app", "api")], vec![("quiet", "true"), ("app", "db")]]).prop_map(|all| {
            all.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<BTreeMap<_, _>>()
        });
    prop::strategy::Union::new(vec![
        changed("alertname", select(vec!["KubePodCrashLooping", "KubeOther", "Other"]), |q, v: &str| {
            q.alert.labels.insert("alertname".to_owned(), v.to_owned());
        }),
        changed("severity", select(vec![Severity::Info, Severity::Warning, Severity::Critical]), |q, v| {
            q.alert.severity = v;
        }),
        changed("age", 0..600_i64, |q, v| q.alert.starts_at = q.now - SignedDuration::from_mins(v)),
        changed("flaps", 0..=4_u32, |q, v| q.alert.flaps = v),
        changed("cause", select(vec!["OOMKilled", "CrashLoop", "Saturation"]), |q, v: &str| {
            q.finding.cause = v.to_owned();
        }),
        changed(
            "certainty",
            select(vec![Certainty::Possible, Certainty::Likely, Certainty::Certain]),
            |q, v| q.finding.certainty = v,
        ),
        changed("cluster", select(vec!["demo", "eu-1"]), |q, v: &str| {
            q.target.object.named.cluster = Cluster::new(v);
        }),
        changed("namespace", select(vec!["shop", "elsewhere"]), |q, v: &str| {
            q.target.object.named.namespace = v.to_owned();
        }),
        changed("labels", fact(labels.clone()), |q, v| q.target.labels = v),
        changed("annotations", fact(labels), |q, v| q.target.annotations = v),
        changed("grounded", prop::bool::weighted(0.7), |q, v| q.target.grounded = v),
        changed("named", any::<bool>(), |q, v| q.target.named_by_alert = v),
        changed("lookalikes", fact(0..=2_u32), |q, v| q.target.lookalikes = v),
        changed("replicas", fact(few.clone()), |q, v| q.owner.replicas = v),
        changed("ready", fact(few), |q, v| q.owner.ready = v),
        changed("stateful", fact(any::<bool>()), |q, v| q.owner.stateful = v),
        changed("busy", fact(any::<bool>()), |q, v| q.owner.busy = v),
        changed("gitops", fact(any::<bool>()), |q, v| q.owner.gitops_self_heal = v),
        changed("hpa", fact(any::<bool>()), |q, v| q.owner.hpa = v),
        changed("rollout", fact(minutes.clone()), |q, v| q.owner.minutes_since_rollout = v),
        changed("person", fact(minutes), |q, v| q.owner.changed_by_person_minutes = v),
        changed(
            "taken",
            (0..=12_usize, 0..2_000_i64, select(vec!["perTarget", "global", "lock"])),
            |q, (n, age, which)| {
                let owner = q.owner.owner.key();
                let key = match which {
                    "perTarget" => format!("perTarget/restart/{owner}"),
                    "lock" => format!("lock/{owner}"),
                    global => global.to_owned(),
                };
                q.history.taken.insert(key, vec![q.now - SignedDuration::from_secs(age); n]);
            },
        ),
        changed("groups", fact(0..=30_u32), |q, v| q.cluster.firing_groups = v),
        changed("in flight", 0..=5_u32, |q, v| q.cluster.actions_in_flight = v),
        changed("holds", prop::bool::weighted(0.3), |q, v| {
            q.cluster.holds = if v { vec!["stop".to_owned()] } else { vec![] }
        }),
        changed("strange", any::<bool>(), |q, v| q.cluster.strange_intents = v),
        changed("model", any::<bool>(), |q, v| q.chosen_by_model = v),
        changed("asked", select(vec![Asked::Candidate, Asked::Plan, Asked::Write]), |q, v| q.asked = v),
        changed("unavailable", 0..=4_u32, |q, v| {
            if let Some(plan) = &mut q.plan {
                plan.blast.unavailable_after = v;
            }
        }),
        changed("no plan", Just(()), |q, ()| q.plan = None),
        changed("people", fact(Just(vec!["U0X".to_owned()])), |q, v| {
            q.people.insert("schedule/x".to_owned(), v);
        }),
        changed("approval", (prop::collection::vec(person(), 0..4), 0..40_i64), |q, (by, age)| {
            let Some(plan) = q.plan.as_ref().map(|plan| plan.hash().unwrap()) else { return };
            q.approval = Some(ApprovalFacts { plan, by, at: q.now - SignedDuration::from_mins(age) });
        }),
        changed("later", 0..3_000_i64, |q, v| q.now += SignedDuration::from_mins(v)),
    ])
}

/// A golden input with a plan, and up to eight changes.
fn asked(set: &PolicySet, given: &str, changes: &[Changed]) -> Question {
    let plan: &[(&str, &str)] =
        if given == OOM { &[("plan.unavailable_after", "1")] } else { &[("plan.replica_delta", "2")] };
    let mut question = ask(set, given, plan);
    for Changed(change, _) in changes {
        change(&mut question);
    }
    question
}

fn changes() -> impl Strategy<Value = Vec<Changed>> {
    prop::collection::vec(change(), 0..8)
}

/// Forgets one fact.
fn forget(question: &mut Question, which: u8) {
    fn unknown<T>(fact: &mut Fact<T>) {
        *fact = Fact::Unknown("nobody answered".to_owned());
    }
    match which {
        0 => unknown(&mut question.owner.stateful),
        1 => unknown(&mut question.owner.busy),
        2 => unknown(&mut question.owner.replicas),
        3 => unknown(&mut question.owner.ready),
        4 => unknown(&mut question.owner.gitops_self_heal),
        5 => unknown(&mut question.owner.hpa),
        6 => unknown(&mut question.owner.minutes_since_rollout),
        7 => unknown(&mut question.owner.changed_by_person_minutes),
        8 => unknown(&mut question.target.labels),
        9 => unknown(&mut question.target.annotations),
        10 => unknown(&mut question.target.lookalikes),
        11 => unknown(&mut question.cluster.firing_groups),
        _ => question.people.values_mut().for_each(unknown),
    }
}

/// The later decision allows no more than the earlier.
fn no_looser(before: &Decision, after: &Decision) -> Result<(), TestCaseError> {
    prop_assert!(authority(after.outcome) <= authority(before.outcome), "{before:#?}\n{after:#?}");
    if authority(after.outcome) > 0 {
        prop_assert!(after.level <= before.level);
    }
    Ok(())
}

/// Without what only says which files there were.
fn told(decision: Decision) -> Decision {
    Decision { set: belay::domain::canonical::Hash::ZERO, ..decision }
}

/// Each case loads policies, which takes 30 ms unoptimised: 64 of each by default, and as many as
/// `PROPTEST_CASES` says in the long run.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.cases == 256 { ProptestConfig { cases: 64, ..config } } else { config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn prop_adding_a_guard_a_freeze_a_ceiling_or_a_cap_never_loosens(made in made(), changes in changes(), lower in 2..=5_u8) {
        let before_set = made.set();
        let question = asked(&before_set, OOM, &changes);
        let before = decide(&before_set, &question);
        let more = [
            Made { guards: GUARDS.to_vec(), ..made.clone() },
            Made { freezes: FREEZES.to_vec(), ..made.clone() },
            Made { ceilings: CEILINGS.to_vec(), ..made.clone() },
            Made { max_level: made.max_level.min(lower), ..made.clone() },
            Made { in_flight: made.in_flight.min(lower), ..made.clone() },
            Made { ladder: "strict", ..made.clone() },
            Made { shadow: true, ..made },
        ];
        for stricter in more {
            let after = decide(&stricter.set(), &question);
            no_looser(&before, &after)?;
            // Loudness is a maximum: nothing that lowers may silence (but for taking the grants out of force).
            if before.outcome == Outcome::Escalate && !stricter.shadow {
                prop_assert_eq!(after.outcome, Outcome::Escalate);
            }
        }
    }

    /// With one grant: of several, the unknown may leave a lower one to carry, whose limits are its own.
    #[test]
    fn prop_an_unknown_fact_never_loosens(made in made(), changes in changes(), which in 0..=12_u8) {
        let set = Made { grants: Vec::new(), ..made }.set();
        let mut question = asked(&set, OOM, &changes);
        let before = decide(&set, &question);
        let permitted = permit(&set, &question).is_ok();
        forget(&mut question, which);
        no_looser(&before, &decide(&set, &question))?;
        prop_assert!(permitted || permit(&set, &question).is_err());
    }

    /// Text that speaks to the model makes a decision stricter, never looser, and what a model chose is then asked.
    #[test]
    fn prop_a_flag_never_loosens(made in made(), changes in changes(), by_model in any::<bool>()) {
        let set = made.set();
        let mut question = asked(&set, OOM, &changes);
        question.chosen_by_model = by_model;
        question.incident_facts.flagged = Fact::Known(false);
        let before = decide(&set, &question);
        let permitted = permit(&set, &question).is_ok();
        for flagged in [Fact::Known(true), Fact::Unknown("nobody looked".to_owned())] {
            question.incident_facts.flagged = flagged;
            let after = decide(&set, &question);
            no_looser(&before, &after)?;
            prop_assert!(permitted || permit(&set, &question).is_err());
            prop_assert!(!by_model || after.outcome != Outcome::Act, "{after:#?}");
        }
    }

    #[test]
    fn prop_the_order_of_files_and_rules_never_matters(made in made(), changes in changes(), seed in any::<u64>()) {
        let (set, other) = (made.set(), made.shuffled(seed));
        let question = asked(&set, OOM, &changes);
        prop_assert_eq!(told(decide(&set, &question)), told(decide(&other, &question)));
    }

    #[test]
    fn prop_a_cap_never_hides_an_escalation(made in made(), changes in changes()) {
        let made = Made { limited: true, shadow: false, grants: Vec::new(), ..made };
        let set = made.set();
        let mut question = asked(&set, OOM, &changes);
        // the grant matches, and its limit is reached
        question.alert.labels.insert("alertname".to_owned(), "KubePodCrashLooping".to_owned());
        question.finding.cause = "OOMKilled".to_owned();
        question.chosen_by_model = true;
        question.target.object.named.namespace = "shop".to_owned();
        let key = format!("perTarget/restart/{}", question.owner.owner.key());
        question.history.taken.insert(key, vec![question.now]);
        let decision = decide(&set, &question);
        prop_assert_eq!(decision.outcome, Outcome::Escalate);
        prop_assert!(decision.reasons.iter().any(|reason| reason.code == "limit/perTarget"));
    }

    #[test]
    fn prop_an_override_never_outlives_its_end(made in made(), changes in changes(), minutes in 0..100_000_i64, early in any::<bool>()) {
        let made = Made { level: made.level.max(4), ladder: "strict", ..made };
        let with = Made { overridden: true, ..made.clone() }.set();
        let without = Made { overridden: false, ..made }.set();
        let mut question = asked(&with, OOM, &changes);
        let end: jiff::Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let long_before = end - SignedDuration::from_hours(30 * 24) - SignedDuration::from_secs(1);
        let away = SignedDuration::from_mins(minutes);
        question.now = if early { long_before - away } else { end + away };
        prop_assert_eq!(told(decide(&with, &question)), told(decide(&without, &question)));
    }

    #[test]
    fn prop_the_decision_is_a_function(made in made(), changes in changes(), given in select(vec![OOM, SATURATION])) {
        let set = made.set();
        let question = asked(&set, given, &changes);
        let replayed: Question = serde_json::from_str(&serde_json::to_string(&question).unwrap()).unwrap();
        let bytes = |decision: &Decision| serde_json::to_vec(decision).unwrap();
        let decision = bytes(&decide(&set, &question));
        prop_assert_eq!(&decision, &bytes(&decide(&made.set(), &replayed)));
        prop_assert_eq!(&decision, &bytes(&explain(&set, &question).decision));
    }

    /// Grants that differ in level and condition only: each one's own limits, which the next one does not
    /// share, are left out, and so are `actFrom` and what an override lifts: the highest grant carries the
    /// act with what is its own, be it less than what a lower one was lifted to.
    #[test]
    fn prop_dropping_a_grant_never_loosens(made in made(), changes in changes(), which in 0..4_usize) {
        let own = Made { limited: false, act_from: None, overridden: false, ..made };
        let made = Made { grants: GRANTS.to_vec(), ..own };
        let set = made.set();
        let question = asked(&set, OOM, &changes);
        let mut fewer = made.clone();
        let text = if let Some(i) = (which < 3).then_some(which) {
            fewer.grants.remove(i);
            fewer.text()
        } else {
            fewer.text().replace("KubePodCrashLooping", "Nothing")
        };
        no_looser(&decide(&set, &question), &decide(&super::set(&text), &question))?;
    }

    #[test]
    fn prop_nothing_is_granted_out_of_scope_and_nothing_changes_within(made in made(), changes in changes(), given in select(vec![OOM, SATURATION])) {
        let made = Made { ceilings: Vec::new(), in_flight: 4, ..made };
        let text = made.text().replace("  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n", "");
        let scoped = |scope: &str| draft(files("test.yaml", &text.replacen("  mode:", &format!("  scope: {scope}\n  mode:"), 1))).unwrap();
        let (platform, shop) = (set(&text), scoped("{ namespace: [sho*] }"));
        let question = asked(&platform, given, &changes);
        let decision = decide(&shop, &question);
        if question.target.object.named.namespace == "shop" {
            prop_assert_eq!(told(decision), told(decide(&platform, &question)));
        } else {
            prop_assert!(decision.terms.is_none() && authority(decision.outcome) == 0);
        }
        let nowhere = decide(&scoped("{ cluster: [none] }"), &question);
        prop_assert!(nowhere.terms.is_none() && authority(nowhere.outcome) == 0);
    }

    #[test]
    fn prop_level_1_neither_acts_nor_asks(made in made(), changes in changes(), how in 0..3) {
        let made = match how {
            0 => Made { max_level: 1, ..made },
            1 => Made { ceilings: vec!["{ maxLevel: 1 }"], ..made },
            _ => made,
        };
        let set = made.set();
        let mut question = asked(&set, OOM, &changes);
        if how == 2 { question.cluster.holds = vec!["stop".to_owned()]; }
        let decision = decide(&set, &question);
        prop_assert!(authority(decision.outcome) == 0, "{:?}", decision.outcome);
    }

    #[test]
    fn prop_a_permit_needs_an_acting_decision_or_an_approval(made in made(), changes in changes(), given in select(vec![OOM, SATURATION])) {
        let set = made.set();
        let mut question = asked(&set, given, &changes);
        question.asked = Asked::Write;
        let decision = decide(&set, &question);
        let permitted = permit(&set, &question).is_ok();
        match decision.outcome {
            Outcome::Act => prop_assert!(permitted),
            Outcome::Ask => prop_assert!(!permitted || question.approval.is_some()),
            Outcome::Drop | Outcome::Notify | Outcome::Escalate => prop_assert!(!permitted),
        }
    }
}

#[test]
fn the_base_is_what_the_laws_are_tried_on() {
    assert!(BASE.contains("  grants:\n") && BASE.contains("    - id: scale"));
}
