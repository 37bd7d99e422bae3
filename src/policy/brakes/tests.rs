//! Each knob of the brakes changing a decision, and what cannot be read braking.

use super::super::decide::decide;
use super::super::tried::{asked, check, lenient};
use super::*;
use crate::domain::decision::Outcome::{self, Act, Ask, Escalate, Notify};

type Changes = &'static [(&'static str, &'static str)];
type Knob = fn(&mut Brakes);
type Then = (Outcome, u8, &'static str);

#[test]
fn the_default_watches_what_belay_sees_by() {
    assert_eq!(Brakes::default().trust.alerts.len(), 1);
}

/// What is asked, what follows by default, and a knob that changes it back.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one line a knob")]
fn every_knob_changes_a_decision() {
    let acts = (Act, 4, "grant/restart");
    let cases: [(Changes, Then, Knob, Then); 25] = [
        (
            &[("cluster.firing_groups", "21")],
            (Ask, 2, "brake/storm"),
            |b| b.storm.firing_groups_above = 21,
            acts,
        ),
        (
            &[("cluster.firing_groups", "21")],
            (Ask, 2, "brake/storm"),
            |b| b.storm.max_level = Level::Observe,
            (Notify, 1, "brake/storm"),
        ),
        (
            &[("cluster.unhealthy_fraction", "0.41")],
            (Ask, 2, "brake/storm"),
            |b| b.storm.unhealthy_permille_above = 410,
            acts,
        ),
        (
            &[("cluster.storm_minutes_ago", "9")],
            (Ask, 2, "brake/storm"),
            |b| b.storm.cooldown = SignedDuration::from_mins(9),
            acts,
        ),
        (
            &[("cluster.storm_minutes_ago", "10")],
            acts,
            |b| b.storm.cooldown = SignedDuration::from_mins(11),
            (Ask, 2, "brake/storm"),
        ),
        (&[("history.missed", "2")], (Ask, 2, "brake/breaker"), |b| b.breaker.failed_verifications = 3, acts),
        (
            &[("history.missed", "2")],
            (Ask, 2, "brake/breaker"),
            |b| b.breaker.max_level = Level::Observe,
            (Notify, 1, "brake/breaker"),
        ),
        (
            &[("history.missed", "2"), ("history.minutes_apart", "60"), ("history.minutes_ago", "9000")],
            (Ask, 2, "brake/breaker"),
            |b| b.breaker.window = SignedDuration::from_mins(59),
            acts,
        ),
        (
            &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
            (Notify, 1, "brake/blind"),
            |b| b.blind.missing_for = SignedDuration::from_mins(6),
            acts,
        ),
        (
            &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
            (Notify, 1, "brake/blind"),
            |b| b.blind.max_level = Level::InTheLoop,
            (Ask, 2, "brake/blind"),
        ),
        (
            &[("cluster.heartbeat.alert", "Watchdog"), ("cluster.heartbeat.minutes_ago", "5")],
            (Notify, 1, "brake/blind"),
            |b| b.blind.alert = "Other".to_owned(),
            acts,
        ),
        (
            &[("cluster.firing", "[PrometheusDown]")],
            (Ask, 2, "brake/trust"),
            |b| b.trust.alerts.clear(),
            acts,
        ),
        (
            &[("cluster.firing", "[etcdNoLeader]")],
            (Ask, 2, "brake/trust"),
            |b| b.trust.max_level = Level::Observe,
            (Notify, 1, "brake/trust"),
        ),
        (
            &[("history.cooldown", "1"), ("history.minutes_ago", "4")],
            (Escalate, 4, "limit/cooldown"),
            |b| b.target.same_action_cooldown = SignedDuration::from_mins(4),
            acts,
        ),
        (
            &[("history.failures", "3")],
            (Escalate, 4, "limit/failures"),
            |b| b.target.failures.count = 4,
            acts,
        ),
        (
            &[("history.failures", "3"), ("history.minutes_ago", "59")],
            (Escalate, 4, "limit/failures"),
            |b| b.target.failures.hold = SignedDuration::from_mins(59),
            acts,
        ),
        (
            &[("history.ineffective", "3"), ("history.minutes_ago", "239")],
            (Escalate, 4, "limit/ineffective"),
            |b| b.target.ineffective.count = 4,
            acts,
        ),
        (
            &[("history.ineffective", "3"), ("history.minutes_ago", "239")],
            (Escalate, 4, "limit/ineffective"),
            |b| b.target.ineffective.hold = SignedDuration::from_hours(3),
            acts,
        ),
        (
            &[("history.ineffective", "3"), ("history.minutes_ago", "240")],
            acts,
            |b| b.target.ineffective.hold = SignedDuration::from_hours(5),
            (Escalate, 4, "limit/ineffective"),
        ),
        (
            &[("cluster.actions_in_flight", "1")],
            (Escalate, 4, "limit/inFlight"),
            |b| b.global.ramp = vec![2],
            acts,
        ),
        (
            &[("cluster.actions_in_flight", "1")],
            (Escalate, 4, "limit/inFlight"),
            |b| b.global.ramp.clear(),
            acts,
        ),
        (
            &[("cluster.actions_in_flight", "1"), ("history.verified", "1")],
            acts,
            |b| b.global.max_in_flight = 1,
            (Escalate, 4, "limit/inFlight"),
        ),
        (
            &[("cluster.actions_in_flight", "3"), ("history.verified", "2")],
            acts,
            |b| b.global.ramp = vec![1, 2, 3],
            (Escalate, 4, "limit/inFlight"),
        ),
        (
            &[("cluster.actions_in_flight", "1"), ("history.verified", "1"), ("history.minutes_ago", "50")],
            acts,
            |b| b.global.window = SignedDuration::from_mins(50),
            (Escalate, 4, "limit/inFlight"),
        ),
        (
            &[("cluster.actions_in_flight", "1"), ("history.verified", "5"), ("history.missed", "1")],
            (Escalate, 4, "limit/inFlight"),
            |b| b.global.ramp = vec![9],
            acts,
        ),
    ];
    for (changes, (outcome, level, first), turn, (then, at, because)) in cases {
        let mut set = lenient();
        check(&set, changes, outcome, level, first);
        turn(&mut set.brakes);
        check(&set, changes, then, at, because);
    }
}

#[test]
fn what_cannot_be_read_brakes_and_what_does_not_apply_does_not() {
    let set = lenient();
    let cases: [(&str, &str); 5] = [
        ("cluster.firing_groups", "brake/storm"),
        ("cluster.unhealthy_fraction", "brake/storm"),
        ("cluster.firing", "brake/trust"),
        ("cluster.heartbeat", "brake/blind"),
        ("owner.replicas", "grant/restart"),
    ];
    for (fact, code) in cases {
        let found = decide(&set, &asked(&set, &[(fact, "unknown")]));
        assert_eq!(found.reasons[0].code, code, "{fact}");
        check(&set, &[(fact, "not_applicable")], Act, 4, "grant/restart");
    }
    let forgets: [fn(&mut Question); 2] =
        [|q| q.history.missed = Fact::default(), |q| q.history.acts = Fact::default()];
    for forget in forgets {
        let mut question = asked(&set, &[]);
        forget(&mut question);
        assert_ne!(decide(&set, &question).outcome, Act);
    }
}

/// Within the window is enough, however long ago: only a person closes it.
#[test]
fn the_breaker_stays_open_until_a_person_resets_it() {
    let set = lenient();
    check(&set, &[("history.missed", "2"), ("history.minutes_ago", "500000")], Ask, 2, "brake/breaker");
    check(&set, &[("history.missed", "2"), ("history.minutes_apart", "61")], Act, 4, "grant/restart");
    // so many that the list is full: what fell out of it may have been closer together
    check(&set, &[("history.missed", "100"), ("history.minutes_apart", "61")], Ask, 2, "brake/breaker");
    let mut question = asked(&set, &[("history.missed", "2")]);
    question.history.missed = Fact::Known(Vec::new());
    assert_eq!(decide(&set, &question).outcome, Act);
}

/// At level 1 what is reached is printed; from 2 on it is loud.
#[test]
fn limits_are_loud_from_level_2_on() {
    for (key, code) in [
        ("history.cooldown", "limit/cooldown"),
        ("history.failures", "limit/failures"),
        ("history.ineffective", "limit/ineffective"),
    ] {
        for level in Level::ALL {
            let mut set = lenient();
            set.grants[0].level = level;
            let decision = decide(&set, &asked(&set, &[(key, "3")]));
            let loud = if level == Level::Observe { Notify } else { Escalate };
            assert_eq!(decision.outcome, loud, "{key} at {level:?}");
            assert!(decision.reasons.iter().any(|reason| reason.code == code), "{key}");
        }
    }
}

#[test]
fn failures_and_what_did_not_help_are_counted_apart_and_in_a_row() {
    let set = lenient();
    let two_and_two: Changes = &[("history.failures", "2"), ("history.ineffective", "2")];
    check(&set, two_and_two, Act, 4, "grant/restart");
    let mut question = asked(&set, &[("history.ineffective", "3")]);
    let Fact::Known(acts) = &mut question.history.acts else { panic!() };
    // a call that failed in between says nothing about what helps
    let mut failed = acts[0].clone();
    failed.became = crate::domain::track::Became::Failed;
    acts.insert(1, failed.clone());
    assert_eq!(decide(&set, &question).reasons[0].code, "limit/ineffective");
    failed.became = crate::domain::track::Became::Helped;
    let Fact::Known(acts) = &mut question.history.acts else { panic!() };
    acts.insert(1, failed);
    assert_eq!(decide(&set, &question).outcome, Act);
}

#[test]
fn what_was_put_back_is_not_done_again_for_the_same_cause() {
    let set = lenient();
    let four = SignedDuration::from_hours(4);
    let mut question = asked(&set, &[("history.helped", "2")]);
    let put_back = |question: &mut crate::domain::decision::Question, n: usize| {
        let Fact::Known(acts) = &mut question.history.acts else { panic!() };
        acts[n].reverted = true;
        acts[n].became_at.unwrap()
    };
    put_back(&mut question, 1);
    assert_eq!(decide(&set, &question).outcome, Act, "it was done since, and stayed");
    let at = put_back(&mut question, 0);
    let decision = decide(&set, &question);
    assert_eq!((decision.outcome, decision.reasons[0].code.as_str()), (Escalate, "limit/putBack"));
    let other = |change: fn(&mut crate::domain::decision::Question)| {
        let mut question = question.clone();
        change(&mut question);
        decide(&set, &question).reasons.iter().any(|reason| reason.code == "limit/putBack")
    };
    assert!(!other(|q| q.finding.cause = "CrashLoop".to_owned()), "for another cause");
    assert!(!other(|q| q.history.acts = Fact::Known(vec![])));
    question.now = at + four;
    assert_eq!(decide(&set, &question).outcome, Act);
    question.now -= SignedDuration::from_secs(1);
    assert_eq!(decide(&set, &question).outcome, Escalate);
}

#[test]
fn limits_hold_over_a_clock_that_jumps_a_day_either_way() {
    let set = lenient();
    let day = SignedDuration::from_hours(24);
    for (key, code) in [("history.cooldown", "limit/cooldown"), ("history.ineffective", "limit/ineffective")]
    {
        let mut question = asked(&set, &[(key, "3")]);
        question.now -= day; // set back: what was done lies in the future now
        assert_eq!(decide(&set, &question).reasons[0].code, code);
        question.now += day; // and forth again
        assert_eq!(decide(&set, &question).reasons[0].code, code);
    }
    let mut question = asked(&set, &[("cluster.storm_minutes_ago", "1"), ("history.missed", "2")]);
    question.now -= day;
    let codes: Vec<_> = decide(&set, &question).reasons.into_iter().map(|r| r.code).collect();
    assert!(codes.contains(&"brake/storm".to_owned()) && codes.contains(&"brake/breaker".to_owned()));
}

#[test]
fn an_act_draws_upon_what_it_was_judged_by() {
    let set = lenient();
    let terms = |changes| decide(&set, &asked(&set, changes)).terms.unwrap();
    let drawn = terms(&[("history.verified", "1")]).draws;
    let max = |code: &str| drawn.iter().find(|draw| draw.code == code).map(|draw| (draw.max, draw.window));
    assert_eq!(max("limit/inFlight"), Some((2, None)));
    assert_eq!(max("limit/cooldown"), Some((1, Some(SignedDuration::from_mins(5)))));
    assert_eq!(max("limit/perTarget"), Some((9, Some(SignedDuration::from_mins(10)))));
    let cooldown = drawn.iter().find(|draw| draw.code == "limit/cooldown").unwrap();
    assert_eq!(cooldown.key, "cooldown/restart_pod/demo/shop/Deployment/api/uid-api");
    assert!(super::super::history_keys(&set, &asked(&set, &[])).contains(&cooldown.key));
}

#[test]
fn a_storm_of_the_moment_is_told_in_numbers() {
    let set = lenient();
    let storm = |changes: Changes| storm_now(&set, &asked(&set, changes).cluster);
    assert_eq!(storm(&[]), None);
    assert_eq!(
        storm(&[("cluster.firing_groups", "21")]).as_deref(),
        Some("21 groups of alerts fire, more than 20")
    );
    assert_eq!(
        storm(&[("cluster.unhealthy_fraction", "0.41")]).as_deref(),
        Some("41 % of the pods are not well, more than 40 %")
    );
    assert_eq!(storm(&[("cluster.firing_groups", "unknown")]), None);
    assert_eq!(watchdog(&set), ("Watchdog", SignedDuration::from_mins(5)));
}
