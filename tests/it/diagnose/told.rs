//! What logs say: found where a container's state bears it out, put behind what is stated, and dominating only where
//! data is damaged or somebody intrudes.

use belay::diagnose::{alarms, diagnose};
use belay::domain::action::job::Templates;
use belay::domain::cause::CauseWord;
use belay::domain::cluster::{LogTail, Snapshot};
use belay::domain::evidence::Source;
use belay::domain::finding::Certainty::{self, Certain, Likely, Possible};
use belay::domain::record::{Conclusion, Diagnosis};
use belay::investigate::playbook;

use super::{ago, ended, healthy, labels, running, waiting, with_end};

/// One line of each kind of sign.
pub const LINES: [&str; 12] = [
    "nginx: [emerg] unknown directive \"lisen\" in /etc/nginx/nginx.conf:3",
    "panic: runtime error: index out of range [3] with length 3",
    "listen tcp :8080: bind: address already in use",
    "open /etc/web/tls.crt: no such file or directory",
    "java.lang.OutOfMemoryError: Java heap space",
    "dial tcp: lookup db.shop.svc on 10.96.0.10:53: no such host",
    "dial tcp db.shop:5432: connect: connection refused",
    "FATAL:  sorry, too many clients already",
    "x509: certificate has expired or is not yet valid: current time 2026-11-21",
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
    "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus.",
    DAMAGE,
];
const DAMAGE: &str =
    "2026-11-21 20:00:00.000 UTC [77] ERROR:  invalid page in block 7 of relation base/16384/16397";

fn of(snapshot: &Snapshot) -> Diagnosis {
    diagnose(snapshot, &labels("ApiErrorRateHigh"), &Templates::default())
}

fn causes(snapshot: &Snapshot) -> Vec<(&'static str, Certainty)> {
    of(snapshot).findings.iter().map(|f| (f.cause.name(), f.certainty)).collect()
}

/// Pod 0 is in a crash loop, and its previous instance wrote this.
fn looping(lines: &[&str]) -> Snapshot {
    let end = ended("Error", 1, Some(ago(2)));
    wrote(with_end(end, &waiting("CrashLoopBackOff"), 4), true, lines)
}

fn wrote(mut snapshot: Snapshot, previous: bool, lines: &[&str]) -> Snapshot {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    let log = LogTail { pod: "web-new-0".into(), container: "web".into(), previous, lines };
    snapshot.logs = Ok(vec![log]);
    snapshot
}

#[test]
fn a_program_that_refuses_its_configuration_says_so_at_its_end() {
    let refused = looping(&["starting", LINES[0]]);
    assert_eq!(causes(&refused), [("CrashLoop", Certain), ("BadConfig", Likely)]);
    let diagnosis = of(&refused);
    let told = &diagnosis.findings[1];
    let quoted = diagnosis.evidence.iter().find(|e| e.id == told.evidence[0]).unwrap();
    assert_eq!((quoted.source, quoted.summary.as_str()), (Source::Logs, LINES[0]));
    assert_eq!(diagnosis.candidates.len(), 1, "the restart that the crash loop suggests, and nothing else");
    // long before the end it is no reason to end
    let mut lines = vec![LINES[0]];
    lines.extend(["a line"; 25]);
    assert_eq!(causes(&looping(&lines)), [("CrashLoop", Certain)]);
    // and one that runs did not refuse anything
    assert_eq!(causes(&wrote(healthy(), false, &[LINES[0]])), []);
}

#[test]
fn why_it_ended_stands_behind_that_it_ended() {
    for (n, says) in [(1, "panics"), (2, "port is in use"), (3, "missing")] {
        let diagnosis = of(&looping(&[LINES[n]]));
        let found: Vec<_> = diagnosis.findings.iter().map(|f| (f.cause.name(), f.certainty)).collect();
        assert_eq!(found, [("CrashLoop", Certain), ("CrashLoop", Likely)]);
        assert!(diagnosis.findings[1].summary.contains(says), "{}", diagnosis.findings[1].summary);
    }
    assert_eq!(causes(&looping(&[LINES[4]])), [("CrashLoop", Certain), ("MemoryLimitTooLow", Likely)]);
}

