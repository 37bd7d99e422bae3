//! `--since`: how far back in the journal.

use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::ports::clock::{Clock as _, SystemClock};

/// A span back from now, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Ago(SignedDuration),
    At(Timestamp),
    /// The last time that a clock (in UTC) showed this.
    Today(Time),
}

impl Since {
    pub(super) fn moment(self) -> Timestamp {
        self.before(SystemClock.now())
    }

    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now.saturating_sub(span).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
            Self::Today(time) => {
                let today = now.to_zoned(TimeZone::UTC).date().to_datetime(time).to_zoned(TimeZone::UTC);
                let at = today.map_or(now, |today| today.timestamp());
                if at <= now { at } else { at.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now) }
            }
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(time) = Time::strptime("%H:%M", text) {
            return Ok(Self::Today(time));
        }
        let wrong = || {
            format!(
                "`{text}` is neither a span like `30d`, `12h` or `30m`, nor a time like `02:00`, nor a moment in RFC 3339"
            )
        };
        let unit = text.char_indices().next_back().ok_or_else(wrong)?;
        let minutes = match unit.1 {
            'w' => 7 * 24 * 60,
            'd' => 24 * 60,
            'h' => 60,
            'm' => 1,
            _ => return Err(wrong()),
        };
        let number: i64 =
            text.get(..unit.0).and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or_else(wrong)?;
        // 100 years: longer than any journal, and far from overflowing
        let minutes = number.checked_mul(minutes).filter(|m| *m <= 876_000 * 60).ok_or_else(wrong)?;
        Ok(Self::Ago(SignedDuration::from_mins(minutes)))
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
        assert_eq!("5m".parse(), Ok(Since::Ago(SignedDuration::from_mins(5))));
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        for (text, expected) in [("02:00", "2026-11-21T02:00:00Z"), ("09:30", "2026-11-20T09:30:00Z")] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.before(now).to_string(), expected);
        }
        for wrong in ["", "d", "0d", "-3d", "5", "25:00", "9999999999999999d", "ü"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
