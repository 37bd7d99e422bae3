//! Canonical bytes and their hash: the JSON Canonicalization Scheme (RFC 8785) under SHA-256, so that
//! whoever holds the same value computes the same name for it.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// A SHA-256, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

/// The text was not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a hash: expected 64 hex digits")]
pub struct NotAHash(String);

impl Hash {
    /// What a chain starts from.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::over(&[bytes])
    }

    /// The hash of these parts, one after the other. `ring` is there for TLS and computes it in assembly:
    /// hashing is a third of what the store's one thread does.
    pub fn over(parts: &[&[u8]]) -> Self {
        let mut hasher = Context::new(&SHA256);
        for part in parts {
            hasher.update(part);
        }
        let mut bytes = [0; 32];
        // a SHA-256 has 32 bytes: nothing is left over on either side
        bytes.iter_mut().zip(hasher.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// The hash of these parts, each preceded by its length, so that no two lists of parts collide.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let with_lengths: Vec<&[u8]> =
            lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), *part]).collect();
        Self::over(&with_lengths)
    }

    /// The raw 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash with these raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 8 hex digits: for people, never for comparing.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }

    /// Eight Crockford base-32 digits (40 bits) of the hash: what people type.
    pub fn code(&self) -> String {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let head = self.0.iter().take(5).fold(0u64, |n, b| (n << 8) | u64::from(*b));
        (0..8u32)
            .rev()
            .filter_map(|i| DIGITS.get(((head >> (5 * i)) & 31) as usize))
            .map(|d| char::from(*d))
            .collect()
    }
}

impl Hash {
    /// Its 64 hex digits. By hand: they are written several times in every line of the journal.
    fn digits(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'0'; 64];
        let halves = self.0.iter().flat_map(|b| [b >> 4, b & 15]);
        for (to, half) in text.iter_mut().zip(halves) {
            *to = DIGITS.get(usize::from(half)).copied().unwrap_or(b'0'); // half a byte is below 16
        }
        text
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let wrong = || NotAHash(text.chars().take(80).collect());
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, i) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(i..i + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let digits = self.digits();
        s.serialize_str(std::str::from_utf8(&digits).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A value that has no canonical form: a map with keys that are not text, or a number that is not finite.
#[derive(Debug, thiserror::Error)]
#[error("a value cannot be written canonically")]
pub struct NotCanonical(#[source] serde_json::Error);

/// The canonical JSON of a value (RFC 8785).
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    serde_json_canonicalizer::to_vec(value).map_err(NotCanonical)
}

/// The hash of the canonical JSON of a value.
pub fn hash<T: Serialize>(value: &T) -> Result<Hash, NotCanonical> {
    canonical(value).map(|bytes| Hash::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_read_as_a_hash() {
        let text = "0f".repeat(32);
        assert_eq!(text.parse::<Hash>().unwrap().to_string(), text);
        for wrong in [text.replacen("0f", "+f", 1), text.replacen("0f", " f", 1), "0f".repeat(31)] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
    }
}
