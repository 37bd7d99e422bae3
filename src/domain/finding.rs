//! What diagnosis concluded: typed, with the evidence it rests on and what it rules out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::ActionKind;
use super::cause::CauseWord;
use super::gauge::Gauge;
use super::ids::EvidenceId;
use super::surroundings::{ClaimPhase, Reference};
use super::target::Object;

/// The causes that the analysers find today, with what they found. Policies match on `name()`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// A container was killed at its memory limit.
    OomKilled {
        /// Which container.
        container: String,
        /// Its limit as written (`256Mi`), where it has one.
        limit: Option<String>,
        /// How often its container restarted.
        restarts: u32,
    },
    /// A container ends again and again.
    CrashLoop {
        /// Which container.
        container: String,
        /// How it ended last.
        exit_code: i32,
        /// How often it restarted.
        restarts: u32,
    },
    /// An image cannot be had.
    ImagePull {
        /// Which container.
        container: String,
        /// The image as written.
        image: String,
        /// What the kubelet says stands in the way.
        #[serde(default, skip_serializing_if = "PullTrouble::is_unsaid")]
        trouble: PullTrouble,
    },
    /// A new template does not become available while the old one still serves, or not.
    FailedRollout {
        /// The revision that does not come up.
        revision: u64,
        /// Pods of the revision before that still serve.
        old_ready: u32,
    },
    /// All ready pods of the workload are at their limit of CPU.
    Saturation {
        /// Mean usage ÷ limit over the ready pods, in percent.
        percent: u32,
        /// Ready pods it was measured on.
        pods: u32,
    },
    /// No analyser finds a cause, and a job is declared for the alert.
    DeclaredJob,
    /// A ConfigMap or Service was changed, and then it failed.
    ConfigChanged {
        /// Which one.
        config: Object,
        /// The recorded version before the change.
        version: u64,
        /// When it was changed.
        at: Timestamp,
    },
    /// Its replicas were set to zero.
    ScaledToZero {
        /// How many there were before.
        before: u32,
        /// When.
        at: Timestamp,
    },
    /// What the alert speaks of is no longer so.
    NothingWrong,

    // ---- shown by measurements ----
    /// A measurement shows it.
    Measured {
        /// What.
        word: CauseWord,
        /// Which measurement.
        gauge: Gauge,
        /// About what: a pod, a claim, a certificate.
        about: String,
        /// The value, in thousandths.
        milli: i64,
    },

    // ---- told by text, and so never a reason to act ----
    /// A log says so. It never has a candidate, and never is certain.
    Logged {
        /// What the lines speak of.
        word: CauseWord,
        /// Which of the known signs: `port in use`.
        sign: String,
        /// In the log of which pod.
        pod: String,
        /// Of which container.
        container: String,
        /// How many lines.
        lines: u32,
    },

    // ---- what the state of the cluster shows ----
    /// Its memory grows for hours until it is killed, again and again.
    MemoryLeak {
        /// Which container.
        container: String,
        /// Its limit as written, where it has one.
        limit: Option<String>,
        /// How often it restarted.
        restarts: u32,
        /// How long its last instance lived, in minutes.
        lived_minutes: i64,
    },
    /// Its memory limit is below what it needs from the start.
    MemoryLimitTooLow {
        /// Which container.
        container: String,
        /// Its limit as written.
        limit: String,
        /// How often it restarted.
        restarts: u32,
    },
    /// A Secret that its image is pulled with is missing, or no longer good.
    PullSecretMissing {
        /// Which container.
        container: String,
        /// The Secrets that are known not to be there.
        secrets: Vec<String>,
    },
    /// A container runs and does not answer its probe.
    FailingProbe {
        /// Which container.
        container: String,
        /// It was ready before.
        served: bool,
        /// Ready pods of the owner.
        ready: u32,
    },
    /// What a pod refers to is not there.
    MissingConfig {
        /// The container that cannot be made, where one says so.
        container: Option<String>,
        /// What is known not to be there.
        missing: Vec<Reference>,
    },
    /// A Secret changed after pods that hold it had started.
    SecretRotated {
        /// Its name.
        secret: String,
        /// When it changed.
        at: Timestamp,
        /// Pods that started before.
        pods: u32,
    },
    /// A quota leaves no room.
    QuotaExhausted {
        /// Its name.
        quota: String,
        /// Of what.
        resource: String,
        /// What is used, as written.
        used: String,
        /// What there may be, as written.
        hard: String,
    },
    /// No node takes its pods.
    Unschedulable {
        /// How many of its pods wait.
        pods: u32,
        /// How many nodes do not take them, by why; none where the nodes could not be read.
        nodes: BTreeMap<NodeRefuses, u32>,
    },
    /// A node is not ready or cannot be reached.
    NodeNotReady {
        /// Its name.
        node: String,
        /// Pods of the owner on it that are not ready.
        pods: u32,
    },
    /// A node is short of something.
    NodePressure {
        /// Its name.
        node: String,
        /// `MemoryPressure`, `DiskPressure` or `PIDPressure`.
        pressure: String,
    },
    /// An autoscaler stands at its upper bound and wants more.
    AutoscalerAtCeiling {
        /// Its name.
        autoscaler: String,
        /// The bound.
        max: u32,
    },
    /// A disruption budget allows nothing, and a drain waits for it.
    BudgetDeadlock {
        /// Its name.
        budget: String,
        /// The cordoned node.
        node: String,
    },
    /// A volume claim is not bound.
    VolumePending {
        /// Its name.
        claim: String,
        /// How it is.
        phase: ClaimPhase,
        /// The storage class that it names and that there is not.
        no_class: Option<String>,
    },
    /// A Job failed for good.
    JobFailed {
        /// Its name.
        job: String,
        /// The reason of its condition.
        reason: String,
    },
    /// A Job runs far longer than it did before.
    JobStuck {
        /// Its name.
        job: String,
        /// For how long, in minutes.
        minutes: i64,
    },
    /// Network policies let no traffic through.
    NetworkPolicyBlocks {
        /// Their names.
        policies: Vec<String>,
        /// What is blocked.
        way: Blocked,
    },
    /// A certificate is about to expire, or has.
    CertificateExpiring {
        /// Its name.
        certificate: String,
        /// Until when it is good.
        not_after: Timestamp,
    },
}

