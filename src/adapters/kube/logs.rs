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

/// Reads the tail that `query` asks for. The server cuts what is too large at its *end*, where the newest
/// lines are: then fewer lines are asked for, until they fit.
pub(super) async fn tail(fetch: &Fetch, query: &LogQuery) -> Result<LogTail, ReadError> {
    let mut lines = query.tail.max(1);
    let mut text = read(fetch, query, lines).await?;
    while cut_off(&text) && lines > 1 {
        let fits = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        // the newest lines may be the longest: at least halved, so that 500 takes 9 steps at most
        lines = fits.min(lines).div_euclid(2).max(1);
        text = read(fetch, query, lines).await?;
    }
    let mut kept = self::lines(&text, lines);
    if lines < query.tail {
        kept.insert(0, format!("[earlier lines left out: more than {} KiB]", BYTES / 1024));
    }
    Ok(LogTail {
        pod: query.pod.clone(),
        container: query.container.clone().unwrap_or_default(),
        previous: query.previous,
        lines: kept,
    })
}

/// Which log, in words.
pub(super) fn what(query: &LogQuery) -> String {
    format!("the log of pod `{}` in namespace `{}`", query.pod, query.namespace)
}

async fn read(fetch: &Fetch, query: &LogQuery, lines: u32) -> Result<String, ReadError> {
    let api: Api<CorePod> = Api::namespaced(fetch.client.clone(), &query.namespace);
    let params = LogParams {
        container: query.container.clone(),
        previous: query.previous,
        tail_lines: Some(i64::from(lines)),
        limit_bytes: Some(BYTES),
        ..LogParams::default()
    };
    client::read(&fetch.clock, &what(query), || api.logs(&query.pod, &params)).await
}

/// Whether the server's limit ended the text: a character of up to four bytes may not have fitted.
fn cut_off(text: &str) -> bool {
    i64::try_from(text.len()).is_ok_and(|n| n + 4 > BYTES)
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
    match (container.restarts, &container.state) {
        // it has never run: there is no log, and that is no failure to read one
        (0, ContainerState::Waiting { .. }) => return Ok(vec![]),
        (0, _) => return Ok(vec![tail(fetch, &now).await?]),
        _ => {}
    }
    match futures::join!(tail(fetch, &before), tail(fetch, &now)) {
        (Ok(before), Ok(now)) => Ok(vec![before, now]),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(vec![one]),
        (Err(error), Err(_)) => Err(error),
    }
}

/// The logs of every container of this pod, of its previous instance where it has one, and of its present
/// one where it runs. One that cannot be read fails all of it: what is missing is not known.
pub(super) async fn all(fetch: &Fetch, pod: &Pod) -> Result<Vec<LogTail>, ReadError> {
    let query = |container: &Container, previous| LogQuery {
        namespace: pod.object.named.namespace.clone(),
        pod: pod.object.named.name.clone(),
        container: Some(container.name.clone()),
        previous,
        tail: LINES,
    };
    let mut queries = Vec::new();
    for container in &pod.containers {
        if container.restarts > 0 {
            queries.push(query(container, true));
        }
        // one that waits after a restart has said all it had to say in its previous instance
        if !matches!(container.state, ContainerState::Waiting { .. }) {
            queries.push(query(container, false));
        }
    }
    futures::future::try_join_all(queries.iter().map(|query| tail(fetch, query))).await
}

fn badness_of_pod(pod: &Pod) -> (bool, u32) {
    (!pod.ready, pod.containers.iter().map(|c| c.restarts).max().unwrap_or(0))
}

fn badness(container: &Container) -> (bool, bool, u32) {
    let stopped = !matches!(container.state, ContainerState::Running { .. });
    (stopped, !container.ready, container.restarts)
}
