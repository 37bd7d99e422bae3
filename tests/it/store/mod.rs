//! The store: one contract for every implementation, recovery after crashes, and tampering.

mod contract;

use belay::domain::decision::Draw;
use belay::domain::ids::{IntentId, StreamId};
use belay::domain::record::Record;
use belay::ports::store::{Append, Reserve, Work};
use jiff::{SignedDuration, Timestamp};

/// `seconds` after a fixed beginning.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub fn stream(name: &str) -> StreamId {
    StreamId::new(name)
}

/// A small record that is told from others by a number.
pub fn record(n: u64) -> Record {
    Record::Oversize { bytes: n }
}

/// A step with these records and nothing else.
pub fn says(name: &str, expected: Option<u64>, numbers: &[u64]) -> Append {
    let mut step = Append::to(stream(name), expected, at(0));
    step.records = numbers.iter().copied().map(record).collect();
    step
}

/// A step without effects, to fill in.
pub fn step(name: &str, seconds: i64) -> Append {
    Append::to(stream(name), None, at(seconds))
}

pub fn work(id: &str, name: &str, seconds: i64) -> Work {
    Work { id: id.to_owned(), stream: stream(name), due: at(seconds), what: r#"{"do":"it"}"#.to_owned() }
}

/// A draw by `intent` upon `key`; a window of 0 is none.
pub fn draw(intent: &str, key: &str, max: u32, window: i64) -> Reserve {
    let window = (window > 0).then(|| SignedDuration::from_secs(window));
    let draw = Draw { key: key.to_owned(), code: "limit/test".to_owned(), max, window };
    Reserve { intent: IntentId::new(intent), draw }
}
