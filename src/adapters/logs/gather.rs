//! Pages of lines, read until enough of them are what is looked for, within one deadline; and, where asked for, the
//! lines around those.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::super::monitoring::Unheard;
use crate::domain::log::read::{self, Raw};
use crate::domain::log::windows::{merged, select};
use crate::domain::log::{Instance, Line};
use crate::ports::logs::{Found, Query};
use crate::ports::reads::ReadError;

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Lines of one page: about half a MiB of the usual ones.
const PAGE: usize = 1_000;
/// Lines that are looked through for one answer: what Loki gives at once unless told otherwise.
const LOOKED_THROUGH: usize = 5_000;
/// The smallest page that is tried where answers are too large.
const SMALLEST: usize = 15;
/// How many lines are read around at a time.
const AT_ONCE: usize = 4;

/// What a store is asked for: one page of lines.
pub(in crate::adapters) struct Ask<'a> {
    /// What is looked for.
    pub(in crate::adapters) query: &'a Query,
    /// Only lines of this instance.
    pub(in crate::adapters) instance: Option<&'a Instance>,
    /// Not before.
    pub(in crate::adapters) since: Timestamp,
    /// Not after; lines of this very moment are wanted.
    pub(in crate::adapters) until: Timestamp,
    /// Whether lines may be left out that severity or pattern rule out: none that they admit.
    pub(in crate::adapters) narrowed: bool,
    /// The last lines; the first otherwise.
    pub(in crate::adapters) newest: bool,
    /// Lines at most.
    pub(in crate::adapters) limit: usize,
}

/// A line as a store gives it.
pub(in crate::adapters) struct Entry {
    pub(in crate::adapters) instance: Instance,
    pub(in crate::adapters) raw: Raw,
}

/// Some lines, in any order.
pub(in crate::adapters) struct Page {
    pub(in crate::adapters) entries: Vec<Entry>,
    /// Whether there may be more of them.
    pub(in crate::adapters) full: bool,
    /// What is not right with it, a sentence each.
    pub(in crate::adapters) notes: Vec<String>,
}

