//! Slack: one living message per incident, posted once and updated in place. The only room that knows
//! the Slack client. It keeps no state but a note of posts whose answer was lost.

pub mod blocks;
mod client;
mod errors;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

pub use client::{Config, Misconfigured};
pub use wire::Identity;

use self::client::Api;
use self::errors::Failed;
use crate::domain::ids::IncidentId;
use crate::domain::message::{Notice, View};
use crate::domain::record::MessageRef;
use crate::ports::messenger::{Messenger, Undelivered};

/// The name in records.
pub const NAME: &str = "slack";

/// Lost answers that are remembered; more than this many at once means that Slack is down, and then
/// nothing was posted anyway.
const DOUBTS: usize = 1_024;

/// Posts to one channel.
#[derive(Debug)]
pub struct SlackMessenger {
    api: Api,
    /// Incidents whose first post may have arrived although no answer came.
    doubtful: Mutex<BTreeSet<IncidentId>>,
}

impl SlackMessenger {
    /// A messenger for this workspace and channel. Sends nothing yet.
    pub fn new(config: Config) -> Result<Self, Misconfigured> {
        Ok(Self { api: Api::new(config)?, doubtful: Mutex::default() })
    }

    /// Asks Slack who we are: tells a wrong token before the first incident does.
    pub async fn check(&self) -> Result<Identity, Undelivered> {
        self.api.auth_test().await.map_err(undelivered)
    }

    /// Changes message `ts`; `None` if it cannot be changed any more.
    async fn update(&self, view: &View, channel: &str, ts: &str) -> Result<Option<MessageRef>, Undelivered> {
        match self.api.update(&blocks::render(view), channel, ts).await {
            Ok(sent) => Ok(Some(named(sent))),
            Err(Failed::Repost) => Ok(None),
            Err(failed) => Err(undelivered(failed)),
        }
    }

    /// A message of this incident that Slack has and we do not know of: its answer was lost, or we were
    /// killed before it was written down. `gone` is known to be beyond changing.
    async fn lost(&self, incident: &IncidentId, gone: Option<&str>) -> Result<Option<String>, Undelivered> {
        match self.api.find(incident, gone).await {
            Ok(found) => Ok(found),
            // a second message is better than none, unless one is likely to be there
            Err(Failed::Later { .. }) if !self.in_doubt(incident) => Ok(None),
            Err(Failed::Never(_) | Failed::Repost) => Ok(None),
            Err(failed @ Failed::Later { .. }) => Err(undelivered(failed)),
        }
    }

    async fn post(&self, view: &View) -> Result<MessageRef, Undelivered> {
        match self.api.post(&blocks::render(view), &view.incident).await {
            Ok(sent) => {
                self.note(&view.incident, false);
                Ok(named(sent))
            }
            Err(failed) => {
                if matches!(failed, Failed::Later { sent: true, .. }) {
                    self.note(&view.incident, true);
                }
                Err(undelivered(failed))
            }
        }
    }

    fn in_doubt(&self, incident: &IncidentId) -> bool {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).contains(incident)
    }

    fn note(&self, incident: &IncidentId, doubt: bool) {
        let mut doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        if !doubt {
            doubtful.remove(incident);
        } else if doubtful.len() < DOUBTS {
            doubtful.insert(incident.clone());
        }
    }
}

#[async_trait]
impl Messenger for SlackMessenger {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn publish(&self, view: &View, earlier: Option<&MessageRef>) -> Result<MessageRef, Undelivered> {
        // a reference of another channel's or messenger's making names nothing here
        let earlier = earlier.filter(|m| m.through == NAME && m.channel == self.api.channel());
        if let Some(message) = earlier
            && let Some(updated) = self.update(view, &message.channel, &message.id).await?
        {
            return Ok(updated);
        }
        let gone = earlier.map(|message| message.id.as_str());
        if let Some(ts) = self.lost(&view.incident, gone).await?
            && let Some(updated) = self.update(view, self.api.channel(), &ts).await?
        {
            self.note(&view.incident, false);
            return Ok(updated);
        }
        self.post(view).await
    }

    async fn tell(&self, notice: &Notice) -> Result<(), Undelivered> {
        self.api.say(&blocks::notice(notice)).await.map(drop).map_err(undelivered)
    }
}

fn named(sent: wire::Sent) -> MessageRef {
    MessageRef { through: NAME.to_owned(), channel: sent.channel, id: sent.ts }
}

fn undelivered(failed: Failed) -> Undelivered {
    match failed {
        Failed::Later { why, after_seconds, .. } => Undelivered::Later { why, after_seconds },
        Failed::Never(why) => Undelivered::Never(why),
        Failed::Repost => Undelivered::Never("the message cannot be changed".to_owned()),
    }
}
