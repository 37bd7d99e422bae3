//! From files to a policy set: all of them or none, with every error of every file at once.

mod alerts;
mod brakes;
mod file;
mod freezes;
mod grants;
mod lint;
mod people;
mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::brakes::Brakes;
use super::golden;
use super::problem::{Errors, Problem, Section};
use super::raw::{self, Node, Pos, Yaml};
use super::reader::Reader;
use super::set::{Advice, Ceiling, Environment, Freeze, Grant, Guard, Index, Origin, PolicySet};
use crate::domain::canonical::Hash;
use crate::domain::decision::{ApprovalGroup, ApprovalRule};
use file::{Spec, mode};
pub use lint::{Around, blind, lint, unmeasured};

const API_VERSION: &str = "belay.dev/v1";

/// The largest file: a thousand generous rules, and small enough to parse in well under a second.
const MAX_FILE: usize = 1 << 20;

/// Reads a set of files, each a name and its text: policies (`kind: Policy`), the golden inputs of their
/// tests (`kind: Example`), and the calendars of their freezes (`*.ics`). The order of the files does not
/// matter. Tests and golden inputs run here: a set whose tests fail is refused.
pub fn load<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<PolicySet, Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let (compiled, mut problems) = linted(&sorted(files))?;
    problems.extend(compiled.tests.iter().flat_map(|test| golden::run(&compiled.set, test)));
    if problems.is_empty() { Ok(compiled.set) } else { Err(errors(problems)) }
}

/// Reads a set as `load` does, and gives its tests without running them, and what else is wrong with it.
pub(super) fn untested<N, T>(
    files: impl IntoIterator<Item = (N, T)>,
) -> Result<(PolicySet, Vec<Test>, Vec<Problem>), Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    let (compiled, problems) = linted(&sorted(files))?;
    Ok((compiled.set, compiled.tests, errors(problems).0))
}

/// Reads a set without judging it by its golden inputs. `edit` may change a file's tree before it is read:
/// a mutant is decided by the same code as the set itself.
pub(super) fn edited<N, T>(
    files: impl IntoIterator<Item = (N, T)>,
    edit: impl FnMut(&str, &mut Node),
) -> Result<(PolicySet, Vec<Test>), Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    compiled(&sorted(files), edit).map(|compiled| (compiled.set, compiled.tests))
}

/// Reads a set as `load` does, without its tests and golden inputs: for tools that ask what would be if
/// something were different. Nothing acts by a draft.
pub fn draft<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<PolicySet, Errors>
where
    N: AsRef<str>,
    T: AsRef<str>,
{
    compiled(&sorted(files), |_, _| ()).map(|compiled| compiled.set)
}

/// The hash of a set's files, in whatever order they come.
pub fn fingerprint(files: &[(String, String)]) -> Hash {
    let mut files: Vec<&(String, String)> = files.iter().collect();
    files.sort();
    let parts: Vec<&[u8]> = files.iter().flat_map(|(n, t)| [n.as_bytes(), t.as_bytes()]).collect();
    Hash::of_parts(&parts)
}

fn sorted<N: AsRef<str>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        files.into_iter().map(|(n, t)| (n.as_ref().to_owned(), t.as_ref().to_owned())).collect();
    files.sort();
    files
}

/// A set that can be read, and what is wrong with it as a whole.
fn linted(files: &[(String, String)]) -> Result<(Compiled, Vec<Problem>), Errors> {
    let mut compiled = compiled(files, |_, _| ())?;
    let mut problems = lint::examples(&compiled.set, files);
    if problems.is_empty() {
        lint::check(&mut compiled, files, &mut problems);
    }
    Ok((compiled, problems))
}

fn compiled(files: &[(String, String)], mut edit: impl FnMut(&str, &mut Node)) -> Result<Compiled, Errors> {
    let mut problems = Vec::new();
    let mut compiled = gathered(files, None, &mut edit, &mut problems);
    if !problems.is_empty() {
        return Err(errors(problems));
    }
    let alone: BTreeSet<String> =
        compiled.tests.iter().filter(|t| golden::stands_alone(t)).map(|t| t.owner.clone()).collect();
    for owner in alone {
        let own = gathered(files, Some(&owner), &mut edit, &mut problems).set;
        // rules that cannot stand alone are tried with all the others
        if std::mem::take(&mut problems).is_empty() {
            let own = Arc::new(own);
            let tests = compiled.tests.iter_mut().filter(|t| t.owner == owner && golden::stands_alone(t));
            tests.for_each(|test| test.own = Some(Arc::clone(&own)));
        }
    }
    Ok(compiled)
}

