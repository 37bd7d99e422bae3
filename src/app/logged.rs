//! What went wrong in a workload's logs, as a page of the brief: from the store that the configuration names, where no
//! tool of others answers that question.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::config::{self, Config};
use crate::ports::brief::{About, Brief, Missing, Page, Topic};
use crate::ports::clock::SharedClock;
use crate::ports::logs::Logs;
use crate::ports::reads::Listing;
use crate::servers::logs::summed_up;

use super::build::BuildError;
use super::own;

/// What is looked back on: an alert waits some minutes before it fires, and its cause is a little older.
const BACK: SignedDuration = SignedDuration::from_mins(30);

/// Asks a store of logs.
struct Logged {
    logs: Arc<dyn Logs>,
    clock: SharedClock,
}

/// What answers, if anything does: without a store that is configured, the snapshot has the pods' logs already.
pub(super) fn errors(
    config: &Config,
    of: config::Site<'_>,
    listing: &Arc<dyn Listing>,
    clock: &SharedClock,
) -> Result<Option<Arc<dyn Brief>>, BuildError> {
    if of.logs.is_none() || config.mcp_reads.error_logs.is_some() {
        return Ok(None);
    }
    let logs = own::logs::source(of, listing, clock)?;
    Ok(Some(Arc::new(Logged { logs, clock: Arc::clone(clock) })))
}

#[async_trait]
impl Brief for Logged {
    async fn pages(&self, about: &About) -> Vec<Result<Page, Missing>> {
        let (topic, source) = (Topic::ErrorLogs, self.logs.name().to_owned());
        if about.namespace.is_empty() {
            return Vec::new();
        }
        let until = self.clock.now();
        let since = until.checked_sub(BACK).unwrap_or(until);
        let text = summed_up(&*self.logs, (&about.namespace, &about.workload), since, until).await;
        vec![match text {
            Ok(text) => Ok(Page { topic, source, text }),
            Err(error) => Err(Missing { topic, source, why: error.to_string() }),
        }]
    }
}
