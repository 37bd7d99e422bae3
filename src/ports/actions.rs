//! The hands: the action server as belay's own core sees it. Everything here goes through MCP.

use async_trait::async_trait;

use crate::domain::action::Action;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};

/// The action server could not be asked: nothing is known of what it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the action server did not answer: {0}")]
pub struct NoAnswer(pub String);

/// Plans, applies and reads back. The only way to a write.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Works the action out against the live object, and dry-runs it. Changes nothing.
    async fn plan(&self, action: &Action, owner: &RootOwner) -> Result<Result<Plan, Refusal>, NoAnswer>;

    /// Works out how to put `done` back, guarded so that it never overwrites what somebody changed since.
    async fn plan_revert(&self, done: &Plan, intent: &IntentId) -> Result<Result<Plan, Refusal>, NoAnswer> {
        self.plan_revert_after(done, intent, &[]).await
    }

    /// The same where belay did more to the object since and put that back: the intents of `undos` may
    /// stand on it instead.
    async fn plan_revert_after(
        &self,
        done: &Plan,
        intent: &IntentId,
        undos: &[IntentId],
    ) -> Result<Result<Plan, Refusal>, NoAnswer>;

    /// Carries out exactly this plan. Asked again with the same intent, it tells what became of it and
    /// does nothing twice.
    async fn apply(&self, plan: &Plan, warrant: &SignedWarrant) -> Result<Applied, NoAnswer>;

    /// What became of the intent, read from the object.
    async fn status(&self, plan: &Plan, intent: &IntentId) -> Result<Applied, NoAnswer>;
}
