//! What is seen of everything at once: whether alerts come in a storm, and whether they come at all. The last
//! moments are kept in memory; the stream `brakes` holds the changes, from which they are found again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::cluster::{ActiveAlert, Part};
use crate::domain::decision::{ClusterFacts, Fact, Heartbeat};
use crate::domain::ids::StreamId;
use crate::domain::record::Record;
use crate::ports::store::{Append, AppendError, StoreError};
use crate::{policy, store};

use super::Daemon;
use super::effects::NotNow;
use super::sites::{Kept, Site};

/// How many names of firing alerts are told to policy: ten times as many as a whole rule set has.
const NAMES: usize = 500;
/// How many entries of the stream are read at once.
const PAGE: usize = 1_000;
const STORM: &str = "storm";
/// Before the name of the alert that always fires.
const BLIND: &str = "blind/";

/// Whether the alert that always fires was ever seen by the daemon with this state directory, from its
/// journal, which is only read.
pub fn armed(state_dir: &Path, alert: &str) -> Result<bool, store::VerifyError> {
    let (brake, mut seen) = (format!("{BLIND}{alert}"), false);
    let wanted = store::Wanted { since: Timestamp::MIN, kinds: &["braked"] };
    store::read(&state_dir.join(store::LOG_FILE), wanted, &mut |entry| {
        seen |= matches!(&entry.record, Record::Braked { brake: known, .. } if *known == brake);
    })?;
    Ok(seen)
}

/// What was seen last.
#[derive(Default)]
pub(super) struct Seen {
    storm: bool,
    last_storm: Option<Timestamp>,
    beats: BTreeMap<String, Beat>,
}

/// An alert that always fires.
#[derive(Clone, Copy)]
struct Beat {
    last: Timestamp,
    missing: bool,
}

/// One look at everything.
pub(super) struct Sensed {
    /// What policy decides on.
    pub facts: ClusterFacts,
    /// All alerts that fire, where there is a list of them.
    pub active: Option<Part<Vec<ActiveAlert>>>,
}

/// The memory; nothing before it was read.
pub(super) type Watch = Mutex<Option<Seen>>;

fn stream() -> StreamId {
    StreamId::new("brakes")
}

impl Seen {
    /// Takes a change in, as found at a start: `now` stands for what nobody saw happen since.
    fn take(&mut self, cluster: Option<&str>, at: Timestamp, record: &Record, now: Timestamp) {
        let Record::Braked { brake, on, .. } = record else { return };
        let (of, brake) = whose(brake);
        if of != cluster {
            return;
        }
        if brake == STORM {
            self.storm = *on;
            self.last_storm = Some(if *on { now } else { at });
        } else if let Some(alert) = brake.strip_prefix(BLIND) {
            let last = if *on { at } else { now };
            self.beats.insert(alert.to_owned(), Beat { last, missing: *on });
        }
    }
}

