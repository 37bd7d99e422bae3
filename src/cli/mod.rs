//! The command line. One file a subcommand; each says on standard error what went wrong and what to do.

mod ask;
mod audit;
mod completions;
mod demo;
mod diagnose;
mod doctor;
mod eval;
mod incidents;
mod mcp;
mod pause;
mod pin;
mod policy;
mod rbac;
mod recorded;
mod replay;
mod revert;
mod serve;
mod since;
mod terminal;
mod track;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An on-call agent on a rope: it takes Alertmanager webhooks, diagnoses, acts within policy, and a
/// human can always see, stop and undo.
#[derive(Debug, Parser)]
#[command(name = "belay", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch a simulated cluster break and belay mend it; no cluster, no keys, no network
    Demo(demo::Args),
    /// Say what is wrong in a cluster: the analysers alone, which only read
    Diagnose(diagnose::Args),
    /// Say how everything is that belay looks through, and what it would decide blindly
    Doctor(doctor::Args),
    /// Run the daemon
    Serve(serve::Args),
    /// See incidents and answer them
    Incidents(incidents::Args),
    /// Ask a question about a cluster; it is only read
    Ask(ask::Args),
    /// Have recorded investigations again, with other prompts or another model, and compare
    Eval(eval::Args),
    /// Put back what belay did since a moment, the newest first
    Revert(revert::Args),
    /// Pause acting: no new write begins once this returns
    Pause(pause::PauseArgs),
    /// Lift a pause
    Resume(pause::ResumeArgs),
    /// Check policy files and try them out
    Policy(policy::Args),
    /// See what grants have earned; sign promotions and reports, judge acts, reset what was demoted
    Track(track::Args),
    /// Check and export the journal
    Audit(audit::Args),
    /// See what is recorded of ConfigMaps, Services and workloads from before a fault
    Recorded(recorded::Args),
    /// Print the Kubernetes roles that the action server needs, and nothing more
    Rbac(rbac::Args),
    /// Serve belay's MCP servers
    Mcp(mcp::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Where the daemon keeps its state.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StateDir {
    /// The daemon's state directory
    #[arg(long, global = true, env = "BELAY_STATE_DIR", default_value = "belay-state", value_name = "DIR")]
    state_dir: PathBuf,
}

/// Parses the arguments, does what they ask, and says what went wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail(&anyhow::anyhow!("the TLS provider was installed twice"));
    }
    match run(cli.command) {
        Ok(code) => code,
        // whoever reads has read enough: `belay … | head`
        Err(e) if e.chain().any(is_closed_pipe) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

fn is_closed_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Diagnose(args) => Ok(diagnose::run(&args)),
        Command::Doctor(args) => Ok(doctor::run(&args)),
        Command::Serve(args) => serve::run(&args),
        Command::Incidents(args) => incidents::run(args),
        Command::Ask(args) => ask::run(args),
        Command::Eval(args) => eval::run(&args),
        Command::Revert(args) => revert::run(&args),
        Command::Pause(args) => pause::pause(args),
        Command::Resume(args) => pause::resume(args),
        Command::Policy(args) => policy::run(&args),
        Command::Track(args) => track::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Recorded(args) => recorded::run(args),
        Command::Rbac(args) => rbac::run(&args),
        Command::Mcp(args) => mcp::run(args),
        Command::Completions(args) => Ok(completions::run(&args)),
    }
}

/// A runtime for a short command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[expect(clippy::print_stderr, reason = "the one place where a failed command says why")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("belay: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::FAILURE
}
