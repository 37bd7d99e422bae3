//! Answers: structured for programs, with a table beside it for people, and an exact statement of what was
//! left out.

use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;

use super::KubernetesServer;
use super::rows::{DeploymentRow, EventRow, PodRow, RevisionRow};
use super::scope::{list, not_found};
use crate::domain::redact;
use crate::ports::reads::{Listed, LogQuery, ReadError};

/// A cell longer than this is cut in the table; the structured answer has all of it.
const CELL: usize = 160;

/// Some of the rows there are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page<T> {
    /// What is shown of how many: `showing 100 of 2,312`.
    pub note: String,
    /// How many rows are shown.
    pub shown: usize,
    /// How many there are; absent where the server did not say.
    pub total: Option<u64>,
    /// The rows.
    pub items: Vec<T>,
}

/// A row of a table.
pub trait Row {
    /// The head of each column.
    const HEAD: &'static [&'static str];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

/// What is shown to people.
pub trait Shown {
    /// As text.
    fn text(&self) -> String;
}

impl<T: Row> Shown for Page<T> {
    fn text(&self) -> String {
        if self.items.is_empty() {
            return self.note.clone();
        }
        format!("{}\n\n{}", self.note, table(&self.items))
    }
}

/// The answer of a tool: data and the same as text.
pub fn answer<T: Serialize + Shown>(value: &T) -> Result<CallToolResult, String> {
    let data = serde_json::to_value(value).map_err(|e| format!("the answer cannot be written: {e}"))?;
    let mut result = CallToolResult::structured(data);
    result.content = vec![ContentBlock::text(value.text())];
    Ok(result)
}

fn table<T: Row>(rows: &[T]) -> String {
    let head = T::HEAD.iter().map(|h| (*h).to_owned()).collect();
    let body = rows.iter().map(|r| r.cells().iter().map(|c| redact::clean(c, CELL)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..T::HEAD.len()).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(c, w)| format!("{c:w$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(padded).collect::<Vec<_>>().join("\n")
}

/// The first `limit` of the rows, and what that is of all.
fn page<S, T: for<'a> From<&'a S>>(what: &str, listed: &Listed<S>, limit: u32) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<T> = listed.items.iter().take(limit).map(T::from).collect();
    let read = u64::try_from(listed.items.len()).unwrap_or(u64::MAX);
    let total = listed.left_out.map(|more| read.saturating_add(more));
    let (shown, of) = (grouped(u64::try_from(items.len()).unwrap_or(u64::MAX)), total.map(grouped));
    let note = match of {
        Some(_) if total == Some(0) => format!("there are no {what}"),
        Some(of) => format!("showing {shown} of {of} {what}"),
        None => format!("showing {shown} of more than {} {what}", grouped(read)),
    };
    Page { note, shown: items.len(), total, items }
}

/// `2,312`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    digits.char_indices().fold(String::new(), |mut out, (i, digit)| {
        if i > 0 && i % 3 == first {
            out.push(',');
        }
        out.push(digit);
        out
    })
}

/// As a person reads it; nothing of the server's own words is left unescaped.
fn words(error: &ReadError) -> String {
    redact::line(&error.to_string(), 400)
}

impl KubernetesServer {
    pub(super) async fn pods(&self, namespace: &str, limit: u32) -> Result<Page<PodRow>, String> {
        let mut listed = self.listing.pods(namespace).await.map_err(|e| words(&e))?;
        listed.items.sort_by(|a, b| (a.ready, &a.object.named.name).cmp(&(b.ready, &b.object.named.name)));
        Ok(page(&format!("pods in namespace `{namespace}`"), &listed, limit))
    }

    pub(super) async fn deployments(
        &self,
        namespace: &str,
        limit: u32,
    ) -> Result<Page<DeploymentRow>, String> {
        let mut listed = self.listing.deployments(namespace).await.map_err(|e| words(&e))?;
        listed.items.sort_by_key(|d| (d.ready >= d.desired, d.object.named.name.clone()));
        Ok(page(&format!("deployments in namespace `{namespace}`"), &listed, limit))
    }

    pub(super) async fn events(
        &self,
        namespace: &str,
        object: Option<&str>,
        warnings_only: bool,
        limit: u32,
    ) -> Result<Page<EventRow>, String> {
        let mut listed = self.listing.events(namespace).await.map_err(|e| words(&e))?;
        listed.items.retain(|e| object.is_none_or(|name| e.name == name));
        listed.items.retain(|e| !warnings_only || e.severity == "Warning");
        if (object.is_some() || warnings_only) && listed.left_out != Some(0) {
            // how many of those that were not read fit is not known
            listed.left_out = None;
        }
        let kind = if warnings_only { "warnings" } else { "events" };
        let about = object.map_or_else(String::new, |name| format!(" about `{name}`"));
        Ok(page(&format!("{kind}{about} in namespace `{namespace}`"), &listed, limit))
    }

    pub(super) async fn revisions(
        &self,
        namespace: &str,
        deployment: &str,
        limit: u32,
    ) -> Result<Page<RevisionRow>, String> {
        match self.listing.revisions(namespace, deployment).await {
            Ok(listed) => Ok(page(&format!("revisions of deployment `{deployment}`"), &listed, limit)),
            Err(ReadError::NotFound { .. }) => Err(self.no_deployment(namespace, deployment).await),
            Err(error @ (ReadError::Refused { .. } | ReadError::Failed { .. })) => Err(words(&error)),
        }
    }

    pub(super) async fn no_deployment(&self, namespace: &str, wanted: &str) -> String {
        let listed = self.listing.deployments(namespace).await;
        let names = listed.iter().flat_map(|l| &l.items).map(|d| d.object.named.name.as_str());
        not_found("deployment", wanted, namespace, names)
    }

    /// Why there is no log: no such pod, no such container, or what the server said.
    pub(super) async fn explain_log(&self, query: &LogQuery, error: &ReadError) -> String {
        let LogQuery { namespace, pod, container, .. } = query;
        let Ok(listed) = self.listing.pods(namespace).await else { return words(error) };
        let Some(found) = listed.items.iter().find(|p| p.object.named.name == *pod) else {
            let names = listed.items.iter().map(|p| p.object.named.name.as_str());
            return not_found("pod", pod, namespace, names);
        };
        let has: Vec<&str> = found.containers.iter().map(|c| c.name.as_str()).collect();
        match container {
            Some(c) if !has.contains(&c.as_str()) => {
                format!("container `{c}` not found in pod `{pod}`; it has {}", list(&has))
            }
            None if has.len() > 1 => {
                format!("pod `{pod}` has more than one container; say which: {}", list(&has))
            }
            Some(_) | None => words(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, expected) in
            [(0, "0"), (12, "12"), (999, "999"), (1000, "1,000"), (2312, "2,312"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
    }
}