/// A store that gives pages of lines.
#[async_trait]
pub(in crate::adapters) trait Store: Send + Sync {
    /// One page.
    async fn page(&self, ask: &Ask<'_>) -> Result<Page, Unheard>;

    /// How many of the lines that are found are shown with those around them: each takes two more requests.
    fn around(&self) -> usize {
        10
    }
}

/// What was read so far.
#[derive(Default)]
struct Read {
    entries: Vec<Entry>,
    ids: BTreeSet<(Option<Timestamp>, String)>,
    left_out: BTreeSet<String>,
    more: bool,
}

impl Read {
    /// Takes a page; how many of its lines are new.
    fn take(&mut self, page: Page) -> usize {
        self.left_out.extend(page.notes);
        let before = self.entries.len();
        for entry in page.entries {
            if self.ids.insert((entry.raw.at, entry.raw.id.clone())) {
                self.entries.push(entry);
            }
        }
        self.entries.len() - before
    }
}

/// What is found of the query.
pub(in crate::adapters) async fn gather<S: Store>(store: &S, query: &Query) -> Result<Found, ReadError> {
    let deadline = Instant::now() + WITHIN;
    let mut read = Read::default();
    pages(store, query, deadline, &mut read).await?;
    let Read { entries, left_out, more, .. } = read;
    let looked_at = entries.len();
    let shown = select(instances(entries, query), 0, query.limit, query.newest);
    let more = more || shown.matched > query.limit;
    let mut found = Found { blocks: shown.blocks, more, left_out: left_out.into_iter().collect() };
    if more && shown.matched < query.limit {
        found.left_out.push(format!("only {looked_at} lines were looked through"));
    }
    if query.context > 0 {
        with_context(store, query, deadline, &mut found).await;
    }
    Ok(found)
}

/// Reads pages until enough is found, there are no more, or time is up.
async fn pages<S: Store>(
    store: &S,
    query: &Query,
    deadline: Instant,
    read: &mut Read,
) -> Result<(), ReadError> {
    let (mut since, mut until) = (query.since, query.until);
    let mut limit = PAGE.min(query.limit.saturating_mul(4).max(100));
    while read.entries.len() < LOOKED_THROUGH {
        let ask = Ask {
            query,
            instance: query.instance.as_ref(),
            since,
            until,
            narrowed: true,
            newest: query.newest,
            limit,
        };
        let page = match timeout_at(deadline, store.page(&ask)).await {
            Ok(Ok(page)) => page,
            Ok(Err(Unheard::TooLarge(_))) if limit > SMALLEST => {
                limit = (limit / 8).max(SMALLEST);
                continue;
            }
            Ok(Err(unheard)) if read.entries.is_empty() => return Err(unheard.into()),
            Ok(Err(unheard)) => {
                read.more = true;
                read.left_out.insert(ReadError::from(unheard).to_string());
                return Ok(());
            }
            Err(_) => return late(read),
        };
        let (full, ends) = (page.full, end(&page, query.newest));
        let new = read.take(page);
        let Some(end) = ends.filter(|_| full) else { return Ok(()) };
        if enough(read, query) {
            read.more = true;
            return Ok(());
        }
        if new == 0 {
            let note = format!(
                "there are more lines of {end} than one page holds: the others of that moment are missing"
            );
            read.left_out.insert(note);
            read.more = true;
            return Ok(());
        }
        if query.newest { until = end } else { since = end }
    }
    read.more = true;
    Ok(())
}

fn late(read: &mut Read) -> Result<(), ReadError> {
    let why = format!("no answer within {} seconds", WITHIN.as_secs());
    if read.entries.is_empty() {
        return Err(ReadError::Failed {
            what: "logs".to_owned(),
            why: format!("{why}: ask for a shorter stretch"),
        });
    }
    read.more = true;
    read.left_out.insert(format!("{why} after {} lines", read.entries.len()));
    Ok(())
}

/// The moment that a page reaches to.
fn end(page: &Page, newest: bool) -> Option<Timestamp> {
    let times = page.entries.iter().filter_map(|entry| entry.raw.at);
    if newest { times.min() } else { times.max() }
}

/// Whether as many lines are found as are asked for. They are counted anew with each page: at most five times.
fn enough(read: &Read, query: &Query) -> bool {
    if query.least.is_none() && query.pattern.is_none() {
        return read.entries.len() >= query.limit;
    }
    let copied = read.entries.iter().map(|e| Entry { instance: e.instance.clone(), raw: e.raw.clone() });
    let lines = instances(copied.collect(), query).into_iter().flatten();
    lines.filter(|line| line.matched).count() >= query.limit
}

/// The lines of each instance in order, marked where they are what is looked for.
fn instances(entries: Vec<Entry>, query: &Query) -> Vec<Vec<Line>> {
    let mut instances: BTreeMap<Instance, Vec<Raw>> = BTreeMap::new();
    for Entry { instance, raw } in entries {
        instances.entry(instance).or_default().push(raw);
    }
    let read = |(instance, mut raw): (Instance, Vec<Raw>)| {
        // stable: lines of one moment stay as they came
        raw.sort_by_key(|raw| raw.at);
        let mut lines = read::lines(&instance, raw);
        for line in &mut lines {
            line.matched = query.wants(line);
        }
        lines
    };
    instances.into_iter().map(read).collect()
}

/// Puts the lines around those that were found; where that fails they stay as they are.
async fn with_context<S: Store>(store: &S, query: &Query, deadline: Instant, found: &mut Found) {
    let lines: Vec<Line> = std::mem::take(&mut found.blocks).into_iter().flatten().collect();
    let alone = lines.len().saturating_sub(store.around());
    let (without, with) = lines.split_at(alone);
    if alone > 0 {
        let note = format!(
            "the lines around the newest {} are shown, not those around the {alone} before",
            with.len()
        );
        found.left_out.push(note);
    }
    let read =
        futures::stream::iter(with.to_vec()).map(|line| async move { window(store, query, &line).await });
    let mut read = std::pin::pin!(read.buffered(AT_ONCE));
    let mut windows: Vec<Vec<Line>> = without.iter().map(|line| vec![line.clone()]).collect();
    let mut missing = BTreeSet::new();
    for line in with {
        windows.push(match timeout_at(deadline, read.next()).await {
            Ok(Some(Ok(window))) => window,
            Ok(Some(Err(error))) => {
                missing.insert(format!("some of the lines around: {error}"));
                vec![line.clone()]
            }
            Ok(None) => vec![line.clone()],
            Err(_) => {
                missing.insert(format!(
                    "some of the lines around: no answer within {} seconds",
                    WITHIN.as_secs()
                ));
                vec![line.clone()]
            }
        });
    }
    found.left_out.extend(missing);
    found.blocks = merged(windows);
}

/// A line with those before and after it, of its instance.
async fn window<S: Store>(store: &S, query: &Query, line: &Line) -> Result<Vec<Line>, ReadError> {
    let Some(at) = line.at else { return Ok(vec![line.clone()]) };
    // some more, for other lines of the same moment
    let limit = query.context + 5;
    let ask = |since, until, newest| Ask {
        query,
        instance: Some(&line.instance),
        since,
        until,
        narrowed: false,
        newest,
        limit,
    };
    let (before, after) = (ask(query.since, at, true), ask(at, query.until, false));
    let (before, after) = futures::join!(store.page(&before), store.page(&after));
    let mut read = Read::default();
    read.take(before?);
    read.take(after?);
    let lines: Vec<Line> = instances(read.entries, query).into_iter().flatten().collect();
    let Some(place) = lines.iter().position(|l| l.id == line.id && l.at == line.at) else {
        return Ok(vec![line.clone()]);
    };
    let from = place.saturating_sub(query.context);
    Ok(lines.into_iter().skip(from).take(place - from + 1 + query.context).collect())
}
