//! The hand on Kubernetes: six requests and no other. Each says in its `User-Agent` whose intent it carries, asks
//! once, never forces, and is guarded by the uid it was planned for; a Job by its name.

use std::error::Error as _;

use async_trait::async_trait;
use http::header::{HeaderValue, USER_AGENT};
use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams, Request};
use kube::{Client, Resource as _};
use serde_json::{Value, json};

use super::live::{Live, plain};
use super::locate::changeable;
use crate::domain::action::Action;
use crate::domain::action::edit::{Edit, Field};
use crate::domain::action::job::{CreateJob, LiveJob};
use crate::domain::action::live::{LiveAbout, LiveObject, LivePod, Marking};
use crate::domain::action::restart_pod::Evict;
use crate::domain::ids::{Cluster, IntentId};
use crate::domain::plan::{FIELD_MANAGER, INTENT_ANNOTATION, escaped};
use crate::domain::target::{Kind, Named, Object};
use crate::ports::cluster_writes::{Answer, Hand, Mode};
use crate::ports::reads::ReadError;

/// What a dry run writes in place of an intent that does not exist yet.
const NO_INTENT: &str = "plan";

/// How much of an answer's text is kept: the API server's own messages are below 1 KiB, a webhook's may not be.
const MAX_SAID: usize = 1024;

/// Writes to one cluster.
#[derive(Clone)]
pub struct KubeHand {
    live: Live,
}

impl KubeHand {
    /// A hand with this client (see `connect`), on the cluster of this name.
    pub const fn new(client: Client, cluster: Cluster) -> Self {
        Self { live: Live { client, cluster } }
    }

    /// Its client.
    pub(super) fn client(&self) -> Client {
        self.live.client.clone()
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
        mode: Mode<'_>,
    ) -> Answer {
        let mut request = match request {
            Ok(request) => request,
            Err(error) => return unsent(&error.to_string()),
        };
        let Ok(agent) = HeaderValue::from_str(&user_agent(mode)) else {
            return unsent("the intent's id cannot stand in a header");
        };
        request.headers_mut().insert(USER_AGENT, agent);
        // the body of a good answer is not looked at: that it was accepted is all that counts
        match self.live.client.request_text(request).await {
            Ok(_) => Answer::Done,
            Err(error) => answer(&error),
        }
    }

    /// Whether the API server would admit a pod of this template, made by this controller.
    async fn rehearse_pod(&self, controller: &Object, template: PodTemplateSpec) -> Answer {
        let body = match serde_json::to_vec(&replacement(controller, template)) {
            Ok(body) => body,
            Err(error) => return unsent(&error.to_string()),
        };
        let request = Request::new(path::<Pod>(&controller.named));
        self.send(request.create(&post(Mode::DryRun), body), Mode::DryRun).await
    }

