//! A runbook's steps and their checks: what may be looked at, and what that shows. A check is one of belay's own reads;
//! nothing that stands in a runbook is ever done.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cluster::{ContainerState, Pod, Workload};
use super::measure::{Measures, Threshold};
use super::redact;
use super::target::Named;

/// Steps of one runbook: more is a book.
pub const STEPS: usize = 40;
/// The longest pattern.
const PATTERN: usize = 500;
/// What a compiled pattern may take: ten times what a long alternation needs.
const COMPILED: usize = 1 << 20;
/// The longest title that is shown.
const TITLE: usize = 160;
/// A line of a log, shortened to what shows why it matched.
const LINE: usize = 200;
/// The name under which a step's query is kept.
const MEASURE: &str = "step";

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is to be looked at, or done.
    pub title: String,
    /// How it is seen to be as it should; `None`: a person looks.
    pub check: Option<Check>,
}

/// One of belay's own reads, and what it has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// A measured value.
    Metric(Measured),
    /// How the workload is.
    Workload(State),
    /// What its logs say.
    Log(Pattern),
}

/// PromQL about the workload, and the bounds of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    query: Measures,
    below: Option<Threshold>,
    above: Option<Threshold>,
}

impl Measured {
    /// A query with `$namespace`, and `$workload` or `$pods`; every series of the answer has to be within the bounds.
    pub fn new(promql: &str, below: Option<f64>, above: Option<f64>) -> Result<Self, String> {
        let query = Measures::shipped_and(BTreeMap::from([(MEASURE.to_owned(), promql.to_owned())]));
        let query = query.map_err(|e| e.to_string())?;
        if !promql.contains("$namespace") {
            return Err("`metric` names no `$namespace`: it would measure other namespaces, too".to_owned());
        }
        let bound = |value: Option<f64>| match value {
            None => Ok(None),
            Some(value) => {
                let wrong = || format!("`{value}` is no bound: a number with at most six decimal places");
                Threshold::parse(&value.to_string()).map(Some).ok_or_else(wrong)
            }
        };
        let (below, above) = (bound(below)?, bound(above)?);
        match (below, above) {
            (None, None) => Err("`metric` needs `below` or `above`".to_owned()),
            (Some(below), Some(above)) if above >= below => {
                Err("no value is above `above` and below `below`".to_owned())
            }
            (Some(_) | None, Some(_) | None) => Ok(Self { query, below, above }),
        }
    }

    /// The query about this workload.
    pub fn query(&self, workload: &Named) -> Result<String, String> {
        self.query.query(MEASURE, workload)
    }

    /// What these values show.
    pub fn judge(&self, values: &[f64]) -> (Outcome, String) {
        let within = |value: f64| {
            self.below.is_none_or(|below| value < below.value())
                && self.above.is_none_or(|above| value > above.value())
        };
        let bounds: Vec<String> = [("above", self.above), ("below", self.below)]
            .into_iter()
            .filter_map(|(word, bound)| Some(format!("{word} {}", bound?)))
            .collect();
        let bounds = bounds.join(" and ");
        match (values, values.iter().find(|value| !within(**value))) {
            ([], _) => (Outcome::CouldNotTell, "nothing was measured".to_owned()),
            (_, Some(value)) => (Outcome::Failed, format!("{} is not {bounds}", short(*value))),
            ([one], None) => (Outcome::Passed, format!("{} is {bounds}", short(*one))),
            (all, None) => (Outcome::Passed, format!("all {} values are {bounds}", all.len())),
        }
    }
}

/// At most six decimal places, as of a bound.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How a workload has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All its replicas are ready, and there are some.
    Ready,
    /// All its replicas are of its present template.
    RolledOut,
    /// None of its containers waits to be started again, or ended with an error last.
    Steady,
}

/// A workload as far as a check looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// The Deployment, where it is one.
    pub deployment: Option<&'a Workload>,
    /// Its pods.
    pub pods: &'a [&'a Pod],
}

