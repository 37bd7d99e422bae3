//! The analysers over the state of the cluster, each made to happen in the simulated one and read over HTTP; and what
//! they say of hand-made snapshots where no cluster comes to that in time.

use belay::adapters::kube::{Access, KubeReads, connect};
use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::action::{Action, ActionKind};
use belay::domain::cluster::{Budget, Condition, ContainerState, Pod, Probe, Probes, Snapshot};
use belay::domain::finding::Certainty::{Certain, Likely, Possible};
use belay::domain::finding::{Cause, Certainty, Finding, NodeRefuses, PullTrouble};
use belay::domain::ids::Cluster;
use belay::domain::record::Diagnosis;
use belay::domain::surroundings::*;
use belay::domain::target::{Kind as K, Named};
use belay::ports::clock::Clock as _;
use belay::ports::reads::Reads as _;
use belay::sim::kube::{Behaviour, Builder, DeploymentSpec, Kind, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{ago, ended, healthy, labels, waiting, with_end, with_pod};
use crate::given::object;
use crate::sim::{Served, run_until, seconds};

fn of(snapshot: &Snapshot) -> Diagnosis {
    diagnose(snapshot, &labels("ApiErrorRateHigh"), &Templates::default())
}

fn causes(diagnosis: &Diagnosis) -> Vec<(&'static str, Certainty)> {
    diagnosis.findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

fn found<'a>(diagnosis: &'a Diagnosis, cause: &str) -> &'a Finding {
    let found = diagnosis.findings.iter().find(|f| f.cause.name() == cause);
    found.unwrap_or_else(|| panic!("no {cause} in {:?}", diagnosis.findings))
}

fn acts(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.candidates.iter().map(|c| c.action.words()).collect()
}

/// A world of one namespace, read over HTTP as it is some seconds later.
async fn look(build: impl FnOnce(Builder) -> Builder, after: i64, of: (K, &str)) -> Snapshot {
    let served = Served::new(|clock| build(World::builder(clock).namespace("shop")).build()).await;
    run_until(&served.clock, after, || false_until(&served, after));
    let snapshot = snapshot(&served, of).await;
    served.stop().await;
    snapshot
}

fn false_until(served: &Served, after: i64) -> bool {
    served.clock.now() >= crate::sim::start() + seconds(after)
}

async fn snapshot(served: &Served, (kind, name): (K, &str)) -> Snapshot {
    let client =
        connect(&Access::Url { url: served.url.clone(), ca_file: None, token_file: None }).await.unwrap();
    let clock = served.clock.clone();
    let reads = KubeReads::new(client, Cluster::new("eu-1"), clock);
    let namespace = if kind == K::Node { String::new() } else { "shop".into() };
    let named = Named { cluster: Cluster::new("eu-1"), kind, namespace, name: name.into() };
    let located = reads.locate(&named).await.unwrap();
    reads.snapshot(&located).await.unwrap()
}

fn tainted() -> impl Fn(&mut belay::sim::kube::Objects) {
    |objects| {
        for node in ["node-a", "node-b", "node-c"] {
            let taint =
                json!({ "spec": { "taints": [{ "key": "team", "value": "ml", "effect": "NoSchedule" }] } });
            objects.merge(Kind::Node, "", node, &taint);
        }
    }
}