impl Daemon {
    async fn seen<'a>(&self, of: &'a Kept) -> Result<MutexGuard<'a, Option<Seen>>, StoreError> {
        let mut kept = of.watch.lock().await;
        if kept.is_none() {
            let (mut seen, mut from, now) = (Seen::default(), 1, self.now());
            loop {
                let entries = self.ports().store.range(&stream(), from, PAGE).await?;
                let Some(last) = entries.last() else { break };
                from = last.seq + 1;
                for entry in &entries {
                    seen.take(of.own(), entry.at, &entry.record, now);
                }
            }
            *kept = Some(seen);
        }
        Ok(kept)
    }

    /// Whether the alert that always fires was ever seen; until then nobody would notice if none arrived.
    pub async fn is_armed(&self) -> Result<bool, StoreError> {
        let set = self.policies();
        let (watchdog, _) = policy::watchdog(&set);
        for of in self.ports().sites.iter() {
            if !self.seen(of).await?.as_ref().is_some_and(|seen| seen.beats.contains_key(watchdog)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks at everything of a cluster at once and remembers it; once a minute, and before each decision.
    pub(super) async fn sense(&self, of: &Kept) -> Result<Sensed, NotNow> {
        let (active, unhealthy_permille) = tokio::join!(active(&of.site), self.unwell(of));
        let (firing_groups, firing) = match &active {
            None => (Fact::NotApplicable, Fact::NotApplicable),
            Some(Err(why)) => (Fact::Unknown(why.clone()), Fact::Unknown(why.clone())),
            Some(Ok(active)) => (Fact::Known(groups(active)), names(active)),
        };
        let mut facts = ClusterFacts {
            firing_groups,
            actions_in_flight: 0,
            holds: Vec::new(),
            strange_intents: false,
            unhealthy_permille,
            // nothing is connected that knows of major incidents
            major_incident: Fact::NotApplicable,
            firing,
            last_storm: None,
            heartbeat: Fact::NotApplicable,
        };
        self.remember(of, &mut facts).await.map_err(|e| NotNow(e.to_string()))?;
        Ok(Sensed { facts, active })
    }

    async fn remember(&self, of: &Kept, facts: &mut ClusterFacts) -> Result<(), AppendError> {
        let (set, now) = (self.policies(), self.now());
        let (watchdog, missing_for) = policy::watchdog(&set);
        let mut guard = self.seen(of).await?;
        let Some(seen) = guard.as_mut() else { return Ok(()) };
        let storm = policy::storm_now(&set, facts);
        if storm.is_some() {
            seen.last_storm = Some(now);
        }
        // what could not be read neither begins a storm nor ends one
        let read = [&facts.firing_groups, &facts.unhealthy_permille];
        let unread = read.iter().any(|fact| matches!(fact, Fact::Unknown(_)));
        if storm.is_some() != seen.storm && !(unread && storm.is_none()) {
            let why = storm.clone().unwrap_or_else(|| "it is over".to_owned());
            self.braked(of, STORM, storm.is_some(), why).await?;
            seen.storm = storm.is_some();
        }
        if facts.firing.known().is_some_and(|names| names.contains(watchdog)) {
            self.beat(of, seen, watchdog, now).await?;
        }
        if let Some(beat) = seen.beats.get_mut(watchdog)
            && now.duration_since(beat.last) >= missing_for
            && !beat.missing
        {
            let why = format!("`{watchdog}` was last seen at {}", beat.last);
            self.braked(of, &format!("{BLIND}{watchdog}"), true, why).await?;
            beat.missing = true;
        }
        facts.last_storm = seen.last_storm;
        if let Some(beat) = seen.beats.get(watchdog) {
            // missing since before the start counts as missing, whatever the clock says since
            let last = if beat.missing { beat.last.min(before(now, missing_for)) } else { beat.last };
            facts.heartbeat = Fact::Known(Heartbeat { alert: watchdog.to_owned(), last_seen: last });
        }
        Ok(())
    }

    /// An alert was delivered. The one that always fires shows that alerts arrive.
    pub(super) async fn heard(&self, alert: &Alert, at: Timestamp) -> Result<(), AppendError> {
        let set = self.policies();
        let (watchdog, _) = policy::watchdog(&set);
        if alert.name() != watchdog || alert.status != AlertStatus::Firing {
            return Ok(());
        }
        let Ok(of) = self.ports().sites.of_alert(alert) else { return Ok(()) };
        let mut guard = self.seen(of).await?;
        let Some(seen) = guard.as_mut() else { return Ok(()) };
        self.beat(of, seen, watchdog, at).await
    }

    async fn beat(&self, of: &Kept, seen: &mut Seen, alert: &str, at: Timestamp) -> Result<(), AppendError> {
        let known = seen.beats.get(alert).copied();
        if known.is_none_or(|beat| beat.missing) {
            let why = if known.is_none() { "seen for the first time" } else { "seen again" };
            self.braked(of, &format!("{BLIND}{alert}"), false, why.to_owned()).await?;
        }
        let last = known.filter(|beat| !beat.missing).map_or(at, |beat| beat.last.max(at));
        seen.beats.insert(alert.to_owned(), Beat { last, missing: false });
        Ok(())
    }

    async fn braked(&self, of: &Kept, brake: &str, on: bool, why: String) -> Result<(), AppendError> {
        let brake = match of.own() {
            None => brake.to_owned(),
            Some(cluster) => format!("{cluster}:{brake}"),
        };
        tracing::warn!(brake, on, why, "a brake changed");
        let mut append = Append::to(stream(), None, self.now());
        append.records.push(Record::Braked { brake, on, why });
        self.ports().store.append(append).await.map(drop)
    }
}

/// The cluster that a brake is of, where it is not the first, and what it is called there.
fn whose(brake: &str) -> (Option<&str>, &str) {
    if brake == STORM || brake.starts_with(BLIND) {
        return (None, brake);
    }
    brake.split_once(':').map_or((None, brake), |(cluster, brake)| (Some(cluster), brake))
}

impl Kept {
    /// By which name what is seen of it is written down.
    fn own(&self) -> Option<&str> {
        (!self.first).then(|| self.site.cluster.as_str())
    }
}

/// All alerts of a cluster that fire, by its Alertmanager's own list, where there is one.
pub(super) async fn active(site: &Site) -> Option<Part<Vec<ActiveAlert>>> {
    let alerts = site.alerts.as_ref()?;
    Some(alerts.active().await.map_err(|e| e.to_string()))
}

fn before(now: Timestamp, span: jiff::SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// Alert groups: distinct pairs of alert name and namespace.
fn groups(active: &[ActiveAlert]) -> u32 {
    let label = |a: &ActiveAlert, l: &str| a.labels.get(l).cloned();
    let groups: BTreeSet<_> = active.iter().map(|a| (label(a, "alertname"), label(a, "namespace"))).collect();
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}

fn names(active: &[ActiveAlert]) -> Fact<BTreeSet<String>> {
    let names: BTreeSet<String> = active.iter().filter_map(|a| a.labels.get("alertname").cloned()).collect();
    if names.len() > NAMES {
        return Fact::Unknown(format!("more than {NAMES} alerts of different names fire"));
    }
    Fact::Known(names)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn braked(brake: &str, on: bool) -> Record {
        Record::Braked { brake: brake.to_owned(), on, why: String::new() }
    }

    /// What nobody saw while belay was away counts as it was: a storm goes on, and what was missing is.
    #[test]
    fn a_start_takes_up_what_was_seen_last() {
        let mut seen = Seen::default();
        seen.take(None, at(1), &braked(STORM, true), at(100));
        assert_eq!((seen.storm, seen.last_storm), (true, Some(at(100))));
        seen.take(None, at(2), &braked(STORM, false), at(100));
        assert_eq!((seen.storm, seen.last_storm), (false, Some(at(2))));
        seen.take(None, at(3), &braked("blind/Watchdog", false), at(100));
        assert_eq!(seen.beats.get("Watchdog").map(|beat| (beat.last, beat.missing)), Some((at(100), false)));
        seen.take(None, at(4), &braked("blind/Watchdog", true), at(100));
        assert_eq!(seen.beats.get("Watchdog").map(|beat| (beat.last, beat.missing)), Some((at(4), true)));
        seen.take(None, at(5), &Record::Oversize { bytes: 1 }, at(100));
        assert_eq!(seen.beats.len(), 1);
        // what was seen of another cluster is nothing to this one, and the other way round
        seen.take(None, at(6), &braked("eu-2:storm", true), at(100));
        assert!(!seen.storm);
        let mut other = Seen::default();
        other.take(Some("eu-2"), at(6), &braked("eu-2:storm", true), at(100));
        other.take(Some("eu-2"), at(6), &braked("eu-2:blind/a:b", false), at(100));
        other.take(Some("eu-2"), at(6), &braked("storm", false), at(100));
        assert!(other.storm && other.beats.contains_key("a:b"));
    }
}
