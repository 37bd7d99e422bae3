//! A golden input's YAML as the question that it asks.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::facts;
use super::super::limits;
use super::super::raw::{Node, Pos, Yaml};
use super::super::reader::{Fields, Reader};
use super::super::set::{Per, PolicySet};
use crate::domain::action::{Action, ActionKind, Risk};
use crate::domain::alert::{Labels, Severity};
use crate::domain::decision::{
    AlertFacts, Asked, ClusterFacts, Fact, FindingFacts, HistoryFacts, OwnerFacts, Question, TargetFacts,
};
use crate::domain::finding::{Cause, Certainty};
use crate::domain::ids::{Cluster, IncidentId};
use crate::domain::plan::{BlastRadius, Direction, Plan, Preconditions, Undo};
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
    let action = golden.action(action, &target.object)?;
    let alert = root.need(golden.reader, "alert")?;
    let alert = golden.alert(alert)?;
    let finding = root.need(golden.reader, "finding")?;
    let finding = golden.finding(finding)?;
    let asked = [("candidate", Asked::Candidate), ("plan", Asked::Plan), ("write", Asked::Write)];
    let asked = match root.get("asked") {
        Some(node) => golden.reader.word(node, "one of the three times", &asked)?,
        None => Asked::Candidate,
    };
    let chosen_by_model = golden.boolean(root.get("chosen_by_model"), true);
    let cluster = golden.cluster(root.get("cluster"))?;
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
        alert,
        finding,
        target,
        owner,
        history: HistoryFacts::default(),
        cluster,
        approval: None,
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
        let (cluster, namespace, kind, name) =
            (text("cluster")?, text("namespace")?, text("kind")?, text("name")?);
        let uid = fields
            .get("uid")
            .and_then(|node| self.reader.text(node))
            .unwrap_or_else(|| format!("uid-{name}"));
        let named = Named { cluster: Cluster::new(cluster), kind: Kind::from_name(&kind), namespace, name };
        Some(TargetFacts {
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
        })
    }

    fn action(&mut self, node: &Node, target: &Object) -> Option<Action> {
        let fields = self.reader.fields(node, "action", &["kind", "replicas"], &[])?;
        let words = ActionKind::ALL.map(|kind| (kind.name(), kind));
        let kind = fields.need(self.reader, "kind")?;
        match self.reader.word(kind, "an action", &words)? {
            ActionKind::RestartPod => Some(Action::RestartPod { pod: target.clone() }),
            ActionKind::ScaleWorkload => {
                let replicas = fields.need(self.reader, "replicas")?;
                let replicas = self.reader.count(replicas, 0..=u32::MAX)?;
                Some(Action::ScaleWorkload { workload: target.clone(), replicas })
            }
        }
    }

    fn alert(&mut self, node: &Node) -> Option<AlertFacts> {
        let fields =
            self.reader.fields(node, "alert", &["labels", "severity", "age_minutes", "flaps"], &[])?;
        let severities = [Severity::Info, Severity::Warning, Severity::Critical];
        let words = severities.map(|severity| (facts::severity(severity), severity));
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
        let fields = self.reader.fields(node, "finding", &["cause", "certainty"], &[])?;
        let causes = Cause::NAMES.map(|name| (name, name));
        let words = [
            ("possible", Certainty::Possible),
            ("likely", Certainty::Likely),
            ("certain", Certainty::Certain),
        ];
        let cause = fields.need(self.reader, "cause")?;
        let cause = self.reader.word(cause, "a cause", &causes)?.to_owned();
        let certainty = fields.need(self.reader, "certainty")?;
        Some(FindingFacts { cause, certainty: self.reader.word(certainty, "a certainty", &words)? })
    }

    fn cluster(&mut self, node: Option<&Node>) -> Option<ClusterFacts> {
        let nothing = Node { at: Pos::default(), value: Yaml::Map(Vec::new()) };
        let known = ["firing_groups", "actions_in_flight", "holds", "strange_intents"];
        let fields = self.reader.fields(node.unwrap_or(&nothing), "cluster", &known, &[])?;
        Some(ClusterFacts {
            firing_groups: self.count(&fields, "firing_groups"),
            actions_in_flight: self.number(fields.get("actions_in_flight"), 0),
            holds: self.reader.list(fields.get("holds"), Reader::text),
            strange_intents: self.boolean(fields.get("strange_intents"), false),
        })
    }

    fn plan(&mut self, node: &Node, action: &Action, owner: &OwnerFacts) -> Option<Plan> {
        let known = ["unavailable_after", "replica_delta", "budget_allows", "risk", "made_minutes_ago"];
        let fields = self.reader.fields(node, "plan", &known, &[])?;
        let risks = [Risk::Low, Risk::Medium, Risk::High];
        let words = risks.map(|risk| (facts::risk_name(risk), risk));
        let mut class = action.kind().class();
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
            changes: Vec::new(),
            blast: BlastRadius {
                desired: owner.replicas.known().copied().unwrap_or(1),
                ready: owner.ready.known().copied().unwrap_or_default(),
                unavailable_after: self.number(fields.get("unavailable_after"), 0),
                replica_delta: delta.unwrap_or_default(),
                budget_allows,
            },
            class,
            undo: Undo::Nothing { why: "a golden input is never carried out".to_owned() },
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

/// Counts become moments a minute ago, one second apart, under the keys of every grant that lists the
/// action.
fn history(
    reader: &mut Reader<'_>,
    set: &PolicySet,
    question: &Question,
    node: Option<&Node>,
) -> Option<HistoryFacts> {
    let known = ["per_target", "per_grant", "per_namespace", "per_cluster", "global", "locked"];
    let mut taken = BTreeMap::new();
    let Some(node) = node else { return Some(HistoryFacts { taken }) };
    let fields = reader.fields(node, "history", &known, &[])?;
    let moments = |count: u32| -> Vec<Timestamp> {
        (0..count)
            .filter_map(|i| question.now.checked_sub(SignedDuration::from_secs(60 + i64::from(i))).ok())
            .collect()
    };
    let mut count = |key: &str| fields.get(key).and_then(|node| reader.count(node, 0..=10_000));
    let kinds = [
        ("per_target", Per::Target),
        ("per_grant", Per::Grant),
        ("per_namespace", Per::Namespace),
        ("per_cluster", Per::Cluster),
    ];
    for (name, per) in kinds {
        let Some(n) = count(name) else { continue };
        for grant in set.grants.iter().filter(|grant| grant.actions.contains(&question.action.kind())) {
            taken.insert(limits::key(per, grant, question), moments(n));
        }
    }
    if let Some(n) = count("global") {
        taken.insert("global".to_owned(), moments(n));
    }
    if fields.get("locked").and_then(|node| reader.boolean(node)).unwrap_or(false) {
        taken.insert(limits::lock(question).key, moments(1));
    }
    Some(HistoryFacts { taken })
}
