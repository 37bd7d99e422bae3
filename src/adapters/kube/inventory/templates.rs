//! What StatefulSets and DaemonSets were before: ControllerRevisions. Of a template only its images are read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;
use serde_json::Value;

use super::KubeReads;
use crate::adapters::kube::{client, views};
use crate::domain::inventory::{Keeper, KeptTemplate};
use crate::domain::redact;
use crate::ports::reads::{Listed, ReadError};

/// Kubernetes itself cuts event messages at 1,024 characters.
const CAUSE: usize = 1024;

/// The keeper, and how many pods it has of which template.
struct Kept {
    uid: String,
    selector: Option<Selector>,
    pods: BTreeMap<String, u32>,
    /// Pods of the newest template, where its name is not told.
    newest: Option<u32>,
}

impl Kept {
    fn of(uid: Option<String>, selector: Option<LabelSelector>) -> Self {
        let selector = selector.and_then(|s| Selector::try_from(s).ok());
        Self { uid: uid.unwrap_or_default(), selector, pods: BTreeMap::new(), newest: None }
    }
}

impl From<apps::StatefulSet> for Kept {
    fn from(set: apps::StatefulSet) -> Self {
        let mut kept = Self::of(set.metadata.uid, set.spec.map(|s| s.selector));
        let status = set.status.unwrap_or_default();
        if let Some(current) = status.current_revision {
            kept.pods.insert(current, views::count(status.current_replicas));
        }
        // the newer count is the one that holds where both are the same
        if let Some(update) = status.update_revision {
            kept.pods.insert(update, views::count(status.updated_replicas));
        }
        kept
    }
}

impl From<apps::DaemonSet> for Kept {
    fn from(set: apps::DaemonSet) -> Self {
        let updated = set.status.as_ref().map(|s| views::count(s.updated_number_scheduled));
        Self { newest: updated, ..Self::of(set.metadata.uid, set.spec.map(|s| s.selector)) }
    }
}

impl KubeReads {
    /// The templates of one keeper, newest first.
    pub(super) async fn kept(
        &self,
        keeper: Keeper,
        namespace: &str,
        name: &str,
        what: &str,
    ) -> Result<Listed<KeptTemplate>, ReadError> {
        let clock = &self.fetch().clock;
        let kept: Kept = match keeper {
            Keeper::StatefulSet => {
                let api = self.of::<apps::StatefulSet>(namespace);
                client::read(clock, what, || api.get(name)).await?.into()
            }
            Keeper::DaemonSet => {
                let api = self.of::<apps::DaemonSet>(namespace);
                client::read(clock, what, || api.get(name)).await?.into()
            }
        };
        let api = self.of::<apps::ControllerRevision>(namespace);
        let mut listed = self.fetch().list(&api, what, kept.selector.as_ref()).await?;
        listed.items.retain(|r| views::controller_ref(&r.metadata).is_some_and(|c| c.uid == kept.uid));
        listed.items.sort_by_key(|r| Reverse(r.revision));
        let mut items: Vec<KeptTemplate> = listed.items.iter().map(|r| template(r, &kept)).collect();
        if let (Some(newest), Some(pods)) = (items.first_mut(), kept.newest) {
            newest.pods = Some(pods);
        }
        Ok(Listed { items, left_out: listed.left_out })
    }
}

fn template(raw: &apps::ControllerRevision, kept: &Kept) -> KeptTemplate {
    let name = raw.metadata.name.clone().unwrap_or_default();
    let data = raw.data.as_ref().map(|data| &data.0);
    let containers = data.and_then(|d| d.pointer("/spec/template/spec/containers")?.as_array());
    let image = |c: &Value| c.get("image")?.as_str().map(str::to_owned);
    let cause = raw.metadata.annotations.as_ref().and_then(|a| a.get("kubernetes.io/change-cause"));
    KeptTemplate {
        pods: kept.pods.get(&name).copied(),
        name,
        revision: u64::try_from(raw.revision).unwrap_or(0),
        images: containers.into_iter().flatten().filter_map(image).collect(),
        created: views::at(raw.metadata.creation_timestamp.as_ref()),
        change_cause: cause.map(|cause| redact::line(cause, CAUSE)),
    }
}
