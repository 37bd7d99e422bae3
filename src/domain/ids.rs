//! Names of things, as types: an incident is never mistaken for an intent.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::canonical::Hash;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// One incident: eight base-32 digits that people can type. Also the name of its stream.
    IncidentId
);
text_id!(
    /// One intended write. Derived from the incident and the number of the act in it, so that a crash
    /// and a retry speak of the same intent; it stands on the object that was changed.
    IntentId
);
text_id!(
    /// One possible remedy of one incident, as the model may choose it.
    CandidateId
);
text_id!(
    /// One piece of evidence within one incident.
    EvidenceId
);
text_id!(
    /// Alertmanager's fingerprint of a label set: 16 hex digits.
    Fingerprint
);
text_id!(
    /// The id of a rule in a policy file.
    GrantId
);
text_id!(
    /// The configured name of a cluster.
    Cluster
);
text_id!(
    /// A stream of the journal: an incident's id, or one of the daemon's own.
    StreamId
);
text_id!(
    /// One question put to people: an opaque 128-bit value, the only thing that a button carries.
    QuestionId
);

impl IncidentId {
    /// The incident that `fingerprint`, firing since `starts_at`, opens in `cluster`.
    pub fn derive(cluster: &Cluster, fingerprint: &Fingerprint, starts_at: Timestamp) -> Self {
        let parts = [cluster.as_str(), fingerprint.as_str(), &starts_at.to_string()];
        Self(Hash::of_parts(&parts.map(str::as_bytes)).code())
    }

    /// The stream that holds this incident's records.
    pub fn stream(&self) -> StreamId {
        StreamId(self.0.clone())
    }
}

impl IntentId {
    /// The intent of the `number`th act of an incident; undoing counts as an act of its own.
    pub fn derive(incident: &IncidentId, number: usize) -> Self {
        Self(format!("{incident}-{number}"))
    }

    /// The incident that it was derived from; `None` for what was never derived.
    pub fn incident(&self) -> Option<IncidentId> {
        let (incident, number) = self.0.rsplit_once('-')?;
        number.parse::<usize>().ok()?;
        Some(IncidentId::new(incident))
    }
}

impl QuestionId {
    /// The question with these 128 bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }
}
