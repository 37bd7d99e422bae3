//! Text that workloads, alerts and models wrote, made safe to look at: whatever a person could not see
//! or would mistake for something else is written as its code point. Shared by every channel.

/// `text` with control characters, invisible characters and look-alike letters written as `\u{…}`.
/// Line breaks stay; tabs become four spaces; a lone carriage return is shown, since a terminal would
/// overwrite the line.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.replace("\r\n", "\n").chars() {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        push_word(&mut out, &mut word);
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if hidden(c) => push_code(&mut out, c),
            c => out.push(c),
        }
    }
    push_word(&mut out, &mut word);
    out
}

/// `visible`, on one line.
pub fn one_line(text: &str) -> String {
    let mut words = String::new();
    for word in visible(text).split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// The start of `text`, at most `units` UTF-16 code units long, with `…` where something was left out.
/// UTF-16, since it is the strictest way in which a vendor may count "characters" of one plane.
pub fn clip(text: &str, units: usize) -> String {
    if utf16(text) <= units {
        return text.to_owned();
    }
    let mut left = units.saturating_sub(1);
    let mut out: String = text
        .chars()
        .take_while(|c| match left.checked_sub(c.len_utf16()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .collect();
    if units > 0 {
        out.push('…');
    }
    out
}

/// The length of `text` in UTF-16 code units.
pub fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A word that mixes Latin letters with Cyrillic or Greek ones pretends to be another word.
fn push_word(out: &mut String, word: &mut String) {
    let latin = word.chars().any(|c| c.is_ascii_alphabetic());
    for c in word.drain(..) {
        if hidden(c) || (latin && looks_latin(c)) { push_code(out, c) } else { out.push(c) }
    }
}

fn push_code(out: &mut String, c: char) {
    out.extend(c.escape_unicode());
}

/// Greek (U+0370–U+03FF), Cyrillic with its supplement (U+0400–U+052F), full-width forms (U+FF00–U+FF5E).
const fn looks_latin(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{52f}' | '\u{ff00}'..='\u{ff5e}')
}

/// Controls (C0, DEL, C1), soft hyphen, zero-width and bidirectional marks, fillers, variation selectors,
/// interlinear and tag characters, private use: what is not seen, or reorders what is.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_shown() {
        for (text, shown) in [
            ("a\u{1b}[31mred", "a\\u{1b}[31mred"),
            ("\u{1b}]8;;https://evil\u{7}ok", "\\u{1b}]8;;https://evil\\u{7}ok"),
            ("no\u{200b}where", "no\\u{200b}where"),
            ("\u{202e}drawkcab", "\\u{202e}drawkcab"),
            ("p\u{430}yments", "p\\u{430}yments"),
            ("привет", "привет"),
            ("a\tb\nc\rd", "a    b\nc\\u{d}d"),
            ("naïve — ok 🦀", "naïve — ok 🦀"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn clipping_counts_in_utf16() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "ab…");
        assert_eq!(clip("🦀🦀", 3), "🦀…");
        assert_eq!(clip("abc", 0), "");
    }
}