#[tokio::test]
async fn what_keeps_a_pod_from_every_node_is_told_by_the_nodes() {
    for (more, resources, expected) in [
        (json!({ "nodeSelector": { "disk": "ssd" } }), Value::Null, NodeRefuses::Selector),
        (Value::Null, json!({ "cpu": "64", "memory": "1Gi" }), NodeRefuses::TooLarge),
        (Value::Null, json!({ "cpu": "6", "memory": "1Gi" }), NodeRefuses::Full),
    ] {
        let container = if resources.is_null() {
            Value::Null
        } else {
            json!({ "resources": { "limits": resources, "requests": resources } })
        };
        let big = DeploymentSpec::new("big", 4).pods(more).container(container);
        let snapshot = look(|b| b.deployment(big), 5, (K::Deployment, "big")).await;
        let diagnosis = of(&snapshot);
        let Cause::Unschedulable { nodes, .. } = &found(&diagnosis, "Unschedulable").cause else { panic!() };
        assert_eq!(nodes, &[(expected, 3)].into(), "{diagnosis:?}");
        assert_eq!(acts(&diagnosis), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_taint_is_told_and_a_toleration_helps() {
    let tolerates = json!({ "tolerations": [{ "key": "team", "operator": "Exists" }] });
    for (more, expected) in [(Value::Null, true), (tolerates, false)] {
        let served = Served::new(|clock| World::builder(clock).namespace("shop").build()).await;
        served.world.edit(tainted());
        let spec = DeploymentSpec::new("web", 1).pods(more);
        served.world.edit(|objects| {
            let mut object = json!({ "metadata": { "name": "web", "namespace": "shop" } });
            object["spec"] = json!({ "replicas": 1, "selector": { "matchLabels": { "app": "web" } } });
            object["spec"]["template"] = json!({ "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] } });
            if let Some(fields) = spec.more.as_object() {
                for (key, value) in fields {
                    object["spec"]["template"]["spec"][key] = value.clone();
                }
            }
            objects.insert(Kind::Deployment, object);
        });
        served.clock.advance(seconds(5));
        let diagnosis = of(&snapshot(&served, (K::Deployment, "web")).await);
        assert_eq!(diagnosis.findings.iter().any(|f| f.cause.name() == "Unschedulable"), expected);
        if expected {
            assert!(found(&diagnosis, "Unschedulable").summary.contains("3 with a taint"), "{diagnosis:?}");
        }
        served.stop().await;
    }
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_named_with_its_numbers() {
    let quota = json!({ "metadata": { "name": "team" }, "spec": { "hard": { "limits.memory": "600Mi", "pods": "10" } } });
    let build = |b: Builder| b.object(Kind::ResourceQuota, quota).deployment(DeploymentSpec::new("web", 3));
    let snapshot = look(build, 5, (K::Deployment, "web")).await;
    let diagnosis = of(&snapshot);
    let finding = found(&diagnosis, "QuotaExhausted");
    assert_eq!(finding.certainty, Certain);
    let Cause::QuotaExhausted { quota, resource, used, hard } = &finding.cause else { panic!() };
    assert_eq!([quota, resource, used, hard], ["team", "limits.memory", "512Mi", "600Mi"]);
    assert!(acts(&diagnosis).is_empty());
    // without the quota the same shortage is not called one
    let mut blind = snapshot;
    blind.around.quotas = Err("forbidden".into());
    assert!(!causes(&of(&blind)).iter().any(|(cause, _)| *cause == "QuotaExhausted"));
}

#[tokio::test]
async fn what_a_pod_refers_to_and_is_not_there_is_named() {
    let env = |reference: Value| json!({ "env": [{ "name": "A", "valueFrom": reference }] });
    let key = |of: &str, name: &str| env(json!({ of: { "name": name, "key": "url" } }));
    for (container, named) in [
        (json!({ "envFrom": [{ "configMapRef": { "name": "flags" } }] }), "ConfigMap `flags`"),
        (key("configMapKeyRef", "flags"), "ConfigMap `flags` with key `url`"),
        (key("secretKeyRef", "db"), "Secret `db` with key `url`"),
    ] {
        let web = DeploymentSpec::new("web", 1).container(container);
        let snapshot = look(|b| b.deployment(web), 5, (K::Deployment, "web")).await;
        let diagnosis = of(&snapshot);
        let finding = found(&diagnosis, "MissingConfig");
        assert_eq!(finding.certainty, Certain);
        assert!(finding.summary.contains(named), "{}", finding.summary);
        // who may not see the metadata has the kubelet's word, of what the pod itself refers to
        let mut blind = snapshot;
        (blind.around.configs, blind.around.secrets) = (Err("no".into()), Err("no".into()));
        let diagnosis = of(&blind);
        let finding = found(&diagnosis, "MissingConfig");
        assert_eq!(finding.certainty, Likely);
        assert!(finding.summary.contains(named), "{}", finding.summary);
        assert!(diagnosis.candidates.is_empty() && finding.suggests.is_empty());
    }
}

#[tokio::test]
async fn a_failing_probe_is_one_that_had_its_time() {
    let web = DeploymentSpec::new("web", 2).probed();
    let served = Served::new(|clock| World::builder(clock).namespace("shop").deployment(web).build()).await;
    let first = served.world.pods("shop", "web")[0].name.clone();
    served.world.behave_pod("shop", &first, Behaviour::NeverReady);
    served.clock.advance(seconds(60));
    let diagnosis = of(&snapshot(&served, (K::Pod, &first)).await);
    let Cause::FailingProbe { served: before, ready, .. } = found(&diagnosis, "FailingProbe").cause else {
        panic!()
    };
    assert!(before);
    assert_eq!(ready, 1);
    assert!(matches!(&diagnosis.candidates[0].action, Action::RestartPod { pod } if pod.named.name == first));
    served.stop().await;
    // all of them: what they need is not there, and a restart brings it as little
    let web = DeploymentSpec::new("web", 2).probed().behaviour(Behaviour::NeverReady);
    let diagnosis = of(&look(|b| b.deployment(web), 120, (K::Deployment, "web")).await);
    assert_eq!(causes(&diagnosis), [("FailingProbe", Certain)]);
    assert!(diagnosis.candidates.is_empty());
}

fn claimed() -> DeploymentSpec {
    let volume = json!({ "name": "data", "persistentVolumeClaim": { "claimName": "data" } });
    DeploymentSpec::new("db", 1).pods(json!({ "volumes": [volume] }))
}

#[tokio::test]
async fn a_claim_without_a_volume_is_told_with_what_its_class_says() {
    let claim = |class: &str| json!({ "metadata": { "name": "data" }, "spec": { "storageClassName": class }, "status": { "phase": "Pending" } });
    let class =
        |mode: &str| json!({ "metadata": { "name": "fast" }, "provisioner": "x", "volumeBindingMode": mode });
    for (objects, expected, says) in [
        (vec![], Certain, "there is no such claim"),
        (vec![(Kind::PersistentVolumeClaim, claim("fast"))], Certain, "there is no storage class `fast`"),
        (
            vec![(Kind::StorageClass, class("Immediate")), (Kind::PersistentVolumeClaim, claim("fast"))],
            Certain,
            "it is not bound",
        ),
        (
            vec![
                (Kind::StorageClass, class("WaitForFirstConsumer")),
                (Kind::PersistentVolumeClaim, claim("fast")),
            ],
            Possible,
            "it is not bound",
        ),
    ] {
        let build = |b: Builder| {
            objects.into_iter().fold(b, |b, (kind, object)| b.object(kind, object)).deployment(claimed())
        };
        let diagnosis = of(&look(build, 5, (K::Deployment, "db")).await);
        let finding = found(&diagnosis, "VolumePending");
        assert_eq!(finding.certainty, expected, "{says}");
        assert!(finding.summary.contains(says), "{}", finding.summary);
        assert!(diagnosis.candidates.is_empty());
    }
}

#[tokio::test]
async fn a_node_that_is_not_well_explains_its_pods_and_is_cordoned_only_if_it_is_named() {
    let broken =
        |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "X", "message": "x" });
    for (condition, cause) in [
        (broken("Ready", "Unknown"), "NodeNotReady"),
        (broken("Ready", "False"), "NodeNotReady"),
        (broken("DiskPressure", "True"), "NodePressure"),
    ] {
        let served = Served::shop().await;
        let pod = served.world.pods("shop", "web")[0].name.clone();
        let node = served.world.object(Kind::Pod, "shop", &pod).unwrap()["spec"]["nodeName"].clone();
        let node = node.as_str().unwrap().to_owned();
        served.world.edit(|objects| {
            objects.modify(Kind::Node, "", &node, |node| {
                let all = node["status"]["conditions"].as_array_mut().unwrap();
                all.retain(|known| known["type"] != condition["type"]);
                all.push(condition.clone());
            });
        });
        served.world.behave_pod("shop", &pod, Behaviour::NeverReady);
        served.clock.advance(seconds(5));
        let diagnosis = of(&snapshot(&served, (K::Pod, &pod)).await);
        assert_eq!(found(&diagnosis, cause).subject.named.name, node);
        assert_eq!(diagnosis.findings[0].cause.name(), cause);
        assert!(acts(&diagnosis).is_empty());
        let named = of(&snapshot(&served, (K::Node, &node)).await);
        assert_eq!(found(&named, cause).suggests, [ActionKind::CordonNode]);
        assert!(
            matches!(&named.candidates[0].action, Action::CordonNode { node: found } if found.named.name == node)
        );
        served.stop().await;
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_credential_is_told_from_a_tag_that_is_not_there() {
    let bad = || DeploymentSpec::new("web", 1).behaviour(Behaviour::BadImage);
    let diagnosis = of(&look(|b| b.deployment(bad()), 5, (K::Deployment, "web")).await);
    let Cause::ImagePull { trouble, .. } = found(&diagnosis, "ImagePull").cause else { panic!() };
    assert_eq!(trouble, PullTrouble::NotFound);
    let secret = bad().pods(json!({ "imagePullSecrets": [{ "name": "registry" }] }));
    let snapshot = look(|b| b.deployment(secret), 5, (K::Deployment, "web")).await;
    let diagnosis = of(&snapshot);
    assert_eq!(causes(&diagnosis), [("PullSecretMissing", Certain), ("ImagePull", Certain)]);
    assert!(diagnosis.findings[0].summary.contains("there is no Secret `registry`"));
    assert!(diagnosis.candidates.is_empty());
    let mut blind = snapshot;
    blind.around.secrets = Err("forbidden".into());
    assert_eq!(causes(&of(&blind)), [("ImagePull", Certain), ("PullSecretMissing", Likely)]);
}

/// A Secret that was written at this moment, with a value that must not get anywhere.
fn secret(at: &str) -> Value {
    json!({
        "metadata": {
            "name": "db",
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "s3cr3t-canary" },
            "managedFields": [{ "manager": "vault", "operation": "Update", "apiVersion": "v1", "time": at,
                                "fieldsType": "FieldsV1", "fieldsV1": { "f:data": { ".": {}, "f:url": {} } } }],
        },
        "data": { "url": "s3cr3t-canary" },
    })
}

#[tokio::test]
async fn a_rotated_secret_is_told_by_times_alone() {
    let reads =
        json!({ "env": [{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "db", "key": "url" } } }] });
    let web = DeploymentSpec::new("web", 2).container(reads);
    for (at, expected) in [
        ("2026-11-21T02:20:00Z", Some(Likely)),
        ("2026-11-20T20:00:00Z", Some(Possible)),
        // before the pods started
        ("2026-11-19T20:00:00Z", None),
    ] {
        let build = |b: Builder| b.object(Kind::Secret, secret(at)).deployment(web.clone());
        let snapshot = look(build, 0, (K::Deployment, "web")).await;
        let whole = serde_json::to_string(&snapshot).unwrap();
        assert!(!whole.contains("s3cr3t-canary"), "{whole}");
        let diagnosis = of(&snapshot);
        let sure = diagnosis.findings.iter().find(|f| f.cause.name() == "SecretRotated").map(|f| f.certainty);
        assert_eq!(sure, expected, "{at}: {:?}", snapshot.around.secrets);
        let restart =
            matches!(diagnosis.candidates.first().map(|c| &c.action), Some(Action::RestartWorkload { .. }));
        assert_eq!(restart, expected == Some(Likely));
        assert!(!serde_json::to_string(&diagnosis).unwrap().contains("s3cr3t-canary"));
    }
}

#[tokio::test]
async fn an_autoscaler_at_its_ceiling_gets_a_higher_one() {
    let search = DeploymentSpec::new("search", 3).behaviour(Behaviour::Busy { demand_millicores: 9_000 });
    let build = |b: Builder| b.deployment(search).autoscaler("search", (1, 3));
    let diagnosis = of(&look(build, 5, (K::Deployment, "search")).await);
    assert_eq!(causes(&diagnosis), [("AutoscalerAtCeiling", Certain), ("Saturation", Certain)]);
    let Action::SetHpaBounds { autoscaler, bounds } = &diagnosis.candidates[0].action else { panic!() };
    assert_eq!((autoscaler.named.name.as_str(), bounds.min(), bounds.max()), ("search", 1, 5));
    assert!(!autoscaler.uid.is_empty());
}

#[tokio::test]
async fn a_job_that_failed_is_told_with_its_reason() {
    let served = Served::shop().await;
    served.world.behave_image("task:1", Behaviour::CrashAtStart { exit_code: 1, log: "no".into() });
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "task", "image": "task:1" }] } });
    let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "task" }, "spec": { "template": template } });
    let (code, _) =
        served.send("POST", "/apis/batch/v1/namespaces/shop/jobs", Some(("application/json", job))).await;
    assert_eq!(code, 201);
    served.clock.advance(seconds(30));
    let diagnosis = of(&snapshot(&served, (K::Job, "task")).await);
    let Cause::JobFailed { job, reason } = &found(&diagnosis, "JobFailed").cause else { panic!() };
    assert_eq!([job, reason], ["task", "BackoffLimitExceeded"]);
    served.stop().await;
}

