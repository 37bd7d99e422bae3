//! The book: what is a new version, what is dropped, what is never written down.

use belay::domain::cluster::{ConfigRef, How};
use belay::domain::recorded::{
    Book, Concern, Content, HEALTHY_FOR, History, Kept, Memory, Observation, Place, Seen,
};
use belay::domain::target::Kind;
use proptest::prelude::*;

use super::{at, config, key, place, workload};
use crate::given::object;

fn watched(minutes: i64) -> Seen {
    Seen::Watched(at(minutes))
}

fn versions(book: &Book, name: &str) -> Vec<u64> {
    book.config(&place(name)).unwrap().versions.iter().map(|version| version.number).collect()
}

#[test]
fn a_version_is_a_change_of_content_and_of_nothing_else() {
    let mut book = Book::new(key());
    let first = config("flags", &[("mode", "fast")]);
    assert_eq!(book.observe(first.clone(), Seen::Found(at(0))), [place("flags")]);
    assert!(book.observe(first.clone(), watched(1)).is_empty(), "the same again");
    let mut noted = first;
    noted.annotations.insert("who".into(), "kim".into());
    noted.annotations.insert("kubectl.kubernetes.io/last-applied-configuration".into(), "{}".into());
    assert_eq!(book.observe(noted, watched(2)), [place("flags")], "to be kept, and no version");
    assert_eq!(versions(&book, "flags"), [1]);
    assert_eq!(book.config(&place("flags")).unwrap().annotations.len(), 1);
    book.observe(config("flags", &[("mode", "warp"), ("port", "80")]), watched(3));
    let history = book.config(&place("flags")).unwrap();
    let (old, new) = (&history.versions[0], history.present().unwrap());
    assert_eq!((old.until, new.number, new.seen, new.watched), (Some(at(3)), 2, at(3), true));
    assert_eq!(history.before(new), Some(old));
    let (fields, withheld) = History::between(old, new);
    let told: Vec<_> =
        fields.iter().map(|f| (f.path.as_str(), f.value.as_deref(), f.instead_of.as_deref())).collect();
    assert_eq!(
        told,
        [("/data/mode", Some("\"fast\""), Some("\"warp\"")), ("/data/port", None, Some("\"80\""))]
    );
    assert!(withheld.is_empty());
}

#[test]
fn secrets_are_told_apart_and_never_written_down() {
    let mut book = Book::new(key());
    book.observe(config("flags", &[("mode", "fast"), ("password", "hunter2")]), watched(0));
    book.observe(config("flags", &[("mode", "warp"), ("password", "hunter2")]), watched(1));
    book.observe(config("flags", &[("mode", "warp"), ("password", "hunter3")]), watched(2));
    let history = book.config(&place("flags")).unwrap();
    let [first, second, third] = history.versions.as_slice() else { panic!() };
    let (fields, withheld) = History::between(first, second);
    assert_eq!((fields.len(), withheld[0].path.as_str(), withheld[0].changed), (1, "/data/password", false));
    let (fields, withheld) = History::between(second, third);
    assert_eq!((fields.len(), withheld[0].changed), (0, true));
    let written = serde_json::to_string(&book.kept(&place("flags"))).unwrap();
    assert!(!written.contains("hunter") && written.contains("warp"), "{written}");
}

#[test]
fn what_changes_by_the_hour_keeps_something_of_each_age() {
    let mut book = Book::new(key());
    for hour in 0..24 * 30 {
        book.observe(config("flags", &[("n", &hour.to_string())]), watched(hour * 60));
    }
    let history = book.config(&place("flags")).unwrap();
    let now = at((24 * 30 - 1) * 60);
    let ages: Vec<i64> = history.versions.iter().map(|v| now.duration_since(v.seen).as_hours()).collect();
    assert!(history.versions.len() <= 9, "{ages:?}");
    assert!(ages[0] > 24 * 7, "something of last week: {ages:?}");
    assert!(ages.iter().any(|age| (24..=24 * 8).contains(age)), "{ages:?}");
    assert_eq!(ages[ages.len() - 4..], [3, 2, 1, 0], "the newest four");
}

