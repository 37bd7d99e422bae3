//! What would nobody notice? Takes one grant, guard, cap or limit at a time out of a set, and runs the
//! set's own tests: what can be lost without a failing test is written down nowhere.

use serde::Serialize;

use super::check::name;
use super::compile::edited;
use super::golden;
use super::problem::Errors;
use super::raw::{self, Node, Yaml};

/// One thing that can be taken out of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mutant {
    /// `grant`, `guard`, `cap`, `limit`.
    pub kind: &'static str,
    /// What is taken out: `guard stateful-needs-two`.
    pub what: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u32,
    #[serde(skip)]
    path: Vec<Step>,
    #[serde(skip)]
    edit: Edit,
}

/// A step into a tree.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(&'static str),
    Named(String),
    Item(usize),
}

/// What is done at the end of a path.
#[derive(Debug, Clone, PartialEq)]
enum Edit {
    Remove,
    Put(Yaml),
}

/// Lists of rules that are dropped whole.
const WHOLE: [(&str, &str); 3] = [("grants", "grant"), ("guards", "guard"), ("freezes", "cap")];
/// What within a grant only subtracts.
const IN_GRANT: [&str; 2] = ["limits", "blastRadius"];
/// Limits of brakes, and a value at which they limit nothing that a test could see.
const BRAKES: [(&str, &str, Yaml); 6] = [
    ("global", "maxInFlight", Yaml::Int(1000)),
    ("global", "maxActions", Yaml::Int(1000)),
    ("storm", "maxLevel", Yaml::Int(5)),
    ("breaker", "maxLevel", Yaml::Int(5)),
    ("blind", "maxLevel", Yaml::Int(5)),
    ("trust", "maxLevel", Yaml::Int(5)),
];

/// Everything that can be taken out of the policies among these files, in the order of files and lines.
pub fn mutants<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)]) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (file, text) in files {
        let Ok(root) = raw::parse(text.as_ref()) else { continue };
        let policy = get(&root, "kind").is_some_and(|kind| kind.value == Yaml::Text("Policy".to_owned()));
        if let (true, Some(spec)) = (policy, get(&root, "spec")) {
            let mut list = List { file: file.as_ref(), found: &mut found };
            list.rules(spec);
            list.environments(spec);
            list.ceilings(spec);
            list.brakes(spec);
        }
    }
    found.sort_by(|a, b| (&a.file, a.line, &a.what).cmp(&(&b.file, b.line, &b.what)));
    found
}

/// The first test that fails once this is taken out; `None` if none does. A set that would not even load
/// without it is noticed too.
pub fn noticed<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)], mutant: &Mutant) -> Option<String> {
    let files = files.iter().map(|(name, text)| (name.as_ref(), text.as_ref()));
    let changed = edited(files, |file, body| {
        if file == mutant.file {
            change(body, &mutant.path, &mutant.edit);
        }
    });
    match changed {
        Ok((set, tests)) => {
            tests.iter().find(|test| !golden::run(&set, test).is_empty()).map(|test| name(&test.node))
        }
        Err(Errors(problems)) => problems.first().map(|problem| problem.message.clone()),
    }
}

struct List<'a> {
    file: &'a str,
    found: &'a mut Vec<Mutant>,
}

