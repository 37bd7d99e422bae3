//! A view as Slack's Block Kit: pure. Text of whatever origin is only ever put into `plain_text` objects
//! and `rich_text` text elements, which Slack shows as they are: no markup is parsed there, so that
//! nothing in it can become a mention, a link or a button. The one field that Slack does parse, the
//! fallback `text`, is escaped.

use jiff::Timestamp;
use serde::Serialize;

use crate::adapters::visible::{clip, one_line, utf16, visible};
use crate::domain::message::{Button, Buttons, Line, Notice, Section, Standing, View};

/// Slack takes 50 blocks; header, standing, who, buttons and the note of what was left out take 5.
const MAX_SECTIONS: usize = 45;
/// Slack's limit of a header's text.
const HEADER: usize = 150;
/// Slack's limit of a section's text; kept for rich text too, where Slack states none.
const SECTION: usize = 3_000;
/// Slack refuses messages whose blocks are too long together (`msg_blocks_too_long`) without saying the
/// number; 12,000 is the documented sum for markdown blocks.
const MESSAGE: usize = 12_000;
/// Kept for what always stands: state and note (300 each), who may answer, five buttons (75 each).
const FRAME: usize = 2_000;
/// Who may answer, until when and how.
const WHO: usize = 1_000;
/// `chat.update` refuses a longer `text`, while `chat.postMessage` cuts at 40,000: the smaller.
const TEXT: usize = 4_000;
/// The lines of one section that are shown: three screens.
const LINES: usize = 60;
/// Slack's limit of `block_id`; a question's id is used as one and as each button's value (2,000).
const BLOCK_ID: usize = 255;
/// Slack's limit of a button's text.
const BUTTON: usize = 75;

/// A message as `chat.postMessage` and `chat.update` take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rendered {
    /// The headline alone, escaped: for notifications and screen readers.
    pub text: String,
    /// The message.
    pub blocks: Vec<Block>,
}

/// The kinds of block that belay sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// Large text.
    Header {
        /// At most 150 characters.
        text: Text,
    },
    /// A paragraph.
    Section {
        /// At most 3,000 characters.
        text: Text,
    },
    /// Small text.
    Context {
        /// At most 10.
        elements: Vec<Text>,
    },
    /// Structured text.
    RichText {
        /// Its paragraphs.
        elements: Vec<Rich>,
    },
    /// The buttons.
    Actions {
        /// The question.
        block_id: String,
        /// At most 25.
        elements: Vec<Press>,
    },
}

/// A text object; always `plain_text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "plain_text")]
pub struct Text {
    /// As it is shown.
    pub text: String,
    /// Whether `:name:` becomes a picture: never.
    pub emoji: bool,
}

/// A paragraph of rich text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Rich {
    /// Running text.
    #[serde(rename = "rich_text_section")]
    Section {
        /// Its pieces.
        elements: Vec<Piece>,
    },
    /// Verbatim text.
    #[serde(rename = "rich_text_preformatted")]
    Preformatted {
        /// Its pieces.
        elements: Vec<Piece>,
    },
    /// Somebody else's words.
    #[serde(rename = "rich_text_quote")]
    Quote {
        /// Its pieces.
        elements: Vec<Piece>,
    },
}

/// A run of text; the only element of rich text that belay uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "text")]
pub struct Piece {
    /// As it is shown; never empty.
    pub text: String,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}

/// How a run of text looks; at most one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Titles.
    Bold,
    /// Who speaks.
    Italic,
    /// Names.
    Code,
}

/// `{"bold": true}` and its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style(pub Look);

impl Serialize for Style {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map([(self.0, true)])
    }
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "button")]
pub struct Press {
    /// `Button::name()`.
    pub action_id: String,
    /// `Button::label()`.
    pub text: Text,
    /// The question's id and nothing else.
    pub value: String,
    /// Green or red.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<&'static str>,
}

/// The message for this view.
pub fn render(view: &View) -> Rendered {
    let headline = match one_line(&view.headline) {
        empty if empty.is_empty() => format!("Incident {}", one_line(view.incident.as_str())),
        headline => headline,
    };
    let mut blocks = vec![head(&headline), standing(view)];
    let mut room = (MESSAGE - FRAME).saturating_sub(utf16(&headline));
    let mut left_out = 0;
    for section in &view.sections {
        match rich(section, room.min(SECTION)) {
            _ if blocks.len() >= MAX_SECTIONS + 2 => left_out += 1,
            Some((block, used)) => {
                room = room.saturating_sub(used);
                blocks.push(block);
            }
            None => left_out += usize::from(!section.lines.is_empty()),
        }
    }
    if left_out > 0 {
        blocks.push(context(format!(
            "{left_out} more sections: belay incidents show {}",
            clip(&one_line(view.incident.as_str()), BLOCK_ID)
        )));
    }
    if let Some(question) = &view.question {
        blocks.extend(asked(view, question));
    }
    Rendered { text: escape(&headline), blocks }
}

fn head(headline: &str) -> Block {
    if utf16(headline) <= HEADER {
        Block::Header { text: plain(headline.to_owned()) }
    } else {
        Block::Section { text: plain(clip(headline, SECTION)) }
    }
}

