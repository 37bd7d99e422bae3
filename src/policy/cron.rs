//! Times that come again: five fields of cron, in a time zone, over changes of the clock.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// When something begins, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    source: String,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Field,
    months: Vec<i8>,
    weekdays: Field,
}

/// Days count by the month or by the week; where both are said, either is enough, as in every cron.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    any: bool,
    values: Vec<i8>,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Reads `minute hour day-of-month month day-of-week`.
    pub fn parse(source: &str) -> Result<Self, String> {
        let fields: Vec<&str> = source.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("`{source}` has {} fields, not five", fields.len()));
        };
        let field = |text: &str, values: Vec<i8>| Field { any: text == "*", values };
        let mut of_week = values(weekdays, 0, 7, &WEEKDAYS, 0)?;
        if of_week.contains(&7) && !of_week.contains(&0) {
            of_week.push(0); // both are Sunday
        }
        let cron = Self {
            source: source.to_owned(),
            minutes: values(minutes, 0, 59, &[], 0)?,
            hours: values(hours, 0, 23, &[], 0)?,
            days: field(days, values(days, 1, 31, &[], 0)?),
            months: values(months, 1, 12, &MONTHS, 1)?,
            weekdays: field(weekdays, of_week),
        };
        cron.ever().then_some(cron).ok_or_else(|| format!("`{source}` never comes"))
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The latest moment within `back` before `now` (or at it) that it names in this zone. A time that the
    /// clock shows twice is named twice; one that it skips comes as much later as it was put forward.
    pub fn latest(&self, zone: &TimeZone, now: Timestamp, back: SignedDuration) -> Option<Timestamp> {
        let since = now.checked_sub(back).unwrap_or(Timestamp::MIN);
        // A clock is never put by more than a day: nothing else can move a moment into another date.
        let mut date = zone.to_datetime(now).date().checked_add(1.day()).ok()?;
        let first = zone.to_datetime(since).date().checked_sub(1.day()).ok()?;
        let mut latest: Option<Timestamp> = None;
        while date >= first && latest.is_none() {
            if self.on(date) {
                let moments = self.times().flat_map(|time| moments(zone, date.to_datetime(time)));
                latest = moments.filter(|at| *at <= now && *at > since).max();
            }
            date = date.checked_sub(1.day()).ok()?;
        }
        latest
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        let time = |hour: &i8, minute: &i8| Time::new(*hour, *minute, 0, 0).ok();
        self.hours.iter().flat_map(move |hour| self.minutes.iter().filter_map(move |m| time(hour, m)))
    }

    fn on(&self, date: Date) -> bool {
        let of_month = self.days.values.contains(&date.day());
        let of_week = self.weekdays.values.contains(&date.weekday().to_sunday_zero_offset());
        let day = match (self.days.any, self.weekdays.any) {
            (true, true) => true,
            (true, false) => of_week,
            (false, true) => of_month,
            (false, false) => of_month || of_week,
        };
        day && self.months.contains(&date.month())
    }

    /// Whether there is any such day: `30 2` never comes.
    fn ever(&self) -> bool {
        const LONGEST: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let fits = |month: &i8, day: &i8| {
            usize::try_from(*month - 1).ok().and_then(|i| LONGEST.get(i)).is_some_and(|last| day <= last)
        };
        !self.weekdays.any
            || self.months.iter().any(|month| self.days.values.iter().any(|day| fits(month, day)))
    }
}

/// The moments at which the clock shows this: one, two while it is put back, and one in place of what is
/// skipped while it is put forward.
fn moments(zone: &TimeZone, at: DateTime) -> Vec<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    let offsets = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Gap { before, .. } => vec![before],
        AmbiguousOffset::Fold { before, after } => vec![before, after],
    };
    offsets.into_iter().filter_map(|offset| offset.to_timestamp(at).ok()).collect()
}

