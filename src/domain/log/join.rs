//! Stack traces that run over several lines: which line continues the one before it, by what the runtimes of Java,
//! Python, Go, Node and Rust print, and the records that lines make together.

use std::sync::LazyLock;

use regex::Regex;

use super::text::compiled;
use super::{Line, Severity};

/// The most lines of one record: a deep trace of a JVM has about a hundred frames, with its causes twice that.
const MOST: usize = 200;

/// Lines that only ever continue another: frames, causes, and what runtimes print around them.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        // Java, Kotlin, Scala; Node and browsers have the same frames
        r#"^(?:\s+at |Caused by: |\s*Suppressed: |\s+\.\.\. \d+ (?:more|common frames)"#,
        // Python
        r#"|\s+File "|During handling of the above exception|The above exception was the direct cause"#,
        // Go
        r#"|goroutine \d+ \[|\t\S+\.go:\d+|created by |\[signal |exit status \d+$"#,
        // Rust, Node
        r#"|stack backtrace:$|\s+\d+: |note: (?:run with|some details)|Node\.js v\d)"#,
    ))
});

/// An exception's class at the beginning of a line, as Java and Python print it.
static CLASS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"^(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error|Throwable|Interrupt|Exit|Warning)(?::|\s*$)",
    )
});

/// A function of Go's within a trace: `main.(*Server).handle(0xc000…)`.
static GO_CALL: LazyLock<Regex> = LazyLock::new(|| compiled(r"^[\w./*()\[\]·~-]+\(.*\)$"));

/// Where Node says that something was thrown, before it shows the line of code.
static NODE_PLACE: LazyLock<Regex> = LazyLock::new(|| compiled(r"^(?:/|file:|node:|[A-Z]:\\)\S*:\d+$"));

/// A time or a level at the beginning: a line of its own.
static STAMPED: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"^\s*(?:\[?\d{4}[-/]\d{2}[-/]\d{2}|\d{2}:\d{2}:\d{2}|[IWEF]\d{4} \d{2}:)"));

/// What the line before this one is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Inside {
    /// Nothing: there is none.
    #[default]
    Nothing,
    /// A line that told of no trouble.
    Plain,
    /// A line that told of trouble: an exception may follow it.
    Told,
    /// A trace whose frames are indented.
    Frames,
    /// Python's, before its last line.
    Python,
    /// Python's, after its last line: another may follow.
    Chained,
    /// Go's.
    Go,
    /// Rust's, whose message is on the next line.
    RustMessage,
    /// Node's, from the place of the fault on; so many lines of code may still come.
    Code(u8),
}

/// Goes through the lines of one instance in order.
#[derive(Debug, Default)]
pub struct Joiner {
    inside: Inside,
    lines: usize,
}

impl Joiner {
    /// Whether this line continues the one before it. `severity` is what the line says of itself.
    pub fn continues(&mut self, line: &str, severity: Option<Severity>) -> bool {
        let before = self.inside;
        let (continues, inside) = step(before, line, severity);
        if continues && self.lines < MOST {
            self.lines += 1;
            self.inside = inside;
            return true;
        }
        self.lines = 1;
        self.inside = if continues { Inside::Frames } else { inside };
        false
    }
}

fn step(before: Inside, line: &str, severity: Option<Severity>) -> (bool, Inside) {
    if before == Inside::Nothing {
        return (false, begun(line, severity));
    }
    if line.trim().is_empty() {
        let open = !matches!(before, Inside::Plain | Inside::Told);
        return (open, if open { before } else { Inside::Plain });
    }
    if line.starts_with('{') && line.len() > 2 || STAMPED.is_match(line) {
        return (false, begun(line, severity));
    }
    if FRAME.is_match(line) {
        return (true, framed(before, line));
    }
    if line.starts_with([' ', '\t']) {
        return (true, before);
    }
    match before {
        Inside::Python => (true, Inside::Chained),
        Inside::Go if GO_CALL.is_match(line) => (true, Inside::Go),
        Inside::RustMessage => (true, Inside::Frames),
        // a logger says what it was about, and the exception comes below
        Inside::Code(_) | Inside::Told if CLASS.is_match(line) => (true, Inside::Frames),
        Inside::Code(left) if left > 0 => (true, Inside::Code(left - 1)),
        Inside::Frames if line == "}" => (true, Inside::Frames),
        Inside::Chained | Inside::Told if line.starts_with("Traceback (") => (true, Inside::Python),
        Inside::Nothing
        | Inside::Plain
        | Inside::Told
        | Inside::Frames
        | Inside::Chained
        | Inside::Go
        | Inside::Code(_) => (false, begun(line, severity)),
    }
}

