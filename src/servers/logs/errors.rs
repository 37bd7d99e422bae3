//! `get_error_summary`: errors counted by kind, each with a sample whose stack trace is looked for where the search for
//! grave lines alone did not give it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::args::{self, ErrorArgs};
use super::views::{Errors, moment, reason};
use crate::domain::log::join::Record;
use crate::domain::log::summary::{Kind, Summary, summarize};
use crate::domain::log::{Instance, Line, Severity};
use crate::ports::logs::{Found, Logs, Query};
use crate::ports::reads::ReadError;
use crate::servers::kit::{Readable as _, Scope, Span, Trouble};

/// Kinds of errors that are shown.
const KINDS: usize = 10;
/// Lines that are counted: all that a store gives for one answer.
const LINES: usize = 5_000;
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Samples that are looked after at a time.
const AT_ONCE: usize = 5;
/// Lines of a stack trace that are looked for.
const DEEP: usize = 60;
/// How long a program takes to write a stack trace.
const WRITING: SignedDuration = SignedDuration::from_secs(2);

/// The errors that were asked for.
pub async fn errors(
    logs: &dyn Logs,
    scope: &Scope,
    args: &ErrorArgs,
    now: Timestamp,
) -> Result<Errors, Trouble> {
    let ErrorArgs { namespace, service, since } = args;
    scope.check(namespace)?;
    args::service(service.as_ref())?;
    let Span { since, until } = Span::read(since, None, now)?;
    Ok(sum_up(logs, (namespace, service.as_deref()), since, until).await?)
}

/// The same about one service, as text.
pub async fn summed_up(
    logs: &dyn Logs,
    (namespace, service): (&str, &str),
    since: Timestamp,
    until: Timestamp,
) -> Result<String, ReadError> {
    Ok(sum_up(logs, (namespace, Some(service)), since, until).await?.text())
}

async fn sum_up(
    logs: &dyn Logs,
    (namespace, service): (&str, Option<&str>),
    since: Timestamp,
    until: Timestamp,
) -> Result<Errors, ReadError> {
    let deadline = Instant::now() + WITHIN;
    let query = Query {
        namespace: namespace.to_owned(),
        service: service.map(str::to_owned),
        instance: None,
        since,
        until,
        least: Some(Severity::Error),
        pattern: None,
        context: 0,
        limit: LINES,
        newest: true,
    };
    let Found { blocks, more, mut left_out } = logs.search(&query).await?;
    if more {
        left_out.push("there are more errors than were counted".to_owned());
    }
    let mut instances: BTreeMap<Instance, Vec<Line>> = BTreeMap::new();
    for line in blocks.into_iter().flatten() {
        instances.entry(line.instance.clone()).or_default().push(line);
    }
    let Summary { mut kinds, errors, all_kinds, others } =
        summarize(instances.into_values().collect(), KINDS);
    if others > 0 {
        left_out.push(format!("{others} errors of too many kinds to be told apart"));
    }
    if logs.sees_heads_only() {
        with_stacks(logs, &query, &mut kinds, deadline).await;
    }
    Ok(Errors {
        namespace: query.namespace,
        service: query.service,
        since: moment(since),
        until: moment(until),
        source: logs.name().to_owned(),
        errors,
        kinds: all_kinds as u64,
        types: kinds.iter().map(Into::into).collect(),
        left_out: left_out.iter().map(|why| reason(why)).collect(),
    })
}

/// Puts the stack traces below the samples that have none; a sample whose trace is not had in time stays as it is.
async fn with_stacks(logs: &dyn Logs, query: &Query, kinds: &mut [Kind], deadline: Instant) {
    let wanted: Vec<(usize, Line)> = kinds
        .iter()
        .enumerate()
        .filter(|(_, kind)| kind.sample.head.instance != Instance::default())
        .map(|(n, kind)| (n, kind.sample.head.clone()))
        .collect();
    let read =
        futures::stream::iter(wanted).map(|(n, head)| async move { (n, below(logs, query, &head).await) });
    let mut read = std::pin::pin!(read.buffer_unordered(AT_ONCE));
    while let Ok(Some((n, rest))) = timeout_at(deadline, read.next()).await {
        if let (Some(kind), Some(rest)) = (kinds.get_mut(n), rest)
            && rest.len() > kind.sample.rest.len()
        {
            kind.sample.rest = rest;
            kind.raised = kind.sample.raised().or(kind.raised.take());
        }
    }
}

/// The lines that continue this one.
async fn below(logs: &dyn Logs, query: &Query, head: &Line) -> Option<Vec<Line>> {
    let at = head.at?;
    let query = Query {
        instance: Some(head.instance.clone()),
        since: at,
        until: at.checked_add(WRITING).ok()?,
        least: None,
        pattern: None,
        limit: DEEP,
        newest: false,
        ..query.clone()
    };
    let found = logs.search(&query).await.ok()?;
    let lines: Vec<Line> = found.blocks.into_iter().flatten().collect();
    let place = lines.iter().position(|line| line.id == head.id && line.at == head.at)?;
    let record = Record { head: head.clone(), rest: Vec::new() };
    let rest = lines.into_iter().skip(place + 1).take_while(|line| line.continues);
    Some(Record { rest: rest.collect(), ..record }.rest)
}