/// What stands between a pod and its image, in the kubelet's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullTrouble {
    /// It does not say.
    #[default]
    Unsaid,
    /// The registry knows no such image or tag.
    NotFound,
    /// The registry wants another credential.
    Denied,
    /// The registry does not answer.
    Unreachable,
    /// The name is none of an image.
    BadName,
    /// It may not be pulled, and is not on the node.
    NeverPulled,
}

impl PullTrouble {
    /// It does not say.
    pub const fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }

    /// After "the image … cannot be had".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unsaid => "",
            Self::NotFound => ": the registry knows no such image or tag",
            Self::Denied => ": the registry wants another credential",
            Self::Unreachable => ": the registry does not answer",
            Self::BadName => ": that is no name of an image",
            Self::NeverPulled => ": it may not be pulled, and is not on the node",
        }
    }
}

/// Why a node does not take a pod: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRefuses {
    /// It is not one that the pod's selector or affinity names.
    Selector,
    /// It has a taint that the pod does not tolerate.
    Taint,
    /// It is not ready, or short of something.
    Unwell,
    /// It is cordoned.
    Cordoned,
    /// The pod asks for more than the whole node has.
    TooLarge,
    /// It would take the pod, was it not for what is on it: other pods, or rules about them.
    Full,
}

impl NodeRefuses {
    /// `3 nodes …`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Selector => "not named by its selector or affinity",
            Self::Taint => "with a taint that it does not tolerate",
            Self::Unwell => "not well",
            Self::Cordoned => "cordoned",
            Self::TooLarge => "smaller than what it asks for",
            Self::Full => "without enough room left",
        }
    }
}

