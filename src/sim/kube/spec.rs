//! Workloads and budgets to be, and the objects that declare them.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::behaviours::Behaviour;
use super::json::put;

/// How long the containers take to become ready unless said otherwise.
pub(super) const READY_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// A Deployment to be.
#[derive(Debug, Clone)]
pub struct DeploymentSpec {
    /// Name, also of its container and of its `app` label.
    pub name: String,
    /// Pods.
    pub replicas: i64,
    /// Image of its container.
    pub image: String,
    /// CPU limit and request, as a quantity.
    pub cpu: String,
    /// Memory limit and request, as a quantity.
    pub memory: String,
    /// What its pods do.
    pub behaviour: Behaviour,
    /// From the start of a container to its readiness.
    pub ready_after: SignedDuration,
    /// Annotations of the Deployment.
    pub annotations: Vec<(String, String)>,
    /// Labels of Deployment and pods besides `app`.
    pub labels: Vec<(String, String)>,
    /// Seconds after which a rollout that does not move has failed.
    pub progress_deadline: i64,
    /// The ConfigMap that its container reads into its environment.
    pub config: Option<String>,
    /// More of its pods' spec, as a JSON merge patch.
    pub more: Value,
    /// More of its container, as a JSON merge patch.
    pub container: Value,
}

impl DeploymentSpec {
    /// A healthy Deployment with 500m of CPU and 256Mi of memory a pod.
    #[must_use]
    pub fn new(name: &str, replicas: i64) -> Self {
        Self {
            name: name.to_owned(),
            replicas,
            image: format!("registry.example/shop/{name}:1.4.2"),
            cpu: "500m".to_owned(),
            memory: "256Mi".to_owned(),
            behaviour: Behaviour::Healthy,
            ready_after: READY_AFTER,
            annotations: Vec::new(),
            labels: Vec::new(),
            progress_deadline: 600,
            config: None,
            more: Value::Null,
            container: Value::Null,
        }
    }

    /// Reads this key of this ConfigMap into its environment when it starts, and takes no other value.
    #[must_use]
    pub fn reads(mut self, config: &str, key: &str, good: &str) -> Self {
        self.config = Some(config.to_owned());
        let (config, key, good) = (config.to_owned(), key.to_owned(), good.to_owned());
        self.behaviour(Behaviour::Reads { config, key, good })
    }

    /// With this in its pods' spec, as a JSON merge patch.
    #[must_use]
    pub fn pods(mut self, more: Value) -> Self {
        self.more = more;
        self
    }

    /// With this in its container, as a JSON merge patch.
    #[must_use]
    pub fn container(mut self, more: Value) -> Self {
        self.container = more;
        self
    }

    /// With a readiness probe.
    #[must_use]
    pub fn probed(self) -> Self {
        let probe = json!({ "httpGet": { "path": "/ready", "port": 8080, "scheme": "HTTP" }, "periodSeconds": 10,
                            "failureThreshold": 3, "successThreshold": 1, "timeoutSeconds": 1 });
        self.container(json!({ "readinessProbe": probe }))
    }

    /// With another behaviour.
    #[must_use]
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// With another image.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// With other limits, as quantities.
    #[must_use]
    pub fn limits(mut self, cpu: &str, memory: &str) -> Self {
        cpu.clone_into(&mut self.cpu);
        memory.clone_into(&mut self.memory);
        self
    }

    /// With another time to readiness.
    #[must_use]
    pub fn ready_after(mut self, span: SignedDuration) -> Self {
        self.ready_after = span;
        self
    }

    /// With another progress deadline.
    #[must_use]
    pub fn progress_deadline(mut self, seconds: i64) -> Self {
        self.progress_deadline = seconds;
        self
    }

    /// With one more annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With one more label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn template(&self) -> Value {
        let quantities = json!({ "cpu": self.cpu, "memory": self.memory });
        let mut template = json!({
            "metadata": { "labels": { "app": self.name } },
            "spec": {
                "containers": [{
                    "name": self.name,
                    "image": self.image,
                    "imagePullPolicy": "IfNotPresent",
                    "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                    "resources": { "limits": quantities, "requests": quantities },
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30,
            },
        });
        if let (Some(config), Some(container)) = (&self.config, template.pointer_mut("/spec/containers/0")) {
            put(container, &["envFrom"], json!([{ "configMapRef": { "name": config } }]));
        }
        if let (false, Some(container)) =
            (self.container.is_null(), template.pointer_mut("/spec/containers/0"))
        {
            json_patch::merge(container, &self.container);
        }
        if let (false, Some(spec)) = (self.more.is_null(), template.get_mut("spec")) {
            json_patch::merge(spec, &self.more);
        }
        for (key, value) in &self.labels {
            put(&mut template, &["metadata", "labels", key], value.as_str());
        }
        template
    }

    pub(super) fn object(&self, namespace: &str) -> Value {
        let template = self.template();
        let mut object = json!({
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": template.pointer("/metadata/labels"),
                "annotations": {},
            },
            "spec": {
                "progressDeadlineSeconds": self.progress_deadline,
                "replicas": self.replicas,
                "revisionHistoryLimit": 10,
                "selector": { "matchLabels": { "app": self.name } },
                "strategy": { "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" }, "type": "RollingUpdate" },
                "template": template,
            },
            "status": {},
        });
        for (key, value) in &self.annotations {
            put(&mut object, &["metadata", "annotations", key], value.as_str());
        }
        object
    }
}

/// What a disruption budget promises: an absolute number or a percentage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Budget {
    /// `spec.minAvailable`.
    MinAvailable(String),
    /// `spec.maxUnavailable`.
    MaxUnavailable(String),
}
