//! Card and phone numbers. Pure, one pass: what looks like one by its digits and groups, and for cards by Luhn's sum.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Runs of digits with what people put between them.
static RUNS: LazyLock<Regex> = LazyLock::new(|| super::rule(r"[+(]?[0-9](?:[ .()-]{0,2}[0-9]){8,}"));

/// The text without card and phone numbers.
pub(super) fn blank(text: &str) -> Cow<'_, str> {
    RUNS.replace_all(text, |found: &regex::Captures<'_>| {
        let Some(run) = found.get(0) else { return String::new() };
        let before = text.get(..run.start()).and_then(|t| t.chars().next_back());
        let after = text.get(run.end()..).and_then(|t| t.chars().next());
        let apart = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || "_-.+:/=@#".contains(c));
        // `+` ends what is before it; `=`, `:` and the like stand before values
        let begins = apart(before) || before.is_some_and(|c| "=:/".contains(c));
        let ends =
            apart(after) || (after == Some('.') && !text.get(run.end() + 1..).is_some_and(starts_word));
        let run = run.as_str();
        match begins && ends {
            true if is_card(run) => "[card]".to_owned(),
            true if is_phone(run) => "[phone]".to_owned(),
            _ => run.to_owned(),
        }
    })
}

fn starts_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric())
}

/// The lengths of the groups of digits, and what is between them, if that is always the same one character.
fn groups(run: &str) -> Option<(Vec<usize>, Option<char>)> {
    let between: Vec<char> = run.chars().filter(|c| !c.is_ascii_digit()).collect();
    let mark = between.first().copied();
    if between.iter().any(|c| Some(*c) != mark) {
        return None;
    }
    let lengths = match mark {
        Some(mark) => run.split(mark).map(str::len).collect(),
        None => vec![run.len()],
    };
    Some((lengths, mark))
}

/// Prefixes and lengths of the networks in use; in one piece, or grouped as on the card.
fn is_card(run: &str) -> bool {
    let Some((lengths, mark)) = groups(run) else { return false };
    if !matches!(mark, None | Some(' ' | '-')) {
        return false;
    }
    let digits: String = run.chars().filter(char::is_ascii_digit).collect();
    let head = |n: usize| digits.get(..n).and_then(|t| t.parse::<u32>().ok()).unwrap_or(0);
    let known = match digits.len() {
        14 => matches!(head(2), 36 | 38) || (300..=305).contains(&head(3)),
        15 => matches!(head(2), 34 | 37),
        16 => {
            head(1) == 4
                || (51..=55).contains(&head(2))
                || (2221..=2720).contains(&head(4))
                || (3528..=3589).contains(&head(4))
                || matches!(head(2), 60 | 62 | 64 | 65)
        }
        19 => head(2) == 62,
        _ => false,
    };
    let grouped = mark.is_none()
        || matches!(lengths.as_slice(), [4, 4, 4, 4] | [4, 6, 5 | 4] | [4, 4, 4, 4, 3] | [6, 13]);
    known && grouped && luhn(&digits)
}

/// Luhn's sum (ISO/IEC 7812-1, annex B).
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match (u32::from(b - b'0'), i % 2) {
            (d, 0) => d,
            (d, _) if d < 5 => d * 2,
            (d, _) => d * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// International numbers (E.164: `+`, at most 15 digits), and those of North America with their groups.
fn is_phone(run: &str) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if let Some(rest) = run.strip_prefix('+') {
        // dots without spaces are versions
        let dots = rest.matches('.').count();
        return (9..=15).contains(&digits) && !rest.starts_with('0') && dots != 1;
    }
    let american =
        |rest: &str| matches!(groups(rest), Some((lengths, Some(' ' | '-'))) if lengths == [3, 3, 4]);
    match run.strip_prefix('(') {
        Some(rest) => digits == 10 && american(&rest.replacen(") ", "-", 1).replacen(')', "-", 1)),
        None => american(run) && run.contains('-'),
    }
}