fn run(name: &str, started: i64, completed: Option<i64>) -> JobRun {
    JobRun {
        object: object(K::Job, name),
        started: Some(ago(started)),
        completed: completed.map(ago),
        failed: None,
        active: u32::from(completed.is_none()),
        failures: 0,
        suspended: false,
        deadline_seconds: None,
    }
}

#[test]
fn a_job_is_stuck_by_what_its_earlier_runs_took() {
    let usual = [run("b", 200, Some(190)), run("c", 300, Some(295))];
    for (now, past, expected) in [
        (31, &usual[..], Some(Likely)),
        (29, &usual[..], None),
        (800, &usual[..1], Some(Possible)),
        (700, &usual[..1], None),
    ] {
        let mut snapshot = healthy();
        let runs: Vec<JobRun> = [run("a", now, None)].iter().chain(past).cloned().collect();
        snapshot.around.jobs = Ok(runs);
        let sure = of(&snapshot).findings.first().map(|f| (f.cause.name(), f.certainty));
        assert_eq!(sure, expected.map(|sure| ("JobStuck", sure)), "{now}");
    }
}

#[test]
fn a_leak_and_a_limit_that_is_too_low_are_told_apart_where_the_state_tells() {
    let killed = |lived: i64, ago_minutes: i64, restarts: u32| {
        let mut end = ended("OOMKilled", 137, Some(ago(ago_minutes)));
        end.started = Some(ago(ago_minutes) - SignedDuration::from_secs(lived));
        with_end(end, &waiting("CrashLoopBackOff"), restarts)
    };
    let young = |mut snapshot: Snapshot| {
        let born = ago(3);
        snapshot.pods.as_mut().unwrap()[0].created = Some(born);
        if let Ok(Some(pod)) = &mut snapshot.pod {
            pod.created = Some(born);
        }
        snapshot
    };
    for (snapshot, expected, act) in [
        // for hours, again and again
        (killed(7_200, 1, 2), "MemoryLeak", "restart pod"),
        // once after hours: a leak or a rush
        (killed(7_200, 1, 1), "OOMKilled", "restart pod"),
        // within seconds, from the beginning
        (young(killed(2, 1, 4)), "MemoryLimitTooLow", "raise the memory limit"),
        // within seconds, in a pod that lived for hours: it found again what it had left
        (killed(2, 1, 4), "OOMKilled", "restart pod"),
        (young(killed(2, 1, 2)), "OOMKilled", "restart pod"),
    ] {
        let diagnosis = of(&snapshot);
        assert_eq!(diagnosis.findings[0].cause.name(), expected);
        assert_eq!(diagnosis.candidates.len(), 1, "{expected}");
        let words = diagnosis.candidates[0].action.kind().name();
        let kind = if act.starts_with("restart") { "restart_pod" } else { "set_resources" };
        assert_eq!(words, kind, "{expected}: {act}");
    }
}

