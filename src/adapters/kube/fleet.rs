//! How all pods of several namespaces are: not what is wrong with one, but how much is wrong at once.

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as core;
use kube::Api;

use super::{client, views};
use crate::domain::cluster::{Fleet, Pod};
use crate::ports::reads::ReadError;

/// Namespaces read side by side: enough that fifty of them take few waves, and few beside what an API
/// server answers at a time.
const AT_ONCE: usize = 8;
/// A pod that is younger and not ready is starting, not unwell: twice what images and probes usually take,
/// and well below what a storm lasts.
const STARTING: SignedDuration = SignedDuration::from_mins(2);

impl super::KubeReads {
    pub(super) async fn count(&self, namespaces: &[String]) -> Result<Fleet, ReadError> {
        let one = |namespace: String| async move { self.count_one(&namespace).await };
        let read = namespaces.iter().cloned().map(one);
        let counted = futures::stream::iter(read).buffer_unordered(AT_ONCE);
        counted.try_fold(Fleet::default(), |sum, one| async move { Ok(add(sum, one)) }).await
    }

    async fn count_one(&self, namespace: &str) -> Result<Fleet, ReadError> {
        let fetch = self.fetch();
        let what = format!("pods of namespace `{namespace}`");
        client::names(&what, namespace, namespace)?;
        let api: Api<core::Pod> = Api::namespaced(fetch.client.clone(), namespace);
        let pods = self.in_time(&what, fetch.all(&api, &what, None)).await?;
        let now = fetch.clock.now();
        let each = pods.iter().map(|pod| counted(&views::pod(&fetch.cluster, pod), now));
        Ok(each.fold(Fleet::default(), add))
    }
}

fn add(a: Fleet, b: Fleet) -> Fleet {
    Fleet { pods: a.pods.saturating_add(b.pods), unwell: a.unwell.saturating_add(b.unwell) }
}

/// What one pod adds: nothing where it has ended, is on its way out, or is only just starting.
fn counted(pod: &Pod, now: Timestamp) -> Fleet {
    let over = ["Succeeded", "Failed"].contains(&pod.phase.as_str()) || pod.terminating;
    let starting = || pod.created.is_some_and(|at| now.duration_since(at) < STARTING);
    match (over, pod.ready) {
        (true, _) => Fleet::default(),
        (false, true) => Fleet { pods: 1, unwell: 0 },
        (false, false) if starting() => Fleet::default(),
        (false, false) => Fleet { pods: 1, unwell: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Labels;
    use crate::domain::ids::Cluster;
    use crate::domain::target::{Kind, Named, Object};

    fn pod(phase: &str, ready: bool, terminating: bool, age: i64) -> (Pod, Timestamp) {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let name = "web-1".to_owned();
        let named =
            Named { cluster: Cluster::new("eu"), kind: Kind::Pod, namespace: "shop".to_owned(), name };
        let pod = Pod {
            object: Object { named, uid: "u".to_owned() },
            phase: phase.to_owned(),
            ready,
            terminating,
            not_ready_since: None,
            created: now.checked_sub(SignedDuration::from_secs(age)).ok(),
            node: None,
            labels: Labels::default(),
            annotations: Labels::default(),
            controller: None,
            has_claims: false,
            containers: Vec::new(),
            reason: String::new(),
            unscheduled: None,
            needs: None,
        };
        (pod, now)
    }

    #[test]
    fn what_a_pod_counts_as() {
        let (none, well, unwell) = ((0, 0), (1, 0), (1, 1));
        for (phase, ready, terminating, age, expected) in [
            ("Running", true, false, 600, well),
            ("Running", true, false, 5, well),
            ("Running", false, false, 600, unwell),
            ("Pending", false, false, 120, unwell),
            ("Pending", false, false, 119, none),
            ("Running", false, true, 600, none),
            ("Succeeded", false, false, 600, none),
            ("Failed", false, false, 600, none),
            ("Unknown", false, false, 600, unwell),
        ] {
            let (pod, now) = pod(phase, ready, terminating, age);
            let Fleet { pods, unwell } = counted(&pod, now);
            assert_eq!((pods, unwell), expected, "{phase} ready={ready} terminating={terminating} {age}s");
        }
    }

    #[test]
    fn a_share_is_in_thousandths() {
        for (unwell, pods, share) in [(0, 0, 0), (1, 3, 333), (2, 5, 400), (41, 100, 410), (5, 5, 1_000)] {
            assert_eq!(Fleet { pods, unwell }.unwell_permille(), share);
        }
    }
}
