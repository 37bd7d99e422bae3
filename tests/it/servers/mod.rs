//! belay's own MCP servers: what all of them keep to, and each of them on what it reads.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod backend;
mod deliveries;
mod deploys;
mod given;
mod kubernetes;
mod logs;
mod logs_faults;
mod logs_pods;
mod logs_stores;
mod prompts;
mod runbooks;
mod stand_in;
mod tools;

use async_trait::async_trait;
use belay::domain::cluster::{Event, LogTail, Pod, Revision, Workload};
use belay::domain::inventory::{ContainerUse, Keeper, KeptTemplate, Kind, Row};
use belay::ports::inventory::{Found, Inventory};
use belay::ports::reads::{Listed, Listing, LogQuery, ReadError};

/// A cluster without anything in it.
pub struct Empty;

fn none<T>() -> Listed<T> {
    Listed { items: vec![], left_out: Some(0) }
}

fn missing<T>(what: &str) -> Result<T, ReadError> {
    Err(ReadError::NotFound { what: what.to_owned() })
}

#[async_trait]
impl Listing for Empty {
    async fn pods(&self, _: &str) -> Result<Listed<Pod>, ReadError> {
        Ok(none())
    }

    async fn deployments(&self, _: &str) -> Result<Listed<Workload>, ReadError> {
        Ok(none())
    }

    async fn events(&self, _: &str) -> Result<Listed<Event>, ReadError> {
        Ok(none())
    }

    async fn revisions(&self, _: &str, name: &str) -> Result<Listed<Revision>, ReadError> {
        missing(name)
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        missing(&query.pod)
    }
}

#[async_trait]
impl Inventory for Empty {
    async fn objects(&self, _: Kind, _: &str, _: Option<&str>) -> Result<Found<Row>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn nodes(&self, _: Option<&str>) -> Result<Found<Row>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn usage(&self, _: &str) -> Result<Found<ContainerUse>, ReadError> {
        Ok(Found { listed: none(), unread: vec![] })
    }

    async fn templates(&self, _: Keeper, _: &str, name: &str) -> Result<Listed<KeptTemplate>, ReadError> {
        missing(name)
    }
}
