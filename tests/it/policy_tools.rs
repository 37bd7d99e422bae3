//! `belay policy …` through the real binary, as a new user would try it.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn belay(columns: u32, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    let columns = columns.to_string();
    command.args(args).env_remove("BELAY_STATE_DIR").env("NO_COLOR", "1").env("COLUMNS", columns);
    command.timeout(std::time::Duration::from_secs(120));
    command
}

/// What it printed, once it ended with this code.
fn ended(args: &[&str], code: i32) -> (String, String) {
    let done = belay(100, args).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&done.get_output().stdout), text(&done.get_output().stderr))
}

fn json(args: &[&str], code: i32) -> Value {
    let (out, err) = ended(&[args, &["--json"]].concat(), code);
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
}

/// A folder with the demo's policy, edited, and the golden inputs.
fn folder(edit: impl Fn(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let shipped = shipped.join("demo");
    std::fs::create_dir(dir.path().join("examples")).unwrap();
    for file in ["examples/oom.yaml", "examples/saturation.yaml", "examples/hands-off.yaml"] {
        std::fs::copy(shipped.join(file), dir.path().join(file)).unwrap();
    }
    let text = std::fs::read_to_string(shipped.join("demo.yaml")).unwrap();
    std::fs::write(dir.path().join("demo.yaml"), edit(text)).unwrap();
    dir
}

fn path(dir: &tempfile::TempDir) -> &str {
    dir.path().to_str().unwrap()
}

#[test]
fn test_reports_in_three_formats_and_fails_when_a_test_does() {
    let good = folder(|text| text);
    let test = |dir: &tempfile::TempDir, format: &str, code| {
        ended(&["policy", "test", "--policies", path(dir), "--format", format], code).0
    };
    assert!(test(&good, "text", 0).ends_with("passed\n"));
    assert!(test(&good, "tap", 0).starts_with("TAP version 14\n1.."));
    assert!(test(&good, "junit", 0).contains("failures=\"0\""));
    let bad = folder(|text| {
        text.replacen("expect: { outcome: act, level: 3", "expect: { outcome: act, level: 4", 1)
    });
    assert!(test(&bad, "text", 1).contains("FAIL  "));
    assert!(test(&bad, "tap", 1).contains("\nnot ok 1 - "));
    assert!(test(&bad, "junit", 1).contains("<failure message="));
    let broken = folder(|text| text.replacen("  grants:", "  grnats:", 1));
    assert!(test(&broken, "junit", 1).contains("<error "));
}

/// What no test of the demo would miss: its grant is tried on a candidate, before there is a plan.
const KEEP: &str = "grant oomkilled-restart-once: blastRadius.keepReady";

#[test]
fn mutate_lists_what_no_test_would_miss() {
    let dir = folder(|text| text);
    let found = json(&["policy", "mutate", "--policies", path(&dir)], 0);
    assert_eq!(found["version"], 1);
    let survivors = found["survivors"].as_array().unwrap();
    assert!(survivors.iter().any(|m| m["what"] == KEEP && m["kind"] == "limit"), "{found}");
    let noticed = found["noticed"].as_array().unwrap();
    assert!(noticed.iter().any(|m| m["what"] == "freeze black-friday" && m["by"].is_string()), "{found}");
    assert_eq!(found["tried"], survivors.len() + noticed.len());
    let (out, _) = ended(&["policy", "mutate", "--strict", "--policies", path(&dir)], 1);
    assert!(out.contains(KEEP), "{out}");
}

#[test]
fn explain_fits_a_narrow_terminal_and_names_the_smallest_change() {
    let dir = folder(|text| text);
    let args =
        ["policy", "explain", "examples/oom.yaml", "--set", "history.per_target=1", "--policies", path(&dir)];
    let done = belay(60, &args).assert().success();
    let out = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    let wide: Vec<&str> = out.lines().filter(|line| line.chars().count() > 60).collect();
    assert!(wide.is_empty(), "{wide:?}");
    assert!(
        out.replace('\n', " ").contains("would act at level 3 if: the last act were older than 10m (in 9m)"),
        "{out}"
    );
    let found = json(&args, 0);
    assert_eq!(
        (&found["version"], &found["decision"]["outcome"]),
        (&Value::from(1), &Value::from("escalate"))
    );
}

#[test]
fn explain_takes_a_file_and_a_case_by_flags() {
    let dir = folder(|text| text);
    let file = dir.path().join("mine.txt");
    std::fs::copy(dir.path().join("examples/oom.yaml"), &file).unwrap();
    let found = json(&["policy", "explain", file.to_str().unwrap(), "--policies", path(&dir)], 0);
    assert_eq!(found["decision"]["outcome"], "act");
    let case =
        ["--target", "demo/shop/Deployment/api", "--alert", "KubePodCrashLooping", "--action", "restart_pod"];
    let known = [
        "owner.busy=false",
        "owner.stateful=false",
        "owner.replicas=4",
        "owner.changed_by_person_minutes=60",
        "target.lookalikes=0",
        "target.annotations={}",
    ];
    let sets: Vec<&str> = known.iter().flat_map(|fact| ["--set", fact]).collect();
    let args =
        [&["policy", "explain", "--policies", path(&dir)][..], &case, &["--at", "2026-11-21T00:00:00Z"]]
            .concat();
    // what no flag says is unknown, and unknown is strict
    assert_eq!(json(&args, 0)["decision"]["outcome"], "escalate");
    assert_eq!(json(&[&args[..], &sets].concat(), 0)["decision"]["outcome"], "act");
    ended(&["policy", "explain", "--policies", path(&dir)], 2);
    let (_, err) = ended(&["policy", "explain", "examples/none.yaml", "--policies", path(&dir)], 1);
    assert!(err.contains("there is no file and no example `examples/none.yaml`"), "{err}");
}

/// A journal, and what can be learned from it without a daemon.
#[test]
fn the_journal_is_explained_replayed_and_compared() {
    let (state, dir) = (tempfile::tempdir().unwrap(), folder(|text| text));
    let state = state.path().to_str().unwrap();
    let (out, _) = ended(&["demo", "--speed", "100", "--state-dir", state, "--yes"], 0);
    assert!(out.contains("the journal is whole"), "{out}");
    let since = ["--since", "2026-01-01T00:00:00Z", "--state-dir", state];
    let with = |what: &'static str, dir: &str| -> Value {
        json(&[&["policy", what, "--policies", dir][..], &since].concat(), 0)
    };

    let same = with("replay", path(&dir));
    assert!(same["decisions"].as_u64().unwrap() >= 4, "{same}");
    assert_eq!(same["changed"], 0, "a set decides its own past as it did: {same}");

    let stricter = folder(|text| {
        let rules = text.split("\n  tests:").next().unwrap().to_owned();
        rules.replace(
            "  freezes:",
            "    - { id: calm, when: \"action.kind == 'restart_pod'\", maxLevel: 2 }\n\n  freezes:",
        )
    });
    let replay = with("replay", path(&stricter));
    let changes = replay["changes"].as_array().unwrap();
    assert!(!changes.is_empty() && changes.iter().all(|c| c["action"] == "restart_pod"), "{replay}");
    assert_eq!(changes[0]["new"][0]["code"], "guard/calm");
    assert_eq!(
        (&changes[0]["before"]["outcome"], &changes[0]["after"]["outcome"]),
        (&"act".into(), &"ask".into())
    );
    let (out, _) = ended(&[&["policy", "replay", "--policies", path(&stricter)][..], &since].concat(), 0);
    assert!(
        out.contains("act (level 3, grant oomkilled-restart-once, approval one) -> ask (level 2"),
        "{out}"
    );

    let incident = changes[0]["incident"].as_str().unwrap();
    let args = [
        "policy",
        "explain",
        "--incident",
        &incident[..4],
        "--state-dir",
        state,
        "--policies",
        path(&stricter),
    ];
    assert_eq!(json(&args, 0)["decision"]["outcome"], "ask");

    let trial = folder(|text| {
        let rules = text.split("\n  tests:").next().unwrap().to_owned();
        rules.replace("- id: oomkilled-restart-once\n", "- id: oomkilled-restart-once\n      mode: shadow\n")
    });
    let trials = with("shadow", path(&trial));
    let trials = trials["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 1, "{trials:?}");
    assert_eq!((&trials[0]["would"], &trials[0]["ended"]), (&"act".into(), &"remedied".into()));
    let (out, _) = ended(&[&["policy", "shadow", "--policies", path(&dir)][..], &since].concat(), 0);
    assert!(out.starts_with("no grant in shadow mode would have carried a decision"), "{out}");

    let (_, err) = ended(&["policy", "replay", "--policies", path(&dir), "--state-dir", "/nonexistent"], 1);
    assert!(err.contains("cannot be replayed"), "{err}");
}

#[test]
fn schema_and_admission_are_printed_for_others_to_read() {
    let dir = folder(|text| text);
    let (out, _) = ended(&["policy", "schema"], 0);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let (out, _) = ended(&["policy", "admission", "--policies", path(&dir)], 0);
    assert!(out.contains("kind: ValidatingAdmissionPolicyBinding"), "{out}");
    let identity = "system:serviceaccount:ops:hand";
    let (out, _) =
        ended(&["policy", "admission", "--stop", "--identity", identity, "--policies", "/nonexistent"], 0);
    assert!(out.contains(identity) && out.contains("belay-stop"), "{out}");
    let (_, err) = ended(&["policy", "admission", "--identity", "kim", "--policies", path(&dir)], 1);
    assert!(err.contains("`kim` is not a service account"), "{err}");
}

#[test]
fn the_demos_folder_is_sound_by_itself() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo");
    let (out, _) = ended(&["policy", "lint", "--policies", demo.to_str().unwrap()], 0);
    assert!(out.contains("the policy is sound"), "{out}");
}