/// Reads the files; with `only`, the rules of that owner alone (the people of all).
fn gathered(
    files: &[(String, String)],
    only: Option<&str>,
    edit: &mut impl FnMut(&str, &mut Node),
    problems: &mut Vec<Problem>,
) -> Compiled {
    let hash = fingerprint(files);
    let is_calendar = |name: &str| Path::new(name).extension().is_some_and(|ics| ics == "ics");
    let mut documents: Vec<Document> = files
        .iter()
        .filter(|(name, _)| !is_calendar(name))
        .filter_map(|file| document(file, problems))
        .collect();
    if let (Some((name, text)), true) = (files.first(), problems.is_empty())
        && documents.iter().all(|document| document.kind == Kind::Example)
    {
        let help =
            "golden inputs and calendars alone grant nothing: add a file with `kind: Policy`".to_owned();
        let mut reader = Reader::new(name, text);
        reader.wrong(Pos { line: 1, column: 1, len: 1 }, "none of these files is a policy", Some(help));
        problems.append(&mut reader.problems);
    }
    for document in &mut documents {
        edit(&document.name, &mut document.body);
    }
    let calendars = files.iter().filter(|(name, _)| is_calendar(name)).cloned().collect();
    compile(documents, calendars, Whole { hash, only }, problems)
}

/// What a set is made as.
#[derive(Clone, Copy)]
struct Whole<'a> {
    hash: Hash,
    only: Option<&'a str>,
}

fn errors(mut problems: Vec<Problem>) -> Errors {
    problems.sort_by(|a, b| (&a.file, a.at, &a.message).cmp(&(&b.file, b.at, &b.message)));
    problems.dedup();
    Errors(problems)
}

/// A set, and what is needed to judge it.
struct Compiled {
    set: PolicySet,
    tests: Vec<Test>,
    places: Places,
}

/// Where things stand, by what they are and their names.
type Places = BTreeMap<(&'static str, String), Place>;

#[derive(Debug, Clone)]
struct Place {
    file: Arc<str>,
    at: Pos,
    section: Section,
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
    /// The owner of the file.
    pub owner: String,
    /// The rules of its owner alone, if it is about these.
    pub own: Option<Arc<PolicySet>>,
    pub file: String,
    pub text: String,
    pub node: Node,
}

fn document<'f>(file: &'f (String, String), problems: &mut Vec<Problem>) -> Option<Document<'f>> {
    let (name, text) = file;
    let mut reader = Reader::new(name, text);
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
    groups: HashMap<String, ApprovalGroup>,
    approvals: HashMap<String, ApprovalRule>,
    environments: Vec<Environment>,
    grants: Vec<Grant>,
    guards: Vec<Guard>,
    freezes: Vec<Freeze>,
    advice: Vec<Advice>,
    ceilings: Vec<Ceiling>,
    brakes: Brakes,
    calendars: BTreeMap<String, String>,
    /// Calendars that a freeze named.
    named: BTreeSet<String>,
    /// What is wrong in calendars.
    problems: Vec<Problem>,
    names: BTreeMap<(&'static str, String), Origin>,
    places: Places,
    notes: Vec<String>,
}

