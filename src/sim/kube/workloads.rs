//! Setting up what is no Deployment: stateful and daemon sets, cron jobs and autoscalers.

use serde_json::{Value, json};

use super::builder::Builder;
use super::kinds::Kind;
use super::spec::DeploymentSpec;

impl Builder {
    /// Adds a StatefulSet of healthy pods.
    #[must_use]
    pub fn stateful_set(self, name: &str, replicas: i64) -> Self {
        let template = DeploymentSpec::new(name, replicas).template();
        let selector = json!({ "matchLabels": { "app": name } });
        let spec =
            json!({ "replicas": replicas, "serviceName": name, "selector": selector, "template": template });
        self.object(Kind::StatefulSet, labelled(name, &spec))
    }

    /// Adds a DaemonSet of healthy pods.
    #[must_use]
    pub fn daemon_set(self, name: &str) -> Self {
        let template = DeploymentSpec::new(name, 1).template();
        let spec = json!({ "selector": { "matchLabels": { "app": name } }, "template": template });
        self.object(Kind::DaemonSet, labelled(name, &spec))
    }

    /// Adds a CronJob; nothing here ever starts its Jobs.
    #[must_use]
    pub fn cron_job(self, name: &str, schedule: &str) -> Self {
        let mut template = DeploymentSpec::new(name, 1).template();
        super::json::put(&mut template, &["spec", "restartPolicy"], "Never");
        let job = json!({ "metadata": {}, "spec": { "template": template } });
        self.object(Kind::CronJob, labelled(name, &json!({ "schedule": schedule, "jobTemplate": job })))
    }

    /// Adds an autoscaler of the Deployment of that name, with its bounds.
    #[must_use]
    pub fn autoscaler(self, name: &str, (min, max): (i64, i64)) -> Self {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": name });
        let resource =
            json!({ "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } });
        let spec = json!({
            "scaleTargetRef": target,
            "minReplicas": min,
            "maxReplicas": max,
            "metrics": [{ "type": "Resource", "resource": resource }],
        });
        self.object(Kind::HorizontalPodAutoscaler, labelled(name, &spec))
    }
}

fn labelled(name: &str, spec: &Value) -> Value {
    json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": spec, "status": {} })
}