/// What a line that stands for itself begins.
fn begun(line: &str, severity: Option<Severity>) -> Inside {
    let said = super::text::message(line);
    if said.starts_with("Traceback (most recent call last)") {
        Inside::Python
    } else if said.starts_with("panic: ")
        || said.starts_with("fatal error: ")
        || line.starts_with("goroutine ")
    {
        Inside::Go
    } else if said.contains("panicked at ") && said.trim_end().ends_with(':') {
        Inside::RustMessage
    } else if NODE_PLACE.is_match(line) {
        // the line of code, the mark below it, and an empty one
        Inside::Code(4)
    } else if CLASS.is_match(said) || said.starts_with("Exception in thread ") {
        Inside::Frames
    } else if severity.is_some_and(|severity| severity >= Severity::Warn) {
        Inside::Told
    } else {
        Inside::Plain
    }
}

/// What a frame leaves a trace in.
fn framed(before: Inside, line: &str) -> Inside {
    match before {
        Inside::Go | Inside::Python => before,
        Inside::Chained => Inside::Chained,
        _ if line.starts_with("goroutine ") || line.starts_with("[signal ") => Inside::Go,
        _ if line.trim_start().starts_with("File \"") => Inside::Python,
        Inside::Nothing
        | Inside::Plain
        | Inside::Told
        | Inside::Frames
        | Inside::RustMessage
        | Inside::Code(_) => Inside::Frames,
    }
}

/// A line with those that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The first.
    pub head: Line,
    /// The others, in order.
    pub rest: Vec<Line>,
}

