//! Alertmanager's webhook body, version 4 (`template.Data` in Alertmanager's notification reference).
//! Unknown fields are ignored; what is known must be right. A body with some unreadable alerts keeps
//! the readable ones.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::alert::{Alert, AlertStatus, Delivery, Labels, Unreadable};
use crate::domain::ids::Fingerprint;

/// How many alerts one body may hold. A body is at most 16 MiB and the smallest alert that Alertmanager
/// writes has about 250 bytes, so no honest body comes near.
const MAX_ALERTS: usize = 65_536;
/// How many labels or annotations an alert may have (Prometheus' own advice is below 30).
const MAX_LABELS: usize = 256;

/// Nothing of the body can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It is not JSON of the expected shape.
    #[error("the body cannot be read at `{path}`: {error}")]
    Shape {
        /// The JSON path that was wrong.
        path: String,
        /// What was wrong there.
        error: String,
    },
    /// It says another version.
    #[error(
        "the body says version `{0}`; expected Alertmanager's webhook version `4` (a custom payload template cannot be read)"
    )]
    Version(String),
    /// It holds more alerts than are taken.
    #[error("the body holds {0} alerts; at most {MAX_ALERTS} are taken at once")]
    TooMany(usize),
    /// None of its alerts could be read.
    #[error("none of the {count} alerts can be read; the first at `{path}`: {error}")]
    NoneReadable {
        /// How many there were.
        count: usize,
        /// The first one's JSON path.
        path: String,
        /// What was wrong there.
        error: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBody<'a, A> {
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow, default)]
    receiver: Text<'a>,
    #[serde(borrow, default)]
    group_key: Text<'a>,
    #[serde(borrow, default, rename = "externalURL")]
    external_url: Text<'a>,
    #[serde(default)]
    truncated_alerts: u64,
    alerts: Vec<A>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAlert<'a> {
    status: AlertStatus,
    #[serde(borrow)]
    labels: StrictMap<'a>,
    #[serde(borrow, default)]
    annotations: StrictMap<'a>,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    #[serde(borrow, default, rename = "generatorURL")]
    generator_url: Text<'a>,
    #[serde(borrow)]
    fingerprint: Text<'a>,
}

/// Text that is read where it lies, unless it holds escapes: before a delivery is acknowledged it is only
/// looked at, and nothing of it is kept.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A map of text to text, in the order of its keys, that refuses a key given twice: parsers that disagree
/// on which one counts have been used to smuggle.
#[derive(Default)]
struct StrictMap<'a>(Vec<(Text<'a>, Text<'a>)>);

impl StrictMap<'_> {
    fn into_labels(self) -> Labels {
        self.0.into_iter().map(|(key, value)| (key.0.into_owned(), value.0.into_owned())).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StrictMap<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = StrictMap<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of text to text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StrictMap<'de>, A::Error> {
        let mut labels: Vec<(Text<'de>, Text<'de>)> = Vec::with_capacity(16);
        while let Some((key, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
            if labels.len() == MAX_LABELS {
                return Err(de::Error::custom(format_args!("more than {MAX_LABELS} entries")));
            }
            // Alertmanager writes them in order: each is the last
            match labels.binary_search_by(|(known, _)| known.cmp(&key)) {
                Ok(_) => return Err(de::Error::custom(format_args!("`{}` is given twice", key.0))),
                Err(place) => labels.insert(place, (key, value)),
            }
        }
        Ok(StrictMap(labels))
    }
}

/// Reads a body.
pub fn parse(body: &str) -> Result<Delivery, BadBody> {
    let (raw, alerts, unreadable) = split(body)?;
    let RawBody { receiver, group_key, external_url, truncated_alerts: truncated, .. } = raw;
    Ok(Delivery {
        receiver: receiver.0.into_owned(),
        group_key: group_key.0.into_owned(),
        external_url: external_url.0.into_owned(),
        truncated,
        alerts: alerts.into_iter().map(owned).collect(),
        unreadable,
    })
}

