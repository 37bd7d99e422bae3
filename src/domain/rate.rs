//! How often somebody may call: a token bucket, kept as one moment a caller (GCRA). Time is an argument, and a clock
//! that jumps costs nobody more than one full bucket.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// So many calls a minute, of which so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls a minute in the long run; at least one.
    pub per_minute: u32,
    /// Calls at once after a rest; at least one.
    pub burst: u32,
}

/// A call came too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls: try again in {} s", seconds(*.0))]
pub struct TooOften(pub SignedDuration);

/// Full seconds, rounded up: who waits so long is let through.
fn seconds(wait: SignedDuration) -> i64 {
    wait.as_secs().saturating_add(i64::from(wait.subsec_nanos() > 0))
}

impl Rate {
    /// The time in which one call comes back.
    fn interval(self) -> SignedDuration {
        SignedDuration::from_millis(60_000 / i64::from(self.per_minute.max(1)))
    }

    /// The time in which an empty bucket fills.
    fn whole(self) -> SignedDuration {
        self.interval().saturating_mul(i32::try_from(self.burst.max(1)).unwrap_or(i32::MAX))
    }
}

/// The buckets of several callers, at most `most` of them at a time.
#[derive(Debug, Clone)]
pub struct Rates<K> {
    rate: Rate,
    most: usize,
    /// When each bucket will be full again. Those that are full are not kept.
    full_at: BTreeMap<K, Timestamp>,
}

impl<K: Ord> Rates<K> {
    /// Buckets that are all full; more than `most` callers at a time are not served.
    pub const fn new(rate: Rate, most: usize) -> Self {
        Self { rate, most, full_at: BTreeMap::new() }
    }

    /// One call of `caller` at `now`, or how long to wait for it.
    pub fn take(&mut self, caller: K, now: Timestamp) -> Result<(), TooOften> {
        let (interval, whole) = (self.rate.interval(), self.rate.whole());
        if self.full_at.len() >= self.most && !self.full_at.contains_key(&caller) {
            self.full_at.retain(|_, at| *at > now);
            if self.full_at.len() >= self.most {
                return Err(TooOften(interval));
            }
        }
        // a clock that jumped back must not shut anybody out for as long as it jumped
        let latest = now.saturating_add(whole).unwrap_or(Timestamp::MAX);
        let full = self.full_at.get(&caller).map_or(now, |at| (*at).clamp(now, latest));
        let after = full.saturating_add(interval).unwrap_or(Timestamp::MAX);
        let over = after.duration_since(latest);
        if over.is_positive() {
            self.full_at.insert(caller, full);
            return Err(TooOften(over));
        }
        self.full_at.insert(caller, after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_burst_goes_through_and_then_one_at_a_time() {
        let mut rates = Rates::new(Rate { per_minute: 6, burst: 3 }, 8);
        let taken: Vec<bool> = (0..5).map(|_| rates.take("a", at(0)).is_ok()).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        let TooOften(wait) = rates.take("a", at(0)).unwrap_err();
        assert_eq!(wait, SignedDuration::from_secs(10));
        assert_eq!(TooOften(wait).to_string(), "too many calls: try again in 10 s");
        assert!(rates.take("a", at(9)).is_err());
        assert!(rates.take("a", at(10)).is_ok());
        assert!(rates.take("a", at(10)).is_err());
        // others have their own
        assert!(rates.take("b", at(10)).is_ok());
    }

    #[test]
    fn a_clock_that_jumps_back_shuts_nobody_out() {
        let mut rates = Rates::new(Rate { per_minute: 60, burst: 2 }, 8);
        assert!(rates.take("a", at(0)).is_ok());
        let TooOften(wait) = {
            let mut last = Ok(());
            for _ in 0..4 {
                last = rates.take("a", at(-86_400));
            }
            last.unwrap_err()
        };
        assert!(wait <= SignedDuration::from_secs(2), "{wait:?}");
    }

    #[test]
    fn callers_are_bounded_and_rested_ones_make_room() {
        let mut rates = Rates::new(Rate { per_minute: 60, burst: 1 }, 2);
        assert!(rates.take(1, at(0)).is_ok() && rates.take(2, at(0)).is_ok());
        assert!(rates.take(3, at(0)).is_err());
        assert!(rates.take(3, at(1)).is_ok());
        assert!(rates.full_at.len() <= 2);
    }

    proptest! {
        #[test]
        fn no_window_lets_more_through(
            per_minute in 1u32..200, burst in 1u32..20, steps in prop::collection::vec(0i64..30, 1..200)
        ) {
            let rate = Rate { per_minute, burst };
            let mut rates = Rates::new(rate, 1);
            let (mut now, mut passed) = (0, 0i64);
            for step in &steps {
                now += step;
                passed += i64::from(rates.take((), at(now)).is_ok());
            }
            // millisecond intervals are rounded down, by at most one part in three hundred here
            let most = i64::from(burst) + now * 1000 / (60_000 / i64::from(per_minute)) + 1;
            prop_assert!(passed <= most, "{passed} > {most}");
        }

        #[test]
        fn who_waits_as_told_is_let_through(per_minute in 1u32..200, burst in 1u32..20, calls in 1usize..60) {
            let mut rates = Rates::new(Rate { per_minute, burst }, 1);
            let mut now = at(0);
            for _ in 0..calls {
                if let Err(TooOften(wait)) = rates.take((), now) {
                    now += wait;
                    prop_assert!(rates.take((), now).is_ok());
                }
            }
        }
    }
}
