//! An explanation for a terminal of any width: columns where there is room, paragraphs where there is not.

use crate::adapters::terminal::paragraph;
use crate::cli::terminal::plain;
use crate::policy::{Explanation, Line};

/// Below this, a column for the text would hold a word or two a line.
const ROOM: usize = 36;

/// The explanation as text. What others wrote is on one line each and without control characters.
pub(in crate::cli) fn render(explanation: &Explanation, width: usize) -> String {
    let Explanation { action, target, decision, lines, counterfactual, .. } = explanation;
    let outcome = decision.outcome.name();
    let mut text = paragraph(
        &format!("{outcome:<10} "),
        &format!("{action} {target}, by policy {}", decision.set.short()),
        width,
    );
    if let Some(first) = decision.reasons.first() {
        let because = format!("{}: {}", first.code, first.text);
        text.push_str(&paragraph(&format!("{:<10} ", "because"), &because, width));
    }
    text.push('\n');
    let names = lines.iter().map(|line| plain(&line.name).chars().count()).max().unwrap_or_default();
    for line in lines {
        text.push_str(&row(line, names, width));
    }
    if let Some(counterfactual) = counterfactual {
        text.push('\n');
        text.push_str(&paragraph("", counterfactual, width));
    }
    text
}

fn row(line: &Line, names: usize, width: usize) -> String {
    let Line { kind, name, verdict, text, at, .. } = line;
    let name = plain(name);
    let at = at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    let columns = format!("  {kind:<8} {name:<names$}  {verdict:<8}  ");
    if width.saturating_sub(columns.chars().count()) >= ROOM {
        return paragraph(&columns, &format!("{text}{at}"), width);
    }
    let verdict = if verdict.is_empty() { String::new() } else { format!(" {verdict}") };
    paragraph(&format!("  {kind:<7} "), &format!("{name}{verdict}: {text}{at}"), width)
}
