//! Loading with the result of each test, for whoever wants to see them one by one: `load` only refuses.

use super::compile::{Test, untested};
use super::golden;
use super::problem::{Errors, Problem};
use super::raw::{Node, Yaml};
use super::set::PolicySet;

/// A set that is sound but for its tests, and what they said.
#[derive(Debug)]
pub struct Checked {
    /// The set.
    pub set: PolicySet,
    /// Its tests, in the order of files and lines.
    pub tests: Vec<TestRun>,
    /// Why it would be refused all the same: rules that no golden input reaches, say.
    pub unsound: Vec<Problem>,
}

/// One test of a policy file and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRun {
    /// The file it stands in.
    pub file: String,
    /// The line.
    pub line: u32,
    /// Its name.
    pub name: String,
    /// What is wrong; nothing if it passed.
    pub problems: Vec<Problem>,
}

impl TestRun {
    /// Whether it holds.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Reads a set of files as `load` does, and runs every test. A test that fails is no error here.
pub fn check<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<Checked, Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let (set, tests, unsound) = untested(files)?;
    let tests = tests.iter().map(|test| run(&set, test)).collect();
    Ok(Checked { set, tests, unsound })
}

fn run(set: &PolicySet, test: &Test) -> TestRun {
    let problems = golden::run(set, test);
    TestRun { file: test.file.clone(), line: test.node.at.line, name: name(&test.node), problems }
}

/// A test's name, as far as it has one.
pub(super) fn name(test: &Node) -> String {
    let Yaml::Map(entries) = &test.value else { return "a test".to_owned() };
    let found = entries.iter().find(|(key, _)| key.text == "name");
    found.and_then(|(_, node)| node.value.scalar()).unwrap_or_else(|| "a test without a name".to_owned())
}
