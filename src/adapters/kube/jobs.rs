//! Jobs as they are: whose intent one carries, and how far it is.

use k8s_openapi::api::batch::v1::{Job, JobStatus};

use super::live::Live;
use crate::domain::action::job::LiveJob;
use crate::domain::plan::INTENT_ANNOTATION;
use crate::domain::redact;
use crate::domain::warrant::Progress;
use crate::ports::reads::ReadError;

/// What is kept of the controller's own words.
const MESSAGE: usize = 300;

impl Live {
    /// The Job of that name.
    pub(super) async fn job(&self, namespace: &str, name: &str) -> Result<Option<LiveJob>, ReadError> {
        let Some(found) = self.get::<Job>(namespace, name).await? else { return Ok(None) };
        Ok(Some(LiveJob {
            name: name.to_owned(),
            intent: found.metadata.annotations.and_then(|mut notes| notes.remove(INTENT_ANNOTATION)),
            progress: progress(&found.status.unwrap_or_default()),
        }))
    }
}

/// A Job has ended once one of these two conditions holds; those that only announce it are not the end.
fn progress(status: &JobStatus) -> Progress {
    let holds = |wanted: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == wanted && condition.status == "True")
    };
    if let Some(failed) = holds("Failed") {
        let reason = failed.reason.as_deref().unwrap_or("no reason is given");
        let message = failed.message.as_deref().unwrap_or_default();
        return Progress::Failed {
            why: redact::line(format!("{reason}: {message}").trim_end_matches(": "), MESSAGE),
        };
    }
    match holds("Complete") {
        Some(_) => Progress::Complete { at: status.completion_time.as_ref().map(|at| at.0) },
        None => Progress::Running,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(conditions: &serde_json::Value) -> String {
        let status = json!({ "conditions": conditions, "completionTime": "2026-11-21T08:00:00Z" });
        progress(&serde_json::from_value(status).unwrap()).words()
    }

    #[test]
    fn only_the_two_last_conditions_are_an_end() {
        let one = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "R", "message": "m" });
        assert_eq!(told(&json!([])), "runs");
        assert_eq!(told(&json!([one("FailureTarget", "True"), one("SuccessCriteriaMet", "True")])), "runs");
        assert_eq!(told(&json!([one("Complete", "False"), one("Suspended", "True")])), "runs");
        assert_eq!(told(&json!([one("SuccessCriteriaMet", "True"), one("Complete", "True")])), "is complete");
        assert_eq!(told(&json!([one("Failed", "True")])), "failed: R: m");
        assert_eq!(told(&json!([{ "type": "Failed", "status": "True" }])), "failed: no reason is given");
    }
}
