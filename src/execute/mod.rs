//! Execute: from a permit and a durable intent to a write, and back to what became of it. There is no way
//! to a write without both proofs.

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
