//! What the tools answer, as text.

use super::views::{ErrorType, Errors, LineRow, Lines};
use crate::servers::kit::{Readable, grouped, or_dash};

/// What is between blocks of lines, as `grep` has it.
const BETWEEN: &str = "--";

/// Of whom, and when.
fn place(namespace: &str, service: Option<&String>, (since, until): (&str, &str), source: &str) -> String {
    let whose = service.map_or_else(String::new, |name| format!("service `{name}` in "));
    format!("the logs of {whose}namespace `{namespace}`, {since} to {until} ({source})")
}

fn left_out(why: &[String]) -> String {
    why.iter().flat_map(|why| ["left out: ", why, "\n"]).collect()
}

impl Readable for Lines {
    fn text(&self) -> String {
        let Self { namespace, service, since, until, source, matched, more, lines, left_out: why } = self;
        let place = place(namespace, service.as_ref(), (since, until), source);
        let sentence = match (*matched, more) {
            (0, false) => format!("nothing like that is in {place}"),
            (0, true) => {
                format!("nothing like that was found in {place}, as far as they were looked through")
            }
            (n, true) => format!("the newest {} lines that match in {place}; there may be more", grouped(n)),
            (n, false) => format!("all {} lines that match in {place}", grouped(n)),
        };
        let mut out = format!("{sentence}\n{}", left_out(why));
        let mut block = None;
        for line in lines {
            if block.is_some_and(|block| block != line.block) {
                out.push_str(BETWEEN);
                out.push('\n');
            }
            block = Some(line.block);
            out.push_str(&row(line));
        }
        out.trim_end().to_owned()
    }
}

/// Lines around those that match begin with a blank, as a margin shows it.
fn row(line: &LineRow) -> String {
    let mark = if line.matched { "> " } else { "  " };
    let service = line.service.as_ref().map_or_else(String::new, |name| format!("{name} "));
    let trace = line.trace_id.as_ref().map_or_else(String::new, |id| format!("trace={id} "));
    let (at, severity) = (or_dash(line.at.as_ref()), line.severity.unwrap_or("-"));
    let text = line.text.replace('\n', "\n    ");
    format!("{mark}{at} {severity} {service}{} {trace}| {text}\n", line.instance)
}

impl Readable for Errors {
    fn text(&self) -> String {
        let Self { namespace, service, since, until, source, errors, kinds, types, left_out: why } = self;
        let place = place(namespace, service.as_ref(), (since, until), source);
        let sentence = match errors {
            0 => format!("no errors in {place}"),
            n => format!("{} errors of {} kinds in {place}", grouped(*n), grouped(*kinds)),
        };
        let mut out = format!("{sentence}\n{}", left_out(why));
        for (n, kind) in (1..).zip(types) {
            out.push_str(&described(n, kind));
        }
        out.trim_end().to_owned()
    }
}

fn described(n: u32, kind: &ErrorType) -> String {
    let ErrorType {
        template,
        exception,
        severity,
        count,
        first_seen,
        last_seen,
        instances,
        trace_ids,
        sample,
    } = kind;
    let exception = exception.as_ref().map_or_else(String::new, |class| format!(", {class}"));
    let traces = match trace_ids.as_slice() {
        [] => String::new(),
        ids => format!("   traces: {}\n", ids.join(", ")),
    };
    let (first, last) = (or_dash(first_seen.as_ref()), or_dash(last_seen.as_ref()));
    let text = sample.text.replace('\n', "\n   | ");
    format!(
        "\n{n}. {}x {severity}{exception}: {template}\n   first {first}, last {last}, by {instances} instances\n{traces}   {} at {}\n   | {text}\n",
        grouped(*count),
        sample.instance,
        or_dash(sample.at.as_ref()),
    )
}
