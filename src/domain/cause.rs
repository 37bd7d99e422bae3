//! The vocabulary of causes: every word that a finding, and so a policy, may use. What the analysers that
//! there are today find is `finding::Cause`; policies may name the others before an analyser does.

use serde::{Deserialize, Serialize};

/// A cause by its name, which is also how it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum CauseWord {
    /// A container was killed at its memory limit.
    OomKilled,
    /// Its memory grows for hours until it is killed, and a new start begins from below.
    MemoryLeak,
    /// Its memory limit is below what it needs from the start.
    MemoryLimitTooLow,
    /// A container ends again and again.
    CrashLoop,
    /// An image cannot be had.
    ImagePull,
    /// An image needs a credential that is missing or no longer good.
    PullSecretMissing,
    /// A container runs and does not answer its probe.
    FailingProbe,
    /// A new template does not become available.
    FailedRollout,
    /// A program refuses its configuration.
    BadConfig,
    /// A ConfigMap, a Secret or a key of one that a pod refers to is not there.
    MissingConfig,
    /// A ConfigMap or a flag changed shortly before, or drifted from what was recorded.
    ConfigChanged,
    /// A Secret changed, and running pods hold the old one.
    SecretRotated,
    /// A quota leaves no room.
    QuotaExhausted,
    /// No node takes the pod: taints, affinity or free resources.
    Unschedulable,
    /// A node is not ready or cannot be reached.
    NodeNotReady,
    /// A node is short of disk, memory or process ids.
    NodePressure,
    /// An autoscaler stands at its upper bound and wants more.
    AutoscalerAtCeiling,
    /// A disruption budget allows nothing, and something waits for it.
    BudgetDeadlock,
    /// A volume claim is not bound.
    VolumePending,
    /// A volume fills up.
    VolumeFilling,
    /// A certificate is about to expire, or has.
    CertificateExpiring,
    /// A Job failed for good.
    JobFailed,
    /// A Job runs far longer than it does otherwise.
    JobStuck,
    /// Somebody set its replicas to zero.
    ScaledToZero,
    /// All ready pods of the workload are at their limit of CPU.
    Saturation,
    /// A container is held back at its CPU limit while the node has room.
    CpuThrottling,
    /// Errors rise since a release.
    ErrorBudgetBurn,
    /// A pool of connections is used up.
    ConnectionPoolExhausted,
    /// What it depends on is down: the cause is elsewhere.
    DependencyDown,
    /// Names are not resolved.
    DnsFailure,
    /// A network policy lets no traffic through.
    NetworkPolicyBlocks,
    /// A model server does not answer.
    ModelServerDown,
    /// A GPU is gone.
    GpuLost,
    /// Data is damaged.
    DataCorruption,
    /// Something looks like an intrusion.
    SecuritySignal,
    /// No analyser finds a cause, and a job is declared for the alert.
    DeclaredJob,
    /// What the alert speaks of is no longer so.
    NothingWrong,
}

impl CauseWord {
    /// Every word.
    pub const ALL: [Self; 37] = [
        Self::OomKilled,
        Self::MemoryLeak,
        Self::MemoryLimitTooLow,
        Self::CrashLoop,
        Self::ImagePull,
        Self::PullSecretMissing,
        Self::FailingProbe,
        Self::FailedRollout,
        Self::BadConfig,
        Self::MissingConfig,
        Self::ConfigChanged,
        Self::SecretRotated,
        Self::QuotaExhausted,
        Self::Unschedulable,
        Self::NodeNotReady,
        Self::NodePressure,
        Self::AutoscalerAtCeiling,
        Self::BudgetDeadlock,
        Self::VolumePending,
        Self::VolumeFilling,
        Self::CertificateExpiring,
        Self::JobFailed,
        Self::JobStuck,
        Self::ScaledToZero,
        Self::Saturation,
        Self::CpuThrottling,
        Self::ErrorBudgetBurn,
        Self::ConnectionPoolExhausted,
        Self::DependencyDown,
        Self::DnsFailure,
        Self::NetworkPolicyBlocks,
        Self::ModelServerDown,
        Self::GpuLost,
        Self::DataCorruption,
        Self::SecuritySignal,
        Self::DeclaredJob,
        Self::NothingWrong,
    ];

