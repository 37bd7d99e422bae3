//! What belay can see, and what it would decide blindly: sources, their grade, and what a grade asks of a level.
//! Pure: whoever asks the sources brings the facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What a source shows. In the order in which it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sense {
    /// The objects of the cluster.
    Cluster,
    /// Which alerts fire.
    Alerts,
    /// Measured values.
    Metrics,
    /// What programs write.
    Logs,
    /// What was deployed.
    Deploys,
    /// What people wrote down for such a case.
    Runbooks,
    /// What requests went through.
    Traces,
    /// What calls what.
    Map,
    /// Who is on call.
    OnCall,
}

impl Sense {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Alerts,
        Self::Metrics,
        Self::Logs,
        Self::Deploys,
        Self::Runbooks,
        Self::Traces,
        Self::Map,
        Self::OnCall,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Alerts => "alerts",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Deploys => "deploys",
            Self::Runbooks => "runbooks",
            Self::Traces => "traces",
            Self::Map => "map",
            Self::OnCall => "on_call",
        }
    }

    /// What is decided blindly without it.
    pub const fn blind_to(self) -> &'static str {
        match self {
            Self::Cluster => {
                "everything: no object can be read, so nothing is diagnosed and nothing is verified"
            }
            Self::Alerts => {
                "whether an alert is over: an act is verified by the workload's state alone, and an alert that ended \
                 unseen is noticed late"
            }
            Self::Metrics => {
                "latency, error rates, throttling and leaks: only what Kubernetes itself reports is a cause"
            }
            Self::Logs => "what programs say: a cause that stands only in a log is not found",
            Self::Deploys => "who changed what: a change outside the cluster's own history is not seen",
            Self::Runbooks => "what your people already know about an alert",
            Self::Traces => "which call of a request fails or is slow",
            Self::Map => "what stands behind a service: a cause elsewhere looks like one here",
            Self::OnCall => "who is on call: an escalation goes to a channel and not to a person",
        }
    }
}

/// How well belay sees, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "grades as in school")]
pub enum Grade {
    A,
    B,
    C,
    D,
    F,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::F => "F",
        })
    }
}

/// The grade of what is seen. Each grade has all senses of the one below it:
/// D the cluster; C the alerts besides, so that what was done can be verified; B metrics and logs, so that causes are
/// measured; A deploys and runbooks, so that what changed and what people know counts.
pub fn grade(seen: &BTreeSet<Sense>) -> Grade {
    let has = |all: &[Sense]| all.iter().all(|sense| seen.contains(sense));
    if !has(&[Sense::Cluster]) {
        Grade::F
    } else if !has(&[Sense::Alerts]) {
        Grade::D
    } else if !has(&[Sense::Metrics, Sense::Logs]) {
        Grade::C
    } else if !has(&[Sense::Deploys, Sense::Runbooks]) {
        Grade::B
    } else {
        Grade::A
    }
}

/// What the next better grade lacks, in the order in which it is missed; empty at A.
pub fn lacking(seen: &BTreeSet<Sense>) -> Vec<Sense> {
    let now = grade(seen);
    let mut with = seen.clone();
    let mut lacking = Vec::new();
    for sense in Sense::ALL {
        if grade(&with) < now {
            break;
        }
        if with.insert(sense) {
            lacking.push(sense);
        }
    }
    if grade(&with) < now { lacking } else { Vec::new() }
}

/// A source that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// What it shows.
    pub sense: Sense,
    /// What it is, as in `Prometheus`.
    pub name: String,
    /// The key of the configuration that names it.
    pub key: String,
    /// What it answered.
    pub answer: Answer,
    /// Rights that its account lacks.
    pub too_little: Vec<String>,
    /// Rights that its account has and that are not needed.
    pub too_much: Vec<String>,
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It can be used.
    Usable {
        /// Its version, where it says.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// How far back it keeps what it has, where it says.
        #[serde(skip_serializing_if = "Option::is_none")]
        retention: Option<String>,
        /// How long it took to answer.
        took: SignedDuration,
    },
    /// It cannot.
    Unusable {
        /// Why.
        why: String,
    },
    /// It is there and is not asked: asking would call somebody.
    Untried,
}

impl Source {
    /// Whether it shows what it is there for.
    pub const fn is_seen(&self) -> bool {
        match self.answer {
            Answer::Usable { .. } | Answer::Untried => true,
            Answer::Unusable { .. } => false,
        }
    }
}

/// An alert that does not say what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Vague {
    /// Its name.
    pub alert: String,
    /// What its labels lack: `namespace`, `workload`.
    pub lacks: BTreeSet<&'static str>,
}

/// A service that something is not seen of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dark {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// What is not seen.
    pub lacks: BTreeSet<Sense>,
}

