//! Evidence of what surrounds the owner, and what of it could not be read. Names and numbers come first; what kubelet
//! and scheduler say of its pods is text.

use super::evidence::{Book, Key};
use crate::domain::cluster::{ContainerState, Pod, Snapshot};
use crate::domain::evidence::Source;
use crate::domain::surroundings::{ClaimPhase, JobRun, Node, Referred, Surroundings};

/// As many rows as a person reads; the findings say what matters of the others.
const ROWS: usize = 10;

/// What was read around the owner.
pub fn gather(book: &mut Book, snapshot: &Snapshot) {
    let Surroundings { nodes, quotas, claims, configs, secrets, policies, certificates, jobs } =
        &snapshot.around;
    let mut add = |key: Key, title: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            let shown: Vec<String> = rows.into_iter().take(ROWS).collect();
            book.add(snapshot.at, key, Source::Api, (title.to_owned(), &shown.join("\n")));
        }
    };
    add(Key::Nodes, "nodes", nodes.iter().flatten().map(of_node).collect());
    let budgets = snapshot.budgets.iter().flatten().filter(|budget| budget.allowed == 0);
    let row = |b: &crate::domain::cluster::Budget| {
        format!("{}: allows {}, {} of {} well", b.name, b.allowed, b.healthy, b.desired)
    };
    add(Key::Budgets, "disruption budgets that allow nothing", budgets.map(row).collect());
    let of_quota = |q: &crate::domain::surroundings::Quota| {
        let parts = q
            .hard
            .iter()
            .map(|(of, hard)| format!("{of} {} of {hard}", q.used.get(of).map_or("0", String::as_str)));
        format!("{}: {}", q.name, parts.collect::<Vec<_>>().join(", "))
    };
    add(Key::Quotas, "quotas", quotas.iter().flatten().map(of_quota).collect());
    let of_claim = |c: &crate::domain::surroundings::Claim| {
        format!(
            "{}: {}{}",
            c.name,
            phase(c.phase),
            c.class.as_ref().map_or(String::new(), |class| format!(", class {class}"))
        )
    };
    add(Key::Claims, "volume claims", claims.iter().flatten().map(of_claim).collect());
    let configs = configs.iter().flatten().map(|one| of_referred("ConfigMap", one));
    let secrets = secrets.iter().flatten().map(|one| of_referred("Secret", one));
    add(Key::Refers, "what its pods refer to", configs.chain(secrets).collect());
    let rules = |n: Option<u32>, way: &str| n.map(|n| format!("{n} rules for what {way}"));
    let of_policy = |p: &crate::domain::surroundings::NetPolicy| {
        let parts = [rules(p.ingress, "comes in"), rules(p.egress, "goes out")];
        format!("{}: {}", p.name, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    add(Key::Policies, "network policies over its pods", policies.iter().flatten().map(of_policy).collect());
    let of_certificate = |c: &crate::domain::surroundings::Certificate| {
        format!(
            "{}: until {}",
            c.name,
            c.not_after.map_or_else(|| "nobody knows when".to_owned(), |at| at.to_string())
        )
    };
    add(Key::Certificates, "certificates", certificates.iter().flatten().map(of_certificate).collect());
    add(Key::Jobs, "jobs", jobs.iter().flatten().map(of_job).collect());
}

/// What kubelet and scheduler say of these pods.
pub fn said(book: &mut Book, snapshot: &Snapshot, pods: &[&Pod]) {
    let mut rows = Vec::new();
    for pod in pods {
        let name = &pod.object.named.name;
        let unscheduled = pod.unscheduled.as_ref().map(|c| &c.message).filter(|m| !m.is_empty());
        rows.extend(unscheduled.map(|message| format!("{name}: {message}")));
        for container in &pod.containers {
            if let ContainerState::Waiting { message, .. } = &container.state
                && !message.is_empty()
            {
                rows.push(format!("{name}/{}: {message}", container.name));
            }
        }
    }
    if !rows.is_empty() {
        rows.truncate(3);
        let title = "what is said of its pods".to_owned();
        book.add(snapshot.at, Key::Said, Source::Events, (title, &rows.join("\n")));
    }
}

/// The parts that could not be read. A snapshot from before they were read lacks none.
pub fn missing(around: &Surroundings) -> Vec<(&'static str, Option<&String>)> {
    if around.unasked() {
        return vec![];
    }
    let Surroundings { nodes, quotas, claims, configs, secrets, policies, certificates, jobs } = around;
    vec![
        ("its nodes", nodes.as_ref().err()),
        ("the quotas", quotas.as_ref().err()),
        ("its volume claims", claims.as_ref().err()),
        ("its ConfigMaps' metadata", configs.as_ref().err()),
        ("its Secrets' metadata", secrets.as_ref().err()),
        ("the network policies", policies.as_ref().err()),
        ("its certificates", certificates.as_ref().err()),
        ("its jobs", jobs.as_ref().err()),
    ]
}

fn of_node(node: &Node) -> String {
    let conditions = node.conditions.iter().map(|c| format!("{}={}", c.name, c.status));
    let taints = node.taints.iter().map(|taint| format!("taint {}:{}", taint.key, taint.effect));
    let cordoned = node.cordoned.then(|| "cordoned".to_owned());
    let parts: Vec<String> = conditions.chain(cordoned).chain(taints).collect();
    format!("{}: {}", node.object.named.name, parts.join(", "))
}

const fn phase(phase: ClaimPhase) -> &'static str {
    match phase {
        ClaimPhase::Bound => "bound",
        ClaimPhase::Pending => "not bound",
        ClaimPhase::Lost => "its volume is gone",
        ClaimPhase::Missing => "there is no such claim",
    }
}

fn of_referred(kind: &str, one: &Referred) -> String {
    match &one.found {
        None => format!("{kind} {}: there is none", one.name),
        Some(meta) => {
            let changed = meta.changed.map_or_else(String::new, |at| format!(", changed {at}"));
            format!("{kind} {}: there{changed}", one.name)
        }
    }
}

fn of_job(run: &JobRun) -> String {
    let end = match (&run.failed, run.completed) {
        (Some(why), _) => format!("failed ({why})"),
        (None, Some(at)) => format!("complete {at}"),
        (None, None) => format!("{} pods at work", run.active),
    };
    let started = run.started.map_or_else(String::new, |at| format!(" since {at}"));
    format!("{}: {end}{started}", run.object.named.name)
}
