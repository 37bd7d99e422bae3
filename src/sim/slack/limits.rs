//! Slack's limits of a message, as its reference of Block Kit states them, and the errors it answers with.

use serde_json::Value;

const BLOCKS: usize = 50;
const HEADER: usize = 150;
const SECTION: usize = 3_000;
const CONTEXT: usize = 10;
const ACTIONS: usize = 25;
const ID: usize = 255;
const BUTTON: usize = 75;
const VALUE: usize = 2_000;
/// Slack names no number for all blocks together; this is the strictest that was seen to be refused.
const TOGETHER: usize = 13_200;

/// Slack's error code for these blocks, if it would refuse them.
pub fn blocks(blocks: &[Value]) -> Result<(), &'static str> {
    let total: usize = blocks.iter().map(length).sum();
    if total > TOGETHER {
        return Err("msg_blocks_too_long");
    }
    let ids: Vec<&str> = blocks.iter().filter_map(|b| b["block_id"].as_str()).collect();
    if blocks.len() <= BLOCKS && distinct(&ids) && blocks.iter().all(block) {
        Ok(())
    } else {
        Err("invalid_blocks")
    }
}

/// All text in it, in UTF-16 units.
fn length(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => units(text),
                other => length(other),
            })
            .sum(),
        Value::Array(items) => items.iter().map(length).sum(),
        _ => 0,
    }
}

fn block(block: &Value) -> bool {
    let id = block["block_id"].as_str().is_none_or(|id| within(id, ID));
    let fits = match block["type"].as_str() {
        Some("header") => plain(&block["text"], HEADER),
        Some("section") => text(&block["text"], SECTION),
        Some("context") => list(&block["elements"], CONTEXT, |e| text(e, SECTION)),
        Some("actions") => list(&block["elements"], ACTIONS, button) && actions_differ(&block["elements"]),
        Some("rich_text") => list(&block["elements"], usize::MAX, rich),
        Some("divider") => true,
        _ => false,
    };
    id && fits
}

fn rich(element: &Value) -> bool {
    matches!(
        element["type"].as_str(),
        Some("rich_text_section" | "rich_text_preformatted" | "rich_text_quote")
    ) && list(&element["elements"], usize::MAX, |piece| match piece["type"].as_str() {
        Some("text") => piece["text"].as_str().is_some_and(|t| !t.is_empty()),
        Some("link" | "user" | "usergroup" | "broadcast" | "channel" | "emoji" | "date") => true,
        _ => false,
    })
}

fn button(element: &Value) -> bool {
    element["type"] == "button"
        && plain(&element["text"], BUTTON)
        && element["action_id"].as_str().is_none_or(|id| within(id, ID))
        && element["value"].as_str().is_none_or(|value| within(value, VALUE))
        && element["style"].as_str().is_none_or(|style| matches!(style, "primary" | "danger"))
}

fn actions_differ(elements: &Value) -> bool {
    let ids: Vec<&str> =
        elements.as_array().into_iter().flatten().filter_map(|e| e["action_id"].as_str()).collect();
    distinct(&ids)
}

fn distinct(ids: &[&str]) -> bool {
    ids.iter().enumerate().all(|(i, id)| !ids.iter().skip(i + 1).any(|other| other == id))
}

fn list(value: &Value, most: usize, each: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.len() <= most && items.iter().all(each))
}

fn plain(value: &Value, most: usize) -> bool {
    value["type"] == "plain_text" && text(value, most)
}

fn text(value: &Value, most: usize) -> bool {
    matches!(value["type"].as_str(), Some("plain_text" | "mrkdwn"))
        && value["text"].as_str().is_some_and(|text| within(text, most))
}

fn within(text: &str, most: usize) -> bool {
    !text.is_empty() && units(text) <= most
}

/// The length of a text as Slack counts it at its strictest.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