/// What was found for one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// The cluster.
    pub cluster: String,
    /// How well it is seen.
    pub grade: Grade,
    /// What is decided blindly, one sentence for each sense that is not there.
    pub blind_to: BTreeMap<Sense, &'static str>,
    /// What the next better grade lacks.
    pub lacking: Vec<Sense>,
    /// Each source.
    pub sources: Vec<Source>,
    /// Alerts that do not say what they are about.
    pub vague_alerts: Vec<Vague>,
    /// Services that something is not seen of.
    pub dark_services: Vec<Dark>,
    /// What could not be looked at, one sentence each.
    pub not_read: Vec<String>,
}

impl Sight {
    /// The sight of a cluster with these sources.
    pub fn of(cluster: &str, sources: Vec<Source>) -> Self {
        let seen: BTreeSet<Sense> = sources.iter().filter(|s| s.is_seen()).map(|s| s.sense).collect();
        let unseen = Sense::ALL.into_iter().filter(|sense| !seen.contains(sense));
        Self {
            cluster: cluster.to_owned(),
            grade: grade(&seen),
            blind_to: unseen.map(|sense| (sense, sense.blind_to())).collect(),
            lacking: lacking(&seen),
            sources,
            vague_alerts: Vec::new(),
            dark_services: Vec::new(),
            not_read: Vec::new(),
        }
    }
}

/// What was found. Its JSON is described in `docs/doctor.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkup {
    /// The version of this shape.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// The worst grade of any cluster.
    pub grade: Grade,
    /// The grade that acting above level 1 asks for.
    pub minimum: Grade,
    /// Each cluster.
    pub clusters: Vec<Sight>,
    /// What is there for all clusters: models, channels, servers of others.
    pub others: Vec<Other>,
}

/// Something that decisions are made or told with, and that is not looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Other {
    /// What it is.
    pub name: String,
    /// The key of the configuration that names it.
    pub key: String,
    /// What it answered.
    pub answer: Answer,
}

impl Checkup {
    /// Whether something that is configured cannot be used, or the minimum is not reached.
    pub fn is_bad(&self) -> bool {
        let broken = |answer: &Answer| matches!(answer, Answer::Unusable { .. });
        self.grade > self.minimum
            || self.others.iter().any(|other| broken(&other.answer))
            || self
                .clusters
                .iter()
                .flat_map(|c| &c.sources)
                .any(|s| broken(&s.answer) || !s.too_little.is_empty() || !s.too_much.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(senses: &[Sense]) -> BTreeSet<Sense> {
        senses.iter().copied().collect()
    }

    #[test]
    fn each_grade_asks_for_what_the_one_below_has_and_more() {
        use Sense::{Alerts, Cluster, Deploys, Logs, Metrics, Runbooks};
        let steps = [
            (seen(&[]), Grade::F),
            (seen(&[Cluster]), Grade::D),
            (seen(&[Cluster, Alerts]), Grade::C),
            (seen(&[Cluster, Alerts, Metrics]), Grade::C),
            (seen(&[Cluster, Alerts, Metrics, Logs]), Grade::B),
            (seen(&[Cluster, Alerts, Metrics, Logs, Deploys, Runbooks]), Grade::A),
            (seen(&[Alerts, Metrics, Logs, Deploys, Runbooks]), Grade::F),
            (seen(&[Cluster, Metrics, Logs, Deploys, Runbooks]), Grade::D),
        ];
        for (seen, expected) in steps {
            assert_eq!(grade(&seen), expected, "{seen:?}");
        }
    }

    #[test]
    fn what_is_lacking_leads_to_a_better_grade() {
        assert_eq!(lacking(&seen(&[])), [Sense::Cluster]);
        assert_eq!(lacking(&seen(&[Sense::Cluster, Sense::Alerts])), [Sense::Metrics, Sense::Logs]);
        assert_eq!(lacking(&seen(&Sense::ALL)), []);
    }

    proptest! {
        /// To see more never makes the grade worse, and what is said to be lacking makes it better.
        #[test]
        fn prop_seeing_more_is_never_worse(mask in 0_u16..512, more in 0_usize..9) {
            let has: BTreeSet<Sense> =
                Sense::ALL.into_iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, s)| s).collect();
            let mut wider = has.clone();
            wider.insert(Sense::ALL[more]);
            prop_assert!(grade(&wider) <= grade(&has));
            let lacking = lacking(&has);
            prop_assert_eq!(lacking.is_empty(), grade(&has) == Grade::A);
            if !lacking.is_empty() {
                let then: BTreeSet<Sense> = has.iter().chain(&lacking).copied().collect();
                prop_assert!(grade(&then) < grade(&has));
            }
        }
    }
}
