//! Text from outside made fit to be kept and shown: control sequences taken out, what cannot be seen made
//! visible, secrets blanked, length bounded. Pure; whatever it is given stays text and never steers anything.

mod numbers;
mod random;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// At most this much of one text is looked at: four times the 64 KiB that is read of any log, so that
/// nothing belay reads is cut here first.
const MAX_BYTES: usize = 256 * 1024;

/// One pass blanks nearly everything and the next finds nothing more; chains of four rules have not been seen.
const PASSES: usize = 5;

/// What stands where a secret stood.
const BLANK: &str = "[redacted]";

/// Cleaned, redacted, and cut to `max` characters, in that order: a cut first could halve a secret so that
/// it is no longer recognised, and an invisible character inside one could hide it.
pub fn safe(text: &str, max: usize) -> String {
    cut(&redact(&strip(bounded(text))), max)
}

/// Takes out control characters and terminal sequences, shows what cannot be seen (`<U+202E>`), and cuts to
/// `max` characters. Line feeds and tabs stay.
pub fn clean(text: &str, max: usize) -> String {
    cut(&strip(bounded(text)), max)
}

/// As [`safe`], and on one line: for summaries and log fields.
pub fn line(text: &str, max: usize) -> String {
    let spaced: String = bounded(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    cut(redact(&strip(&spaced)).trim(), max)
}

/// Blanks what looks like a secret (private keys, tokens, passwords in connection strings and settings, text that is too
/// random to be anything else) or like somebody's own: e-mail addresses, card and phone numbers. What an engineer needs
/// stays: versions, times, names with hashes in them, digests, UUIDs and trace ids.
pub fn redact(text: &str) -> String {
    let once = |text: &str| {
        let ruled = RULES.iter().fold(Cow::Borrowed(text), |text, (rule, with)| replaced(rule, text, with));
        let text = numbers::blank(&ruled);
        random::blank(&text, BLANK).into_owned()
    };
    let mut text = bounded(text).to_owned();
    // what a rule leaves may be what another looks for
    for _ in 0..PASSES {
        let next = once(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn replaced<'t>(rule: &Regex, text: Cow<'t, str>, with: &str) -> Cow<'t, str> {
    match rule.replace_all(&text, with) {
        Cow::Borrowed(_) => text,
        Cow::Owned(other) => Cow::Owned(other),
    }
}

fn bounded(text: &str) -> &str {
    let end = (0..=MAX_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn cut(text: &str, max: usize) -> String {
    let Some((at, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let (kept, rest) = text.split_at(at);
    format!("{kept}… ({} more characters)", rest.chars().count())
}

fn strip(text: &str) -> String {
    let plain = TERMINAL.replace_all(text, "");
    plain.chars().fold(String::with_capacity(plain.len()), |mut out, c| {
        match c {
            '\n' | '\t' => out.push(c),
            // of an emoji or of nothing: taken out, since they are in too many honest logs to be shown
            _ if c.is_control() || ('\u{FE00}'..='\u{FE0F}').contains(&c) => {}
            _ if unseen(c) => out.extend(format!("<U+{:04X}>", u32::from(c)).chars()),
            _ => out.push(c),
        }
        out
    })
}

/// Characters that change how text around them looks, or that cannot be seen: soft hyphen, zero-width,
/// bidirectional controls, invisible operators, line and paragraph separators, byte order mark, tags,
/// selectors of variants that are not emoji's, annotations.
fn unseen(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests below compile each one")]
fn rule(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

/// Terminal control: CSI, OSC (to its end or the end of the line), and any other escape with its letter.
static TERMINAL: LazyLock<Regex> = LazyLock::new(|| {
    rule(
        r"(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x{9d})[^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_a-z]?",
    )
});

static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)", BLANK),
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.?[A-Za-z0-9_-]*", BLANK),
        // the whole of what may be a password, also one with `:` or `/` in it: too much rather than too little
        (r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s@]*@", "$1:[redacted]@"),
        // Go's drivers write `user:password@tcp(host)`
        (r"\b([\w.-]+):[^\s@]+@((?:tcp|unix|udp)\()", "$1:[redacted]@$2"),
        (r"(https://hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9/_-]+", "$1[redacted]"),
        (r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", BLANK),
        (r"(?i)\b((?:set-)?cookie\s*:\s*)[^\s\[][^\n]*", "$1[redacted]"),
        (TOKENS, BLANK),
        (
            r#"(?i)([\w.-]*(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?access[_-]?signature|private[_-]?key|encryption[_-]?key|signing[_-]?key|client[_-]?key[_-]?data|credentials?|authorization)[\w-]*\\*["']?\s*[:=]\s*)(?:"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'|\\+"[^"\n]*"|[^\s,;&"'\\]+)"#,
            "$1[redacted]",
        ),
        // Azure's signed URLs
        (r"([?&]sig=)[A-Za-z0-9%+/=_-]{16,}", "$1[redacted]"),
        (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", "[e-mail]"),
        (r#"(?i)\b((?:phone|tel|telephone|mobile|msisdn)(?:_?(?:number|no))?["']?\s*[:=]\s*["']?)\+?[0-9(][0-9 ()./-]{5,20}[0-9]"#, "$1[phone]"),
    ]
    .map(|(pattern, with)| (rule(pattern), with))
    .into()
});

/// Tokens that say by their form whose they are.
const TOKENS: &str = concat!(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|gl(?:pat|rt|cbt|dt|ptt|oas|soat|ffct|agent|imt)-[\w-]{16,}",
    r"|npm_[A-Za-z0-9]{16,}|pypi-[A-Za-z0-9_-]{16,}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}|hf_[A-Za-z]{30,}",
    r"|xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"|whsec_[A-Za-z0-9+/=]{16,}|(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|ya29\.[\w-]{16,}",
    r"|GOCSPX-[\w-]{16,}|\w{3}[78]Q~[\w~.-]{30,}|LTAI[A-Za-z0-9]{12,20}|AKID[A-Za-z0-9]{13,40}|dop_v1_[a-f0-9]{32,}",
    r"|gl(?:sa|c)_[A-Za-z0-9_+/=]{16,}|hv[sbr]\.[A-Za-z0-9_-]{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|NRAK-[A-Z0-9]{20,}",
    r"|lin_api_[A-Za-z0-9]{20,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{40,}|HRKU-[\w-]{30,}",
    r"|dapi[a-f0-9]{32}|ops_eyJ[\w-]{16,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}|dd[ap]?_[A-Za-z0-9]{30,})"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(safe(text, 1000), expected, "{text:?}");
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        check("GET /cart 200 in 13 ms\n\tat main.rs:3", "GET /cart 200 in 13 ms\n\tat main.rs:3");
        check("straße 価格 🙂", "straße 価格 🙂");
    }

    #[test]
    fn terminal_sequences_and_controls_go() {
        check("\x1b[31;1mred\x1b[0m", "red");
        check("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink");
        check("a\rb\x08c\0d\u{9b}31me", "abcde");
        check("half \x1b", "half ");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        check("safe\u{202E}gnp.exe", "safe<U+202E>gnp.exe");
        check("a\u{200B}b\u{FEFF}c\u{E0041}", "a<U+200B>b<U+FEFF>c<U+E0041>");
    }

    #[test]
    fn secrets_are_blanked() {
        check("password=hunter2 user=x", "password=[redacted] user=x");
        check("DB_PASSWORD: \"two words\", next", "DB_PASSWORD: [redacted], next");
        check(r#"{"api_key":"abc","n":1}"#, r#"{"api_key":[redacted],"n":1}"#);
        check(r#"{\"token\":\"abc def\",\"n\":1}"#, r#"{\"token\":[redacted],\"n\":1}"#);
        check("postgres://app:s3c/r:et@db:5432/shop", "postgres://app:[redacted]@db:5432/shop");
        check("redis://:pw@cache", "redis://:[redacted]@cache");
        check("Authorization: Bearer abcdef123456", "Authorization: [redacted]");
        check("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_-1 end", "jwt [redacted] end");
        check("key AKIAIOSFODNN7EXAMPLE and xoxb-123456789-abc", "key [redacted] and [redacted]");
        check("mail jo.doe+x@mail.example.org now", "mail [e-mail] now");
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter",
            "[redacted]\nafter",
        );
        check("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "[redacted]");
    }

    #[test]
    fn a_secret_is_not_hidden_by_colour_and_not_halved_by_a_cut() {
        check("pass\x1b[0mword=hunter2", "password=[redacted]");
        assert_eq!(safe("token=abcdefghij", 12), "token=[redac… (4 more characters)");
    }

    #[test]
    fn a_line_has_no_line_breaks() {
        assert_eq!(line(" a\nb\tc\u{2028}d ", 100), "a b c d");
    }

    /// Pieces that rules are made of, between anything at all.
    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "\\PC{0,8}",
            "[\\x00-\\x1f\\x7f-\\xa0a-z\\u{200b}-\\u{202e}\\u{fe00}-\\u{fe0f}]{0,8}",
            prop::sample::select(vec![
                "password",
                "token",
                "=",
                ":",
                " ",
                "\"",
                "'",
                "\\",
                "://",
                "@",
                "a.b",
                ".com",
                "Bearer ",
                "basic\t",
                "eyJabcdefgh.",
                "AKIA",
                "0123456789ABCDEF",
                "-----BEGIN PRIVATE KEY-----",
                "[redacted]",
                "ghp_",
                "-----END PRIVATE KEY-----",
                "\n",
                "[e-mail]",
                "\u{1b}[31m",
                "\u{1b}]8;;",
                "\u{e0041}",
                ",",
                "-",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest::proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn nothing_dangerous_is_left(text in any_text()) {
            for out in [safe(&text, 200), clean(&text, 200), line(&text, 200)] {
                let visible = |c: char| c == '\n' || c == '\t' || (!c.is_control() && !unseen(c) && !('\u{FE00}'..='\u{FE0F}').contains(&c));
                prop_assert!(out.chars().all(visible), "{out:?}");
                // the bound, and the note that says what was cut
                prop_assert!(out.chars().count() <= 200 + "… ( more characters)".chars().count() + 20);
            }
            prop_assert!(!line(&text, 200).contains(['\n', '\t']));
        }

        #[test]
        fn a_second_time_changes_nothing(text in any_text()) {
            let all = usize::MAX;
            for f in [clean as fn(&str, usize) -> String, safe, line] {
                let once = f(&text, all);
                prop_assert_eq!(&f(&once, all), &once);
            }
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }

        #[test]
        fn a_secret_is_blanked_wherever_it_stands(before in "\\PC{0,20}", after in "[ \\n,;]\\PC{0,20}") {
            for secret in ["AKIA0CANARY0CANARY00", "ghp_0123456789abcdefCANARY", "postgres://app:CANARY@db"] {
                let out = safe(&format!("{before} {secret}{after}"), usize::MAX);
                prop_assert!(!out.contains("CANARY"), "{out}");
            }
        }
    }
}
