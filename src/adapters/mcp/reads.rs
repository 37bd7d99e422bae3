//! Tools of third-party servers as answers to belay's own questions. What they are called with is made from the
//! workload's own names and the configuration, and from nothing that anybody wrote.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};

use super::foreign::{self, Failure, Foreign};
use super::hub::told;
use crate::ports::brief::{About, Brief, Missing, Page, Topic};

/// How long the whole brief may wait for a tool: people are told what is known within half a minute of an alert.
const WITHIN: Duration = Duration::from_secs(10);

/// Who calls, as the servers count.
const CALLER: &str = "brief";

/// One argument, before it is about a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// As it is.
    Flag(bool),
    /// As it is.
    Number(i64),
    /// With `{cluster}`, `{namespace}`, `{kind}` and `{workload}` replaced.
    Text(String),
}

/// A tool that answers a question.
pub struct Mapped {
    /// Which question.
    pub topic: Topic,
    /// Whose tool.
    pub server: Arc<Foreign>,
    /// Its own name.
    pub tool: String,
    /// What it is called with.
    pub arguments: BTreeMap<String, Template>,
}

/// The mapped tools.
#[derive(Default)]
pub struct MappedReads(Vec<Mapped>);

impl MappedReads {
    /// These tools.
    pub const fn new(mapped: Vec<Mapped>) -> Self {
        Self(mapped)
    }
}

#[async_trait]
impl Brief for MappedReads {
    async fn pages(&self, about: &About) -> Vec<Result<Page, Missing>> {
        join_all(self.0.iter().map(|mapped| mapped.page(about))).await
    }
}

impl Mapped {
    async fn page(&self, about: &About) -> Result<Page, Missing> {
        let Self { topic, server, tool, arguments } = self;
        let (topic, source) = (*topic, format!("{}__{tool}", server.name()));
        let missing = |why: String| Missing { topic, source: source.clone(), why };
        let filled =
            arguments.iter().map(|(name, template)| (name.clone(), template.filled(about))).collect();
        match server.call(CALLER, tool, filled, WITHIN).await {
            Ok(result) => {
                let said = told(&result);
                if said.failed {
                    return Err(missing(format!("the tool failed: {}", foreign::reason(&said.text))));
                }
                Ok(Page { topic, source, text: said.text })
            }
            Err(Failure::Said(why) | Failure::Mute(why)) => Err(missing(why)),
        }
    }
}

impl Template {
    fn filled(&self, about: &About) -> Value {
        match self {
            Self::Flag(flag) => json!(flag),
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(fill(text, about)),
        }
    }
}

/// One pass from left to right, so that nothing that was put in is replaced again.
fn fill(text: &str, about: &About) -> String {
    let About { cluster, namespace, kind, workload } = about;
    let values = [
        ("{cluster}", cluster.as_str()),
        ("{namespace}", namespace),
        ("{kind}", kind),
        ("{workload}", workload),
    ];
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let found = values.iter().find_map(|(mark, value)| Some((*value, from.strip_prefix(mark)?)));
        if let Some((value, after)) = found {
            out.push_str(&plain(value));
            rest = after;
        } else {
            out.push('{');
            rest = from.strip_prefix('{').unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// A name within a query: what Kubernetes allows in names passes, and nothing that could end a quoted text.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Cluster;

    #[test]
    fn an_argument_is_made_from_names_alone() {
        let about = About {
            cluster: Cluster::new("eu-1"),
            namespace: "{workload}\"} or vector(1".into(),
            kind: "Deployment".into(),
            workload: "cart".into(),
        };
        let filled = fill(r#"{namespace="{namespace}",app="{workload}"} {x} {"#, &about);
        assert_eq!(filled, r#"{namespace="workloadorvector1",app="cart"} {x} {"#);
        assert_eq!(fill("{cluster}/{kind}", &about), "eu-1/Deployment");
    }
}
