//! Why policy said what it said: every grant, cap, guard, freeze and limit with its verdict and place,
//! and the smallest single change that would flip the outcome. Computed on demand from the question.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, SignedDurationRound, Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::brakes::Global;
use super::cel::Verdict;
use super::decide::conclude;
use super::judge::{Judgement, Miss, Place, frozen, judge, miss};
use super::scope::Home;
use super::set::{Grant, Guard, Origin, Override, PolicySet, Standing};
use crate::domain::decision::{Decision, Outcome, Question};

/// How many grants are listed one by one, the nearest first: ten times what the pack has. Those that match
/// are always among them.
const MAX_GRANTS: usize = 200;

/// A decision explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The version of this form.
    pub version: u32,
    /// What would be done.
    pub action: String,
    /// To what.
    pub target: String,
    /// What was decided.
    pub decision: Decision,
    /// Everything that was looked at.
    pub lines: Vec<Line>,
    /// The smallest single change that flips the outcome.
    pub counterfactual: Option<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `grant`, `cap`, `guard`, `freeze`, `limit`, `blast`, `deny`.
    pub kind: Cow<'static, str>,
    /// Which.
    pub name: String,
    /// What it said: `YES`, `no`, `EXCEEDED`, …; empty where the text says it all.
    pub verdict: Cow<'static, str>,
    /// Why.
    pub text: String,
    /// `file:line` of the rule.
    pub at: Option<String>,
    /// Whose the rule is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether that owner's rules reach only so far.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    scoped: bool,
    /// It has no bearing and nearly had none: enough for people that such lines are counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aside: bool,
}

impl Explanation {
    /// How many lines of this kind are set aside; a single one may as well be read.
    pub fn aside(&self, kind: &str) -> usize {
        let aside = self.lines.iter().filter(|line| line.kind == kind && line.aside).count();
        if aside > 1 { aside } else { 0 }
    }

    /// Whether the line is one of those.
    pub fn is_aside(&self, line: &Line) -> bool {
        line.aside && self.aside(&line.kind) > 0
    }
}

/// Explains the decision about this question.
pub fn explain(set: &PolicySet, question: &Question) -> Explanation {
    let judged = judge(set, question);
    let decision = conclude(set, question, judged.clone());
    let mut lines = grants(set, question, &judged);
    lines.extend(overrides(question, &judged));
    lines.extend(caps(&judged));
    lines.extend(set.guards.iter().map(|guard| guard_line(guard, question)));
    lines.extend(freezes(set, question, &judged.place));
    lines.extend(denials(&judged));
    lines.extend(checks(&judged));
    let counterfactual = counterfactual(set, question, &judged, decision.outcome);
    let named = &question.target.object.named;
    let owner = &question.owner.owner;
    let target = if *owner.0.named.name == named.name && owner.0.named.kind == named.kind {
        owner.to_string()
    } else {
        format!("{owner} ({} {})", named.kind.name().to_lowercase(), named.name)
    };
    let action = question.action.kind().name().to_owned();
    Explanation { version: 1, action, target, decision, lines, counterfactual }
}

fn line(kind: &'static str, name: &str, verdict: &'static str, text: String, from: Option<&Origin>) -> Line {
    let at = from.map(ToString::to_string);
    let owner = from.map(|origin| origin.home.owner.clone());
    let scoped = from.is_some_and(|origin| origin.home.scope.is_some());
    let aside = false;
    Line { kind: kind.into(), name: name.to_owned(), verdict: verdict.into(), text, at, owner, scoped, aside }
}

/// As this, counted where it says no.
fn aside(line: Line) -> Line {
    Line { aside: line.verdict == "no", ..line }
}

fn grants(set: &PolicySet, question: &Question, judged: &Judgement<'_>) -> Vec<Line> {
    let yes = |grant: &Grant| judged.matching.iter().any(|g| g.id == grant.id);
    let others = set.grants.iter().filter(|grant| !yes(grant));
    let missed = others.map(|grant| (grant, miss(grant, question, &judged.place)));
    let (near, far): (Vec<_>, Vec<_>) = missed.partition(|(_, miss)| miss.as_ref().is_some_and(is_near));
    let matching = judged.matching.iter().map(|grant| matching_line(grant));
    let near = near.into_iter().map(|(grant, miss)| missed_line(grant, question, miss));
    let far = far.into_iter().map(|(grant, miss)| aside(missed_line(grant, question, miss)));
    let mut lines: Vec<Line> = matching.chain(near).chain(far).take(MAX_GRANTS).collect();
    let left = set.grants.len().saturating_sub(lines.len());
    if left > 0 {
        lines.push(line("grant", "…", "", format!("{left} more are not listed here"), None));
    }
    lines
}