#[test]
fn what_never_rests_is_not_kept_and_leaves_others_alone() {
    let mut book = Book::new(key());
    book.observe(config("flags", &[("mode", "fast")]), watched(0));
    book.observe(config("flags", &[("mode", "warp")]), watched(1));
    for n in 0..2_000 {
        book.observe(
            config("leader", &[("holder", &n.to_string())]),
            Seen::Watched(at(2) + jiff::SignedDuration::from_secs(n * 2)),
        );
    }
    assert_eq!(versions(&book, "flags"), [1, 2]);
    assert!(book.config(&place("leader")).unwrap().restless());
    assert_eq!(versions(&book, "leader"), [2_000], "only what holds now");
    // once it rests, it is recorded again
    book.observe(config("leader", &[("holder", "x")]), watched(600));
    book.observe(config("leader", &[("holder", "y")]), watched(700));
    assert!(!book.config(&place("leader")).unwrap().restless());
    assert_eq!(versions(&book, "leader"), [2_000, 2_001, 2_002]);
}

#[test]
fn what_is_gone_is_remembered_for_a_while_and_may_come_back() {
    let mut book = Book::new(key());
    book.observe(config("flags", &[("mode", "fast")]), watched(0));
    assert_eq!(book.gone(&place("flags"), at(5)), [place("flags")]);
    assert!(book.config(&place("flags")).unwrap().present().is_none());
    let mut anew = config("flags", &[("mode", "fast")]);
    anew.object.uid = "another".into();
    book.observe(anew, watched(9));
    assert_eq!(versions(&book, "flags"), [1, 2], "another object, with the same content");
    assert_eq!(book.config(&place("flags")).unwrap().gone, None);
    // a list tells what went while nobody watched, of its own kind and namespace
    book.observe(config("limits", &[("a", "b")]), watched(10));
    book.observe(workload(1, 3, true), watched(10));
    assert_eq!(book.listed(&place(""), &[place("limits")], at(20)), [place("flags")]);
    let week = at(20) + jiff::SignedDuration::from_hours(24 * 8);
    assert_eq!(book.listed(&place(""), &[place("limits")], week), [place("flags")]);
    assert!(book.config(&place("flags")).is_none() && book.kept(&place("flags")).is_none());
}

#[test]
fn a_change_that_was_found_is_told_from_one_that_was_watched() {
    let mut book = Book::new(key());
    book.observe(config("flags", &[("mode", "fast")]), Seen::Found(at(0)));
    let kept = book.kept(&place("flags")).unwrap();
    let mut later = Book::new(key());
    later.recall(kept);
    later.observe(config("flags", &[("mode", "warp")]), Seen::Found(at(60)));
    assert!(!later.config(&place("flags")).unwrap().present().unwrap().watched);
}

#[test]
fn a_workload_is_remembered_as_it_was_when_it_was_well() {
    let web = Place::of(&object(Kind::Deployment, "web"));
    let mut book = Book::new(key());
    book.observe(workload(1, 3, true), Seen::Found(at(0)));
    let healthy = |book: &Book, minutes: i64| -> Vec<Option<u64>> {
        book.workload(&web).unwrap().at(at(minutes)).healthy.iter().map(|h| h.revision).collect()
    };
    assert!(healthy(&book, 4).is_empty());
    assert_eq!(healthy(&book, HEALTHY_FOR.as_mins()), [Some(1)], "without anything having changed");
    book.observe(workload(2, 3, false), watched(10));
    book.observe(workload(2, 3, true), watched(11));
    book.observe(workload(2, 3, false), watched(13));
    assert_eq!(healthy(&book, 60), [Some(1)], "two minutes prove nothing");
    // back to the first template, which has another number now
    let mut back = workload(1, 3, false);
    let belay::domain::recorded::Content::Workload(seen) = &mut back.content else { panic!() };
    seen.revision = Some(3);
    book.observe(back, watched(61));
    assert_eq!(healthy(&book, 61), [Some(3)]);
    book.observe(workload(1, 0, false), watched(62));
    let scaled = book.workload(&web).unwrap();
    assert_eq!((scaled.last_above_zero, scaled.zero_since), (Some(3), Some(at(62))));
    // whoever did not watch does not know how long it has been well
    book.observe(workload(1, 3, true), Seen::Found(at(90)));
    assert_eq!(book.workload(&web).unwrap().since, at(90));
    let mut another = workload(1, 2, true);
    another.object.uid = "another".into();
    book.observe(another, watched(95));
    assert_eq!(healthy(&book, 96), [], "another object of that name");
}

/// Deployment `web`, which reads these ConfigMaps.
fn reading(names: &[&str]) -> belay::domain::cluster::Workload {
    let read = |name: &&str| ConfigRef { name: (*name).to_owned(), how: How::Files };
    let workload = crate::diagnose::workload();
    let pod_labels = [("app".to_owned(), "web".to_owned())].into();
    belay::domain::cluster::Workload { reads: names.iter().map(read).collect(), pod_labels, ..workload }
}

