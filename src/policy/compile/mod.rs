//! From files to a policy set: all of them or none, with every error of every file at once.

mod grants;
mod people;
mod rules;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::brakes::Brakes;
use super::golden;
use super::problem::{Errors, Problem, meant};
use super::raw::{self, Node, Pos, Yaml};
use super::reader::Reader;
use super::set::{Advice, Environment, Freeze, Grant, Guard, Index, Origin, PolicySet};
use crate::domain::canonical::Hash;
use crate::domain::decision::ApprovalRule;

const API_VERSION: &str = "belay.dev/v1";

/// The largest file: a thousand generous rules, and small enough to parse in well under a second.
const MAX_FILE: usize = 1 << 20;

/// Reads a set of files, each a name and its text: policies (`kind: Policy`) and the golden inputs of
/// their tests (`kind: Example`). The order of the files does not matter. Tests run here: a set whose
/// tests fail is refused.
pub fn load<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<PolicySet, Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let (set, tests) = read(files, |_, _| ())?;
    let problems = tests.iter().flat_map(|test| golden::run(&set, test)).collect();
    sound(problems).map(|()| set)
}

/// The same without running the tests. `edit` may change a file's tree before it is read: a mutant is
/// decided by the same code as the set itself.
pub(super) fn read<N, T>(
    files: impl IntoIterator<Item = (N, T)>,
    mut edit: impl FnMut(&str, &mut Node),
) -> Result<(PolicySet, Vec<Test>), Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let mut files: Vec<(String, String)> =
        files.into_iter().map(|(n, t)| (n.as_ref().to_owned(), t.as_ref().to_owned())).collect();
    files.sort();
    let parts: Vec<&[u8]> = files.iter().flat_map(|(n, t)| [n.as_bytes(), t.as_bytes()]).collect();
    let hash = Hash::of_parts(&parts);

    let mut problems = Vec::new();
    let mut documents: Vec<Document> =
        files.iter().filter_map(|file| document(file, &mut problems)).collect();
    for document in &mut documents {
        edit(&document.name, &mut document.body);
    }
    let (set, tests) = compile(documents, hash, &mut problems);
    sound(problems).map(|()| (set, tests))
}

/// Nothing is wrong, or else everything that is, in order.
fn sound(mut problems: Vec<Problem>) -> Result<(), Errors> {
    problems.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    if problems.is_empty() { Ok(()) } else { Err(Errors(problems)) }
}

struct Document<'f> {
    reader: Reader<'f>,
    name: Arc<str>,
    kind: Kind,
    body: Node,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Policy,
    Example,
}

/// A test of a policy file, with the file it stands in.
pub(super) struct Test {
    pub file: String,
    pub text: String,
    pub node: Node,
}

fn document<'f>(file: &'f (String, String), problems: &mut Vec<Problem>) -> Option<Document<'f>> {
    let (name, text) = file;
    let mut reader = Reader { file: name, text, problems: Vec::new() };
    let document = if text.len() > MAX_FILE {
        reader.wrong(Pos { line: 1, column: 1, len: 1 }, "the file is larger than 1 MiB", None);
        None
    } else {
        match raw::parse(text) {
            Ok(body) => header(&mut reader, &body).map(|kind| (kind, body)),
            Err((at, message)) => {
                reader.wrong(at, message, None);
                None
            }
        }
    };
    if let Some((kind, body)) = document {
        return Some(Document { reader, name: Arc::from(name.as_str()), kind, body });
    }
    problems.append(&mut reader.problems);
    None
}

fn header(reader: &mut Reader<'_>, body: &Node) -> Option<Kind> {
    let root = reader.map(body, "the file")?;
    let version = root.need(reader, "apiVersion");
    if let Some(version) = version {
        reader.word(version, "a version of the format", &[(API_VERSION, ())])?;
    }
    let kind = root.need(reader, "kind")?;
    version?;
    reader.word(kind, "a kind of file", &[("Policy", Kind::Policy), ("Example", Kind::Example)])
}

/// What is gathered over all files.
#[derive(Default)]
struct Gathered {
    groups: HashMap<String, people::Group>,
    approvals: HashMap<String, ApprovalRule>,
    environments: Vec<Environment>,
    grants: Vec<Grant>,
    guards: Vec<Guard>,
    freezes: Vec<Freeze>,
    advice: Vec<Advice>,
    brakes: Option<Brakes>,
    names: BTreeMap<(&'static str, String), Origin>,
    notes: Vec<String>,
}

impl Gathered {
    /// Notes a name of its kind; an error if it is there already.
    fn claim(&mut self, reader: &mut Reader<'_>, what: &'static str, name: &str, node: &Node) -> Origin {
        let origin = Origin { file: Arc::from(reader.file), line: node.at.line };
        match self.names.get(&(what, name.to_owned())) {
            Some(first) => {
                reader.wrong(
                    node.at,
                    format!("{what} `{name}` is defined twice"),
                    Some(format!("first at {first}")),
                );
            }
            None => {
                self.names.insert((what, name.to_owned()), origin.clone());
            }
        }
        origin
    }

