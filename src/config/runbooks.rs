//! The runbooks of a folder: Markdown files, each with what it says in front of itself (YAML between two lines of
//! `---`) about when it is meant, and which steps of it can be checked.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::ConfigError;
use super::load::read;

/// Files of one folder: a large team's library, and a bound on what is looked through.
const FILES: usize = 1_000;
/// A runbook is a page or two; this is a hundred.
const BYTES: u64 = 256 * 1024;
/// Folders within folders.
const DEEP: usize = 4;
/// What stands before and after the front matter.
const FENCE: &str = "---";

/// What a runbook says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Front {
    /// Its name for people; else its first heading, or its file's name.
    pub title: Option<String>,
    /// Matchers of alerts that it is for, as in a policy.
    pub alerts: Vec<Placed>,
    /// The workloads that it is for: `name` or `namespace/name`.
    pub services: Vec<Placed>,
    /// Where people read it.
    pub link: Option<Placed>,
    /// Its steps, in order.
    pub steps: Vec<StepFront>,
}

/// A step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StepFront {
    /// What is to be looked at, or done.
    pub title: Placed,
    /// How it is seen to be as it should; without one, a person looks.
    #[serde(default)]
    pub check: Option<CheckFront>,
}

/// A check: exactly one of `metric`, `workload` and `log`, with what belongs to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckFront {
    /// PromQL with `$namespace`, and `$workload` or `$pods`.
    pub metric: Option<String>,
    /// The value has to be below this.
    pub below: Option<f64>,
    /// The value has to be above this.
    pub above: Option<f64>,
    /// How the workload has to be.
    pub workload: Option<State>,
    /// A regular expression for lines of its logs.
    pub log: Option<String>,
    /// Whether there has to be such a line.
    pub expect: Option<Expected>,
}

/// How a workload can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "docs/runbooks.md says what each means")]
pub enum State {
    Ready,
    RolledOut,
    Steady,
}

/// Whether there has to be a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Expected {
    Present,
    Absent,
}

/// One file.
#[derive(Debug)]
pub struct RunbookFile {
    /// Its path below the folder.
    pub name: String,
    /// What it says of itself.
    pub front: Front,
    /// What follows.
    pub text: String,
}

/// The runbooks of a folder and its sub-folders, in a fixed order. Files without front matter are taken as they are.
pub fn runbooks(dir: &Path) -> Result<Vec<RunbookFile>, ConfigError> {
    let mut paths = Vec::new();
    collect(dir, DEEP, &mut paths)?;
    paths.sort();
    if paths.len() > FILES {
        return Err(refused(dir, 0, format!("it holds {} runbooks, and may hold {FILES}", paths.len())));
    }
    let root = fs::canonicalize(dir).map_err(|source| ConfigError::Read { path: dir.to_owned(), source })?;
    paths.iter().map(|path| one(dir, &root, path)).collect()
}

fn refused(path: &Path, line: u64, why: String) -> ConfigError {
    let name = if line == 0 { path.display().to_string() } else { format!("{}:{line}", path.display()) };
    ConfigError::Parse { name, why }
}

fn collect(dir: &Path, deep: usize, found: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Read { path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && deep > 0 {
            collect(&path, deep - 1, found)?;
        } else if path.is_file() && !hidden && path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    Ok(())
}

fn one(dir: &Path, root: &Path, path: &Path) -> Result<RunbookFile, ConfigError> {
    let unread = |source| ConfigError::Read { path: path.to_owned(), source };
    // whoever may write runbooks is not thereby allowed to have any file of this machine shown
    if !fs::canonicalize(path).map_err(unread)?.starts_with(root) {
        return Err(refused(
            path,
            0,
            "it is a link out of the folder of runbooks: put the file itself there".to_owned(),
        ));
    }
    let size = fs::metadata(path).map_err(unread)?.len();
    if size > BYTES {
        return Err(refused(path, 0, format!("it has {size} bytes, and may have {BYTES}")));
    }
    let whole = read(path)?;
    let name = path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
    let Some((matter, text)) = split(&whole) else {
        if whole.lines().next().is_some_and(|line| line.trim_end() == FENCE) {
            return Err(refused(path, 1, format!("its front matter has no end: a line of `{FENCE}`")));
        }
        return Ok(RunbookFile { name, front: Front::default(), text: whole });
    };
    // the fence before it stays an empty line, so that lines count as in the file
    let front: Option<Front> = serde_saphyr::from_str(&format!("\n{matter}")).map_err(|e| {
        let line = e.location().map_or(1, |at| at.line());
        refused(path, line, e.without_snippet().to_string())
    })?;
    Ok(RunbookFile { name, front: front.unwrap_or_default(), text: text.to_owned() })
}

/// The front matter and what follows it.
fn split(whole: &str) -> Option<(&str, &str)> {
    let rest = whole.strip_prefix(FENCE)?;
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == FENCE {
            return Some((rest.get(..at)?, rest.get(at + line.len()..)?));
        }
        at += line.len();
    }
    None
}

/// A text of a front matter, and the line it stands in.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Placed(Spanned<String>);

impl Placed {
    /// Line, from 1, and text.
    pub fn said(self) -> (u64, String) {
        (self.0.referenced.line(), self.0.value)
    }
}

/// The JSON Schema of the front matter, for editors. `docs/runbooks.md` says what the keys mean.
pub fn runbook_schema() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let texts = |about: &str| json!({ "type": "array", "items": text, "description": about });
    let object = |required: &[&str], fields: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": fields });
    let bound = |about: &str| json!({ "type": "number", "description": about });
    let metric = json!({ "type": "string", "maxLength": 4096, "description": "PromQL with `$namespace`, and `$workload` or `$pods`." });
    let above = bound("The value has to be above this.");
    let below = bound("The value has to be below this.");
    let check = json!({ "description": "How the step is seen to be as it should.", "oneOf": [
        object(&["metric", "below"], json!({ "metric": metric, "below": below, "above": above })),
        object(&["metric", "above"], json!({ "metric": metric, "above": above })),
        object(&["workload"], json!({ "workload": { "enum": ["ready", "rolledOut", "steady"] } })),
        object(&["log", "expect"], json!({
            "log": { "type": "string", "minLength": 1, "maxLength": 500, "description": "A regular expression for lines of the logs." },
            "expect": { "enum": ["present", "absent"] },
        })),
    ] });
    let step = object(&["title"], json!({ "title": text, "check": check }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The front matter of a runbook",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "title": { "type": "string", "description": "How people call it." },
            "alerts": texts("Matchers of alerts that it is for, as in a policy."),
            "services": texts("The workloads that it is for: `name` or `namespace/name`."),
            "link": { "type": "string", "pattern": "^https://", "description": "Where people read it." },
            "steps": { "type": "array", "maxItems": 40, "items": step, "description": "Its steps, in order." },
        },
    })
}
