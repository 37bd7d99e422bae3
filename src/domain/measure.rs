//! Measures of a service: a name and the PromQL behind it, one table for grants, which verify by how a value moved, and
//! for whoever looks.

mod shipped;

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use shipped::Shipped;
pub use shipped::{Limit, Unit};

use super::target::{Kind, Named, is_dns_label};

/// What may stand in a template for the names of the owner.
const PLACES: [&str; 4] = ["$namespace", "$workload", "$pods", "$window"];
/// Letters and digits that Kubernetes makes names of: no vowels, and nothing that looks like another.
const MADE: &str = "[bcdfghjklmnpqrstvwxz2456789]";
/// How far a value has to have moved where a rule does not say: a tenth is beyond what the rate of a steady load
/// wavers within five minutes of scrapes.
const TENTH: u32 = 10;
/// The longest template: a page.
const TEMPLATE: usize = 4096;
/// As many measures as anybody tells apart.
const MOST: usize = 200;
/// Decimal places of a threshold.
const PLACES_AFTER: usize = 6;

/// The stretch over which a grant's measure counts rates: five scrapes of the usual minute.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// A measure cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMeasure {
    /// Its name.
    #[error(
        "`{0}` is not the name of a measure: a lower-case letter, then letters, digits and `_`, 63 at most"
    )]
    Name(String),
    /// It would measure something else than the owner.
    #[error(
        "the query of `{0}` names no `$workload` and no `$pods`: it would measure everything in the namespace"
    )]
    Everything(String),
    /// It names something that there is not.
    #[error(
        "the query of `{name}` has `{place}`: there are `$namespace`, `$workload`, `$pods` and `$window`"
    )]
    Place {
        /// The measure.
        name: String,
        /// What it has.
        place: String,
    },
    /// Its length.
    #[error("the query of `{0}` is empty or longer than {TEMPLATE} bytes")]
    Length(String),
    /// Their number.
    #[error("there are more than {MOST} measures")]
    Many,
}

/// PromQL by the names of measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measures(BTreeMap<String, Measure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Measure {
    template: String,
    unit: Option<Unit>,
    limit: Option<Limit>,
}

impl Measures {
    /// Those that are shipped, and these, which win.
    pub fn shipped_and(own: BTreeMap<String, String>) -> Result<Self, NotAMeasure> {
        for (name, template) in &own {
            checked(name, template)?;
        }
        if own.len() > MOST {
            return Err(NotAMeasure::Many);
        }
        let shipped = shipped::all().into_iter();
        let mut all: BTreeMap<String, Measure> = shipped
            .map(|Shipped { name, unit, limit, template }| {
                (name.to_owned(), Measure { template, unit: Some(unit), limit })
            })
            .collect();
        let bare = |template| Measure { template, unit: None, limit: None };
        all.extend(own.into_iter().map(|(name, template)| (name, bare(template))));
        Ok(Self(all))
    }

    /// What a number of it counts, where that is known.
    pub fn unit(&self, name: &str) -> Option<Unit> {
        self.0.get(name)?.unit
    }

    /// How much of it there may be, where that is known.
    pub fn limit(&self, name: &str) -> Option<Limit> {
        self.0.get(name)?.limit
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The query for this owner, or why there is none.
    pub fn query(&self, name: &str, owner: &Named) -> Result<String, String> {
        let Named { cluster: _, kind, namespace, name: workload } = owner;
        let pods = match kind {
            Kind::Deployment => format!("{workload}-{MADE}{{1,10}}-{MADE}{{5}}"),
            Kind::StatefulSet => format!("{workload}-[0-9]+"),
            Kind::DaemonSet | Kind::ReplicaSet | Kind::Job => format!("{workload}-{MADE}{{5}}"),
            Kind::Pod => workload.clone(),
            Kind::CronJob
            | Kind::Node
            | Kind::Namespace
            | Kind::Service
            | Kind::PersistentVolumeClaim
            | Kind::HorizontalPodAutoscaler
            | Kind::PodDisruptionBudget
            | Kind::ConfigMap
            | Kind::Other => return Err(format!("`{owner}` has no pods of its own to measure")),
        };
        self.filled(name, [namespace, workload], &pods, WINDOW)
    }

    /// The query for the workload of this name, of whichever kind it is, with rates over `window`; or why there is
    /// none.
    pub fn of_service(
        &self,
        name: &str,
        namespace: &str,
        service: &str,
        window: SignedDuration,
    ) -> Result<String, String> {
        // a hash of fewer than six letters is one in forty thousand, and could be a word of another workload's name
        let pods = format!("{service}-({MADE}{{6,10}}-)?{MADE}{{5}}|{service}-[0-9]+|{service}");
        self.filled(name, [namespace, service], &pods, window.max(WINDOW))
    }

    fn filled(
        &self,
        name: &str,
        [namespace, workload]: [&str; 2],
        pods: &str,
        window: SignedDuration,
    ) -> Result<String, String> {
        let measure = self.0.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            format!("there is no measure `{name}` in `prometheus.measures`: there is {}", known.join(", "))
        })?;
        // in a regular expression a dot is any character; anything else would be one of these names
        if !is_dns_label(namespace) || !is_dns_label(workload) {
            return Err(format!("`{workload}` has a dot in its name, which a measure cannot tell apart"));
        }
        let names = measure.template.replace("$namespace", namespace).replace("$workload", workload);
        Ok(names.replace("$pods", pods).replace("$window", &format!("{}s", window.as_secs())))
    }
}

