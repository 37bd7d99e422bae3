//! What an alerting rule compares with what: its expression is split at its one comparison with a constant, so that the
//! value behind an alert can be asked for, and shown beside its threshold.

/// How a value is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// As PromQL writes it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// The same with its sides changed.
    const fn turned(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
        }
    }

    /// Whether the alert fires above its threshold, or below it; `None` where it is neither.
    pub const fn above(self) -> Option<bool> {
        match self {
            Self::Above | Self::AtLeast => Some(true),
            Self::Below | Self::AtMost => Some(false),
            Self::Equal | Self::NotEqual => None,
        }
    }
}

/// `value operator threshold`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The expression of the value.
    pub value: String,
    /// How it is compared.
    pub operator: Operator,
    /// The expression of the threshold: numbers, and arithmetic over them.
    pub threshold: String,
}

/// The longest expression that is looked at: 4 KiB are a page.
const LONGEST: usize = 4096;
/// Parentheses around the whole that are taken off: nobody writes more.
const AROUND: usize = 8;

/// The comparison of a rule's expression; `None` where it has none with a constant, or several. Of `a and b` and
/// `a unless b` it is that of `a`, whose value the alert has.
pub fn comparison(expression: &str) -> Option<Comparison> {
    if expression.len() > LONGEST {
        return None;
    }
    let mut text = expression.trim();
    for _ in 0..AROUND {
        text = first_of_set(text)?;
        let Some(inner) = unwrapped(text) else { break };
        text = inner;
    }
    let found = operators(text);
    let [(at, length, operator)] = found.as_slice() else { return None };
    let (left, right) = (text.get(..*at)?.trim(), text.get(at + length..)?.trim());
    let made = |value: &str, operator, threshold: &str| Comparison {
        value: value.to_owned(),
        operator,
        threshold: threshold.to_owned(),
    };
    match (is_constant(left), is_constant(right)) {
        (false, true) => Some(made(left, *operator, right)),
        (true, false) => Some(made(right, operator.turned(), left)),
        (true, true) | (false, false) => None,
    }
}

/// The first operand of `and` and `unless`, if there are any; `None` where there is an `or`.
fn first_of_set(text: &str) -> Option<&str> {
    let mut end = None;
    for (at, word) in words(text) {
        match word.to_ascii_lowercase().as_str() {
            "or" => return None,
            "and" | "unless" if end.is_none() => end = Some(at),
            _ => {}
        }
    }
    Some(end.and_then(|end| text.get(..end)).unwrap_or(text).trim())
}

/// Without the parentheses, if they are around the whole.
fn unwrapped(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let closes = outside(text).into_iter().find(|(_, c)| *c == ')').map(|(at, _)| at);
    (closes == Some(text.len() - 1)).then(|| inner.trim())
}

fn is_constant(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || c.is_ascii_whitespace() || ".+-*/%^()eE".contains(c);
    text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(plain)
}

/// Comparisons outside of brackets and texts: where, how long, which.
fn operators(text: &str) -> Vec<(usize, usize, Operator)> {
    let mut found = Vec::new();
    let mut taken = 0;
    for (at, c) in outside(text) {
        if at < taken {
            continue;
        }
        let equals = text.get(at + 1..).is_some_and(|rest| rest.starts_with('='));
        let (length, operator) = match (c, equals) {
            ('>', true) => (2, Operator::AtLeast),
            ('>', false) => (1, Operator::Above),
            ('<', true) => (2, Operator::AtMost),
            ('<', false) => (1, Operator::Below),
            ('=', true) => (2, Operator::Equal),
            ('!', true) => (2, Operator::NotEqual),
            _ => continue,
        };
        taken = at + length;
        found.push((at, length, operator));
    }
    found
}

/// The words outside of brackets and texts, and where each begins.
fn words(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut start): (Vec<(usize, &str)>, Option<usize>) = (Vec::new(), None);
    let outside = outside(text);
    let mut previous: Option<usize> = None;
    for (at, c) in outside {
        let part = c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let joined = previous.is_some_and(|p| p + 1 == at);
        if let Some(from) = start.filter(|_| !part || !joined) {
            let end = previous.map_or(at, |p| p + 1);
            found.extend(text.get(from..end).map(|word| (from, word)));
            start = None;
        }
        if part && start.is_none() {
            start = Some(at);
        }
        previous = Some(at);
    }
    if let Some(from) = start {
        found.extend(text.get(from..).map(|word| (from, word)));
    }
    found
}

/// The characters outside of texts and of `()`, `[]` and `{}`, with the brackets themselves.
fn outside(text: &str) -> Vec<(usize, char)> {
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' if open != '`' => escaped = true,
                _ if c == open => quote = None,
                _ => {}
            }
            continue;
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '(' | '[' | '{' => {
                if depth == 0 {
                    found.push((at, c));
                }
                depth += 1;
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push((at, c));
                }
            }
            _ if depth == 0 => found.push((at, c)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_comparison_with_a_constant_is_found() {
        for (expression, value, symbol, threshold) in [
            ("up == 0", "up", "==", "0"),
            (
                r#"sum(rate(x{code=~"5..",a!="b"}[5m])) / sum(rate(x[5m])) > 0.05"#,
                r#"sum(rate(x{code=~"5..",a!="b"}[5m])) / sum(rate(x[5m]))"#,
                ">",
                "0.05",
            ),
            ("(1 - avail) * 100 >= (14.4 * 0.1)", "(1 - avail) * 100", ">=", "(14.4 * 0.1)"),
            ("10 < x", "x", ">", "10"),
            ("((x <= 1e-3))", "x", "<=", "1e-3"),
            ("(x > 5 and on (a) y > 7) unless z", "x", ">", "5"),
            ("x > 0\n  AND\ny != 3", "x", ">", "0"),
            ("x != -1", "x", "!=", "-1"),
            (r#"count(x{a=" > 3 or ("}) > 2"#, r#"count(x{a=" > 3 or ("})"#, ">", "2"),
            ("command_for_sensor > 3", "command_for_sensor", ">", "3"),
            ("sum by (a) (x) > 1", "sum by (a) (x)", ">", "1"),
        ] {
            let found = comparison(expression).unwrap_or_else(|| panic!("{expression}"));
            let Comparison { value: v, operator, threshold: t } = found;
            assert_eq!(
                (v.as_str(), operator.symbol(), t.as_str()),
                (value, symbol, threshold),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_has_none_has_none() {
        for expression in [
            "",
            "absent(up)",
            "a > b",
            "a > on (x) group_left () b",
            "a > 1 or b > 2",
            "1 > 0",
            "a > bool 1",
            "1 < a < 5",
            "(a > 1) * 3",
            r#"x{a="b} > 3"#,
            ">",
            "x >",
        ] {
            assert_eq!(comparison(expression), None, "{expression}");
        }
        assert_eq!(comparison(&format!("{} > 1", "a".repeat(5000))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_refused(text in "[-a-z0-9 (){}\\[\\]<>=!\"'`\\\\é]{0,80}") {
            if let Some(Comparison { value, threshold, .. }) = comparison(&text) {
                prop_assert!(text.contains(&value) && text.contains(&threshold));
            }
        }
    }
}
