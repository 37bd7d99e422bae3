//! A measured value over time: points at even steps, their figures, and their picture in one line of text.

use jiff::{SignedDuration, Timestamp};

use super::alert::Labels;

/// The blocks of a sparkline, from low to high (Unicode's "block elements", U+2581 to U+2588).
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A stretch of time, and the step at which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From here.
    pub from: Timestamp,
    /// To here, not before `from`.
    pub to: Timestamp,
    /// From point to point; at least a second.
    pub step: SignedDuration,
}

impl Window {
    /// From `from` to `to` in at most `most` steps: whole seconds, and none shorter than `least`.
    pub fn of(from: Timestamp, to: Timestamp, most: u32, least: SignedDuration) -> Self {
        let length = to.duration_since(from).as_secs().max(0);
        let most = i64::from(most.max(1));
        let even = length / most + i64::from(length % most > 0);
        Self { from, to, step: SignedDuration::from_secs(even.max(least.as_secs()).max(1)) }
    }

    /// How long it is.
    pub fn length(self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

/// A value at a moment. Never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// What it was.
    pub value: f64,
}

/// One series: its labels, and its points in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels, as the query left them.
    pub labels: Labels,
    /// Its points; none twice at one moment.
    pub points: Vec<Point>,
}

/// How the values of a stretch of time become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The newest.
    Last,
    /// Half of them are not above it.
    P50,
    /// 95 in a hundred are not above it.
    P95,
    /// 99 in a hundred are not above it.
    P99,
}

impl Aggregation {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last => "last",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// The one value, if there is any to begin with.
    pub fn of(self, points: &[Point]) -> Option<f64> {
        let last = points.last()?.value;
        let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
        Some(match self {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred points")]
            Self::Avg => values.iter().sum::<f64>() / values.len() as f64,
            Self::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Last => last,
            Self::P50 => rank(&mut values, 50),
            Self::P95 => rank(&mut values, 95),
            Self::P99 => rank(&mut values, 99),
        })
    }
}

/// The value below or at which so many in a hundred are: the nearest rank, always one of them.
fn rank(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The stretch in `bins` equal parts, each with the mean of its points; `None` where it has none.
pub fn binned(points: &[Point], from: Timestamp, to: Timestamp, bins: usize) -> Vec<Option<f64>> {
    let length = to.duration_since(from).as_secs_f64();
    let mut sums = vec![(0.0, 0.0); bins];
    for point in points.iter().filter(|point| point.value.is_finite()) {
        let share = if length > 0.0 { point.at.duration_since(from).as_secs_f64() / length } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a cast of a float saturates, and nobody draws 2^52 bins"
        )]
        let bin = ((share * bins as f64) as usize).min(bins.saturating_sub(1));
        if let Some((sum, count)) = sums.get_mut(bin) {
            *sum += point.value;
            *count += 1.0;
        }
    }
    sums.into_iter().map(|(sum, count)| (count > 0.0).then_some(sum / count)).collect()
}

