//! What commands print: tables that fit the terminal, messages as people read them, never a control
//! character that somebody else wrote.

use std::io::{self, IsTerminal as _, Write as _};

use crate::adapters::terminal::{Look, paragraph, render};
use crate::adapters::visible;
use crate::app::Summary;
use crate::app::admin::Response;
use crate::config;

use super::policy;
use super::policy::explained::Show;

/// The widest that text is set: beyond this, lines are hard to read.
const WIDEST: usize = 100;

/// How wide a terminal is taken to be that does not say: the least that is usual.
const USUAL: usize = 80;

/// Narrower than this nothing can be set.
const NARROWEST: usize = 20;

/// How standard output looks.
pub(super) fn look() -> Look {
    let terminal = io::stdout().is_terminal();
    let unsaid = if terminal { USUAL } else { WIDEST };
    let measured = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let width = config::columns().or_else(measured).unwrap_or(unsaid);
    Look { width: width.clamp(NARROWEST, WIDEST), colour: terminal && !config::no_color() }
}

/// Text that somebody else wrote, on one line and without control characters.
pub(super) fn plain(text: &str) -> String {
    visible::one_line(text)
}

/// Prints what the daemon answered.
pub(super) fn print(response: &Response, show: Show) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match response {
        Response::List(incidents) => list(&mut out, incidents),
        Response::View(view) => write!(out, "{}", render(view, None, look())),
        Response::Text(text) => text.lines().try_for_each(|line| writeln!(out, "{}", plain(line))),
        Response::Explanation(explanation) => {
            write!(out, "{}", policy::explained::render(explanation, show, look().width))
        }
        // `belay revert`, `belay ask` and the incidents server read these themselves
        Response::InForce(_)
        | Response::Undo(_)
        | Response::Reading(_)
        | Response::Inquired(_)
        | Response::Incidents(_) => Ok(()),
        Response::Tracks(tracks) => {
            let text = tracks.to_string();
            text.lines().try_for_each(|line| write!(out, "{}", paragraph("", line, look().width)))
        }
        Response::Done(what) => writeln!(out, "{}", plain(what)),
        Response::Refused(why) => writeln!(io::stderr().lock(), "belay: {}", plain(why)),
        Response::Holds(holds) if holds.is_empty() => writeln!(out, "nothing is paused"),
        Response::Holds(holds) => holds
            .iter()
            .try_for_each(|h| writeln!(out, "{}  since {}  {}", plain(&h.hold), h.since, plain(&h.reason))),
    }
}

fn list(out: &mut impl io::Write, incidents: &[Summary]) -> io::Result<()> {
    if incidents.is_empty() {
        return writeln!(out, "no open incidents");
    }
    for Summary { incident, phase, about, alert, opened_at, note } in incidents {
        let opened = opened_at.strftime("%m-%d %H:%M");
        let line =
            format!("{incident}  {opened}  {phase:<13} {}  {}  {}", plain(about), plain(alert), plain(note));
        writeln!(out, "{}", fit(&line, look().width))?;
    }
    Ok(())
}

/// The beginning of a line, marked where it was cut.
fn fit(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.trim_end().to_owned();
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}
