//! A question from a golden input that is not part of the set: a file at hand, or what flags say.

use super::golden::{input::question, put};
use super::problem::Problem;
use super::raw;
use super::reader::Reader;
use super::set::PolicySet;
use crate::domain::decision::Question;

/// The question that a golden input's text asks, with `changes` made to it as in a test's `set`. An error
/// says where in the file `name` it is; without a name it is one that nobody wrote.
pub fn situation(
    set: &PolicySet,
    name: &str,
    text: &str,
    changes: &[(&str, &str)],
) -> Result<Question, String> {
    let place = if name.is_empty() { "the case" } else { name };
    let mut node = raw::parse(text).map_err(|(at, why)| format!("{place}:{}: {why}", at.line))?;
    for (path, value) in changes {
        let value = raw::parse(value).map_err(|(_, why)| format!("`{path}`: {why}"))?;
        put(&mut node, path, &value);
    }
    let mut reader = Reader::new(place, text);
    let asked = question(&mut reader, set, &node);
    let wrong = reader.problems.iter();
    let wrong: Vec<String> = if name.is_empty() {
        wrong.map(Problem::plainly).collect()
    } else {
        wrong.map(ToString::to_string).collect()
    };
    match asked {
        Some(question) if wrong.is_empty() => Ok(question),
        Some(_) | None if wrong.is_empty() => Err(format!("`{place}` could not be read")),
        Some(_) | None => Err(wrong.join("\n\n")),
    }
}
