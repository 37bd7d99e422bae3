//! Whether and how a measured value changed: a shift of its level, its trend, and when it meets a limit. Deterministic,
//! and robust against single outliers: medians throughout.
//!
//! - The *shift* is the best split in two levels: the one with the least sum of absolute distances from the medians of
//!   its halves (binary segmentation: Scott and Knott, Biometrics 30, 1974, with absolute instead of squared distances).
//!   It counts if the levels are three standard deviations of what is left apart, estimated as 1.4826 times the
//!   median absolute deviation (Rousseeuw and Croux, JASA 88, 1993), and if it explains the points better than a line.
//! - The *trend* is the median of the slopes between all pairs of points (Theil 1950; Sen, JASA 63, 1968), and its fit
//!   is Kendall's tau (Biometrika 30, 1938): 1 where every pair rises, -1 where every pair falls.
//! - The *time to a limit* follows that line on, as `predict_linear` of Prometheus follows one of least squares.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::series::Point;

/// Fewer points say nothing of a change.
pub const FEWEST: usize = 8;
/// More are thinned out first: pairs grow with the square, and 300 are 45,000 of them, about a millisecond.
const MOST: usize = 300;
/// The shortest part of a split: fewer points are an outlier.
const PART: usize = 4;
/// How many standard deviations apart two levels are at least.
const APART: f64 = 3.0;
/// Scales the median absolute deviation of normally distributed values to their standard deviation.
const NORMAL: f64 = 1.4826;
/// The smallest change that is one, as a share of the level: below it nobody would see it on a dashboard.
const NOTABLE: f64 = 0.05;
/// The least Kendall's tau of a trend: two pairs in three agree (0.65 to 0.35).
const FIT: f64 = 0.3;
/// The farthest that a line is followed: what telemetry is kept for in most places.
const FARTHEST: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A new level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The first point of the new level.
    pub at: Timestamp,
    /// The median before.
    pub before: f64,
    /// The median after.
    pub after: f64,
    /// How many standard deviations they are apart; infinite where nothing wavers.
    pub apart: f64,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Rising,
    /// Down.
    Falling,
    /// Neither.
    Flat,
}

impl Direction {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Flat => "flat",
        }
    }
}

/// A straight line through the points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Which way it goes, where it goes anywhere.
    pub direction: Direction,
    /// How much it changes in an hour.
    pub per_hour: f64,
    /// Kendall's tau, -1 to 1.
    pub fit: f64,
    /// From which point on it was drawn.
    pub since: Timestamp,
    /// Where the line is at the newest point.
    pub now: f64,
    /// The newest point.
    pub at: Timestamp,
}

/// When a limit is met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meets {
    /// It is met already.
    Already,
    /// At that moment, if it goes on like this.
    At(Timestamp),
    /// Not within thirty days.
    Far,
    /// Never: it does not move, or moves away.
    Never,
}

/// The new level, where there is one.
pub fn shift(points: &[Point]) -> Option<Shift> {
    let points = thinned(points);
    if points.len() < FEWEST {
        return None;
    }
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let cost = |part: &[f64]| {
        let middle = median(part.to_vec());
        part.iter().map(|value| (value - middle).abs()).sum::<f64>()
    };
    let mut best: Option<(f64, usize)> = None;
    for split in PART..=values.len() - PART {
        let (before, after) = values.split_at(split);
        let all = cost(before) + cost(after);
        if best.is_none_or(|(least, _)| all < least) {
            best = Some((all, split));
        }
    }
    let (cost, split) = best?;
    let (first, second) = values.split_at(split);
    let (before, after) = (median(first.to_vec()), median(second.to_vec()));
    let left = first.iter().map(|v| (v - before).abs()).chain(second.iter().map(|v| (v - after).abs()));
    let deviation = NORMAL * median(left.collect());
    let step = (after - before).abs();
    let apart = if deviation > 0.0 { step / deviation } else { f64::INFINITY };
    let found = Shift { at: points.get(split)?.at, before, after, apart };
    (step > 0.0 && apart >= APART && step >= NOTABLE * before.abs() && cost < line_cost(&points)?)
        .then_some(found)
}

/// What is left where the points are explained by a line.
fn line_cost(points: &[Point]) -> Option<f64> {
    let (slope, _) = slope(points)?;
    let start = points.first()?.at;
    let rest: Vec<f64> = points.iter().map(|p| p.value - slope * seconds(start, p.at)).collect();
    let middle = median(rest.clone());
    Some(rest.iter().map(|value| (value - middle).abs()).sum())
}

