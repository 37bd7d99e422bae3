//! Tool results as text, within bounds: the head, where the answer usually is, and the tail, where the
//! error usually is.

use rmcp::model::ContentBlock;

/// All text of a result; anything else is named and left out.
pub(super) fn of(content: &[ContentBlock]) -> String {
    let parts: Vec<&str> = content
        .iter()
        .map(|block| block.as_text().map_or("[not text: left out]", |t| t.text.as_str()))
        .collect();
    parts.join("\n")
}

/// At most about `max` bytes: two thirds from the beginning, one third from the end, and a statement of
/// what lies between.
pub(super) fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = boundary(text, max * 2 / 3);
    let tail = boundary(text, text.len() - max / 3);
    let (Some(first), Some(last)) = (text.get(..head), text.get(tail..)) else { return String::new() };
    format!("{first}\n[… {} bytes left out …]\n{last}", tail - head)
}

/// The last boundary between characters up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_left_alone() {
        assert_eq!(bounded("abc", 3), "abc");
    }

    #[test]
    fn long_text_keeps_both_ends_and_says_what_is_missing() {
        let text = format!("{}{}", "é".repeat(100), "z".repeat(100));
        let cut = bounded(&text, 30);
        assert!(cut.starts_with("éééééééééé\n[… 270 bytes left out …]\nzzzzzzzzzz"), "{cut}");
    }
}
