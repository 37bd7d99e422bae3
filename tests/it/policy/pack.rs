//! The pack in `policies/`: it loads as it lies there, acts nowhere by itself, and says of every alert of
//! the usual stacks what the judged list says.

use std::path::Path;
use std::sync::LazyLock;

use belay::domain::action::{Action, ActionKind, markdown};
use belay::domain::alert::{Alert, AlertStatus, Labels};
use belay::domain::decision::{Decision, Outcome};
use belay::domain::{canonical, ids::Fingerprint};
use belay::policy::{PolicySet, advise, load};
use belay::{config, policy};
use serde::Deserialize;

use super::{OOM, SATURATION, decided, read};

/// The judged list of alerts, as far as it is read here.
#[derive(Deserialize)]
struct Judged {
    alerts: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    alert: String,
    outcome: String,
    escalate_when: String,
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    severity: String,
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn judged() -> Vec<Row> {
    let text = std::fs::read_to_string(root("tests/data/kubernetes-mixin-alerts.yaml")).unwrap();
    serde_saphyr::from_str::<Judged>(&text).unwrap().alerts
}

/// The folder as it is shipped.
static SHIPPED: LazyLock<PolicySet> = LazyLock::new(|| beside(""));
/// The same with one environment over everything, by its level.
static AT_LEVEL: LazyLock<[PolicySet; 5]> =
    LazyLock::new(|| [1, 2, 3, 4, 5].map(|level| beside(&environment(level))));

/// The folder as it is shipped, and one more file.
fn beside(more: &str) -> PolicySet {
    let mut files = config::policies(&root("policies")).unwrap();
    if !more.is_empty() {
        files.push(("mine.yaml".to_owned(), more.to_owned()));
    }
    load(files).unwrap_or_else(|errors| panic!("{errors}"))
}

/// One environment over everything.
fn environment(level: u8) -> String {
    format!(
        "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: {{ name: mine, owner: us }}\nspec:\n  \
         environments:\n    - {{ name: all, when: \"true\", maxLevel: {level}, ladder: off }}\n"
    )
}

/// A golden input for each alert that something is done or asked about.
const REMEDIES: [(&str, &str, &[(&str, &str)]); 30] = [
    ("KubePodCrashLooping", "bad-release", &[]),
    ("KubePodNotReady", "wedged-pod", &[]),
    ("KubeDeploymentReplicasMismatch", "bad-release", &[]),
    ("KubeDeploymentRolloutStuck", "bad-release", &[]),
    ("KubeContainerWaiting", "image-pull", &[]),
    ("KubeStatefulSetReplicasMismatch", "statefulset", &[]),
    ("KubeStatefulSetUpdateNotRolledOut", "statefulset-update", &[]),
    ("KubeDaemonSetRolloutStuck", "daemonset", &[]),
    ("KubeJobFailed", "job-failed", &[]),
    ("KubeHpaMaxedOut", "autoscaler", &[]),
    ("CPUThrottlingHigh", "saturation", &[]),
    ("KubePersistentVolumeFillingUp", "volume-filling", &[]),
    ("KubeAggregatedAPIDown", "aggregated-api", &[]),
    ("KubeNodeNotReady", "node-not-ready", &[]),
    ("KubeNodePressure", "node-not-ready", &[("finding.cause", "NodePressure")]),
    ("KubeNodeUnreachable", "node-not-ready", &[]),
    ("KubeNodeReadinessFlapping", "node-not-ready", &[]),
    ("NodeFilesystemSpaceFillingUp", "node-disk-full", &[]),
    ("NodeFilesystemAlmostOutOfSpace", "node-disk-full", &[]),
    ("NodeFilesystemFilesFillingUp", "node-disk-full", &[]),
    ("NodeFilesystemAlmostOutOfFiles", "node-disk-full", &[]),
    ("NodeNetworkInterfaceFlapping", "node-clock", &[]),
    ("KubeletTooManyPods", "node-clock", &[]),
    ("KubeletPlegDurationHigh", "node-clock", &[]),
    ("NodeHighNumberConntrackEntriesUsed", "node-clock", &[]),
    ("NodeClockSkewDetected", "node-clock", &[]),
    ("NodeClockNotSynchronising", "node-clock", &[]),
    ("NodeRAIDDegraded", "node-clock", &[]),
    ("NodeRAIDDiskFailure", "node-clock", &[]),
    ("NodeMemoryHighUtilization", "node-clock", &[]),
];

/// What each level makes of an alert that is judged so.
fn by_level(outcome: &str) -> Option<[Outcome; 5]> {
    use Outcome::{Act, Ask, Notify};
    match outcome {
        "A3" => Some([Notify, Ask, Act, Act, Act]),
        "A4" => Some([Notify, Ask, Ask, Act, Act]),
        "ASK" => Some([Notify, Ask, Ask, Ask, Ask]),
        _ => None,
    }
}

fn remedied(set: &PolicySet, alert: &str) -> Decision {
    let (_, example, changes) = REMEDIES.iter().find(|(name, ..)| *name == alert).expect(alert);
    let changes = [&[("alert.labels.alertname", alert)], *changes].concat();
    decided(set, &format!("examples/{example}.yaml"), &changes)
}

#[test]
fn what_is_judged_to_have_a_remedy_has_one_at_its_level() {
    let mut seen = 0;
    for Row { alert, outcome, .. } in judged() {
        let Some(expected) = by_level(&outcome) else { continue };
        let got = AT_LEVEL.each_ref().map(|set| remedied(set, &alert).outcome);
        assert_eq!(got, expected, "{alert} is judged {outcome}");
        let decision = remedied(&SHIPPED, &alert);
        assert_eq!(decision.outcome, Outcome::Notify, "{alert}");
        assert_eq!(decision.reasons[0].code, "environment/none", "{alert}");
        seen += 1;
    }
    assert_eq!(seen, REMEDIES.len(), "every remedy stands for an alert of the list");
}

fn firing(alert: &str, severity: &str) -> Alert {
    let labels = [("alertname", alert), ("severity", severity), ("namespace", "shop")];
    Alert {
        fingerprint: Fingerprint::new("0123456789abcdef"),
        status: AlertStatus::Firing,
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect::<Labels>(),
        annotations: Labels::new(),
        starts_at: "2025-06-11T10:00:00Z".parse().unwrap(),
        ends_at: None,
        generator_url: String::new(),
    }
}

/// What is said of an alert where nothing can be done.
fn said(Row { alert, outcome, escalate_when, .. }: &Row, severity: &str) -> Outcome {
    let remedy = by_level(outcome).is_some();
    match outcome.as_str() {
        "DROP" => Outcome::Drop,
        "ESC" => Outcome::Escalate,
        "SELF" if ["always", "page", "page at once"].contains(&escalate_when.as_str()) => Outcome::Escalate,
        "SELF" if escalate_when.starts_with("always;") => Outcome::Escalate,
        "NOTE" | "SELF" => Outcome::Notify,
        // nobody but a person is left, where a critical alert's remedy does not fit
        _ if remedy && severity == "critical" => Outcome::Escalate,
        _ if remedy => Outcome::Notify,
        other => panic!("{alert} is judged {other}"),
    }
}

#[test]
fn of_every_alert_it_is_said_who_hears_and_what_to_look_at() {
    for set in [&*SHIPPED, &AT_LEVEL[4]] {
        for row in judged() {
            for Variant { severity } in &row.variants {
                let decision = advise(set, &firing(&row.alert, severity), None);
                let (alert, reason) = (&row.alert, &decision.reasons[0]);
                assert_eq!(decision.outcome, said(&row, severity), "{alert} {severity}");
                assert_eq!(reason.code, "advice", "{alert}");
                let look =
                    row.outcome == "DROP" || by_level(&row.outcome).is_some() && severity == "critical";
                assert!(look || reason.text.contains("look at: "), "{alert}: {}", reason.text);
            }
        }
    }
}

#[test]
fn where_there_is_a_remedy_an_unclear_target_goes_to_a_person() {
    let set = &AT_LEVEL[4];
    for row in judged() {
        if by_level(&row.outcome).is_some() {
            let decision = advise(set, &firing(&row.alert, "critical"), Some("two pods have that name"));
            assert_eq!(decision.outcome, Outcome::Escalate, "{}", row.alert);
            assert_eq!(decision.reasons[0].code, "unclear-target", "{}", row.alert);
            continue;
        }
        for Variant { severity } in &row.variants {
            let decision = advise(set, &firing(&row.alert, severity), Some("two pods have that name"));
            assert_eq!(decision.outcome, said(&row, severity), "{}", row.alert);
        }
    }
}

/// Whatever situation it is, and whatever level its grant is at.
#[test]
fn as_shipped_nothing_acts_and_nothing_is_asked() {
    let set = &*SHIPPED;
    assert!(set.examples().count() > 20);
    for example in set.examples() {
        let outcome = decided(set, example, &[]).outcome;
        assert!(matches!(outcome, Outcome::Notify | Outcome::Escalate), "{example}: {outcome:?}");
    }
    // a reached limit is heard all the same
    assert_eq!(decided(set, OOM, &[("history.per_target", "1")]).outcome, Outcome::Escalate);
}

#[test]
fn the_pack_lets_be_declared_where_it_works() {
    let mine = "apiVersion: belay.dev/v1\nkind: Policy\nmetadata: { name: mine, owner: us }\nspec:\n  environments:\n    - { name: shop, when: \"target.namespace == 'shop'\", maxLevel: 3, ladder: off }\n";
    let set = beside(mine);
    assert_eq!(decided(&set, OOM, &[]).outcome, Outcome::Act);
    assert_eq!(decided(&set, SATURATION, &[]).outcome, Outcome::Ask, "from level 4 on");
    assert_eq!(decided(&set, OOM, &[("target.namespace", "bank")]).outcome, Outcome::Notify);
}

/// A grant that allows everything, as a team might write it in a hurry.
const RECKLESS: &str = r#"
  approvers: { us: { slackUsers: [U0A] } }
  approvals: { me: { from: [us], count: 1, expires: 5m } }
  grants:
    - id: reckless
      alerts: ['alertname=~".+"']
      actions: [restart_pod, restart_workload, rollback_workload, cordon_node, scale_workload]
      level: 4
      verify: { within: 5m, expect: [alert_gone] }
      confirm: { approval: me }
      playbook: true
"#;

#[test]
fn the_stories_end_well_even_beside_a_reckless_grant() {
    let mine = environment(5) + RECKLESS.trim_start_matches('\n');
    let set = beside(&mine);
    let stories: [(&str, &[(&str, &str)], Outcome, &str); 11] = [
        ("look-alike", &[], Outcome::Escalate, "guard/look-alike"),
        ("batch-job", &[], Outcome::Escalate, "guard/work-in-progress"),
        ("batch-job", &[("owner.busy", "false")], Outcome::Escalate, "guard/batch-work"),
        ("backup-window", &[], Outcome::Escalate, "guard/do-not-disturb"),
        ("backup-window", &[("target.annotations", "{}")], Outcome::Ask, "guard/stateful-needs-two"),
        ("told-by-a-log", &[], Outcome::Escalate, "not-grounded"),
        ("statefulset", &[], Outcome::Ask, "guard/stateful-needs-two"),
        ("bad-release", &[("owner.gitops.selfHeal", "true")], Outcome::Ask, "guard/gitops-would-undo-it"),
        ("saturation", &[("owner.hpa", "true")], Outcome::Ask, "guard/hpa-would-undo-it"),
        ("oom", &[("owner.changed_by_person_minutes", "4")], Outcome::Ask, "guard/a-person-is-at-it"),
        ("oom", &[("finding.cause", "SecuritySignal")], Outcome::Escalate, "cause/always-a-person"),
    ];
    for (example, changes, outcome, reason) in stories {
        let decision = decided(&set, &format!("examples/{example}.yaml"), changes);
        let codes: Vec<&str> = decision.reasons.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(decision.outcome, outcome, "{example} {changes:?}: {codes:?}");
        assert!(codes.contains(&reason), "{example} {changes:?}: {codes:?}");
    }
    assert_eq!(decided(&set, OOM, &[]).outcome, Outcome::Act, "it is the guards that hold it");
}

/// An action of each kind, as golden inputs write them.
const ACTIONS: [(&str, &str); 15] = [
    ("oom", "{ kind: restart_pod }"),
    ("secret-rotated", "{ kind: restart_workload }"),
    ("saturation", "{ kind: scale_workload, replicas: 5 }"),
    ("bad-release", "{ kind: rollback_workload, template: 7c9f54d8b4 }"),
    ("bad-release", "{ kind: pause_rollout }"),
    ("bad-release", "{ kind: resume_rollout }"),
    ("cronjob-failing", "{ kind: suspend_cronjob }"),
    ("cronjob-failing", "{ kind: resume_cronjob }"),
    ("autoscaler", "{ kind: set_hpa_bounds, min: 2, max: 12 }"),
    ("memory-limit", "{ kind: set_resources, container: api, resource: memory, from: 256, to: 384 }"),
    ("node-not-ready", "{ kind: cordon_node }"),
    ("node-not-ready", "{ kind: uncordon_node }"),
    ("config-changed", "{ kind: restore_config, version: 7 }"),
    ("gitops", "{ kind: open_pull_request, insteadOf: { kind: pause_rollout } }"),
    (
        "volume-filling",
        "{ kind: run_job, template: expand, parameters: { size: 60Gi }, declares: { undo: exact, risk: low } }",
    ),
];

#[test]
fn every_action_of_the_catalogue_can_be_written_down_and_read_again() {
    let mut words = Vec::new();
    for ((example, written), kind) in ACTIONS.iter().zip(ActionKind::ALL) {
        let example = format!("examples/{example}.yaml");
        let question = policy::example(&SHIPPED, &example, &[("action", written)]).unwrap();
        assert_eq!(question.action.kind(), kind);
        assert_eq!(*question.action.target(), question.target.object, "{written}");
        let json = serde_json::to_string(&question.action).unwrap();
        assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), question.action, "{json}");
        assert!(canonical::hash(&question.action).is_ok(), "{json}");
        words.push(question.action.words());
    }
    insta::assert_snapshot!(words.join("\n"), @r"
    restart pod `api-7f4b9`
    restart Deployment `orders`
    scale Deployment `web` to 5
    roll back Deployment `web` to template `7c9f54d8b4`
    pause the rollout of Deployment `web`
    resume the rollout of Deployment `web`
    suspend CronJob `sync`
    resume CronJob `sync`
    set the bounds of HorizontalPodAutoscaler `web` to 2 to 12
    raise the memory limit of container `api` of Deployment `api` from 256Mi to 384Mi
    cordon Node `worker-3`
    uncordon Node `worker-3`
    restore ConfigMap `search-settings` to recorded version 7
    open a pull request to pause the rollout of Deployment `web`
    run job `expand` for PersistentVolumeClaim `data-db-0` (size=60Gi)
    ");
}

