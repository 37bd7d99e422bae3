//! Which jobs are candidates: by the alert's labels and what it is about, behind the analysers' own, and never
//! more than three in all.

use belay::diagnose::diagnose;
use belay::domain::action::job::Templates;
use belay::domain::action::{Action, ActionKind};
use belay::domain::cluster::Snapshot;
use belay::domain::finding::Cause;
use belay::domain::record::Conclusion;
use belay::domain::target::{Kind, RootOwner};
use belay::investigate::playbook;

use super::{OFF, REQUEUE, labels, read, templates};
use crate::diagnose::{ago, ended, healthy, running, with_end};
use crate::hands::world::object;

#[test]
fn labels_and_the_name_of_what_it_is_about_become_parameters_and_nothing_else_does() {
    let (pod, web) = (object(Kind::Pod, "web-7f4b9-x", "u-pod"), object(Kind::Deployment, "web", "u-web"));
    let offers = |pairs: &[(&str, &str)]| templates().offers(&labels(pairs), &pod, &RootOwner(web.clone()));
    let found = offers(&[("alertname", "DeadLettersPilingUp"), ("queue", "orders"), ("most", "9")]);
    let [Action::RunJob { about, template, parameters, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (about, template.as_str()),
        (&web, "requeue-dead-letters"),
        "the owner is of a kind it is about"
    );
    assert_eq!(*parameters, labels(&[("queue", "orders"), ("consumer", "web"), ("most", "1000")]));
    for wrong in [
        &[("alertname", "DeadLettersPilingUp")][..],
        &[("alertname", "DeadLettersPilingUp"), ("queue", "")],
        &[("alertname", "DeadLettersPilingUp"), ("queue", "orders; rm -rf /")],
        &[("alertname", "DeadLettersPilingUp"), ("queue", "Orders")],
        &[("alertname", "Other"), ("queue", "orders")],
        &[("queue", "orders")],
    ] {
        assert_eq!(offers(wrong), [], "{wrong:?}");
    }
    let node = object(Kind::Node, "node-a", "u-node");
    let alert = labels(&[("alertname", "DeadLettersPilingUp"), ("queue", "orders")]);
    assert_eq!(templates().offers(&alert, &node, &RootOwner(node.clone())), []);
}

fn jobs_for(alert: &str, how_many: usize) -> Templates {
    let one = |i: usize| {
        OFF.replace("alertname=\"RecommendationsSlow\"", &format!("alertname=\"{alert}\""))
            .replace("recommendations-off", &format!("job-{i}"))
    };
    let texts: Vec<String> = (0..how_many).map(one).collect();
    read(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
}

fn kinds(snapshot: &Snapshot, alert: &str, jobs: &Templates) -> Vec<ActionKind> {
    let found = diagnose(snapshot, &labels(&[("alertname", alert)]), jobs);
    found.candidates.iter().map(|candidate| candidate.action.kind()).collect()
}

fn oom() -> Snapshot {
    with_end(ended("OOMKilled", 137, Some(ago(2))), &running(), 2)
}

#[test]
fn they_stand_behind_what_the_analysers_suggest_and_three_is_the_most() {
    let jobs = jobs_for("KubePodCrashLooping", 4);
    let all = kinds(&oom(), "KubePodCrashLooping", &jobs);
    assert_eq!(all, [ActionKind::RestartPod, ActionKind::RunJob, ActionKind::RunJob]);
    assert_eq!(kinds(&oom(), "KubePodCrashLooping", &Templates::default()), [ActionKind::RestartPod]);
    let found = diagnose(&oom(), &labels(&[("alertname", "KubePodCrashLooping")]), &jobs);
    assert!(found.candidates.iter().all(|candidate| candidate.cause == "OOMKilled"));
}

#[test]
fn where_nothing_is_found_a_declared_job_is_the_one_candidate_and_is_called_that() {
    let found = diagnose(&healthy(), &labels(&[("alertname", "RecommendationsSlow")]), &templates());
    let [finding] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!(finding.cause, Cause::DeclaredJob);
    assert!(finding.summary.contains("no cause that belay knows"), "{}", finding.summary);
    let [candidate] = found.candidates.as_slice() else { panic!("{:?}", found.candidates) };
    assert_eq!(candidate.cause, "DeclaredJob");
    let chosen = playbook(&found, "no model").conclusion;
    assert!(matches!(chosen, Conclusion::Choose { candidate: id, .. } if id == candidate.id));
    // where the alert's condition is seen to be gone, nothing is offered
    let jobs = jobs_for("CPUSaturation", 1);
    assert_eq!(kinds(&healthy(), "CPUSaturation", &jobs), []);
}

#[test]
fn another_text_is_another_template() {
    let hash = |text: &str| read(&[text]).unwrap().iter().next().unwrap().hash().unwrap();
    assert_eq!(hash(REQUEUE), hash(&format!("{REQUEUE}\n# a remark\n")));
    assert_ne!(hash(REQUEUE), hash(&REQUEUE.replace("queue-tools:4.2", "queue-tools:4.3")));
}
