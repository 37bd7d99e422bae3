//! A question from a golden input that is not part of the set: a file at hand, or what flags say.

use super::golden::{input::question, put};
use super::raw;
use super::reader::Reader;
use super::set::PolicySet;
use crate::domain::decision::Question;

/// The question that a golden input's text asks, with `changes` made to it as in a test's `set`. An error
/// says where in the file `name` it is.
pub fn situation(
    set: &PolicySet,
    name: &str,
    text: &str,
    changes: &[(&str, &str)],
) -> Result<Question, String> {
    let mut node = raw::parse(text).map_err(|(at, why)| format!("{name}:{}: {why}", at.line))?;
    for (path, value) in changes {
        let value = raw::parse(value).map_err(|(_, why)| format!("`{path}`: {why}"))?;
        put(&mut node, path, &value);
    }
    let mut reader = Reader::new(name, text);
    let asked = question(&mut reader, set, &node);
    let wrong: Vec<String> = reader.problems.iter().map(ToString::to_string).collect();
    match asked {
        Some(question) if wrong.is_empty() => Ok(question),
        Some(_) | None if wrong.is_empty() => Err(format!("`{name}` could not be read")),
        Some(_) | None => Err(wrong.join("\n\n")),
    }
}