fn matching_line(grant: &Grant) -> Line {
    let trial = if grant.shadow { ", on trial" } else { "" };
    let about = if grant.description.is_empty() { "" } else { ": " };
    let text = format!("level {}{trial}{about}{}", grant.level.number(), grant.description);
    line("grant", grant.id.as_str(), "YES", text, Some(&grant.origin))
}

fn missed_line(grant: &Grant, question: &Question, missed: Option<Miss<'_>>) -> Line {
    let text = match missed {
        None => "this is an undo of another grant's act".to_owned(),
        Some(missed) => miss_text(grant, question, missed),
    };
    line("grant", grant.id.as_str(), "no", text, Some(&grant.origin))
}

/// Whether the grant is for this alert and this action: then what it lacks is worth reading.
const fn is_near(miss: &Miss<'_>) -> bool {
    match miss {
        Miss::Action | Miss::Alerts => false,
        Miss::Scope(_) | Miss::Environment(_) | Miss::Playbook | Miss::When(_) => true,
    }
}

fn miss_text(grant: &Grant, question: &Question, miss: Miss<'_>) -> String {
    let values = || grant.when.as_ref().map(|when| when.values(question)).unwrap_or_default();
    match miss {
        Miss::Action => format!("action {} is not listed", question.action.kind().name()),
        Miss::Alerts => {
            let sources: Vec<&str> =
                grant.alerts.iter().map(crate::domain::matchers::Matchers::source).collect();
            format!("the alert does not match {}", sources.join(" or "))
        }
        Miss::Scope(home) => outside(question, home),
        Miss::Environment(listed) => format!("the target is not in {}", listed.join(" or ")),
        Miss::Playbook => "no model chose it, and it is not a playbook".to_owned(),
        Miss::When(Verdict::NotApplicable(fact)) => format!("{fact} does not apply"),
        Miss::When(Verdict::Error(why)) => why,
        Miss::When(Verdict::Yes | Verdict::No) => values(),
    }
}

/// That a file's rules do not reach the target.
fn outside(question: &Question, home: &Home) -> String {
    let named = &question.target.object.named;
    format!("{}/{} is out of the scope of `{}`", named.cluster, named.namespace, home.owner)
}

/// What a person's override says, and whether it counts.
fn overrides(question: &Question, judged: &Judgement<'_>) -> Vec<Line> {
    let lifted = judged.matching.iter().filter_map(|grant| Some((grant, grant.lifted.as_ref()?)));
    let explain = |(grant, lifted): (&&Grant, &Override)| {
        let (verdict, standing) = match lifted.standing(question.now) {
            Standing::InForce => ("YES", ""),
            Standing::Over => ("no", "; it is over"),
            Standing::TooLong => ("no", "; more than 30 days ahead it does not count"),
        };
        let Override { level, by, reason, until } = lifted;
        let text = format!("level {} by {by} until {until}: {reason}{standing}", level.number());
        line("override", grant.id.as_str(), verdict, text, Some(&grant.origin))
    };
    lifted.map(explain).collect()
}

fn caps(judged: &Judgement<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Place::In(environment) = &judged.place {
        let ladder = if environment.strict { "ladder strict" } else { "ladder off" };
        let text = format!("{}, {ladder}", environment.max_level.number());
        let name = format!("environment {}", environment.name);
        lines.push(line("cap", &name, "", text, Some(&environment.origin)));
    }
    let ours = |code: &str| ["guard/", "freeze/"].iter().all(|rule| !code.starts_with(rule));
    let known = |code: &str| !matches!(judged.place, Place::In(_)) || !code.starts_with("environment/");
    for cap in judged.caps.iter().filter(|cap| ours(&cap.reason.code) && known(&cap.reason.code)) {
        lines.push(line(
            "cap",
            &cap.reason.code,
            "",
            format!("{}, {}", cap.level.number(), cap.reason.text),
            None,
        ));
    }
    lines
}

