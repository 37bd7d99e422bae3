//! Live, uncached reads of objects whose fields an action changes: the object as JSON, who answers for it,
//! its pods in figures, and what only this kind of action depends on.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::live::{Live, failed, marking, page, plain, whole};
use super::locate::{changeable, resource};
use crate::domain::action::live::{Around, LiveAbout, LiveObject, Pods};
use crate::domain::action::managers::Managers;
use crate::domain::action::{Action, TemplateHash};
use crate::domain::target::{Kind, Named, Object, RootOwner};
use crate::ports::reads::ReadError;

/// The revision that a controller's object has, and that a Deployment's ReplicaSet has with it.
const REVISION: &str = "deployment.kubernetes.io/revision";

impl Live {
    /// The action's target as it is now.
    pub(super) async fn target(&self, action: &Action) -> Result<Option<LiveObject>, ReadError> {
        let wanted = &action.target().named;
        let Some(found) = self.dynamic(wanted).await? else { return Ok(None) };
        let (meta, mut content) = (found.metadata, found.data);
        let labels = meta.labels.clone().unwrap_or_default();
        let annotations = meta.annotations.clone().unwrap_or_default();
        let mut managers = Managers::of(&labels, &annotations, managed_fields(&meta));
        let object = self.object(wanted.kind, &wanted.namespace, &meta);
        let scaled = match object.named.kind {
            Kind::HorizontalPodAutoscaler => Some(self.scaled(&object, &content).await?),
            _ => None,
        };
        let restored = match action {
            Action::RestoreConfig { restore, .. } => Some(self.readers(&object, &content, restore).await?),
            _ => None,
        };
        let reader = restored.as_ref().and_then(|readers| readers.wanted.clone());
        let concerned = scaled.as_ref().or(reader.as_ref());
        let owner = self.answers_for(&object, &meta, concerned).await?;
        let above = meta.owner_references.iter().flatten().find(|r| r.controller == Some(true));
        if let (Some(_), Some(above)) = (&restored, above) {
            // whatever controls a ConfigMap or Service made it, and makes it anew
            managers.operator = Some(above.name.clone());
        }
        if owner.named.kind == Kind::Other {
            managers.operator = Some(owner.named.name.clone());
        }
        let workload = concerned.map_or((wanted.kind, &content), |(it, found)| (it.named.kind, &found.data));
        let pods = self.pods_of(&wanted.namespace, workload).await?;
        let around = match restored {
            Some(readers) => readers.around(),
            None => self.around(action, &object, &meta, &content).await?,
        };
        if let Some(fields) = content.as_object_mut() {
            fields.remove("status");
        }
        Ok(Some(LiveObject {
            owner: RootOwner(owner),
            generation: meta.generation,
            marking: marking(&meta),
            annotations,
            content,
            pods,
            managers,
            around,
            object,
        }))
    }

    /// What a job is run for.
    pub(super) async fn about(&self, wanted: &Object) -> Result<Option<LiveAbout>, ReadError> {
        let Some(found) = self.dynamic(&wanted.named).await? else { return Ok(None) };
        let object = self.object(wanted.named.kind, &wanted.named.namespace, &found.metadata);
        let owner = self.answers_for(&object, &found.metadata, None).await?;
        Ok(Some(LiveAbout { object, owner: RootOwner(owner) }))
    }

    async fn dynamic(&self, named: &Named) -> Result<Option<DynamicObject>, ReadError> {
        let what = || named.to_string();
        let refused = |why: &str| ReadError::Refused { what: what(), why: why.to_owned() };
        let placed =
            if named.kind == Kind::Node { named.namespace.is_empty() } else { plain(&named.namespace) };
        if !placed || !plain(&named.name) {
            return Err(refused("no object has such a name"));
        }
        let resource =
            changeable(named.kind).ok_or_else(|| refused("belay does not read objects of this kind"))?;
        self.api(&resource, &named.namespace).get_opt(&named.name).await.map_err(|e| failed(what(), e))
    }

    pub(super) fn api(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        match namespace {
            "" => Api::all_with(self.client.clone(), resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, resource),
        }
    }

    /// The top of its chain of controllers; for an autoscaler, that of what it scales.
    async fn answers_for(
        &self,
        object: &Object,
        meta: &ObjectMeta,
        scaled: Option<&(Object, DynamicObject)>,
    ) -> Result<Object, ReadError> {
        let (start, meta) = scaled.map_or((object, meta), |(scaled, found)| (scaled, &found.metadata));
        Ok(self.chain(&object.named.namespace, start.clone(), meta, (0, 0)).await?.root)
    }