#[test]
fn an_exit_code_is_told_in_words_and_a_missing_command_is_not_restarted() {
    let with = |code: i32| with_end(ended("Error", code, Some(ago(1))), &waiting("CrashLoopBackOff"), 5);
    for (code, says, restarts) in [
        (1, "an error of the program's own", 1),
        (126, "cannot be run", 0),
        (127, "its command is not there", 0),
        (137, "killed, not for memory", 1),
        (139, "a fault in memory", 1),
        (143, "told to end", 1),
        (42, "exit code 42 again", 1),
    ] {
        let diagnosis = of(&with(code));
        assert!(diagnosis.findings[0].summary.contains(says), "{}", diagnosis.findings[0].summary);
        assert_eq!(diagnosis.candidates.len(), restarts, "{code}");
    }
    let mut probed = with(143);
    let liveness = Some(Probe { delay: 0, period: 10, failures: 3 });
    probed.pods.as_mut().unwrap()[0].containers[0].probes = Probes { liveness, ..Probes::default() };
    probed.pod = Ok(Some(probed.pods.as_ref().unwrap()[0].clone()));
    assert!(of(&probed).findings[0].summary.contains("liveness probe"));
}

fn node(name: &str, cordoned: bool) -> Node {
    let ready = Condition {
        name: "Ready".into(),
        status: "True".into(),
        reason: String::new(),
        message: String::new(),
    };
    Node {
        object: object(K::Node, name),
        labels: [].into(),
        annotations: [].into(),
        cordoned,
        taints: vec![],
        conditions: vec![ready],
        allocatable: [].into(),
    }
}

