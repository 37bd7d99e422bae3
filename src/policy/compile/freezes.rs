//! `freezes`: once, by cron, or from a calendar beside the policies.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::super::calendar::{Span, Window};
use super::super::cron::Cron;
use super::super::ics;
use super::super::problem::meant;
use super::super::raw::{Node, Pos};
use super::super::reader::{Fields, Reader};
use super::super::set::Freeze;
use super::rules::name;
use super::{Gathered, MAX_FILE, Spec};

/// A freeze by cron is looked for as far back as it is long: a week is the longest that people repeat.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Keys that say when, and which of them go together.
const WAYS: [&[&str]; 3] = [&["from", "to"], &["cron", "for", "timezone"], &["ics", "timezone"]];

/// Reads `freezes`.
pub(super) fn freezes(all: &mut Gathered, reader: &mut Reader<'_>, spec: &Spec<'_>) {
    let read = reader.list(spec.fields.get("freezes"), |reader, node| freeze(all, reader, node));
    all.freezes.extend(read);
}

fn freeze(all: &mut Gathered, reader: &mut Reader<'_>, node: &Node) -> Option<Freeze> {
    let known = ["name", "from", "to", "cron", "for", "timezone", "ics", "environments", "when", "maxLevel"];
    let fields = reader.fields(node, "a freeze", &known, &[])?;
    let named = name(reader, &fields, "name");
    let window = window(all, reader, &fields, node.at);
    let environments = all.environments(reader, fields.get("environments"));
    let when = match fields.get("when") {
        Some(node) => Some((node, reader.rule(node)?)),
        None => None,
    };
    let max_level = fields.need(reader, "maxLevel").and_then(|node| reader.level(node));
    let (name, node) = named?;
    let origin = all.claim(reader, "freeze", &name, node);
    if let Some((node, _)) = &when {
        all.place(reader, "freeze when", &name, node);
    }
    let when = when.map(|(_, rule)| rule);
    Some(Freeze { name, window: window?, environments, when, max_level: max_level?, origin })
}

fn window(all: &mut Gathered, reader: &mut Reader<'_>, fields: &Fields<'_>, at: Pos) -> Option<Window> {
    let way = ["from", "cron", "ics"].into_iter().zip(WAYS).find(|(key, _)| fields.get(key).is_some());
    let Some((_, together)) = way else {
        let help = "give it `from` and `to`, `cron` with `for` and `timezone`, or `ics`".to_owned();
        reader.wrong(at, "this freeze does not say when", Some(help));
        return None;
    };
    let strangers = |key: &str| WAYS.iter().any(|way| way.contains(&key)) && !together.contains(&key);
    let strange: Vec<_> = fields.entries().iter().filter(|(key, _)| strangers(&key.text)).collect();
    for (key, _) in &strange {
        let help = format!("it is said by `{}` already", together.join("`, `"));
        reader.wrong(
            key.at,
            format!("`{}` does not go with how this freeze says when", key.text),
            Some(help),
        );
    }
    match together.first() {
        Some(&"from") => once(reader, fields),
        Some(&"cron") => again(reader, fields),
        _ => calendar(all, reader, fields),
    }
}

fn once(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Window> {
    let from = fields.need(reader, "from").and_then(|node| reader.moment(node));
    let to = fields.need(reader, "to").and_then(|node| Some((node, reader.moment(node)?)));
    let (from, (node, to)) = (from?, to?);
    if to <= from {
        let help = format!("it starts at {from}");
        reader.wrong(node.at, "this freeze ends before it starts", Some(help));
    }
    Some(Window::Once(Span { from, to }))
}

fn again(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Window> {
    let cron = fields.need(reader, "cron").and_then(|node| {
        let text = reader.text(node)?;
        let help = "minute, hour, day of the month, month, day of the week: `0 2 * * mon-fri`";
        Cron::parse(&text).map_err(|why| reader.wrong(node.at, why, Some(help.to_owned()))).ok()
    });
    let bounds = SignedDuration::from_mins(1)..=LONGEST;
    let length = fields.need(reader, "for").and_then(|node| reader.duration_in(node, bounds));
    let zone = fields.need(reader, "timezone").and_then(|node| zone(reader, node));
    Some(Window::Again { cron: cron?, zone: zone?, length: length? })
}

fn zone(reader: &mut Reader<'_>, node: &Node) -> Option<TimeZone> {
    let name = reader.text(node)?;
    let zone = TimeZone::get(&name).ok();
    if zone.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let near = meant(&name, &known.iter().map(String::as_str).collect::<Vec<_>>());
        let help = if near.starts_with("did you") { near } else { "a name like `Europe/Berlin`".to_owned() };
        reader.wrong(node.at, format!("there is no time zone `{name}`"), Some(help));
    }
    zone
}

fn calendar(all: &mut Gathered, reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Window> {
    let zone = match fields.get("timezone") {
        Some(node) => Some(zone(reader, node)?),
        None => None,
    };
    let node = fields.need(reader, "ics")?;
    let wanted = reader.text(node)?;
    let suffix = format!("/{wanted}");
    let found = all.calendars.iter().find(|(name, _)| **name == wanted || name.ends_with(&suffix));
    let Some((file, text)) = found.map(|(name, text)| (name.clone(), text.clone())) else {
        let known: Vec<&str> = all.calendars.keys().map(String::as_str).collect();
        reader.wrong(node.at, format!("there is no calendar `{wanted}`"), Some(meant(&wanted, &known)));
        return None;
    };
    all.named.insert(file.clone());
    let mut inner = Reader::new(&file, &text);
    inner.section = reader.section;
    let spans = if text.len() > MAX_FILE {
        inner.wrong(Pos { line: 1, column: 1, len: 1 }, "the file is larger than 1 MiB", None);
        Vec::new()
    } else {
        ics::parse(&text, zone.as_ref()).unwrap_or_else(|wrongs| {
            for wrong in wrongs {
                inner.wrong(Pos { line: wrong.line, column: 1, len: u32::MAX }, wrong.message, None);
            }
            Vec::new()
        })
    };
    all.problems.append(&mut inner.problems);
    Some(Window::Calendar { file: wanted, spans })
}

/// Notes calendars that no freeze names.
pub(super) fn unnamed(all: &mut Gathered) {
    let unnamed = all.calendars.keys().filter(|name| !all.named.contains(*name));
    all.notes.extend(unnamed.map(|name| format!("{name}: no freeze names this calendar")));
}