fn service(selector: &str) -> Observation {
    let mut seen = config("web", &[]);
    seen.object = object(Kind::Service, "web");
    let fields = [("/spec/selector".to_owned(), format!("{{\"app\":{selector:?}}}"))];
    seen.content = Content::Config(fields.into());
    seen
}

#[test]
fn a_workload_is_told_of_what_it_reads_and_of_what_reaches_it() {
    let mut book = Book::new(key());
    for (minutes, mode, selector) in [(0, "fast", "web"), (10, "warp", "wep")] {
        book.observe(config("flags", &[("mode", mode)]), watched(minutes));
        book.observe(config("other", &[("mode", mode)]), watched(minutes));
        book.observe(service(selector), watched(minutes));
    }
    book.observe(workload(1, 3, true), watched(0));
    let memory = Memory::of(&book, &reading(&["flags", "missing"]), at(20));
    let names: Vec<_> =
        memory.configs.iter().map(|c| (c.object.named.kind, c.object.named.name.as_str())).collect();
    assert_eq!(names, [(Kind::Service, "web"), (Kind::ConfigMap, "flags")]);
    let [service, flags] = memory.configs.as_slice() else { panic!() };
    assert_eq!(service.concern, Concern::Traffic { selects: false });
    assert!(service.changes[0].selected && service.changes[0].version == 1);
    assert_eq!((flags.changes[0].at, flags.changes[0].seen, flags.changes.len()), (at(10), at(0), 1));
    assert!(memory.workload.is_some());
    // hours later it is no news
    let late = Memory::of(&book, &reading(&["flags"]), at(10 + 4 * 60));
    assert!(late.configs.iter().all(|config| config.changes.is_empty()) && late.configs.len() == 2);
}

#[test]
fn what_no_plan_could_hold_is_not_carried_along() {
    let mut book = Book::new(key());
    let long = |c: &str| c.repeat(60 * 1024);
    let names: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    for (minutes, c) in [(0, "x "), (1, "y ")] {
        book.observe(config("big", &[("a", &long(c))]), watched(minutes));
    }
    for (minutes, c) in [(0, "x"), (1, "y")] {
        for name in &names {
            book.observe(config(name, &[("a", &c.repeat(30 * 1024))]), watched(minutes));
        }
    }
    let all: Vec<&str> = names.iter().map(String::as_str).chain(["big"]).collect();
    let memory = Memory::of(&book, &reading(&all), at(2));
    let whole = serde_json::to_vec(&memory).unwrap().len();
    assert!(whole < 2 << 20, "{whole}");
    let changes: Vec<_> = memory.configs.iter().flat_map(|config| &config.changes).collect();
    assert!(changes.iter().any(|change| !change.fields.is_empty()));
    let left_out = |change: &&&belay::domain::recorded::Change| change.fields.is_empty();
    assert!(changes.iter().filter(left_out).all(|change| change.withheld[0].changed), "and it is said so");
    assert!(changes.iter().any(|change| left_out(&change)));
}

fn size(kept: Option<Kept>) -> usize {
    kept.map_or(0, |kept| match kept {
        Kept::Config(history) => history.size(),
        Kept::Workload(history) => history.size(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn it_never_grows_beyond_its_bounds(
        steps in prop::collection::vec((0usize..5, 0usize..4000, 0i64..90, 0u8..12), 1..120),
    ) {
        let most = 20_000;
        let mut book = Book::new(key()).within(most);
        let mut minutes = 0;
        for (name, length, pause, what) in steps {
            minutes += pause;
            let name = format!("c{name}");
            let changed = match what {
                0 => book.gone(&place(&name), at(minutes)),
                1 => book.listed(&place(""), &[], at(minutes)),
                _ => book.observe(config(&name, &[("a", &"x".repeat(length))]), watched(minutes)),
            };
            prop_assert!(changed.iter().all(|place| place.name.starts_with('c')));
            let all: usize = (0..5).map(|n| size(book.kept(&place(&format!("c{n}"))))).sum();
            prop_assert_eq!(book.bytes(), all);
            prop_assert!(all <= most);
            for (_, history) in book.configs() {
                prop_assert!(history.versions.len() <= 9);
                prop_assert!(history.versions.is_sorted_by_key(|version| version.number));
                prop_assert!(history.versions.iter().rev().skip(1).all(|version| version.until.is_some()));
            }
        }
    }
}
