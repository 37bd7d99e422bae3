//! `belay policy explain`: of a live incident, a golden input, or a case that flags describe.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;

use super::explained::Show;
use crate::app::admin::{self, Request, Response};
use crate::cli::{StateDir, runtime, terminal};
use crate::domain::decision::Question;
use crate::domain::record::Record;
use crate::policy::{self, Explanation, PolicySet};
use crate::ports::clock::{Clock as _, SystemClock};
use crate::store;

/// What to explain.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["input", "incident", "target"]))]
pub(super) struct Args {
    /// A golden input: as tests name it (`examples/oom.yaml`), or a file
    input: Option<String>,
    /// A live incident, by its name or the beginning of it: from the daemon, or from its journal where
    /// none runs
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<String>,
    #[command(flatten)]
    flags: Flags,
    /// Change a fact of it: `target.namespace=prod`
    #[arg(long, value_name = "FACT=VALUE", value_parser = pair, conflicts_with = "incident")]
    set: Vec<(String, String)>,
    #[command(flatten)]
    state: StateDir,
    #[command(flatten)]
    show: Show,
    /// Print JSON, which is always whole
    #[arg(long)]
    json: bool,
}

/// A case without a file. What no flag says is unknown.
#[derive(Debug, clap::Args)]
struct Flags {
    /// A case by flags: its root owner, `CLUSTER/NAMESPACE/KIND/NAME`
    #[arg(long, value_name = "OWNER", requires_all = ["alert", "action"])]
    target: Option<String>,
    /// The alert's name
    #[arg(long, value_name = "ALERTNAME", requires = "target")]
    alert: Option<String>,
    /// What would be done
    #[arg(long, value_name = "ACTION", requires = "target")]
    action: Option<String>,
    /// What was found
    #[arg(long, value_name = "CAUSE", requires = "target", default_value = "OOMKilled")]
    cause: String,
    /// When it is asked; now unless given
    #[arg(long, value_name = "MOMENT", requires = "target")]
    at: Option<Timestamp>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (fact, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not FACT=VALUE"))?;
    Ok((fact.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let Some(explanation) = explanation(args, dir)? else { return Ok(ExitCode::FAILURE) };
    if args.json {
        super::json(&explanation)?;
    } else {
        let text = super::explained::render(&explanation, args.show, terminal::look().width);
        write!(std::io::stdout().lock(), "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explanation(args: &Args, dir: &Path) -> anyhow::Result<Option<Explanation>> {
    if let Some(incident) = &args.incident {
        if let Some(explanation) = live(&args.state, incident)? {
            return Ok(Some(explanation));
        }
        let question = recorded(&args.state, incident)?;
        return Ok(super::load(dir)?.map(|set| policy::explain(&set, &question)));
    }
    let Some(set) = super::load(dir)? else { return Ok(None) };
    let changes: Vec<_> = args.set.iter().map(|(f, v)| (f.as_str(), v.as_str())).collect();
    let question = match (&args.input, &args.flags.target) {
        (Some(input), _) => golden(&set, input, &changes)?,
        (None, Some(target)) => {
            let text = case(&args.flags, target)?;
            policy::situation(&set, "", &text, &changes).map_err(anyhow::Error::msg)?
        }
        (None, None) => anyhow::bail!("say what to explain: a golden input, `--incident` or `--target`"),
    };
    Ok(Some(policy::explain(&set, &question)))
}

/// One of the set's own examples, or else a file.
fn golden(set: &PolicySet, input: &str, changes: &[(&str, &str)]) -> anyhow::Result<Question> {
    if !Path::new(input).is_file() || set.examples().any(|name| name == input) {
        return policy::example(set, input, changes).map_err(anyhow::Error::msg);
    }
    let text = std::fs::read_to_string(input).with_context(|| format!("cannot read `{input}`"))?;
    policy::situation(set, input, &text, changes).map_err(anyhow::Error::msg)
}

/// From the daemon, by the policy that it has in force; `None` if no daemon answers.
fn live(state: &StateDir, incident: &str) -> anyhow::Result<Option<Explanation>> {
    let request = Request::Why { incident: incident.to_owned() };
    match runtime()?.block_on(admin::ask(&state.state_dir, &request)) {
        Ok(Response::Explanation(explanation)) => Ok(Some(*explanation)),
        Ok(Response::Refused(why)) => anyhow::bail!("{}", terminal::plain(&why)),
        Ok(_) => anyhow::bail!("the daemon answered something else: is it of another version?"),
        Err(_) => Ok(None),
    }
}

/// The last question that policy was asked about the incident, from the journal, which is only read.
fn recorded(state: &StateDir, given: &str) -> anyhow::Result<Question> {
    let journal = state.state_dir.join(store::LOG_FILE);
    let mut found: Option<Question> = None;
    let mut several = false;
    let wanted = store::Wanted { since: Timestamp::MIN, kinds: &["decided"] };
    let read = store::read(&journal, wanted, &mut |entry| {
        let Record::Decided(decided) = entry.record else { return };
        let question = decided.question;
        if question.incident.as_str().starts_with(given) {
            several |= found.as_ref().is_some_and(|other| other.incident != question.incident);
            found = Some(question);
        }
    });
    read.with_context(|| {
        format!(
            "no daemon answers in `{0}`, and `{0}` holds no journal; is it the daemon's `--state-dir`?",
            state.state_dir.display()
        )
    })?;
    anyhow::ensure!(!several, "`{given}` could be several incidents; type more of it");
    found.with_context(|| format!("policy was never asked about an incident `{given}`"))
}

/// The golden input that the flags stand for.
fn case(flags: &Flags, target: &str) -> anyhow::Result<String> {
    let parts: Vec<&str> = target.split('/').collect();
    let [cluster, namespace, kind, name] = parts.as_slice() else {
        anyhow::bail!("`{target}` is not CLUSTER/NAMESPACE/KIND/NAME");
    };
    let (alert, action) =
        (flags.alert.as_deref().unwrap_or_default(), flags.action.as_deref().unwrap_or_default());
    // the words are the user's own, and the golden input is YAML: as JSON strings they stay one scalar each
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (object, called) =
        if action == "restart_pod" { ("Pod", format!("{name}-pod")) } else { (*kind, (*name).to_owned()) };
    let at = flags.at.unwrap_or_else(|| SystemClock.now());
    let mut text = format!("apiVersion: belay.dev/v1\nkind: Example\nnow: {at}\n");
    writeln!(text, "action: {{ kind: {} }}", quoted(action))?;
    writeln!(
        text,
        "alert: {{ labels: {{ alertname: {}, namespace: {} }} }}",
        quoted(alert),
        quoted(namespace)
    )?;
    writeln!(text, "finding: {{ cause: {}, certainty: certain }}", quoted(&flags.cause))?;
    writeln!(
        text,
        "target: {{ cluster: {}, namespace: {}, kind: {}, name: {}, grounded: true, named_by_alert: true }}",
        quoted(cluster),
        quoted(namespace),
        quoted(object),
        quoted(&called)
    )?;
    writeln!(text, "owner: {{ kind: {}, name: {} }}", quoted(kind), quoted(name))?;
    Ok(text)
}