impl State {
    /// What this shows.
    pub fn judge(self, Looked { deployment, pods }: Looked<'_>) -> (Outcome, String) {
        match (self, deployment) {
            (Self::Ready, None) | (Self::Steady, _) if pods.is_empty() => {
                (Outcome::CouldNotTell, "it has no pods".to_owned())
            }
            (Self::Ready, Some(d)) => {
                let well = d.desired > 0 && d.ready >= d.desired;
                (passed(well), format!("{} of {} replicas are ready", d.ready, d.desired))
            }
            (Self::Ready, None) => {
                let ready = pods.iter().filter(|pod| pod.ready).count();
                (passed(ready == pods.len()), format!("{ready} of {} pods are ready", pods.len()))
            }
            (Self::RolledOut, Some(d)) => {
                let seen = d.observed_generation >= d.generation;
                let well = seen && d.updated >= d.desired && d.current == d.updated;
                (passed(well), format!("{} of {} replicas are of the present template", d.updated, d.desired))
            }
            (Self::RolledOut, None) => (Outcome::CouldNotTell, "it is no Deployment".to_owned()),
            (Self::Steady, _) => steady(pods),
        }
    }
}

fn steady(pods: &[&Pod]) -> (Outcome, String) {
    let fails = pods.iter().find_map(|pod| {
        let container = pod.containers.iter().find(|c| match &c.state {
            ContainerState::Running { .. } => false,
            ContainerState::Waiting { reason, .. } => {
                reason != "ContainerCreating" && reason != "PodInitializing"
            }
            ContainerState::Ended(end) => end.exit_code != 0,
        })?;
        Some(format!(
            "container `{}` of pod `{}` does not run",
            name(&container.name),
            name(&pod.object.named.name)
        ))
    });
    match fails {
        Some(why) => (Outcome::Failed, why),
        None => (Outcome::Passed, format!("the containers of its {} pods run", pods.len())),
    }
}

fn passed(well: bool) -> Outcome {
    if well { Outcome::Passed } else { Outcome::Failed }
}

fn name(text: &str) -> String {
    redact::line(text, TITLE)
}

/// A regular expression for lines of logs, and whether there has to be one that it fits.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: regex::Regex,
    present: bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (self.regex.as_str(), self.present) == (other.regex.as_str(), other.present)
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// A bounded one. Matching is linear in the text.
    pub fn new(text: &str, present: bool) -> Result<Self, String> {
        if text.is_empty() || text.len() > PATTERN {
            return Err(format!("`log` is empty or longer than {PATTERN} bytes"));
        }
        let regex = regex::RegexBuilder::new(text).size_limit(COMPILED).build();
        let wrong = |_| format!("`{}` is no regular expression that can be used", redact::line(text, 120));
        Ok(Self { regex: regex.map_err(wrong)?, present })
    }

    /// What these lines show, and the first of them that matches where none should.
    pub fn judge<'a>(&self, lines: impl Iterator<Item = &'a str>) -> (Outcome, String, Option<String>) {
        let (mut read, mut matched, mut first) = (0_usize, 0_usize, None);
        for line in lines {
            read += 1;
            if self.regex.is_match(line) {
                matched += 1;
                first.get_or_insert(line);
            }
        }
        let of = format!("{matched} of {read} lines match");
        match (read, self.present, matched > 0) {
            (0, ..) => (Outcome::CouldNotTell, "there are no lines".to_owned(), None),
            (_, true, true) | (_, false, false) => (Outcome::Passed, of, None),
            (_, true, false) => (Outcome::Failed, of, None),
            (_, false, true) => (Outcome::Failed, of, first.map(|line| redact::line(line, LINE))),
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// It could not be looked at, or shows nothing.
    CouldNotTell,
    /// It has no check.
    NeedsAPerson,
}

impl Outcome {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::CouldNotTell => "could not tell",
            Self::NeedsAPerson => "needs a person",
        }
    }
}

/// A step that was walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// From 1.
    pub number: usize,
    /// What it is called; cleaned.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen, in belay's words; names in it are cleaned and bounded.
    pub seen: String,
    /// A line of a log that shows it: text of others, cleaned and bounded.
    pub quoted: Option<String>,
}

impl Walked {
    /// The step of this number, looked at with this result.
    pub fn new(number: usize, step: &Step, (outcome, seen): (Outcome, String)) -> Self {
        Self { number, title: name(&step.title), outcome, seen, quoted: None }
    }
}

