//! `belay revert --since`: undo what belay did since a moment, the newest first. Without `--yes` it only
//! shows what that would change.

use std::io::Write as _;
use std::process::ExitCode;

use jiff::SignedDuration;

use crate::app::admin::{Request, Response};
use crate::app::undo::{InForce, Progress, Wanted};
use crate::domain::ids::IntentId;
use crate::domain::plan::FieldChange;
use crate::domain::record::Answer;
use crate::ports::clock::{Clock as _, SystemClock};

use super::incidents::{ask, user};
use super::since::Since;
use super::terminal::plain;
use super::{StateDir, runtime};

/// How often it is asked how far an undo has come.
const EVERY: SignedDuration = SignedDuration::from_millis(250);

/// How long one undo is waited for: planning, one write with its time limits, and reading back.
const PATIENCE: u32 = 4 * 180;

/// What to undo.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Acts from then on: a span back from now (`2h`, `30m`), a time of today (`02:00`, in UTC) or a moment
    #[arg(long, value_name = "WHEN")]
    since: Since,
    /// Only in this namespace (`shop`), or on this owner (`shop/web`)
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Put them back; without it, only show what that would change
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    state: StateDir,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let since = args.since.moment();
    let wanted = Wanted { since, scope: args.scope.clone() };
    let acts = match ask(&args.state, &Request::InForce(wanted))? {
        Response::InForce(acts) => acts,
        other => return refused(&other),
    };
    let mut out = std::io::stdout().lock();
    if acts.is_empty() {
        writeln!(out, "nothing that belay did since {since} is in force and can be put back")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut kept: Vec<IntentId> = Vec::new();
    for act in &acts {
        writeln!(out, "{}  {}  {}", act.at.strftime("%m-%d %H:%M:%S"), act.intent, plain(&act.did))?;
        let waits = act.after.as_ref().filter(|after| kept.contains(after) || !args.yes);
        let said = match waits {
            Some(after) if args.yes => Said::Stays(format!("what was done after it (`{after}`) stays")),
            Some(after) => Said::Would(vec![format!("to be told once `{after}` is put back")]),
            None => undo(args, act)?,
        };
        match said {
            Said::Would(lines) => lines.iter().try_for_each(|line| writeln!(out, "    {}", plain(line)))?,
            Said::Done => writeln!(out, "    put back")?,
            Said::Stays(why) => {
                kept.push(act.intent.clone());
                writeln!(out, "    STAYS: {}", plain(&why))?;
            }
        }
    }
    if !args.yes {
        writeln!(out, "nothing was changed; with `--yes` these are put back, the newest first")?;
    }
    Ok(if kept.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is said of one act.
enum Said {
    Would(Vec<String>),
    Done,
    Stays(String),
}

fn undo(args: &Args, act: &InForce) -> anyhow::Result<Said> {
    let waiting = runtime()?;
    let mut pressed = false;
    for _ in 0..PATIENCE {
        match ask(&args.state, &Request::Undo { intent: act.intent.clone() })? {
            Response::Undo(Progress::Done) => return Ok(Said::Done),
            Response::Undo(Progress::InForce(changes)) if !args.yes => {
                return Ok(Said::Would(lines(&changes)));
            }
            Response::Undo(Progress::InForce(_)) if !pressed => {
                let (incident, name) = (act.incident.to_string(), user());
                let press = Request::Answer { incident, answer: Answer::Revert, name };
                if let Response::Refused(why) = ask(&args.state, &press)? {
                    return Ok(Said::Stays(why));
                }
                pressed = true;
            }
            Response::Undo(Progress::InForce(_)) => {
                let see =
                    format!("belay did not put it back; `belay incidents show {}` says why", act.incident);
                return Ok(Said::Stays(see));
            }
            Response::Undo(Progress::Pending) => {}
            Response::Undo(Progress::Refused(why)) | Response::Refused(why) => return Ok(Said::Stays(why)),
            other => return Ok(Said::Stays(format!("the daemon answered something else: {other:?}"))),
        }
        let later = SystemClock.now().saturating_add(EVERY)?;
        waiting.block_on(SystemClock.sleep_until(later));
    }
    Ok(Said::Stays("it takes too long; `belay incidents show` tells how it goes on".to_owned()))
}

/// Each field as it is and as it would be.
fn lines(changes: &[FieldChange]) -> Vec<String> {
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "(not there)".to_owned());
    changes.iter().map(|c| format!("{}: {} -> {}", c.path, value(&c.from), value(&c.to))).collect()
}

fn refused(response: &Response) -> anyhow::Result<ExitCode> {
    super::terminal::print(response, super::policy::explained::Show::default())?;
    Ok(ExitCode::FAILURE)
}
