//! The journal: the bytes as a log; the same with every hash made right, so that what is behind the chain
//! is reached; and a record alone. What verifies opens, with as many lines, and exports.

use std::collections::HashMap;
use std::fs;

use belay::domain::canonical::{Hash, canonical};
use belay::domain::record::Record;
use belay::store::{LOG_FILE, OpenError, Options, Verified, Wanted, export, open, read, verify_from};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::value::RawValue;
use serde_json::{Value, json};

pub fn run(data: &[u8]) {
    journal(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(record) = record(text) {
            let log = repaired(&one(&record));
            verify_from(&*log, &[]).unwrap();
            journal(&log);
        }
        let log = repaired(text);
        if log != data {
            journal(&log);
        }
    }
}

/// A log of one step with this record alone; its hashes are to be made right.
fn one(record: &Record) -> String {
    let (at, stream) = ("2026-11-20T02:07:41Z", "fuzz");
    let body = json!({ "v": 1, "stream": stream, "seq": 1, "at": at, "record": record });
    let step = json!({ "v": 1, "line": 1, "stream": stream, "at": at, "entries": [{ "seq": 1 }] });
    json!({ "step": step, "bodies": [body] }).to_string()
}

/// A record that can be read is written back the same.
fn record(text: &str) -> Option<Record> {
    let record: Record = serde_json::from_str(text).ok()?;
    let bytes = canonical(&record).ok()?; // a number that JSON cannot carry is refused, never changed
    let again: Record = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(again, record);
    Some(record)
}

fn journal(log: &[u8]) {
    let verified = verify_from(log, &[]);
    if let Err(why) = &verified {
        assert!(!why.to_string().is_empty());
    }
    // a directory on disk costs a thousand times as much as a look at bytes: for what is whole only
    if let Ok(verified) = verified
        && verified.lines > 0
    {
        opened(log, &verified);
    }
}

fn opened(log: &[u8], verified: &Verified) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(LOG_FILE);
    fs::write(&path, log).unwrap();
    let mut out = Vec::new();
    assert_eq!(export(&path, &mut out).unwrap(), *verified);
    let mut count = 0;
    let wanted = Wanted { since: Timestamp::MIN, kinds: &["opened", "acted", "decided"] };
    read(&path, wanted, &mut |_| count += 1).unwrap();
    assert!(count <= verified.entries);
    match open(dir.path(), &Options::default()) {
        Ok((_, report)) => assert_eq!((report.lines, report.torn), (verified.lines, None)),
        // the projection may refuse what the chain alone allows, and says which line
        Err(OpenError::Damaged { found, .. }) => assert!(found.line <= verified.lines, "{found}"),
        Err(other) => panic!("{other}"),
    }
}

/// Each line with its digests and hashes made right, as far as it has the form of one.
fn repaired(text: &str) -> Vec<u8> {
    let (mut line, mut heads) = (Hash::ZERO, HashMap::new());
    let mut log = Vec::new();
    for one in text.split_inclusive('\n') {
        match right(one, &mut line, &mut heads) {
            Some(right) => log.extend_from_slice(right.as_bytes()),
            None => log.extend_from_slice(one.as_bytes()),
        }
    }
    log
}

fn right(text: &str, line: &mut Hash, heads: &mut HashMap<String, Hash>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        step: Value,
        #[serde(borrow, default)]
        bodies: Vec<&'a RawValue>,
    }
    let Parts { mut step, bodies } = serde_json::from_str(text).ok()?;
    let stream = step.get("stream")?.as_str()?.to_owned();
    let mut head = *heads.get(&stream).unwrap_or(&Hash::ZERO);
    if let Some(entries) = step.get_mut("entries").and_then(Value::as_array_mut) {
        for (entry, body) in entries.iter_mut().zip(&bodies) {
            let own = sha256(&[body.get().as_bytes()]);
            head = sha256(&[head.bytes(), own.bytes()]);
            entry["digest"] = own.to_string().into();
            entry["hash"] = head.to_string().into();
        }
    }
    heads.insert(stream, head);
    let step = step.to_string();
    *line = sha256(&[line.bytes(), step.as_bytes()]);
    let mut whole = format!(r#"{{"hash":"{line}","step":{step}"#);
    if !bodies.is_empty() {
        let bodies: Vec<&str> = bodies.iter().map(|body| body.get()).collect();
        whole.push_str(&format!(r#","bodies":[{}]"#, bodies.join(",")));
    }
    Some(whole + "}\n")
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let whole = parts.concat();
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, &whole).as_ref());
    Hash::from_bytes(bytes)
}
