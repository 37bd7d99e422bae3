//! `set_hpa_bounds`: sets how far an autoscaler may go, to absolute values.

use serde::{Deserialize, Serialize};

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "set_hpa_bounds",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "two numbers with their old values recorded; the autoscaler still decides between them",
    raised_by: "medium where the upper bound goes down",
    does: "sets the smallest and largest number of replicas of an autoscaler",
    verb: Verb { plain: "set", doing: "setting", done: "set" },
    transient: false,
};

/// Bounds that an autoscaler can have: at least one replica, and no less at most than at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct HpaBounds {
    min: u32,
    max: u32,
}

/// The bounds as they are written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    min: u32,
    max: u32,
}

impl HpaBounds {
    /// These bounds, if an autoscaler can have them.
    pub fn new(min: u32, max: u32) -> Option<Self> {
        (1 <= min && min <= max).then_some(Self { min, max })
    }

    /// The smallest number of replicas.
    pub const fn min(self) -> u32 {
        self.min
    }

    /// The largest number of replicas.
    pub const fn max(self) -> u32 {
        self.max
    }
}

impl TryFrom<Unchecked> for HpaBounds {
    type Error = String;

    fn try_from(Unchecked { min, max }: Unchecked) -> Result<Self, String> {
        Self::new(min, max).ok_or_else(|| format!("no autoscaler has the bounds {min} to {max}"))
    }
}

impl From<HpaBounds> for Unchecked {
    fn from(HpaBounds { min, max }: HpaBounds) -> Self {
        Self { min, max }
    }
}

/// "the bounds of HorizontalPodAutoscaler `web` to 2 to 12".
pub fn what(autoscaler: &Object, bounds: HpaBounds) -> String {
    format!("the bounds of {} to {} to {}", named(autoscaler), bounds.min, bounds.max)
}

/// The class of concrete bounds, from the upper one before.
pub const fn class(max_before: u32, bounds: HpaBounds) -> Class {
    let risk = if bounds.max < max_before { Risk::Medium } else { Risk::Low };
    Class { risk, ..ENTRY.class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_what_an_autoscaler_can_have() {
        for (min, max, fine) in [(1, 1, true), (2, 12, true), (0, 3, false), (4, 3, false)] {
            assert_eq!(HpaBounds::new(min, max).is_some(), fine, "{min} {max}");
            let text = format!("{{\"min\":{min},\"max\":{max}}}");
            assert_eq!(serde_json::from_str::<HpaBounds>(&text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn going_down_is_riskier() {
        let bounds = HpaBounds::new(2, 12).unwrap();
        assert_eq!((class(10, bounds).risk, class(20, bounds).risk), (Risk::Low, Risk::Medium));
    }
}