fn guard_line(guard: &Guard, question: &Question) -> Line {
    let reached = guard.origin.home.reaches(&question.target.object.named);
    let (verdict, text) = match guard.when.ask(question) {
        _ if !reached => ("no", outside(question, &guard.origin.home)),
        Verdict::Yes => ("YES", guard.when.values(question)),
        Verdict::No => ("no", guard.when.values(question)),
        Verdict::NotApplicable(fact) => ("no", format!("{fact} does not apply")),
        Verdict::Error(why) => ("YES", format!("{why}; what cannot be told fires")),
    };
    let text = match (verdict, guard.deny, guard.max_level) {
        ("YES", true, _) => format!("denied, {text}"),
        ("YES", false, Some(level)) => format!("level {}, {text}", level.number()),
        _ => text,
    };
    aside(line("guard", &guard.id, verdict, text, Some(&guard.origin)))
}

fn freezes(set: &PolicySet, question: &Question, place: &Place<'_>) -> Vec<Line> {
    let explain = |freeze: &super::set::Freeze| {
        let (verdict, text) = match frozen(freeze, question, place) {
            Some(why) => ("YES", format!("level {}, {why}", freeze.max_level.number())),
            None if !freeze.origin.home.reaches(&question.target.object.named) => {
                ("no", outside(question, &freeze.origin.home))
            }
            None => ("no", freeze.window.to_string()),
        };
        aside(line("freeze", &freeze.name, verdict, text, Some(&freeze.origin)))
    };
    set.freezes.iter().map(explain).collect()
}

fn denials(judged: &Judgement<'_>) -> Vec<Line> {
    let own = judged.denials.iter().filter(|reason| !reason.code.starts_with("guard/"));
    own.map(|reason| line("deny", &reason.code, "YES", reason.text.clone(), None)).collect()
}

fn checks(judged: &Judgement<'_>) -> Vec<Line> {
    let explain = |check: &super::limits::Check| {
        let (kind, name) = match check.reason.code.split_once('/') {
            Some(("blast", name)) => ("blast", name),
            Some((_, name)) => ("limit", name),
            None => ("limit", check.reason.code.as_str()),
        };
        let verdict = if check.exceeded { "EXCEEDED" } else { "" };
        line(kind, name, verdict, check.reason.text.clone(), None)
    };
    judged.checks.iter().map(explain).collect()
}

/// Changes one thing at a time and decides again; the change that gives more is told. Where no single one
/// would do, all that stand against it together are.
fn counterfactual(
    set: &PolicySet,
    question: &Question,
    judged: &Judgement<'_>,
    now: Outcome,
) -> Option<String> {
    let Some(grant) = judged.matching.first() else { return by_a_model(set, question, now) };
    let gains = |decision: &Decision| authority(decision.outcome) > authority(now);
    let mut all = without(judged, &[]);
    let mut changes = Vec::new();
    for (code, change) in obstacles(set, grant, question, judged) {
        let decision = conclude(set, question, without(judged, &[code]));
        // the lowest of everything counts: where one change gains, no other does
        if gains(&decision) {
            return Some(format!("{} if: {change}", would(&decision)));
        }
        all = without(&all, &[code]);
        changes.push(change);
    }
    let decision = conclude(set, question, all);
    gains(&decision).then(|| format!("{} if all of this were so: {}", would(&decision), changes.join("; ")))
}

fn would(decision: &Decision) -> String {
    let level = decision.level.map(|level| format!(" at level {}", level.number())).unwrap_or_default();
    format!("would {}{level}", decision.outcome.name())
}

/// Where no grant matches: perhaps one does once a model has chosen it.
fn by_a_model(set: &PolicySet, question: &Question, now: Outcome) -> Option<String> {
    if question.chosen_by_model {
        return None;
    }
    let chosen = Question { chosen_by_model: true, ..question.clone() };
    let decision = conclude(set, &chosen, judge(set, &chosen));
    let gains = authority(decision.outcome) > authority(now);
    gains.then(|| format!("{} if: a model had chosen it", would(&decision)))
}

/// Everything that stands against it, each with what would have to be otherwise.
fn obstacles<'j>(
    set: &PolicySet,
    grant: &Grant,
    question: &Question,
    judged: &'j Judgement<'_>,
) -> Vec<(&'j str, String)> {
    let caps = judged.caps.iter().filter(|cap| cap.level < grant.level).map(|cap| &cap.reason);
    let ruled = caps.chain(&judged.denials).map(|reason| (reason.code.as_str(), change(&reason.code)));
    let exceeded = judged.checks.iter().filter(|check| check.exceeded).map(|check| {
        let code = check.reason.code.as_str();
        (code, freed(question.now, check.frees_at, code, window(set, grant, code)))
    });
    let mut found: Vec<_> = ruled.chain(exceeded).collect();
    found.dedup();
    found
}

