//! How acts, causes and people are called in messages.

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::{Action, Risk};
use crate::domain::alert::{Alert, Severity};
use crate::domain::decision::ApprovalRule;
use crate::domain::evidence::Preserved;
use crate::domain::finding::{Cause, Finding};
use crate::domain::ids::{EvidenceId, IncidentId};
use crate::domain::plan::{BlastRadius, Direction, FieldChange, Plan, Proposal, Undo};
use crate::domain::target::{Object, Targeted};

use super::Story;

/// The longest name or sentence of others that a headline repeats.
const SHORT: usize = 120;

/// The longest command or environment of a Job that is told: what is longer is in the template's file.
const COMMAND: usize = 300;

/// How many fields of a change are told one by one.
const MOST_FIELDS: usize = 20;

/// The first `max` characters, on one line.
pub fn brief(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max {
        return line;
    }
    let mut cut: String = line.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `text` as the end of a sentence: without a full stop of its own.
pub fn clause(text: &str) -> String {
    let short = brief(text, SHORT);
    short.strip_suffix('.').unwrap_or(&short).to_owned()
}

/// Kind and name: "Deployment `web`".
pub fn object(object: &Object) -> String {
    format!("{} `{}`", object.named.kind, object.named.name)
}

/// "KubePodCrashLooping on Deployment `api`".
pub fn subject(story: &Story) -> String {
    let alert = story.alerts.first().map_or("an alert", |a| match a.name() {
        "" => "an alert without a name",
        name => name,
    });
    let about = match (&story.owner, &story.target) {
        (Some(owner), _) => Some(object(&owner.0)),
        (None, Targeted::Named { object, .. }) => Some(format!("{} `{}`", object.kind, object.name)),
        (None, Targeted::Unclear { .. }) => None,
    };
    let alert = brief(alert, SHORT);
    about.map_or(alert.clone(), |about| format!("{alert} on {about}"))
}

/// The cause that the story turns on, in parentheses' length: "OOMKilled", "CPU at 97 % of its limit".
pub fn cause(story: &Story) -> Option<String> {
    let diagnosis = story.diagnosis.as_ref()?;
    let chosen = story.plan.as_ref().and_then(|plan| {
        let candidate = diagnosis.candidates.iter().find(|c| c.action == *plan.action.core())?;
        diagnosis.findings.iter().find(|f| f.cause.name() == candidate.cause)
    });
    chosen.or(diagnosis.findings.first()).map(|finding| why(&finding.cause))
}

/// A cause as a person says it.
pub fn why(cause: &Cause) -> String {
    match cause {
        Cause::OomKilled { .. } => "OOMKilled".to_owned(),
        Cause::CrashLoop { exit_code, .. } => format!("crash loop, exit code {exit_code}"),
        Cause::ImagePull { .. } => "its image cannot be pulled".to_owned(),
        Cause::FailedRollout { revision, .. } => format!("revision {revision} does not come up"),
        Cause::Saturation { percent, .. } => format!("CPU at {percent} % of its limit"),
        Cause::DeclaredJob => "a job is declared for it".to_owned(),
        Cause::ConfigChanged { config, .. } => {
            format!("{} `{}` was changed", config.named.kind, brief(&config.named.name, SHORT))
        }
        Cause::ScaledToZero { before, .. } => format!("scaled from {before} replicas to none"),
        Cause::NothingWrong => "nothing is wrong any more".to_owned(),
        Cause::Measured { word, .. } => word.name().to_owned(),
        Cause::Logged { word, sign, .. } => format!("{}, its log says: {sign}", word.name()),
        Cause::MemoryLeak { .. } => "memory leak".to_owned(),
        Cause::MemoryLimitTooLow { limit, .. } => format!("memory limit {} too low", brief(limit, SHORT)),
        Cause::PullSecretMissing { .. } => "its image needs another credential".to_owned(),
        Cause::FailingProbe { .. } => "it does not answer its probe".to_owned(),
        Cause::MissingConfig { missing, .. } => missing.first().map_or_else(
            || "a ConfigMap, Secret or key is missing".to_owned(),
            |one| format!("{} `{}` is missing", one.holder.name(), brief(&one.name, SHORT)),
        ),
        Cause::SecretRotated { secret, .. } => format!("Secret `{}` changed", brief(secret, SHORT)),
        Cause::QuotaExhausted { quota, .. } => format!("quota `{}` is used up", brief(quota, SHORT)),
        Cause::Unschedulable { .. } => "no node takes its pods".to_owned(),
        Cause::NodeNotReady { node, .. } => format!("node `{}` is not ready", brief(node, SHORT)),
        Cause::NodePressure { node, .. } => format!("node `{}` is under pressure", brief(node, SHORT)),
        Cause::AutoscalerAtCeiling { max, .. } => format!("its autoscaler is at its ceiling of {max}"),
        Cause::BudgetDeadlock { budget, .. } => format!("budget `{}` allows nothing", brief(budget, SHORT)),
        Cause::VolumePending { claim, .. } => format!("claim `{}` is not bound", brief(claim, SHORT)),
        Cause::JobFailed { job, .. } => format!("job `{}` failed", brief(job, SHORT)),
        Cause::JobStuck { job, .. } => format!("job `{}` does not end", brief(job, SHORT)),
        Cause::NetworkPolicyBlocks { .. } => "network policies may block it".to_owned(),
        Cause::CertificateExpiring { certificate, .. } => {
            format!("certificate `{}` expires", brief(certificate, SHORT))
        }
    }
}

/// The three forms in which an act is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// "restart pod `x`".
    Do,
    /// "restarting pod `x`".
    Doing,
    /// "restarted pod `x`".
    Done,
}