#[test]
fn a_budget_is_a_deadlock_only_while_a_drain_waits_for_it() {
    for (allowed, cordoned, expected) in [(0, true, true), (0, false, false), (1, true, false)] {
        let mut snapshot = healthy();
        snapshot.budgets = Ok(vec![Budget { name: "web".into(), allowed, desired: 3, healthy: 3 }]);
        snapshot.around.nodes = Ok(vec![node("node-a", cordoned)]);
        assert_eq!(causes(&of(&snapshot)).iter().any(|(cause, _)| *cause == "BudgetDeadlock"), expected);
    }
}

#[test]
fn network_policies_add_up_and_are_possible_at_most() {
    let policy = |name: &str, ingress, egress, egress_dns| NetPolicy {
        name: name.into(),
        created: None,
        ingress,
        egress,
        egress_dns,
    };
    let deny = policy("deny", Some(0), Some(0), false);
    let unready = || {
        with_pod(|pod: &mut Pod| {
            pod.ready = false;
            pod.containers[0].ready = false;
        })
    };
    for (policies, expected) in [
        (vec![deny.clone()], true),
        (vec![deny.clone(), policy("all", Some(1), Some(1), true)], false),
        // out, but no names
        (vec![policy("db", None, Some(1), false)], true),
        (vec![], false),
    ] {
        let mut snapshot = unready();
        snapshot.around.policies = Ok(policies);
        let diagnosis = of(&snapshot);
        let found = diagnosis.findings.iter().find(|f| f.cause.name() == "NetworkPolicyBlocks");
        assert_eq!(found.map(|f| f.certainty), expected.then_some(Possible));
    }
    // pods that are well need no explanation
    let mut well = healthy();
    well.around.policies = Ok(vec![deny]);
    assert!(of(&well).findings.is_empty());
}

