//! The analysers on what a real API server said.

use belay::adapters::kube::from_json;
use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::cluster::{Pod, Snapshot};
use belay::domain::finding::Certainty::{Certain, Likely};
use belay::domain::record::Diagnosis;
use belay::domain::target::RootOwner;

use super::{healthy, labels};
use crate::given::cluster;

fn recorded(name: &str) -> belay::adapters::kube::Recorded {
    let path = format!("{}/tests/data/kubernetes/{name}.json", env!("CARGO_MANIFEST_DIR"));
    from_json(&cluster(), &std::fs::read(path).unwrap()).unwrap()
}

/// One of the recorded Deployments with the pods of this file that are its own.
fn snapshot(deployment: &str, pods: &str) -> Snapshot {
    let all = recorded("deploy-rs-stuck-rollout");
    let workload = all.workloads.into_iter().find(|w| w.object.named.name == deployment).unwrap();
    let mut revisions: Vec<_> = all
        .revisions
        .into_iter()
        .filter(|(controller, _)| controller.as_ref() == Some(&workload.object))
        .map(|(_, revision)| revision)
        .collect();
    revisions.sort_by_key(|r| std::cmp::Reverse(r.revision));
    let own = |p: &Pod| revisions.iter().any(|r| Some(&r.object) == p.controller.as_ref());
    let pods: Vec<Pod> = recorded(pods).pods.into_iter().filter(own).collect();
    assert!(!pods.is_empty());
    Snapshot {
        at: "2026-11-21T02:28:50Z".parse().unwrap(),
        target: pods[0].object.clone(),
        owner: RootOwner(workload.object.clone()),
        pod: Ok(Some(pods[0].clone())),
        pods: Ok(pods),
        workload: Ok(Some(workload)),
        revisions: Ok(revisions),
        events: Ok(recorded("events").events),
        usage: Err("there is no metrics server".into()),
        ..healthy()
    }
}

fn of(deployment: &str, pods: &str) -> Diagnosis {
    diagnose(&snapshot(deployment, pods), &labels("KubePodCrashLooping"), &Templates::default())
}

#[test]
fn the_recorded_clusters_are_diagnosed() {
    for (deployment, pods, expected, acts) in [
        ("hog", "pods-oomkilled", vec![("OOMKilled", Certain)], 1),
        ("crash", "pods-crashloop", vec![("CrashLoop", Certain)], 1),
        ("web", "pods-web-errimageneverpull", vec![("ImagePull", Certain), ("FailedRollout", Likely)], 2),
    ] {
        let diagnosis = of(deployment, pods);
        let found: Vec<_> = diagnosis.findings.iter().map(|f| (f.cause.name(), f.certainty)).collect();
        assert_eq!(found, expected, "{deployment}");
        assert_eq!(diagnosis.candidates.len(), acts, "{deployment}");
        assert_eq!(diagnosis.missing, ["its measured use could not be read: there is no metrics server"]);
    }
}

#[test]
fn the_killed_pod_itself_is_the_candidate() {
    let diagnosis = of("hog", "pods-oomkilled");
    let candidate = &diagnosis.candidates[0];
    assert_eq!(candidate.action.target().named.name, "hog-754484cd64-r2mzn");
    assert_eq!(candidate.action.target().uid, "3707a67e-6161-4680-8fd9-f7755c314781");
    assert_eq!(candidate.cause, "OOMKilled");
}
