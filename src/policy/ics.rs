//! Calendars (RFC 5545), as far as freezes need them: events with a beginning and an end. What cannot be
//! read is refused, never left out: an event that is missed is a freeze that does not hold.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::calendar::Span;

/// Ten years of one freeze a day.
const MAX_EVENTS: usize = 3_660;

/// What is wrong, and in which line (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub line: u32,
    pub message: String,
}

/// A property of a calendar: `DTSTART;TZID=Europe/Berlin:20261127T000000`.
struct Property<'t> {
    line: u32,
    name: String,
    parameters: Vec<(String, &'t str)>,
    value: &'t str,
}

/// The times of an event as far as they were read.
#[derive(Default)]
struct Event {
    line: u32,
    start: Option<Moment>,
    end: Option<Moment>,
    length: Option<SignedDuration>,
    cancelled: bool,
    /// Something of it could not be read, which has been said.
    broken: bool,
}

/// A date, or a moment.
#[derive(Clone)]
enum Moment {
    Day(Date, TimeZone),
    At(Timestamp),
}

/// The spans of all events that were not cancelled, in order. Times without a zone are in `zone`.
pub(super) fn parse(text: &str, zone: Option<&TimeZone>) -> Result<Vec<Span>, Vec<Wrong>> {
    let (mut spans, mut wrong) = (Vec::new(), Vec::new());
    let (mut event, mut inner): (Option<Event>, u32) = (None, 0);
    let lines = unfold(text);
    if !lines.iter().any(|(_, line)| line.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(vec![Wrong {
            line: 1,
            message: "this is not a calendar: there is no `BEGIN:VCALENDAR`".into(),
        }]);
    }
    if let Some((line, last)) = lines.last()
        && !last.eq_ignore_ascii_case("END:VCALENDAR")
    {
        let message = "the calendar does not end here: there is no `END:VCALENDAR`, so events may be missing";
        wrong.push(Wrong { line: *line, message: message.into() });
    }
    for (line, text) in &lines {
        let Some(property) = property(*line, text) else {
            wrong.push(Wrong { line: *line, message: "this is not a line of a calendar".into() });
            continue;
        };
        match (property.name.as_str(), property.value.to_ascii_uppercase().as_str(), event.as_mut()) {
            ("BEGIN", "VEVENT", None) => event = Some(Event { line: *line, ..Event::default() }),
            ("END", "VEVENT", Some(_)) if inner == 0 => match event.take().as_ref().map(span) {
                Some(Ok(found)) => spans.extend(found),
                Some(Err(e)) => wrong.push(e),
                None => {}
            },
            // an alarm within an event has times of its own
            ("BEGIN", _, Some(_)) => inner += 1,
            ("END", _, Some(_)) => inner = inner.saturating_sub(1),
            (_, _, Some(event)) if inner == 0 => {
                if let Err(e) = event.read(&property, zone) {
                    event.broken = true;
                    wrong.push(e);
                }
            }
            _ => {}
        }
    }
    if let Some(event) = event {
        wrong.push(Wrong { line: event.line, message: "this event does not end".into() });
    }
    if spans.len() > MAX_EVENTS {
        wrong.push(Wrong { line: 1, message: format!("{} events: at most {MAX_EVENTS}", spans.len()) });
    }
    spans.sort_unstable_by_key(|span: &Span| (span.from, span.to));
    if wrong.is_empty() { Ok(spans) } else { Err(wrong) }
}

/// Long lines go on in the next one, which then begins with a space or a tab.
fn unfold(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ if line.is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

fn property(line: u32, text: &str) -> Option<Property<'_>> {
    let mut quoted = false;
    let colon = text.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    let (head, value) = (text.get(..colon)?, text.get(colon + 1..)?);
    let mut parts = head.split(';');
    let name = parts.next()?.to_ascii_uppercase();
    let parameters = parts.filter_map(|part| part.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.to_ascii_uppercase(), value.trim_matches('"')));
    Some(Property { line, name, parameters: parameters.collect(), value: value.trim() })
}

