//! Entries as bytes: the body that is stored (canonical JSON) and the chain that runs through a stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::canonical::{Hash, canonical};
use crate::domain::ids::StreamId;
use crate::domain::record::{Record, VERSION};
use crate::ports::store::{Append, AppendError, Entry, StoreError};

/// The most bytes that the records of one step may have. The largest record is a delivery; its body is at
/// most 16 MiB, escaping at worst doubles what people write, and another factor of two is room.
pub const MAX_STEP: usize = 64 << 20;

/// A step whose records are already in their stored form: the costly part, done by the caller, so that
/// the one thread that orders steps does little for each.
pub(super) struct Prepared {
    /// The step; its records are in `records`.
    pub(super) step: Append,
    /// Each record with its canonical JSON.
    pub(super) records: Vec<(Record, String)>,
}

impl Prepared {
    /// The bytes of its records.
    pub(super) fn size(&self) -> usize {
        self.records.iter().map(|(_, text)| text.len()).sum()
    }
}

/// An entry in its stored form.
pub(super) struct Written {
    /// Its place in the stream.
    pub(super) seq: u64,
    /// The exact bytes.
    pub(super) body: String,
    /// `SHA-256(body)`.
    pub(super) digest: Hash,
    /// `SHA-256(previous hash ‖ digest)`.
    pub(super) hash: Hash,
}

/// A body, read back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    stream: StreamId,
    seq: u64,
    at: Timestamp,
    record: Record,
}

/// Brings a step's records into their stored form. Refuses what would not read back as it is (a number
/// beyond 2⁵³, say): a journal that cannot be replayed exactly is worth nothing.
pub(super) fn prepare(mut step: Append) -> Result<Prepared, AppendError> {
    let mut records = Vec::with_capacity(step.records.len());
    let mut size = 0usize;
    for record in std::mem::take(&mut step.records) {
        let text = record_text(&record)?;
        size = size.saturating_add(text.len());
        records.push((record, text));
    }
    if size > MAX_STEP {
        return Err(AppendError::Unwritable(format!("its records have {size} bytes of {MAX_STEP}")));
    }
    Ok(Prepared { step, records })
}

/// A record's canonical JSON.
fn record_text(record: &Record) -> Result<String, AppendError> {
    if let Record::Received { body } = record {
        // most of what is ever written, and under load all of it: text has one form in JSON, which always
        // reads back, so that the costly ways are spared
        return Ok([r#"{"body":"#, &plain(body)?, r#","kind":"received"}"#].concat());
    }
    let text = text_of(record)?;
    let back: Option<Record> = serde_json::from_str(&text).ok();
    if back.as_ref() != Some(record) {
        return Err(AppendError::Unwritable("a record does not read back as it was written".to_owned()));
    }
    Ok(text)
}

/// Something that is text in JSON, which has but one form.
fn plain<T: Serialize>(text: &T) -> Result<String, AppendError> {
    serde_json::to_string(text).map_err(|e| AppendError::Unwritable(e.to_string()))
}

/// The body of an entry. Its keys are written in the order of the canonical form, so that the record's
/// canonical JSON can be put in as it is.
pub(super) fn body(step: &Append, seq: u64, record: &str) -> Result<String, AppendError> {
    let (at, stream) = (plain(&step.at)?, plain(&step.stream)?);
    let tail = format!(r#","seq":{seq},"stream":{stream},"v":{VERSION}}}"#);
    Ok([r#"{"at":"#, &at, r#","record":"#, record, &tail].concat())
}

/// The digest of a body.
pub(super) fn digest(body: &[u8]) -> Hash {
    Hash::of(body)
}

/// The hash of what follows `prev` in a chain.
pub(super) fn link(prev: Hash, next: &[u8]) -> Hash {
    Hash::over(&[prev.bytes(), next])
}

/// An entry from its stored form; the chain is for the caller to check.
pub(super) fn decode(written: &Written) -> Result<Entry, String> {
    let Body { v, stream, seq, at, record } =
        serde_json::from_str(&written.body).map_err(|e| format!("an entry cannot be read: {e}"))?;
    if v != VERSION {
        return Err(format!("an entry has version {v}, this program knows {VERSION}: use a newer belay"));
    }
    if seq != written.seq {
        return Err(format!("an entry says that it is number {seq} and stands at {}", written.seq));
    }
    Ok(Entry { stream, seq, at, record, hash: written.hash })
}

/// Canonical JSON as text.
fn text_of<T: Serialize>(value: &T) -> Result<String, AppendError> {
    let bytes = canonical(value).map_err(|e| AppendError::Unwritable(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| StoreError::Damaged(e.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_the_canonical_json_of_its_parts() {
        let at = "2026-11-21T04:05:06.000000007Z".parse().unwrap();
        let step = Append::to(StreamId::new("a\"\u{1}ü"), None, at);
        let record = Record::Oversize { bytes: 17 };
        let record_text = text_of(&record).unwrap();
        let body = body(&step, 3, &record_text).unwrap();
        let parts = Body { v: VERSION, stream: step.stream, seq: 3, at, record };
        assert_eq!(body.as_bytes(), canonical(&parts).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn prop_a_delivery_is_written_canonically_and_reads_back(body in ".{0,40}|[\\x00-\\x7f]{0,20}") {
            let record = Record::Received { body };
            let text = record_text(&record).unwrap();
            proptest::prop_assert_eq!(text.as_bytes(), canonical(&record).unwrap());
            proptest::prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }

    #[test]
    fn a_number_that_json_cannot_carry_is_refused() {
        let mut step = Append::to(StreamId::new("intake"), None, Timestamp::UNIX_EPOCH);
        step.records = vec![Record::Oversize { bytes: u64::MAX }];
        assert!(matches!(prepare(step), Err(AppendError::Unwritable(_))));
    }
}