/// The line through the points, of what came since the level shifted where it did. None of fewer than [`FEWEST`].
pub fn trend(points: &[Point], shift: Option<&Shift>) -> Option<Trend> {
    let since = |at: Timestamp| points.iter().copied().filter(|point| point.at >= at).collect::<Vec<_>>();
    let after = shift.map(|shift| since(shift.at)).filter(|after| after.len() >= FEWEST);
    let points = thinned(after.as_deref().unwrap_or(points));
    if points.len() < FEWEST {
        return None;
    }
    let (slope, fit) = slope(&points)?;
    let (first, last) = (points.first()?.at, points.last()?.at);
    let base = median(points.iter().map(|p| p.value - slope * seconds(first, p.at)).collect());
    let level = median(points.iter().map(|p| p.value.abs()).collect());
    let change = slope * seconds(first, last);
    let moves = change != 0.0 && fit.abs() >= FIT && change.abs() >= NOTABLE * level;
    let direction = match change.total_cmp(&0.0) {
        Ordering::Greater if moves => Direction::Rising,
        Ordering::Less if moves => Direction::Falling,
        Ordering::Greater | Ordering::Less | Ordering::Equal => Direction::Flat,
    };
    Some(Trend { direction, per_hour: slope * 3600.0, fit, since: first, now: base + change, at: last })
}

/// When the line meets the limit. `above`: whether it is met by being reached from below.
pub fn meets(trend: &Trend, limit: f64, above: bool) -> Meets {
    let left = if above { limit - trend.now } else { trend.now - limit };
    if left <= 0.0 {
        return Meets::Already;
    }
    let toward = match trend.direction {
        Direction::Rising => above,
        Direction::Falling => !above,
        Direction::Flat => false,
    };
    if !toward {
        return Meets::Never;
    }
    let wait = left / (trend.per_hour.abs() / 3600.0);
    if wait > FARTHEST.as_secs_f64() {
        return Meets::Far;
    }
    let wait = SignedDuration::try_from_secs_f64(wait.round()).ok();
    wait.and_then(|wait| trend.at.checked_add(wait).ok()).map_or(Meets::Far, Meets::At)
}

