//! What tools gave, kept whole for as long as the conversation lasts. The model is shown the beginning, the
//! end and the lines that matter, and can page through the rest with two tools that read nothing but this.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::desk::Call;
use super::fence;
use crate::domain::canonical::Hash;
use crate::domain::ids::EvidenceId;
use crate::ports::model::ToolSpec;

/// Shows lines of a result.
pub const READ: &str = "evidence__read";
/// Shows the lines of a result that hold a text.
pub const SEARCH: &str = "evidence__search";

/// Bytes of all that is kept. A conversation has 24 calls, and the hub passes on 24 KiB of each.
const KEPT: usize = 768 * 1024;
/// A line longer than this counts as several: some tools answer in one.
const ROW: usize = 1000;
/// Lines that a page has unless another number is asked for: about what a result may show.
const PAGE: usize = 80;
/// Lines that a page may have.
const LONGEST_PAGE: usize = 400;
/// Lines that a search shows.
const HITS: usize = 60;
/// Bytes of a text that is searched for.
const SOUGHT: usize = 200;

/// Whether this tool is one of the two.
pub fn is_own(tool: &str) -> bool {
    // whatever else a hub might offer under this name would be taken for them
    tool.starts_with("evidence__")
}

/// The two tools.
pub fn specs() -> [ToolSpec; 2] {
    let spec = |name: &str, description: &str, schema: &str| ToolSpec {
        name: name.into(),
        description: description.into(),
        schema: schema.into(),
    };
    [
        spec(
            READ,
            "Shows lines of a tool result of this conversation that was shown in part.",
            r#"{"type":"object","properties":{"id":{"type":"string","description":"the evidence's id"},"from":{"type":"integer","minimum":1,"description":"the first line"},"lines":{"type":"integer","minimum":1,"maximum":400}},"required":["id"],"additionalProperties":false}"#,
        ),
        spec(
            SEARCH,
            "Shows the lines of a tool result of this conversation that hold a text, whatever the case of its letters.",
            r#"{"type":"object","properties":{"id":{"type":"string","description":"the evidence's id"},"text":{"type":"string","description":"what to look for, as it stands"}},"required":["id","text"],"additionalProperties":false}"#,
        ),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadArgs {
    id: String,
    #[serde(default)]
    from: Option<usize>,
    #[serde(default)]
    lines: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchArgs {
    id: String,
    text: String,
}

/// A page of what is kept, not yet fenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// What tools gave so far.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    named: BTreeMap<EvidenceId, Hash>,
    outputs: BTreeMap<Hash, String>,
    bytes: usize,
}

impl Shelf {
    /// Keeps a cleaned result; once there is too much, only as much of it as the model is shown.
    pub fn keep(&mut self, text: &str, shown: usize) -> Hash {
        let room = KEPT.saturating_sub(self.bytes).max(shown);
        let text = fence::bounded(text, room);
        let hash = Hash::of(text.as_bytes());
        if !self.outputs.contains_key(&hash) {
            self.bytes += text.len();
            self.outputs.insert(hash, text);
        }
        hash
    }

    /// From now on the model may page through this under this name.
    pub fn name(&mut self, id: EvidenceId, output: Hash) {
        self.named.insert(id, output);
    }

    /// Everything that is kept.
    pub fn into_outputs(self) -> Vec<String> {
        self.outputs.into_values().collect()
    }

    /// Carries out a call of one of the two tools; an error is in words for the model.
    pub fn page(&self, call: &Call) -> Result<Page, String> {
        let wrong = |_| format!("the arguments of `{}` do not follow its schema", call.tool);
        match call.tool.as_str() {
            READ => self.read(&serde_json::from_str(&call.arguments).map_err(wrong)?),
            SEARCH => self.search(&serde_json::from_str(&call.arguments).map_err(wrong)?),
            _ => Err(format!(
                "there is no such tool; to page through evidence there are `{READ}` and `{SEARCH}`"
            )),
        }
    }

    fn read(&self, ReadArgs { id, from, lines }: &ReadArgs) -> Result<Page, String> {
        let text = self.text(id)?;
        let (from, lines) = (from.unwrap_or(1).max(1), lines.unwrap_or(PAGE).clamp(1, LONGEST_PAGE));
        let total = rows(text).count();
        let page: Vec<&str> = rows(text).skip(from - 1).take(lines).collect();
        if page.is_empty() {
            return Err(format!("evidence {} has {total} lines", fence::one_line(id, 32)));
        }
        let title =
            format!("{} lines {from} to {} of {total}", fence::one_line(id, 32), from + page.len() - 1);
        Ok(Page { title, text: page.join("\n") })
    }

    fn search(&self, SearchArgs { id, text: sought }: &SearchArgs) -> Result<Page, String> {
        let text = self.text(id)?;
        if sought.trim().is_empty() || sought.len() > SOUGHT {
            return Err(format!("the text to look for must have 1 to {SOUGHT} characters"));
        }
        let hits: Vec<String> = numbered(text, &[sought.to_lowercase()]).collect();
        let title = format!("{}: {} lines hold the text", fence::one_line(id, 32), hits.len());
        let text = if hits.is_empty() { "(none)".to_owned() } else { few(hits, HITS) };
        Ok(Page { title, text })
    }

    fn text(&self, id: &str) -> Result<&str, String> {
        let found = self.named.get(&EvidenceId::new(id)).and_then(|hash| self.outputs.get(hash));
        found.map(String::as_str).ok_or_else(|| {
            // forty are more than any conversation has had
            let ids: Vec<&str> = self.named.keys().map(EvidenceId::as_str).take(40).collect();
            match ids.as_slice() {
                [] => "no tool result is kept yet".to_owned(),
                ids => format!("there is no such tool result; there are: {}", ids.join(", ")),
            }
        })
    }
}

/// What the model is shown of a result: all of it, or its beginning, the lines that hold what was asked for or
/// that speak of errors, and its end, each about a third of `max`.
pub fn view(text: &str, call: &Call, id: &EvidenceId, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let third = max / 3;
    let head: Vec<&str> = within(rows(text), third);
    let mut tail: Vec<&str> = within(rows(text).collect::<Vec<_>>().into_iter().rev(), third);
    tail.reverse();
    let total = rows(text).count();
    let between = head.len() + 1..=total.saturating_sub(tail.len());
    let hits = within_owned(matching(text, call, &between), third);
    let mut out = head.join("\n");
    let _ = write!(
        out,
        "\n… lines {} to {} of {total} left out: `{READ}` with id {id} shows them, `{SEARCH}` looks through them …\n",
        between.start(),
        between.end()
    );
    if !hits.is_empty() {
        let _ = write!(
            out,
            "… of these, with their numbers, {} that may matter …\n{}\n…\n",
            hits.len(),
            hits.join("\n")
        );
    }
    out.push_str(&tail.join("\n"));
    out
}

/// Words that make a line worth showing.
const TROUBLE: [&str; 14] = [
    "error",
    "fail",
    "panic",
    "exception",
    "fatal",
    "oom",
    "killed",
    "denied",
    "refused",
    "timeout",
    "timed out",
    "cannot",
    "unable",
    "critical",
];

/// Argument names whose value is what the call looks for.
const LOOKED_FOR: [&str; 7] = ["pattern", "query", "search", "text", "filter", "contains", "match"];

/// The numbered lines between head and tail that hold what the call looks for; if it looks for nothing that is
/// there, those that speak of trouble.
fn matching(text: &str, call: &Call, between: &std::ops::RangeInclusive<usize>) -> Vec<String> {
    let inside = |words: &[String]| -> Vec<String> {
        let hits = rows(text).enumerate().filter(|(n, row)| between.contains(&(n + 1)) && holds(row, words));
        hits.map(|(n, row)| format!("{}: {row}", n + 1)).collect()
    };
    let arguments: BTreeMap<String, Value> = serde_json::from_str(&call.arguments).unwrap_or_default();
    let sought = LOOKED_FOR.iter().filter_map(|name| arguments.get(*name)?.as_str());
    let sought: Vec<String> =
        sought.filter(|s| (2..=SOUGHT).contains(&s.len())).map(str::to_lowercase).collect();
    let own = if sought.is_empty() { Vec::new() } else { inside(&sought) };
    if own.is_empty() { inside(&TROUBLE.map(str::to_owned)) } else { own }
}

fn holds(row: &str, words: &[String]) -> bool {
    let row = row.to_lowercase();
    words.iter().any(|word| row.contains(word))
}

fn numbered<'a>(text: &'a str, words: &'a [String]) -> impl Iterator<Item = String> + 'a {
    rows(text).enumerate().filter(|(_, row)| holds(row, words)).map(|(n, row)| format!("{}: {row}", n + 1))
}

/// The first of them, and how many there are besides.
fn few(mut rows: Vec<String>, most: usize) -> String {
    let more = rows.len().saturating_sub(most);
    rows.truncate(most);
    if more > 0 {
        rows.push(format!("… and {more} more"));
    }
    rows.join("\n")
}

/// As many of the first rows as fit; at least one.
fn within<'a>(rows: impl Iterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let mut bytes = 0;
    let mut out = Vec::new();
    for row in rows {
        bytes += row.len() + 1;
        if bytes > max && !out.is_empty() {
            break;
        }
        out.push(row);
    }
    out
}

fn within_owned(rows: Vec<String>, max: usize) -> Vec<String> {
    let fit = within(rows.iter().map(String::as_str), max).len();
    rows.into_iter().take(fit).collect()
}

/// The lines of a text, long ones in pieces.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let line = rest.take()?;
            if line.len() <= ROW {
                return Some(line);
            }
            let at = (0..=ROW).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
            let (row, after) = line.split_at_checked(at)?;
            rest = Some(after);
            Some(row)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, arguments: &str) -> Call {
        Call { id: "1".into(), tool: tool.into(), arguments: arguments.into() }
    }

    fn log() -> String {
        let line =
            |n| if n == 500 { format!("line {n}: ERROR disk full") } else { format!("line {n}: fine") };
        (1..=1000).map(line).collect::<Vec<_>>().join("\n")
    }

    fn shelf(text: &str) -> Shelf {
        let mut shelf = Shelf::default();
        let hash = shelf.keep(text, 6000);
        shelf.name(EvidenceId::new("t1"), hash);
        shelf
    }

    #[test]
    fn a_large_result_is_shown_by_its_ends_and_what_matters() {
        let id = EvidenceId::new("t1");
        let shown = view(&log(), &call("x", "{}"), &id, 900);
        assert!(shown.len() < 1300, "{}", shown.len());
        assert!(shown.starts_with("line 1: fine\n") && shown.ends_with("line 1000: fine"), "{shown}");
        assert!(shown.contains("\n500: line 500: ERROR disk full\n"), "{shown}");
        assert!(shown.contains("of 1000 left out: `evidence__read` with id t1"), "{shown}");
        let sought = view(&log(), &call("x", r#"{"pattern":"Line 77"}"#), &id, 900);
        assert!(sought.contains("\n77: line 77: fine\n") && !sought.contains("ERROR"), "{sought}");
        let absent = view(&log(), &call("x", r#"{"query":"zebra"}"#), &id, 900);
        assert!(absent.contains("ERROR"), "{absent}");
        assert_eq!(view("short", &call("x", "{}"), &id, 900), "short");
        let giant = view(&"ä".repeat(50_000), &call("x", "{}"), &id, 3000);
        assert!(giant.len() < 3400 && giant.contains("of 100 left out"), "{}", giant.len());
    }

    #[test]
    fn it_can_be_paged_through() {
        let shelf = shelf(&log());
        let page = shelf.page(&call(READ, r#"{"id":"t1","from":499,"lines":2}"#)).unwrap();
        assert_eq!(page.text, "line 499: fine\nline 500: ERROR disk full");
        assert_eq!(page.title, "t1 lines 499 to 500 of 1000");
        assert_eq!(shelf.page(&call(READ, r#"{"id":"t1"}"#)).unwrap().text.lines().count(), PAGE);
        let hits = shelf.page(&call(SEARCH, r#"{"id":"t1","text":"error DISK"}"#)).unwrap();
        assert_eq!(hits.text, "500: line 500: ERROR disk full");
        assert_eq!(shelf.page(&call(SEARCH, r#"{"id":"t1","text":"zebra"}"#)).unwrap().text, "(none)");
        let many = shelf.page(&call(SEARCH, r#"{"id":"t1","text":"fine"}"#)).unwrap().text;
        assert!(many.ends_with("… and 939 more"), "{many}");
        // a pattern is a text like any other
        assert_eq!(shelf.page(&call(SEARCH, r#"{"id":"t1","text":".*"}"#)).unwrap().text, "(none)");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let shelf = shelf("a\nb");
        for (tool, arguments, said) in [
            (READ, r#"{"id":"t2"}"#, "there are: t1"),
            (READ, r#"{"id":"t1","from":3}"#, "has 2 lines"),
            (READ, r#"{"id":"t1","from":-1}"#, "do not follow"),
            (READ, r#"{"id":"t1","path":"/etc"}"#, "do not follow"),
            (SEARCH, r#"{"id":"t1"}"#, "do not follow"),
            (SEARCH, r#"{"id":"t1","text":" "}"#, "1 to 200"),
            ("evidence__delete", "{}", "no such tool"),
        ] {
            let why = shelf.page(&call(tool, arguments)).unwrap_err();
            assert!(why.contains(said), "{tool} {arguments}: {why}");
        }
        let most = format!(r#"{{"id":"t1","from":{},"lines":{}}}"#, usize::MAX, usize::MAX);
        assert!(shelf.page(&call(READ, &most)).is_err());
        assert!(Shelf::default().page(&call(READ, r#"{"id":"t1"}"#)).unwrap_err().contains("yet"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut shelf = Shelf::default();
        for n in 0..100 {
            shelf.keep(&format!("{n}{}", "x\n".repeat(20_000)), 6000);
        }
        let bytes: usize = shelf.into_outputs().iter().map(String::len).sum();
        assert!(bytes < KEPT + 100 * 7000, "{bytes}");
    }
}
