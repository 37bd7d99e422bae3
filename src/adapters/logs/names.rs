//! By which labels or fields a store keeps what belay asks for.

use std::collections::BTreeMap;

/// The names of one store, and what it calls services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Of a line's namespace.
    pub namespace: String,
    /// Of its service.
    pub service: String,
    /// Of its pod.
    pub pod: String,
    /// Of its container.
    pub container: String,
    /// Of its host.
    pub host: String,
    /// Of its severity; `None`: it stands in the line.
    pub severity: Option<String>,
    /// Of its trace.
    pub trace: String,
    /// Of what it says.
    pub text: String,
    /// Of when it was written.
    pub time: String,
    /// What it calls a service, by the name that people give it.
    pub services: BTreeMap<String, String>,
}

impl Names {
    /// The labels that the usual collectors give Loki's streams.
    pub fn loki() -> Self {
        Self::of(["namespace", "app", "pod", "container", "node_name", "trace_id", "", ""], None)
    }

    /// The Elastic Common Schema, with Beats' fields for Kubernetes.
    pub fn ecs() -> Self {
        let names = [
            "kubernetes.namespace",
            "service.name",
            "kubernetes.pod.name",
            "kubernetes.container.name",
            "host.name",
            "trace.id",
            "message",
            "@timestamp",
        ];
        Self::of(names, Some("log.level"))
    }

    /// Container Insights, as Fluent Bit sends its application logs.
    pub fn container_insights() -> Self {
        let names = [
            "kubernetes.namespace_name",
            "kubernetes.labels.app",
            "kubernetes.pod_name",
            "kubernetes.container_name",
            "kubernetes.host",
            "trace_id",
            "log",
            "@timestamp",
        ];
        Self::of(names, None)
    }

    fn of(names: [&str; 8], severity: Option<&str>) -> Self {
        let [namespace, service, pod, container, host, trace, text, time] = names.map(str::to_owned);
        let (severity, services) = (severity.map(str::to_owned), BTreeMap::new());
        Self { namespace, service, pod, container, host, severity, trace, text, time, services }
    }

    /// What the store calls this service.
    pub fn service<'a>(&'a self, name: &'a str) -> &'a str {
        self.services.get(name).map_or(name, String::as_str)
    }
}
