//! One recorded value: kept as it is, or, where it looks like a secret or nobody could read it, only by a
//! hash that tells whether it is still the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::canonical::Hash;
use crate::domain::redact;

/// What the hashes of secrets are made with, so that nobody can guess a password by hashing guesses. It is
/// kept with the record and lost with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn tag(&self, value: &str) -> Hash {
        Hash::of_parts(&[&self.0, value.as_bytes()])
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// A value as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "held", content = "with", rename_all = "snake_case")]
pub enum Held {
    /// The JSON text of the value.
    Plain(String),
    /// A secret was here.
    Secret(Hash),
    /// It was longer than any plan may write.
    Long(Hash),
}

/// The longest value that is kept: a plan holds no more than this of changes.
const LONGEST: usize = crate::domain::action::edit::MOST_TEXT;

/// The text of a key store, or of a key of its own, says nothing that a pattern could know: their names do.
const KEY_FILES: [&str; 6] = [".jks", ".p12", ".pfx", ".key", ".keytab", ".kdbx"];

impl Held {
    /// What is kept of the JSON text at this path.
    pub fn of(key: &Key, path: &str, json: String) -> Self {
        if looks_secret(path, &json) {
            Self::Secret(key.tag(&json))
        } else if json.len() > LONGEST {
            Self::Long(key.tag(&json))
        } else {
            Self::Plain(json)
        }
    }

    /// The value, where it was kept.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(json) => Some(json),
            Self::Secret(_) | Self::Long(_) => None,
        }
    }

    /// Why the value was not kept.
    pub const fn why_not(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Secret(_) => Some("looks like a secret"),
            Self::Long(_) => Some("is longer than belay keeps"),
        }
    }

    /// The bytes that it takes.
    pub const fn size(&self) -> usize {
        match self {
            Self::Plain(json) => json.len(),
            Self::Secret(_) | Self::Long(_) => 32,
        }
    }
}

/// Whether the value (JSON text) at this path, or its name together with it, is something that no record may
/// hold. What is base64 is looked at decoded as well. Too much rather than too little.
pub fn looks_secret(path: &str, json: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    if KEY_FILES.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending)) {
        return true;
    }
    let Ok(text) = serde_json::from_str::<String>(json) else { return redact::redact(json) != json };
    let decoded = STANDARD.decode(text.trim()).ok();
    let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    std::iter::once(text).chain(decoded).any(|text| {
        // a value without its name is a password like any word; redaction looks at the beginning of long text
        let said = format!("{name}={text}");
        pieces(&said).any(|piece| redact::redact(piece) != piece)
    })
}

/// The text in pieces that redaction looks at as a whole, each overlapping the next, so that what lies across
/// a border is seen.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    const PIECE: usize = 128 * 1024;
    const OVERLAP: usize = 4 * 1024;
    let border =
        |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let starts = (0..text.len().max(1)).step_by(PIECE - OVERLAP);
    starts.filter_map(move |start| text.get(border(start)..border(start + PIECE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(path: &str, value: &str) -> Held {
        Held::of(&Key::new([7; 32]), path, serde_json::to_string(value).unwrap())
    }

    #[test]
    fn what_looks_like_a_secret_is_kept_as_a_hash() {
        for (path, value) in [
            ("/data/password", "hunter2"),
            ("/data/DB_PASSWORD", "hunter2"),
            ("/data/app.yaml", "port: 80\npassword: hunter2\n"),
            ("/data/url", "postgres://app:hunter2@db/shop"),
            ("/data/cert", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"),
            ("/binaryData/blob", "cGFzc3dvcmQ9aHVudGVyMg=="),
            ("/binaryData/store.JKS", "/u3+7QAAAAI="),
        ] {
            let kept = held(path, value);
            assert!(matches!(kept, Held::Secret(_)), "{path}");
            assert!(!serde_json::to_string(&kept).unwrap().contains("hunter2"));
            assert_eq!(kept, held(path, value), "the same is known again");
            assert_ne!(kept, held(path, &format!("{value}x")));
            let other = Held::of(&Key::new([8; 32]), path, serde_json::to_string(value).unwrap());
            assert_ne!(kept, other, "nobody without the key can tell");
        }
        let far = format!("{}password=hunter2", "x ".repeat(300 * 1024));
        assert!(matches!(held("/data/big", &far), Held::Secret(_)));
    }

    #[test]
    fn what_is_plain_is_kept_and_what_is_long_is_not() {
        assert_eq!(held("/data/mode", "fast"), Held::Plain("\"fast\"".to_owned()));
        let ports = "[{\"port\":80}]".to_owned();
        assert_eq!(Held::of(&Key::new([0; 32]), "/spec/ports", ports.clone()), Held::Plain(ports));
        assert!(matches!(held("/data/big", &"x".repeat(LONGEST)), Held::Long(_)));
    }
}