    /// What an autoscaler scales.
    async fn scaled(
        &self,
        autoscaler: &Object,
        content: &Value,
    ) -> Result<(Object, DynamicObject), ReadError> {
        let namespace = &autoscaler.named.namespace;
        let text = |field: &str| {
            content.pointer("/spec/scaleTargetRef").and_then(|r| r.get(field)).and_then(Value::as_str)
        };
        let unclear = |why: &str| ReadError::Failed { what: autoscaler.to_string(), why: why.to_owned() };
        let known = text("apiVersion").is_some_and(|version| version.starts_with("apps/"));
        let (Some(kind), Some(name), true) = (text("kind"), text("name"), known) else {
            return Err(unclear("what it scales is nothing that belay knows"));
        };
        let kind = Kind::from_name(kind);
        let named = Named {
            cluster: self.cluster.clone(),
            kind,
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        let found = self.dynamic(&named).await?.ok_or_else(|| unclear("what it scales is gone"))?;
        Ok((self.object(kind, namespace, &found.metadata), found))
    }

    /// The pods of a workload of this kind.
    async fn pods_of(
        &self,
        namespace: &str,
        (kind, content): (Kind, &Value),
    ) -> Result<Option<Pods>, ReadError> {
        let Some(pods) = figures(kind, content) else { return Ok(None) };
        let labels = content.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
        let labels = serde_json::from_value(labels).unwrap_or_default();
        Ok(Some(Pods { budget_allows: self.budget(namespace, &labels, true).await?, ..pods }))
    }

    async fn around(
        &self,
        action: &Action,
        object: &Object,
        meta: &ObjectMeta,
        content: &Value,
    ) -> Result<Around, ReadError> {
        let Named { namespace, name, .. } = &object.named;
        match action {
            Action::ScaleWorkload { .. } => {
                Ok(Around::Autoscaler(self.autoscaler(namespace, object.named.kind, name).await?))
            }
            Action::RollbackWorkload { template, .. } => self.template(object, meta, content, template).await,
            Action::CordonNode { .. } | Action::UncordonNode { .. } => {
                let what = "the nodes".to_owned();
                let nodes = resource(Kind::Node).map(|resource| self.api(&resource, ""));
                let Some(nodes) = nodes else { return Ok(Around::Nothing) };
                let all = nodes.list(&kube::api::ListParams::default()).await.map_err(|e| failed(what, e))?;
                let cordoned = all.iter().filter(|node| {
                    let shut = node.data.pointer("/spec/unschedulable").and_then(Value::as_bool);
                    node.metadata.name.as_deref() != Some(name) && shut == Some(true)
                });
                Ok(Around::Nodes { cordoned: u32::try_from(cordoned.count()).unwrap_or(u32::MAX) })
            }
            Action::RestartPod { .. }
            | Action::RestartWorkload { .. }
            | Action::PauseRollout { .. }
            | Action::ResumeRollout { .. }
            | Action::SuspendCronjob { .. }
            | Action::ResumeCronjob { .. }
            | Action::SetHpaBounds { .. }
            | Action::SetResources { .. }
            | Action::RestoreConfig { .. }
            | Action::OpenPullRequest { .. }
            | Action::RunJob { .. } => Ok(Around::Nothing),
        }
    }

    /// The recorded template of that name: a Deployment's stand in its ReplicaSets, those of the others in
    /// ControllerRevisions.
    async fn template(
        &self,
        object: &Object,
        meta: &ObjectMeta,
        content: &Value,
        wanted: &TemplateHash,
    ) -> Result<Around, ReadError> {
        let namespace = &object.named.namespace;
        // until its controller has seen the newest spec, what it says of revisions is about the one before
        let observed =
            content.pointer("/status/observedGeneration").and_then(Value::as_i64) == meta.generation;
        let owned = |meta: &ObjectMeta| {
            meta.owner_references.iter().flatten().any(|r| r.controller == Some(true) && r.uid == object.uid)
        };
        if object.named.kind == Kind::Deployment {
            // as they are, not as this program knows them: a field that it does not know must not get lost
            let sets: Vec<DynamicObject> = self.replica_sets(namespace).await?;
            let sets: Vec<DynamicObject> = sets.into_iter().filter(|set| owned(&set.metadata)).collect();
            let hash = |set: &DynamicObject| set.labels().get("pod-template-hash").cloned();
            let revision = meta.annotations.as_ref().and_then(|a| a.get(REVISION));
            let running = sets
                .iter()
                .find(|set| observed && revision.is_some() && set.annotations().get(REVISION) == revision);
            let found = sets.iter().find(|set| hash(set).as_deref() == Some(wanted.as_str()));
            let template = found.and_then(|set| {
                let ready = set.data.pointer("/status/readyReplicas").and_then(Value::as_u64).unwrap_or(0);
                Some((set.data.pointer("/spec/template")?.clone(), ready > 0))
            });
            let running = running.and_then(hash).and_then(|hash| TemplateHash::try_from(hash).ok());
            return Ok(Around::Template { wanted: template, running });
        }
        let revisions: Vec<ControllerRevision> = self.all(namespace).await?;
        let mut revisions: Vec<ControllerRevision> =
            revisions.into_iter().filter(|revision| owned(&revision.metadata)).collect();
        revisions.sort_by_key(|revision| revision.revision);
        let running = match content.pointer("/status/updateRevision").and_then(Value::as_str) {
            _ if !observed => None,
            Some(name) => Some(name.to_owned()),
            None => revisions.last().map(ResourceExt::name_any),
        };
        let found = revisions.iter().find(|revision| revision.name_any() == wanted.as_str());
        let template = found.and_then(|revision| {
            let mut template = revision.data.as_ref()?.0.pointer("/spec/template")?.clone();
            template.as_object_mut()?.remove("$patch");
            let serving = content.pointer("/status/currentRevision").and_then(Value::as_str);
            Some((template, serving == Some(wanted.as_str())))
        });
        let running = running.and_then(|name| TemplateHash::try_from(name).ok());
        Ok(Around::Template { wanted: template, running })
    }
}

impl Live {
    async fn replica_sets(&self, namespace: &str) -> Result<Vec<DynamicObject>, ReadError> {
        let Some(resource) = resource(Kind::ReplicaSet) else { return Ok(Vec::new()) };
        let what = || format!("the ReplicaSets of namespace `{namespace}`");
        whole(self.api(&resource, namespace).list(&page()).await.map_err(|e| failed(what(), e))?, what)
    }
}

/// `metadata.managedFields`, without what was written to the status.
fn managed_fields(meta: &ObjectMeta) -> Vec<(String, Value)> {
    let entries = meta.managed_fields.iter().flatten();
    let entries = entries.filter(|entry| entry.subresource.as_deref() != Some("status"));
    let field = |entry: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map_or(json!({}), |fields| fields.0.clone());
        (entry.manager.clone().unwrap_or_default(), fields)
    };
    entries.map(field).collect()
}

