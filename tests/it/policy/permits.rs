//! Permits: only from an acting decision or a good approval of this very plan; and undoing.

use belay::domain::action::Action;
use belay::domain::canonical::Hash;
use belay::domain::decision::{ApprovalFacts, Outcome, Person, Question};
use belay::domain::ids::GrantId;
use belay::domain::plan::Direction;
use belay::policy::{PolicySet, decide, permit};
use jiff::SignedDuration;

use super::{OOM, SATURATION, ask, edited, set};

const PLAN: [(&str, &str); 2] = [("plan.unavailable_after", "1"), ("asked", "write")];

fn slack(user: &str) -> Person {
    Person::Slack { user: user.to_owned(), team: "T0".to_owned(), name: "the same name".to_owned() }
}

fn operator(name: &str) -> Person {
    Person::Operator { name: name.to_owned() }
}

fn approve(question: &mut Question, by: &[Person]) {
    let plan = question.plan.as_ref().unwrap().hash().unwrap();
    question.approval = Some(ApprovalFacts { plan, by: by.to_vec(), at: question.now });
}

/// A question about a plan under a grant of level 2, with this approval rule.
fn asked(rule: &str) -> (PolicySet, Question) {
    let rule = format!(
        "level: 2\n      verify: {{ within: 20m, expect: [workload_ready] }}\n      confirm: {{ approval: {rule} }}"
    );
    let from =
        "level: 4\n      verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: one }";
    let set = set(&edited(&[(from, &rule)]));
    let question = ask(&set, OOM, &PLAN);
    assert_eq!(decide(&set, &question).outcome, Outcome::Ask);
    (set, question)
}

#[test]
fn an_act_is_permitted_by_its_grant() {
    let set = set(&edited(&[]));
    let mut question = ask(&set, OOM, &PLAN);
    question.plan.as_mut().unwrap().preconditions.generation = Some(7);
    let plan = question.plan.as_ref().unwrap();
    let permit = permit(&set, &question).unwrap();
    assert_eq!(permit.plan(), plan.hash().unwrap());
    assert_eq!(permit.incident(), &question.incident);
    assert_eq!((permit.uid(), permit.generation()), (plan.preconditions.uid.as_str(), Some(7)));
    assert_eq!(permit.approved_by(), "grant/restart");
    assert_eq!(permit.expires_at(), question.now + SignedDuration::from_secs(60));
    assert_eq!(permit.set(), set.hash());
    assert_eq!(permit.terms().grant.as_str(), "restart");
}

#[test]
fn a_permit_never_outlives_its_plan() {
    let set = set(&edited(&[]));
    let mut question = ask(&set, OOM, &PLAN);
    let soon = question.now + SignedDuration::from_secs(5);
    question.plan.as_mut().unwrap().expires_at = soon;
    assert_eq!(permit(&set, &question).unwrap().expires_at(), soon);
    question.now = soon;
    assert!(permit(&set, &question).is_err());
}

#[test]
fn an_approval_turns_a_question_into_a_permit() {
    let (set, mut question) = asked("one");
    assert_eq!(permit(&set, &question).unwrap_err().reasons[0].code, "approval");
    approve(&mut question, &[slack("U0A")]);
    assert_eq!(permit(&set, &question).unwrap().approved_by(), "the same name");
    approve(&mut question, &[operator("kim")]);
    assert_eq!(permit(&set, &question).unwrap().approved_by(), "kim");
}

#[test]
fn an_approval_takes_enough_distinct_entitled_people() {
    let (set, question) = asked("two");
    let cases: [(&[Person], bool); 8] = [
        (&[], false),
        (&[slack("U0A")], false),
        (&[slack("U0A"), slack("U0A")], false),
        (&[slack("U0A"), slack("U0X")], false),
        (&[slack("U0A"), operator("kim")], false),
        (&[operator("kim"), operator("lee")], false),
        (&[slack("U0A"), slack("U0D")], true),
        (&[slack("U0X"), slack("U0A"), slack("U0B")], true),
    ];
    for (by, enough) in cases {
        let mut question = question.clone();
        approve(&mut question, by);
        assert_eq!(permit(&set, &question).is_ok(), enough, "{by:?}");
    }
}

