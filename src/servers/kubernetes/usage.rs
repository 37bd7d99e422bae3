//! What containers use at this moment, beside what they may.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{By, MOST_ROWS, UsageArgs};
use super::eyes::{Eyes, first};
use super::views::{MESSAGE, name};
use crate::domain::inventory::ContainerUse;
use crate::domain::redact;
use crate::ports::inventory::Found;
use crate::servers::kit::{Extent, Readable, Trouble, page};

/// Use of a namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Usage {
    /// The namespace.
    pub namespace: String,
    /// How much of the list is shown.
    pub extent: Extent,
    /// CPU of all that were asked for, in millicores.
    pub total_cpu_millis: u64,
    /// Memory of all that were asked for, in bytes.
    pub total_memory_bytes: u64,
    /// The containers, those that use most first.
    pub containers: Vec<UseRow>,
    /// What belongs to the rows and could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
}

/// Use of a container.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UseRow {
    /// Its pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// CPU in millicores.
    pub cpu_millis: u32,
    /// Its CPU limit, where it has one.
    pub cpu_limit_millis: Option<u32>,
    /// Memory in bytes: the working set.
    pub memory_bytes: u64,
    /// Its memory limit, where it has one.
    pub memory_limit_bytes: Option<u64>,
    /// Memory in hundredths of its limit.
    pub memory_percent: Option<u64>,
}

impl From<&ContainerUse> for UseRow {
    fn from(of: &ContainerUse) -> Self {
        let percent = |limit: u64| of.memory_bytes.saturating_mul(100).checked_div(limit);
        Self {
            pod: name(&of.pod),
            container: name(&of.container),
            cpu_millis: of.cpu_millis,
            cpu_limit_millis: of.cpu_limit_millis,
            memory_bytes: of.memory_bytes,
            memory_limit_bytes: of.memory_limit_bytes,
            memory_percent: of.memory_limit_bytes.and_then(percent),
        }
    }
}

impl Eyes {
    /// What the containers of a namespace use, those that use most first.
    pub async fn usage(&self, args: &UsageArgs) -> Result<Usage, Trouble> {
        let UsageArgs { namespace, name_contains, by, limit } = args;
        self.check(namespace)?;
        let Found { mut listed, unread } = self.inventory.usage(namespace).await?;
        if !name_contains.is_empty() {
            listed.items.retain(|one| one.pod.contains(name_contains));
            listed.left_out = listed.left_out.filter(|more| *more == 0);
        }
        listed.items.sort_by(|a, b| {
            let most = |one: &ContainerUse| match by {
                By::Memory => Reverse(one.memory_bytes),
                By::Cpu => Reverse(u64::from(one.cpu_millis)),
            };
            most(a).cmp(&most(b)).then_with(|| (&a.pod, &a.container).cmp(&(&b.pod, &b.container)))
        });
        let (extent, containers) = first(&listed, *limit, MOST_ROWS, |one| UseRow::from(one));
        Ok(Usage {
            namespace: namespace.clone(),
            extent,
            total_cpu_millis: listed
                .items
                .iter()
                .fold(0, |sum, one| sum.saturating_add(one.cpu_millis.into())),
            total_memory_bytes: listed.items.iter().fold(0, |sum, one| sum.saturating_add(one.memory_bytes)),
            containers,
            not_read: unread.iter().map(|why| redact::line(why, MESSAGE)).collect(),
        })
    }
}

/// Bytes as a person reads them: whole MiB.
fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

impl Readable for Usage {
    fn text(&self) -> String {
        let what = format!("containers in namespace `{}` by what they use", self.namespace);
        let (cpu, memory) = (self.total_cpu_millis, mebibytes(self.total_memory_bytes));
        let mut lines = vec![format!("{}; {cpu}m CPU and {memory} in all", self.extent.words(&what))];
        lines.extend(self.not_read.iter().map(|why| format!("not known: {why}")));
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let row = |one: &UseRow| {
            vec![
                one.pod.clone(),
                one.container.clone(),
                format!("{}m", one.cpu_millis),
                dash(one.cpu_limit_millis.map(|limit| format!("{limit}m"))),
                mebibytes(one.memory_bytes),
                dash(one.memory_limit_bytes.map(mebibytes)),
                dash(one.memory_percent.map(|percent| format!("{percent}%"))),
            ]
        };
        let heading = ["POD", "CONTAINER", "CPU", "CPU LIMIT", "MEMORY", "MEMORY LIMIT", "OF LIMIT"];
        page(&lines.join("\n"), &heading, &self.containers.iter().map(row).collect::<Vec<_>>())
    }
}
