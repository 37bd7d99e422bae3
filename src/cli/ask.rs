//! `belay ask`: a question about a cluster, answered by the model with read-only tools, with what it rests on.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use crate::adapters::terminal::paragraph;
use crate::app::admin::{self, Request, Response};
use crate::app::{Inquire, Inquired};
use crate::domain::evidence::Evidence;
use crate::domain::record::Said;

use super::incidents::{json, send, unreached, user};
use super::terminal::{look, plain};
use super::{StateDir, runtime};

/// What to do about something that was asked to be changed.
const HOW_TO_PROPOSE: &str = "belay ask only reads. What may be done about an open incident is proposed there: \
     `belay incidents list` names them, `belay incidents show` tells what is proposed, and `belay incidents approve` \
     has it done within the policy.";

/// A question about a cluster.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The question: "why is checkout returning 500s?"
    #[arg(required_unless_present = "cited", conflicts_with = "cited")]
    question: Option<String>,
    /// Read only this namespace; may be given several times
    #[arg(short, long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// The cluster, where there are several
    #[arg(long)]
    cluster: Option<String>,
    /// The incident that it is about, or the beginning of its name
    #[arg(long)]
    incident: Option<String>,
    /// The conversation to go on with, as the last answer named it
    #[arg(long = "in", value_name = "CONVERSATION", conflicts_with_all = ["namespaces", "cluster", "incident"])]
    conversation: Option<String>,
    /// Print the whole of what an answer cites instead: `inquiry-5f3a9c21d0/t2`
    #[arg(long, value_name = "CONVERSATION/ID")]
    cited: Option<String>,
    #[command(flatten)]
    state: StateDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(cited) = &args.cited {
        let (conversation, evidence) = cited
            .split_once('/')
            .ok_or_else(|| anyhow::anyhow!("`{}` is not `CONVERSATION/ID`", plain(cited)))?;
        let (conversation, evidence) = (conversation.to_owned(), evidence.to_owned());
        return send(&args.state, &Request::Cited { conversation, evidence });
    }
    let inquire = Inquire {
        question: args.question.unwrap_or_default(),
        cluster: args.cluster,
        namespaces: args.namespaces.into_iter().collect::<BTreeSet<_>>(),
        incident: args.incident,
        conversation: args.conversation,
    };
    let request = Request::Inquire { inquire, name: user() };
    if args.json {
        return json(&args.state, &request);
    }
    let told = |line: &str| {
        // for whoever waits, and not for what reads the answer
        if io::stderr().is_terminal() {
            writeln!(io::stderr().lock(), "  reading {}", plain(line))
        } else {
            Ok(())
        }
    };
    let asking = admin::ask_hearing(&args.state.state_dir, &request, told);
    match runtime()?.block_on(asking).map_err(|e| unreached(&args.state, e))? {
        Response::Inquired(inquired) => {
            write!(io::stdout().lock(), "{}", rendered(&inquired, look().width))?;
            Ok(code(&inquired.said))
        }
        Response::Refused(why) => {
            writeln!(io::stderr().lock(), "belay: {}", plain(&why))?;
            Ok(ExitCode::FAILURE)
        }
        _ => anyhow::bail!("the daemon answered something else than was asked"),
    }
}

const fn code(said: &Said) -> ExitCode {
    match said {
        Said::Answer { .. } => ExitCode::SUCCESS,
        Said::CannotTell { .. } | Said::OnlyReads { .. } | Said::Nothing { .. } => ExitCode::FAILURE,
    }
}

/// What a person reads.
fn rendered(inquired: &Inquired, width: usize) -> String {
    let Inquired { conversation, said, cited, tokens: _ } = inquired;
    let said = match said {
        Said::Answer { text, .. } => text.clone(),
        Said::CannotTell { reason } => format!("It cannot be told from what may be read: {reason}"),
        Said::OnlyReads { reason } => format!("{HOW_TO_PROPOSE}\nWhat the model says of it: {reason}"),
        Said::Nothing { why } => format!("There is no answer: {why}"),
    };
    let mut blocks = vec![said];
    if !cited.is_empty() {
        let line = |evidence: &Evidence| format!("  {}  {}\n", evidence.id, evidence.title);
        blocks.push(format!("It rests on:\n{}", cited.iter().map(line).collect::<String>()));
    }
    let example = cited.first().map_or("t1", |evidence| evidence.id.as_str());
    blocks.push(format!(
        "To go on: belay ask --in {conversation} \"…\"\nTo see what it cites: belay ask --cited {conversation}/{example}"
    ));
    let set = |block: &String| block.lines().map(|line| set(line, width)).collect::<String>();
    blocks.iter().map(set).collect::<Vec<_>>().join("\n")
}

/// One line of a text, its indentation kept.
fn set(line: &str, width: usize) -> String {
    let lead = if line.starts_with("  ") { "  " } else { "" };
    paragraph(lead, &plain(line.trim_start()), width)
}
