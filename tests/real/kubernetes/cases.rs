//! One of each action that changes an object of a namespace, on each kind of object that it differs on.

use belay::domain::action::restore_config::Restore;
use belay::domain::action::{Action, HpaBounds, Resource, ResourceStep, TemplateHash};
use belay::domain::recorded::Restored;
use belay::domain::target::Kind;
use serde_json::{Value, json};

use crate::stage::Stage;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    Scale,
    Pause,
    Resume,
    Suspend,
    Unsuspend,
    Bounds,
    Restart,
    RollBack,
    Raise,
    Restore,
}

/// An action on a kind of object.
#[derive(Debug, Clone)]
pub struct Case {
    pub on: Kind,
    pub what: Do,
}

pub fn cases() -> Vec<Case> {
    let one = |on, what| Case { on, what };
    let mut all = vec![
        one(Kind::Deployment, Do::Scale),
        one(Kind::Deployment, Do::Pause),
        one(Kind::Deployment, Do::Resume),
        one(Kind::CronJob, Do::Suspend),
        one(Kind::CronJob, Do::Unsuspend),
        one(Kind::HorizontalPodAutoscaler, Do::Bounds),
        one(Kind::ConfigMap, Do::Restore),
        one(Kind::Service, Do::Restore),
    ];
    for on in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
        all.extend([Do::Restart, Do::RollBack, Do::Raise].map(|what| one(on, what)));
    }
    all
}

fn annotated(value: &str) -> Value {
    json!({ "spec": { "template": { "metadata": { "annotations": { "theirs": value } } } } })
}

fn restored(path: &str, then: Option<Value>, now: Option<Value>) -> Restored {
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    Restored { path: path.to_owned(), value: text(then), instead_of: text(now) }
}

impl Case {
    /// What of the object is its content.
    pub fn content(&self) -> &'static str {
        if self.on == Kind::ConfigMap { "data" } else { "spec" }
    }

    /// Makes the object, and brings it where the action makes sense.
    pub async fn prepare(&self, stage: &Stage) {
        stage.make(self.on).await;
        match self.what {
            Do::Resume => stage.edit(self.on, &json!({ "spec": { "paused": true } })).await,
            Do::Unsuspend => stage.edit(self.on, &json!({ "spec": { "suspend": true } })).await,
            Do::RollBack => {
                stage.edit(self.on, &annotated("2")).await;
                stage.settled(self.on).await;
                stage
                    .until("both templates are kept", async || stage.templates(self.on).await.len() == 2)
                    .await;
            }
            Do::Scale | Do::Pause | Do::Suspend | Do::Bounds | Do::Restart | Do::Raise | Do::Restore => {}
        }
    }

    pub async fn action(&self, stage: &Stage) -> Action {
        let target = stage.object(self.on).await;
        match self.what {
            Do::Scale => Action::ScaleWorkload { workload: target, replicas: 5 },
            Do::Pause => Action::PauseRollout { workload: target },
            Do::Resume => Action::ResumeRollout { workload: target },
            Do::Suspend => Action::SuspendCronjob { cronjob: target },
            Do::Unsuspend => Action::ResumeCronjob { cronjob: target },
            Do::Bounds => Action::SetHpaBounds { autoscaler: target, bounds: HpaBounds::new(3, 8).unwrap() },
            Do::Restart => Action::RestartWorkload { workload: target },
            Do::RollBack => {
                let first = stage.templates(self.on).await.remove(0);
                Action::RollbackWorkload {
                    workload: target,
                    template: TemplateHash::try_from(first).unwrap(),
                }
            }
            Do::Raise => Action::SetResources {
                container: target.named.name.clone(),
                workload: target,
                step: ResourceStep::new(Resource::Memory, 64, 96).unwrap(),
            },
            Do::Restore => {
                let selector = |app: &str| Some(json!({ "app": app }));
                let fields = if self.on == Kind::ConfigMap {
                    vec![
                        restored("/data/MODE", Some(json!("fast")), Some(json!("warp"))),
                        restored("/data/PORT", Some(json!("80")), None),
                        restored("/data/X", None, Some(json!("x"))),
                    ]
                } else {
                    vec![restored("/spec/selector", selector("under-test"), selector("undr-test"))]
                };
                let workload = Some(stage.object(Kind::Deployment).await);
                let restore = Restore { workload, fields, ..Restore::default() };
                Action::RestoreConfig { config: target, version: 1, restore }
            }
        }
    }

    /// What a person makes of the same field meanwhile.
    pub fn theirs(&self) -> Value {
        match self.what {
            Do::Scale => json!({ "spec": { "replicas": 4 } }),
            Do::Pause => json!({ "spec": { "paused": true } }),
            Do::Resume => json!({ "spec": { "paused": null } }),
            Do::Suspend => json!({ "spec": { "suspend": true } }),
            Do::Unsuspend => json!({ "spec": { "suspend": false } }),
            Do::Bounds => json!({ "spec": { "maxReplicas": 7 } }),
            Do::Restart | Do::RollBack => annotated("by a person"),
            Do::Restore if self.on == Kind::ConfigMap => json!({ "data": { "MODE": "theirs" } }),
            Do::Restore => json!({ "spec": { "selector": { "app": "theirs" } } }),
            Do::Raise => json!({ "spec": { "template": { "spec": { "containers": [{
                "name": "under-test", "image": crate::stage::image(), "command": ["sleep", "86400"],
                "resources": { "limits": { "memory": "80Mi" } },
            }] } } } }),
        }
    }

    /// What a person makes of the field after the act: another value than belay's and than the one before.
    pub fn theirs_after(&self) -> Value {
        match self.what {
            Do::Pause => json!({ "spec": { "paused": false } }),
            Do::Resume => json!({ "spec": { "paused": true } }),
            Do::Suspend => json!({ "spec": { "suspend": false } }),
            Do::Unsuspend => json!({ "spec": { "suspend": true } }),
            Do::Restart => {
                json!({ "spec": { "template": { "metadata": { "annotations": { "belay.dev/intent": "theirs" } } } } })
            }
            Do::Scale | Do::Bounds | Do::RollBack | Do::Raise | Do::Restore => self.theirs(),
        }
    }
}
