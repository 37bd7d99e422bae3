//! Execute: from a permit and a durable intent to a write, and back to what became of it. There is no way
//! to a write without both proofs.

#[cfg(test)]
mod samples;
pub mod verify;
mod warrant;

use jiff::Timestamp;

use crate::domain::plan::Refusal;
use crate::domain::record::Intent;
use crate::domain::warrant::{Applied, SignedWarrant};
use crate::policy::Permit;
use crate::ports::actions::Actions;
use crate::store::Durable;

pub use warrant::{KeyError, SecretKey, SignError, Signer, WARRANT_LIFE};

/// Signs the warrant for this permit and intent, has the plan carried out, and tells what became of it. An
/// order without an answer is read back, never sent again.
pub async fn carry_out(
    actions: &dyn Actions,
    signer: &Signer,
    permit: Permit,
    intent: &Durable<Intent>,
    now: Timestamp,
) -> Applied {
    match signer.sign(&permit, intent, now) {
        Ok(warrant) => send(actions, intent, &warrant).await,
        Err(error) => Applied::Refused { refusal: Refusal::Warrant(error.to_string()) },
    }
}

/// What became of an intent whose outcome is not known: after a crash, or after no answer came.
pub async fn look_back(actions: &dyn Actions, intent: &Durable<Intent>) -> Applied {
    read_back(actions, intent).await
}

async fn send(actions: &dyn Actions, intent: &Intent, warrant: &SignedWarrant) -> Applied {
    match actions.apply(&intent.plan, warrant).await {
        Ok(applied) => applied,
        Err(lost) => match read_back(actions, intent).await {
            Applied::Unknown { detail } => Applied::Unknown { detail: format!("{lost}; then {detail}") },
            seen @ (Applied::Done { .. } | Applied::Refused { .. }) => seen,
        },
    }
}

async fn read_back(actions: &dyn Actions, intent: &Intent) -> Applied {
    match actions.status(&intent.plan, &intent.id).await {
        Ok(applied) => applied,
        Err(lost) => Applied::Unknown { detail: lost.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::ids::IntentId;
    use crate::domain::plan::Plan;
    use crate::domain::target::RootOwner;
    use crate::ports::actions::NoAnswer;

    /// An action server that answers as it is told, and counts.
    #[derive(Default)]
    struct Told {
        apply: Option<Applied>,
        status: Option<Applied>,
        asked: Mutex<Vec<&'static str>>,
    }

    impl Told {
        fn say(&self, asked: &'static str, answer: Option<&Applied>) -> Result<Applied, NoAnswer> {
            self.asked.lock().unwrap().push(asked);
            answer.cloned().ok_or_else(|| NoAnswer("timeout".to_owned()))
        }
    }

    #[async_trait]
    impl Actions for Told {
        async fn plan(&self, _: &Action, _: &RootOwner) -> Result<Result<Plan, Refusal>, NoAnswer> {
            Err(NoAnswer("not asked for here".to_owned()))
        }

        async fn plan_revert_after(
            &self,
            _: &Plan,
            _: &IntentId,
            _: &[IntentId],
        ) -> Result<Result<Plan, Refusal>, NoAnswer> {
            Err(NoAnswer("not asked for here".to_owned()))
        }

        async fn apply(&self, _: &Plan, _: &SignedWarrant) -> Result<Applied, NoAnswer> {
            self.say("apply", self.apply.as_ref())
        }

        async fn status(&self, _: &Plan, _: &IntentId) -> Result<Applied, NoAnswer> {
            self.say("status", self.status.as_ref())
        }
    }

    async fn sent(told: &Told) -> Applied {
        let warrant = SignedWarrant { body: String::new(), key: String::new(), signature: String::new() };
        send(told, &samples::intent(), &warrant).await
    }

    #[tokio::test]
    async fn an_answer_is_taken_as_it_is() {
        let done = Applied::done("scaled");
        let told = Told { apply: Some(done.clone()), ..Told::default() };
        assert_eq!(sent(&told).await, done);
        assert_eq!(*told.asked.lock().unwrap(), ["apply"]);
    }

    #[tokio::test]
    async fn a_lost_answer_is_read_back_once_and_never_sent_again() {
        let done = Applied::done("it carries the intent");
        let told = Told { status: Some(done.clone()), ..Told::default() };
        assert_eq!(sent(&told).await, done);
        assert_eq!(*told.asked.lock().unwrap(), ["apply", "status"]);
    }

    #[tokio::test]
    async fn when_nobody_answers_it_is_unknown() {
        let told = Told::default();
        assert!(matches!(sent(&told).await, Applied::Unknown { .. }));
        assert_eq!(*told.asked.lock().unwrap(), ["apply", "status"]);
    }
}