    /// The template that the pod's controller makes pods from, with what it adds by itself.
    async fn template(&self, order: &Evict) -> Result<PodTemplateSpec, ReadError> {
        let Named { kind, namespace, name, .. } = &order.controller.named;
        let gone = || ReadError::NotFound { what: order.controller.to_string() };
        match kind {
            Kind::ReplicaSet => {
                let found = self.live.get::<ReplicaSet>(namespace, name).await?.ok_or_else(gone)?;
                found.spec.and_then(|s| s.template).ok_or_else(gone)
            }
            Kind::StatefulSet => {
                let found = self.live.get::<StatefulSet>(namespace, name).await?.ok_or_else(gone)?;
                let spec = found.spec.ok_or_else(gone)?;
                let claims =
                    spec.volume_claim_templates.into_iter().flatten().filter_map(|c| c.metadata.name);
                Ok(with_claims(spec.template, claims, &order.pod.named.name))
            }
            Kind::DaemonSet => {
                let found = self.live.get::<DaemonSet>(namespace, name).await?.ok_or_else(gone)?;
                found.spec.map(|s| s.template).ok_or_else(gone)
            }
            Kind::Pod
            | Kind::Deployment
            | Kind::Job
            | Kind::CronJob
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
            | Kind::ConfigMap
            | Kind::Other => Err(ReadError::Refused {
                what: order.controller.to_string(),
                why: "belay knows no pod template of that kind".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Hand for KubeHand {
    async fn object(&self, action: &Action) -> Result<Option<LiveObject>, ReadError> {
        self.live.target(action).await
    }

    async fn pod(&self, pod: &Object) -> Result<Option<LivePod>, ReadError> {
        self.live.pod(pod).await
    }

    async fn about(&self, object: &Object) -> Result<Option<LiveAbout>, ReadError> {
        self.live.about(object).await
    }

    async fn job(&self, namespace: &str, name: &str) -> Result<Option<LiveJob>, ReadError> {
        self.live.job(namespace, name).await
    }

    async fn create_job(&self, order: &CreateJob, mode: Mode<'_>) -> Answer {
        if !plain(order.namespace()) {
            return unsent("no namespace has such a name");
        }
        let request = Request::new(Job::url_path(&(), Some(order.namespace())));
        let body = order.body(intent_of(mode)).to_string().into_bytes();
        self.send(request.create(&post(mode), body), mode).await
    }

    async fn edit(&self, order: &Edit, mode: Mode<'_>) -> Answer {
        let Object { named, uid } = order.object();
        let Some(resource) = changeable(named.kind) else {
            return unsent("belay changes no objects of this kind");
        };
        let mut ops = vec![json!({ "op": "test", "path": "/metadata/uid", "value": uid })];
        ops.extend(
            order.generation().map(
                |generation| json!({ "op": "test", "path": "/metadata/generation", "value": generation }),
            ),
        );
        if order.generation().is_none() {
            ops.extend(unmarked_since(order.marking()));
        }
        let fields = order.fields(intent_of(mode));
        ops.extend(fields.iter().flat_map(operations));
        ops.extend(mark(order.marking(), mode));
        let namespace = (named.kind != Kind::Node).then_some(within(named));
        let request = Request::new(DynamicObject::url_path(&resource, namespace));
        self.send(patch(&request, &named.name, ops, mode), mode).await
    }

    async fn rehearse_template(&self, order: &Edit) -> Answer {
        let Some(template) = order.template() else { return Answer::Done };
        let pod = format!("{}-0", order.object().named.name);
        let template = match serde_json::from_value(template.clone()) {
            Ok(template) => with_claims(template, order.claims().iter().cloned(), &pod),
            Err(error) => return unsent(&format!("the pod template cannot be read: {error}")),
        };
        self.rehearse_pod(order.object(), template).await
    }

    async fn rehearse(&self, order: &Evict) -> Answer {
        let template = match self.template(order).await {
            Ok(template) => template,
            Err(ReadError::Failed { what, why }) => return Answer::Unknown(format!("{what}: {why}")),
            Err(no @ (ReadError::NotFound { .. } | ReadError::Refused { .. })) => {
                return unsent(&no.to_string());
            }
        };
        self.rehearse_pod(&order.controller, template).await
    }

    async fn mark(&self, order: &Evict, intent: &IntentId) -> Answer {
        let mode = Mode::Act(intent);
        let mut ops = vec![json!({ "op": "test", "path": "/metadata/uid", "value": order.pod.uid })];
        ops.extend(mark(&order.marking, mode));
        let request = Request::new(path::<Pod>(&order.pod.named));
        self.send(patch(&request, &order.pod.named.name, ops, mode), mode).await
    }

    /// By hand: the library's own helper drops the delete options, and with them the uid.
    async fn evict(&self, order: &Evict, mode: Mode<'_>) -> Answer {
        let Object { named: Named { namespace, name, .. }, uid } = &order.pod;
        if !plain(name) {
            return unsent("no pod has such a name");
        }
        let body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": { "name": name, "namespace": namespace },
            "deleteOptions": { "preconditions": { "uid": uid } },
        });
        let request = Request::new(path::<Pod>(&order.pod.named));
        let request =
            request.create_subresource("eviction", name, &post(mode), body.to_string().into_bytes());
        self.send(request, mode).await
    }
}

fn path<K: kube::Resource<DynamicType = ()>>(named: &Named) -> String {
    K::url_path(&(), Some(within(named)))
}

/// A namespace that is none would change the path: the empty one makes the request fail.
fn within(named: &Named) -> &str {
    if plain(&named.namespace) { &named.namespace } else { "" }
}

/// The operations on one field. That it is missing needs no test of its own: an object's generation or
/// version stands for it.
fn operations(field: &Field) -> Vec<Value> {
    let Field { path, from, to } = field;
    // to the API server what is missing equals `null`
    let test = json!({ "op": "test", "path": path, "value": from });
    let change = match (from, to) {
        (None, Some(to)) => json!({ "op": "add", "path": path, "value": to }),
        (Some(_), Some(to)) => json!({ "op": "replace", "path": path, "value": to }),
        (_, None) => json!({ "op": "remove", "path": path }),
    };
    vec![test, change]
}

fn intent_of(mode: Mode<'_>) -> &str {
    match mode {
        Mode::DryRun => NO_INTENT,
        Mode::Act(intent) => intent.as_str(),
    }
}

fn patch(
    request: &Request,
    name: &str,
    ops: Vec<Value>,
    mode: Mode<'_>,
) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
    let name = if plain(name) { name } else { "" };
    let ops: json_patch::Patch =
        serde_json::from_value(Value::Array(ops)).map_err(kube::core::request::Error::SerializeBody)?;
    let params = PatchParams {
        dry_run: dry(mode),
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    request.patch(name, &params, &Patch::Json::<()>(ops))
}

fn post(mode: Mode<'_>) -> PostParams {
    PostParams { dry_run: dry(mode), field_manager: Some(FIELD_MANAGER.to_owned()) }
}

const fn dry(mode: Mode<'_>) -> bool {
    match mode {
        Mode::DryRun => true,
        Mode::Act(_) => false,
    }
}

fn user_agent(mode: Mode<'_>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match mode {
        Mode::DryRun => format!("belay/{version} {NO_INTENT}"),
        Mode::Act(intent) => format!("belay/{version} intent/{intent}"),
    }
}

/// What else must hold of an object that counts no generations: that no other act came upon it. Without it a
/// write that arrives late, after the act was done again and put back, would find the old values and do it
/// once more. To the API server what is missing equals `null`.
fn unmarked_since(marking: &Marking) -> Option<Value> {
    match marking {
        Marking::Annotated { intent } => Some(json!({ "op": "test", "path": marked(), "value": intent })),
        // marking it tests that there is still none
        Marking::Bare => None,
    }
}

/// Where the intent stands.
fn marked() -> String {
    format!("/metadata/annotations/{}", escaped(INTENT_ANNOTATION))
}

/// The operations that put the intent on the object's own metadata.
fn mark(marking: &Marking, mode: Mode<'_>) -> Vec<Value> {
    let intent = intent_of(mode);
    match marking {
        Marking::Annotated { .. } => {
            vec![json!({ "op": "add", "path": marked(), "value": intent })]
        }
        Marking::Bare => vec![
            json!({ "op": "test", "path": "/metadata/annotations", "value": null }),
            json!({ "op": "add", "path": "/metadata/annotations", "value": { INTENT_ANNOTATION: intent } }),
        ],
    }
}

/// The pod that the controller will make: named by the API server, owned as the old one is.
fn replacement(controller: &Object, template: PodTemplateSpec) -> Pod {
    let Object { named: Named { kind, name, namespace, .. }, uid } = controller;
    let meta = template.metadata.unwrap_or_default();
    let owner = OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: kind.name().to_owned(),
        name: name.clone(),
        uid: uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: Some(namespace.clone()),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

/// A StatefulSet adds a volume for each of its claims; without them the template alone is no valid pod.
fn with_claims(
    mut template: PodTemplateSpec,
    claims: impl Iterator<Item = String>,
    pod: &str,
) -> PodTemplateSpec {
    if let Some(spec) = &mut template.spec {
        let volumes = claims.map(|claim| Volume {
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: format!("{claim}-{pod}"),
                read_only: None,
            }),
            name: claim,
            ..Volume::default()
        });
        spec.volumes.get_or_insert_default().extend(volumes);
    }
    template
}

/// What an error says of the write: a 4xx is a no, anything else leaves it open. A 5xx may come after the
/// write was stored (a time-out towards etcd), and so may a 408.
fn answer(error: &kube::Error) -> Answer {
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 408 => {
            let causes = status.details.iter().flat_map(|d| &d.causes).map(|c| c.message.as_str());
            // an admission policy's cause is what its message ends with
            let causes = causes.filter(|cause| !status.message.contains(cause));
            let said: Vec<_> = std::iter::once(status.message.as_str()).chain(causes).collect();
            Answer::Refused {
                code: status.code,
                reason: status.reason.clone(),
                message: bounded(&said.join(" ")),
            }
        }
        kube::Error::Api(status) => {
            Answer::Unknown(bounded(&format!("{} {}: {}", status.code, status.reason, status.message)))
        }
        other => Answer::Unknown(bounded(&chain(other))),
    }
}