/// `*`, `5`, `1-5`, `*/15`, `mon-fri`, and lists of them. Names count from `base`.
fn values(text: &str, low: i8, high: i8, names: &[&str], base: i8) -> Result<Vec<i8>, String> {
    let wrong = || format!("`{text}` is not a list of numbers, {low} to {high}");
    let number = |text: &str| {
        let position = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let by_name = position.and_then(|i| i8::try_from(i).ok()).map(|i| i + base);
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        by_name.or_else(|| text.parse().ok().filter(|_| digits)).filter(|n| (low..=high).contains(n))
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = step.parse::<u8>().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
                (range, Some(usize::from(step)))
            }
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (low, high),
            (_, Some((from, to))) => (number(from).ok_or_else(wrong)?, number(to).ok_or_else(wrong)?),
            (one, None) => {
                let one = number(one).ok_or_else(wrong)?;
                (one, if step.is_some() { high } else { one })
            }
        };
        if from > to {
            return Err(wrong());
        }
        found.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(cron: &str, zone: &str, now: &str, hours: i64) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        let now = now.parse().unwrap();
        let found = Cron::parse(cron).unwrap().latest(&zone, now, SignedDuration::from_hours(hours));
        found.map(|at| at.to_string())
    }

    #[test]
    fn fields_are_those_of_cron() {
        assert_eq!(values("*/15", 0, 59, &[], 0).unwrap(), [0, 15, 30, 45]);
        assert_eq!(values("5/20", 0, 59, &[], 0).unwrap(), [5, 25, 45]);
        assert_eq!(values("1-5,9,3", 0, 59, &[], 0).unwrap(), [1, 2, 3, 4, 5, 9]);
        assert_eq!(values("MON-fri", 0, 7, &WEEKDAYS, 0).unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(values("feb", 1, 12, &MONTHS, 1).unwrap(), [2]);
        for wrong in ["", "60", "-1", "+1", "5-1", "*/0", "a", "1,,2", "1-"] {
            assert!(values(wrong, 0, 59, &[], 0).is_err(), "{wrong}");
        }
        for wrong in ["* * * *", "* * * * * *", "0 0 31 2 *", "@daily"] {
            assert!(Cron::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_of_month_and_week_are_either() {
        let both = Cron::parse("0 0 1 * 7").unwrap();
        let on = |day: &str| both.on(day.parse().unwrap());
        assert!(on("2026-11-01") && on("2026-11-08") && on("2026-12-01") && !on("2026-12-02"));
        let week = Cron::parse("0 0 * * mon").unwrap();
        assert!(week.on("2026-11-02".parse().unwrap()) && !week.on("2026-11-01".parse().unwrap()));
    }

    #[test]
    fn the_latest_is_found_within_its_reach() {
        let daily = |now, hours| latest("0 2 * * *", "UTC", now, hours);
        assert_eq!(daily("2026-11-20T03:59:59Z", 2).unwrap(), "2026-11-20T02:00:00Z");
        assert_eq!(daily("2026-11-20T02:00:00Z", 2).unwrap(), "2026-11-20T02:00:00Z");
        assert_eq!(daily("2026-11-20T01:59:59Z", 2), None);
        assert_eq!(daily("2026-11-20T04:00:00Z", 2), None);
        let late = latest("30 23 * * *", "Pacific/Kiritimati", "2026-11-20T11:00:00Z", 3);
        assert_eq!(late.unwrap(), "2026-11-20T09:30:00Z");
    }

    /// Berlin: back from 03:00 to 02:00 on 25 October 2026, forward from 02:00 to 03:00 on 29 March.
    #[test]
    fn a_change_of_the_clock_is_followed() {
        let berlin = |now, hours| latest("30 2 * * *", "Europe/Berlin", now, hours);
        assert_eq!(berlin("2026-10-25T00:45:00Z", 2).unwrap(), "2026-10-25T00:30:00Z");
        assert_eq!(berlin("2026-10-25T01:45:00Z", 2).unwrap(), "2026-10-25T01:30:00Z");
        assert_eq!(berlin("2026-03-29T01:29:59Z", 2), None);
        assert_eq!(berlin("2026-03-29T01:30:00Z", 2).unwrap(), "2026-03-29T01:30:00Z");
        assert_eq!(berlin("2026-03-30T00:30:00Z", 2).unwrap(), "2026-03-30T00:30:00Z");
    }
}
