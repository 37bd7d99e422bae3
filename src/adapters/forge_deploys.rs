//! What reading deploys from GitHub and GitLab has in common: a deadline over all requests of one question, and how a
//! refusal reads.

use std::time::Duration;

use tokio::time::timeout;

use crate::ports::forge::ForgeError;
use crate::ports::reads::ReadError;

/// One question is at most a dozen requests, most of them at once; longer than this and whoever asks has gone.
const WITHIN: Duration = Duration::from_secs(10);

/// The answer, within the deadline.
pub(super) async fn within<T>(
    what: &str,
    asking: impl Future<Output = Result<T, ForgeError>>,
) -> Result<T, ReadError> {
    let failed = |why: String| ReadError::Failed { what: what.to_owned(), why };
    match timeout(WITHIN, asking).await {
        Err(_) => Err(failed(format!("no answer within {} seconds", WITHIN.as_secs()))),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ ForgeError::Refused { code: 401 | 403, .. })) => {
            Err(ReadError::Refused { what: what.to_owned(), why: format!("{error}; check the token") })
        }
        Ok(Err(ForgeError::Refused { code: 404, .. })) => {
            Err(ReadError::NotFound { what: format!("{what} (or the token may not see it)") })
        }
        Ok(Err(error @ (ForgeError::Refused { .. } | ForgeError::Unclear { .. }))) => {
            Err(failed(error.to_string()))
        }
    }
}
