//! A corpus of wrong files, each with what is said of it beside it; and arbitrary ones, which must never
//! panic and always be told where they are wrong.

use std::path::PathBuf;

use belay::policy::{Errors, Problem, load, situation};
use proptest::prelude::*;

use super::{BASE, OOM, SATURATION, read, set};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy")
}

/// The wrong files by name, in order.
fn corpus() -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    let named = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(named).collect()
}

fn loaded(name: &str, text: &str) -> Result<belay::policy::PolicySet, Errors> {
    let examples = [OOM, SATURATION].map(|file| (format!("policies/{file}"), read(file)));
    load([(name.to_owned(), text.to_owned())].into_iter().chain(examples))
}

/// A change of what is said is accepted with `INSTA_UPDATE=always`.
#[test]
fn each_wrong_file_is_told_what_is_beside_it() {
    let corpus = corpus();
    assert!(corpus.len() >= 25, "{}", corpus.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    let hash = regex::Regex::new("policy [0-9a-f]{8}").unwrap();
    for (name, text) in corpus {
        let errors = loaded(&format!("{name}.yaml"), &text).err();
        let errors = errors.unwrap_or_else(|| panic!("`{name}` is not wrong"));
        check_places(&text, &errors);
        let said: Vec<String> = errors.to_string().lines().map(|l| l.trim_end().to_owned()).collect();
        insta::assert_snapshot!(name, hash.replace_all(&said.join("\n"), "policy <hash>"));
    }
}

/// Every problem stands within its file.
fn check_places(text: &str, Errors(problems): &Errors) {
    assert!(!problems.is_empty());
    // YAML ends a line at a carriage return alone, too
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.lines().collect();
    for Problem { file, at, excerpt, message, .. } in problems {
        if file.ends_with("oom.yaml") || file.ends_with("saturation.yaml") {
            continue;
        }
        let number = usize::try_from(at.line).unwrap();
        assert!(
            number >= 1 && number <= lines.len().max(1) + 1,
            "{at:?} of {} lines: {message}",
            lines.len()
        );
        let line = lines.get(number - 1).copied().unwrap_or_default();
        let column = usize::try_from(at.column).unwrap();
        assert!(column >= 1 && column <= line.chars().count() + 1, "{at:?} in {line:?}: {message}");
        assert!(at.len >= 1);
        assert_eq!(excerpt, line);
    }
}

/// Loads whatever it is; only that it ends and knows where.
fn survives(text: &str) {
    if let Err(errors) = loaded("any.yaml", text) {
        check_places(text, &errors);
        let _ = errors.to_string();
    }
}

#[test]
fn a_carriage_return_alone_ends_a_line() {
    survives(" \r \u{b}\0");
    let Err(errors) = loaded("any.yaml", "kind: Policy\rmetadata: [\r") else { panic!() };
    assert!(errors.0[0].at.line > 1, "{errors}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prop_any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn prop_any_text_like_yaml_is_survived(text in "[a-z:{}\\[\\],'\"#&*!|>%@\n \t-]{0,120}") {
        survives(&text);
        survives(&format!("apiVersion: belay.dev/v1\nkind: Policy\nmetadata: {{ name: a, owner: b }}\nspec:\n  {text}"));
    }

    /// A file of ours with a piece cut out, doubled or overwritten.
    #[test]
    fn prop_mutated_files_are_survived(
        which in 0usize..2, from in any::<prop::sample::Index>(), len in 0usize..40, put in "[a-z0-9:{}'\" \n-]{0,12}",
    ) {
        let text = if which == 0 { BASE.to_owned() } else { read("demo.yaml") };
        let chars: Vec<char> = text.chars().collect();
        let from = from.index(chars.len());
        let to = (from + len).min(chars.len());
        let mutated: String =
            chars[..from].iter().copied().chain(put.chars()).chain(chars[to..].iter().copied()).collect();
        survives(&mutated);
    }

    /// Expressions: whatever stands in `when`.
    #[test]
    fn prop_any_expression_is_survived(
        when in "(target\\.(namespace|labels|lookalikes)|owner\\.(replicas|busy)|now|'[a-z]{0,3}'|[0-9]{1,20}|[a-z]{1,3}| |==|&&|\\|\\||!|<|\\+|/|%|\\(|\\)|\\[|\\]|\\?|:|,|\\.|in|size|matches|timestamp){0,14}",
    ) {
        let quoted = when.replace('\'', "''");
        let text = format!("{BASE}  guards:\n    - {{ id: any, when: '{quoted}', maxLevel: 2 }}\n");
        match loaded("any.yaml", &text) {
            Err(errors) => check_places(&text, &errors),
            // what compiles gives an answer about every situation, and its verdict has words
            Ok(set) => {
                for changes in [&[][..], &[("owner.replicas", "unknown"), ("target.labels", "unknown")][..]] {
                    let question = super::ask(&set, OOM, changes);
                    let _ = belay::policy::explain(&set, &question).to_string();
                }
            }
        }
    }

    /// Golden inputs: facts of any shape.
    #[test]
    fn prop_any_golden_input_is_survived(
        path in "(target|owner|alert|history|cluster|plan|finding|now|action|asked|zq)(\\.[a-z_]{1,12}){0,3}",
        value in "([0-9]{1,12}|[a-z]{1,8}|\\[\\]|\\{\\}|~|'[^'\n]{0,8}'|-[0-9]{1,20})",
    ) {
        let set = set(BASE);
        if let Ok(question) = situation(&set, "any", &read(OOM), &[(path.as_str(), value.as_str())]) {
            let _ = belay::policy::decide(&set, &question);
        }
    }
}
