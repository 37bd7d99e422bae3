//! `search_logs`: the question, and its answer within bounds.

use jiff::Timestamp;

use super::args::{self, MOST_CONTEXT, MOST_LINES, SearchArgs};
use super::views::{LineRow, Lines, moment};
use crate::domain::log::pattern::Pattern;
use crate::ports::logs::{Found, Logs, Query};
use crate::servers::kit::{Scope, Span, Trouble};

/// What all lines of an answer may have: what a client of a model passes on (24 KiB), less what stands around them.
const BYTES: usize = 20 << 10;

/// The lines that were asked for.
pub async fn lines(
    logs: &dyn Logs,
    scope: &Scope,
    args: &SearchArgs,
    now: Timestamp,
) -> Result<Lines, Trouble> {
    let query = query(scope, args, now)?;
    let found = logs.search(&query).await.map_err(Trouble::Read)?;
    Ok(within_bounds(logs.name(), &query, found))
}

fn query(scope: &Scope, args: &SearchArgs, now: Timestamp) -> Result<Query, Trouble> {
    let SearchArgs { namespace, service, severity, since, until, pattern, context, limit } = args;
    scope.check(namespace)?;
    args::service(service.as_ref())?;
    let Span { since, until } = Span::read(since, until.as_deref(), now)?;
    let pattern = pattern.as_deref().map(Pattern::read).transpose();
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Query {
        namespace: namespace.clone(),
        service: service.clone(),
        instance: None,
        since,
        until,
        least: severity.map(Into::into),
        pattern: pattern.map_err(|e| Trouble::Argument(e.to_string()))?,
        context: size((*context).min(MOST_CONTEXT)),
        limit: size((*limit).clamp(1, MOST_LINES)),
        newest: true,
    })
}

/// As many of the newest lines as fit.
fn within_bounds(source: &'static str, query: &Query, found: Found) -> Lines {
    let Found { blocks, more, mut left_out } = found;
    let mut rows: Vec<LineRow> = Vec::new();
    for (block, lines) in (1..).zip(&blocks) {
        rows.extend(lines.iter().map(|line| LineRow::new(line, block)));
    }
    let all = rows.len();
    let mut bytes = 0;
    let fits = |row: &&LineRow| {
        bytes += row.bytes();
        bytes <= BYTES
    };
    let kept = rows.iter().rev().take_while(fits).count();
    rows.drain(..all - kept);
    if kept < all {
        left_out.push(format!(
            "{} earlier lines: an answer has at most {} KiB of them",
            all - kept,
            BYTES >> 10
        ));
    }
    Lines {
        namespace: query.namespace.clone(),
        service: query.service.clone(),
        since: moment(query.since),
        until: moment(query.until),
        source: source.to_owned(),
        matched: rows.iter().filter(|row| row.matched).count() as u64,
        more: more || kept < all,
        lines: rows,
        left_out: left_out.iter().map(|why| super::views::reason(why)).collect(),
    }
}
