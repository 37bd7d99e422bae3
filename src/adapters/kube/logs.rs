//! The end of a container's log: bounded, cleaned and redacted before anybody sees it.

use k8s_openapi::api::core::v1::Pod as CorePod;
use kube::Api;
use kube::api::LogParams;

use super::client;
use super::listing::Fetch;
use crate::domain::cluster::{Container, ContainerState, LogTail, Pod};
use crate::domain::redact;
use crate::ports::reads::{LogQuery, ReadError};

/// What a snapshot shows of one log: a stack trace with its context, and about 10k tokens at most.
const LINES: u32 = 100;
/// 500 lines of 128 bytes, the usual length of a structured log line.
const BYTES: i64 = 64 * 1024;
/// A line longer than this is a dump; its head says what it is.
const LINE: usize = 2000;

/// Reads the tail that `query` asks for.
pub(super) async fn tail(fetch: &Fetch, query: &LogQuery) -> Result<LogTail, ReadError> {
    let api: Api<CorePod> = Api::namespaced(fetch.client.clone(), &query.namespace);
    let what = format!("the log of pod `{}` in namespace `{}`", query.pod, query.namespace);
    let params = LogParams {
        container: query.container.clone(),
        previous: query.previous,
        tail_lines: Some(i64::from(query.tail)),
        limit_bytes: Some(BYTES),
        ..LogParams::default()
    };
    let text = client::read(&fetch.clock, &what, || api.logs(&query.pod, &params)).await?;
    Ok(LogTail {
        pod: query.pod.clone(),
        container: query.container.clone().unwrap_or_default(),
        previous: query.previous,
        lines: lines(&text, query.tail),
    })
}

/// The lines of a log. Redacted as a whole, since a private key spans lines; the server's own limit may be
/// a line more than asked for.
fn lines(text: &str, tail: u32) -> Vec<String> {
    let whole = redact::safe(text, usize::MAX);
    let lines: Vec<&str> = whole.lines().collect();
    let skip = lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
    lines.into_iter().skip(skip).map(|l| redact::clean(l, LINE)).collect()
}

/// The previous and current log of the container that is worst off, `None` where there is no pod.
pub(super) async fn worst(
    fetch: &Fetch,
    named: Option<&Pod>,
    pods: &[Pod],
) -> Result<Vec<LogTail>, ReadError> {
    let named = named.filter(|pod| !pod.ready);
    let pod = named.or_else(|| pods.iter().filter(|p| !p.terminating).max_by_key(|p| badness_of_pod(p)));
    let Some((pod, container)) = pod.and_then(|p| Some((p, p.containers.iter().max_by_key(|c| badness(c))?)))
    else {
        return Ok(vec![]);
    };
    let query = |previous| LogQuery {
        namespace: pod.object.named.namespace.clone(),
        pod: pod.object.named.name.clone(),
        container: Some(container.name.clone()),
        previous,
        tail: LINES,
    };
    let (before, now) = (query(true), query(false));
    if container.restarts == 0 {
        return Ok(vec![tail(fetch, &now).await?]);
    }
    match futures::join!(tail(fetch, &before), tail(fetch, &now)) {
        (Ok(before), Ok(now)) => Ok(vec![before, now]),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(vec![one]),
        (Err(error), Err(_)) => Err(error),
    }
}

fn badness_of_pod(pod: &Pod) -> (bool, u32) {
    (!pod.ready, pod.containers.iter().map(|c| c.restarts).max().unwrap_or(0))
}

fn badness(container: &Container) -> (bool, bool, u32) {
    let stopped = !matches!(container.state, ContainerState::Running { .. });
    (stopped, !container.ready, container.restarts)
}