/// The judgement without whatever goes by these codes.
fn without<'s>(judged: &Judgement<'s>, codes: &[&str]) -> Judgement<'s> {
    let place = Place::Nowhere; // concluding does not look at it any more
    let stays = |code: &str| !codes.contains(&code);
    Judgement {
        place,
        matching: judged.matching.clone(),
        caps: judged.caps.iter().filter(|cap| stays(&cap.reason.code)).cloned().collect(),
        denials: judged.denials.iter().filter(|denial| stays(&denial.code)).cloned().collect(),
        checks: judged.checks.iter().filter(|check| stays(&check.reason.code)).cloned().collect(),
        also: judged.also.clone(),
        offers: judged.offers.clone(),
    }
}

fn change(code: &str) -> String {
    match code.split_once('/') {
        Some(("environment", "none")) => "an environment were declared for the target".to_owned(),
        Some(("environment", "several")) => "the target were in one environment only".to_owned(),
        Some(("environment", "unknown")) => "the target's environment could be told".to_owned(),
        Some(("environment", name)) => format!("environment `{name}` allowed a higher level"),
        Some(("guard", name)) => format!("guard `{name}` did not fire"),
        Some(("ceiling", name)) => format!("the platform's ceiling for `{name}` were higher"),
        Some(("freeze", name)) => format!("freeze `{name}` were over"),
        Some(_) | None => match code {
            "earned" => "the grant had earned its level here".to_owned(),
            "hold" => "belay were not paused".to_owned(),
            "proposed/outside" => "belay's own investigation had chosen it".to_owned(),
            "lock" => "the other act on this owner were over".to_owned(),
            "not-grounded" => "the target had been reached from the alert's labels".to_owned(),
            other => format!("`{other}` did not stand against it"),
        },
    }
}

/// The window of the limit that goes by this code, and how many fit into it.
fn window(set: &PolicySet, grant: &Grant, code: &str) -> Option<(SignedDuration, u32)> {
    let own = grant.limits.iter().find(|limit| code.strip_prefix("limit/") == Some(limit.per.name()));
    let Global { window, max_actions, .. } = set.brakes.global;
    let global = (code == "limit/global").then_some((window, max_actions));
    own.map(|limit| (limit.window, limit.max)).or(global)
}

fn freed(
    now: Timestamp,
    frees_at: Option<Timestamp>,
    code: &str,
    window: Option<(SignedDuration, u32)>,
) -> String {
    let Some(at) = frees_at else { return format!("`{code}` were not exceeded") };
    let left = at.duration_since(now);
    let left = left.round(SignedDurationRound::new().smallest(Unit::Second)).unwrap_or(left);
    match window {
        Some((window, max)) => {
            let act = if max == 1 { "the last act" } else { "an earlier act" };
            format!("{act} were older than {} (in {})", short(window), short(left))
        }
        None => format!("an earlier act did not count against `{code}` any more (in {})", short(left)),
    }
}

/// `3m12s`.
fn short(span: SignedDuration) -> String {
    format!("{span:#}").replace(' ', "")
}

const fn authority(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Drop | Outcome::Notify | Outcome::Escalate => 0,
        Outcome::Ask => 1,
        Outcome::Act => 2,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { outcome, reasons, set, .. } = &self.decision;
        let (outcome, set) = (outcome.name(), set.short());
        writeln!(f, "{outcome:<10} {}  {}      policy {set}", self.action, self.target)?;
        if let Some(first) = reasons.first() {
            writeln!(f, "{:<10} {}: {}", "because", first.code, first.text)?;
        }
        writeln!(f)?;
        let width = self.lines.iter().map(|l| l.name.chars().count()).max().unwrap_or_default();
        for Line { kind, name, verdict, text, at, owner, scoped, .. } in &self.lines {
            let owner =
                owner.as_ref().filter(|_| *scoped).map(|owner| format!(" of {owner}")).unwrap_or_default();
            let at = at.as_ref().map(|at| format!("      {at}{owner}")).unwrap_or_default();
            let said = format!("  {kind:<8} {name:<width$}  {verdict:<8}  {text}{at}");
            writeln!(f, "{}", said.trim_end())?;
        }
        match &self.counterfactual {
            Some(counterfactual) => write!(f, "\n{counterfactual}"),
            None => Ok(()),
        }
    }
}