    /// The name that policies and people use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OomKilled => "OOMKilled",
            Self::MemoryLeak => "MemoryLeak",
            Self::MemoryLimitTooLow => "MemoryLimitTooLow",
            Self::CrashLoop => "CrashLoop",
            Self::ImagePull => "ImagePull",
            Self::PullSecretMissing => "PullSecretMissing",
            Self::FailingProbe => "FailingProbe",
            Self::FailedRollout => "FailedRollout",
            Self::BadConfig => "BadConfig",
            Self::MissingConfig => "MissingConfig",
            Self::ConfigChanged => "ConfigChanged",
            Self::SecretRotated => "SecretRotated",
            Self::QuotaExhausted => "QuotaExhausted",
            Self::Unschedulable => "Unschedulable",
            Self::NodeNotReady => "NodeNotReady",
            Self::NodePressure => "NodePressure",
            Self::AutoscalerAtCeiling => "AutoscalerAtCeiling",
            Self::BudgetDeadlock => "BudgetDeadlock",
            Self::VolumePending => "VolumePending",
            Self::VolumeFilling => "VolumeFilling",
            Self::CertificateExpiring => "CertificateExpiring",
            Self::JobFailed => "JobFailed",
            Self::JobStuck => "JobStuck",
            Self::ScaledToZero => "ScaledToZero",
            Self::Saturation => "Saturation",
            Self::CpuThrottling => "CpuThrottling",
            Self::ErrorBudgetBurn => "ErrorBudgetBurn",
            Self::ConnectionPoolExhausted => "ConnectionPoolExhausted",
            Self::DependencyDown => "DependencyDown",
            Self::DnsFailure => "DnsFailure",
            Self::NetworkPolicyBlocks => "NetworkPolicyBlocks",
            Self::ModelServerDown => "ModelServerDown",
            Self::GpuLost => "GpuLost",
            Self::DataCorruption => "DataCorruption",
            Self::SecuritySignal => "SecuritySignal",
            Self::DeclaredJob => "DeclaredJob",
            Self::NothingWrong => "NothingWrong",
        }
    }

    /// The word with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }

    /// Whether it goes to a person at every level, whatever a policy says: what is damaged or attacked is
    /// not mended by reflex.
    pub const fn always_a_person(self) -> bool {
        match self {
            Self::DataCorruption | Self::SecuritySignal => true,
            Self::OomKilled
            | Self::MemoryLeak
            | Self::MemoryLimitTooLow
            | Self::CrashLoop
            | Self::ImagePull
            | Self::PullSecretMissing
            | Self::FailingProbe
            | Self::FailedRollout
            | Self::BadConfig
            | Self::MissingConfig
            | Self::ConfigChanged
            | Self::SecretRotated
            | Self::QuotaExhausted
            | Self::Unschedulable
            | Self::NodeNotReady
            | Self::NodePressure
            | Self::AutoscalerAtCeiling
            | Self::BudgetDeadlock
            | Self::VolumePending
            | Self::VolumeFilling
            | Self::CertificateExpiring
            | Self::JobFailed
            | Self::JobStuck
            | Self::ScaledToZero
            | Self::Saturation
            | Self::CpuThrottling
            | Self::ErrorBudgetBurn
            | Self::ConnectionPoolExhausted
            | Self::DependencyDown
            | Self::DnsFailure
            | Self::NetworkPolicyBlocks
            | Self::ModelServerDown
            | Self::GpuLost
            | Self::DeclaredJob
            | Self::NothingWrong => false,
        }
    }

    /// The names, in order.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; both arrays have one length")]
    pub const fn names() -> [&'static str; Self::ALL.len()] {
        let mut names = [""; Self::ALL.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = Self::ALL[i].name();
            i += 1;
        }
        names
    }
}

impl From<CauseWord> for &'static str {
    fn from(word: CauseWord) -> Self {
        word.name()
    }
}

impl TryFrom<String> for CauseWord {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("`{name}` is not a cause"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_name_of_its_own() {
        for word in CauseWord::ALL {
            assert_eq!(CauseWord::from_name(word.name()), Some(word));
        }
        assert_eq!(CauseWord::names()[0], "OOMKilled");
        assert!(CauseWord::DataCorruption.always_a_person() && !CauseWord::OomKilled.always_a_person());
    }
}
