//! The results of a policy's tests, for people, for CI servers (JUnit XML) and for TAP harnesses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::check::TestRun;
use super::problem::Errors;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// JUnit XML, as CI servers read it.
    Junit,
    /// TAP, version 14.
    Tap,
}

/// The results in this format.
pub fn report(format: Format, tests: &[TestRun]) -> String {
    match format {
        Format::Text => text(tests),
        Format::Junit => junit(tests),
        Format::Tap => tap(tests),
    }
}

/// What is reported where the files could not even be read, so that no test ran.
pub fn bail(format: Format, errors: &Errors) -> String {
    match format {
        Format::Text => format!("{errors}\n"),
        Format::Junit => {
            let text = escaped(&errors.to_string());
            format!(
                "{XML}<testsuites name=\"belay policy test\" tests=\"1\" failures=\"0\" errors=\"1\">\n  \
                 <testsuite name=\"load\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    \
                 <testcase name=\"the policy loads\" classname=\"load\">\n      \
                 <error message=\"the policy is not sound\">{text}</error>\n    </testcase>\n  </testsuite>\n</testsuites>\n"
            )
        }
        Format::Tap => {
            let first = errors.0.first().map_or("", |problem| problem.message.as_str());
            format!("TAP version 14\nBail out! the policy is not sound: {}\n", one_line(first))
        }
    }
}

fn failures(tests: &[TestRun]) -> usize {
    tests.iter().filter(|test| !test.passed()).count()
}

/// What a failed test has to say, problem by problem.
fn why(test: &TestRun) -> String {
    test.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn text(tests: &[TestRun]) -> String {
    let mut out = String::new();
    for test in tests {
        let mark = if test.passed() { "ok  " } else { "FAIL" };
        let _ = writeln!(out, "{mark}  {}:{}  {}", test.file, test.line, one_line(&test.name));
        if !test.passed() {
            let _ = writeln!(out, "      {}\n", why(test).replace('\n', "\n      "));
        }
    }
    let (all, failed) = (tests.len(), failures(tests));
    let _ = match (all, failed) {
        (0, _) => writeln!(out, "there are no tests: write some under `tests:`"),
        (_, 0) => writeln!(out, "{all} passed"),
        _ => writeln!(out, "{failed} of {all} failed"),
    };
    out
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn junit(tests: &[TestRun]) -> String {
    let mut files: BTreeMap<&str, Vec<&TestRun>> = BTreeMap::new();
    for test in tests {
        files.entry(&test.file).or_default().push(test);
    }
    let mut out = String::from(XML);
    let (all, failed) = (tests.len(), failures(tests));
    let _ = writeln!(
        out,
        "<testsuites name=\"belay policy test\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">"
    );
    for (file, tests) in files {
        let failed = tests.iter().filter(|test| !test.passed()).count();
        let (file, all) = (escaped(file), tests.len());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">"
        );
        for test in tests {
            testcase(&mut out, &file, test);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn testcase(out: &mut String, file: &str, test: &TestRun) {
    let (name, line) = (escaped(&test.name), test.line);
    let open = format!("    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\"");
    let _ = if test.passed() {
        writeln!(out, "{open}/>")
    } else {
        let message = escaped(test.problems.first().map_or("", |problem| problem.message.as_str()));
        let why = escaped(&why(test));
        writeln!(out, "{open}>\n      <failure message=\"{message}\">{why}</failure>\n    </testcase>")
    };
}

/// Text as XML 1.0 takes it, within an element and within a quoted attribute. Characters that no XML
/// document may hold, even escaped, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn tap(tests: &[TestRun]) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", tests.len());
    for (number, test) in (1..).zip(tests) {
        let mark = if test.passed() { "ok" } else { "not ok" };
        let _ = writeln!(out, "{mark} {number} - {}", described(&test.name));
        if !test.passed() {
            let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
            let _ = writeln!(
                out,
                "  ---\n  message: {}\n  at:\n    file: {}\n    line: {}\n  ...",
                quoted(&why(test)),
                quoted(&test.file),
                test.line
            );
        }
    }
    out
}

/// A test's description: `#` begins a directive there, and a backslash escapes.
fn described(name: &str) -> String {
    one_line(name).replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
