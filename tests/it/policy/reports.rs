//! A policy's tests one by one, in each format; and what none of them would miss.

use belay::policy::{Errors, Format, TestRun, bail, check, mutants, noticed, report};

use super::{HANDS_OFF, OOM, SATURATION, edited, read};

/// `BASE` with tests of its own, and its example.
fn files(tests: &str) -> Vec<(String, String)> {
    let text = format!("{}  tests:\n{tests}", edited(&[]));
    let examples = [OOM, SATURATION].map(|name| (format!("policies/{name}"), read(name)));
    [vec![("policies/test.yaml".to_owned(), text)], examples.to_vec()].concat()
}

fn ran(tests: &str) -> Vec<TestRun> {
    check(files(tests)).unwrap_or_else(|errors| panic!("{errors}")).tests
}

const PASSES: &str =
    "    - { name: it acts, given: examples/oom.yaml, expect: { outcome: act, level: 4, grant: restart } }\n";
const FAILS: &str =
    "    - { name: 'a <b> & \"c\" # \\d', given: examples/oom.yaml, expect: { outcome: ask } }\n";

#[test]
fn a_failing_test_is_a_result_and_not_a_refusal() {
    let tests = ran(&format!("{PASSES}{FAILS}"));
    assert_eq!(tests.iter().map(TestRun::passed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(tests[0].name, "it acts");
    assert!(tests[1].problems[0].message.contains("expected outcome `ask`, got `act`"));
    assert!(tests[1].line > tests[0].line);
    // for the daemon it is one
    let Errors(problems) = belay::policy::load(files(&format!("{PASSES}{FAILS}"))).unwrap_err();
    assert_eq!(problems, tests[1].problems);
}

#[test]
fn text_says_where_and_why() {
    let text = report(Format::Text, &ran(&format!("{PASSES}{FAILS}")));
    assert!(text.contains("ok    policies/test.yaml:"), "{text}");
    assert!(text.contains("FAIL  policies/test.yaml:"), "{text}");
    assert!(text.ends_with("1 of 2 failed\n"), "{text}");
    assert!(report(Format::Text, &[]).contains("there are no tests"));
}

/// The elements of a document in order, or where it is not well-formed: tags nest, attributes are quoted,
/// `<` and bare `&` stand nowhere else.
fn elements(xml: &str) -> Result<Vec<String>, String> {
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").ok_or("no declaration")?;
    let entity = regex::Regex::new("&(amp|lt|gt|quot|apos|#[0-9]+);").unwrap();
    let attributes = regex::Regex::new(r#"^(\s[a-z]+="[^"<]*")*\s?$"#).unwrap();
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').ok_or("a tag does not end")?;
        for part in [tag, text] {
            if entity.replace_all(part, "").contains('&') || part.contains('\u{0}') {
                return Err(format!("bare & in {part:?}"));
            }
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("{name} ends and did not begin"));
            }
            continue;
        }
        let (empty, tag) = tag.strip_suffix('/').map_or((false, tag), |tag| (true, tag));
        let name: String = tag.chars().take_while(char::is_ascii_lowercase).collect();
        if !attributes.is_match(&tag[name.len()..]) {
            return Err(format!("attributes of {tag:?}"));
        }
        seen.push(name.clone());
        if !empty {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(seen) } else { Err(format!("open at the end: {open:?}")) }
}

#[test]
fn junit_is_well_formed_whatever_a_test_is_called() {
    let mut tests = ran(&format!("{PASSES}{FAILS}"));
    tests[0].name = "]]> \u{0}\u{1b}[31m <!-- ' -->\n&amp; \u{ffff}".to_owned();
    let xml = report(Format::Junit, &tests);
    let found = elements(&xml).unwrap_or_else(|why| panic!("{why}\n{xml}"));
    assert_eq!(found, ["testsuites", "testsuite", "testcase", "testcase", "failure"]);
    assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
    assert!(!xml.chars().any(|c| c.is_control() && c != '\n'), "{xml:?}");
    let Err(errors) = check([("a.yaml", "kind: <>&")]) else { panic!("that is no policy") };
    assert_eq!(elements(&bail(Format::Junit, &errors)).unwrap().last().unwrap(), "error");
}

#[test]
fn tap_is_version_14() {
    let tap = report(Format::Tap, &ran(&format!("{PASSES}{FAILS}")));
    let lines: Vec<&str> = tap.lines().collect();
    assert_eq!(lines[..4], ["TAP version 14", "1..2", "ok 1 - it acts", r#"not ok 2 - a <b> & "c" \# \\d"#]);
    assert_eq!((lines[4], *lines.last().unwrap()), ("  ---", "  ..."));
    // the diagnostics are YAML
    let yaml: serde_json::Value = serde_saphyr::from_str(&lines[5..lines.len() - 1].join("\n")).unwrap();
    assert!(yaml["message"].as_str().unwrap().contains("expected outcome `ask`"));
    assert_eq!(yaml["at"]["file"], "policies/test.yaml");
    let Err(errors) = check([("a.yaml", "kind: nothing")]) else { panic!("that is no policy") };
    assert!(bail(Format::Tap, &errors).contains("\nBail out! the policy is not sound: "));
}

/// A policy in which every kind of thing can be lost.
const RICH: &str = r#"apiVersion: belay.dev/v1
kind: Policy
metadata: { name: rich, owner: us }
spec:
  environments:
    - { name: shop, when: "target.namespace == 'shop'", maxLevel: 3, ladder: off }
    - { name: strict, when: "target.namespace == 'strict'", maxLevel: 5 }
  approvers:
    terminal: { operators: true }
  approvals:
    one: { from: [terminal], expires: 15m }
  grants:
    - id: restart
      alerts: ['alertname="KubePodCrashLooping"']
      actions: [restart_pod]
      level: 4
      actFrom: 3
      limits: { perTarget: { max: 1, window: 10m } }
      blastRadius: { keepReady: 1 }
      verify: { within: 20m, expect: [workload_ready] }
      confirm: { approval: one }
  guards:
    - { id: busy, when: owner.busy, deny: true }
  freezes:
    - { name: xmas, from: 2026-12-20T00:00:00Z, to: 2026-12-27T00:00:00Z, maxLevel: 1 }
  brakes:
    global: { maxInFlight: 2, maxActions: 10, window: 1h }
  tests:
"#;

fn survivors(tests: &str) -> Vec<String> {
    let examples = [OOM, HANDS_OFF].map(|name| (format!("policies/{name}"), read(name)));
    let rich = ("policies/rich.yaml".to_owned(), format!("{RICH}{tests}"));
    let files = [vec![rich], examples.to_vec()].concat();
    belay::policy::load(files.clone()).unwrap_or_else(|errors| panic!("{errors}"));
    let all = mutants(&files);
    all.iter().filter(|mutant| noticed(&files, mutant).is_none()).map(|mutant| mutant.what.clone()).collect()
}

fn test(name: &str, set: &str, expect: &str) -> String {
    format!("    - {{ name: {name}, given: examples/oom.yaml, set: {{ {set} }}, expect: {{ {expect} }} }}\n")
}

#[test]
fn without_tests_everything_could_be_lost() {
    assert_eq!(
        survivors("    []\n"),
        [
            "environment shop: maxLevel",
            "environment strict: ladder",
            "grant restart",
            "grant restart: actFrom",
            "grant restart: limits.perTarget",
            "grant restart: blastRadius.keepReady",
            "guard busy",
            "freeze xmas",
            "brake global.maxActions",
            "brake global.maxInFlight",
        ]
    );
}

#[test]
fn each_test_protects_what_it_is_about_and_nothing_else() {
    let every = survivors("    []\n");
    let cases = [
        (test("a", "", "outcome: act, grant: restart"), vec!["grant restart"]),
        (test("b", "", "outcome: act, level: 3"), vec!["grant restart", "environment shop: maxLevel"]),
        (
            test("c", "target.namespace: strict", "outcome: ask, level: 2"),
            vec!["grant restart", "environment strict: ladder", "grant restart: actFrom"],
        ),
        (
            test("d", "history.per_target: 1", "outcome: escalate"),
            vec!["grant restart", "grant restart: limits.perTarget"],
        ),
        (test("e", "owner.busy: true", "outcome: escalate"), vec!["grant restart", "guard busy"]),
        (
            test("f", "now: 2026-12-24T00:00:00Z", "outcome: notify, reason: freeze/xmas"),
            vec!["grant restart", "freeze xmas"],
        ),
        (
            test("g", "cluster.actions_in_flight: 2, history.verified: 3", "outcome: escalate"),
            vec!["grant restart", "brake global.maxInFlight"],
        ),
    ];
    for (test, protects) in cases {
        let left = survivors(&test);
        let lost: Vec<&String> = every.iter().filter(|what| !left.contains(what)).collect();
        let protects: Vec<&str> =
            every.iter().map(String::as_str).filter(|what| protects.contains(what)).collect();
        // an ask below level 3 is an ask with and without `actFrom: 3`
        let protects: Vec<&str> = protects.into_iter().filter(|w| *w != "grant restart: actFrom").collect();
        assert_eq!(lost, protects, "{test}");
    }
}

#[test]
fn a_counterfactual_is_the_smallest_change_or_all_that_are_needed() {
    use belay::policy::explain;
    let guards = "  guards:\n    - { id: a, when: owner.busy, maxLevel: 1 }\n    - { id: b, when: owner.busy, maxLevel: 1 }\n  grants:\n";
    let set = super::set(&edited(&[("  grants:\n", guards)]));
    let told = |changes: &[(&str, &str)]| explain(&set, &super::ask(&set, OOM, changes)).counterfactual;
    assert_eq!(told(&[]), None, "it acts");
    assert_eq!(
        told(&[("owner.busy", "true")]).unwrap(),
        "would act at level 4 if all of this were so: guard `a` did not fire; guard `b` did not fire"
    );
    assert_eq!(
        told(&[("chosen_by_model", "false")]).unwrap(),
        "would act at level 4 if: a model had chosen it"
    );
    let ten = [("history.global", "10")];
    assert_eq!(told(&ten).unwrap(), "would act at level 4 if: an earlier act were older than 1h (in 58m51s)");
}

fn run(name: &str) -> TestRun {
    TestRun { file: "p.yaml".to_owned(), line: 7, name: name.to_owned(), problems: Vec::new() }
}

#[test]
fn each_format_to_the_letter() {
    let all = [run("a & \t'b'"), run("c\u{7f}")];
    assert_eq!(
        report(Format::Text, &all),
        "ok    p.yaml:7  a &  'b'\nok    p.yaml:7  c \n2 passed\n",
        "where nothing fails nothing is explained"
    );
    assert_eq!(
        report(Format::Junit, &all).lines().skip(1).collect::<Vec<_>>(),
        [
            r#"<testsuites name="belay policy test" tests="2" failures="0" errors="0">"#,
            r#"  <testsuite name="p.yaml" tests="2" failures="0" errors="0" skipped="0">"#,
            r#"    <testcase name="a &amp; &#9;&apos;b&apos;" classname="p.yaml" file="p.yaml" line="7"/>"#,
            "    <testcase name=\"c\u{fffd}\" classname=\"p.yaml\" file=\"p.yaml\" line=\"7\"/>",
            "  </testsuite>",
            "</testsuites>",
        ]
    );
    let mixed = ran(&format!("{PASSES}{FAILS}{FAILS}"));
    let junit = report(Format::Junit, &mixed);
    assert!(junit.contains("tests=\"3\" failures=\"2\" errors=\"0\">"), "{junit}");
    assert!(junit.contains("tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"0\">"), "{junit}");
    let text = report(Format::Text, &mixed);
    assert!(text.ends_with("2 of 3 failed\n"), "{text}");
    assert_eq!(text.matches("expected outcome `ask`, got `act`").count(), 2, "{text}");
}

#[test]
fn ceilings_and_brakes_are_taken_out_one_by_one() {
    let text = edited(&[(
        "  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n",
        "  ceilings:\n    - { actions: [restart_pod], maxLevel: 4 }\n    - { maxLevel: 5 }\n  brakes:\n    global: { maxInFlight: 4, maxActions: 10, window: 1h }\n    storm: { maxLevel: 5 }\n",
    )]);
    let found: Vec<String> = mutants(&[("policies/test.yaml", text.as_str())])
        .iter()
        .map(|m| format!("{} {}", m.kind, m.what))
        .collect();
    let of = |kind: &str| found.iter().filter(|what| what.contains(kind)).cloned().collect::<Vec<_>>();
    assert_eq!(of("ceiling"), ["cap ceiling maxLevel 4", "cap ceiling maxLevel 5"], "{found:?}");
    assert_eq!(of("brake"), ["limit brake global.maxActions", "limit brake global.maxInFlight"], "{found:?}");
}