impl Property<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    fn wrong(&self, message: String) -> Wrong {
        Wrong { line: self.line, message }
    }

    fn zone(&self, otherwise: Option<&TimeZone>) -> Result<TimeZone, Wrong> {
        match (self.parameter("TZID"), otherwise) {
            (Some(name), _) => TimeZone::get(name).map_err(|_| {
                self.wrong(format!("there is no time zone `{name}`: use a name like `Europe/Berlin`"))
            }),
            (None, Some(zone)) => Ok(zone.clone()),
            (None, None) => {
                Err(self.wrong("this time has no time zone: give the freeze a `timezone`".to_owned()))
            }
        }
    }

    fn moment(&self, zone: Option<&TimeZone>) -> Result<Moment, Wrong> {
        let wrong = || self.wrong(format!("`{}` is not a time", self.value));
        if self.parameter("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("DATE")) {
            let date = Date::strptime("%Y%m%d", self.value).map_err(|_| wrong())?;
            return Ok(Moment::Day(date, self.zone(zone)?));
        }
        if let Some(utc) = self.value.strip_suffix('Z') {
            let at = DateTime::strptime("%Y%m%dT%H%M%S", utc).map_err(|_| wrong())?;
            return TimeZone::UTC.to_timestamp(at).map(Moment::At).map_err(|_| wrong());
        }
        let at = DateTime::strptime("%Y%m%dT%H%M%S", self.value).map_err(|_| wrong())?;
        // the earlier one where the clock shows it twice, the later one where it skips it (RFC 5545, 3.3.5)
        self.zone(zone)?.to_timestamp(at).map(Moment::At).map_err(|_| wrong())
    }
}

impl Event {
    fn read(&mut self, property: &Property<'_>, zone: Option<&TimeZone>) -> Result<(), Wrong> {
        match property.name.as_str() {
            "DTSTART" => self.start = Some(property.moment(zone)?),
            "DTEND" => self.end = Some(property.moment(zone)?),
            "DURATION" => {
                let length = property.value.parse::<SignedDuration>().or_else(|_| weeks(property.value));
                let length = length.ok().filter(SignedDuration::is_positive);
                self.length = Some(
                    length
                        .ok_or_else(|| property.wrong(format!("`{}` is not a duration", property.value)))?,
                );
            }
            "STATUS" => self.cancelled = property.value.eq_ignore_ascii_case("CANCELLED"),
            "RRULE" | "RDATE" | "EXDATE" | "RECURRENCE-ID" => {
                let message = format!(
                    "`{}`: events that come again are not supported; write a freeze with `cron`, or one event for each",
                    property.name
                );
                return Err(property.wrong(message));
            }
            _ => {}
        }
        Ok(())
    }
}

/// `P1D` and `P2W` are days of 24 hours here, which a calendar's nominal days are but for two a year.
fn weeks(text: &str) -> Result<SignedDuration, jiff::Error> {
    let span: jiff::Span = text.parse()?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
}

fn span(event: &Event) -> Result<Option<Span>, Wrong> {
    let wrong = |message: &str| Wrong { line: event.line, message: message.to_owned() };
    if event.cancelled || event.broken {
        return Ok(None);
    }
    let start = event.start.clone().ok_or_else(|| wrong("this event has no `DTSTART`"))?;
    let from = start.begins().ok_or_else(|| wrong("this event begins outside of time"))?;
    let to = match (&event.end, event.length, &start) {
        (Some(end), _, _) => end.begins(),
        (None, Some(length), _) => from.checked_add(length).ok(),
        // RFC 5545, 3.6.1: a date without an end is that whole day
        (None, None, Moment::Day(date, zone)) => {
            date.checked_add(1.day()).ok().and_then(|next| Moment::Day(next, zone.clone()).begins())
        }
        (None, None, Moment::At(_)) => return Err(wrong("this event has no end")),
    };
    match to {
        Some(to) if to > from => Ok(Some(Span { from, to })),
        Some(_) => Err(wrong("this event ends before it starts")),
        None => Err(wrong("this event ends outside of time")),
    }
}