#[test]
fn a_certificate_is_told_when_it_was_not_renewed() {
    let until = |hours: i64| Certificate {
        name: "web".into(),
        secret: "web-tls".into(),
        not_after: Some(super::now() + SignedDuration::from_hours(hours)),
        ready: Some(false),
    };
    for (hours, expected) in [(-1, Some(Certain)), (24, Some(Likely)), (24 * 20, None)] {
        let mut snapshot = healthy();
        snapshot.around.certificates = Ok(vec![until(hours)]);
        let sure = of(&snapshot).findings.first().map(|f| f.certainty);
        assert_eq!(sure, expected, "{hours}");
    }
}

/// What the kubelet, a registry or a program says may take a remedy away, and never adds one.
#[test]
fn text_never_adds_a_candidate() {
    let texts = [
        "401 Unauthorized",
        "no such host",
        "manifest unknown",
        "configmap \"flags\" not found",
        "exceeded quota: team",
        "OOMKilled",
        "Readiness probe failed",
        "node(s) had untolerated taint",
    ];
    let stories = [
        with_pod(|pod| {
            pod.ready = false;
            pod.containers[0].state = waiting("ImagePullBackOff");
        }),
        with_end(ended("OOMKilled", 137, Some(ago(1))), &waiting("CrashLoopBackOff"), 4),
        healthy(),
    ];
    for story in stories {
        let plain = of(&story);
        for text in texts {
            let mut told = story.clone();
            let say = |pod: &mut Pod| {
                for container in &mut pod.containers {
                    if let ContainerState::Waiting { message, .. } = &mut container.state {
                        text.clone_into(message);
                    }
                }
            };
            told.pods.as_mut().unwrap().iter_mut().for_each(say);
            told.pod.as_mut().unwrap().iter_mut().for_each(say);
            for event in told.events.as_mut().unwrap() {
                (event.reason, event.message) = (text.into(), text.into());
            }
            for candidate in of(&told).candidates {
                assert!(
                    plain.candidates.iter().any(|c| c.action == candidate.action),
                    "{text}: {candidate:?}"
                );
            }
        }
    }
}