/// How many alerts of a body can be read: what `parse` would give, or refuse.
pub fn readable(body: &str) -> Result<usize, BadBody> {
    // nearly always all of it is good, and once through is enough to see that
    if let Ok(RawBody { version: Text(version), alerts, .. }) =
        serde_json::from_str::<RawBody<'_, RawAlert<'_>>>(body)
        && version == "4"
        && alerts.len() <= MAX_ALERTS
        && alerts.iter().all(|alert| wrong(alert).is_none())
    {
        return Ok(alerts.len());
    }
    split(body).map(|(_, alerts, _)| alerts.len())
}

type Split<'a> = (RawBody<'a, &'a RawValue>, Vec<RawAlert<'a>>, Vec<Unreadable>);

/// A body's alerts, as far as they can be read.
fn split(body: &str) -> Result<Split<'_>, BadBody> {
    let mut raw: RawBody<'_, &RawValue> =
        read(body).map_err(|(path, error)| BadBody::Shape { path, error })?;
    if raw.version.0 != "4" {
        return Err(BadBody::Version(raw.version.0.chars().take(40).collect()));
    }
    if raw.alerts.len() > MAX_ALERTS {
        return Err(BadBody::TooMany(raw.alerts.len()));
    }
    let count = raw.alerts.len();
    let mut alerts = Vec::with_capacity(count);
    let mut unreadable = Vec::new();
    for (index, alert) in std::mem::take(&mut raw.alerts).into_iter().enumerate() {
        match read(alert.get()).and_then(checked) {
            Ok(alert) => alerts.push(alert),
            Err((path, error)) => {
                // the path of the alert itself is `.`
                let path = if path == "." { String::new() } else { format!(".{path}") };
                let path = format!("alerts[{index}]{path}");
                unreadable.push(Unreadable { index, path, error });
            }
        }
    }
    if let (true, Some(first)) = (alerts.is_empty(), unreadable.first()) {
        let Unreadable { path, error, .. } = first.clone();
        return Err(BadBody::NoneReadable { count, path, error });
    }
    Ok((raw, alerts, unreadable))
}

/// A body as text, which JSON always is.
pub fn text(body: Vec<u8>) -> Result<String, BadBody> {
    String::from_utf8(body).map_err(|e| BadBody::Shape { path: ".".to_owned(), error: e.to_string() })
}

/// Parses JSON; an error names its path.
fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, (String, String)> {
    // keeping track of the path costs as much again as reading does: it is kept once something is wrong
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|e| (e.path().to_string(), e.inner().to_string()))?;
    json.end().map_err(|e| (".".to_owned(), e.to_string()))?;
    Ok(value)
}

fn checked(raw: RawAlert<'_>) -> Result<RawAlert<'_>, (String, String)> {
    match wrong(&raw) {
        None => Ok(raw),
        Some((path, error)) => Err((path.to_owned(), error.to_owned())),
    }
}

/// What is wrong with an alert that has the right form, and where.
fn wrong(raw: &RawAlert<'_>) -> Option<(&'static str, &'static str)> {
    let hex = raw.fingerprint.0.len() == 16 && raw.fingerprint.0.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex {
        return Some(("fingerprint", "expected 16 hex digits"));
    }
    if raw.status == AlertStatus::Resolved && raw.ends_at.is_none() {
        return Some(("endsAt", "a resolved alert says when it ended"));
    }
    None
}

fn owned(raw: RawAlert<'_>) -> Alert {
    Alert {
        fingerprint: Fingerprint::new(raw.fingerprint.0.to_ascii_lowercase()),
        status: raw.status,
        labels: raw.labels.into_labels(),
        annotations: raw.annotations.into_labels(),
        starts_at: raw.starts_at,
        // a firing alert carries Go's zero time, or (from some senders) a moment in the future
        ends_at: raw.ends_at.filter(|_| raw.status == AlertStatus::Resolved),
        generator_url: raw.generator_url.0.into_owned(),
    }
}