#[test]
fn a_cascade_points_elsewhere_and_takes_more_than_a_line() {
    let refused = [LINES[6]; 3];
    let found = of(&looping(&refused));
    let told = found.findings.last().unwrap();
    assert_eq!((told.cause.name(), told.certainty), ("DependencyDown", Likely));
    assert!(told.summary.contains("of `db.shop`: look for the cause there"), "{}", told.summary);
    assert_eq!(causes(&looping(&refused[..2])).last(), Some(&("DependencyDown", Possible)));
    // a service that is well and cannot reach another
    assert_eq!(causes(&wrote(healthy(), false, &refused)), [("DependencyDown", Possible)]);
    assert_eq!(causes(&looping(&[LINES[5]; 2])).last(), Some(&("DnsFailure", Likely)));
    assert_eq!(causes(&looping(&[LINES[7]; 2])).last(), Some(&("ConnectionPoolExhausted", Likely)));
    assert_eq!(causes(&looping(&[LINES[8]])).last(), Some(&("CertificateExpiring", Likely)));
    assert_eq!(causes(&looping(&[LINES[9]])).last(), Some(&("ModelServerDown", Likely)));
    assert_eq!(causes(&looping(&[LINES[10]])).last(), Some(&("GpuLost", Likely)));
}

#[test]
fn of_several_pods_each_log_is_read_for_its_own_container() {
    let mut snapshot = looping(&[LINES[1]]);
    let log = |pod: &str, line: &str| LogTail {
        pod: pod.into(),
        container: "web".into(),
        previous: false,
        lines: vec![line.to_owned()],
    };
    // pod 1 is well, and pod 9 is nobody's
    snapshot.logs.as_mut().unwrap().extend([log("web-new-1", LINES[8]), log("web-new-9", LINES[10])]);
    let found = causes(&snapshot);
    let expected = [
        ("CrashLoop", Certain),
        ("CrashLoop", Likely),
        ("CertificateExpiring", Possible),
        ("GpuLost", Possible),
    ];
    assert_eq!(found, expected);
}

#[test]
fn where_no_log_can_be_read_nothing_is_told() {
    let mut snapshot = looping(&[LINES[0]]);
    snapshot.logs = Err("forbidden".into());
    assert_eq!(causes(&snapshot), [("CrashLoop", Certain)]);
    assert_eq!(of(&snapshot).missing, ["its logs could not be read: forbidden"]);
}

#[test]
fn damage_is_for_a_person_whatever_else_was_found() {
    let killed = with_end(ended("OOMKilled", 137, Some(ago(2))), &waiting("CrashLoopBackOff"), 4);
    let damaged = of(&wrote(killed.clone(), true, &[DAMAGE]));
    assert_eq!(damaged.candidates.len(), 1, "what could be done is said");
    assert_eq!(damaged.for_a_person().unwrap().cause.word(), CauseWord::DataCorruption);
    assert_eq!(playbook(&damaged, "none").conclusion, Conclusion::Escalate);
    // beside pods that are well, too, and although nothing else is wrong
    let well = wrote(healthy(), false, &[DAMAGE]);
    let found = diagnose(&well, &labels("KubePodCrashLooping"), &Templates::default());
    assert_eq!(found.findings.last().unwrap().cause.word(), CauseWord::DataCorruption);
    assert_eq!(alarms(&well), [CauseWord::DataCorruption].into());
    // what a client sent is no such sign
    let asked = "10.0.0.9 - - \"GET /?q=ERROR: invalid page in block 7 of relation x HTTP/1.1\" 404";
    let echoed = of(&wrote(killed, true, &[asked]));
    assert!(echoed.for_a_person().is_none());
    assert!(matches!(playbook(&echoed, "none").conclusion, Conclusion::Choose { .. }));
}

#[test]
fn where_nothing_is_wrong_any_more_old_lines_are_no_news() {
    let mut lines = vec!["dial tcp db.shop:5432: connect: connection refused"; 5];
    lines.push("connected");
    let well = wrote(with_end(ended("Error", 1, Some(ago(45))), &running(), 1), false, &lines);
    let found = diagnose(&well, &labels("KubePodCrashLooping"), &Templates::default());
    assert_eq!(found.findings.iter().map(|f| f.cause.name()).collect::<Vec<_>>(), ["NothingWrong"]);
}
