//! Moments as callers write them: a time (RFC 3339), or how long ago (`15m`, `2h`, `1d`).

use jiff::{SignedDuration, Span as Calendar, Timestamp};

use super::scope::{Trouble, quoted};

/// The farthest back that anything is looked for: what telemetry is kept for in most places.
const FARTHEST: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A moment that somebody named, against the time it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// Reads `argument`'s text: `2026-03-01T12:00:00Z`, or `15m` for a quarter of an hour before `now`.
    pub fn read(argument: &str, text: &str, now: Timestamp) -> Result<Self, Trouble> {
        let text = text.trim();
        let read = match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) if text == "now" => Some(now),
            Err(_) => ago(text).and_then(|ago| now.checked_sub(ago).ok()),
        };
        let wrong = || {
            Trouble::Argument(format!(
                "`{argument}` is `{}`: write a time (`2026-03-01T12:00:00Z`) or how long ago (`15m`, `2h`, `1d`)",
                quoted(text)
            ))
        };
        read.map(Self).ok_or_else(wrong)
    }
}

/// A whole number of seconds, minutes, hours, days or weeks.
fn ago(text: &str) -> Option<SignedDuration> {
    let calendar: Calendar = text.parse().ok()?;
    let from_weeks = |weeks: i64| weeks.checked_mul(7);
    let days = from_weeks(i64::from(calendar.get_weeks()))?.checked_add(i64::from(calendar.get_days()))?;
    if calendar.get_years() != 0 || calendar.get_months() != 0 || calendar.is_negative() {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(i64::from(calendar.get_hours()))?;
    let seconds = hours
        .checked_mul(3600)?
        .checked_add(calendar.get_minutes().checked_mul(60)?)?
        .checked_add(calendar.get_seconds())?;
    Some(SignedDuration::from_secs(seconds))
}

/// A stretch of time, its end not before its beginning, of at most thirty days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From here.
    pub since: Timestamp,
    /// To here.
    pub until: Timestamp,
}

impl Span {
    /// Reads `since` and `until`; without the latter, up to now.
    pub fn read(since: &str, until: Option<&str>, now: Timestamp) -> Result<Self, Trouble> {
        let Moment(since) = Moment::read("since", since, now)?;
        let Moment(until) = until.map_or(Ok(Moment(now)), |until| Moment::read("until", until, now))?;
        if since >= until {
            let why = format!("`since` ({since}) is not before `until` ({until})");
            return Err(Trouble::Argument(why));
        }
        if until.duration_since(since) > FARTHEST {
            return Err(Trouble::Argument(
                "more than thirty days are asked for: look at a shorter stretch".to_owned(),
            ));
        }
        Ok(Self { since, until })
    }

    /// How long it is.
    pub fn length(self) -> SignedDuration {
        self.until.duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        for (text, at) in [
            ("15m", "2026-03-01T11:45:00Z"),
            ("2h", "2026-03-01T10:00:00Z"),
            ("1d", "2026-02-28T12:00:00Z"),
            ("1h30m", "2026-03-01T10:30:00Z"),
            ("1w", "2026-02-22T12:00:00Z"),
            ("now", "2026-03-01T12:00:00Z"),
            ("2026-03-01T09:00:00+02:00", "2026-03-01T07:00:00Z"),
        ] {
            assert_eq!(Moment::read("since", text, now()), Ok(Moment(at.parse().unwrap())), "{text}");
        }
        for text in ["", "yesterday", "15", "1y", "-15m", "15m ago ago", "99999999999999999999h"] {
            let told = Moment::read("since", text, now()).unwrap_err().to_string();
            assert!(told.contains("`since`") && told.contains("15m"), "{text}: {told}");
        }
    }

    #[test]
    fn a_stretch_runs_forward_and_ends() {
        let span = Span::read("1h", Some("15m"), now()).unwrap();
        assert_eq!(span.length(), SignedDuration::from_mins(45));
        assert!(Span::read("15m", Some("1h"), now()).is_err());
        assert!(Span::read("15m", Some("15m"), now()).is_err());
        assert!(Span::read("31d", None, now()).is_err());
        assert_eq!(Span::read("30d", None, now()).map(Span::length), Ok(FARTHEST));
    }
}