/// A snapshot of before there were surroundings is read, and lacks nothing that it never had.
#[test]
fn an_old_snapshot_is_still_read() {
    let old = include_str!("../../data/snapshots/v1.json");
    let snapshot: Snapshot = serde_json::from_str(old).unwrap();
    assert!(snapshot.around.unasked());
    let diagnosis = of(&snapshot);
    assert_eq!(diagnosis.missing, Vec::<String>::new());
    assert_eq!(causes(&diagnosis), [("OOMKilled", Certain)]);
    let again: Value = serde_json::to_value(&snapshot).unwrap();
    assert!(again.get("around").is_none(), "what was not asked for is not kept");
}

/// So many requests for one snapshot at most, whatever is wrong: the number cannot grow unseen.
#[tokio::test]
async fn a_snapshot_takes_a_bounded_number_of_requests() {
    let reads = json!({
        "envFrom": [{ "configMapRef": { "name": "a", "optional": true } }, { "secretRef": { "name": "s", "optional": true } }],
        "readinessProbe": { "httpGet": { "path": "/", "port": 80 } },
    });
    let volume = json!({ "name": "data", "persistentVolumeClaim": { "claimName": "data" } });
    let claim = json!({ "metadata": { "name": "data" }, "spec": { "storageClassName": "x" }, "status": { "phase": "Bound" } });
    let crash = Behaviour::CrashAtStart { exit_code: 1, log: "no".into() };
    let ill =
        DeploymentSpec::new("ill", 9).pods(json!({ "volumes": [volume] })).container(reads).behaviour(crash);
    let build = |b: Builder| {
        b.nodes(&["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"])
            .object(Kind::PersistentVolumeClaim, claim)
            .deployment(ill)
            .deployment(DeploymentSpec::new("well", 3))
    };
    let served = Served::new(|clock| build(World::builder(clock).namespace("shop")).build()).await;
    served.clock.advance(seconds(120));
    for (name, most) in [("well", 16), ("ill", 24)] {
        let before = served.world.requests();
        snapshot(&served, (K::Deployment, name)).await;
        // finding the owner is one more
        let asked = served.world.requests() - before - 1;
        assert!(asked <= most, "{name}: {asked}");
    }
    served.stop().await;
}

use proptest::prelude::*;

