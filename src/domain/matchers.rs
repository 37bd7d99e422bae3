//! Alertmanager's label matchers: `name="value"`, `!=`, `=~` and `!~` with anchored regular expressions;
//! several in one text, separated by commas and with or without braces, must all hold.

use regex::Regex;

use super::alert::Labels;

/// One text of matchers; all of them must hold.
#[derive(Debug)]
pub struct Matchers {
    source: String,
    all: Vec<Matcher>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(String),
    IsNot(String),
    Like(Regex),
    Unlike(Regex),
}

impl Matchers {
    /// Reads them.
    pub fn parse(source: &str) -> Result<Self, String> {
        let inner = source.trim();
        let inner = inner.strip_prefix('{').and_then(|s| s.strip_suffix('}')).unwrap_or(inner);
        let all = split(inner).into_iter().map(matcher).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err("there is no matcher in it".to_owned());
        }
        Ok(Self { source: source.to_owned(), all })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether all of them hold. A label that is not there is the empty text.
    pub fn hold(&self, labels: &Labels) -> bool {
        self.all.iter().all(|matcher| matcher.holds(labels.get(&matcher.label).map_or("", String::as_str)))
    }

    /// The labels that it looks at.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|matcher| matcher.label.as_str())
    }

    /// Whether an alert of this name could match, whatever its other labels are.
    pub fn could_be(&self, alertname: &str) -> bool {
        self.all.iter().filter(|matcher| matcher.label == "alertname").all(|matcher| matcher.holds(alertname))
    }

    /// The one name of alerts that can match, if there is only one.
    pub fn alertname(&self) -> Option<&str> {
        self.all.iter().find_map(|matcher| match &matcher.test {
            Test::Is(text) if matcher.label == "alertname" => Some(text.as_str()),
            Test::Is(_) | Test::IsNot(_) | Test::Like(_) | Test::Unlike(_) => None,
        })
    }
}

impl Matcher {
    fn holds(&self, value: &str) -> bool {
        match &self.test {
            Test::Is(text) => value == text,
            Test::IsNot(text) => value != text,
            Test::Like(pattern) => pattern.is_match(value),
            Test::Unlike(pattern) => !pattern.is_match(value),
        }
    }
}

/// Splits at commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (i, c) in text.char_indices() {
        match c {
            '\\' if quoted && !escaped => {
                escaped = true;
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                parts.extend(text.get(start..i));
                start = i + 1;
            }
            _ => {}
        }
        escaped = false;
    }
    parts.extend(text.get(start..));
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn matcher(text: &str) -> Result<Matcher, String> {
    let at = text.find(['=', '!']).ok_or_else(|| format!("`{text}` has none of `=`, `!=`, `=~`, `!~`"))?;
    let (label, rest) = text.split_at(at);
    let label = label.trim();
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) || !label.chars().all(name) {
        return Err(format!("`{label}` is not the name of a label"));
    }
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|op| rest.starts_with(op));
    let operator = operator.ok_or_else(|| format!("`{text}` has none of `=`, `!=`, `=~`, `!~`"))?;
    let value = unquote(rest.strip_prefix(operator).unwrap_or_default().trim())?;
    let condition = match operator {
        "=" => Test::Is(value),
        "!=" => Test::IsNot(value),
        "=~" => Test::Like(anchored(&value)?),
        _ => Test::Unlike(anchored(&value)?),
    };
    Ok(Matcher { label: label.to_owned(), test: condition })
}

fn unquote(text: &str) -> Result<String, String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return if text.contains('"') {
            Err(format!("`{text}` has a quote in it"))
        } else {
            Ok(text.to_owned())
        };
    };
    let inner = quoted.strip_suffix('"').ok_or_else(|| format!("`{text}` lacks its closing quote"))?;
    let (mut value, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(other @ ('"' | '\\')) => value.push(other),
                Some(other) => value.extend(['\\', other]),
                None => return Err(format!("`{text}` ends within an escape")),
            },
            '"' => return Err(format!("`{text}` has a quote in its middle")),
            other => value.push(other),
        }
    }
    Ok(value)
}

fn anchored(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|_| format!("`{pattern}` is not a regular expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_those_of_alertmanager() {
        let labels = Labels::from([
            ("alertname".to_owned(), "KubePodCrashLooping".to_owned()),
            ("severity".to_owned(), "warning".to_owned()),
        ]);
        let cases = [
            (r#"alertname="KubePodCrashLooping""#, true),
            ("alertname=KubePodCrashLooping", true),
            (r#"{alertname="KubePodCrashLooping", severity="warning"}"#, true),
            (r#"alertname="KubePodCrashLooping",severity="critical""#, false),
            (r#"alertname=~"Kube.*|Node.*""#, true),
            (r#"alertname=~"Crash""#, false),
            (r#"alertname!~"Node.*""#, true),
            (r#"severity!="critical""#, true),
            (r#"severity!="warnin.""#, true),
            (r#"severity!~"warnin.""#, false),
            (r#"team="""#, true),
            (r#"team!="""#, false),
            (r#"severity=~"a,b|warning""#, true),
        ];
        for (text, expected) in cases {
            assert_eq!(Matchers::parse(text).unwrap().hold(&labels), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_matcher_is_refused() {
        for text in ["", "alertname", "1x=\"a\"", "a=\"b", "a=\"b\"c\"", "a=~\"(\"", "a b=\"c\"", "a=\"\\"] {
            assert!(Matchers::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_and_commas_within_quotes_are_text() {
        let labels = Labels::from([
            ("a".to_owned(), r#"x","y"#.to_owned()),
            ("b".to_owned(), r"x\".to_owned()),
            ("c".to_owned(), "z".to_owned()),
        ]);
        for (text, expected) in [
            (r#"a="x\",\"y""#, true),
            (r#"a="x\",\"y",c="z""#, true),
            (r#"b="x\\",c="z""#, true),
            (r#"b="x\\",c="y""#, false),
            (r#"c="z",b="x\\""#, true),
        ] {
            let found = Matchers::parse(text).unwrap();
            assert_eq!(found.hold(&labels), expected, "{text}");
            assert_eq!(found.source(), text);
        }
    }
}
