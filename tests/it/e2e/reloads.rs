//! Policies edited while the daemon runs: taken up as a whole, or refused as a whole and said so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use belay::app::admin::{self, Request, Response};
use belay::app::policies::{Looked, Watch};
use belay::config;
use belay::domain::decision::Outcome;
use belay::domain::record::{Answer, Record};
use belay::incident::{Phase, State};
use jiff::SignedDuration;

use super::house::{House, Wish, folder, policy};

/// The golden inputs, without which the policy would be refused.
fn examples(dir: &Path) {
    let examples = dir.join("examples");
    fs::create_dir(&examples).unwrap();
    for (name, text) in folder("").into_iter().filter(|(name, _)| name.contains("/examples/")) {
        fs::write(examples.join(Path::new(&name).file_name().unwrap()), text).unwrap();
    }
}

/// A version of the folder as kubelet brings a ConfigMap: the files in a folder of their own, and one link
/// that is swapped.
pub fn mount(dir: &Path, version: &str, text: &str) {
    let data = dir.join(format!("..2026_11_21_{version}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("shop.yaml"), text).unwrap();
    examples(&data);
    let next = dir.join("..data_tmp");
    symlink(data.file_name().unwrap(), &next).unwrap();
    fs::rename(&next, dir.join("..data")).unwrap();
    if !dir.join("shop.yaml").is_symlink() {
        symlink("..data/shop.yaml", dir.join("shop.yaml")).unwrap();
    }
}

pub fn watch(house: &House, dir: &Path) -> Watch {
    Watch::new(house.daemon.clone(), dir, &config::policies(dir).unwrap())
}

fn metrics(house: &House) -> String {
    house.daemon.metrics().encode().unwrap()
}

fn headlines(house: &House) -> Vec<String> {
    house.people.notices.lock().unwrap().iter().map(|notice| notice.headline.clone()).collect()
}

const BAD_TEST: &str = "\n  tests:\n    - name: it acts\n      given: { apiVersion: belay.dev/v1, kind: Example }\n      expect: { outcome: act }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_folder_is_taken_up_whole_or_refused_whole() {
    let house = House::open(Wish::by_hand()).await;
    let dir = tempfile::tempdir().unwrap();
    mount(dir.path(), "1", &policy());
    let mut watch = watch(&house, dir.path());
    assert_eq!(watch.look().await, Looked::Same);
    let first = metrics(&house);
    assert!(first.contains("belay_policy_reloads_total{result=\"refused\"} 0"), "{first}");
    let info =
        |text: &str| text.lines().find(|l| l.starts_with("belay_policy_set_info{")).unwrap().to_owned();

    // a set with an unknown key
    mount(dir.path(), "2", &policy().replace("  grants:", "  grnats:"));
    let Looked::Refused(why) = watch.look().await else { panic!("it is wrong") };
    assert!(why[0].contains("shop.yaml:") && why[0].contains("unknown key `grnats`"), "{why:?}");
    assert_eq!(watch.look().await, Looked::Same, "it is said once");
    assert_eq!(info(&metrics(&house)), info(&first), "the old set stays");

    // a set whose own tests fail
    mount(dir.path(), "3", &format!("{}{BAD_TEST}", policy()));
    assert!(matches!(watch.look().await, Looked::Refused(_)));
    assert!(metrics(&house).contains("belay_policy_reloads_total{result=\"refused\"} 2"));

    // a good one
    mount(dir.path(), "4", &format!("# better\n{}", policy()));
    let Looked::Loaded(set) = watch.look().await else { panic!("it is sound") };
    let text = metrics(&house);
    assert!(text.contains("belay_policy_reloads_total{result=\"loaded\"} 1"), "{text}");
    assert!(info(&text).contains(&set.short()), "{text}");
    assert_eq!(text.matches("belay_policy_set_info{").count(), 1, "one set is in force");
    assert!(text.contains("belay_policy_loaded_timestamp_seconds 1"), "{text}");

    // wrong once more, and back
    mount(dir.path(), "5", "nothing: here");
    assert!(matches!(watch.look().await, Looked::Refused(_)));
    mount(dir.path(), "6", &format!("# better\n{}", policy()));
    assert_eq!(watch.look().await, Looked::Restored);

    let said = headlines(&house);
    let kinds: Vec<_> = said.iter().map(|h| h.split([';', ',']).next().unwrap()).collect();
    assert_eq!(kinds[..2], ["Policy files were refused", "Policy files were refused"]);
    assert_eq!(kinds[2], format!("Policy set {} is in force", set.short()));
    assert_eq!(kinds[3..], ["Policy files were refused", "The policy files are sound again"]);

    let records = house.records("daemon").await;
    let stays: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::PolicyRefused { stays, why } => Some((*stays, !why.is_empty())),
            _ => None,
        })
        .collect();
    let loaded = records.iter().find_map(|record| match record {
        Record::PolicyLoaded { set, before, files: Some(_) } => Some((*set, *before)),
        _ => None,
    });
    let Some((after, before)) = loaded else { panic!("the journal says which set was taken up") };
    assert_eq!(after, set);
    assert_eq!(stays, [(before, true), (before, true), (after, true)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_being_written_are_waited_for() {
    let house = House::open(Wish::by_hand()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.yaml");
    fs::write(&file, policy()).unwrap();
    examples(dir.path());
    let mut watch = watch(&house, dir.path());
    // half a file, and a moment later all of it
    fs::write(&file, &policy()[..policy().len() / 2]).unwrap();
    assert_eq!(watch.look().await, Looked::Unsettled);
    fs::write(&file, format!("# better\n{}", policy())).unwrap();
    assert_eq!(watch.look().await, Looked::Unsettled);
    assert!(matches!(watch.look().await, Looked::Loaded(_)));
    assert_eq!(headlines(&house).len(), 1);
    // an empty folder is refused, not obeyed
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(dir.path().join("examples")).unwrap();
    assert_eq!(watch.look().await, Looked::Unsettled);
    assert!(matches!(watch.look().await, Looked::Refused(why) if why[0].contains("holds no policy")));
    assert_eq!(watch.look().await, Looked::Same);
    house.stop().await;
}

/// A question is open; the policy is edited; the question is approved. The state once that was settled.
async fn approved_after(edit: impl Fn(&str) -> String) -> (House, State) {
    let house = House::open(Wish::default().level(2)).await;
    let dir = tempfile::tempdir().unwrap();
    let level_2 = policy().replace("      level: 3\n", "      level: 2\n");
    mount(dir.path(), "1", &level_2);
    let mut watch = watch(&house, dir.path());
    house.leak("web").await;
    let state = house.phase("web", |phase| matches!(phase, Phase::Approving)).await;
    let request = Request::Why { incident: state.id.to_string() };
    let why = admin::ask(house.dir.path(), &request).await.unwrap();
    assert!(matches!(why, Response::Explanation(e) if e.decision.outcome == Outcome::Ask));
    mount(dir.path(), "2", &edit(&level_2));
    assert!(matches!(watch.look().await, Looked::Loaded(_)));
    house.answer(&state, Answer::Approve).await;
    let settled = |phase: &Phase| {
        matches!(phase, Phase::Verifying(_) | Phase::Confirming(_) | Phase::Escalated | Phase::Closed)
    };
    let state = house.find("it is settled", "web", |state| settled(&state.phase)).await;
    (house, state)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_survives_an_edit_that_is_no_stricter() {
    let same = |text: &str| format!("# a remark\n{text}");
    let looser = |text: &str| text.replace("      level: 2\n", "      level: 3\n");
    for edit in [&same as &dyn Fn(&str) -> String, &looser] {
        let (house, state) = approved_after(edit).await;
        assert_eq!(house.evictions(), 1, "{:?}", state.escalations);
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_does_not_survive_an_edit_that_is_stricter() {
    let frozen = |text: &str| text.replace("from: 2026-11-27T00:00:00Z", "from: 2026-11-20T00:00:00Z");
    let (house, state) = approved_after(frozen).await;
    assert_eq!(house.evictions(), 0);
    let decided = state.decided.unwrap().decision;
    assert!(decided.reasons.iter().any(|reason| reason.code == "freeze/black-friday"), "{decided:?}");
    house.stop().await;
}

/// The same folder, with a mistake in its policy.
fn broken() -> Vec<(String, String)> {
    folder(&policy().replace("  grants:", "  grnats:"))
}

/// Policy files written to a folder, each by its name there.
fn written(files: &[(String, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("examples")).unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name.strip_prefix("policies/demo/").unwrap()), text).unwrap();
    }
    dir
}

/// Looks until there is a verdict.
async fn settled(watch: &mut Watch) -> Looked {
    assert_eq!(watch.look().await, Looked::Unsettled);
    watch.look().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_refused_at_a_start_leave_the_last_set_in_force_and_it_is_said_again() {
    let house = House::open(Wish::by_hand()).await;
    assert_eq!((house.start.former, house.start.refused), (None, false));
    let set = house.daemon.metrics().encode().unwrap();
    let info =
        |text: &str| text.lines().find(|l| l.starts_with("belay_policy_set_info{")).unwrap().to_owned();
    let house = house.restart(broken(), SignedDuration::ZERO).await;
    assert!(house.start.refused && house.start.former.is_some());
    assert_eq!(info(&metrics(&house)), info(&set), "the set that was in force stays");
    let dir = written(&broken());
    let mut watch = Watch::new(house.daemon.clone(), dir.path(), &broken()).after(&house.start);
    let Looked::Refused(why) = settled(&mut watch).await else { panic!("it is wrong") };
    assert!(why[0].contains("unknown key `grnats`"), "{why:?}");
    assert_eq!(watch.look().await, Looked::Same, "it is said once");
    assert!(metrics(&house).contains("belay_policy_reloads_total{result=\"refused\"} 1"));
    assert!(
        headlines(&house).iter().any(|h| h.starts_with("Policy files were refused")),
        "{:?}",
        headlines(&house)
    );
    let refused =
        house.records("daemon").await.into_iter().any(|r| matches!(r, Record::PolicyRefused { .. }));
    assert!(refused, "the journal says so");

    // and once more over the next start
    drop(watch);
    let house = house.restart(broken(), SignedDuration::ZERO).await;
    assert!(house.start.refused);
    assert_eq!(info(&metrics(&house)), info(&set));
    // it decides by that set
    let pod = house.leak("web").await;
    house
        .deliver(super::house::body(&[super::house::crash_loop(&pod.name, "2026-11-21T01:50:00Z", None)]))
        .await;
    house.find("it acts", "web", |state| !state.acts.is_empty()).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_edited_while_belay_was_away_are_told() {
    let house = House::open(Wish::by_hand()).await;
    let same = house.policies.clone();
    let house = house.restart(same, SignedDuration::ZERO).await;
    let told = async |house: &House| {
        let dir = written(&house.policies);
        let mut watch = Watch::new(house.daemon.clone(), dir.path(), &config::policies(dir.path()).unwrap());
        watch = watch.after(&house.start);
        assert_eq!(watch.look().await, Looked::Same);
        headlines(house)
    };
    assert_eq!(told(&house).await, Vec::<String>::new());
    let house = house.restart(folder(&format!("# edited\n{}", policy())), SignedDuration::ZERO).await;
    let said = told(&house).await;
    assert!(said.len() == 1 && said[0].starts_with("Since this start policy set"), "{said:?}");
    house.stop().await;
}

/// With nothing to fall back upon, a start fails and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_needs_sound_files() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "stateDir: {:?}\npolicies: policies\ncluster: {{ name: demo, url: 'http://127.0.0.1:1' }}\n",
        dir.path()
    );
    let config = config::parse("the test's configuration", &text).unwrap();
    let people = std::sync::Arc::new(super::house::People::default());
    let given = belay::app::build::Given {
        clock: std::sync::Arc::new(belay::ports::clock::SystemClock),
        policies: broken(),
        messenger: std::sync::Arc::clone(&people) as _,
        pager: people as _,
        simulated: true,
    };
    let Err(e) = belay::app::build::build(&config, given).await else { panic!("there is no policy") };
    assert!(e.to_string().contains("unknown key `grnats`"), "{e}");
}