fn checked(name: &str, template: &str) -> Result<(), NotAMeasure> {
    if !is_name(name) {
        return Err(NotAMeasure::Name(name.chars().take(80).collect()));
    }
    if template.trim().is_empty() || template.len() > TEMPLATE {
        return Err(NotAMeasure::Length(name.to_owned()));
    }
    for (at, _) in template.match_indices('$') {
        let rest = template.get(at..).unwrap_or_default();
        let end = rest.char_indices().skip(1).find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '_');
        let place = end.map_or(rest, |(end, _)| rest.get(..end).unwrap_or(rest));
        // the end of a regular expression is one, too
        if place != "$" && !PLACES.contains(&place) {
            return Err(NotAMeasure::Place { name: name.to_owned(), place: place.to_owned() });
        }
    }
    if !template.contains("$workload") && !template.contains("$pods") {
        return Err(NotAMeasure::Everything(name.to_owned()));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain)
}

/// A number with at most six decimal places, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(i64);

impl Threshold {
    /// Reads one: `-1.5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
        if !plain(whole) || !plain(part) || part.len() > PLACES_AFTER {
            return None;
        }
        let part: i64 = format!("{part:0<PLACES_AFTER$}").parse().ok()?;
        let whole: i64 = whole.parse().ok()?;
        Some(Self(whole.checked_mul(1_000_000)?.checked_add(part)? * sign))
    }

    /// As near as a measurement is.
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^53 millionths nobody sets a threshold to the millionth"
    )]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// What a value has to have become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// So many percent below what it was when the act was done.
    Falls(u32),
    /// So many percent above.
    Rises(u32),
    /// Below this number.
    Below(Threshold),
    /// Above it.
    Above(Threshold),
}

/// A measure, and what has to become of it: `p99_latency falls`, `error_rate below 0.01`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeasureRule {
    /// Which measure.
    pub measure: String,
    /// What of it.
    pub becomes: Becomes,
}

impl MeasureRule {
    /// Whether this value is what it has to be. `before` is what it was when the act was done; a rule that
    /// compares with it needs it.
    pub fn holds(&self, before: Option<f64>, now: f64) -> Option<bool> {
        // exactly so many percent is enough, however it is rounded in binary
        let percent =
            |percent: u32| before.map(|before| before.abs() * f64::from(percent) / 100.0 * (1.0 - 1e-9));
        match self.becomes {
            // from nothing, nothing falls
            Becomes::Falls(by) => Some(now < before? && before? - now >= percent(by)?),
            Becomes::Rises(by) => Some(now > before? && now - before? >= percent(by)?),
            Becomes::Below(threshold) => Some(now < threshold.value()),
            Becomes::Above(threshold) => Some(now > threshold.value()),
        }
    }

    /// Whether what it was before is needed.
    pub const fn compares(&self) -> bool {
        matches!(self.becomes, Becomes::Falls(_) | Becomes::Rises(_))
    }
}

impl fmt::Display for MeasureRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measure, becomes } = self;
        match becomes {
            Becomes::Falls(TENTH) => write!(f, "{measure} falls"),
            Becomes::Rises(TENTH) => write!(f, "{measure} rises"),
            Becomes::Falls(by) => write!(f, "{measure} falls {by}%"),
            Becomes::Rises(by) => write!(f, "{measure} rises {by}%"),
            Becomes::Below(threshold) => write!(f, "{measure} below {threshold}"),
            Becomes::Above(threshold) => write!(f, "{measure} above {threshold}"),
        }
    }
}