#[test]
fn a_folder_without_a_policy_is_refused() {
    let dir = folder(|text| text);
    std::fs::remove_file(dir.path().join("demo.yaml")).unwrap();
    for what in ["lint", "test"] {
        let (out, err) = ended(&["policy", what, "--policies", path(&dir)], 1);
        assert!(format!("{out}{err}").contains("none of these files is a policy"), "{what}: {out}{err}");
    }
    std::fs::remove_dir_all(dir.path().join("examples")).unwrap();
    let (_, err) = ended(&["policy", "lint", "--policies", path(&dir)], 1);
    assert!(err.contains("holds no policy"), "{err}");
    let (_, err) = ended(&["policy", "lint", "--policies", "no-such-folder"], 1);
    assert!(err.contains("cannot read `no-such-folder`"), "{err}");
}

/// A set that grants nothing is sound, and says so.
#[test]
fn a_policy_that_grants_nothing_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let text = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: none, owner: us }\nspec: {}\n";
    std::fs::write(dir.path().join("none.yaml"), text).unwrap();
    let (out, _) = ended(&["policy", "lint", "--policies", path(&dir)], 0);
    assert!(out.contains("note: no rule grants anything"), "{out}");
}

/// Whether the blind brake can work depends on where the set is used.
#[test]
fn lint_says_whether_anybody_would_notice_that_alerts_stopped() {
    let dir = folder(|text| text);
    let lint = |more: &str| {
        let config = dir.path().join("belay.yaml.txt");
        let text = format!("policies: .\nstateDir: state\ncluster: {{ name: demo }}\n{more}");
        std::fs::write(&config, text).unwrap();
        ended(&["policy", "lint", "--config", config.to_str().unwrap()], 0).0
    };
    let webhooks = lint("");
    assert!(
        webhooks.contains("only webhooks bring alerts") && webhooks.contains("below 2m 30s"),
        "{webhooks}"
    );
    assert!(!webhooks.contains("is not armed"), "there is no journal yet: {webhooks}");
    let seen = lint("alertmanager: { url: 'http://127.0.0.1:1' }\n");
    assert!(!seen.contains("brake `blind`"), "{seen}");
    let two = dir.path().join("two.yaml.txt");
    let other = "cluster: { name: other, url: 'http://127.0.0.1:2', labels: { c: other } }";
    let text = format!(
        "policies: .\nstateDir: state\ncluster: {{ name: demo, labels: {{ c: demo }} }}\n\
         alertmanager: {{ url: 'http://127.0.0.1:1' }}\notherClusters: [{{ {other} }}]\n"
    );
    std::fs::write(&two, text).unwrap();
    let half = ended(&["policy", "lint", "--config", two.to_str().unwrap()], 0).0;
    assert!(half.contains("only webhooks bring alerts"), "of one cluster nothing else does: {half}");
    let unasked = ended(&["policy", "lint", "--policies", path(&dir)], 0).0;
    assert!(unasked.contains("where only webhooks bring alerts"), "{unasked}");

    // a journal in which the alert that always fires never came
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state").join(belay::store::LOG_FILE), "").unwrap();
    let silent = lint("");
    assert!(silent.contains("brake `blind` is not armed: `Watchdog` was never seen"), "{silent}");
}

