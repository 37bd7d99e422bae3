//! What a service mesh measures of calls: fixed PromQL over the standard metrics, with a namespace that was checked as
//! the only thing put in.
//!
//! Istio: `istio_requests_total` with its standard labels (istio.io, *Istio Standard Metrics*), as the caller's proxy
//! reports them. Linkerd: `response_total` of outbound traffic (linkerd.io, *Proxy Metrics*) with the labels that its
//! Prometheus configuration adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use jiff::Timestamp;

use crate::domain::service_map::{Edge, Flow, Teller};
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::domain::trace::Place;
use crate::ports::reads::{Metrics, ReadError, Sample};

/// Which mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names")]
pub enum Mesh {
    Istio,
    Linkerd,
}

/// How a mesh names things.
struct Names {
    metric: &'static str,
    /// Of the reports, those of the caller's side.
    side: &'static str,
    /// What failed.
    failed: &'static str,
    from: [&'static str; 2],
    to: [&'static str; 2],
    /// What was called, where no workload answered.
    or_to: Option<[&'static str; 2]>,
    teller: Teller,
}

const ISTIO: Names = Names {
    metric: "istio_requests_total",
    side: r#"reporter="source""#,
    failed: r#"response_code=~"5..""#,
    from: ["source_workload_namespace", "source_workload"],
    to: ["destination_workload_namespace", "destination_workload"],
    or_to: Some(["destination_service_namespace", "destination_service_name"]),
    teller: Teller::Istio,
};

const LINKERD: Names = Names {
    metric: "response_total",
    side: r#"direction="outbound""#,
    failed: r#"classification="failure""#,
    from: ["namespace", "deployment"],
    to: ["dst_namespace", "dst_deployment"],
    or_to: None,
    teller: Teller::Linkerd,
};

impl Mesh {
    const fn names(self) -> &'static Names {
        match self {
            Self::Istio => &ISTIO,
            Self::Linkerd => &LINKERD,
        }
    }
}

/// A pair of services, with all their calls a second and those that fail.
type Rates = BTreeMap<(Place, Place), [f64; 2]>;

/// The calls from and to this namespace over the last five minutes.
pub async fn edges(
    mesh: Mesh,
    metrics: &Arc<dyn Metrics>,
    namespace: &str,
    at: Timestamp,
) -> Result<Vec<Edge>, ReadError> {
    // it stands in a query
    if !is_dns_label(namespace) {
        return Ok(Vec::new());
    }
    let names = mesh.names();
    let ends = [Some(names.from), Some(names.to), names.or_to];
    let queries: Vec<[String; 2]> =
        ends.into_iter().flatten().map(|end| queries(names, end, namespace)).collect();
    let asked = queries.iter().map(|[all, failed]| async move {
        futures::try_join!(metrics.query(all, at), metrics.query(failed, at))
    });
    let mut rates = Rates::new();
    for (all, failed) in try_join_all(asked).await? {
        for (which, samples) in [all, failed].into_iter().enumerate() {
            // a call that leaves and enters the namespace is in both answers, with one value
            for ((from, to), value) in summed(names, samples) {
                if let Some(kept) = rates.entry((from, to)).or_default().get_mut(which) {
                    *kept = kept.max(value);
                }
            }
        }
    }
    let edge = |((from, to), [all, failed]): ((Place, Place), [f64; 2])| {
        let failing = (all > 0.0).then(|| (failed / all).clamp(0.0, 1.0));
        Edge { from, to, teller: names.teller, flow: Flow { per_second: Some(all), failing } }
    };
    Ok(rates.into_iter().map(edge).collect())
}

/// One answer's samples by who called whom: several may be of one pair, where one of its labels says nothing.
fn summed(names: &Names, samples: Vec<Sample>) -> BTreeMap<(Place, Place), f64> {
    let mut sums = BTreeMap::new();
    for sample in samples {
        if let Some(pair) = pair(names, &sample)
            && sample.value.is_finite()
        {
            *sums.entry(pair).or_insert(0.0) += sample.value.max(0.0);
        }
    }
    sums
}

fn queries(names: &Names, end: [&str; 2], namespace: &str) -> [String; 2] {
    let Names { metric, side, failed, from, to, or_to, .. } = names;
    let labels: Vec<&str> = [Some(*from), Some(*to), *or_to].into_iter().flatten().flatten().collect();
    let [of, _] = end;
    let query = |more: &str| {
        format!(r#"sum by ({}) (rate({metric}{{{side},{of}="{namespace}"{more}}}[5m]))"#, labels.join(", "))
    };
    [query(""), query(&format!(",{failed}"))]
}

fn pair(names: &Names, sample: &Sample) -> Option<(Place, Place)> {
    let place = |[namespace, name]: [&str; 2]| {
        let label = |label: &str| sample.labels.get(label).filter(|value| *value != "unknown");
        let (namespace, name) = (label(namespace)?, label(name)?);
        let fit = is_dns_label(namespace) && is_dns_name(name);
        fit.then(|| Place { namespace: Some(namespace.clone()), service: name.clone() })
    };
    Some((place(names.from)?, place(names.to).or_else(|| place(names.or_to?))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queries_are_fixed_but_for_the_namespace() {
        assert_eq!(
            queries(&ISTIO, ISTIO.from, "shop"),
            [
                r#"sum by (source_workload_namespace, source_workload, destination_workload_namespace, destination_workload, destination_service_namespace, destination_service_name) (rate(istio_requests_total{reporter="source",source_workload_namespace="shop"}[5m]))"#,
                r#"sum by (source_workload_namespace, source_workload, destination_workload_namespace, destination_workload, destination_service_namespace, destination_service_name) (rate(istio_requests_total{reporter="source",source_workload_namespace="shop",response_code=~"5.."}[5m]))"#,
            ]
        );
        assert_eq!(
            queries(&LINKERD, LINKERD.to, "shop")[1],
            r#"sum by (namespace, deployment, dst_namespace, dst_deployment) (rate(response_total{direction="outbound",dst_namespace="shop",classification="failure"}[5m]))"#
        );
    }
}