/// An order that never left.
pub(super) fn unsent(why: &str) -> Answer {
    Answer::Refused { code: 400, reason: "NotSent".to_owned(), message: bounded(why) }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect()
}

/// An error with its causes.
pub(super) fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of an answer as it was recorded.
    fn recorded(text: &str) -> kube::Error {
        let text = text.replace('\r', "");
        let (_, body) = text.split_once("\n\n").unwrap();
        kube::Error::Api(Box::new(serde_json::from_str(body).unwrap()))
    }

    fn refused(text: &str) -> (u16, String) {
        match answer(&recorded(text)) {
            Answer::Refused { code, message, .. } => (code, message),
            other @ (Answer::Done | Answer::Unknown(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_says_each_thing_once() {
        let said = include_str!("../../../tests/data/kubernetes/http-admission-403.txt");
        let (code, message) = refused(said);
        assert_eq!(code, 403);
        assert_eq!(message.matches("denied request").count(), 1, "{message}");
        // what only a cause says is kept
        let said = include_str!("../../../tests/data/kubernetes/http-eviction-429.txt");
        let (code, message) = refused(said);
        assert_eq!(code, 429);
        assert!(message.contains("The disruption budget web needs 2 healthy pods"), "{message}");
    }

    #[test]
    fn an_error_of_the_server_leaves_the_write_open() {
        let said = include_str!("../../../tests/data/kubernetes/http-eviction-500.txt");
        assert!(matches!(answer(&recorded(said)), Answer::Unknown(_)));
    }
}
