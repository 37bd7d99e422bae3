//! The same answers as text for people and models: a sentence that says how much is shown, then a table.

use crate::servers::kit::{Readable, grouped, or_dash, page};

use super::views::{
    ContainerRow, DeploymentRow, Deployments, EventRow, Events, History, Log, PodRow, Pods, RevisionRow,
};

impl Readable for Pods {
    fn text(&self) -> String {
        let sentence = self.extent.words(&format!("pods in namespace `{}`", self.namespace));
        let rows: Vec<Vec<String>> = self.pods.iter().map(pod_row).collect();
        page(&sentence, &POD_HEADING, &rows)
    }
}

/// Over rows of pods.
pub const POD_HEADING: [&str; 7] = ["POD", "READY", "STATUS", "RESTARTS", "LAST END", "CREATED", "NODE"];

/// A pod as a row of a table.
pub fn pod_row(pod: &PodRow) -> Vec<String> {
    let ready = pod.containers.iter().filter(|c| c.ready).count();
    let last = pod.containers.iter().filter(|c| c.last_end.is_some()).max_by_key(|c| c.restarts);
    vec![
        pod.name.clone(),
        format!("{ready}/{}", pod.containers.len()),
        pod.status.clone(),
        pod.restarts.to_string(),
        last.map_or_else(|| "-".to_owned(), end_of),
        or_dash(pod.created.as_ref()),
        or_dash(pod.node.as_ref()),
    ]
}

fn end_of(container: &ContainerRow) -> String {
    format!("{}: {}", container.name, or_dash(container.last_end.as_ref()))
}

impl Readable for Deployments {
    fn text(&self) -> String {
        let sentence = self.extent.words(&format!("deployments in namespace `{}`", self.namespace));
        let rows: Vec<Vec<String>> = self.deployments.iter().map(deployment_row).collect();
        page(&sentence, &["DEPLOYMENT", "READY", "UPDATED", "AVAILABLE", "REVISION", "CONDITIONS"], &rows)
    }
}

fn deployment_row(d: &DeploymentRow) -> Vec<String> {
    vec![
        d.name.clone(),
        format!("{}/{}", d.ready, d.desired),
        d.updated.to_string(),
        d.available.to_string(),
        d.revision.map_or_else(|| "-".to_owned(), |r| r.to_string()),
        d.conditions.join(", "),
    ]
}

impl Readable for Events {
    fn text(&self) -> String {
        let sentence = self.extent.words(&format!("events in namespace `{}`, newest first", self.namespace));
        let row = |e: &EventRow| {
            let (object, reason) = (e.object.clone(), e.reason.clone());
            vec![
                or_dash(e.last.as_ref()),
                e.severity.clone(),
                object,
                reason,
                e.count.to_string(),
                e.message.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = self.events.iter().map(row).collect();
        page(&sentence, &["LAST SEEN", "SEVERITY", "OBJECT", "REASON", "COUNT", "MESSAGE"], &rows)
    }
}

impl Readable for History {
    fn text(&self) -> String {
        let what = format!(
            "revisions of {} `{}` in namespace `{}`, newest first",
            self.kind, self.name, self.namespace
        );
        let heading = ["REVISION", "NAME", "READY", "CREATED", "IMAGES", "CHANGE CAUSE"];
        let rows: Vec<Vec<String>> = self.revisions.iter().map(revision_row).collect();
        page(&self.extent.words(&what), &heading, &rows)
    }
}

fn revision_row(r: &RevisionRow) -> Vec<String> {
    vec![
        r.revision.to_string(),
        r.name.clone(),
        format!("{}/{}", count(r.ready), count(r.pods)),
        or_dash(r.created.as_ref()),
        r.images.join(", "),
        or_dash(r.change_cause.as_ref()),
    ]
}

fn count(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

impl Readable for Log {
    fn text(&self) -> String {
        let Self { namespace, pod, container, previous, lines, may_have_more } = self;
        let of = container.as_ref().map_or_else(String::new, |c| format!("container `{c}` of "));
        let which = if *previous { "the previous instance of " } else { "" };
        let from = format!("{which}{of}pod `{pod}` in namespace `{namespace}`");
        let count = grouped(lines.len() as u64);
        let sentence = match (lines.as_slice(), may_have_more) {
            ([], _) => format!("there is nothing in the log of {from}"),
            (_, true) => format!("the last {count} lines of the log of {from}; there may be earlier ones"),
            (_, false) => format!("all {count} lines of the log of {from}"),
        };
        if lines.is_empty() { sentence } else { format!("{sentence}\n\n{}", lines.join("\n")) }
    }
}