impl From<MeasureRule> for String {
    fn from(rule: MeasureRule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for MeasureRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let usage = || {
            format!(
                "`{text}` does not say what a measure has to become: `p99_latency falls`, `rises 30%`, `below 0.5` or `above 3`"
            )
        };
        let words: Vec<&str> = text.split(' ').collect();
        let percent = |word: &str| {
            word.strip_suffix('%').and_then(|n| n.parse().ok()).filter(|n| (1..=100).contains(n))
        };
        let (measure, becomes) = match words.as_slice() {
            [measure, "falls"] => (*measure, Becomes::Falls(TENTH)),
            [measure, "rises"] => (*measure, Becomes::Rises(TENTH)),
            [measure, "falls", by] => (*measure, Becomes::Falls(percent(by).ok_or_else(usage)?)),
            [measure, "rises", by] => (*measure, Becomes::Rises(percent(by).ok_or_else(usage)?)),
            [measure, "below", number] => {
                (*measure, Becomes::Below(Threshold::parse(number).ok_or_else(usage)?))
            }
            [measure, "above", number] => {
                (*measure, Becomes::Above(Threshold::parse(number).ok_or_else(usage)?))
            }
            _ => return Err(usage()),
        };
        if !is_name(measure) {
            return Err(NotAMeasure::Name(measure.chars().take(80).collect()).to_string());
        }
        Ok(Self { measure: measure.to_owned(), becomes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Cluster;

    fn rule(text: &str) -> Result<MeasureRule, String> {
        MeasureRule::try_from(text.to_owned())
    }

    #[test]
    fn a_rule_is_read_and_written_as_it_was() {
        for text in ["p99 falls", "p99 rises 30%", "errors below 0.010001", "rate above -3", "a below 12"] {
            assert_eq!(rule(text).unwrap().to_string(), text);
        }
        assert_eq!(rule("p99 falls 10%").unwrap().to_string(), "p99 falls");
        for text in [
            "",
            "p99",
            "p99 falls by 3",
            "p99 falls 0%",
            "p99 falls 101%",
            "p99 below",
            "p99 below 1e3",
            "p99 below NaN",
            "p99 below 0.0000001",
            "P99 falls",
            "p99  falls",
            "9 falls",
            "p99 below .5",
            "p99 below 9223372036854775807",
        ] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_holds() {
        let holds = |text, before, now| rule(text).unwrap().holds(before, now);
        assert_eq!(holds("m falls", Some(2.0), 1.8), Some(true));
        assert_eq!(holds("m falls", Some(2.0), 1.9), Some(false));
        assert_eq!(holds("m falls", Some(0.0), 0.0), Some(false));
        assert_eq!(holds("m falls", Some(-2.0), -1.0), Some(false));
        assert_eq!(holds("m falls", None, 1.0), None);
        assert_eq!(holds("m rises 50%", Some(2.0), 3.0), Some(true));
        assert_eq!(holds("m rises 50%", Some(2.0), 2.9), Some(false));
        assert_eq!(holds("m below 0.5", None, 0.4), Some(true));
        assert_eq!(holds("m above 0.5", None, 0.5), Some(false));
    }

    #[test]
    fn a_query_is_about_the_owner_alone() {
        let measures = Measures::shipped_and(BTreeMap::from([(
            "p99".to_owned(),
            "x{ns=\"$namespace\",app=\"$workload\",pod=~\"$pods$\"}".to_owned(),
        )]))
        .unwrap();
        let owner = |kind, name: &str| Named {
            cluster: Cluster::new("lab"),
            kind,
            namespace: "shop".into(),
            name: name.into(),
        };
        let query = measures.query("p99", &owner(Kind::StatefulSet, "db")).unwrap();
        assert_eq!(query, "x{ns=\"shop\",app=\"db\",pod=~\"db-[0-9]+$\"}");
        let query = measures.query("cpu_usage", &owner(Kind::Deployment, "web")).unwrap();
        assert!(query.contains("web-[bcdfghjklmnpqrstvwxz2456789]{1,10}-"), "{query}");
        assert!(measures.query("p95", &owner(Kind::Deployment, "web")).unwrap_err().contains("cpu_usage"));
        for name in ["a.b", "a\"b", "a|b"] {
            assert!(measures.query("p99", &owner(Kind::Deployment, name)).is_err(), "{name}");
        }
        assert!(measures.query("p99", &owner(Kind::Node, "n1")).is_err());
    }

    #[test]
    fn a_template_that_would_measure_something_else_is_refused() {
        let with = |name: &str, query: &str| {
            Measures::shipped_and(BTreeMap::from([(name.to_owned(), query.to_owned())])).err()
        };
        assert!(matches!(with("a", "up"), Some(NotAMeasure::Everything(_))));
        assert!(matches!(with("a", "up{namespace=\"$namespace\"}"), Some(NotAMeasure::Everything(_))));
        assert!(matches!(with("a", "up{pod=~\"$pod\"}"), Some(NotAMeasure::Place { .. })));
        assert!(matches!(with("a", ""), Some(NotAMeasure::Length(_))));
        assert!(matches!(with("A b", "up{pod=~\"$pods\"}"), Some(NotAMeasure::Name(_))));
        assert_eq!(with("a", "up{pod=~\"$pods\"}"), None);
    }
}
