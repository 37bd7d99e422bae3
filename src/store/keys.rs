//! The projection's keys: one tag byte, then parts. Every part but the last carries its length, so that no
//! two lists of parts share a key; moments sort as they follow each other.

use jiff::Timestamp;

use crate::domain::ids::{IntentId, StreamId};
use crate::ports::store::StoreError;

/// Bytes of an encoded moment.
const MOMENT: usize = 16;

/// Where the projection stands (kept by the log store alone).
pub(super) const MARK: &[u8] = b"m";
/// All heads: `h stream → entries, hash`.
pub(super) const HEADS: &[u8] = b"h";
/// All pieces of open work by when they are due: `q due id → ()`.
pub(super) const QUEUE: &[u8] = b"q";
/// All timers by when they are due: `u due stream name → ()`.
pub(super) const ALARMS: &[u8] = b"u";
/// All holds: `b hold → reason, since`.
pub(super) const HOLDS: &[u8] = b"b";

/// `h stream`.
pub(super) fn head(stream: &StreamId) -> Vec<u8> {
    join(b'h', &[], stream.as_str().as_bytes())
}

/// `k key → stream`; also what all keys with a prefix start with.
pub(super) fn name(key: &str) -> Vec<u8> {
    join(b'k', &[], key.as_bytes())
}

/// `w id → work`.
pub(super) fn work(id: &str) -> Vec<u8> {
    join(b'w', &[], id.as_bytes())
}

/// `q due id`.
pub(super) fn queue(due: Timestamp, id: &str) -> Vec<u8> {
    [QUEUE, &moment(due), id.as_bytes()].concat()
}

/// `t stream name → due`.
pub(super) fn timer(stream: &StreamId, name: &str) -> Vec<u8> {
    join(b't', &[stream.as_str()], name.as_bytes())
}

/// `u due stream name`.
pub(super) fn alarm(due: Timestamp, stream: &StreamId, name: &str) -> Vec<u8> {
    [ALARMS, &moment(due), &join(b'.', &[stream.as_str()], name.as_bytes())].concat()
}

/// `b hold`.
pub(super) fn hold(name: &str) -> Vec<u8> {
    join(b'b', &[], name.as_bytes())
}

/// `d limit at intent → window`: windowed draws upon a limit, by when; starts with `draws(limit)`.
pub(super) fn draw(limit: &str, at: Timestamp, intent: &IntentId) -> Vec<u8> {
    [draws(limit).as_slice(), &moment(at), intent.as_str().as_bytes()].concat()
}

/// What the windowed draws upon a limit start with.
pub(super) fn draws(limit: &str) -> Vec<u8> {
    join(b'd', &[limit], &[])
}

/// Where the draws upon a limit after `since` begin.
pub(super) fn draws_after(limit: &str, since: Timestamp) -> Vec<u8> {
    // one nanosecond later: the moment itself is no longer within the window
    let next = sortable(since.as_nanosecond().saturating_add(1));
    [draws(limit).as_slice(), &next].concat()
}

/// `i limit intent → at`: the windowed draw that an intent made.
pub(super) fn drawn_by(limit: &str, intent: &IntentId) -> Vec<u8> {
    join(b'i', &[limit], intent.as_str().as_bytes())
}

/// `x limit → latest draw, longest window`: how far back draws can matter.
pub(super) fn span(limit: &str) -> Vec<u8> {
    join(b'x', &[], limit.as_bytes())
}

/// `f limit intent → at`: unwindowed draws, until released; starts with `opens(limit)`.
pub(super) fn open(limit: &str, intent: &IntentId) -> Vec<u8> {
    join(b'f', &[limit], intent.as_str().as_bytes())
}

/// What the unwindowed draws upon a limit start with.
pub(super) fn opens(limit: &str) -> Vec<u8> {
    join(b'f', &[limit], &[])
}

/// `g intent limit → ()`: the unwindowed draws of an intent; starts with `opens_of(intent)`.
pub(super) fn open_of(intent: &IntentId, limit: &str) -> Vec<u8> {
    join(b'g', &[intent.as_str()], limit.as_bytes())
}