impl List<'_> {
    fn add(&mut self, kind: &'static str, what: String, at: &Node, change: (Vec<Step>, Edit)) {
        let (path, edit) = change;
        let (file, line) = (self.file.to_owned(), at.at.line);
        self.found.push(Mutant { kind, what, file, line, path, edit });
    }

    fn rules(&mut self, spec: &Node) {
        for (section, kind) in WHOLE {
            for (i, rule) in items(get(spec, section)).iter().enumerate() {
                let word = section.trim_end_matches('s');
                let path = vec![Step::Key("spec"), Step::Key(section), Step::Item(i)];
                let what = format!("{word} {}", called(rule));
                if section == "grants" {
                    self.within(&what, rule, &path);
                }
                self.add(kind, what, rule, (path, Edit::Remove));
            }
        }
    }

    fn within(&mut self, grant: &str, rule: &Node, path: &[Step]) {
        for section in IN_GRANT {
            for (key, node) in entries(get(rule, section)) {
                let mut path = path.to_vec();
                path.extend([Step::Key(section), Step::Named(key.clone())]);
                self.add("limit", format!("{grant}: {section}.{key}"), node, (path, Edit::Remove));
            }
        }
        if let Some(node) = get(rule, "actFrom") {
            let mut path = path.to_vec();
            path.push(Step::Key("actFrom"));
            self.add("cap", format!("{grant}: actFrom"), node, (path, Edit::Remove));
        }
    }

    fn environments(&mut self, spec: &Node) {
        for (i, rule) in items(get(spec, "environments")).iter().enumerate() {
            let what = format!("environment {}", called(rule));
            let at = |key| vec![Step::Key("spec"), Step::Key("environments"), Step::Item(i), Step::Key(key)];
            let max = get(rule, "maxLevel").map(|node| &node.value);
            let off = get(rule, "ladder").is_some_and(|node| node.value == Yaml::Text("off".to_owned()));
            if max != Some(&Yaml::Int(5)) {
                let edit = Edit::Put(Yaml::Int(5));
                self.add("cap", format!("{what}: maxLevel"), rule, (at("maxLevel"), edit));
            }
            // the ladder starts at level 2: below that there is nothing it could take away
            if !off && !matches!(max, Some(Yaml::Int(..=2))) {
                let edit = Edit::Put(Yaml::Text("off".to_owned()));
                self.add("cap", format!("{what}: ladder"), rule, (at("ladder"), edit));
            }
        }
    }

    fn ceilings(&mut self, spec: &Node) {
        let path = |last| vec![Step::Key("spec"), Step::Key("ceilings"), last];
        let ceilings = get(spec, "ceilings");
        for (i, node) in items(ceilings).iter().enumerate() {
            self.add("cap", format!("ceiling {}", called(node)), node, (path(Step::Item(i)), Edit::Remove));
        }
        for (key, node) in entries(ceilings) {
            self.add("cap", format!("ceiling {key}"), node, (path(Step::Named(key.clone())), Edit::Remove));
        }
    }

    fn brakes(&mut self, spec: &Node) {
        for (section, key, value) in BRAKES {
            let written = get(spec, "brakes").and_then(|brakes| get(brakes, section));
            let Some(node) = written.and_then(|section| get(section, key)) else { continue };
            if node.value == value {
                continue;
            }
            let path = vec![Step::Key("spec"), Step::Key("brakes"), Step::Key(section), Step::Key(key)];
            let edit = Edit::Put(value);
            let kind = if key == "maxLevel" { "cap" } else { "limit" };
            self.add(kind, format!("brake {section}.{key}"), node, (path, edit));
        }
    }
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(Some(node)).into_iter().find(|(k, _)| *k == key).map(|(_, node)| node)
}

fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Yaml::List(items)) => items,
        _ => &[],
    }
}

fn entries(node: Option<&Node>) -> Vec<(&String, &Node)> {
    match node.map(|node| &node.value) {
        Some(Yaml::Map(entries)) => entries.iter().map(|(key, node)| (&key.text, node)).collect(),
        _ => Vec::new(),
    }
}

/// The name by which a rule goes: its id or name, or else what it says.
fn called(rule: &Node) -> String {
    let named = ["id", "name"].iter().find_map(|key| get(rule, key)?.value.scalar());
    let said = || {
        let parts = entries(Some(rule)).into_iter();
        let parts = parts.filter_map(|(key, node)| Some(format!("{key} {}", node.value.scalar()?)));
        parts.collect::<Vec<_>>().join(", ")
    };
    named.unwrap_or_else(said)
}

fn change(node: &mut Node, path: &[Step], edit: &Edit) {
    let Some((step, rest)) = path.split_first() else {
        if let Edit::Put(value) = edit {
            node.value = value.clone();
        }
        return;
    };
    let remove = rest.is_empty() && *edit == Edit::Remove;
    let name = match step {
        Step::Key(key) => *key,
        Step::Named(key) => key.as_str(),
        Step::Item(i) => {
            let Yaml::List(items) = &mut node.value else { return };
            if remove && *i < items.len() {
                items.remove(*i);
            } else if let Some(item) = items.get_mut(*i) {
                change(item, rest, edit);
            }
            return;
        }
    };
    let at = node.at;
    let Yaml::Map(entries) = &mut node.value else { return };
    if remove {
        entries.retain(|(key, _)| key.text != name);
        return;
    }
    if !entries.iter().any(|(key, _)| key.text == name) {
        entries.push((raw::Key { at, text: name.to_owned() }, Node { at, value: Yaml::Null }));
    }
    if let Some((_, inner)) = entries.iter_mut().find(|(key, _)| key.text == name) {
        change(inner, rest, edit);
    }
}
