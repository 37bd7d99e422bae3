//! What is like what, how much is kept, and that a later note takes an earlier one's place.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::alert::AlertStatus;
use crate::domain::finding::{Cause, Certainty};
use crate::domain::ids::{Cluster, Fingerprint};
use crate::domain::past::Did;
use crate::domain::target::{Kind, Named, Object};

fn owner(cluster: &str, name: &str) -> RootOwner {
    let cluster = Cluster::new(cluster);
    let named =
        Named { cluster, kind: Kind::Deployment, namespace: "shop".to_owned(), name: name.to_owned() };
    RootOwner(Object { named, uid: format!("uid-{name}") })
}

fn alert(name: &str, summary: &str) -> Alert {
    Alert {
        fingerprint: Fingerprint::new("f"),
        status: AlertStatus::Firing,
        labels: [("alertname", name), ("namespace", "shop"), ("severity", "warning"), ("pod", "web-1")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        annotations: [("summary".to_owned(), summary.to_owned())].into(),
        starts_at: Timestamp::UNIX_EPOCH,
        ends_at: None,
        generator_url: String::new(),
    }
}

fn finding(owner: &RootOwner) -> Finding {
    Finding {
        cause: Cause::NothingWrong,
        subject: owner.0.clone(),
        certainty: Certainty::Certain,
        summary: String::new(),
        evidence: vec![],
        rules_out: vec![],
        suggests: vec![],
    }
}

fn note(n: usize, owner: RootOwner, name: &str, summary: &str) -> IncidentNote {
    let alert = alert(name, summary);
    IncidentNote {
        incident: IncidentId::new(format!("past{n}")),
        cluster: owner.0.named.cluster.clone(),
        alert: name.to_owned(),
        causes: vec![CauseWord::NothingWrong],
        labels: labels(&alert),
        text: text(&alert, &[]),
        owner: Some(owner),
        opened_at: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::try_from(n).unwrap()),
        outcome: None,
        false_alarm: false,
        escalated: false,
        did: vec![],
    }
}

fn did(became: Became, reverted: bool) -> Did {
    Did { action: ActionKind::RestartPod, became, reverted }
}

#[test]
fn owner_before_signature_before_text() {
    let mut recall = Recall::default();
    recall.take(note(1, owner("eu", "cart"), "Other", "checkout queue grows, consumers lag"));
    recall.take(note(2, owner("us", "web"), "Slow", "nothing alike in here"));
    recall.take(note(3, owner("eu", "web"), "Slow", "whatever"));
    recall.take(note(4, owner("eu", "web"), "Elsewhere", "a disk is full"));
    let (here, alert) = (owner("eu", "web"), alert("Slow", "checkout queue grows, consumers lag"));
    let findings = [finding(&here)];
    let me = IncidentId::new("me");
    let ask = Ask { incident: &me, alert: &alert, owner: &here, findings: &findings };
    let found: Vec<_> =
        recall.similar(&ask).into_iter().map(|(how, n)| (how, n.incident.to_string())).collect();
    let expected = [(How::SameOwner, "past3"), (How::SameSignature, "past2"), (How::AlikeText, "past1")];
    assert_eq!(found, expected.map(|(how, id)| (how, id.to_owned())));
    let itself = IncidentId::new("past3");
    assert!(recall.similar(&Ask { incident: &itself, ..ask }).iter().all(|(how, _)| *how != How::SameOwner));
}

#[test]
fn people_hear_how_often_and_what_helped() {
    let mut recall = Recall::default();
    let acts = [did(Became::Helped, false), did(Became::Helped, false), did(Became::Ineffective, false)];
    for (n, act) in acts.into_iter().enumerate() {
        recall.take(IncidentNote { did: vec![act], ..note(n, owner("eu", "web"), "Slow", "x") });
    }
    let (here, alert, me) = (owner("eu", "web"), alert("Slow", "x"), IncidentId::new("me"));
    let ask = Ask { incident: &me, alert: &alert, owner: &here, findings: &[] };
    let says = recall.point(&ask).says;
    assert_eq!(
        says,
        [
            "this alert was seen 3 times before on this owner, last at 1970-01-01 00:02 UTC",
            "`restart_pod` was done 3 times, helped 2 of them",
            "mind: the last time `restart_pod` did not help",
        ]
    );
    assert_eq!(Recall::default().point(&ask).says, ["nothing like it is remembered"]);
}

#[test]
fn a_later_note_takes_the_place_and_only_the_newest_are_kept() {
    let mut recall = Recall::default();
    for n in 0..KEPT + 5 {
        recall.take(note(n, owner("eu", "web"), "Slow", "x"));
    }
    recall.take(IncidentNote {
        did: vec![did(Became::Helped, true)],
        ..note(10, owner("eu", "web"), "Slow", "x")
    });
    assert_eq!(recall.notes.len(), KEPT);
    assert!(recall.of(&IncidentId::new("past4")).is_none());
    assert!(recall.of(&IncidentId::new("past10")).unwrap().did[0].reverted);
}

/// What happened in another namespace or cluster is for people: no model is told of it.
#[test]
fn what_was_elsewhere_stands_apart() {
    let mut recall = Recall::default();
    recall.take(note(1, owner("eu", "cart"), "Other", "checkout queue grows, consumers lag"));
    recall.take(note(2, owner("us", "web"), "Slow", "nothing alike in here"));
    let (here, alert) = (owner("eu", "web"), alert("Slow", "checkout queue grows, consumers lag"));
    let (findings, me) = ([finding(&here)], IncidentId::new("me"));
    let point = recall.point(&Ask { incident: &me, alert: &alert, owner: &here, findings: &findings });
    assert!(matches!(&point.says[..], [said] if said.contains("past1")), "{point:?}");
    assert!(matches!(&point.elsewhere[..], [said] if said.contains("past2")), "{point:?}");
}
