//! What diagnosis concluded: typed, with the evidence it rests on and what it rules out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::action::ActionKind;
use super::cause::CauseWord;
use super::gauge::Gauge;
use super::ids::EvidenceId;
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