/// What a plan does, with what it does it from.
pub fn act(plan: &Plan, form: Form) -> String {
    let verb = plan.action.kind().entry().verb;
    let verb = match form {
        Form::Do => verb.plain,
        Form::Doing => verb.doing,
        Form::Done => verb.done,
    };
    match (&plan.action, plan.direction) {
        (Action::ScaleWorkload { workload, replicas }, direction) => {
            let back = if direction == Direction::Revert { " back" } else { "" };
            let from = replicas_before(plan).map_or_else(String::new, |n| format!(" from {n}"));
            format!("{verb}{back} {}{from} to {replicas}", object(workload))
        }
        (Action::OpenPullRequest { instead_of }, Direction::Revert) => {
            let close = match form {
                Form::Do => "close",
                Form::Doing => "closing",
                Form::Done => "closed",
            };
            format!("{close} the pull request to {}", instead_of.words())
        }
        (
            action @ (Action::RollbackWorkload { .. }
            | Action::SetResources { .. }
            | Action::RestoreConfig { .. }),
            Direction::Revert,
        ) => {
            let put = if form == Form::Doing { "putting back" } else { "put back" };
            format!("{put} {}", changed(action))
        }
        (action @ Action::RunJob { .. }, Direction::Revert) => {
            format!("{verb} the undo of {}", action.what())
        }
        (action, _) => format!("{verb} {}", action.what()),
    }
}

/// What an action changed, where its undo is no action of its own.
fn changed(action: &Action) -> String {
    let target = object(action.target());
    match action {
        Action::RollbackWorkload { .. } => format!("the pod template of {target}"),
        Action::SetResources { container, step, .. } => {
            format!("the {} limit of container `{container}` of {target}", step.resource().name())
        }
        Action::RestoreConfig { .. } => format!("the content of {target}"),
        _ => format!("what was done to {target}"),
    }
}

fn replicas_before(plan: &Plan) -> Option<&str> {
    plan.changes.iter().find(|c| c.path == "/spec/replicas")?.from.as_deref()
}

/// Fields before and after, as a diff; one line each, so that no value can look like another line.
pub fn diff(changes: &[FieldChange]) -> String {
    let value = |v: &Option<String>| v.as_ref().map_or_else(|| "(not there)".to_owned(), |v| brief(v, SHORT));
    let lines = changes.iter().take(MOST_FIELDS).flat_map(|FieldChange { path, from, to }| {
        [format!("- {path}: {}", value(from)), format!("+ {path}: {}", value(to))]
    });
    let more = changes.len().saturating_sub(MOST_FIELDS);
    let more = (more > 0).then(|| format!("… and {more} more fields"));
    lines.chain(more).collect::<Vec<_>>().join("\n")
}

/// What a Job is made of, one line each; there is nothing before it.
pub fn makes(changes: &[FieldChange]) -> String {
    let line = |FieldChange { path, from: _, to }: &FieldChange| {
        format!("+ {path}: {}", to.as_ref().map_or_else(String::new, |to| brief(to, COMMAND)))
    };
    changes.iter().take(MOST_FIELDS).map(line).collect::<Vec<_>>().join("\n")
}

/// Where a change is proposed.
pub fn place(proposal: &Proposal) -> String {
    let Proposal { place, path, base, .. } = proposal;
    let (repository, into) = (brief(&place.repository, SHORT), brief(&place.into, SHORT));
    let commit: String = base.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    format!(
        "It is proposed for `{}` in `{repository}`, branch `{into}` as of commit `{commit}`; nothing in the cluster \
         is written, and all that follows is so once people have merged it.",
        brief(path, SHORT)
    )
}