/// `two` as this rule, and who must be enough under it.
fn check_rule(rule: &str, edits: &[(&str, &str)], cases: &[(&[Person], bool)]) {
    let rule = format!("two: {{ {rule}, expires: 30m }}");
    let level =
        "level: 2\n      verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: two }";
    let from =
        "level: 4\n      verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: one }";
    let own = [("two: { from: [leads, oncall], count: 2, expires: 30m }", rule.as_str()), (from, level)];
    let set = set(&edited(&[edits, &own].concat()));
    let question = ask(&set, OOM, &PLAN);
    for (by, enough) in cases {
        let mut question = question.clone();
        approve(&mut question, by);
        assert_eq!(permit(&set, &question).is_ok(), *enough, "{rule}: {by:?}");
    }
}

/// Leads are C and D, on call are A, B and C.
#[test]
fn each_group_is_heard() {
    let both = "from: [leads, oncall], count: 2, eachGroup: 1";
    let cases: [(&[Person], bool); 6] = [
        (&[slack("U0A"), slack("U0B")], false),
        (&[slack("U0A"), slack("U0D")], true),
        (&[slack("U0A"), slack("U0C")], true),
        (&[slack("U0C"), slack("U0D")], true),
        (&[slack("U0C")], false),
        (&[slack("U0C"), operator("kim")], false),
    ];
    check_rule(both, &[], &cases);
    check_rule("from: [leads, oncall], count: 2", &[], &[(&[slack("U0A"), slack("U0B")], true)]);
    // whoever is in two groups counts for one of them
    let third = [(
        "leads: { slackUsers: [U0C, U0D] }",
        "leads: { slackUsers: [U0C, U0D] }\n    more: { slackUsers: [U0C, U0A] }",
    )];
    let three = "from: [oncall, leads, more], count: 3, eachGroup: 1";
    let cases: [(&[Person], bool); 3] = [
        (&[slack("U0C"), slack("U0B"), slack("U0A")], true),
        (&[slack("U0D"), slack("U0B"), slack("U0A")], true),
        (&[slack("U0B"), slack("U0A"), slack("U0X")], false),
    ];
    check_rule(three, &third, &cases);
}

#[test]
fn step_up_takes_more_than_a_click() {
    let cases: [(&[Person], bool); 4] = [
        (&[slack("U0A"), slack("U0B")], false),
        (&[slack("U0A"), operator("kim")], false),
        (&[operator("kim"), operator("lee")], true),
        (&[operator("kim"), operator("kim")], false),
    ];
    check_rule("from: [oncall, terminal], count: 2, stepUp: true", &[], &cases);
    check_rule("from: [oncall, terminal], count: 2", &[], &[(&[slack("U0A"), operator("kim")], true)]);
}

/// A group that others keep: known, empty, unknown, and never looked up.
#[test]
fn who_is_in_a_group_is_a_fact_of_the_moment() {
    use belay::domain::decision::Fact;
    let keys = [
        ("slackUserGroup: S0ONCALL", "slackUserGroup/S0ONCALL"),
        ("schedule: payments-primary", "schedule/payments-primary"),
        ("oidcGroup: payments-leads", "oidcGroup/payments-leads"),
    ];
    for (text, key) in keys {
        let approver = format!("    oncall: {{ {text} }}");
        let (_, mut question) = asked("one");
        let rule = "one: { from: [oncall], count: 1, expires: 15m }";
        let text = edited(&[
            ("    oncall: { slackUsers: [U0A, U0B, U0C] }", &approver),
            ("one: { from: [oncall, terminal], count: 1, expires: 15m }", rule),
            ("level: 4", "level: 2"),
        ]);
        let set = set(&text);
        let mut good = |members: Option<Fact<Vec<String>>>, user: &str| {
            question.people = members.map(|members| (key.to_owned(), members)).into_iter().collect();
            approve(&mut question, &[slack(user), operator("kim")]);
            permit(&set, &question).is_ok()
        };
        assert!(good(Some(Fact::Known(vec!["U0X".to_owned()])), "U0X"), "{key}");
        assert!(!good(Some(Fact::Known(vec!["U0X".to_owned()])), "U0Y"), "{key}");
        assert!(!good(Some(Fact::Known(Vec::new())), "U0X"), "{key}");
        assert!(!good(Some(Fact::Unknown("Slack does not answer".to_owned())), "U0X"), "{key}");
        assert!(!good(None, "U0X"), "{key}");
    }
}

