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
