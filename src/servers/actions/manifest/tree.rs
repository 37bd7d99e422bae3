//! A YAML text as a tree in which every node knows its bytes. Nothing is resolved: an alias stays one, and a
//! tag is noted.

use std::ops::Range;

use serde_json::Value;
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle};

/// Deeper than this is no manifest: the deepest field of a pod template stands at a third of it.
const DEEPEST: usize = 64;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// As a block of lines.
    Block,
}

/// A node with its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// From where to where it stands; for a collection, where it begins.
    pub at: Range<usize>,
    /// An anchor or a tag stands on it.
    pub marked: bool,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A value.
    Scalar {
        /// Without quotes and escapes.
        text: String,
        /// How it is written.
        style: Style,
    },
    /// Keys and values, in their order.
    Map {
        /// In braces.
        flow: bool,
        /// Each.
        entries: Vec<(Node, Node)>,
    },
    /// Items.
    List(Vec<Node>),
    /// What an anchor of this number names.
    Alias(usize),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::Map { .. } | Content::List(_) | Content::Alias(_) => None,
        }
    }

    /// The value of this key of a map; an error where the key stands there twice.
    pub fn get(&self, key: &str) -> Result<Option<&Self>, String> {
        let Content::Map { entries, .. } = &self.content else { return Ok(None) };
        let mut found = entries.iter().filter(|(k, _)| k.text() == Some(key));
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|(_, value)| value)),
            (_, Some(_)) => Err(format!("`{key}` stands there twice")),
        }
    }

    /// The value of a scalar, as far as every reader of YAML agrees: whole numbers, `true` and `false`; what is
    /// read one way here and another way there stays text.
    pub fn value(&self) -> Option<Value> {
        let Content::Scalar { text, style } = &self.content else { return None };
        Some(if *style == Style::Plain { plain(text) } else { Value::from(text.as_str()) })
    }

    /// The same without places.
    pub fn meaning(&self) -> Meaning {
        match &self.content {
            Content::Scalar { text, style } => {
                Meaning::Scalar { text: text.clone(), quoted: *style != Style::Plain, marked: self.marked }
            }
            Content::Map { entries, .. } => {
                Meaning::Map(entries.iter().map(|(k, v)| (k.meaning(), v.meaning())).collect(), self.marked)
            }
            Content::List(items) => Meaning::List(items.iter().map(Self::meaning).collect(), self.marked),
            Content::Alias(number) => Meaning::Alias(*number),
        }
    }
}

/// What a text says, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    Scalar { text: String, quoted: bool, marked: bool },
    Map(Vec<(Self, Self)>, bool),
    List(Vec<Self>, bool),
    Alias(usize),
}

/// A plain scalar's value.
pub fn plain(text: &str) -> Value {
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        number
            if number == "0" || (number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0')) =>
        {
            number.parse::<u64>().map_or_else(|_| Value::from(number), Value::from)
        }
        other => Value::from(other),
    }
}

/// The documents of this text.
pub fn parse(text: &str) -> Result<Vec<Node>, String> {
    let mut builder = Builder { text, open: Vec::new(), documents: Vec::new() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| format!("it is no YAML: {e}"))?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

/// Collects nodes from events.
struct Builder<'t> {
    text: &'t str,
    open: Vec<(Node, Option<Node>)>,
    documents: Vec<Node>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        let at = self.bytes(span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = Content::Scalar { text: text.into_owned(), style: style_of(style) };
                self.close(Node { at, marked: anchor != 0 || tag.is_some(), content })?;
            }
            Event::Alias(number) => {
                self.close(Node { at, marked: false, content: Content::Alias(number) })?;
            }
            Event::UnresolvedAlias(name) => return Err(format!("the alias `{name}` names nothing")),
            Event::SequenceStart(_, anchor, tag) => {
                self.open(Node { at, marked: anchor != 0 || tag.is_some(), content: Content::List(vec![]) })?;
            }
            Event::MappingStart(style, anchor, tag) => {
                let content = Content::Map { flow: style == StructureStyle::Flow, entries: vec![] };
                self.open(Node { at, marked: anchor != 0 || tag.is_some(), content })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (node, _) = self.open.pop().ok_or("it is no YAML: an end without a beginning")?;
                self.close(node)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn bytes(&self, span: Span) -> Result<Range<usize>, String> {
        let offset = |marker: Marker| marker.byte_offset().filter(|at| self.text.is_char_boundary(*at));
        match (offset(span.start), offset(span.end)) {
            (Some(start), Some(end)) if start <= end => Ok(start..end),
            _ => Err("where its parts stand cannot be told".to_owned()),
        }
    }

    fn open(&mut self, node: Node) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        self.open.push((node, None));
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node) -> Result<(), String> {
        let Some((parent, key)) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, .. } => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            Content::Scalar { .. } | Content::Alias(_) => return Err("it is no YAML".to_owned()),
        }
        Ok(())
    }
}

const fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}
