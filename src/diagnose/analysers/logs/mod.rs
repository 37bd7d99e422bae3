//! What the last lines of a log say, by a bounded table of signs: each a literal that a known program writes. Such
//! a finding informs people, and at most makes the outcome stricter: whoever can have a line logged must gain
//! nothing by it. It never names a target, never has a candidate, and is never certain.

mod certificate;
mod config;
mod crash;
mod damage;
mod dependency;
mod dns;
mod line;
mod model;
mod pool;
mod security;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::RegexSet;

use super::{last_end, matters, pods};
use crate::diagnose::evidence::{Book, Key};
use crate::domain::cause::CauseWord;
use crate::domain::cluster::{Container, ContainerState, LogTail, Pod, Snapshot};
use crate::domain::finding::{Cause, Certainty, Finding};
use crate::domain::ids::EvidenceId;

/// The end of a log in which a program says why it ends: a stack trace of usual depth.
const LAST: usize = 25;
/// Lines that are shown of what a finding rests on; the snapshot has all.
const QUOTED: usize = 3;
/// Findings by text about one snapshot: more than people read, and a bound on what a hostile log can fill.
const AT_MOST: usize = 5;

/// Where in a log a sign means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Among the last lines of an instance that ended: why it ended.
    AtTheEnd,
    /// Anywhere in what was read.
    Anywhere,
}

/// Something that a log can say, and the lines by which known programs say it.
struct Sign {
    word: CauseWord,
    /// For people: what the lines say.
    says: &'static str,
    place: Where,
    /// Lines from which on it is more than an accident.
    least: u32,
    /// Regular expressions over one line, or over its message (`line::texts`). Of linear time, as all are here.
    patterns: &'static [&'static str],
}

/// All signs, the more telling first: of one word, the first that is seen speaks.
const TABLE: [&[Sign]; 9] = [
    damage::SIGNS,
    security::SIGNS,
    config::SIGNS,
    certificate::SIGNS,
    pool::SIGNS,
    model::SIGNS,
    dns::SIGNS,
    dependency::SIGNS,
    crash::SIGNS,
];

/// One set over all patterns, so that a line is passed over once; and which sign each pattern belongs to.
struct Compiled {
    set: RegexSet,
    signs: Vec<(&'static Sign, usize)>,
}

#[expect(clippy::expect_used, reason = "the patterns are constants, and every test of a sign compiles them")]
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let all = TABLE.iter().flat_map(|signs| signs.iter()).enumerate();
    let signs: Vec<(&Sign, usize, &str)> =
        all.flat_map(|(n, sign)| sign.patterns.iter().map(move |pattern| (sign, n, *pattern))).collect();
    let set = RegexSet::new(signs.iter().map(|(_, _, pattern)| pattern)).expect("constant patterns");
    Compiled { set, signs: signs.into_iter().map(|(sign, n, _)| (sign, n)).collect() }
});

/// A sign that was seen in one log.
struct Seen<'a> {
    sign: &'static Sign,
    rank: usize,
    log: &'a LogTail,
    lines: Vec<&'a str>,
}

/// The findings, the surest first; each rests on the lines themselves, which become evidence.
pub fn told(snapshot: &Snapshot, book: &mut Book) -> Vec<Finding> {
    let mut found: Vec<(Certainty, Seen<'_>)> =
        seen(snapshot).into_iter().map(|seen| (sure(snapshot, &seen), seen)).collect();
    found.sort_by_key(|(certainty, seen)| {
        let grave = seen.sign.word.always_a_person();
        (std::cmp::Reverse((grave, *certainty)), seen.rank)
    });
    let mut words: BTreeSet<CauseWord> = BTreeSet::new();
    found.retain(|(_, seen)| words.insert(seen.sign.word));
    found.truncate(AT_MOST);
    found.into_iter().map(|(certainty, seen)| finding(snapshot, book, certainty, &seen)).collect()
}

/// The causes that always go to a person, as far as the logs say so.
pub fn alarms(snapshot: &Snapshot) -> BTreeSet<CauseWord> {
    let grave = seen(snapshot).into_iter().filter(|seen| seen.sign.word.always_a_person());
    grave.filter(|seen| sure(snapshot, seen) > Certainty::Possible).map(|seen| seen.sign.word).collect()
}

fn seen(snapshot: &Snapshot) -> Vec<Seen<'_>> {
    snapshot.logs.iter().flatten().flat_map(|log| in_one(snapshot, log)).collect()
}