/// The pods of a workload in figures; `None` for what has none.
fn figures(kind: Kind, content: &Value) -> Option<Pods> {
    let number =
        |path: &str| content.pointer(path).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    let (desired, ready, max_unavailable) = match kind {
        Kind::Deployment => {
            // the API server defaults a missing value to 1
            let desired = number("/spec/replicas").unwrap_or(1);
            (desired, status("readyReplicas"), deployment_unavailable(content, desired))
        }
        // one after the other; from 1.35 on `maxUnavailable` may say otherwise
        Kind::StatefulSet => {
            let desired = number("/spec/replicas").unwrap_or(1);
            let at_once =
                share(content.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable"), desired, true);
            (desired, status("readyReplicas"), at_once.unwrap_or(1).max(1))
        }
        Kind::DaemonSet => {
            let desired = status("desiredNumberScheduled");
            let at_once =
                share(content.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable"), desired, true);
            (desired, status("numberReady"), at_once.unwrap_or(1))
        }
        _ => return None,
    };
    Some(Pods { desired, ready, max_unavailable: max_unavailable.min(desired), budget_allows: None })
}

/// How many replicas of a Deployment may be missing during a rollout: a share is rounded down, and where
/// neither more nor fewer pods would be allowed, one may be missing.
fn deployment_unavailable(content: &Value, desired: u32) -> u32 {
    if content.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate") {
        return desired;
    }
    let quarter = Value::from("25%");
    let of = |field: &str, up: bool| {
        let value = content.pointer("/spec/strategy/rollingUpdate").and_then(|update| update.get(field));
        share(Some(value.unwrap_or(&quarter)), desired, up).unwrap_or(desired)
    };
    match (of("maxUnavailable", false), of("maxSurge", true)) {
        (0, 0) => 1,
        (unavailable, _) => unavailable,
    }
}

/// A number, or a share of `all`.
fn share(value: Option<&Value>, all: u32, up: bool) -> Option<u32> {
    match value? {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => {
            let percent: u64 = text.strip_suffix('%')?.parse().ok()?;
            let hundredths = u64::from(all).checked_mul(percent)?;
            let found = if up { hundredths.div_ceil(100) } else { hundredths / 100 };
            u32::try_from(found).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rollout_may_take_away_is_counted_as_the_controllers_do() {
        let deployment = |strategy: Value| json!({ "spec": { "replicas": 3, "strategy": strategy } });
        let rolling = |unavailable: Value, surge: Value| {
            deployment(json!({ "rollingUpdate": { "maxUnavailable": unavailable, "maxSurge": surge } }))
        };
        for (content, expected) in [
            (deployment(json!({})), 0),
            (deployment(json!({ "type": "Recreate" })), 3),
            (rolling(json!("50%"), json!("25%")), 1),
            (rolling(json!(2), json!(0)), 2),
            (rolling(json!(0), json!(0)), 1),
            (rolling(json!("10%"), json!("0%")), 1),
            (rolling(json!("200%"), json!(1)), 3),
            (rolling(json!("half"), json!(1)), 3),
        ] {
            assert_eq!(figures(Kind::Deployment, &content).unwrap().max_unavailable, expected, "{content}");
        }
        let set = json!({ "spec": { "replicas": 5 }, "status": { "readyReplicas": 4 } });
        let pods = figures(Kind::StatefulSet, &set).unwrap();
        assert_eq!((pods.desired, pods.ready, pods.max_unavailable), (5, 4, 1));
        let daemons = json!({
            "spec": { "updateStrategy": { "rollingUpdate": { "maxUnavailable": "10%" } } },
            "status": { "desiredNumberScheduled": 11, "numberReady": 11 },
        });
        assert_eq!(figures(Kind::DaemonSet, &daemons).unwrap().max_unavailable, 2);
        assert_eq!(figures(Kind::Node, &json!({})), None);
    }
}
