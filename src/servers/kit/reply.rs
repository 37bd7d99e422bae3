//! Answers: the same as structure for programs and as text for people and models.

use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;

use super::scope::Trouble;
use super::table::{grouped, table};

/// An answer that can be read.
pub trait Readable {
    /// As text.
    fn text(&self) -> String;
}

/// How much of a list is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Extent {
    /// How many are shown.
    pub shown: u64,
    /// How many there are; absent where the source does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many there are at least.
    pub at_least: u64,
}

impl Extent {
    /// `all 3 pods`, `showing 100 of 2,312 pods`.
    pub fn words(&self, what: &str) -> String {
        let Self { shown, total, at_least } = self;
        match total {
            Some(0) => format!("there are no {what}"),
            Some(total) if total == shown => format!("all {} {what}", grouped(*total)),
            Some(total) => format!("showing {} of {} {what}", grouped(*shown), grouped(*total)),
            None => format!("showing {} of more than {} {what}", grouped(*shown), grouped(*at_least)),
        }
    }
}

/// The sentence, and the table where there is anything in it.
pub fn page(sentence: &str, heading: &[&str], rows: &[Vec<String>]) -> String {
    match rows {
        [] => sentence.to_owned(),
        rows => format!("{sentence}\n\n{}", table(heading, rows)),
    }
}

/// The text, or a dash.
pub fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

/// An answer as structure and as text; trouble as text that says what to do.
pub fn answer<T: Serialize + Readable>(read: Result<T, Trouble>) -> CallToolResult {
    let failed = |why: String| CallToolResult::error(vec![ContentBlock::text(why)]);
    let view = match read {
        Ok(view) => view,
        Err(trouble) => return failed(trouble.to_string()),
    };
    match serde_json::to_value(&view) {
        Ok(structure) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(view.text())]);
            result.structured_content = Some(structure);
            result
        }
        Err(error) => failed(format!("the answer cannot be written as JSON: {error}")),
    }
}