/// The signs of one log, each with its lines.
fn in_one<'a>(snapshot: &Snapshot, log: &'a LogTail) -> Vec<Seen<'a>> {
    let ended = log.previous || !runs(snapshot, log);
    let end = log.lines.len().saturating_sub(LAST);
    let mut found: Vec<Seen<'a>> = Vec::new();
    for (at, text) in log.lines.iter().enumerate() {
        for (sign, rank) in signs_of(text) {
            if sign.place == Where::AtTheEnd && (!ended || at < end) {
                continue;
            }
            match found.iter_mut().find(|seen| seen.rank == rank) {
                Some(seen) => seen.lines.push(text),
                None => found.push(Seen { sign, rank, log, lines: vec![text] }),
            }
        }
    }
    found
}

/// The signs that one line shows, each once.
fn signs_of(text: &str) -> Vec<(&'static Sign, usize)> {
    let texts = line::texts(text);
    let hits = texts.iter().flat_map(|text| COMPILED.set.matches(text));
    let mut found: Vec<(&Sign, usize)> = hits.filter_map(|hit| COMPILED.signs.get(hit).copied()).collect();
    // a program that calls itself is no dependency
    found.retain(|(sign, _)| sign.word != CauseWord::DependencyDown || !line::is_loopback(text));
    found.sort_by_key(|(_, rank)| *rank);
    found.dedup_by_key(|(_, rank)| *rank);
    found
}

fn container<'a>(snapshot: &'a Snapshot, log: &LogTail) -> Option<(&'a Pod, &'a Container)> {
    let pod = pods(snapshot).into_iter().find(|pod| pod.object.named.name == log.pod)?;
    Some((pod, pod.containers.iter().find(|c| c.name == log.container)?))
}

fn runs(snapshot: &Snapshot, log: &LogTail) -> bool {
    container(snapshot, log).is_none_or(|(_, c)| matches!(c.state, ContainerState::Running { .. }))
}

/// Likely at best: where enough lines say so and the API states that the container is not well. What always goes to
/// a person does not wait for that: a database that goes on with a broken page is ready all the while.
fn sure(snapshot: &Snapshot, seen: &Seen<'_>) -> Certainty {
    let enough = seen.lines.len() >= usize::try_from(seen.sign.least).unwrap_or(usize::MAX);
    let unwell = container(snapshot, seen.log).is_some_and(|(_, container)| {
        let ended = last_end(container).and_then(|end| matters(snapshot, container, end));
        !container.ready || ended.is_some()
    });
    if enough && (unwell || seen.sign.word.always_a_person()) {
        Certainty::Likely
    } else {
        Certainty::Possible
    }
}

fn finding(snapshot: &Snapshot, book: &mut Book, certainty: Certainty, seen: &Seen<'_>) -> Finding {
    let Seen { sign, log, lines, .. } = seen;
    let which = if log.previous { "previous" } else { "current" };
    let title = format!("what the {which} log of {}/{} says of {}", log.pod, log.container, sign.word.name());
    let last: Vec<&str> = lines.iter().rev().take(QUOTED).rev().copied().collect();
    let quoted: EvidenceId = book.quote(snapshot.at, title, &last);
    let pod = container(snapshot, log).map(|(pod, _)| pod);
    let mut evidence = vec![quoted];
    evidence.extend(book.cite(&[Key::Pod(log.pod.clone()), Key::Workload]));
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    Finding {
        summary: summary(sign, log, lines),
        cause: Cause::Logged {
            word: sign.word,
            sign: sign.says.to_owned(),
            pod: log.pod.clone(),
            container: log.container.clone(),
            lines: count,
        },
        subject: pod.map_or_else(|| snapshot.target.clone(), |pod| pod.object.clone()),
        certainty,
        evidence,
        rules_out: vec![],
        suggests: vec![],
    }
}

/// The sentence, with the host that the lines name where they speak of another service: shown, and nothing else.
fn summary(sign: &Sign, log: &LogTail, lines: &[&str]) -> String {
    let elsewhere = [CauseWord::DependencyDown, CauseWord::DnsFailure].contains(&sign.word);
    let host = elsewhere.then(|| lines.iter().rev().find_map(|text| line::host(text))).flatten();
    let host = host.map_or_else(String::new, |host| format!(", of `{host}`"));
    let where_to = if sign.word == CauseWord::DependencyDown { ": look for the cause there" } else { "" };
    let many = match lines.len() {
        1 => "a line".to_owned(),
        n => format!("{n} lines"),
    };
    let (pod, container) = (&log.pod, &log.container);
    let says = sign.says;
    format!("{many} in the log of container `{container}` of pod `{pod}` speak of it: {says}{host}{where_to}")
}

#[cfg(test)]
mod tests;
