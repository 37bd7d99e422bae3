//! `set_hpa_bounds`: sets how far an autoscaler may go, to absolute values.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::edit::Drawn;
use super::live::LiveObject;
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, Object};

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

/// The two fields that are touched.
pub const MIN: &str = "/spec/minReplicas";
/// The other one.
pub const MAX: &str = "/spec/maxReplicas";

/// What Kubernetes takes where an autoscaler names no lower bound.
pub const DEFAULT_MIN: u32 = 1;

/// What new bounds change. Bounds that come down can take replicas that serve.
pub fn draw(live: &LiveObject, bounds: HpaBounds) -> Result<Drawn, Refusal> {
    live.is(&[Kind::HorizontalPodAutoscaler])?;
    let number =
        |path| live.content.pointer(path).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let before =
        number(MAX).ok_or_else(|| Refusal::Unreadable(format!("`{}` has no upper bound", live.object)))?;
    let mut changes = Vec::new();
    for (path, held, wanted) in
        [(MIN, number(MIN).unwrap_or(DEFAULT_MIN), bounds.min), (MAX, before, bounds.max)]
    {
        if held != wanted {
            changes.push(diff::change(path, live.content.pointer(path), Some(&Value::from(wanted))));
        }
    }
    let desired = live.pods.unwrap_or_default().desired;
    let risk = if bounds.max < before { Risk::Medium } else { Risk::Low };
    let pods = desired.clamp(bounds.min, bounds.max);
    let drawn = Drawn::quiet(live, risk, changes);
    Ok(Drawn { replica_delta: i64::from(pods) - i64::from(desired), ..drawn })
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
}