#[test]
fn an_action_that_cannot_be_is_refused_where_it_is_written() {
    let cases = [
        ("{ kind: restart_pod, replicas: 3 }", "`replicas` is no parameter of `restart_pod`"),
        ("{ kind: set_hpa_bounds, min: 5, max: 3 }", "no autoscaler has the bounds 5 to 3"),
        (
            "{ kind: set_resources, container: a, resource: cpu, from: 500, to: 2000 }",
            "no step up of at most",
        ),
        ("{ kind: rollback_workload, template: ../x }", "names no template"),
        (
            "{ kind: open_pull_request, insteadOf: { kind: open_pull_request, insteadOf: { kind: restart_pod } } }",
            "not for a pull request",
        ),
        ("{ kind: drain_node }", "is not an action"),
        ("{ kind: run_job }", "action has no `template`"),
    ];
    for (written, expected) in cases {
        let why = policy::example(&SHIPPED, OOM, &[("action", written)]).unwrap_err();
        assert!(why.contains(expected), "{written}: {why}");
    }
}

/// What a user's template declares is the class that the level table sees.
#[test]
fn a_declared_class_decides_what_a_job_may_do() {
    let reckless = RECKLESS.replace("scale_workload]", "run_job]");
    let set = beside(&(environment(4) + reckless.trim_start_matches('\n')));
    let outcome = |declares: &str| {
        let action = format!("{{ kind: run_job, template: t{declares} }}");
        decided(&set, OOM, &[("action", &action)]).outcome
    };
    assert_eq!(outcome(""), Outcome::Ask);
    assert_eq!(outcome(", declares: { undo: exact, risk: low }"), Outcome::Act);
    assert_eq!(outcome(", declares: { undo: exact, risk: medium }"), Outcome::Ask);
    assert_eq!(outcome(", declares: { undo: none, risk: low }"), Outcome::Ask);
}