/// How much an act disturbs.
pub fn blast(blast: &BlastRadius, risk: Risk) -> String {
    let BlastRadius { desired, ready, unavailable_after, replica_delta, budget_allows } = blast;
    if (*desired, *ready, *unavailable_after, *replica_delta) == (0, 0, 0, 0) {
        return format!("No replica is taken away. Risk: {}.", risk.name());
    }
    let delta = match replica_delta {
        0 => String::new(),
        more if *more > 0 => format!("; {more} more in all"),
        fewer => format!("; {} fewer in all", fewer.unsigned_abs()),
    };
    let budget = match budget_allows {
        Some(n) => format!("the disruption budget still allows {n}"),
        None => "no disruption budget".to_owned(),
    };
    let risk = risk.name();
    format!(
        "{ready} of {desired} replicas are ready; right after, {unavailable_after} will not be{delta}; {budget}. \
         Risk: {risk}."
    )
}

/// What was kept of what goes, and how to read it.
pub fn kept(kept: &Preserved, incident: &IncidentId) -> String {
    match kept {
        Preserved::Blob(_) => format!(
            "The pods as they are, their events and logs were kept first: `belay incidents evidence {incident}`."
        ),
        Preserved::Not(why) => format!("Logs and events of the pods could not be kept: {}.", clause(why)),
    }
}

/// How many fields an undo names.
const UNDONE: usize = 3;

/// What Revert will do, or why there is none.
pub fn undo(plan: &Plan) -> String {
    match &plan.undo {
        Undo::Restore { .. } if plan.proposal.is_some() => {
            "Revert closes it, unless it was merged or somebody else pushed to its branch.".to_owned()
        }
        Undo::Restore { fields } => {
            let more = fields.len().saturating_sub(UNDONE);
            let more = (more > 0).then(|| format!("{more} more fields back to what they were"));
            let fields = fields.iter().take(UNDONE).map(|f| match &f.to {
                Some(to) => format!("`{}` back to {}", f.path, brief(to, SHORT)),
                None => format!("`{}` back to what it was: not there", f.path),
            });
            let fields = fields.chain(more).collect::<Vec<_>>().join(", ");
            format!("Revert puts {fields}, if nobody has changed it since.")
        }
        Undo::Job { runs } => {
            format!("Revert runs the job that the template declares as the undo: {}.", clause(runs))
        }
        Undo::Nothing { why } => {
            format!(
                "There is nothing to revert: {}. Hand over stops automation here and calls a person.",
                clause(why)
            )
        }
    }
}

/// Who may answer.
pub fn who(rule: &ApprovalRule) -> String {
    let people = match rule.slack_users.len() {
        0 => None,
        1 => Some("one person".to_owned()),
        n => Some(format!("{n} people")),
    };
    let operator = rule.operators.then(|| "an operator at the terminal".to_owned());
    let name = format!("of `{}` in Slack", brief(&rule.name, SHORT));
    let group = match (people, operator) {
        (Some(people), Some(operator)) => format!("the {people} {name}, or {operator}"),
        (Some(people), None) => format!("the {people} {name}"),
        (None, Some(operator)) => operator,
        (None, None) => return format!("nobody: approval rule `{}` names no one", brief(&rule.name, SHORT)),
    };
    if rule.count > 1 { format!("{} different people among {group}", rule.count) } else { group }
}

/// What the alert says of itself and since when.
pub fn alert(alert: &Alert) -> String {
    let severity = match alert.severity() {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let name = brief(alert.name(), SHORT);
    match alert.ends_at {
        Some(end) => {
            let (from, to) = (clock(alert.starts_at), clock(end));
            // the day is said once
            let to = match (from.split_once(' '), to.split_once(' ')) {
                (Some((day, _)), Some((same, time))) if day == same => time.to_owned(),
                _ => to,
            };
            format!("`{name}` ({severity}) fired from {} to {to}.", from.trim_end_matches(" UTC"))
        }
        None => format!("`{name}` ({severity}) fires since {}.", clock(alert.starts_at)),
    }
}

/// A finding with how sure it is and what it rests on.
pub fn finding(finding: &Finding) -> String {
    use crate::domain::finding::Certainty;
    let sure = match finding.certainty {
        Certainty::Possible => "possible",
        Certainty::Likely => "likely",
        Certainty::Certain => "certain",
    };
    let evidence: Vec<&str> = finding.evidence.iter().map(EvidenceId::as_str).collect();
    let rests = if evidence.is_empty() { String::new() } else { format!(" [{}]", evidence.join(", ")) };
    format!("{} ({sure}): {}.{rests}", finding.cause.name(), clause(&finding.summary))
}

/// Hours and minutes; people compare them with what else they see.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// "15 minutes", "2 hours"; what is no whole number of minutes is rounded up once it is longer than two.
pub fn span(span: SignedDuration) -> String {
    let (n, unit) = match span.as_secs() {
        s if s > 120 && s % 60 != 0 => (s / 60 + 1, "minute"),
        s if s >= 7_200 && s % 3_600 == 0 => (s / 3_600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}