/// Makes the pods and the template ask for something.
pub fn refer(snapshot: &mut Snapshot, odd: bool) {
    let reference = |holder, name: &str| Reference {
        holder,
        name: name.into(),
        key: odd.then(|| "url".to_owned()),
        how: belay::domain::cluster::How::Environment,
        optional: false,
    };
    let needs = Needs {
        requests: [("cpu".to_owned(), 500_000), ("memory".to_owned(), 1 << 30)].into(),
        node_selector: if odd { [("disk".to_owned(), "ssd".to_owned())].into() } else { [].into() },
        refers: vec![reference(Holder::ConfigMap, "flags"), reference(Holder::Secret, "db")],
        claims: vec!["data".into()],
        pull_secrets: vec!["registry".into()],
        ..Needs::default()
    };
    let unscheduled = Condition {
        name: "PodScheduled".into(),
        status: "False".into(),
        reason: "Unschedulable".into(),
        message: String::new(),
    };
    if let Ok(Some(workload)) = &mut snapshot.workload {
        workload.needs = Some(Box::new(needs.clone()));
        workload.current = workload.ready;
    }
    let lists = [snapshot.pods.as_mut().ok().map(Vec::as_mut_slice)];
    for pod in
        lists.into_iter().flatten().flatten().chain(snapshot.pod.as_mut().ok().and_then(Option::as_mut))
    {
        pod.needs = Some(Box::new(needs.clone()));
        if odd && !pod.ready && pod.containers.len() == 1 {
            pod.unscheduled = Some(unscheduled.clone());
        }
    }
}

/// Anything that may surround it.
pub fn any_surroundings() -> impl Strategy<Value = Surroundings> {
    let meta = prop::option::of((0i64..3_000, any::<bool>())).prop_map(|found| {
        found.map(|(minutes, keyed)| Meta {
            created: Some(ago(5_000)),
            changed: Some(ago(minutes)),
            keys: Some(if keyed { vec!["url".into()] } else { vec![] }),
        })
    });
    let phase = prop_oneof![
        Just(ClaimPhase::Bound),
        Just(ClaimPhase::Pending),
        Just(ClaimPhase::Lost),
        Just(ClaimPhase::Missing)
    ];
    let secret = (meta.clone(), meta.clone(), meta);
    let rules = (prop::option::of(0u32..2), prop::option::of(0u32..2), any::<bool>());
    (any::<[bool; 4]>(), phase, secret, rules, -50i64..500, 0i64..2_000).prop_map(
        |(
            [ready, pressed, cordoned, full],
            phase,
            (flags, db, registry),
            (ingress, egress, dns),
            hours,
            minutes,
        )| {
            let mut one = node("node-a", cordoned);
            let status = |holds: bool| if holds { "True" } else { "False" }.to_owned();
            one.conditions[0].status = status(ready);
            one.conditions.push(Condition {
                name: "DiskPressure".into(),
                status: status(pressed),
                ..one.conditions[0].clone()
            });
            let used = if full { "10" } else { "1" };
            let amount = |value: &str| [("pods".to_owned(), value.to_owned())].into();
            let named = |name: &str, found: Option<Meta>| Referred { name: name.into(), found };
            Surroundings {
                nodes: Ok(vec![one]),
                quotas: Ok(vec![Quota {
                    name: "team".into(),
                    scoped: false,
                    hard: amount("10"),
                    used: amount(used),
                }]),
                claims: Ok(vec![Claim {
                    name: "data".into(),
                    phase,
                    class: None,
                    class_exists: None,
                    waits_for_pod: None,
                    uid: String::new(),
                }]),
                configs: Ok(vec![named("flags", flags)]),
                secrets: Ok(vec![named("db", db), named("registry", registry)]),
                policies: Ok(vec![NetPolicy {
                    name: "p".into(),
                    created: None,
                    ingress,
                    egress,
                    egress_dns: dns,
                }]),
                certificates: Ok(vec![Certificate {
                    name: "web".into(),
                    secret: "db".into(),
                    not_after: Some(super::now() + SignedDuration::from_hours(hours)),
                    ready: None,
                }]),
                jobs: Ok(vec![
                    run("a", minutes, None),
                    run("b", 3_000, Some(2_990)),
                    run("c", 4_000, Some(3_990)),
                ]),
            }
        },
    )
}