fn standing(view: &View) -> Block {
    let state = match view.state {
        Standing::Working => "being looked at",
        Standing::Asking => "waiting for an answer",
        Standing::Escalated => "a person has to look",
        Standing::Closed => "over",
    };
    context(format!("incident {} · {state}", clip(&one_line(view.incident.as_str()), BLOCK_ID)))
}

/// A section within `room`, and how much of it was used; nothing where there is nothing to show.
fn rich(section: &Section, room: usize) -> Option<(Block, usize)> {
    let mut left = room;
    let mut elements = Vec::new();
    let title = one_line(&section.title);
    if !title.is_empty() {
        elements.push(Rich::Section { elements: piece(&title, Some(Look::Bold), &mut left) });
    }
    let shown = section.lines.iter().take(LINES);
    elements.extend(shown.flat_map(|line| paragraph(line, &mut left)));
    elements.retain(|rich| !rich.elements().is_empty());
    let used = room - left;
    (!elements.is_empty()).then_some((Block::RichText { elements }, used))
}

impl Rich {
    /// Its pieces, of whatever kind it is.
    pub fn elements(&self) -> &[Piece] {
        match self {
            Self::Section { elements } | Self::Preformatted { elements } | Self::Quote { elements } => {
                elements
            }
        }
    }
}

fn paragraph(line: &Line, left: &mut usize) -> Vec<Rich> {
    match line {
        Line::Belay(text) => vec![Rich::Section { elements: with_code(&visible(text), left) }],
        Line::Diff(text) | Line::Quoted(text) => {
            vec![Rich::Preformatted { elements: piece(&visible(text), None, left) }]
        }
        Line::Model(text) => {
            let marked = piece("the model's words:", Some(Look::Italic), left);
            let words = piece(&visible(text), None, left);
            vec![Rich::Section { elements: marked }, Rich::Quote { elements: words }]
        }
    }
}

/// belay's own words: names stand between backticks, and every second part is one where they pair up.
fn with_code(text: &str, left: &mut usize) -> Vec<Piece> {
    if !text.matches('`').count().is_multiple_of(2) {
        return piece(text, None, left);
    }
    let parts = text.split('`').enumerate();
    parts.flat_map(|(i, part)| piece(part, (i % 2 == 1).then_some(Look::Code), left)).collect()
}

/// One run of text within what is `left`; none where there is nothing to show or no room.
fn piece(text: &str, look: Option<Look>, left: &mut usize) -> Vec<Piece> {
    let text = clip(text, *left);
    *left -= utf16(&text);
    if text.is_empty() { Vec::new() } else { vec![Piece { text, style: look.map(Style) }] }
}

fn asked(view: &View, question: &Buttons) -> Vec<Block> {
    let id = question.question.as_str();
    let who = clip(&one_line(&question.who), WHO / 2);
    let mut words = if who.is_empty() { String::new() } else { format!("May answer: {who}.") };
    if let Some(until) = question.until {
        words.extend([" Until ", &clock(until), "."]);
    }
    // a cut id would name another question: better no buttons than wrong ones
    let elements = if id.is_empty() || utf16(id) > BLOCK_ID { Vec::new() } else { buttons(question) };
    if elements.is_empty() {
        let incident = clip(&one_line(view.incident.as_str()), BLOCK_ID);
        words.extend([" Answer by: belay incidents … ", &incident]);
    }
    let mut blocks = Vec::new();
    if !words.trim().is_empty() {
        blocks.push(context(clip(words.trim(), WHO)));
    }
    if !elements.is_empty() {
        blocks.push(Block::Actions { block_id: id.to_owned(), elements });
    }
    blocks
}

/// Each button once: Slack refuses two of one `action_id`.
fn buttons(question: &Buttons) -> Vec<Press> {
    let mut seen = Vec::new();
    for button in &question.buttons {
        if !seen.contains(button) {
            seen.push(*button);
        }
    }
    seen.into_iter()
        .map(|button| Press {
            action_id: button.name().to_owned(),
            text: plain(clip(button.label(), BUTTON)),
            value: question.question.as_str().to_owned(),
            style: style(button),
        })
        .collect()
}

const fn style(button: Button) -> Option<&'static str> {
    match button {
        Button::Approve | Button::Confirm => Some("primary"),
        Button::Revert | Button::Reject => Some("danger"),
        Button::HandOver => None,
    }
}

fn context(text: String) -> Block {
    Block::Context { elements: vec![plain(text)] }
}

const fn plain(text: String) -> Text {
    Text { text, emoji: false }
}

/// Minutes are enough for people; UTC, since readers sit in several zones.
fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A notice as the plain text of a message.
pub fn notice(notice: &Notice) -> String {
    let lines = std::iter::once(&notice.headline).chain(&notice.lines);
    escape(&lines.map(|line| one_line(line)).collect::<Vec<_>>().join("\n"))
}

/// The three characters that Slack parses (its page "Formatting text for app surfaces"), within the limit
/// and never cutting an entity in two.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = TEXT - 1;
    for c in text.chars() {
        let (entity, cost) = match c {
            '&' => (Some("&amp;"), 5),
            '<' => (Some("&lt;"), 4),
            '>' => (Some("&gt;"), 4),
            c => (None, c.len_utf16()),
        };
        let Some(rest) = left.checked_sub(cost) else {
            out.push('…');
            break;
        };
        left = rest;
        match entity {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        }
    }
    out
}
