//! Policy folders: arbitrary text, and mutated real files. Reading never panics; what is refused says
//! where; what is taken can be decided by, explained and reported about.

use belay::policy::{Bounds, admission, decide, draft, example, explain, load};

use crate::places;

/// The golden inputs that shipped policies and tests speak of.
const EXAMPLES: [(&str, &str); 3] = [
    ("policies/examples/oom.yaml", include_str!("../../policies/examples/oom.yaml")),
    ("policies/examples/saturation.yaml", include_str!("../../policies/examples/saturation.yaml")),
    ("policies/examples/hands-off.yaml", include_str!("../../policies/demo/examples/hands-off.yaml")),
];
/// A line that begins with this begins another file of the folder, whose name follows.
const FILE: &str = "#### ";

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut files = split(text);
    files.extend(EXAMPLES.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let drafted = draft(files.clone());
    if let Err(errors) = load(files.clone()) {
        places::hold(&errors, &files);
    }
    let set = match drafted {
        Err(errors) => return places::hold(&errors, &files),
        Ok(set) => set,
    };
    for (name, _) in EXAMPLES {
        let Ok(question) = example(&set, name, &[]) else { continue };
        let decision = decide(&set, &question);
        assert_eq!(decision, decide(&set, &question), "the decision is a function");
        assert!(!decision.reasons.is_empty());
        assert!(!explain(&set, &question).to_string().is_empty());
    }
    let bounds = Bounds {
        identity: "system:serviceaccount:belay:belay-actions".to_owned(),
        cluster: Some("demo".to_owned()),
        namespaces: Vec::new(),
        nodes: true,
        max_replicas: 50,
        max_replica_delta: 5,
    };
    admission(&set, &files, &bounds).unwrap();
}

fn split(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = vec![("policies/fuzz.yaml".to_owned(), String::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(FILE) {
            Some(name) => files.push((format!("policies/{}", name.trim()), String::new())),
            None => files.last_mut().unwrap().1.push_str(line),
        }
    }
    // two files of one name are one file on a disk
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files.dedup_by(|a, b| a.0 == b.0);
    files.retain(|(name, _)| EXAMPLES.iter().all(|(known, _)| known != name));
    files
}
