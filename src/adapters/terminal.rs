//! The terminal as a channel: the view as text for a narrow window. Nothing that a workload or a model
//! wrote reaches it as a control sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::visible::{clip, one_line, visible};
use crate::domain::ids::IncidentId;
use crate::domain::message::{Buttons, Line, Notice, Section, Standing, View};
use crate::domain::record::MessageRef;
use crate::ports::messenger::{Messenger, Pager, Undelivered};

/// The name in records.
pub const NAME: &str = "terminal";

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns; below 20 is taken as 20.
    pub width: usize,
    /// Whether colours may be used. The caller has asked `NO_COLOR` and whether anybody is watching.
    pub colour: bool,
}

/// Where text goes: standard output, or a test's buffer.
pub type Out = Box<dyn Write + Send>;

/// Incidents whose last view is remembered, so that only what is new is written; beyond that the whole
/// message is written again, which is longer and not wrong.
const REMEMBERED: usize = 256;
/// The longest single text that is written; more is a flood on a terminal.
const LONGEST: usize = 4_000;

/// Writes each view below the last one, leaving out sections that have not changed.
pub struct TerminalMessenger {
    inner: Mutex<Inner>,
    look: Look,
}

struct Inner {
    out: Out,
    shown: BTreeMap<IncidentId, View>,
}

impl TerminalMessenger {
    /// A messenger that writes to `out`.
    pub fn new(out: Out, look: Look) -> Self {
        Self { inner: Mutex::new(Inner { out, shown: BTreeMap::new() }), look }
    }
}

#[async_trait]
impl Messenger for TerminalMessenger {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn publish(&self, view: &View, _earlier: Option<&MessageRef>) -> Result<MessageRef, Undelivered> {
        let mut inner = lock(&self.inner);
        let text = render(view, inner.shown.get(&view.incident), self.look);
        write(&mut inner.out, &text)?;
        if inner.shown.len() >= REMEMBERED {
            inner.shown.clear();
        }
        inner.shown.insert(view.incident.clone(), view.clone());
        Ok(MessageRef { through: NAME.to_owned(), channel: String::new(), id: view.incident.to_string() })
    }

    async fn tell(&self, notice: &Notice) -> Result<(), Undelivered> {
        let mut pen = Pen { look: self.look, text: String::new() };
        pen.wrapped("-- ", &clip(&one_line(&notice.headline), LONGEST), Some(Ink::Bold));
        notice.lines.iter().for_each(|line| pen.each("     ", line, None));
        pen.text.push('\n');
        write(&mut lock(&self.inner).out, &pen.text)
    }
}

/// Calls whoever sits at the terminal.
pub struct TerminalPager {
    inner: Mutex<(Out, BTreeSet<(IncidentId, String)>)>,
    look: Look,
}

impl TerminalPager {
    /// A pager that writes to `out`.
    pub fn new(out: Out, look: Look) -> Self {
        Self { inner: Mutex::new((out, BTreeSet::new())), look }
    }
}

#[async_trait]
impl Pager for TerminalPager {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn page(&self, incident: &IncidentId, headline: &str, why: &str) -> Result<(), Undelivered> {
        let mut inner = lock(&self.inner);
        let (out, called) = &mut *inner;
        let call = (incident.clone(), clip(why, LONGEST));
        if called.contains(&call) {
            return Ok(());
        }
        let pen = Pen { look: self.look, text: String::new() };
        write(out, &pen.page(incident, headline, why))?;
        if called.len() >= REMEMBERED {
            called.clear();
        }
        called.insert(call);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(out: &mut Out, text: &str) -> Result<(), Undelivered> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {
            Undelivered::Later { why: "the terminal is busy".to_owned(), after_seconds: 1 }
        }
        _ => Undelivered::Never(format!("the terminal cannot be written to: {error}")),
    })
}

/// The view as text; sections that stand unchanged in `earlier` are left out.
pub fn render(view: &View, earlier: Option<&View>, look: Look) -> String {
    let mut pen = Pen { look, text: String::new() };
    pen.head(view);
    for section in &view.sections {
        let known = earlier.is_some_and(|e| e.sections.contains(section));
        if !known {
            pen.section(section);
        }
    }
    if let Some(question) = &view.question {
        pen.asked(view, question);
    }
    pen.text.push('\n');
    pen.text
}

/// A paragraph for a terminal: wrapped at `width`, later lines indented as far as `lead` is long. What
/// cannot be seen is written out.
pub fn paragraph(lead: &str, text: &str, width: usize) -> String {
    let mut pen = Pen { look: Look { width, colour: false }, text: String::new() };
    pen.wrapped(lead, &clip(&one_line(text), LONGEST), None);
    pen.text
}