/// A measure that a cluster does not have is known before an act waits for it.
#[test]
fn lint_says_which_measures_are_not_there() {
    let dir = folder(|text| {
        text.replace(
            "expect: [workload_ready, alert_gone]",
            "expect: [workload_ready], metrics: ['p99 falls', 'cpu_usage falls']",
        )
    });
    let lint = |more: &str| {
        let config = dir.path().join("belay.yaml.txt");
        let text = format!("policies: .\nstateDir: state\ncluster: {{ name: demo }}\n{more}");
        std::fs::write(&config, text).unwrap();
        ended(&["policy", "lint", "--config", config.to_str().unwrap()], 0).0
    };
    let missing = lint("");
    assert!(
        missing.contains("verifies by `p99`, which `prometheus.measures` of cluster `demo` does not have"),
        "{missing}"
    );
    assert!(!missing.contains("`cpu_usage`"), "{missing}");
    let there = lint("prometheus: { url: 'http://127.0.0.1:1', measures: { p99: 'x{pod=~\"$pods\"}' } }\n");
    assert!(!there.contains("`p99`"), "{there}");
}

#[test]
fn explain_counts_what_has_no_bearing() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let explain = |columns: u32, more: &[&str]| {
        let args = ["policy", "explain", "examples/oom.yaml", "--policies", pack.to_str().unwrap()];
        let done = belay(columns, &[&args, more].concat()).assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    for columns in [40, 80] {
        let text = explain(columns, &[]);
        assert!(text.lines().all(|line| line.chars().count() <= columns as usize), "{columns}:\n{text}");
        assert!(text.lines().count() < 40, "{columns}:\n{text}");
        assert!(text.ends_with('\n'), "{columns}");
    }
    let text = explain(100, &[]);
    assert!(text.contains("oomkilled-restart-once"), "{text}");
    assert!(!text.contains("cordon-sick-node") && !text.contains("lone-replica"), "{text}");
    let count = |what: &str| {
        text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(count("more do not match").trim_start().starts_with("grant"));
    assert!(count("more do not fire").trim_start().starts_with("guard"));
    assert!(text.contains("would act at level 4 if: an environment were declared"), "{text}");
    assert!(text.contains("`--all` lists"), "{text}");

    let all = explain(100, &["--all"]);
    assert!(
        all.contains("cordon-sick-node") && all.contains("lone-replica") && !all.contains("`--all`"),
        "{all}"
    );
    // what nearly matched is always told: the alert and the action are the grant's own
    let near = explain(100, &["--set", "finding.cause=CrashLoop"]);
    assert!(
        near.contains("oomkilled-restart-once") && near.contains("finding.cause = 'CrashLoop'"),
        "{near}"
    );
    // JSON is whole either way
    let whole: Value = serde_json::from_str(&explain(100, &["--json"])).unwrap();
    let grants = whole["lines"].as_array().unwrap().iter().filter(|line| line["kind"] == "grant").count();
    assert!(grants >= 19, "{grants}");
    assert_eq!(whole, serde_json::from_str::<Value>(&explain(100, &["--json", "--all"])).unwrap());
}
