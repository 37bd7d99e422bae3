//! What holds of every error about a policy: it says where, and what it shows stands there.

use belay::policy::{Errors, Problem};

/// Each error names one of these files, a line of it, and a column within the line (or just behind it).
pub fn hold(errors: &Errors, files: &[(String, String)]) {
    assert!(!errors.0.is_empty(), "refused without an error");
    for problem in &errors.0 {
        place(problem, files);
    }
    assert!(errors.to_string().contains("the policy is not used"));
}

fn place(problem: &Problem, files: &[(String, String)]) {
    let shown = problem.to_string();
    assert!(!problem.message.is_empty(), "{shown}");
    assert!(shown.contains("-->") && shown.contains("= see policies/README.md#"), "{shown}");
    let Some((_, text)) = files.iter().find(|(name, _)| *name == problem.file) else {
        panic!("no such file: {shown}");
    };
    let line = usize::try_from(problem.at.line).unwrap();
    let column = usize::try_from(problem.at.column).unwrap();
    // YAML ends a line at a carriage return alone, too
    let lines: Vec<&str> = text.lines().flat_map(|line| line.split('\r')).collect();
    // an error at the end of a file stands in the line after the last
    assert!(line >= 1 && line <= lines.len() + 1, "line {line}: {shown}");
    let there = lines.get(line - 1).copied().unwrap_or_default();
    assert!(column >= 1 && column <= there.chars().count() + 1, "column {column} of {there:?}: {shown}");
}
