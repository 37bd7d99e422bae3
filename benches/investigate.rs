//! What an investigation costs besides the model and the network: prompts, machine, fence, redaction, tape. The
//! model answers at once and reads three times; each read gives 20 KiB of log.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

#[expect(dead_code, reason = "the story is shared with the tests, which use more of it")]
#[path = "../tests/it/given.rs"]
mod given;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use belay::domain::ids::{Cluster, IncidentId};
use belay::domain::record::{Diagnosis, Opening};
use belay::domain::spend::Usage;
use belay::investigate::{Case, Endpoints, Investigated, Limits, Mind, Prompts, investigate};
use belay::ports::clock::SystemClock;
use belay::ports::model::{Chat, Model, ModelError, Reply, ToolCall, ToolError, ToolResult, ToolSpec, Tools};
use divan::{AllocProfiler, Bencher};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Reads three times, then ends.
#[derive(Default)]
struct Instant(AtomicUsize);

#[async_trait]
impl Model for Instant {
    fn name(&self) -> &'static str {
        "instant"
    }

    async fn chat(&self, chat: &Chat, _: Duration) -> Result<Reply, ModelError> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let call =
            |name: &str, arguments: String| ToolCall { id: format!("c{n}"), name: name.into(), arguments };
        let call = match chat.messages.len() {
            0..=7 => call("k8s__get_pod_logs", format!(r#"{{"namespace":"shop","pod":"p{n}"}}"#)),
            _ => call("escalate", r#"{"reason":"a person should look"}"#.to_owned()),
        };
        let (content, calls) = ("I look at the logs.".to_owned(), vec![call]);
        Ok(Reply { content, calls, usage: Usage::of(5_000), ..Reply::default() })
    }
}

struct Logs(String);

#[async_trait]
impl Tools for Logs {
    async fn list(&self) -> Result<Vec<ToolSpec>, ToolError> {
        let schema =
            r#"{"type":"object","properties":{"namespace":{"type":"string"},"pod":{"type":"string"}}}"#;
        let (name, description) = ("k8s__get_pod_logs".to_owned(), "Logs of a pod.".to_owned());
        Ok(vec![ToolSpec { name, description, schema: schema.to_owned() }])
    }

    async fn call(&self, _: &str, _: &str, _: Duration) -> Result<ToolResult, ToolError> {
        Ok(ToolResult { text: self.0.clone(), failed: false })
    }
}

struct Setting {
    mind: Mind,
    opening: Opening,
    diagnosis: Diagnosis,
}

impl Setting {
    fn new() -> Self {
        let line = "2026-11-21T02:00:00Z INFO request id=42 path=/cart took=12ms status=200\n";
        let mind = Mind {
            endpoints: Arc::new(Endpoints::only(Arc::new(Instant::default()))),
            tools: Arc::new(Logs(line.repeat(20 * 1024 / line.len()))),
            clock: Arc::new(SystemClock),
            prompts: Arc::new(Prompts::load([]).unwrap()),
            limits: Limits::default(),
        };
        Self { mind, opening: given::opening(), diagnosis: given::diagnosis(given::restart()) }
    }

    async fn run(&self) -> Investigated {
        let (incident, cluster): (&IncidentId, &Cluster) = (&self.opening.incident, &self.opening.cluster);
        let (alert, diagnosis) = (&self.opening.alert, &self.diagnosis);
        let case = Case { incident, cluster, namespace: "shop", alert, diagnosis };
        let done = investigate(&self.mind, &case, 42, &CancellationToken::new()).await;
        assert_eq!(done.turns, 4);
        done
    }
}

/// Side by side on one thread: the time divided by the number is the CPU time of one.
#[divan::bench(args = [1, 100])]
fn with_an_instant_model(bencher: Bencher<'_, '_>, together: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let setting = Setting::new();
    bencher
        .counter(together)
        .bench_local(|| runtime.block_on(futures::future::join_all((0..together).map(|_| setting.run()))));
}