/// The colours: SGR codes of ECMA-48.
#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "1;31",
            Self::Green => "32",
            Self::Yellow => "1;33",
            Self::Cyan => "36",
        }
    }
}

struct Pen {
    look: Look,
    text: String,
}

impl Pen {
    fn page(mut self, incident: &IncidentId, headline: &str, why: &str) -> String {
        let id = clip(&one_line(incident.as_str()), 64);
        self.wrapped("PAGE ", &format!("{} (incident {id})", one_line(headline)), Some(Ink::Red));
        // most headlines end in the reason
        if !headline.contains(why.trim_end_matches('.')) {
            self.wrapped("     ", &one_line(why), None);
        }
        self.text.push('\n');
        self.text
    }

    fn head(&mut self, view: &View) {
        let (mark, ink) = match view.state {
            Standing::Working => ("..", Ink::Cyan),
            Standing::Asking => ("??", Ink::Yellow),
            Standing::Escalated => ("!!", Ink::Red),
            Standing::Closed => ("ok", Ink::Green),
        };
        let headline = clip(&one_line(&view.headline), LONGEST);
        self.wrapped(&format!("{mark} "), &headline, Some(ink));
        self.wrapped("   ", &format!("incident {}", one_line(view.incident.as_str())), Some(Ink::Dim));
    }

    fn section(&mut self, section: &Section) {
        self.wrapped("   ", &clip(&one_line(&section.title), LONGEST), Some(Ink::Bold));
        for line in &section.lines {
            match line {
                Line::Belay(text) => self.each("     ", text, None),
                Line::Quoted(text) => self.each("     | ", text, Some(Ink::Dim)),
                Line::Model(text) => {
                    self.wrapped("     ", "the model's words:", Some(Ink::Dim));
                    self.each("     > ", text, None);
                }
                Line::Diff(text) => self.diff(text),
            }
        }
    }

    fn diff(&mut self, text: &str) {
        for line in visible(&clip(text, LONGEST)).lines() {
            let ink = match line.as_bytes().first() {
                Some(b'-') => Some(Ink::Red),
                Some(b'+') => Some(Ink::Green),
                _ => None,
            };
            self.wrapped("     ", line, ink);
        }
    }

    fn asked(&mut self, view: &View, question: &Buttons) {
        let until = question.until.map_or_else(String::new, |t| t.strftime(", until %H:%M UTC").to_string());
        let who = clip(&one_line(&question.who), LONGEST);
        if !who.is_empty() || !until.is_empty() {
            self.wrapped("   ", &format!("May answer: {who}{until}"), None);
        }
        let id = clip(&one_line(view.incident.as_str()), 64);
        for button in &question.buttons {
            let line = format!("[{}] belay incidents {} {id}", button.label(), button.name());
            self.wrapped("   ", &line, Some(Ink::Yellow));
        }
    }

    /// Every line of `text`, each wrapped by itself.
    fn each(&mut self, indent: &str, text: &str, ink: Option<Ink>) {
        for line in visible(&clip(text, LONGEST)).lines() {
            self.wrapped(indent, line, ink);
        }
    }

    /// One line of text, broken at blanks (or within a word that is longer than a line).
    fn wrapped(&mut self, indent: &str, text: &str, ink: Option<Ink>) {
        let room = self.look.width.max(20).saturating_sub(indent.chars().count()).max(1);
        // only the first line carries a mark, unless it quotes; the others are indented by as much
        let quotes = matches!(indent.trim(), "|" | ">");
        let blank = if quotes { indent.to_owned() } else { " ".repeat(indent.chars().count()) };
        for (i, line) in wrap(text, room).iter().enumerate() {
            self.text.push_str(if i == 0 { indent } else { &blank });
            self.inked(line, ink);
            self.text.push('\n');
        }
    }

    fn inked(&mut self, line: &str, ink: Option<Ink>) {
        match ink.filter(|_| self.look.colour) {
            Some(ink) => {
                for part in ["\u{1b}[", ink.code(), "m", line, "\u{1b}[0m"] {
                    self.text.push_str(part);
                }
            }
            None => self.text.push_str(line),
        }
    }
}

/// Breaks at blanks; keeps leading blanks, since code and diffs are indented.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_inclusive(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let bare = word.iter().rposition(|c| *c != ' ').map_or(0, |i| i + 1);
        if length > 0 && length + bare > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            length = 0;
        }
        while word.len() > room && word.iter().any(|c| *c != ' ') {
            lines.push(word.drain(..room).collect::<String>().trim_end().to_owned());
        }
        length += word.len();
        line.extend(word);
    }
    lines.push(line.trim_end().to_owned());
    lines
}