impl Record {
    /// All of it as one text.
    pub fn text(&self) -> String {
        let lines = std::iter::once(&self.head).chain(&self.rest);
        lines.map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The words that tell it from others: what is said of it first or, where that is the same for all traces of a
    /// language, what was raised.
    pub fn telling(&self) -> String {
        let text = self.text();
        let first = text.lines().next().unwrap_or_default();
        let said = super::text::says(first);
        let mut rest = text.lines().skip(1);
        if said.starts_with("Traceback (most recent call last)") {
            let raised = rest.find(|line| !line.starts_with([' ', '\t']) && !line.is_empty());
            return raised.unwrap_or(&said).to_owned();
        }
        if said.contains("panicked at ") && said.trim_end().ends_with(':') {
            return format!("{said} {}", rest.next().unwrap_or_default()).trim_end().to_owned();
        }
        if NODE_PLACE.is_match(first) {
            return rest.find(|line| CLASS.is_match(line)).unwrap_or(first).to_owned();
        }
        match self.raised() {
            Some(raised) if !said.contains(raised.as_str()) => format!("{said} ({raised})"),
            Some(_) | None => said.into_owned(),
        }
    }

    /// The class of the exception that it shows, where there is one: the first that is named.
    pub fn raised(&self) -> Option<String> {
        let text = self.text();
        let lines = text.lines().flat_map(|line| {
            let message = super::text::message(line);
            let bare = message.strip_prefix("Exception in thread ").and_then(|rest| rest.rsplit_once("\" "));
            [bare.map_or(message, |(_, class)| class), line]
        });
        lines
            .filter_map(|line| CLASS.find(line))
            .map(|found| found.as_str().trim_end_matches([':', ' ', '\t']).to_owned())
            .next()
    }
}

/// The records of one instance's lines, in order.
pub fn records(lines: Vec<Line>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for line in lines {
        match records.last_mut() {
            Some(record) if line.continues => record.rest.push(line),
            _ => records.push(Record { head: line, rest: Vec::new() }),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::{self, Raw};
    use super::super::{Instance, fields};
    use super::*;

    /// The records that the lines make, as how many lines each has and what tells it.
    fn check(text: &str, expected: &[(usize, &str)]) {
        let raw =
            |(n, line): (usize, &str)| Raw { id: n.to_string(), text: line.to_owned(), ..Raw::default() };
        let lines = read::lines(&Instance::default(), text.lines().enumerate().map(raw).collect());
        let found: Vec<(usize, String)> =
            records(lines).iter().map(|r| (r.rest.len() + 1, r.telling())).collect();
        let found: Vec<(usize, &str)> = found.iter().map(|(n, t)| (*n, t.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn javas_causes_belong_to_the_line_that_logged_them() {
        check(
            "2026-11-21 20:00:00.1 INFO 1 --- [main] c.e.shop.Orders : started\n\
             2026-11-21 20:00:01.1 ERROR 1 --- [main] c.e.shop.Orders : order 17 failed\n\
             java.lang.IllegalStateException: no stock\n\tat c.e.shop.Orders.take(Orders.java:17)\n\
             \t... 12 common frames omitted\nCaused by: java.net.ConnectException: refused\n\tat a.B.c(B.java:1)\n\
             2026-11-21 20:00:02.1 INFO 1 --- [main] c.e.shop.Orders : next",
            &[(1, "started"), (6, "order 17 failed (java.lang.IllegalStateException)"), (1, "next")],
        );
        check(
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)",
            &[(2, "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space")],
        );
    }

    #[test]
    fn pythons_traceback_is_told_by_what_was_raised() {
        check(
            "ready\nTraceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n    g()\nKeyError: 'id'\n\n\
             During handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in h\n    raise X\napp.Bad: no id\nready",
            &[(1, "ready"), (11, "KeyError: 'id'"), (1, "ready")],
        );
    }

    #[test]
    fn gos_panic_has_all_its_goroutines() {
        check(
            "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n\
             main.(*Server).handle(0xc000010000)\n\t/app/main.go:17 +0x1d\nmain.main()\n\t/app/main.go:9 +0x2f\n\
             exit status 2\nstarting",
            &[(8, "panic: runtime error: index out of range [5] with length 3"), (1, "starting")],
        );
    }

    #[test]
    fn nodes_and_rusts_traces_are_one_record_each() {
        check(
            "/app/index.js:12\n    throw new TypeError('x is not a function')\n    ^\n\n\
             TypeError: x is not a function\n    at f (/app/index.js:12:11)\n    at node:internal/main:1:1\n\nNode.js v22.1.0",
            &[(9, "TypeError: x is not a function")],
        );
        check(
            "thread 'main' panicked at src/main.rs:4:5:\ncalled `Option::unwrap()` on a `None` value\n\
             stack backtrace:\n   0: std::panicking::begin\n             at /rustc/std/panicking.rs:1:2\n\
             note: run with `RUST_BACKTRACE=full`",
            &[(6, "thread 'main' panicked at src/main.rs:4:5: called `Option::unwrap()` on a `None` value")],
        );
    }

    #[test]
    fn lines_of_their_own_stay_apart() {
        check(
            "{\"level\":\"error\",\"msg\":\"a\"}\n{\"level\":\"error\",\"msg\":\"b\"}\nlevel=error msg=c\nlevel=info msg=d",
            &[(1, "a"), (1, "b"), (1, "c"), (1, "d")],
        );
    }

    #[test]
    fn a_record_ends() {
        let mut joiner = Joiner::default();
        joiner.continues("panic: x", None);
        let lines = (0..1000).filter(|_| joiner.continues("\tat a.b(C.java:1)", None)).count();
        assert!((990..1000).contains(&lines), "{lines}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_each_line_is_in_one_record(text in prop::collection::vec("\\PC{0,40}|\tat [a-z]{1,5}|Traceback \\(most recent call last\\):|panic: x|", 0..40)) {
            let mut joiner = Joiner::default();
            for line in &text {
                joiner.continues(line, fields::marks(line).0);
            }
            let raw = |(n, line): (usize, &String)| Raw { id: n.to_string(), text: line.clone(), ..Raw::default() };
            let lines = read::lines(&Instance::default(), text.iter().enumerate().map(raw).collect());
            let joined: usize = records(lines).iter().map(|r| { let _ = r.telling(); r.rest.len() + 1 }).sum();
            prop_assert_eq!(joined, text.len());
        }
    }
}
