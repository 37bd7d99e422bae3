//! `belay rbac`: the roles that the action server needs for what it is to do, and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::app::build;
use crate::config::{self, LimitsConfig};
use crate::domain::action::ActionKind;
use crate::domain::action::rights::{self, REHEARSE, Resource, Right};
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::policy;

/// What is to be done, where, and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For these actions; those that the policy grants at level 2 or above unless given
    #[arg(long, value_delimiter = ',', value_name = "ACTION")]
    actions: Vec<String>,
    /// For every action
    #[arg(long, conflicts_with = "actions")]
    all: bool,
    /// In these namespaces; `limits.namespaces` of the configuration unless given
    #[arg(long, value_delimiter = ',', value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// The job templates that `run_job` runs: files, or folders of them; those of the configuration unless given
    #[arg(long, value_delimiter = ',', value_name = "PATH")]
    jobs: Vec<PathBuf>,
    /// The account that belay writes with
    #[arg(long, default_value = "belay/belay", value_name = "NAMESPACE/NAME")]
    service_account: Account,
    /// The folder with the policy files; that of the configuration unless given
    #[arg(long, value_name = "DIR", conflicts_with_all = ["actions", "all"])]
    policies: Option<PathBuf>,
    /// The daemon's configuration: its `limits` and `policies`
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which cluster of the configuration; its first one unless given
    #[arg(long, value_name = "NAME", requires = "config")]
    cluster: Option<String>,
}

/// A service account.
#[derive(Debug, Clone)]
struct Account {
    namespace: String,
    name: String,
}

impl std::str::FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if is_dns_label(namespace) && is_dns_name(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err("give it as `NAMESPACE/NAME`, as in `belay/belay-actions`".to_owned()),
        }
    }
}

/// The name of every role.
const ROLE: &str = "belay-writer";

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.config.as_deref().map(config::load).transpose()?;
    let site = config.as_ref().map(|config| config.site(args.cluster.as_deref())).transpose()?;
    let limits = site.map(|site| site.limits);
    let own = config.as_ref().map(|config| config.policies.as_path());
    let Some(kinds) = kinds(args, own, limits)? else { return Ok(ExitCode::FAILURE) };
    let namespaces = namespaces(args, limits)?;
    let apart = apart(args, limits, &kinds, &namespaces)?;
    write!(std::io::stdout().lock(), "{}", manifest(&kinds, (&namespaces, &apart), &args.service_account)?)?;
    Ok(ExitCode::SUCCESS)
}

/// What is needed in each namespace besides: that of jobs, by what their templates say.
fn apart(
    args: &Args,
    limits: Option<&LimitsConfig>,
    kinds: &BTreeSet<ActionKind>,
    namespaces: &BTreeSet<String>,
) -> anyhow::Result<BTreeMap<String, BTreeSet<Right>>> {
    if !kinds.contains(&ActionKind::RunJob) {
        return Ok(BTreeMap::new());
    }
    let mut limits = limits.cloned().unwrap_or_default();
    limits.namespaces = namespaces.iter().cloned().collect();
    if !args.jobs.is_empty() {
        limits.jobs.clone_from(&args.jobs);
    }
    ensure!(
        !limits.jobs.is_empty(),
        "what `run_job` needs is said by its templates: name them with `--jobs`, or give the `--config` whose \
         `limits.jobs` has some"
    );
    let jobs = build::templates(&limits, &BTreeMap::new())?;
    Ok(namespaces.iter().map(|namespace| (namespace.clone(), jobs.needs(namespace))).collect())
}

/// The kinds that are asked for; `None` where the policy is unsound, which was printed.
fn kinds(
    args: &Args,
    own: Option<&Path>,
    limits: Option<&LimitsConfig>,
) -> anyhow::Result<Option<BTreeSet<ActionKind>>> {
    if args.all {
        let mut all: BTreeSet<ActionKind> = ActionKind::ALL.into();
        if args.jobs.is_empty() && limits.is_none_or(|limits| limits.jobs.is_empty()) {
            // without a template there is nothing to run
            all.remove(&ActionKind::RunJob);
        }
        return Ok(Some(all));
    }
    if !args.actions.is_empty() {
        return args.actions.iter().map(|name| named(name)).collect::<Result<_, _>>().map(Some);
    }
    let dir = args.policies.as_deref().or(own);
    let dir = dir
        .context("name the actions with `--actions`, or what grants them with `--policies` or `--config`")?;
    let Some(set) = super::policy::load(dir)? else { return Ok(None) };
    let mut kinds = policy::granted(&set);
    if let Some(limits) = limits {
        let possible = build::exercised(limits)?;
        kinds.retain(|kind| possible.contains(kind));
    }
    ensure!(!kinds.is_empty(), "no grant in `{}` allows anything that belay could write", dir.display());
    Ok(Some(kinds))
}

/// The kind of this name.
fn named(name: &str) -> anyhow::Result<ActionKind> {
    let known = ActionKind::ALL.map(ActionKind::name);
    ActionKind::from_name(name)
        .with_context(|| format!("there is no action `{name}`: {}", policy::meant(name, &known)))
}

