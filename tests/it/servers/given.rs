//! A namespace that a test makes up, and a client for a server in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::domain::cluster::{
    Condition, Container, ContainerState, Ended, Event, LogTail, Pod, Revision, Workload, Writer,
};
use belay::domain::deploy::pieces;
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind, Named, Object};
use belay::ports::reads::{Listed, Listing, LogQuery, ReadError};
use jiff::Timestamp;
use rmcp::ServerHandler;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(30);

pub fn now() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

pub fn object(kind: Kind, name: &str) -> Object {
    let (cluster, namespace) = (Cluster::new("eu-1"), "shop".to_owned());
    Object { named: Named { cluster, kind, namespace, name: name.into() }, uid: format!("uid-{name}") }
}

/// What there is, and what cannot be read.
#[derive(Clone, Default)]
pub struct Fake {
    pub deployments: Vec<Workload>,
    pub pods: Vec<Pod>,
    pub revisions: BTreeMap<String, Vec<Revision>>,
    pub logs: BTreeMap<String, Vec<String>>,
    pub left_out: u64,
    pub error: Option<ReadError>,
}

impl Fake {
    fn listed<T: Clone>(&self, items: &[T]) -> Result<Listed<T>, ReadError> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(Listed { items: items.to_vec(), left_out: Some(self.left_out) }),
        }
    }
}

#[async_trait]
impl Listing for Fake {
    async fn pods(&self, _: &str) -> Result<Listed<Pod>, ReadError> {
        self.listed(&self.pods)
    }

    async fn deployments(&self, _: &str) -> Result<Listed<Workload>, ReadError> {
        self.listed(&self.deployments)
    }

    async fn events(&self, _: &str) -> Result<Listed<Event>, ReadError> {
        self.listed(&[])
    }

    async fn revisions(&self, _: &str, name: &str) -> Result<Listed<Revision>, ReadError> {
        let missing = || ReadError::NotFound { what: name.to_owned() };
        self.listed(self.revisions.get(name).ok_or_else(missing)?)
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        let LogQuery { pod, container, previous, .. } = query.clone();
        let missing = || ReadError::NotFound { what: pod.clone() };
        let lines = self.logs.get(&pod).cloned().ok_or_else(missing)?;
        Ok(LogTail { pod, container: container.unwrap_or_default(), previous, lines })
    }
}

/// A Deployment of three replicas, all well.
pub fn deployment(name: &str) -> Workload {
    let progressing = Condition {
        name: "Progressing".into(),
        status: "True".into(),
        reason: "NewReplicaSetAvailable".into(),
        message: String::new(),
    };
    Workload {
        object: object(Kind::Deployment, name),
        generation: 2,
        observed_generation: 2,
        desired: 3,
        current: 3,
        ready: 3,
        updated: 3,
        available: 3,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        revision: Some(2),
        conditions: vec![progressing],
        template_changed: None,
        writers: vec![Writer { manager: "kubectl-edit".into(), at: "2026-11-21T01:30:00Z".parse().ok() }],
        pod_labels: BTreeMap::new(),
        reads: vec![],
        needs: None,
    }
}

/// Revisions with these templates, newest first; the newest has all replicas.
pub fn revisions(name: &str, templates: &[Value]) -> Vec<Revision> {
    let all = pieces(&templates.iter().collect::<Vec<_>>());
    let newest = templates.len() as u64;
    let revision = |(place, pieces): (usize, belay::domain::deploy::Pieces)| {
        let number = newest - place as u64;
        let images = pieces.containers.values().map(|c| c.image.clone()).collect();
        let replicas = if place == 0 { 3 } else { 0 };
        Revision {
            object: object(Kind::ReplicaSet, &format!("{name}-{number}")),
            revision: number,
            template_hash: format!("hash{number}"),
            images,
            desired: replicas,
            ready: replicas,
            created: format!("2026-11-{}T01:30:05Z", 21 - place).parse().ok(),
            change_cause: None,
            content: None,
            template: Some(Box::new(pieces)),
        }
    };
    all.into_iter().enumerate().map(revision).collect()
}

pub fn template(image: &str, env: &[(&str, &str)]) -> Value {
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "spec": { "containers": [{ "name": "web", "image": image, "env": env }] } })
}

/// A pod with one container, made by this controller.
pub fn pod(name: &str, controller: (Kind, &str), well: bool) -> Pod {
    let crashed = Ended { reason: "Error".into(), exit_code: 1, at: None, started: None };
    let waiting = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
    let container = Container {
        name: "web".into(),
        image: "web:1".into(),
        ready: well,
        restarts: 0,
        state: if well { ContainerState::Running { since: None } } else { waiting },
        last_end: (!well).then_some(crashed),
        memory_limit: None,
        cpu_limit_millis: None,
        probes: belay::domain::cluster::Probes::default(),
    };
    Pod {
        object: object(Kind::Pod, name),
        phase: "Running".into(),
        ready: well,
        terminating: false,
        not_ready_since: None,
        created: None,
        node: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        controller: Some(object(controller.0, controller.1)),
        has_claims: false,
        containers: vec![container],
        reason: String::new(),
        unscheduled: None,
        needs: None,
    }
}

/// A server in this process.
pub struct Bench(pub InProcess);

impl Bench {
    pub async fn of<S: ServerHandler>(server: S) -> Self {
        Self(connect_in_process(server).await.unwrap())
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!() };
        self.0.client.call(tool, arguments, WITHIN).await.unwrap()
    }

    /// The text of an answer that is none of trouble.
    pub async fn text(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
        assert!(result.structured_content.is_some());
        text(&result)
    }

    pub async fn trouble(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        text(&result)
    }

    /// The tools as they are described, held to what all are held to.
    pub async fn tools(&self, expected: &[&str]) -> Value {
        let tools = self.0.client.tools(WITHIN).await.unwrap();
        let names: std::collections::BTreeSet<&str> = tools.iter().map(|t| t.name.as_ref()).collect();
        assert_eq!(names, expected.iter().copied().collect());
        for tool in &tools {
            let hints = tool.annotations.clone().unwrap();
            let hints =
                (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint);
            assert_eq!(hints, (Some(true), Some(false), Some(true), Some(false)), "{}", tool.name);
            assert!(tool.output_schema.is_some(), "{}", tool.name);
            assert_eq!(tool.input_schema["additionalProperties"], json!(false), "{}", tool.name);
            assert!(tool.input_schema["required"].as_array().unwrap().contains(&json!("namespace")));
            let said = tool.description.as_deref().unwrap_or_default();
            let cost =
                tool.name.len() + said.len() + serde_json::to_string(&tool.input_schema).unwrap().len();
            // four bytes a token, and a fifth above the 120 that a tool may cost
            assert!(cost <= 1_000, "{} costs {cost} bytes", tool.name);
        }
        serde_json::to_value(tools).unwrap()
    }
}

pub fn text(result: &CallToolResult) -> String {
    result.content[0].as_text().unwrap().text.clone()
}
