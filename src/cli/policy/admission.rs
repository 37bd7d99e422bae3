//! `belay policy admission`: the API server as second witness.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::config::LimitsConfig;
use crate::policy::{self, Bounds};

/// Who is held to it, and the bounds that hold whatever a policy says.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The identity that belay writes with
    #[arg(long, default_value = "system:serviceaccount:belay:belay", value_name = "USER")]
    identity: String,
    /// The cluster's name in policies
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only in these namespaces (`limits.namespaces`); all that the policy allows unless given
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// Nodes, too (`limits.nodes`)
    #[arg(long)]
    nodes: bool,
    /// The most replicas (`limits.maxReplicas`)
    #[arg(long, default_value_t = LimitsConfig::default().max_replicas, value_name = "N")]
    max_replicas: u32,
    /// The largest step in replicas (`limits.maxReplicaDelta`)
    #[arg(long, default_value_t = LimitsConfig::default().max_replica_delta, value_name = "N")]
    max_replica_delta: u32,
    /// Print the stop policy instead: it denies this identity everything, at once
    #[arg(long)]
    stop: bool,
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let Args { identity, cluster, namespaces, nodes, max_replicas, max_replica_delta, stop } = args;
    let bounds = Bounds {
        identity: identity.clone(),
        cluster: cluster.clone(),
        namespaces: namespaces.clone(),
        nodes: *nodes,
        max_replicas: *max_replicas,
        max_replica_delta: *max_replica_delta,
    };
    let mut out = std::io::stdout().lock();
    if *stop {
        // it must be there when it is needed, with no policy at hand that loads
        write!(out, "{}", policy::stop(&bounds).map_err(anyhow::Error::msg)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let files = super::files(dir)?;
    let Some(set) = super::load(dir)? else { return Ok(ExitCode::FAILURE) };
    write!(out, "{}", policy::admission(&set, &files, &bounds).map_err(anyhow::Error::msg)?)?;
    Ok(ExitCode::SUCCESS)
}
