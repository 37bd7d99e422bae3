//! `--since`: how far back in the journal.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::ports::clock::{Clock as _, SystemClock};

/// A span back from now, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Ago(SignedDuration),
    At(Timestamp),
}

impl Since {
    pub(super) fn moment(self) -> Timestamp {
        match self {
            Self::Ago(span) => SystemClock.now().saturating_sub(span).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let wrong = || format!("`{text}` is neither a span like `30d` or `12h` nor a moment in RFC 3339");
        let unit = text.char_indices().next_back().ok_or_else(wrong)?;
        let hours = match unit.1 {
            'w' => 7 * 24,
            'd' => 24,
            'h' => 1,
            _ => return Err(wrong()),
        };
        let number: i64 =
            text.get(..unit.0).and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or_else(wrong)?;
        // 100 years: longer than any journal, and far from overflowing
        let hours = number.checked_mul(hours).filter(|h| *h <= 876_000).ok_or_else(wrong)?;
        Ok(Self::Ago(SignedDuration::from_hours(hours)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments() {
        assert_eq!("30d".parse(), Ok(Since::Ago(SignedDuration::from_hours(720))));
        assert_eq!("2w".parse(), Ok(Since::Ago(SignedDuration::from_hours(336))));
        assert!(matches!("2026-11-01T00:00:00Z".parse(), Ok(Since::At(_))));
        for wrong in ["", "d", "0d", "-3d", "5", "5m", "9999999999999999d", "ü"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
