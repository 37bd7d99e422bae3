//! Owners and scopes, ceilings, freezes that come again, overrides and offers: each seen changing a decision.

use belay::domain::alert::{Alert, AlertStatus, Labels};
use belay::domain::decision::{Decision, Level, Outcome};
use belay::domain::ids::Fingerprint;
use belay::policy::{PolicySet, advise, decide, draft, explain, lint, load};

use super::{BASE, OOM, SATURATION, ask, decided, edited, files, set};

const NO_BRAKES: (&str, &str) =
    ("  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n", "");

/// `BASE` as a team's file with this scope.
fn scoped(scope: &str, edits: &[(&str, &str)]) -> String {
    let scope = format!("  scope: {scope}\n  mode:");
    edited(&[&[("  mode:", scope.as_str()), NO_BRAKES], edits].concat())
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn with(more: &[(&str, &str)], text: &str) -> PolicySet {
    let mut all = files("test.yaml", text);
    all.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    draft(all).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_scope_is_where_a_files_rules_end() {
    let outcome = |scope: &str, cluster: &str| {
        let set = set(&scoped(scope, &[]));
        decided(&set, OOM, &[("target.cluster", cluster)]).outcome
    };
    assert_eq!(outcome("{ namespace: [shop] }", "demo"), Outcome::Act);
    assert_eq!(outcome("{ namespace: [sh*] }", "demo"), Outcome::Act);
    assert_eq!(outcome("{ namespace: [other, shop] }", "demo"), Outcome::Act);
    assert_eq!(outcome("{ namespace: [other] }", "demo"), Outcome::Notify);
    assert_eq!(outcome("{ namespace: [sho] }", "demo"), Outcome::Notify);
    assert_eq!(outcome("{ cluster: [demo] }", "demo"), Outcome::Act);
    assert_eq!(outcome("{ cluster: [eu-*], namespace: [shop] }", "demo"), Outcome::Notify);
    assert_eq!(outcome("{ cluster: [eu-*], namespace: [shop] }", "eu-1"), Outcome::Act);
}

#[test]
fn guards_freezes_and_environments_end_with_the_scope() {
    let platform = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: team, owner: team-x }\nspec:\n  scope: { namespace: [NS] }\n";
    let sections = [
        ("  guards: [{ id: g, when: \"true\", maxLevel: 2 }]\n", "guard/g"),
        ("  freezes: [{ name: f, cron: '0 0 * * *', for: 1d, timezone: UTC, maxLevel: 1 }]\n", "freeze/f"),
        ("  environments: [{ name: all, when: \"true\", maxLevel: 5 }]\n", "environment/several"),
    ];
    for (section, code) in sections {
        for (namespace, holds) in [("shop", true), ("other", false)] {
            let team = format!("{}{section}", platform.replace("NS", namespace));
            let set = with(&[("policies/team.yaml", &team)], BASE);
            let decision = decided(&set, OOM, &[]);
            assert_eq!(codes(&decision).contains(&code), holds, "{code} in {namespace}");
            assert_eq!(decision.outcome == Outcome::Act, !holds, "{code} in {namespace}");
        }
    }
}

#[test]
fn advice_ends_with_the_scope_and_never_silences_what_cannot_be_told() {
    let advice = |outcome: &str| {
        format!("  advice: [{{ alerts: ['alertname=~\".*\"'], outcome: {outcome} }}]\n  grants:\n")
    };
    let of = |scope: &str, outcome: &str| set(&scoped(scope, &[("  grants:\n", &advice(outcome))]));
    let said = |set: &PolicySet| decided(set, OOM, &[("finding.cause", "CrashLoop")]).outcome;
    assert_eq!(said(&of("{ namespace: [shop] }", "drop")), Outcome::Drop);
    assert_eq!(said(&of("{ namespace: [other] }", "drop")), Outcome::Notify);
    assert_eq!(said(&of("{ namespace: [shop] }", "escalate")), Outcome::Escalate);
    assert_eq!(said(&of("{ namespace: [other] }", "escalate")), Outcome::Notify);

    let alert = |namespace: Option<&str>| {
        let namespace = namespace.map(|name| ("namespace".to_owned(), name.to_owned()));
        Alert {
            fingerprint: Fingerprint::new("f"),
            status: AlertStatus::Firing,
            labels: [("alertname".to_owned(), "X".to_owned())]
                .into_iter()
                .chain(namespace)
                .collect::<Labels>(),
            annotations: Labels::new(),
            starts_at: "2026-11-20T00:00:00Z".parse().unwrap(),
            ends_at: None,
            generator_url: String::new(),
        }
    };
    let advised =
        |scope: &str, outcome: &str, namespace| advise(&of(scope, outcome), &alert(namespace), None).outcome;
    assert_eq!(advised("{ namespace: [shop] }", "drop", Some("shop")), Outcome::Drop);
    assert_eq!(advised("{ namespace: [shop] }", "drop", Some("other")), Outcome::Notify);
    assert_eq!(advised("{ namespace: [shop] }", "drop", None), Outcome::Notify);
    assert_eq!(advised("{ namespace: [shop] }", "escalate", None), Outcome::Escalate);
    assert_eq!(advised("{ cluster: [demo], namespace: [shop] }", "drop", Some("shop")), Outcome::Notify);
}

#[test]
fn whoever_is_called_about_an_unclear_target_reads_why_it_is_unclear() {
    let labels = [("alertname", "KubePodCrashLooping"), ("pod", "web-0")];
    let alert = Alert {
        fingerprint: Fingerprint::new("f"),
        status: AlertStatus::Firing,
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        annotations: Labels::new(),
        starts_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        ends_at: None,
        generator_url: String::new(),
    };
    let decision = advise(&set(BASE), &alert, Some("pod web-0 could not be read: connection refused"));
    assert_eq!((decision.outcome, decision.reasons[0].code.as_str()), (Outcome::Escalate, "unclear-target"));
    assert!(decision.because().contains("connection refused"), "{}", decision.because());
}

#[test]
fn whose_a_rule_is_stands_in_the_explanation() {
    let guard = "  guards: [{ id: g, when: owner.stateful, maxLevel: 2 }]\n  grants:\n";
    let set = set(&scoped("{ namespace: [other] }", &[("  grants:\n", guard)]));
    let explanation = explain(&set, &ask(&set, OOM, &[]));
    let text = explanation.to_string();
    assert!(
        text.contains("demo/shop is out of the scope of `us`      policies/test.yaml:18 of us"),
        "{text}"
    );
    let guard = explanation.lines.iter().find(|line| line.kind == "guard").unwrap();
    assert_eq!((&*guard.verdict, guard.owner.as_deref()), ("no", Some("us")));
    assert!(guard.text.contains("is out of the scope of `us`"), "{}", guard.text);
}

#[test]
fn ceilings_bound_every_grant() {
    let ceiling = |text: &str, changes: &[(&str, &str)]| {
        let section = format!("  ceilings: [{{ {text} }}]\n  brakes:\n");
        let decision = decided(&set(&edited(&[("  brakes:\n", &section)])), OOM, changes);
        (decision.outcome, decision.reasons[0].code.clone(), decision.level.map(Level::number))
    };
    let bounded = (Outcome::Ask, "ceiling/shop".to_owned(), Some(2));
    let free = (Outcome::Act, "grant/restart".to_owned(), Some(4));
    assert_eq!(ceiling("maxLevel: 2", &[]), bounded);
    assert_eq!(ceiling("environments: [shop], maxLevel: 2", &[]), bounded);
    assert_eq!(ceiling("actions: [restart_pod], maxLevel: 2", &[]), bounded);
    assert_eq!(ceiling("actions: [scale_workload], maxLevel: 2", &[]), free);
    assert_eq!(ceiling("maxLevel: 4", &[]), free);
    assert_eq!(ceiling("maxLevel: 2 }, { maxLevel: 3", &[]), bounded);
    let team = edited(&[NO_BRAKES]).replace("  mode:", "  scope: { namespace: [shop] }\n  mode:");
    let platform = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: p, owner: platform }\nspec:\n  environments: [{ name: away, when: \"target.namespace == 'away'\", maxLevel: 5 }]\n  ceilings: [{ environments: [ENV], maxLevel: 1 }]\n";
    for (environment, outcome) in [("shop", Outcome::Notify), ("away", Outcome::Act)] {
        let platform = platform.replace("ENV", environment);
        let set = with(&[("policies/p.yaml", &platform)], &team);
        let decision = decided(&set, OOM, &[]);
        assert_eq!(decision.outcome, outcome, "{environment}");
        let told = decision
            .reasons
            .iter()
            .any(|reason| reason.text.starts_with("`platform` allows restart_pod level 1"));
        assert_eq!(told, environment == "shop");
    }
}

#[test]
fn a_ceiling_that_leaves_room_is_no_mistake() {
    let loaded = |ceilings: &str| {
        let environment =
            "    - { name: other, when: \"target.namespace == 'other'\", maxLevel: 5 }\n  approvers:\n";
        let text = edited(&[
            ("  approvers:\n", environment),
            ("environments: [shop]\n      level: 4", "environments: [shop, other]\n      level: 4"),
            ("  mode:", &format!("  ceilings: [{ceilings}]\n  mode:")),
        ]);
        load(files("test.yaml", &text)).map_err(|errors| errors.to_string())
    };
    assert!(loaded("{ environments: [other], maxLevel: 1 }").is_ok());
    let both = loaded("{ environments: [other, shop], actions: [restart_pod], maxLevel: 3 }").unwrap_err();
    assert!(both.contains("grant `restart` is above its ceiling") && both.contains("1 error:"), "{both}");
    assert!(loaded("{ maxLevel: 4 }").is_ok());
}

fn frozen(freeze: &str, calendar: &str, now: &str) -> bool {
    let section = format!("  freezes: [{{ name: f, maxLevel: 1, {freeze} }}]\n  brakes:\n");
    let set = with(&[("policies/freezes.ics", calendar)], &edited(&[("  brakes:\n", &section)]));
    codes(&decided(&set, OOM, &[("now", now)])).contains(&"freeze/f")
}

#[test]
fn freezes_by_cron_hold_from_each_time_for_so_long() {
    let berlin = |now: &str| frozen("cron: '0 2 * * *', for: 2h, timezone: Europe/Berlin", "", now);
    for (now, holds) in [
        ("2026-11-20T00:59:59Z", false),
        ("2026-11-20T01:00:00Z", true),
        ("2026-11-20T02:59:59Z", true),
        ("2026-11-20T03:00:00Z", false),
        // summer: an hour earlier
        ("2026-07-20T00:00:00Z", true),
        ("2026-07-20T02:00:00Z", false),
        // put back: 02:00 comes twice, and until 04:00 on the clock nothing is done
        ("2026-10-25T00:00:00Z", true),
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T02:59:59Z", true),
        ("2026-10-25T03:00:00Z", false),
        // put forward: 02:00 is skipped, and 03:00 is what comes instead
        ("2026-03-29T00:59:59Z", false),
        ("2026-03-29T01:00:00Z", true),
        ("2026-03-29T02:59:59Z", true),
        ("2026-03-29T03:00:00Z", false),
    ] {
        assert_eq!(berlin(now), holds, "{now}");
    }
    let friday = |now: &str| frozen("cron: '0 16 * * fri', for: 64h, timezone: UTC", "", now);
    assert!(friday("2026-11-20T16:00:00Z") && friday("2026-11-23T07:59:59Z"));
    assert!(!friday("2026-11-23T08:00:00Z") && !friday("2026-11-19T16:00:00Z"));
    assert!(!frozen(
        "cron: '0 2 * * *', for: 2h, timezone: UTC, when: owner.stateful",
        "",
        "2026-11-20T02:00:00Z"
    ));
}

#[test]
fn a_freeze_follows_the_calendar_that_it_names() {
    let calendar = |day: u8| {
        let day = format!("202611{day}T");
        format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:{day}000000Z\nDTEND:{day}230000Z\nEND:VEVENT\nEND:VCALENDAR\n"
        )
    };
    let freeze = |name: &str| format!("{{ name: {name}, maxLevel: 1, ics: {name}.ics }}");
    let section = format!("  freezes: [{}, {}]\n  brakes:\n", freeze("first"), freeze("second"));
    let (first, second) = (calendar(20), calendar(21));
    let calendars = [("policies/first.ics", first.as_str()), ("policies/second.ics", second.as_str())];
    let set = with(&calendars, &edited(&[("  brakes:\n", &section)]));
    for (now, held) in [("2026-11-20T12:00:00Z", "freeze/first"), ("2026-11-21T12:00:00Z", "freeze/second")] {
        let decision = decided(&set, OOM, &[("now", now)]);
        let freezes: Vec<_> =
            codes(&decision).into_iter().filter(|code| code.starts_with("freeze/")).collect();
        assert_eq!(freezes, [held], "{now}");
    }
}

#[test]
fn freezes_by_calendar_hold_while_an_event_lasts() {
    let calendar = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:release\r\nDTSTART:20261120T010000Z\r\nDTEND:20261120T030000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let holds = |now: &str| frozen("ics: freezes.ics, timezone: Europe/Berlin", calendar, now);
    for (now, expected) in [
        ("2026-11-20T00:59:59Z", false),
        ("2026-11-20T01:00:00Z", true),
        ("2026-11-20T03:00:00Z", false),
        ("2026-12-23T22:59:59Z", false),
        ("2026-12-23T23:00:00Z", true),
        ("2026-12-26T22:59:59Z", true),
        ("2026-12-26T23:00:00Z", false),
    ] {
        assert_eq!(holds(now), expected, "{now}");
    }
}

const OVERRIDE: &str =
    "level: 4\n      override: { level: 4, by: kim, reason: the launch, until: 2026-11-30T00:00:00Z }\n";

/// How an override stands is shown with every decision that it bears on.
#[test]
fn an_override_stands_in_the_explanation() {
    let set = set(&edited(&[("level: 4\n", OVERRIDE)]));
    let line = |now: &str| {
        let explanation = explain(&set, &ask(&set, OOM, &[("now", now)]));
        let line = explanation.lines.into_iter().find(|line| line.kind == "override").unwrap();
        (line.verdict, line.text)
    };
    let (verdict, text) = line("2026-11-20T02:00:00Z");
    assert_eq!((&*verdict, text.as_str()), ("YES", "level 4 by kim until 2026-11-30T00:00:00Z: the launch"));
    assert!(line("2026-11-30T00:00:00Z").1.ends_with("; it is over"));
    let (verdict, text) = line("2026-10-30T00:00:00Z");
    assert!(verdict == "no" && text.ends_with("; more than 30 days ahead it does not count"), "{text}");
    assert_eq!(line("2026-10-31T00:00:00Z").0, "YES");
}

#[test]
fn lint_says_what_time_has_done() {
    let freeze = "  freezes: [{ name: old, from: 2026-11-01T00:00:00Z, to: 2026-11-02T00:00:00Z, maxLevel: 1 }]\n  brakes:\n";
    let set = set(&edited(&[("level: 4\n", OVERRIDE), ("  brakes:\n", freeze)]));
    let notes = |now: &str| lint(&set, now.parse().unwrap());
    assert_eq!(notes("2026-11-01T12:00:00Z").len(), 0, "{:?}", notes("2026-11-01T12:00:00Z"));
    let early = notes("2026-10-01T00:00:00Z");
    assert!(early.len() == 1 && early[0].contains("more than 30 days ahead it does nothing"), "{early:?}");
    let late = notes("2026-12-01T00:00:00Z");
    assert!(late.iter().any(|note| note.ends_with("freeze `old` is over")), "{late:?}");
    assert!(late.iter().any(|note| note.contains("by kim ended at 2026-11-30T00:00:00Z")), "{late:?}");
}

#[test]
fn lint_warns_of_overlaps_unheard_alerts_and_unnamed_calendars() {
    let notes = |edits: &[(&str, &str)], more: &[(&str, &str)]| {
        let mut all = files("test.yaml", &edited(edits));
        all.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        load(all).unwrap_or_else(|errors| panic!("{errors}")).notes().join("\n")
    };
    assert_eq!(notes(&[], &[]), "");
    let second = "    - { name: demo, when: \"target.cluster == 'demo' && target.name == 'web'\", maxLevel: 5, ladder: off }\n  approvers:\n";
    let overlap = notes(&[("  approvers:\n", second)], &[]);
    assert!(overlap.contains("environments `demo` and `shop` overlap"), "{overlap}");
    assert!(overlap.contains("examples/saturation.yaml"), "{overlap}");
    let typo = "alertname=\"KubePodCrashLoping\"";
    let test = "  tests:\n    - { name: t, given: examples/oom.yaml, set: { alert.labels.alertname: KubePodCrashLoping }, expect: { outcome: act } }\n  brakes:\n";
    let unheard = notes(&[("alertname=\"KubePodCrashLooping\"", typo), ("  brakes:\n", test)], &[]);
    assert!(
        unheard.contains(
            "no alert that belay knows reaches grant `restart`; did you mean `KubePodCrashLooping`?"
        ),
        "{unheard}"
    );
    let unnamed = notes(&[], &[("policies/x.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n")]);
    assert_eq!(unnamed, "policies/x.ics: no freeze names this calendar");
    let group = notes(&[("operators: true", "schedule: payments, operators: true")], &[]);
    assert!(group.contains("approval `one` asks people of `schedule/payments`"), "{group}");
}

#[test]
fn a_guard_offers_what_stays() {
    let guard = |offer: &str| {
        let text =
            format!("  guards: [{{ id: g, when: owner.gitops.selfHeal, maxLevel: 2{offer} }}]\n  brakes:\n");
        let set = set(&edited(&[("  brakes:\n", &text)]));
        let fired = decided(&set, SATURATION, &[("owner.gitops.selfHeal", "true")]);
        let quiet = decided(&set, SATURATION, &[]);
        assert!(!codes(&quiet).contains(&"offer/open_pull_request"));
        fired
    };
    assert!(!codes(&guard("")).contains(&"offer/open_pull_request"));
    let offered = guard(", offer: open_pull_request");
    assert_eq!(offered.outcome, Outcome::Ask);
    let reason = offered.reasons.iter().find(|reason| reason.code == "offer/open_pull_request").unwrap();
    assert!(reason.text.contains("guard `g` offers `open_pull_request` instead"), "{}", reason.text);
}

#[test]
fn a_temporary_measure_says_when_it_ends() {
    let expires = |text: &str| {
        let set = set(&edited(&[("level: 3\n", &format!("level: 3\n{text}"))]));
        decided(&set, SATURATION, &[]).terms.unwrap().expires
    };
    assert_eq!(expires("      expires: 6h\n"), Some(jiff::SignedDuration::from_hours(6)));
    assert_eq!(expires(""), None);
}

/// A trial counts as nothing: no question, no permit, not even with an approval.
#[test]
fn a_grant_on_trial_never_asks() {
    let set = set(&edited(&[("level: 4", "level: 2\n      mode: shadow")]));
    let question = ask(&set, OOM, &[("plan.unavailable_after", "1"), ("asked", "write")]);
    assert_eq!(decide(&set, &question).outcome, Outcome::Notify);
    let mut approved = question.clone();
    let plan = question.plan.as_ref().unwrap().hash().unwrap();
    let by = vec![belay::domain::decision::Person::Operator { name: "kim".to_owned() }];
    approved.approval = Some(belay::domain::decision::ApprovalFacts { plan, by, at: question.now });
    assert!(belay::policy::permit(&set, &approved).is_err());
}