#[test]
fn a_group_that_others_keep_counts_for_its_group() {
    use belay::domain::decision::Fact;
    let level = (
        "level: 4\n      verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: one }",
        "level: 2\n      verify: { within: 20m, expect: [workload_ready] }\n      confirm: { approval: two }",
    );
    let set = set(&edited(&[
        ("leads: { slackUsers: [U0C, U0D] }", "leads: { slackUserGroup: S0LEADS }"),
        ("count: 2, expires: 30m", "count: 2, eachGroup: 1, expires: 30m"),
        level,
    ]));
    let mut question = ask(&set, OOM, &PLAN);
    approve(&mut question, &[slack("U0A"), slack("U0X")]);
    assert!(permit(&set, &question).is_err());
    question.people.insert("slackUserGroup/S0LEADS".to_owned(), Fact::Known(vec!["U0X".to_owned()]));
    assert!(permit(&set, &question).is_ok());
    approve(&mut question, &[slack("U0A"), slack("U0B")]);
    assert!(permit(&set, &question).is_err());
}

#[test]
fn an_undo_takes_one_answer_also_where_the_act_takes_more() {
    let rule = (
        "one: { from: [oncall, terminal], count: 1, expires: 15m }",
        "one: { from: [oncall, terminal], count: 2, eachGroup: 1, stepUp: true, expires: 15m }",
    );
    let text = edited(&[
        (
            "oncall: { slackUsers: [U0A, U0B, U0C] }",
            "oncall: { slackUsers: [U0A, U0B, U0C], operators: true }",
        ),
        rule,
        ("expect: [workload_ready], onFailure: revert", "expect: [workload_ready]"),
    ]);
    let set = set(&text);
    let mut question = undo(&set);
    assert!(permit(&set, &question).is_err());
    approve(&mut question, &[slack("U0A")]);
    assert!(permit(&set, &question).is_ok());
}