/// The median slope a second, and Kendall's tau.
fn slope(points: &[Point]) -> Option<(f64, f64)> {
    let (mut slopes, mut up, mut down) = (Vec::new(), 0.0, 0.0);
    for (n, a) in points.iter().enumerate() {
        for b in points.iter().skip(n + 1) {
            let time = seconds(a.at, b.at);
            if time <= 0.0 {
                continue;
            }
            slopes.push((b.value - a.value) / time);
            match b.value.total_cmp(&a.value) {
                Ordering::Greater => up += 1.0,
                Ordering::Less => down += 1.0,
                Ordering::Equal => {}
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 45,000 pairs")]
    let all = slopes.len() as f64;
    Some((median(slopes), (up - down) / all))
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// The finite points; of too many, every second, third and so on.
fn thinned(points: &[Point]) -> Vec<Point> {
    let finite: Vec<Point> = points.iter().copied().filter(|point| point.value.is_finite()).collect();
    let every = finite.len().div_ceil(MOST).max(1);
    finite.into_iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev().collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |n: usize| values.get(n).copied().unwrap_or(0.0);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(at(half.saturating_sub(1)), at(half))
    } else {
        at(half)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// A point a minute.
    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let at = |n| start() + SignedDuration::from_mins(n);
        (0..).zip(values).map(|(n, value)| Point { at: at(n), value }).collect()
    }

    /// Noise that is the same each time: between -1 and 1.
    fn noise(n: u32) -> f64 {
        f64::from((n.wrapping_mul(2_654_435_761) >> 16) & 0xffff) / 32_768.0 - 1.0
    }

    #[test]
    fn a_new_level_is_found_where_it_begins() {
        let values = (0..120).map(|n| if n < 70 { 10.0 } else { 20.0 } + noise(n));
        let found = shift(&points(values)).unwrap();
        assert_eq!(found.at, start() + SignedDuration::from_mins(70));
        assert!((found.before - 10.0).abs() < 0.5 && (found.after - 20.0).abs() < 0.5, "{found:?}");
        assert!(found.apart > 5.0);
        // what never wavered before is as far apart as can be
        let flat = shift(&points((0..20).map(|n| if n < 10 { 1.0 } else { 2.0 }))).unwrap();
        assert_eq!((flat.before, flat.after, flat.apart), (1.0, 2.0, f64::INFINITY));
        // from nothing
        let errors =
            shift(&points((0..40).map(|n| if n < 20 { 0.0 } else { 0.3 + 0.05 * noise(n) }))).unwrap();
        assert!(errors.before.abs() < f64::EPSILON);
    }

    #[test]
    fn noise_an_outlier_and_a_slope_are_no_new_level() {
        assert_eq!(shift(&points((0..120).map(|n| 10.0 + noise(n)))), None);
        assert_eq!(shift(&points((0..60).map(|n| if n == 30 { 1e9 } else { 10.0 + noise(n) }))), None);
        assert_eq!(shift(&points((0..120).map(|n| f64::from(n) + noise(n)))), None);
        assert_eq!(shift(&points((0..120).map(|_| 10.0))), None);
        assert_eq!(shift(&points((0..40).map(|n| if n < 20 { 100.0 } else { 101.0 }))), None, "too little");
        assert_eq!(shift(&points((0..7).map(|n| if n < 4 { 1.0 } else { 9.0 }))), None, "too few");
    }

    #[test]
    fn a_trend_is_the_line_that_most_pairs_agree_on() {
        // two a minute, with a lie in it
        let values = (0..60).map(|n| if n == 40 { -1e6 } else { 100.0 + 2.0 * f64::from(n) + noise(n) });
        let line = trend(&points(values), None).unwrap();
        assert_eq!(line.direction, Direction::Rising);
        assert!((line.per_hour - 120.0).abs() < 4.0, "{line:?}");
        assert!((line.now - 218.0).abs() < 3.0 && line.fit > 0.9, "{line:?}");
        let still = trend(&points((0..60).map(|n| 100.0 + noise(n))), None).unwrap();
        assert_eq!(still.direction, Direction::Flat);
        let down = trend(&points((0..60).map(|n| 100.0 - f64::from(n))), None).unwrap();
        assert_eq!((down.direction, down.fit), (Direction::Falling, -1.0));
        assert_eq!(trend(&points([1.0, 2.0]), None), None);
    }

    #[test]
    fn after_a_shift_the_trend_is_the_new_level_s() {
        let all = points((0..60).map(|n| if n < 30 { 10.0 } else { 50.0 } + 0.1 * noise(n)));
        let found = shift(&all).unwrap();
        let line = trend(&all, Some(&found)).unwrap();
        assert_eq!((line.direction, line.since), (Direction::Flat, found.at));
    }

    #[test]
    fn a_limit_is_met_when_the_line_gets_there() {
        let all = points((0..=60).map(f64::from));
        let line = trend(&all, None).unwrap();
        let end = start() + SignedDuration::from_mins(60);
        assert_eq!(meets(&line, 90.0, true), Meets::At(end + SignedDuration::from_mins(30)));
        assert_eq!(meets(&line, 60.0, true), Meets::Already);
        assert_eq!(meets(&line, 1e9, true), Meets::Far);
        assert_eq!(meets(&line, 10.0, false), Meets::Never);
        let down = trend(&points((0..=60).map(|n| 100.0 - f64::from(n))), None).unwrap();
        assert_eq!(meets(&down, 10.0, false), Meets::At(end + SignedDuration::from_mins(30)));
        assert_eq!(meets(&down, 200.0, true), Meets::Never);
    }

    proptest! {
        #[test]
        fn the_same_points_give_the_same_answer_and_never_a_panic(
            values in prop::collection::vec(prop_oneof![any::<f64>(), -1e3..1e3_f64], 0..60)
        ) {
            let all = points(values.into_iter().filter(|v| !v.is_nan()));
            let found = shift(&all);
            prop_assert_eq!(found, shift(&all));
            if let Some(line) = trend(&all, found.as_ref()) {
                let _ = meets(&line, 1.0, true);
            }
        }

        #[test]
        fn a_clear_step_is_found_anywhere(at in 6_u32..54, by in 20.0..1e4_f64, down in any::<bool>()) {
            let by = if down { -by } else { by };
            let all = points((0..60).map(|n| 5.0 + noise(n) + if n < at { 0.0 } else { by }));
            let found = shift(&all).unwrap();
            prop_assert_eq!(found.at, start() + SignedDuration::from_mins(i64::from(at)));
        }

        #[test]
        fn shifting_the_scale_scales_the_line(slope in 0.1..100.0_f64, base in -100.0..100.0_f64) {
            let line = trend(&points((0..40).map(|n| base + slope * f64::from(n))), None).unwrap();
            prop_assert!((line.per_hour / (slope * 60.0) - 1.0).abs() < 1e-6);
            prop_assert!((line.fit - 1.0).abs() < 1e-9);
        }
    }
}