    /// The approval rule of this name.
    fn approval(&self, reader: &mut Reader<'_>, node: &Node) -> Option<ApprovalRule> {
        let name = reader.text(node)?;
        let found = self.approvals.get(&name).cloned();
        if found.is_none() {
            let mut known: Vec<&str> = self.approvals.keys().map(String::as_str).collect();
            known.sort_unstable();
            reader.wrong(node.at, format!("there is no approval `{name}`"), Some(meant(&name, &known)));
        }
        found
    }

    /// The names of environments in a list, each of which must be defined.
    fn environments(&self, reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<String> {
        reader.list(node, |reader, item| {
            let name = reader.text(item)?;
            if !self.environments.iter().any(|e| e.name == name) {
                let known: Vec<&str> = self.environments.iter().map(|e| e.name.as_str()).collect();
                reader.wrong(
                    item.at,
                    format!("there is no environment `{name}`"),
                    Some(meant(&name, &known)),
                );
            }
            Some(name)
        })
    }
}

type Section = fn(&mut Gathered, &mut Reader<'_>, &Spec<'_>);

/// Sections in the order in which they refer to one another.
const SECTIONS: [Section; 8] = [
    people::groups,
    people::approvals,
    rules::environments,
    rules::guards,
    rules::freezes,
    rules::advice,
    rules::brakes,
    grants::grants,
];

struct Spec<'n> {
    shadow: bool,
    fields: super::reader::Fields<'n>,
}

fn compile(
    mut documents: Vec<Document<'_>>,
    hash: Hash,
    problems: &mut Vec<Problem>,
) -> (PolicySet, Vec<Test>) {
    let mut gathered = Gathered::default();
    let bodies: Vec<Node> = documents.iter().map(|document| document.body.clone()).collect();
    let specs: Vec<Option<Spec<'_>>> = documents
        .iter_mut()
        .zip(&bodies)
        .map(|(document, body)| match document.kind {
            Kind::Policy => spec(&mut document.reader, body),
            Kind::Example => None,
        })
        .collect();
    for section in SECTIONS {
        for (document, spec) in documents.iter_mut().zip(&specs) {
            if let Some(spec) = spec {
                section(&mut gathered, &mut document.reader, spec);
            }
        }
    }
    let mut tests = Vec::new();
    for (document, spec) in documents.iter_mut().zip(&specs) {
        let items = spec.as_ref().and_then(|spec| spec.fields.get("tests"));
        let (file, text) = (document.reader.file.to_owned(), document.reader.text.to_owned());
        tests.extend(document.reader.list(items, |_, node| {
            Some(Test { file: file.clone(), text: text.clone(), node: node.clone() })
        }));
    }
    let examples = documents
        .iter()
        .filter(|d| d.kind == Kind::Example)
        .map(|d| (d.name.to_string(), d.body.clone()))
        .collect();
    problems.extend(documents.into_iter().flat_map(|document| document.reader.problems));
    (finish(gathered, hash, examples), tests)
}

/// Sorts whatever was gathered, so that the order of rules and files is gone for good.
fn finish(gathered: Gathered, hash: Hash, examples: Vec<(String, Node)>) -> PolicySet {
    let Gathered { mut environments, mut grants, mut guards, mut freezes, advice, brakes, mut notes, .. } =
        gathered;
    environments.sort_by(|a, b| a.name.cmp(&b.name));
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    guards.sort_by(|a, b| a.id.cmp(&b.id));
    freezes.sort_by(|a, b| a.name.cmp(&b.name));
    notes.sort();
    let index = Index::of(&grants);
    let brakes = brakes.unwrap_or_default();
    PolicySet { hash, environments, grants, advice, guards, freezes, brakes, index, examples, notes }
}

fn spec<'n>(reader: &mut Reader<'_>, body: &'n Node) -> Option<Spec<'n>> {
    let root = reader.fields(body, "the file", &["apiVersion", "kind", "metadata", "spec"], &[])?;
    if let Some(metadata) = root.need(reader, "metadata")
        && let Some(metadata) = reader.fields(metadata, "metadata", &["name", "owner"], &[])
    {
        for key in ["name", "owner"] {
            if let Some(node) = metadata.need(reader, key) {
                reader.name(node);
            }
        }
    }
    let known = [
        "mode",
        "environments",
        "approvers",
        "approvals",
        "grants",
        "advice",
        "guards",
        "freezes",
        "brakes",
        "tests",
    ];
    let node = root.need(reader, "spec")?;
    if node.value == Yaml::Null {
        return None;
    }
    let fields = reader.fields(node, "spec", &known, &["scope", "ceilings"])?;
    let shadow = fields.get("mode").and_then(|node| mode(reader, node)).unwrap_or(false);
    Some(Spec { shadow, fields })
}

/// Whether the mode is shadow.
fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<bool> {
    reader.word(node, "a mode", &[("enforce", false), ("shadow", true)])
}