fn namespaces(args: &Args, limits: Option<&LimitsConfig>) -> anyhow::Result<BTreeSet<String>> {
    let given = match (args.namespaces.as_slice(), limits) {
        ([], Some(limits)) => &limits.namespaces,
        (given, _) => given,
    };
    if let Some(wrong) = given.iter().find(|name| !is_dns_label(name)) {
        bail!("`{wrong}` is not the name of a namespace");
    }
    Ok(given.iter().cloned().collect())
}

/// The roles and their bindings, as YAML documents.
fn manifest(
    kinds: &BTreeSet<ActionKind>,
    (namespaces, apart): (&BTreeSet<String>, &BTreeMap<String, BTreeSet<Right>>),
    account: &Account,
) -> anyhow::Result<String> {
    let all = kinds.iter().copied().filter(|kind| *kind != ActionKind::RunJob);
    let (inside, everywhere): (BTreeSet<Right>, BTreeSet<Right>) =
        rights::of(all).into_iter().partition(|right| right.resource.namespaced);
    let jobs = kinds.contains(&ActionKind::RunJob);
    ensure!(
        (inside.is_empty() && !jobs) || !namespaces.is_empty(),
        "name the namespaces with `--namespaces`, or give the `--config` whose `limits.namespaces` has some"
    );
    let mut text = head(kinds, inside.contains(&REHEARSE))?;
    let mut documents = Vec::new();
    for namespace in namespaces {
        let besides = apart.get(namespace).into_iter().flatten();
        let here: BTreeSet<Right> = inside.iter().chain(besides).copied().collect();
        if !here.is_empty() {
            documents.push(role("Role", Some(namespace), &here)?);
            documents.push(binding("Role", Some(namespace), account));
        }
    }
    if !everywhere.is_empty() {
        documents.push(role("ClusterRole", None, &everywhere)?);
        documents.push(binding("ClusterRole", None, account));
    }
    text.push_str(&documents.join("---\n"));
    Ok(text)
}

fn head(kinds: &BTreeSet<ActionKind>, rehearses: bool) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "# Made by `belay rbac`. Do not edit it: make it anew. What the action server needs for\n",
    );
    for kind in kinds {
        writeln!(text, "#   {}", kind.name())?;
    }
    text.push_str(
        "# and nothing more. An account that may do less, or more, is refused when belay starts.\n\
         # Where the action server has an identity of its own (`cluster.writeTokenFile`), that account is the subject\n\
         # (`--service-account`), and the one that `belay policy admission --identity` has to name.\n",
    );
    if rehearses {
        text.push_str(
            "#\n# `create` on pods is for one request alone: the dry run that shows that new pods would be admitted before\n\
             # any of the old ones goes. RBAC cannot tell a dry run from a real one; belay's code sends no other, and what\n\
             # `belay policy admission` prints lets no other through.\n",
        );
    }
    Ok(text)
}

/// Where the object is, as a part of its metadata.
fn place(namespace: Option<&str>) -> String {
    namespace.map(|namespace| format!(", namespace: {namespace}")).unwrap_or_default()
}

fn role(kind: &str, namespace: Option<&String>, rights: &BTreeSet<Right>) -> Result<String, std::fmt::Error> {
    let place = place(namespace.map(String::as_str));
    let mut text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{ name: {ROLE}{place} }}\nrules:\n"
    );
    for (group, resources, verbs) in rules(rights) {
        let group = if group.is_empty() { "\"\"" } else { group };
        let (resources, verbs) = (resources.join(", "), verbs.join(", "));
        writeln!(text, "  - {{ apiGroups: [{group}], resources: [{resources}], verbs: [{verbs}] }}")?;
    }
    Ok(text)
}

type Rule = (&'static str, Vec<&'static str>, Vec<&'static str>);

/// Rights as rules: resources of one group with the same verbs stand together, in a fixed order.
fn rules(rights: &BTreeSet<Right>) -> Vec<Rule> {
    let resources: BTreeSet<Resource> = rights.iter().map(|right| right.resource).collect();
    let mut rules: Vec<Rule> = Vec::new();
    for resource in resources {
        let verbs: Vec<&str> =
            rights.iter().filter(|right| right.resource == resource).map(|right| right.verb.name()).collect();
        let same = rules.iter_mut().find(|(group, _, also)| *group == resource.group && *also == verbs);
        match same {
            Some((_, resources, _)) => resources.push(resource.name),
            None => rules.push((resource.group, vec![resource.name], verbs)),
        }
    }
    rules
}

fn binding(kind: &str, namespace: Option<&String>, account: &Account) -> String {
    let place = place(namespace.map(String::as_str));
    let Account { namespace, name } = account;
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\nmetadata: {{ name: {ROLE}{place} }}\n\
         roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {ROLE} }}\n\
         subjects:\n  - {{ kind: ServiceAccount, name: {name}, namespace: {namespace} }}\n"
    )
}
