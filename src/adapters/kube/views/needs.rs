//! What a pod's spec asks of the cluster: amounts, nodes, and what has to be there before it starts.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::map;
use crate::domain::cluster::How;
use crate::domain::quantity;
use crate::domain::surroundings::{Amounts, Holder, Needs, Reference, Requirement, Toleration};

/// What this spec asks for.
pub fn needs(spec: &core::PodSpec) -> Needs {
    let affinity = spec.affinity.as_ref();
    let required = affinity
        .and_then(|a| a.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref());
    let claims = spec.volumes.iter().flatten();
    Needs {
        requests: sum(spec, requests),
        limits: sum(spec, |container| container.resources.as_ref().and_then(|r| r.limits.clone())),
        tolerations: spec.tolerations.iter().flatten().map(toleration).collect(),
        node_selector: map(spec.node_selector.as_ref()),
        affinity: required.iter().flat_map(|r| &r.node_selector_terms).map(term).collect(),
        among_pods: affinity.is_some_and(|a| a.pod_affinity.is_some() || a.pod_anti_affinity.is_some())
            || spec.topology_spread_constraints.as_ref().is_some_and(|all| !all.is_empty()),
        refers: references(spec),
        claims: claims
            .filter_map(|v| v.persistent_volume_claim.as_ref().map(|c| c.claim_name.clone()))
            .collect(),
        pull_secrets: spec.image_pull_secrets.iter().flatten().map(|s| s.name.clone()).collect(),
    }
}

type Quantities = BTreeMap<String, Quantity>;

/// Without a request, a limit is one.
fn requests(container: &core::Container) -> Option<Quantities> {
    let resources = container.resources.as_ref()?;
    let mut all = resources.limits.clone().unwrap_or_default();
    all.extend(resources.requests.clone().unwrap_or_default());
    Some(all)
}

/// Thousandths of each resource.
pub fn amounts(quantities: &Quantities) -> Amounts {
    let read =
        |(name, quantity): (&String, &Quantity)| Some((name.clone(), quantity::thousandths(&quantity.0)?));
    quantities.iter().filter_map(read).collect()
}

/// The containers' sum, or an init container's own where that is more: they run one after the other, and before.
fn sum(spec: &core::PodSpec, of: impl Fn(&core::Container) -> Option<Quantities>) -> Amounts {
    let mut total = Amounts::new();
    for container in &spec.containers {
        for (name, amount) in of(container).map(|q| amounts(&q)).unwrap_or_default() {
            let slot = total.entry(name).or_insert(0);
            *slot = slot.saturating_add(amount);
        }
    }
    for container in spec.init_containers.iter().flatten() {
        for (name, amount) in of(container).map(|q| amounts(&q)).unwrap_or_default() {
            let slot = total.entry(name).or_insert(0);
            *slot = (*slot).max(amount);
        }
    }
    total
}

fn toleration(t: &core::Toleration) -> Toleration {
    Toleration {
        key: t.key.clone().unwrap_or_default(),
        value: t.value.clone().unwrap_or_default(),
        exists: t.operator.as_deref() == Some("Exists"),
        effect: t.effect.clone().unwrap_or_default(),
    }
}

fn term(term: &core::NodeSelectorTerm) -> Vec<Requirement> {
    let read = |field: bool| {
        move |r: &core::NodeSelectorRequirement| Requirement {
            key: r.key.clone(),
            operator: r.operator.clone(),
            values: r.values.clone().unwrap_or_default(),
            field,
        }
    };
    let labels = term.match_expressions.iter().flatten().map(read(false));
    labels.chain(term.match_fields.iter().flatten().map(read(true))).collect()
}

/// Each ConfigMap and Secret, key by key, as often as it is named in different ways.
fn references(spec: &core::PodSpec) -> Vec<Reference> {
    let containers = || spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut found: Vec<Reference> = containers().flat_map(environment).collect();
    for volume in spec.volumes.iter().flatten() {
        let copied = containers().flat_map(|c| c.volume_mounts.iter().flatten()).any(|mount| {
            mount.name == volume.name && (mount.sub_path.is_some() || mount.sub_path_expr.is_some())
        });
        found.extend(files(volume, if copied { How::Copied } else { How::Files }));
    }
    found.retain(|one| !one.name.is_empty());
    found.sort();
    found.dedup();
    found
}

fn environment(container: &core::Container) -> Vec<Reference> {
    let refer = |holder, name: &str, key: Option<&String>, optional: Option<bool>| Reference {
        holder,
        name: name.to_owned(),
        key: key.cloned(),
        how: How::Environment,
        optional: optional.unwrap_or(false),
    };
    let mut found = Vec::new();
    for from in container.env_from.iter().flatten() {
        found.extend(
            from.config_map_ref.as_ref().map(|r| refer(Holder::ConfigMap, &r.name, None, r.optional)),
        );
        found.extend(from.secret_ref.as_ref().map(|r| refer(Holder::Secret, &r.name, None, r.optional)));
    }
    for source in container.env.iter().flatten().filter_map(|one| one.value_from.as_ref()) {
        let config = source.config_map_key_ref.as_ref();
        found.extend(config.map(|r| refer(Holder::ConfigMap, &r.name, Some(&r.key), r.optional)));
        let secret = source.secret_key_ref.as_ref();
        found.extend(secret.map(|r| refer(Holder::Secret, &r.name, Some(&r.key), r.optional)));
    }
    found
}

/// The objects of a volume, with the keys that it picks.
fn files(volume: &core::Volume, how: How) -> Vec<Reference> {
    type Picked<'a> = Option<&'a Vec<core::KeyToPath>>;
    fn each(
        holder: Holder,
        name: &str,
        keys: Picked<'_>,
        optional: Option<bool>,
        how: How,
    ) -> Vec<Reference> {
        let one = |key: Option<&String>| Reference {
            holder,
            name: name.to_owned(),
            key: key.cloned(),
            how,
            optional: optional.unwrap_or(false),
        };
        match keys.filter(|keys| !keys.is_empty()) {
            Some(keys) => keys.iter().map(|item| one(Some(&item.key))).collect(),
            None => vec![one(None)],
        }
    }
    let mut found = Vec::new();
    if let Some(c) = &volume.config_map {
        found.extend(each(Holder::ConfigMap, &c.name, c.items.as_ref(), c.optional, how));
    }
    if let Some(s) = &volume.secret {
        let name = s.secret_name.as_deref().unwrap_or_default();
        found.extend(each(Holder::Secret, name, s.items.as_ref(), s.optional, how));
    }
    for source in volume.projected.iter().flat_map(|p| p.sources.iter().flatten()) {
        if let Some(c) = &source.config_map {
            found.extend(each(Holder::ConfigMap, &c.name, c.items.as_ref(), c.optional, how));
        }
        if let Some(s) = &source.secret {
            found.extend(each(Holder::Secret, &s.name, s.items.as_ref(), s.optional, how));
        }
    }
    found
}