/// What the unwindowed draws of an intent start with.
pub(super) fn opens_of(intent: &IntentId) -> Vec<u8> {
    join(b'g', &[intent.as_str()], &[])
}

/// `p stream seq → offset, length`: the log line that holds the entries from `seq` on.
pub(super) fn place(stream: &StreamId, seq: u64) -> Vec<u8> {
    [places(stream).as_slice(), &seq.to_be_bytes()].concat()
}

/// What the places of a stream start with.
pub(super) fn places(stream: &StreamId) -> Vec<u8> {
    join(b'p', &[stream.as_str()], &[])
}

/// A moment as bytes that sort as moments do.
pub(super) fn moment(at: Timestamp) -> [u8; MOMENT] {
    sortable(at.as_nanosecond())
}

/// Reads a moment back.
pub(super) fn read_moment(bytes: &[u8]) -> Result<Timestamp, StoreError> {
    <[u8; MOMENT]>::try_from(bytes)
        .ok()
        .map(|bytes| i128::from_be_bytes(bytes) ^ i128::MIN)
        .and_then(|nanos| Timestamp::from_nanosecond(nanos).ok())
        .ok_or_else(|| unreadable("a moment"))
}

/// Splits `tag moment rest`.
pub(super) fn split_moment<'a>(tag: &[u8], key: &'a [u8]) -> Result<(Timestamp, &'a [u8]), StoreError> {
    let (at, rest) = key
        .strip_prefix(tag)
        .and_then(|key| key.split_at_checked(MOMENT))
        .ok_or_else(|| unreadable("a dated key"))?;
    Ok((read_moment(at)?, rest))
}

/// Splits what `alarm` put behind the moment: stream and name.
pub(super) fn split_alarm(rest: &[u8]) -> Result<(StreamId, String), StoreError> {
    let broken = || unreadable("a timer's key");
    let (len, rest) = rest.strip_prefix(b".").and_then(<[u8]>::split_first_chunk::<4>).ok_or_else(broken)?;
    let (stream, name) = rest.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(broken)?;
    Ok((StreamId::new(text(stream)?), text(name)?))
}

/// Text of the projection.
pub(super) fn text(bytes: &[u8]) -> Result<String, StoreError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| unreadable("a text"))
}

/// The projection holds what it never wrote.
pub(super) fn unreadable(what: &str) -> StoreError {
    StoreError::Damaged(format!("the projection holds {what} that cannot be read: restart to rebuild it"))
}

/// Flips the sign bit, so that negative numbers come first.
const fn sortable(nanos: i128) -> [u8; MOMENT] {
    (nanos ^ i128::MIN).to_be_bytes()
}

/// `tag`, each of `parts` behind its length, `last`.
fn join(tag: u8, parts: &[&str], last: &[u8]) -> Vec<u8> {
    let mut key = vec![tag];
    for part in parts {
        // ids and limit keys are far below 4 GiB: a step is at most `MAX_STEP` bytes
        key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        key.extend_from_slice(part.as_bytes());
    }
    key.extend_from_slice(last);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_and_read_back() {
        let at = [
            Timestamp::MIN,
            "1969-12-31T23:59:59.5Z".parse().unwrap(),
            Timestamp::UNIX_EPOCH,
            Timestamp::MAX,
        ];
        for pair in at.windows(2) {
            assert!(moment(pair[0]) < moment(pair[1]));
        }
        for at in at {
            assert_eq!(read_moment(&moment(at)).unwrap(), at);
        }
    }

    #[test]
    fn parts_never_run_into_each_other() {
        let (ab, a) = (StreamId::new("ab"), StreamId::new("a"));
        assert_ne!(timer(&ab, "c"), timer(&a, "bc"));
        assert!(!timer(&ab, "c").starts_with(&timer(&a, "")));
        let key = alarm(Timestamp::UNIX_EPOCH, &ab, "c\0d");
        let (_, rest) = split_moment(ALARMS, &key).unwrap();
        assert_eq!(split_alarm(rest).unwrap(), (ab, "c\0d".to_owned()));
    }
}