impl Gathered {
    /// Notes a name of its kind; an error if it is there already.
    fn claim(&mut self, reader: &mut Reader<'_>, what: &'static str, name: &str, node: &Node) -> Origin {
        let origin = origin(reader, node);
        self.place(reader, what, name, node);
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

    /// Notes where something stands, for what is found out about it later.
    fn place(&mut self, reader: &Reader<'_>, what: &'static str, name: &str, node: &Node) {
        let place = Place { file: Arc::from(reader.file), at: node.at, section: reader.section };
        self.places.entry((what, name.to_owned())).or_insert(place);
    }

    /// The approval rule of this name.
    fn approval(&self, reader: &mut Reader<'_>, node: &Node) -> Option<ApprovalRule> {
        let name = reader.defined(node, "approval", self.approvals.keys().map(String::as_str))?;
        self.approvals.get(name).cloned()
    }

    /// The names of environments in a list, each of which must be defined.
    fn environments(&self, reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<String> {
        reader.list(node, |reader, item| {
            let known = self.environments.iter().map(|e| e.name.as_str());
            reader.defined(item, "environment", known).map(ToOwned::to_owned)
        })
    }
}

/// Where this stands, and whose it is.
pub(super) fn origin(reader: &Reader<'_>, node: &Node) -> Origin {
    Origin { file: Arc::from(reader.file), line: node.at.line, home: Arc::clone(&reader.home) }
}

type Read = fn(&mut Gathered, &mut Reader<'_>, &Spec<'_>);

/// How many of the sections speak of people.
const PEOPLE: usize = 2;

/// Sections in the order in which they refer to one another.
const SECTIONS: [(Section, Read); 9] = [
    (Section::Approvals, people::groups),
    (Section::Approvals, people::approvals),
    (Section::Environments, rules::environments),
    (Section::Scopes, rules::ceilings),
    (Section::Guards, rules::guards),
    (Section::Freezes, freezes::freezes),
    (Section::Advice, rules::advice),
    (Section::Brakes, brakes::brakes),
    (Section::Grants, grants::grants),
];

fn compile(
    mut documents: Vec<Document<'_>>,
    calendars: BTreeMap<String, String>,
    Whole { hash, only }: Whole<'_>,
    problems: &mut Vec<Problem>,
) -> Compiled {
    let mut gathered = Gathered { calendars, ..Gathered::default() };
    let bodies: Vec<Node> = documents.iter().map(|document| document.body.clone()).collect();
    let specs: Vec<Option<Spec<'_>>> = documents
        .iter_mut()
        .zip(&bodies)
        .map(|(document, body)| match document.kind {
            Kind::Policy => file::spec(&mut document.reader, body),
            Kind::Example => None,
        })
        .collect();
    for (i, (section, read)) in SECTIONS.into_iter().enumerate() {
        for (document, spec) in documents.iter_mut().zip(&specs) {
            let counts = i < PEOPLE || only.is_none_or(|owner| owner == document.reader.home.owner);
            if let Some(spec) = spec.as_ref().filter(|_| counts) {
                document.reader.section = section;
                read(&mut gathered, &mut document.reader, spec);
            }
        }
    }
    freezes::unnamed(&mut gathered);
    problems.append(&mut gathered.problems);
    let mut tests = Vec::new();
    for (document, spec) in documents.iter_mut().zip(&specs) {
        let items = spec.as_ref().and_then(|spec| spec.fields.get("tests"));
        document.reader.section = Section::Golden;
        let (file, text) = (document.reader.file.to_owned(), document.reader.text.to_owned());
        let owner = document.reader.home.owner.clone();
        tests.extend(document.reader.list(items, |_, node| {
            Some(Test {
                owner: owner.clone(),
                own: None,
                file: file.clone(),
                text: text.clone(),
                node: node.clone(),
            })
        }));
    }
    let examples = documents
        .iter()
        .filter(|d| d.kind == Kind::Example)
        .map(|d| (d.name.to_string(), d.body.clone()))
        .collect();
    problems.extend(documents.into_iter().flat_map(|document| document.reader.problems));
    let places = std::mem::take(&mut gathered.places);
    Compiled { set: finish(gathered, hash, examples), tests, places }
}

/// Sorts whatever was gathered, so that the order of rules and files is gone for good.
fn finish(gathered: Gathered, hash: Hash, examples: Vec<(String, Node)>) -> PolicySet {
    let Gathered { mut environments, mut grants, mut guards, mut freezes, advice, .. } = gathered;
    let (mut ceilings, brakes, mut notes) = (gathered.ceilings, gathered.brakes, gathered.notes);
    environments.sort_by(|a, b| a.name.cmp(&b.name));
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    guards.sort_by(|a, b| a.id.cmp(&b.id));
    freezes.sort_by(|a, b| a.name.cmp(&b.name));
    ceilings.sort_by_key(|ceiling| ceiling.max_level);
    if grants.is_empty() {
        notes.push("no rule grants anything: belay will tell people and do nothing".to_owned());
    }
    notes.sort();
    let index = Index::of(&grants);
    PolicySet {
        hash,
        environments,
        grants,
        ceilings,
        advice,
        guards,
        freezes,
        brakes,
        index,
        examples,
        notes,
    }
}
