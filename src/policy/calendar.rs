//! When a freeze holds: once, again and again, or as a calendar says.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;

/// From one moment up to, and not including, another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// When a freeze holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Window {
    /// Once.
    Once(Span),
    /// From each moment that `cron` names in this zone, for so long.
    Again { cron: Cron, zone: TimeZone, length: SignedDuration },
    /// As the events of this file say, in the order of their beginnings.
    Calendar { file: String, spans: Vec<Span> },
}

impl Window {
    /// Until when it holds, if it holds at this moment.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let within = |span: &Span| (span.from <= now && now < span.to).then_some(span.to);
        match self {
            Self::Once(span) => within(span),
            Self::Again { cron, zone, length } => cron.latest(zone, now, *length)?.checked_add(*length).ok(),
            Self::Calendar { spans, .. } => {
                let begun = spans.partition_point(|span| span.from <= now);
                spans.get(..begun)?.iter().filter_map(within).max()
            }
        }
    }

    /// Whether it can never hold again.
    pub fn is_over(&self, now: Timestamp) -> bool {
        match self {
            Self::Once(span) => span.to <= now,
            Self::Again { .. } => false,
            Self::Calendar { spans, .. } => spans.iter().all(|span| span.to <= now),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(Span { from, to }) => write!(f, "from {from} to {to}"),
            Self::Again { cron, zone, length } => {
                let zone = zone.iana_name().unwrap_or("UTC");
                write!(f, "`{}` in {zone} for {length:#}", cron.source())
            }
            Self::Calendar { file, spans } => write!(f, "{} events of `{file}`", spans.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn windows_hold_from_their_beginning_to_before_their_end() {
        let spans = [(0, 10), (5, 20), (30, 40)].map(|(from, to)| Span { from: at(from), to: at(to) });
        let calendar = Window::Calendar { file: "a.ics".to_owned(), spans: spans.to_vec() };
        let once = Window::Once(spans[0]);
        for (now, in_one, in_all) in [
            (-1, None, None),
            (0, Some(10), Some(10)),
            (5, Some(10), Some(20)),
            (9, Some(10), Some(20)),
            (10, None, Some(20)),
            (20, None, None),
            (30, None, Some(40)),
            (40, None, None),
        ] {
            assert_eq!(once.until(at(now)), in_one.map(at), "{now}");
            assert_eq!(calendar.until(at(now)), in_all.map(at), "{now}");
            assert_eq!((once.is_over(at(now)), calendar.is_over(at(now))), (now >= 10, now >= 40), "{now}");
        }
        assert_eq!(calendar.to_string(), "3 events of `a.ics`");
        let cron = Cron::parse("0 22 * * 5").unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let again = Window::Again { cron, zone, length: SignedDuration::from_hours(3) };
        assert_eq!(again.to_string(), "`0 22 * * 5` in Europe/Berlin for 3h");
        assert!(!again.is_over(Timestamp::MAX));
    }
}