impl Moment {
    fn begins(&self) -> Option<Timestamp> {
        match self {
            Self::Day(date, zone) => date.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp()),
            Self::At(at) => Some(*at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(lines: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    fn read(lines: &str) -> String {
        let join = |lines: &mut dyn Iterator<Item = String>| lines.collect::<Vec<_>>().join("; ");
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        match parse(&calendar(lines), Some(&zone)) {
            Ok(spans) => join(&mut spans.iter().map(|span| format!("{}/{}", span.from, span.to))),
            Err(wrong) => join(&mut wrong.iter().map(|w| format!("{}: {}", w.line, w.message))),
        }
    }

    #[test]
    fn events_become_spans() {
        let cases = [
            ("DTSTART:20261127T000000Z\nDTEND:20261201T060000Z", "2026-11-27T00:00:00Z/2026-12-01T06:00:00Z"),
            (
                "DTSTART;TZID=America/New_York:20261127T000000\nDURATION:PT90M",
                "2026-11-27T05:00:00Z/2026-11-27T06:30:00Z",
            ),
            ("DTSTART:20261127T000000\nDURATION:P1D", "2026-11-26T23:00:00Z/2026-11-27T23:00:00Z"),
            ("DTSTART;VALUE=DATE:20261224", "2026-12-23T23:00:00Z/2026-12-24T23:00:00Z"),
            // a day of 25 hours
            ("DTSTART;VALUE=DATE:20261025", "2026-10-24T22:00:00Z/2026-10-25T23:00:00Z"),
            (
                "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:long\n er: name",
                "2026-12-23T23:00:00Z/2026-12-26T23:00:00Z",
            ),
            (
                "DTSTART:20261127T000000Z\nDTEND:20261127T010000Z\nBEGIN:VALARM\nDURATION:PT1M\nRRULE:x\nEND:VALARM",
                "2026-11-27T00:00:00Z/2026-11-27T01:00:00Z",
            ),
            ("DTSTART:20261127T000000Z\nDTEND:20261127T010000Z\nSTATUS:CANCELLED", ""),
        ];
        for (lines, expected) in cases {
            assert_eq!(read(lines), expected, "{lines}");
        }
    }

    #[test]
    fn a_calendar_that_was_cut_off_is_refused_wherever_it_was() {
        let event = "BEGIN:VEVENT\r\nDTSTART:20261127T000000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n";
        let whole = format!("BEGIN:VCALENDAR\r\n{event}{event}END:VCALENDAR\r\n");
        assert_eq!(parse(&whole, None).map(|spans| spans.len()), Ok(2));
        let ends = whole.rfind("END:VCALENDAR").unwrap() + "END:VCALENDAR".len();
        for cut in 0..ends {
            assert!(parse(&whole[..cut], None).is_err(), "cut at {cut}");
        }
        let wrong = parse(&whole[..whole.len() - 15], None).unwrap_err();
        assert_eq!((wrong[0].line, wrong[0].message.contains("`END:VCALENDAR`")), (9, true));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        let cases = [
            ("DTSTART:20261127T000000Z", "3: this event has no end"),
            ("DTEND:20261127T000000Z", "3: this event has no `DTSTART`"),
            ("DTSTART:20261127T000000Z\nDTEND:20261126T000000Z", "3: this event ends before it starts"),
            ("DTSTART:20261127T000000Z\nDURATION:-PT1H", "5: `-PT1H` is not a duration"),
            ("DTSTART:tomorrow\nDTEND:20261126T000000Z", "4: `tomorrow` is not a time"),
        ];
        for (lines, expected) in cases {
            assert_eq!(read(lines), expected, "{lines}");
        }
        let again = read("DTSTART:20261127T000000Z\nDTEND:20261127T010000Z\nRRULE:FREQ=YEARLY");
        assert!(again.starts_with("6: `RRULE`: events that come again"), "{again}");
        assert!(read("DTSTART;TZID=Mars:20261127T000000").contains("there is no time zone `Mars`"));
        assert!(parse("BEGIN:VEVENT", None).is_err());
        assert!(parse("BEGIN:VCALENDAR\nBEGIN:VEVENT", None).is_err());
        let floating = parse(&calendar("DTSTART:20261127T000000"), None).unwrap_err();
        assert!(floating[0].message.contains("give the freeze a `timezone`"), "{floating:?}");
    }

    #[test]
    fn lines_are_folded_and_quoted_as_calendars_do() {
        let expected = "2026-11-27T00:00:00Z/2026-11-27T01:00:00Z";
        for lines in [
            "DTSTART:20261127T0\n 00000Z\nDTEND:20261127T\n\t010000Z",
            "DTSTART;X=\"a:b\";VALUE=DATE-TIME:20261127T000000Z\n\nDTEND:20261127T010000Z",
            "DTSTART;TZID=\"Europe/Berlin\":20261127T010000\nDTEND:20261127T010000Z",
        ] {
            assert_eq!(read(lines), expected, "{lines}");
        }
        let nothing = "DTSTART:20261127T000000Z\nDTEND:20261127T000000Z";
        assert_eq!(read(nothing), "3: this event ends before it starts");
    }

    #[test]
    fn events_are_bounded() {
        let event = "DTSTART:20261127T000000Z\r\nDTEND:20261127T010000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n";
        let of = |events: usize| {
            parse(
                &calendar(&format!(
                    "{}{}",
                    event.repeat(events - 1),
                    "DTSTART:20261127T000000Z\r\nDTEND:20261127T010000Z"
                )),
                None,
            )
        };
        assert_eq!(of(MAX_EVENTS).unwrap().len(), MAX_EVENTS);
        assert_eq!(of(MAX_EVENTS + 1).unwrap_err()[0].message, "3661 events: at most 3660");
    }
}
