//! What there is besides pods, Deployments and events: lists of every kind that an engineer looks at, and what is used.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::reads::{Listed, ReadError};
use crate::domain::inventory::{ContainerUse, Keeper, KeptTemplate, Kind, Row};

/// A list, and what belongs to it and could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found<T> {
    /// What was read.
    pub listed: Listed<T>,
    /// A sentence for each part that could not be: its columns are empty.
    pub unread: Vec<String>,
}

/// Lists of one cluster, by name. Text in them is cleaned and redacted.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// The objects of a kind in a namespace, those only whose name comes after `after`.
    async fn objects(
        &self,
        kind: Kind,
        namespace: &str,
        after: Option<&str>,
    ) -> Result<Found<Row>, ReadError>;

    /// All nodes, those only whose name comes after `after`.
    async fn nodes(&self, after: Option<&str>) -> Result<Found<Row>, ReadError>;

    /// What each container of a namespace uses.
    async fn usage(&self, namespace: &str) -> Result<Found<ContainerUse>, ReadError>;

    /// The templates that a StatefulSet or DaemonSet has and had, newest first.
    async fn templates(
        &self,
        keeper: Keeper,
        namespace: &str,
        name: &str,
    ) -> Result<Listed<KeptTemplate>, ReadError>;
}
