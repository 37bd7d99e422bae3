//! Following the simulated API server: a list, every change, and what comes when either breaks.

use std::sync::Arc;

use belay::adapters::kube::{Access, KubeWatches, connect_watching};
use belay::domain::ids::Cluster;
use belay::domain::recorded::{Content, Observation, Place};
use belay::domain::target::Kind as K;
use belay::ports::reads::ReadError;
use belay::ports::recorder::{Shown, Watches as _};
use belay::sim::kube::faults::{Effect, Rule};
use belay::sim::kube::{self as sim, DeploymentSpec, Granted, Kind, Token, World};
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinHandle;

use crate::sim::{Served, seconds};

struct Following {
    served: Served,
    shown: Receiver<Shown>,
    task: JoinHandle<Result<(), ReadError>>,
}

impl Following {
    async fn of(kind: K, access: sim::Access) -> Self {
        let token = Token { secret: "eyes".into(), user: "belay".into(), access };
        let served = Served::new(|clock| {
            let mut world = World::builder(clock).namespace("shop").token(token);
            for n in 0..120 {
                let named =
                    json!({ "metadata": { "name": format!("c{n}") }, "data": { "n": n.to_string() } });
                world = world.object(Kind::ConfigMap, named);
            }
            world.deployment(DeploymentSpec::new("web", 3)).build()
        })
        .await;
        let (task, shown) = follow(&served, kind).await;
        Self { served, shown, task }
    }

    async fn next(&mut self) -> Shown {
        tokio::time::timeout(std::time::Duration::from_secs(30), self.shown.recv()).await.unwrap().unwrap()
    }

    /// Everything up to the end of the list.
    async fn listed(&mut self) -> Vec<Observation> {
        let mut all = Vec::new();
        loop {
            match self.next().await {
                Shown::Page(page) => {
                    assert!(page.len() <= 50);
                    all.extend(page);
                }
                Shown::Whole(places) => {
                    assert_eq!(places, all.iter().map(|seen| Place::of(&seen.object)).collect::<Vec<_>>());
                    return all;
                }
                Shown::Changed(_) | Shown::Gone(_) => panic!("nothing changed yet"),
            }
        }
    }

    async fn changed(&mut self) -> Observation {
        match self.next().await {
            Shown::Changed(seen) => *seen,
            _ => panic!("it is a change"),
        }
    }

    fn set(&self, name: &str, value: &str) {
        let patch = json!({ "data": { "n": value } });
        self.served.world.edit(|objects| objects.merge(Kind::ConfigMap, "shop", name, &patch)).unwrap();
    }

    /// Lets the follower's pauses pass until it shows something.
    async fn after_pauses(&mut self) -> Option<Shown> {
        for _ in 0..600 {
            self.served.clock.advance(seconds(1));
            let soon = std::time::Duration::from_millis(50);
            if let Ok(shown) = tokio::time::timeout(soon, self.shown.recv()).await {
                return shown;
            }
        }
        panic!("nothing came");
    }
}

async fn follow(served: &Served, kind: K) -> (JoinHandle<Result<(), ReadError>>, Receiver<Shown>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "eyes").unwrap();
    let access =
        Access::Url { url: served.url.clone(), ca_file: None, token_file: Some(file.path().to_owned()) };
    let client = connect_watching(&access).await.unwrap();
    let watches = KubeWatches::new(client, Cluster::new("eu-1"), Arc::clone(&served.clock) as _);
    let (show, shown) = mpsc::channel(1);
    let task = tokio::spawn(async move { watches.follow(kind, "shop", &show).await });
    (task, shown)
}

fn value(seen: &Observation) -> String {
    match &seen.content {
        Content::Config(fields) => fields["/data/n"].clone(),
        Content::Workload(_) => panic!("it is a ConfigMap"),
    }
}

#[tokio::test]
async fn a_list_and_then_every_change() {
    let mut following = Following::of(K::ConfigMap, sim::Access::Write).await;
    assert_eq!(following.listed().await.len(), 120);
    following.set("c7", "x");
    let seen = following.changed().await;
    assert_eq!((seen.object.named.name.as_str(), value(&seen)), ("c7", "\"x\"".to_owned()));
    following.served.world.edit(|objects| objects.remove(Kind::ConfigMap, "shop", "c7"));
    let Shown::Gone(place) = following.next().await else { panic!("it is gone") };
    assert_eq!(place.to_string(), "shop/ConfigMap/c7");
    // a watch that ended by its time goes on where it was
    following.served.clock.advance(seconds(300));
    following.set("c8", "y");
    let Some(Shown::Changed(seen)) = following.after_pauses().await else { panic!("it is a change") };
    assert_eq!(value(&seen), "\"y\"");
}

#[tokio::test]
async fn a_version_that_is_too_old_is_begun_anew_and_one_that_broke_is_resumed() {
    let mut following = Following::of(K::ConfigMap, sim::Access::Write).await;
    following.listed().await;
    // the watch ends by its time, is refused twice, and is resumed: nothing is lost
    let out = || Rule::any("/api/v1/namespaces/shop/configmaps", Effect::Fail(503, "starting".into()));
    following.served.world.faults(|faults| {
        faults.add(out());
        faults.add(out());
    });
    following.served.clock.advance(seconds(241));
    following.set("c1", "kept");
    let Some(Shown::Changed(seen)) = following.after_pauses().await else { panic!("it is a change") };
    assert_eq!(value(&seen), "\"kept\"");
    // what happened is forgotten by the server: it says 410, and the list is read anew
    following.served.clock.advance(seconds(241));
    following.set("c2", "lost");
    following.served.world.edit(sim::Objects::compact);
    assert!(following.after_pauses().await.is_none(), "it has ended");
    following.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_may_not_watch_is_told_so() {
    let rights = Granted {
        namespace: Some("shop".into()),
        groups: vec![String::new()],
        resources: vec!["configmaps".into()],
        verbs: vec!["list".into()],
    };
    let access = |rules| sim::Access::Exactly { rules, unlisted: None };
    let following = Following::of(K::ConfigMap, access(vec![])).await;
    let refused = following.task.await.unwrap().unwrap_err();
    assert!(matches!(refused, ReadError::Refused { .. }), "{refused}");
    let mut following = Following::of(K::ConfigMap, access(vec![rights])).await;
    following.listed().await;
    let refused = following.task.await.unwrap().unwrap_err();
    assert!(matches!(refused, ReadError::Refused { .. }), "{refused}");
}

#[tokio::test]
async fn a_workload_is_settled_once_all_of_it_is_ready() {
    let mut following = Following::of(K::Deployment, sim::Access::Write).await;
    let workload = |seen: &Observation| match &seen.content {
        Content::Workload(seen) => seen.clone(),
        Content::Config(_) => panic!("it is a workload"),
    };
    let listed = following.listed().await;
    let before = workload(&listed[0]);
    assert_eq!((before.replicas, before.settled, before.revision), (3, true, Some(1)));
    following.served.world.edit(|objects| {
        objects.modify(Kind::Deployment, "shop", "web", |web| {
            web["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into();
        })
    });
    let after = workload(&following.changed().await);
    assert!(!after.settled && after.template != before.template);
}
