//! How much of what belay may act in is unwell: read now and then, and shared by all decisions between.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::domain::decision::Fact;

use super::Daemon;
use super::sites::Kept;

/// How long one count holds. Every decision would otherwise list all pods of all enabled namespaces, three
/// times an act; the storm that this is read for builds up over minutes.
const FRESH: SignedDuration = SignedDuration::from_secs(15);

/// The last count, and when it was made.
pub(super) type Counted = Mutex<Option<(Timestamp, Fact<u32>)>>;

impl Daemon {
    /// The share of pods that are not well, in thousandths, in the namespaces that belay may act in. Where
    /// it may act in none, there is nothing to count.
    pub(super) async fn unwell(&self, of: &Kept) -> Fact<u32> {
        let Kept { site, fleet, .. } = of;
        if site.namespaces.is_empty() {
            return Fact::NotApplicable;
        }
        // held while reading: whoever else decides now waits for the same count
        let mut kept = fleet.lock().await;
        let now = self.now();
        if let Some((at, share)) = kept.as_ref()
            && now.duration_since(*at).abs() < FRESH
        {
            return share.clone();
        }
        let share = match site.reads.fleet(&site.namespaces).await {
            Ok(fleet) => Fact::Known(fleet.unwell_permille()),
            Err(e) => Fact::Unknown(e.to_string()),
        };
        *kept = Some((now, share.clone()));
        share
    }
}