type Mutation = (&'static str, fn(&mut Question));

/// Whatever changes after the approval, it is for another thing.
#[test]
fn an_approval_is_for_one_thing() {
    let (set, mut question) = asked("one");
    approve(&mut question, &[slack("U0A")]);
    assert!(permit(&set, &question).is_ok());
    let mutations: [Mutation; 11] = [
        ("uid", |q| q.plan.as_mut().unwrap().preconditions.uid = "other".to_owned()),
        ("generation", |q| q.plan.as_mut().unwrap().preconditions.generation = Some(2)),
        ("blast", |q| q.plan.as_mut().unwrap().blast.unavailable_after = 2),
        ("expiry", |q| q.plan.as_mut().unwrap().expires_at += SignedDuration::from_secs(1)),
        ("class", |q| q.plan.as_mut().unwrap().class.undo = belay::domain::action::Reversibility::None),
        ("direction", |q| q.plan.as_mut().unwrap().direction = Direction::Revert),
        ("hash", |q| q.approval.as_mut().unwrap().plan = Hash::ZERO),
        ("nobody", |q| q.approval.as_mut().unwrap().by.clear()),
        ("in the future", |q| q.approval.as_mut().unwrap().at += SignedDuration::from_secs(1)),
        ("before the plan", |q| q.approval.as_mut().unwrap().at -= SignedDuration::from_secs(1)),
        ("withdrawn", |q| q.approval = None),
    ];
    for (what, mutate) in mutations {
        let mut question = question.clone();
        mutate(&mut question);
        assert!(permit(&set, &question).is_err(), "{what}");
    }
}

#[test]
fn an_approval_grows_old() {
    let (set, mut question) = asked("one");
    question.plan.as_mut().unwrap().expires_at += SignedDuration::from_hours(1);
    approve(&mut question, &[slack("U0A")]);
    let given = question.now;
    question.now = given + SignedDuration::from_secs(15 * 60 - 1);
    assert!(permit(&set, &question).is_ok());
    question.now = given + SignedDuration::from_mins(15);
    assert!(permit(&set, &question).is_err());
}

#[test]
fn the_rule_of_now_decides_on_an_approval() {
    let (_, mut question) = asked("one");
    approve(&mut question, &[operator("kim")]);
    let (stricter, _) = asked("two");
    assert!(permit(&stricter, &question).is_err());
    let frozen = set(&edited(&[("maxLevel: 5", "maxLevel: 1")]));
    assert!(permit(&frozen, &question).is_err());
    let looser = set(&edited(&[]));
    assert_eq!(permit(&looser, &question).unwrap().approved_by(), "grant/restart");
}

#[test]
fn a_guard_never_loosens_who_is_asked() {
    let guard = "  guards:\n    - { id: g, when: \"true\", maxLevel: 2, approval: two }\n  brakes:\n";
    let set = set(&edited(&[("  brakes:\n", guard)]));
    let mut question = ask(&set, OOM, &PLAN);
    // The guard's rule wants two of oncall and leads, the grant's one of oncall or at the terminal.
    approve(&mut question, &[operator("kim"), operator("lee")]);
    assert!(permit(&set, &question).is_err());
    approve(&mut question, &[slack("U0D"), operator("lee")]);
    assert!(permit(&set, &question).is_err());
    approve(&mut question, &[slack("U0D"), slack("U0A")]);
    assert!(permit(&set, &question).is_ok());
}

#[test]
fn nothing_else_is_permitted() {
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("level: 4", &[("cluster.holds", "[stop]")]),
        ("level: 1", &[]),
        ("level: 4", &[("target.grounded", "false")]),
        ("level: 4", &[("finding.cause", "CrashLoop")]),
        ("level: 4", &[("cluster.actions_in_flight", "4")]),
    ];
    for (level, changes) in cases {
        let set = set(&edited(&[("level: 4", level)]));
        let mut question = ask(&set, OOM, &[&PLAN, changes].concat());
        approve(&mut question, &[slack("U0A"), operator("kim")]);
        let decision = permit(&set, &question).unwrap_err();
        assert!(!matches!(decision.outcome, Outcome::Act | Outcome::Ask), "{changes:?}");
    }
}

#[test]
fn there_is_no_permit_without_a_plan() {
    let set = set(&edited(&[]));
    let question = ask(&set, OOM, &[]);
    assert_eq!(decide(&set, &question).outcome, Outcome::Act);
    let decision = permit(&set, &question).unwrap_err();
    assert_eq!(decision.reasons[0].code, "plan/missing");
}

/// The undo of a scale-up from 3 to 5 by grant `scale`.
fn undo(set: &PolicySet) -> Question {
    let mut question =
        ask(set, SATURATION, &[("plan.replica_delta", "-2"), ("asked", "write"), ("owner.replicas", "5")]);
    let back = Action::ScaleWorkload { workload: question.target.object.clone(), replicas: 3 };
    question.action = back.clone();
    let plan = question.plan.as_mut().unwrap();
    plan.action = back;
    plan.direction = Direction::Revert;
    question.undoes = Some(GrantId::new("scale"));
    question
}

