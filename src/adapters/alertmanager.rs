//! Alertmanager's own list of alerts: what fires, silenced and inhibited alerts included; and its silences.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::monitoring::Monitoring;
pub use super::monitoring::{Credentials, SetupError};
use crate::domain::alert::Labels;
use crate::domain::cluster::ActiveAlert;
use crate::domain::ids::Fingerprint;
use crate::domain::redact;
use crate::ports::alerting::{Firing, Matches, Router, Silence};
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
    #[serde(default)]
    annotations: Labels,
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

impl From<Gettable> for Firing {
    fn from(alert: Gettable) -> Self {
        let silenced_by = alert.status.silenced_by.clone();
        let annotations = alert.annotations.clone();
        let ActiveAlert { fingerprint, labels, starts_at, suppressed, .. } = alert.into();
        let fingerprint = Some(fingerprint);
        Self {
            fingerprint,
            labels,
            annotations,
            since: starts_at,
            silenced_by,
            quiet: suppressed,
            value: None,
        }
    }
}

/// `gettableSilence` of the same description.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GettableSilence {
    id: String,
    status: SilenceStatus,
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

#[derive(Deserialize)]
struct SilenceStatus {
    state: SilenceState,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SilenceState {
    Expired,
    Active,
    Pending,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    is_regex: bool,
    /// Absent before version 0.22, which had no other.
    #[serde(default = "equal")]
    is_equal: bool,
}

const fn equal() -> bool {
    true
}

impl From<GettableSilence> for Silence {
    fn from(silence: GettableSilence) -> Self {
        let GettableSilence { id, status, matchers, starts_at, ends_at, created_by, comment } = silence;
        let one = |Matcher { name, value, is_regex, is_equal }| Matches {
            name,
            value,
            regex: is_regex,
            equal: is_equal,
        };
        let active = status.state == SilenceState::Active;
        let matches = matchers.into_iter().map(one).collect();
        Self { id, active, matches, starts_at, ends_at, by: created_by, comment }
    }
}

impl Alertmanager {
    async fn alerts(&self) -> Result<Vec<Gettable>, ReadError> {
        self.0.get("the alerts of Alertmanager", &["api", "v2", "alerts"], &EVERY, &[]).await
    }
}

#[async_trait]
impl Alerts for Alertmanager {
    async fn active(&self) -> Result<Vec<ActiveAlert>, ReadError> {
        Ok(self.alerts().await?.into_iter().map(ActiveAlert::from).collect())
    }
}

#[async_trait]
impl Router for Alertmanager {
    async fn firing(&self) -> Result<Vec<Firing>, ReadError> {
        Ok(self.alerts().await?.into_iter().map(Firing::from).collect())
    }

    async fn silences(&self) -> Result<Vec<Silence>, ReadError> {
        let what = "the silences of Alertmanager";
        let all: Vec<GettableSilence> = self.0.get(what, &["api", "v2", "silences"], &[], &[]).await?;
        let lasting = all.into_iter().filter(|silence| silence.status.state != SilenceState::Expired);
        Ok(lasting.map(Silence::from).collect())
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
