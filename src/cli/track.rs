//! `belay track`: what each grant has earned, and what only a named person can do about it.

use std::process::ExitCode;

use clap::{ArgGroup, Subcommand, ValueEnum};

use crate::app::TrackAsk;
use crate::app::admin::Request;
use crate::domain::ids::{GrantId, IntentId};
use crate::domain::track::Judgement;

use super::StateDir;
use super::incidents::{json, send, user};

/// What about the track records.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    state: StateDir,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

/// What an act turned out to be.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Verdict {
    /// Nothing was wrong: there was nothing to act on
    FalsePositive,
    /// It did harm
    Harmful,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What each grant has earned, and what its next level takes
    Show,
    /// Sign a grant's promotion by one level; it must have proved itself
    Promote {
        /// The grant
        grant: String,
        /// The environment in which it is promoted
        #[arg(long)]
        environment: String,
        /// Why, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
    /// End a grant's demotion (it begins anew at level 2), or close the breaker
    #[command(group = ArgGroup::new("which").required(true).args(["grant", "breaker"]))]
    Reset {
        /// The grant
        grant: Option<String>,
        /// The breaker instead
        #[arg(long)]
        breaker: bool,
        /// Why, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
    /// Say what an act turned out to be
    Judge {
        /// The act's intent, as `belay incidents show` names it
        intent: String,
        /// What it was
        verdict: Verdict,
        /// Why, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
    /// Sign a weekly report
    Sign {
        /// The report's name
        report: String,
    },
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let ask = match args.what {
        What::Show => TrackAsk::Show,
        What::Promote { grant, environment, reason } => {
            TrackAsk::Promote { grant: GrantId::new(grant), environment, reason }
        }
        What::Reset { grant: Some(grant), reason, .. } => {
            TrackAsk::ResetGrant { grant: GrantId::new(grant), reason }
        }
        What::Reset { grant: None, reason, .. } => TrackAsk::ResetBreaker { reason },
        What::Judge { intent, verdict, reason } => {
            let judgement = match verdict {
                Verdict::FalsePositive => Judgement::FalsePositive,
                Verdict::Harmful => Judgement::Harmful,
            };
            TrackAsk::Judge { intent: IntentId::new(intent), judgement, reason }
        }
        What::Sign { report } => TrackAsk::Sign { report },
    };
    let request = Request::Track { what: ask, name: user() };
    if args.json { json(&args.state, &request) } else { send(&args.state, &request) }
}
