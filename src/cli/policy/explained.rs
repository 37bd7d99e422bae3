//! An explanation for a terminal of any width: columns where there is room, paragraphs where there is not.
//! What has no bearing is counted, unless all of it is asked for.

use crate::adapters::terminal::paragraph;
use crate::cli::terminal::plain;
use crate::policy::{Explanation, Line};

/// Below this, a column for the text would hold a word or two a line.
const ROOM: usize = 36;

/// Kinds whose lines may be counted, and what is said of so many of them.
const COUNTED: [(&str, &str); 3] =
    [("grant", "more do not match"), ("guard", "more do not fire"), ("freeze", "more are not in force")];

/// How much of an explanation is shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(in crate::cli) struct Show {
    /// Every rule, also those without a bearing
    #[arg(long)]
    pub all: bool,
}

/// The explanation as text. What others wrote is on one line each and without control characters.
pub(in crate::cli) fn render(explanation: &Explanation, show: Show, width: usize) -> String {
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
    let hidden = |line: &Line| !show.all && explanation.is_aside(line);
    let shown: Vec<&Line> = lines.iter().filter(|line| !hidden(line)).collect();
    let names = shown.iter().map(|line| plain(&line.name).chars().count()).max().unwrap_or_default();
    for (i, line) in lines.iter().enumerate() {
        if !hidden(line) {
            text.push_str(&row(line, names, width));
        }
        let last = lines.get(i + 1).is_none_or(|next| next.kind != line.kind);
        let counted = COUNTED.iter().find(|(kind, _)| *kind == line.kind);
        let n = if last && !show.all { explanation.aside(&line.kind) } else { 0 };
        if let Some((kind, what)) = counted.filter(|_| n > 0) {
            text.push_str(&paragraph(&format!("  {kind:<8} "), &format!("{n} {what}"), width));
        }
    }
    if let Some(counterfactual) = counterfactual {
        text.push('\n');
        text.push_str(&paragraph("", counterfactual, width));
    }
    if shown.len() < lines.len() {
        text.push_str("\n`--all` lists what is only counted here\n");
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
    paragraph(&format!("  {kind:<8} "), &format!("{name}{verdict}: {text}{at}"), width)
}