/// ``step 2 (`all replicas are ready`): failed: 1 of 3 replicas are ready``.
impl fmt::Display for Walked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, title, outcome, seen, quoted: _ } = self;
        write!(f, "step {number} (`{}`): {}", title.replace('`', "'"), outcome.name())?;
        if seen.is_empty() { Ok(()) } else { write!(f, ": {seen}") }
    }
}

/// A runbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runbook {
    /// Its path below the folder of runbooks.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Where people read it.
    pub link: Option<String>,
    /// Workloads that it is for: `name` or `namespace/name`.
    pub services: Vec<String>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Its Markdown.
    pub text: String,
}

impl Runbook {
    /// Whether it is for workloads of other namespaces alone.
    pub fn is_elsewhere(&self, namespace: &str) -> bool {
        let other = |service: &String| service.split_once('/').is_some_and(|(theirs, _)| theirs != namespace);
        !self.services.is_empty() && self.services.iter().all(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_to_be_within_its_bounds() {
        let query = r#"sum(x{namespace="$namespace",pod=~"$pods"})"#;
        let below = Measured::new(query, Some(0.01), None).unwrap();
        assert_eq!(below.judge(&[0.001]), (Outcome::Passed, "0.001 is below 0.01".to_owned()));
        assert_eq!(below.judge(&[0.001, 0.01]), (Outcome::Failed, "0.01 is not below 0.01".to_owned()));
        assert_eq!(below.judge(&[]).0, Outcome::CouldNotTell);
        assert_eq!(below.judge(&[f64::INFINITY]).0, Outcome::Failed);
        let between = Measured::new(query, Some(5.0), Some(-1.0)).unwrap();
        assert_eq!(
            between.judge(&[0.0, 1.5]),
            (Outcome::Passed, "all 2 values are above -1 and below 5".to_owned())
        );
        for (query, below, above, why) in [
            (query, None, None, "needs `below` or `above`"),
            (query, Some(1.0), Some(1.0), "no value"),
            (query, Some(f64::NAN), None, "is no bound"),
            (query, Some(0.000_000_1), None, "is no bound"),
            ("up", Some(1.0), None, "no `$workload`"),
            ("sum(x{pod=~\"$pods\"})", Some(1.0), None, "no `$namespace`"),
            ("$secret $pods $namespace", Some(1.0), None, "`$secret`"),
        ] {
            let told = Measured::new(query, below, above).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn lines_are_matched_in_both_directions_and_shown_cleaned() {
        let lines = ["all well", "password=hunter22 pool \u{202e}exhausted `x`"];
        let absent = Pattern::new("pool .*exhausted", false).unwrap();
        let (outcome, seen, quoted) = absent.judge(lines.into_iter());
        assert_eq!((outcome, seen.as_str()), (Outcome::Failed, "1 of 2 lines match"));
        assert_eq!(quoted.as_deref(), Some("password=[redacted] pool <U+202E>exhausted `x`"));
        assert_eq!(absent.judge(std::iter::once("fine")).0, Outcome::Passed);
        assert_eq!(absent.judge(std::iter::empty()).0, Outcome::CouldNotTell);
        let present = Pattern::new("^ready", true).unwrap();
        assert_eq!(present.judge(["ready"].into_iter()).0, Outcome::Passed);
        assert_eq!(present.judge(["not ready"].into_iter()).0, Outcome::Failed);
        assert!(Pattern::new("(", true).is_err() && Pattern::new("", true).is_err());
        assert!(Pattern::new("((a{1,100}){1,100}){1,100}", true).is_err());
    }

    #[test]
    fn a_runbook_of_other_namespaces_is_theirs() {
        let of = |services: &[&str]| Runbook {
            services: services.iter().map(|s| (*s).to_owned()).collect(),
            ..Runbook::default()
        };
        assert!(of(&["pay/api"]).is_elsewhere("shop"));
        for services in [&[][..], &["api"], &["pay/api", "shop/api"]] {
            assert!(!of(services).is_elsewhere("shop"));
        }
    }
}
