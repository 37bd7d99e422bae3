//! `belay policy admission`: the API server as second witness.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::app::build;
use crate::config::{self, LimitsConfig};
use crate::domain::action::job::Template;
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
    /// The job templates that `run_job` runs (`limits.jobs`): files, or folders of them
    #[arg(long, value_delimiter = ',', value_name = "PATH")]
    jobs: Vec<PathBuf>,
    /// Print the stop policy instead: it denies this identity everything, at once
    #[arg(long)]
    stop: bool,
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let Args { identity, cluster, namespaces, nodes, max_replicas, max_replica_delta, jobs, stop } = args;
    let bounds = Bounds {
        identity: identity.clone(),
        cluster: cluster.clone(),
        namespaces: namespaces.clone(),
        nodes: *nodes,
        max_replicas: *max_replicas,
        max_replica_delta: *max_replica_delta,
        jobs: places(jobs)?,
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

/// The namespaces and service accounts of these templates. They are held to the limits where they are run.
fn places(jobs: &[PathBuf]) -> anyhow::Result<BTreeSet<(String, String)>> {
    let read: Vec<(String, Template)> = config::documents(jobs)?;
    let namespaces = read.iter().map(|(_, template)| template.spec.namespace.clone()).collect();
    let limits = LimitsConfig { namespaces, jobs: jobs.to_vec(), ..LimitsConfig::default() };
    Ok(build::templates(&limits, &BTreeMap::new())?.places())
}
