//! A golden input's YAML as the question that it asks.

use jiff::{SignedDuration, Timestamp};

use super::super::facts;
use super::super::raw::{Node, Pos, Yaml};
use super::super::reader::{Fields, Reader};
use super::super::set::PolicySet;
use super::past::history;
use crate::domain::action::{Action, Risk};
use crate::domain::alert::{Labels, Severity};
use crate::domain::decision::{
    AlertFacts, Asked, ClusterFacts, Fact, FindingFacts, Heartbeat, HistoryFacts, IncidentFacts, OwnerFacts,
    Question, TargetFacts,
};
use crate::domain::finding::{Cause, Certainty};
use crate::domain::ids::{Cluster, IncidentId};
use crate::domain::plan::{BlastRadius, Direction, FieldChange, Plan, Preconditions, Undo};
use crate::domain::target::{Kind, Named, Object, RootOwner};

/// Reads the sections of a golden input one by one.
struct Golden<'r, 'f> {
    reader: &'r mut Reader<'f>,
    now: Timestamp,
}

const SECTIONS: [&str; 14] = [
    "apiVersion",
    "kind",
    "description",
    "asked",
    "incident",
    "action",
    "chosen_by_model",
    "alert",
    "finding",
    "target",
    "owner",
    "history",
    "cluster",
    "plan",
];

pub(in super::super) fn question(reader: &mut Reader<'_>, set: &PolicySet, node: &Node) -> Option<Question> {
    let mut known = SECTIONS.to_vec();
    known.push("now");
    let root = reader.fields(node, "a golden input", &known, &["approval", "undoes"])?;
    let now = root.need(reader, "now").and_then(|node| reader.moment(node))?;
    let mut golden = Golden { reader, now };
    let target = root.need(golden.reader, "target")?;
    let target = golden.target(target)?;
    let owner = root.need(golden.reader, "owner")?;
    let owner = golden.owner(owner, &target.object)?;
    let action = root.need(golden.reader, "action")?;
    let action = super::action::action(golden.reader, action, &target.object)?;
    let alert = root.need(golden.reader, "alert")?;
    let alert = golden.alert(alert)?;
    let incident_facts = golden.incident(root.get("incident"), alert.severity)?;
    let finding = root.need(golden.reader, "finding")?;
    let finding = golden.finding(finding)?;
    let asked = [("candidate", Asked::Candidate), ("plan", Asked::Plan), ("write", Asked::Write)];
    let asked = match root.get("asked") {
        Some(node) => golden.reader.word(node, "one of the three times", &asked)?,
        None => Asked::Candidate,
    };
    let chosen_by_model = golden.boolean(root.get("chosen_by_model"), true);
    let cluster = golden.cluster(root.get("cluster"), &alert)?;
    let plan = match root.get("plan") {
        Some(node) => Some(golden.plan(node, &action, &owner)?),
        None => None,
    };
    let mut question = Question {
        asked,
        incident: IncidentId::new("g01den00"),
        action,
        plan,
        chosen_by_model,
        outside: false,
        alert,
        incident_facts,
        finding,
        target,
        owner,
        history: HistoryFacts::default(),
        cluster,
        approval: None,
        people: std::collections::BTreeMap::new(),
        undoes: None,
        now,
    };
    question.history = history(reader, set, &question, root.get("history"))?;
    Some(question)
}

