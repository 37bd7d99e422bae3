//! Text that is too random to be anything but a key. Pure, one pass.

use std::borrow::Cow;

/// The shortest run that is looked at: 24 characters of base64 are 18 bytes, and the shortest key in use has 16.
const SHORTEST: usize = 24;

/// The longest run that is looked at as one key: a 4096-bit one in base64 and some. Longer ones are data, and what of
/// them is a key says so.
const LONGEST: usize = 8 * 1024;

/// The share, in hundredths, of neighbours of different classes (upper case, lower case, digit) from which on a run is
/// random. In random base64 each pair of neighbours differs with 1 − (26² + 26² + 10²)/62² = 0.62; in 24 characters the
/// share falls below 0.45 in four of a hundred, in 40 in one. Names and paths in use stay below 0.35.
const CHANGES: usize = 45;

/// The entropy, in hundredths of a bit a character, from which on a run is random. 24 random characters have 4.3 ± 0.13.
const ENTROPY: u32 = 390;

/// The text with each such run replaced.
pub(super) fn blank<'t>(text: &'t str, with: &str) -> Cow<'t, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let length = bytes.get(at..).unwrap_or_default().iter().take_while(|b| part(**b)).count();
        if length >= SHORTEST {
            let run = text.get(at..at + length).unwrap_or_default();
            for (from, to) in keys(run) {
                out.push_str(text.get(copied..at + from).unwrap_or_default());
                out.push_str(with);
                copied = at + to;
            }
        }
        at += length.max(1);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

const fn part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
}

/// Where in a run the keys are: all of it, or parts of a path or of a name.
fn keys(run: &str) -> Vec<(usize, usize)> {
    if is_random(run) {
        return vec![(0, run.len())];
    }
    let mut found = Vec::new();
    let mut at = 0;
    for piece in run.split(['/', '=']) {
        if is_random(piece) {
            found.push((at, at + piece.len()));
        }
        at += piece.len() + 1;
    }
    found
}

fn is_random(text: &str) -> bool {
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return false;
    }
    let class = |b: u8| match b {
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let (mut kinds, mut seen) = ([0usize; 4], [0usize; 128]);
    let (mut pairs, mut changes, mut before) = (0, 0, 0);
    for byte in text.bytes() {
        let now = class(byte);
        kinds.get_mut(now).into_iter().for_each(|n| *n += 1);
        seen.get_mut(usize::from(byte)).into_iter().for_each(|n| *n += 1);
        if now != 0 && before != 0 {
            pairs += 1;
            changes += usize::from(now != before);
        }
        before = now;
    }
    let [symbols, upper, lower, digits] = kinds;
    // hexadecimal digests, UUIDs and names of Kubernetes have letters of one case: they stay
    let mixed = upper >= 2 && lower >= 2 && digits >= 1;
    // one in thirty of base64 is a symbol; more than one in six are words with dashes
    let few = symbols * 6 <= text.len();
    mixed && few && changes * 100 >= CHANGES * pairs && entropy(&seen, text.len()) >= ENTROPY
}

/// Shannon's entropy, in hundredths of a bit a character.
fn entropy(seen: &[usize; 128], total: usize) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    let share = |n: usize| n as f64 / total as f64;
    let bits: f64 = seen.iter().filter(|n| **n > 0).map(|n| -share(*n) * share(*n).log2()).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 700")]
    let hundredths = (bits * 100.0) as u32;
    hundredths
}