/// What the manual has its reader write, beside the pack as the reader has it.
#[test]
fn the_policies_of_the_ten_minutes_load_beside_the_pack() {
    let manual = read("README.md");
    let (_, ten) = manual.split_once("## Ten minutes").unwrap();
    let (ten, _) = ten.split_once("\n## ").unwrap();
    let blocks: Vec<&str> =
        ten.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        beside(block);
    }
}

/// A pack's promises are about its own rules, and a user's rules are the user's to change.
#[test]
fn tests_that_assume_an_environment_see_the_rules_of_their_owner_alone() {
    let freeze = "  freezes:\n    - { name: all, from: 2020-01-01T00:00:00Z, to: 2030-01-01T00:00:00Z, maxLevel: 1 }\n";
    let set = beside(&(environment(5) + freeze));
    assert_eq!(decided(&set, OOM, &[]).outcome, Outcome::Notify, "the user's freeze holds");
    // and the user's own test hears of it
    let mine = format!(
        "{}{freeze}  tests:\n    - {{ name: mine, given: examples/oom.yaml, expect: {{ outcome: act }} }}\n",
        environment(5)
    );
    let mut files = config::policies(&root("policies")).unwrap();
    files.push(("mine.yaml".to_owned(), mine));
    let errors = load(files).unwrap_err().to_string();
    assert!(errors.contains("test `mine` fails: expected outcome `act`, got `notify`"), "{errors}");
    assert!(errors.contains("1 error:"), "{errors}");
}

#[test]
fn the_manual_says_how_few_alerts_act() {
    let rows = judged();
    let acting = rows.iter().filter(|row| ["A3", "A4"].contains(&row.outcome.as_str())).count();
    let asking = rows.iter().filter(|row| row.outcome == "ASK").count();
    let said = format!("{acting} of the {} alerts", rows.len());
    let manual = read("README.md");
    assert!(manual.contains(&said), "`policies/README.md` must say `{said}`");
    assert!(manual.contains(&format!("{asking} more")), "and that {asking} more are asked about");
    let tenth = rows.len() / 10;
    assert!(acting.abs_diff(tenth) <= 3, "about one in ten: {acting} of {}", rows.len());
}

#[test]
fn the_catalogue_in_the_documents_is_that_of_the_code() {
    let text = std::fs::read_to_string(root("docs/actions.md")).unwrap();
    let (begin, end) = ("<!-- the catalogue: generated -->\n", "<!-- end of the catalogue -->");
    let shown =
        text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(table, _)| table.trim());
    let wanted = markdown();
    assert_eq!(shown, Some(wanted.trim()), "put this between the two comments:\n{wanted}");
}