#[test]
fn an_undo_that_the_grant_promised_needs_nobody() {
    let set = set(&edited(&[]));
    let question = undo(&set);
    let permit = permit(&set, &question).unwrap();
    assert_eq!(permit.approved_by(), "grant/scale");
    assert_eq!(permit.terms().draws.len(), 1, "an undo draws upon no limit: it would be no undo");
}

#[test]
fn people_can_always_undo() {
    let promise = ("expect: [workload_ready], onFailure: revert", "expect: [workload_ready]");
    let frozen = "  freezes:\n    - { name: f, from: 2026-11-20T00:00:00Z, to: 2026-11-21T00:00:00Z, maxLevel: 1 }\n  brakes:\n";
    let guarded = "  guards:\n    - { id: g, when: \"true\", deny: true }\n  brakes:\n";
    for edits in [
        vec![promise],
        vec![("  brakes:\n", frozen)],
        vec![("  brakes:\n", guarded)],
        vec![("level: 3", "level: 1")],
        vec![("level: 3", "level: 3\n      mode: shadow")],
        vec![("CPUSaturation", "Other")],
    ] {
        let set = set(&edited(&edits));
        let mut question = undo(&set);
        question.history.taken.insert("global".to_owned(), vec![question.now; 10]);
        approve(&mut question, &[operator("kim")]);
        assert!(permit(&set, &question).is_ok(), "{edits:?}");
        question.approval = None;
        let by_itself = permit(&set, &question).is_ok();
        assert_eq!(by_itself, edits[0].0 == "CPUSaturation", "{edits:?}");
    }
}

#[test]
fn an_undo_is_refused_while_stopped_and_for_what_is_not_ours() {
    let set = set(&edited(&[]));
    let refused = |change: fn(&mut Question)| {
        let mut question = undo(&set);
        change(&mut question);
        approve(&mut question, &[operator("kim")]);
        permit(&set, &question).unwrap_err().reasons[0].code.clone()
    };
    assert_eq!(refused(|q| q.cluster.holds.push("stop".to_owned())), "hold");
    assert_eq!(refused(|q| q.undoes = Some(GrantId::new("gone"))), "undo/no-grant");
    assert_eq!(refused(|q| q.undoes = None), "plan/direction");
    assert_eq!(refused(|q| q.plan.as_mut().unwrap().direction = Direction::Forward), "plan/direction");
    assert_eq!(refused(|q| q.target.grounded = false), "not-grounded");
}

#[test]
fn what_stops_an_undo_is_said_once() {
    let set = set(&edited(&[]));
    let changes: [(&str, fn(&mut Question)); 2] = [
        ("hold", |q| q.cluster.holds.push("stop".to_owned())),
        ("plan/expired", |q| q.plan.as_mut().unwrap().expires_at = q.now),
    ];
    for (code, change) in changes {
        let mut question = undo(&set);
        change(&mut question);
        let decision = permit(&set, &question).unwrap_err();
        let said = decision.reasons.iter().filter(|reason| reason.code == code).count();
        assert_eq!((said, decision.outcome), (1, Outcome::Notify), "{code}: {:#?}", decision.reasons);
    }
}

/// Found beside the cause, whatever the action is for: an approval does not help, and belay puts nothing back by itself
/// any more, while people may.
#[test]
fn damage_found_beside_the_cause_is_for_a_person() {
    let set = set(&edited(&[]));
    let mut question = ask(&set, OOM, &PLAN);
    question.finding.beside.insert("DataCorruption".to_owned());
    approve(&mut question, &[operator("kim")]);
    let refused = permit(&set, &question).unwrap_err();
    assert_eq!(
        (refused.outcome, refused.reasons[0].code.as_str()),
        (Outcome::Escalate, "cause/always-a-person")
    );
    let mut back = undo(&set);
    back.finding.beside.insert("SecuritySignal".to_owned());
    assert_eq!(decide(&set, &back).outcome, Outcome::Ask);
    assert!(permit(&set, &back).is_err(), "not by itself");
    approve(&mut back, &[operator("kim")]);
    assert_eq!(permit(&set, &back).unwrap().approved_by(), "kim");
}
