//! Alertmanager's own list of alerts: what fires, silenced and inhibited alerts included.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::alert::Labels;
use crate::domain::cluster::ActiveAlert;
use crate::domain::ids::Fingerprint;
use crate::domain::redact;
use crate::ports::probe::{Probe, Probed};
use crate::ports::reads::{Alerts, ReadError};

/// 16 MiB, as for webhooks: about 16,000 alerts of 1 KiB.
const BODY: usize = 16 * 1024 * 1024;
/// Every alert, whatever keeps it quiet.
const EVERY: [(&str, &str); 4] =
    [("active", "true"), ("silenced", "true"), ("inhibited", "true"), ("unprocessed", "true")];

/// One Alertmanager.
#[derive(Debug, Clone)]
pub struct Alertmanager(Monitoring);

impl Alertmanager {
    /// The Alertmanager below `base` (`https://alertmanager.example/`). Nothing is sent yet.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, SetupError> {
        Ok(Self(Monitoring::new("alertmanager.url", base, credentials, BODY)?))
    }
}

/// `gettableAlert` of Alertmanager's OpenAPI description, version 2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gettable {
    fingerprint: String,
    labels: Labels,
    starts_at: Timestamp,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    #[serde(default)]
    silenced_by: Vec<String>,
    #[serde(default)]
    inhibited_by: Vec<String>,
    #[serde(default)]
    muted_by: Vec<String>,
}

impl From<Gettable> for ActiveAlert {
    fn from(alert: Gettable) -> Self {
        let Status { state, silenced_by, inhibited_by, muted_by } = alert.status;
        let silenced = !silenced_by.is_empty();
        let quiet = [silenced_by, inhibited_by, muted_by].iter().any(|by| !by.is_empty());
        Self {
            fingerprint: Fingerprint::new(alert.fingerprint),
            labels: alert.labels,
            starts_at: alert.starts_at,
            suppressed: state == "suppressed" || quiet,
            silenced,
        }
    }
}

#[async_trait]
impl Alerts for Alertmanager {
    async fn active(&self) -> Result<Vec<ActiveAlert>, ReadError> {
        let alerts: Vec<Gettable> =
            self.0.get("the alerts of Alertmanager", &["api", "v2", "alerts"], &EVERY, &[]).await?;
        Ok(alerts.into_iter().map(ActiveAlert::from).collect())
    }
}

/// `alertmanagerStatus` of the same description, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    version_info: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[async_trait]
impl Probe for Alertmanager {
    async fn probe(&self) -> Result<Probed, ReadError> {
        let running: Running =
            self.0.get("the status of Alertmanager", &["api", "v2", "status"], &[], &[]).await?;
        Ok(Probed { version: Some(redact::line(&running.version_info.version, 40)), retention: None })
    }
}