/// What network policies block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    /// All that comes in.
    Ingress,
    /// All that goes out.
    Egress,
    /// The resolution of names.
    Dns,
}

impl Cause {
    /// Whether text says so, and nothing that the API server states or a measurement shows.
    pub const fn is_told(&self) -> bool {
        matches!(self, Self::Logged { .. })
    }

    /// The name that policies and people use.
    pub const fn name(&self) -> &'static str {
        self.word().name()
    }

    /// Its word in the vocabulary.
    pub const fn word(&self) -> CauseWord {
        match self {
            Self::OomKilled { .. } => CauseWord::OomKilled,
            Self::CrashLoop { .. } => CauseWord::CrashLoop,
            Self::ImagePull { .. } => CauseWord::ImagePull,
            Self::FailedRollout { .. } => CauseWord::FailedRollout,
            Self::Saturation { .. } => CauseWord::Saturation,
            Self::DeclaredJob => CauseWord::DeclaredJob,
            Self::ConfigChanged { .. } => CauseWord::ConfigChanged,
            Self::ScaledToZero { .. } => CauseWord::ScaledToZero,
            Self::NothingWrong => CauseWord::NothingWrong,
            Self::Measured { word, .. } | Self::Logged { word, .. } => *word,
            Self::MemoryLeak { .. } => CauseWord::MemoryLeak,
            Self::MemoryLimitTooLow { .. } => CauseWord::MemoryLimitTooLow,
            Self::PullSecretMissing { .. } => CauseWord::PullSecretMissing,
            Self::FailingProbe { .. } => CauseWord::FailingProbe,
            Self::MissingConfig { .. } => CauseWord::MissingConfig,
            Self::SecretRotated { .. } => CauseWord::SecretRotated,
            Self::QuotaExhausted { .. } => CauseWord::QuotaExhausted,
            Self::Unschedulable { .. } => CauseWord::Unschedulable,
            Self::NodeNotReady { .. } => CauseWord::NodeNotReady,
            Self::NodePressure { .. } => CauseWord::NodePressure,
            Self::AutoscalerAtCeiling { .. } => CauseWord::AutoscalerAtCeiling,
            Self::BudgetDeadlock { .. } => CauseWord::BudgetDeadlock,
            Self::VolumePending { .. } => CauseWord::VolumePending,
            Self::JobFailed { .. } => CauseWord::JobFailed,
            Self::JobStuck { .. } => CauseWord::JobStuck,
            Self::NetworkPolicyBlocks { .. } => CauseWord::NetworkPolicyBlocks,
            Self::CertificateExpiring { .. } => CauseWord::CertificateExpiring,
        }
    }

    /// The names of all causes, for the linter.
    pub const NAMES: [&str; CauseWord::ALL.len()] = CauseWord::names();
}

/// How sure an analyser is. Ordered: the later, the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// It fits, and so do other causes.
    Possible,
    /// It fits better than anything else that was looked at.
    Likely,
    /// The API server or a measurement states it.
    Certain,
}

impl Finding {
    /// Whether it goes to a person whatever else was found: what is damaged or attacked is not mended by reflex.
    /// A mere possibility does not: a stranger who can have a line logged could stop all automation with it.
    pub fn is_for_a_person(&self) -> bool {
        self.cause.word().always_a_person() && self.certainty > Certainty::Possible
    }
}

/// One conclusion about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    #[serde(flatten)]
    pub cause: Cause,
    /// The object it is about.
    pub subject: Object,
    /// How sure.
    pub certainty: Certainty,
    /// One sentence for people.
    pub summary: String,
    /// What it rests on.
    pub evidence: Vec<EvidenceId>,
    /// What was considered and is not so, one short sentence each.
    pub rules_out: Vec<String>,
    /// Actions that make sense; policy decides whether any is taken.
    pub suggests: Vec<ActionKind>,
}