/// A line of blocks, one for each value, the least at the bottom and the greatest at the top; a space where there is
/// none. What never moves is drawn at the bottom.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let there = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = (there().fold(f64::INFINITY, f64::min), there().fold(f64::NEG_INFINITY, f64::max));
    let block = |value: &Option<f64>| {
        let Some(value) = value.filter(|value| value.is_finite()) else { return ' ' };
        // halves first: the distance of two finite numbers may be none
        let height = if high > low { (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 7")]
        let at = (height * 7.0).round() as usize;
        BLOCKS.get(at).copied().unwrap_or('█')
    };
    values.iter().map(block).collect()
}

/// A number as people read it: four significant digits, and a suffix from a thousand up.
pub fn short(value: f64) -> String {
    const SUFFIXES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if !(1e-4..1e15).contains(&size) && size != 0.0 {
        return format!("{value:.3e}");
    }
    let (scaled, suffix) =
        SUFFIXES.iter().find(|(from, _)| size >= *from).map_or((value, ""), |(by, s)| (value / by, *s));
    let whole = [1.0, 10.0, 100.0].iter().filter(|from| scaled.abs() >= **from).count();
    let places = if scaled.abs() >= 1.0 { 4 - whole } else { 6 };
    let text = format!("{scaled:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn points(values: &[f64]) -> Vec<Point> {
        (0i64..).zip(values).map(|(n, value)| Point { at: at(n * 60), value: *value }).collect()
    }

    #[test]
    fn a_window_has_at_most_so_many_steps() {
        let step = |length, most, least| {
            Window::of(at(0), at(length), most, SignedDuration::from_secs(least)).step.as_secs()
        };
        assert_eq!([step(3600, 240, 15), step(3601, 240, 15), step(60, 240, 15)], [15, 16, 15]);
        assert_eq!([step(0, 0, 0), step(-5, 10, 0), step(86_400 * 30, 240, 15)], [1, 1, 10_800]);
    }

    #[test]
    fn the_values_of_a_stretch_become_one() {
        let values = points(&[4.0, 1.0, 3.0, 2.0]);
        for (how, expected) in [
            (Aggregation::Avg, 2.5),
            (Aggregation::Min, 1.0),
            (Aggregation::Max, 4.0),
            (Aggregation::Last, 2.0),
            (Aggregation::P50, 2.0),
            (Aggregation::P95, 4.0),
            (Aggregation::P99, 4.0),
        ] {
            assert_eq!(how.of(&values), Some(expected), "{}", how.name());
            assert_eq!(how.of(&[]), None);
        }
    }

    #[test]
    fn a_sparkline_shows_the_way_and_the_gaps() {
        let some = |values: &[f64]| values.iter().map(|v| Some(*v)).collect::<Vec<_>>();
        assert_eq!(sparkline(&some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[Some(1.0), None, Some(2.0), Some(f64::INFINITY)]), "▁ █ ");
        assert_eq!(sparkline(&some(&[5.0, 5.0])), "▁▁");
        assert_eq!(sparkline(&some(&[f64::MIN, f64::MAX])), "▁█");
        assert_eq!(sparkline(&[]), "");
        let parts = binned(&points(&[1.0, 3.0, 10.0]), at(0), at(240), 4);
        assert_eq!(parts, [Some(1.0), Some(3.0), Some(10.0), None]);
        assert_eq!(binned(&points(&[1.0, 3.0]), at(0), at(240), 2), [Some(2.0), None]);
        assert_eq!(binned(&points(&[1.0]), at(0), at(0), 1), [Some(1.0)]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (0.000_123, "0.000123"),
            (1.0, "1"),
            (12.345, "12.35"),
            (999.94, "999.9"),
            (1536.0, "1.536k"),
            (268_435_456.0, "268.4M"),
            (-2.5e9, "-2.5G"),
            (1e-9, "1.000e-9"),
            (1e18, "1.000e18"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    proptest! {
        #[test]
        fn a_sparkline_is_as_long_as_what_it_draws(values in prop::collection::vec(prop::option::of(any::<f64>()), 0..80)) {
            let line = sparkline(&values);
            prop_assert_eq!(line.chars().count(), values.len());
            for (value, drawn) in values.iter().zip(line.chars()) {
                prop_assert_eq!(drawn == ' ', !value.is_some_and(f64::is_finite));
            }
        }

        #[test]
        fn what_is_aggregated_lies_within(values in prop::collection::vec(-1e6..1e6_f64, 1..50)) {
            let all = points(&values);
            let (low, high) = (Aggregation::Min.of(&all).unwrap(), Aggregation::Max.of(&all).unwrap());
            for how in [Aggregation::Avg, Aggregation::Last, Aggregation::P50, Aggregation::P95, Aggregation::P99] {
                let value = how.of(&all).unwrap();
                prop_assert!(low - 1e-6 <= value && value <= high + 1e-6);
            }
        }
    }
}