impl<'f> Golden<'_, 'f> {
    fn boolean(&mut self, node: Option<&Node>, otherwise: bool) -> bool {
        node.and_then(|node| self.reader.boolean(node)).unwrap_or(otherwise)
    }

    fn number(&mut self, node: Option<&Node>, otherwise: u32) -> u32 {
        node.and_then(|node| self.reader.count(node, 0..=u32::MAX)).unwrap_or(otherwise)
    }

    /// A fact: its value, `unknown`, or `not_applicable`. A fact that is left out is unknown.
    fn fact<T>(
        &mut self,
        node: Option<&Node>,
        read: impl FnOnce(&mut Reader<'f>, &Node) -> Option<T>,
    ) -> Fact<T> {
        let unknown = || Fact::Unknown("the golden input does not say".to_owned());
        match node.map(|node| (node, node.value.scalar())) {
            None => unknown(),
            Some((_, Some(text))) if text == "unknown" => unknown(),
            Some((_, Some(text))) if text == "not_applicable" => Fact::NotApplicable,
            Some((node, _)) => read(self.reader, node).map_or_else(unknown, Fact::Known),
        }
    }

    fn count(&mut self, fields: &Fields<'_>, key: &str) -> Fact<u32> {
        self.fact(fields.get(key), |reader, node| reader.count(node, 0..=u32::MAX))
    }

    fn minutes(&mut self, fields: &Fields<'_>, key: &str) -> Fact<i64> {
        match self.count(fields, key) {
            Fact::Known(n) => Fact::Known(n.into()),
            Fact::Unknown(why) => Fact::Unknown(why),
            Fact::NotApplicable => Fact::NotApplicable,
        }
    }

    fn flag(&mut self, fields: &Fields<'_>, key: &str) -> Fact<bool> {
        self.fact(fields.get(key), Reader::boolean)
    }

    fn target(&mut self, node: &Node) -> Option<TargetFacts> {
        let known = [
            "cluster",
            "namespace",
            "kind",
            "name",
            "uid",
            "labels",
            "annotations",
            "grounded",
            "named_by_alert",
            "lookalikes",
        ];
        let fields = self.reader.fields(node, "target", &known, &[])?;
        let mut text = |key: &str| fields.need(self.reader, key).and_then(|node| self.reader.text(node));
        let (cluster, kind, name) = (text("cluster")?, text("kind")?, text("name")?);
        // a node is in no namespace
        let namespace = match (fields.get("namespace"), Kind::from_name(&kind)) {
            (None, Kind::Node) => String::new(),
            _ => text("namespace")?,
        };
        let uid = fields
            .get("uid")
            .and_then(|node| self.reader.text(node))
            .unwrap_or_else(|| format!("uid-{name}"));
        let named = Named { cluster: Cluster::new(cluster), kind: Kind::from_name(&kind), namespace, name };
        Some(TargetFacts {
            kept: Fact::NotApplicable,
            object: Object { named, uid },
            labels: self.fact(fields.get("labels"), labels),
            annotations: self.fact(fields.get("annotations"), labels),
            grounded: self.boolean(fields.get("grounded"), false),
            named_by_alert: self.boolean(fields.get("named_by_alert"), false),
            lookalikes: self.count(&fields, "lookalikes"),
        })
    }

    fn owner(&mut self, node: &Node, target: &Object) -> Option<OwnerFacts> {
        let known = [
            "kind",
            "name",
            "uid",
            "replicas",
            "ready",
            "stateful",
            "busy",
            "gitops",
            "hpa",
            "minutes_since_rollout",
            "changed_by_person_minutes",
            "budget",
            "migration",
        ];
        let fields = self.reader.fields(node, "owner", &known, &[])?;
        let mut text = |key: &str| fields.need(self.reader, key).and_then(|node| self.reader.text(node));
        let (kind, name) = (text("kind")?, text("name")?);
        let uid = fields
            .get("uid")
            .and_then(|node| self.reader.text(node))
            .unwrap_or_else(|| format!("uid-{name}"));
        let named = Named { kind: Kind::from_name(&kind), name, ..target.named.clone() };
        let gitops = match fields.get("gitops") {
            Some(node) if matches!(node.value, Yaml::Map(_)) => {
                let gitops = self.reader.fields(node, "gitops", &["selfHeal"], &[])?;
                self.flag(&gitops, "selfHeal")
            }
            node => self.fact(node, |_, _| None),
        };
        Some(OwnerFacts {
            owner: RootOwner(Object { named, uid }),
            replicas: self.count(&fields, "replicas"),
            ready: self.count(&fields, "ready"),
            stateful: self.flag(&fields, "stateful"),
            busy: self.flag(&fields, "busy"),
            gitops_self_heal: gitops,
            hpa: self.flag(&fields, "hpa"),
            minutes_since_rollout: self.minutes(&fields, "minutes_since_rollout"),
            changed_by_person_minutes: self.minutes(&fields, "changed_by_person_minutes"),
            budget: self.count(&fields, "budget"),
            migration: self.flag(&fields, "migration"),
        })
    }

    fn alert(&mut self, node: &Node) -> Option<AlertFacts> {
        let fields =
            self.reader.fields(node, "alert", &["labels", "severity", "age_minutes", "flaps"], &[])?;
        let words = facts::SEVERITIES.map(|severity| (facts::severity(severity), severity));
        let severity = match fields.get("severity") {
            Some(node) => self.reader.word(node, "a severity", &words)?,
            None => Severity::Warning,
        };
        let age = SignedDuration::from_mins(self.number(fields.get("age_minutes"), 5).into());
        let labelled = fields.need(self.reader, "labels")?;
        Some(AlertFacts {
            labels: labels(self.reader, labelled)?,
            severity,
            starts_at: self.now.checked_sub(age).unwrap_or(self.now),
            flaps: self.number(fields.get("flaps"), 0),
        })
    }

    fn finding(&mut self, node: &Node) -> Option<FindingFacts> {
        let fields = self.reader.fields(node, "finding", &["cause", "certainty", "services"], &[])?;
        let causes = Cause::NAMES.map(|name| (name, name));
        let words = [
            ("possible", Certainty::Possible),
            ("likely", Certainty::Likely),
            ("certain", Certainty::Certain),
        ];
        let cause = fields.need(self.reader, "cause")?;
        let cause = self.reader.word(cause, "a cause", &causes)?.to_owned();
        let certainty = fields.need(self.reader, "certainty")?;
        let certainty = self.reader.word(certainty, "a certainty", &words)?;
        let services = match fields.get("services") {
            Some(_) => self.count(&fields, "services"),
            None => Fact::Known(1),
        };
        Some(FindingFacts { cause, certainty, services, beside: std::collections::BTreeSet::new() })
    }

    /// What no tool is connected for does not apply, unless the input says otherwise.
    fn incident(&mut self, node: Option<&Node>, severity: Severity) -> Option<IncidentFacts> {
        let nothing = Node { at: Pos::default(), value: Yaml::Map(Vec::new()) };
        let node = node.unwrap_or(&nothing);
        let fields =
            self.reader.fields(node, "incident", &["acknowledged_elsewhere", "severity", "flagged"], &[])?;
        let words = facts::SEVERITIES.map(|severity| (facts::severity(severity), severity));
        Some(IncidentFacts {
            acknowledged_elsewhere: self.unconnected(&fields, "acknowledged_elsewhere"),
            flagged: self.unconnected(&fields, "flagged"),
            severity: match fields.get("severity") {
                None => Fact::Known(severity),
                node => self.fact(node, |reader, node| reader.word(node, "a severity", &words)),
            },
        })
    }

    /// A fact that needs something connected; left out, nothing is.
    fn unconnected(&mut self, fields: &Fields<'_>, key: &str) -> Fact<bool> {
        match fields.get(key) {
            None => Fact::NotApplicable,
            Some(_) => self.flag(fields, key),
        }
    }

    fn cluster(&mut self, node: Option<&Node>, alert: &AlertFacts) -> Option<ClusterFacts> {
        let nothing = Node { at: Pos::default(), value: Yaml::Map(Vec::new()) };
        let known = [
            "firing_groups",
            "unhealthy_fraction",
            "actions_in_flight",
            "major_incident",
            "firing",
            "storm_minutes_ago",
            "heartbeat",
            "holds",
            "strange_intents",
        ];
        let fields = self.reader.fields(node.unwrap_or(&nothing), "cluster", &known, &[])?;
        let own = alert.labels.get("alertname").cloned();
        let storm = fields.get("storm_minutes_ago").map(|node| self.ago(Some(node)));
        Some(ClusterFacts {
            // no list of alerts is connected unless the input says what it shows
            firing_groups: match fields.get("firing_groups") {
                None => Fact::NotApplicable,
                Some(_) => self.count(&fields, "firing_groups"),
            },
            unhealthy_permille: match fields.get("unhealthy_fraction") {
                None => Fact::NotApplicable,
                node => self.fact(node, permille),
            },
            actions_in_flight: self.number(fields.get("actions_in_flight"), 0),
            major_incident: self.unconnected(&fields, "major_incident"),
            firing: match fields.get("firing") {
                None => Fact::Known(own.into_iter().collect()),
                node => self.fact(node, |reader, node| {
                    Some(reader.list(Some(node), Reader::text).into_iter().collect())
                }),
            },
            last_storm: storm,
            heartbeat: self.heartbeat(fields.get("heartbeat"))?,
            holds: self.reader.list(fields.get("holds"), Reader::text),
            strange_intents: self.boolean(fields.get("strange_intents"), false),
        })
    }

    /// The alert that always fires; left out, it was never seen.
    fn heartbeat(&mut self, node: Option<&Node>) -> Option<Fact<Heartbeat>> {
        let Some(node) = node else { return Some(Fact::NotApplicable) };
        if !matches!(node.value, Yaml::Map(_)) {
            return Some(self.fact(Some(node), |reader, node| {
                reader.fields(node, "heartbeat", &[], &[]);
                None
            }));
        }
        let fields = self.reader.fields(node, "heartbeat", &["alert", "minutes_ago"], &[])?;
        let alert = fields.need(self.reader, "alert").and_then(|node| self.reader.text(node))?;
        let last_seen = self.ago(fields.get("minutes_ago"));
        Some(Fact::Known(Heartbeat { alert, last_seen }))
    }

    /// So many minutes before now.
    fn ago(&mut self, node: Option<&Node>) -> Timestamp {
        let span = SignedDuration::from_mins(self.number(node, 0).into());
        self.now.checked_sub(span).unwrap_or(self.now)
    }

    fn plan(&mut self, node: &Node, action: &Action, owner: &OwnerFacts) -> Option<Plan> {
        let known =
            ["unavailable_after", "replica_delta", "diff_size", "budget_allows", "risk", "made_minutes_ago"];
        let fields = self.reader.fields(node, "plan", &known, &[])?;
        let risks = [Risk::Low, Risk::Medium, Risk::High];
        let words = risks.map(|risk| (facts::risk_name(risk), risk));
        let mut class = action.class();
        if let Some(node) = fields.get("risk") {
            class.risk = self.reader.word(node, "a risk", &words)?;
        }
        let budget_allows =
            fields.get("budget_allows").and_then(|node| self.reader.count(node, 0..=u32::MAX));
        let delta = fields.get("replica_delta").and_then(|node| match node.value {
            Yaml::Int(n) => Some(n),
            _ => None,
        });
        let age = SignedDuration::from_mins(self.number(fields.get("made_minutes_ago"), 0).into());
        let made_at = self.now.checked_sub(age).unwrap_or(self.now);
        Some(Plan {
            action: action.clone(),
            direction: Direction::Forward,
            owner: owner.owner.clone(),
            preconditions: Preconditions { uid: action.target().uid.clone(), generation: Some(1) },
            changes: (0..self.number(fields.get("diff_size"), 0).min(1_000)).map(change).collect(),
            blast: BlastRadius {
                desired: owner.replicas.known().copied().unwrap_or(1),
                ready: owner.ready.known().copied().unwrap_or_default(),
                unavailable_after: self.number(fields.get("unavailable_after"), 0),
                replica_delta: delta.unwrap_or_default(),
                budget_allows,
            },
            class,
            undo: Undo::Nothing { why: "a golden input is never carried out".to_owned() },
            note: None,
            proposal: None,
            made_at,
            expires_at: made_at.checked_add(SignedDuration::from_mins(15)).unwrap_or(made_at),
        })
    }
}

fn labels(reader: &mut Reader<'_>, node: &Node) -> Option<Labels> {
    let fields = reader.map(node, "labels")?;
    let mut labels = Labels::new();
    for (key, node) in fields.entries() {
        labels.insert(key.text.clone(), node.value.scalar()?);
    }
    Some(labels)
}

/// The nth of so many changes.
fn change(n: u32) -> FieldChange {
    FieldChange { path: format!("/spec/golden/{n}"), from: None, to: Some(n.to_string()) }
}

/// A fraction in thousandths.
fn permille(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let found = match node.value {
        Yaml::Int(0) => Some(0),
        Yaml::Int(1) => Some(1000),
        Yaml::Float(share) if (0.0..=1.0).contains(&share) => {
            // the nearest whole number; the range makes it fit
            (0..=1000).find(|n| (share * 1000.0 - f64::from(*n)).abs() <= 0.5)
        }
        _ => None,
    };
    if found.is_none() {
        let help = Some("a fraction from 0 to 1".to_owned());
        reader.wrong(node.at, "expected a fraction", help);
    }
    found
}
