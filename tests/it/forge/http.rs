//! The clients of both forges: addresses, tokens, pauses, and answers that are not what they should be.

use std::sync::Arc;

use belay::adapters::github::GitHub;
use belay::adapters::gitlab::GitLab;
use belay::app::build;
use belay::config;
use belay::domain::plan::Place;
use belay::ports::clock::{ManualClock, SharedClock};
use belay::ports::forge::ForgeError;
use belay::sim::forge::{Asked, FakeForge, Fault, Vendor};
use jiff::SignedDuration;

use super::desk::{BOTH, PATH, TOKEN, WEB, client, place};
use crate::hands::world::start;

async fn fake(vendor: Vendor) -> (FakeForge, Arc<ManualClock>) {
    let forge = FakeForge::start(vendor, TOKEN, &[(PATH, WEB)]).await.unwrap();
    (forge, ManualClock::new(start()))
}

fn said(error: &ForgeError) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains(TOKEN) && !text.contains("127.0.0.1"), "{text}");
    text
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_told_without_it() {
    for vendor in BOTH {
        let (forge, clock) = fake(vendor).await;
        let wrong = client(vendor, &place(&forge, vendor), "wrong-s3cret", clock);
        let error = wrong.tip("main").await.unwrap_err();
        let text = said(&error);
        assert!(matches!(error, ForgeError::Refused { code: 401, .. }), "{text}");
        assert!(!text.contains("wrong-s3cret"), "{text}");
    }
}

#[tokio::test]
async fn a_pause_is_kept_and_a_short_one_is_waited_for() {
    for vendor in BOTH {
        let (forge, clock) = fake(vendor).await;
        let client = client(vendor, &place(&forge, vendor), TOKEN, Arc::clone(&clock) as SharedClock);
        forge.fail(Asked::Tip, Fault::TooOften(3));
        let waits = async {
            while forge.pending() > 0 {
                tokio::task::yield_now().await;
            }
            loop {
                clock.advance(SignedDuration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            tip = client.tip("main") => assert!(tip.unwrap().is_some()),
            () = waits => {}
        }
        // a window that is used up: nothing is sent until it is over
        let until = start().as_second() + 1_200;
        let clock = ManualClock::new(start());
        let client =
            super::desk::client(vendor, &place(&forge, vendor), TOKEN, Arc::clone(&clock) as SharedClock);
        forge.fail(Asked::Tip, Fault::UsedUp(until));
        let text = said(&client.tip("main").await.unwrap_err());
        assert!(text.contains("asked too often"), "{text}");
        let sent = forge.calls().len();
        said(&client.tip("main").await.unwrap_err());
        assert_eq!(forge.calls().len(), sent);
        clock.advance(SignedDuration::from_secs(1_201));
        assert!(client.tip("main").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn reads_are_repeated_and_writes_are_not() {
    for vendor in BOTH {
        let (forge, clock) = fake(vendor).await;
        let client = client(vendor, &place(&forge, vendor), TOKEN, clock);
        forge.fail(Asked::File, Fault::Status(502));
        forge.fail(Asked::File, Fault::LostAnswer);
        assert_eq!(client.file(PATH, "main").await.unwrap().unwrap().text, WEB);
        forge.fail(Asked::Close, Fault::Status(502));
        let sent = forge.calls().len();
        assert!(matches!(client.close(1).await, Err(ForgeError::Unclear { .. })));
        assert_eq!(forge.calls().len(), sent + 1);
        assert_eq!(client.file("none.yaml", "main").await.unwrap(), None);
        assert_eq!(client.tip("none").await.unwrap(), None);
        // a name that would lead elsewhere is not sent
        for hostile in ["..", "."] {
            assert!(client.tip(hostile).await.is_err());
        }
        assert_eq!(forge.calls().len(), sent + 3);
    }
}

#[test]
fn tokens_travel_protected_only() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let clock = ManualClock::new(start());
    let at = |url: &str| Place {
        forge: belay::domain::plan::Forge::Github,
        url: url.to_owned(),
        repository: "shop/deploy".into(),
        into: "main".into(),
    };
    for (url, fine) in [
        ("https://api.github.com", true),
        ("https://git.example/api/v4/", true),
        ("http://127.0.0.1:1/api/v3", true),
        ("http://git.example/api/v4", false),
        ("https://user:pass@git.example/api/v4", false),
        ("https://git.example/api/v4?x=y", false),
        ("git.example", false),
        ("file:///etc", false),
    ] {
        let clock = || Arc::clone(&clock) as SharedClock;
        assert_eq!(GitHub::new(&at(url), TOKEN.into(), clock()).is_ok(), fine, "{url}");
        assert_eq!(GitLab::new(&at(url), TOKEN.into(), clock()).is_ok(), fine, "{url}");
    }
}

#[test]
fn a_repository_that_cannot_be_meant_ends_the_start() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), TOKEN).unwrap();
    let token = dir.path().join("token").display().to_string();
    let clock: SharedClock = ManualClock::new(start());
    let tried = |forge: &str, repository: &str, rest: &str| {
        let text = format!(
            "policies: p\ncluster: {{ name: c }}\nlimits: {{ repositories: [{{ forge: {forge}, url: 'https://git.example', repository: '{repository}', tokenFile: '{token}', {rest} }}] }}"
        );
        let limits = config::parse("belay.yaml", &text).unwrap().limits;
        build::repositories(&limits, &clock).map(drop).map_err(|e| e.to_string())
    };
    let files = "files: [{ path: 'a/{name}.yaml' }]";
    assert_eq!(tried("github", "shop/deploy", files), Ok(()));
    assert_eq!(tried("gitlab", "shop/sub/deploy", files), Ok(()));
    for (forge, repository, rest, why) in [
        ("github", "shop/sub/deploy", files, "is no repository"),
        ("github", "deploy", files, "is no repository"),
        ("gitlab", "../deploy", files, "is no repository"),
        ("gitlab", "a//b", files, "is no repository"),
        ("github", "a/b", "branch: belay/x, files: [{ path: a.yaml }]", "no branch that people merge into"),
        ("github", "a/b", "branch: 'x..y', files: [{ path: a.yaml }]", "no branch"),
        ("github", "a/b", "files: []", "names no file"),
        ("github", "a/b", "files: [{ path: '../a.yaml' }]", "no path of a YAML file"),
        ("github", "a/b", "files: [{ path: a.yaml, kind: Deploymint }]", "no kind `Deploymint`"),
    ] {
        let told = tried(forge, repository, rest).unwrap_err();
        assert!(told.contains(why) && told.contains("limits.repositories"), "{rest}: {told}");
    }
}
