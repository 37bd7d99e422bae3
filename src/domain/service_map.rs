//! Who calls whom, and who says so. Names come from programs, annotations and files: they are shown, and never become a
//! target.

use std::collections::{BTreeMap, BTreeSet};

use super::target::{is_dns_label, is_dns_name};
use super::trace::{Hop, Place};

/// Who says that one service calls another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Teller {
    /// Spans of traces that were looked at.
    Traces,
    /// The tracing backend's own count, which knows no namespaces.
    Counted,
    /// Metrics of Istio.
    Istio,
    /// Metrics of Linkerd.
    Linkerd,
    /// An annotation of the caller's workload.
    Annotation,
    /// The file of the configuration.
    File,
}

impl Teller {
    /// Its name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Counted => "the tracing backend's count",
            Self::Istio => "istio",
            Self::Linkerd => "linkerd",
            Self::Annotation => "annotation",
            Self::File => "file",
        }
    }
}

/// How calls go.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    /// Calls a second, where they are measured.
    pub per_second: Option<f64>,
    /// The share of them that fails, 0 to 1.
    pub failing: Option<f64>,
}

/// That one service calls another.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Who calls.
    pub from: Place,
    /// Who is called.
    pub to: Place,
    /// Who says so.
    pub teller: Teller,
    /// How the calls go.
    pub flow: Flow,
}

/// Which way to look from a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// At what it calls.
    Downstream,
    /// At what calls it.
    Upstream,
}

/// A service beside another.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Which way it is.
    pub way: Way,
    /// Which.
    pub place: Place,
    /// Who says so.
    pub tellers: Vec<Teller>,
    /// How the calls go, as the surest of them measures it.
    pub flow: Flow,
}

/// How a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Replicas that are ready.
    pub ready: u32,
    /// Replicas it wants.
    pub desired: u32,
}

impl Health {
    /// In a word, and in numbers.
    pub fn words(self) -> String {
        let Self { ready, desired } = self;
        let word = match (ready, desired) {
            (_, 0) => "scaled to zero",
            (0, _) => "down",
            (ready, desired) if ready < desired => "degraded",
            _ => "well",
        };
        format!("{word}, {ready}/{desired} ready")
    }
}

/// What is known of what is beside a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// Each, and how it is where that is known.
    pub neighbours: Vec<(Neighbour, Option<Health>)>,
    /// What could not be asked, and why.
    pub gaps: Vec<String>,
}

/// Who calls whom.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceMap {
    edges: BTreeMap<(Place, Place), BTreeMap<Teller, Flow>>,
}

impl ServiceMap {
    /// A map of these edges, in whatever order they come.
    pub fn of(edges: impl IntoIterator<Item = Edge>) -> Self {
        let mut map = Self::default();
        for Edge { from, to, teller, flow } in edges {
            if from == to {
                continue;
            }
            let tellers = map.edges.entry((from, to)).or_default();
            let kept = tellers.entry(teller).or_default();
            // of two that one teller gives the worse is what matters
            kept.per_second = larger(kept.per_second, flow.per_second);
            kept.failing = larger(kept.failing, flow.failing);
        }
        map
    }

    /// What is beside this service. A count without namespaces speaks of whatever has the name.
    pub fn beside(&self, place: &Place) -> Vec<Neighbour> {
        let is = |end: &Place| {
            end.service == place.service && (end.namespace.is_none() || end.namespace == place.namespace)
        };
        let mut found = Vec::new();
        for ((from, to), tellers) in &self.edges {
            let ends = [(Way::Downstream, from, to), (Way::Upstream, to, from)];
            for (way, _, other) in ends.into_iter().filter(|(_, this, other)| is(this) && !is(other)) {
                found.push(Neighbour {
                    way,
                    place: other.clone(),
                    tellers: tellers.keys().copied().collect(),
                    flow: measured(tellers),
                });
            }
        }
        joined(&found)
    }

    /// Every service of this namespace that the map knows.
    pub fn of_namespace(&self, namespace: &str) -> BTreeSet<String> {
        let ends = self.edges.keys().flat_map(|(from, to)| [from, to]);
        let here = ends.filter(|place| place.namespace.as_deref() == Some(namespace));
        here.map(|place| place.service.clone()).collect()
    }
}

/// What is told of a service with and without its namespace is told of one, where only one namespace is named.
fn joined(found: &[Neighbour]) -> Vec<Neighbour> {
    let mut kept: Vec<Neighbour> = Vec::new();
    let named = |place: &Place, way| {
        let same = found.iter().filter(|n| n.way == way && n.place.service == place.service);
        let namespaces: BTreeSet<_> = same.filter_map(|n| n.place.namespace.clone()).collect();
        if namespaces.len() == 1 { namespaces.into_iter().next() } else { None }
    };
    for neighbour in found {
        let mut neighbour = neighbour.clone();
        if neighbour.place.namespace.is_none() {
            neighbour.place.namespace = named(&neighbour.place, neighbour.way);
        }
        match kept.iter_mut().find(|k| k.way == neighbour.way && k.place == neighbour.place) {
            Some(same) => {
                same.tellers.extend(neighbour.tellers);
                same.tellers.sort();
                same.tellers.dedup();
                same.flow.per_second = same.flow.per_second.or(neighbour.flow.per_second);
                same.flow.failing = same.flow.failing.or(neighbour.flow.failing);
            }
            None => kept.push(neighbour),
        }
    }
    kept.sort_by(|a, b| (a.way, &a.place).cmp(&(b.way, &b.place)));
    kept
}

/// A mesh sees every call, traces a sample of them.
fn measured(tellers: &BTreeMap<Teller, Flow>) -> Flow {
    let surest = [Teller::Istio, Teller::Linkerd, Teller::Traces];
    surest.iter().find_map(|teller| tellers.get(teller)).copied().unwrap_or_default()
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (one, other) => one.or(other),
    }
}

impl From<&Hop> for Edge {
    #[expect(clippy::cast_precision_loss, reason = "a share of calls is read to the hundredth")]
    fn from(hop: &Hop) -> Self {
        let failing = (hop.calls > 0).then(|| hop.errors as f64 / hop.calls as f64);
        Self {
            from: hop.from.clone(),
            to: hop.to.clone(),
            teller: Teller::Traces,
            flow: Flow { per_second: None, failing },
        }
    }
}

/// What stands before what is outside of the cluster.
const EXTERNAL: &str = "external:";

/// A service as people write it in a file or an annotation: `name` in this namespace, `namespace/name`, or `external:host`.
/// `None`: it can name none.
pub fn named(text: &str, namespace: &str) -> Option<Place> {
    let text = text.trim();
    let host = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
    if let Some(outside) = text.strip_prefix(EXTERNAL) {
        let fit = (1..=253).contains(&outside.len()) && outside.chars().all(host);
        return fit.then(|| Place { namespace: None, service: outside.to_owned() });
    }
    let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
    let fit = is_dns_label(namespace) && is_dns_name(name);
    fit.then(|| Place { namespace: Some(namespace.to_owned()), service: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        named(text, "shop").unwrap()
    }

    fn edge(from: &str, to: &str, teller: Teller, failing: Option<f64>) -> Edge {
        Edge { from: place(from), to: place(to), teller, flow: Flow { per_second: None, failing } }
    }

    #[test]
    fn names_are_names_and_nothing_else() {
        assert_eq!(place("data/postgres").namespace.as_deref(), Some("data"));
        assert_eq!(place("external:api.stripe.com:443").namespace, None);
        for wrong in ["", "a/b/c", "A", "../x", "external:", "external:http://x/", "web\npods", "shop/"] {
            assert_eq!(named(wrong, "shop"), None, "{wrong:?}");
        }
    }

    #[test]
    fn both_ways_with_each_teller_once_in_any_order() {
        let edges = [
            edge("web", "data/postgres", Teller::Traces, Some(0.5)),
            edge("web", "data/postgres", Teller::Istio, Some(0.1)),
            edge("web", "data/postgres", Teller::File, None),
            edge("edge/gateway", "web", Teller::File, None),
            edge("web", "web", Teller::File, None),
            edge("other/web", "cache", Teller::File, None),
        ];
        let map = ServiceMap::of(edges.clone());
        assert_eq!(map, ServiceMap::of(edges.into_iter().rev()));
        let beside = map.beside(&place("web"));
        let [down, up] = &beside[..] else { panic!("{beside:?}") };
        assert_eq!((down.way, &down.place), (Way::Downstream, &place("data/postgres")));
        assert_eq!(down.tellers, [Teller::Traces, Teller::Istio, Teller::File]);
        // what sees every call is believed before what sees some
        assert_eq!(down.flow.failing, Some(0.1));
        assert_eq!((up.way, &up.place), (Way::Upstream, &place("edge/gateway")));
    }

    #[test]
    fn a_count_without_namespaces_joins_what_is_known_with_one() {
        let bare = |name: &str| Place { namespace: None, service: name.into() };
        let counted =
            Edge { from: bare("web"), to: bare("postgres"), teller: Teller::Counted, flow: Flow::default() };
        let both = ServiceMap::of([counted.clone(), edge("web", "data/postgres", Teller::File, None)]);
        let beside = both.beside(&place("web"));
        assert_eq!(beside.len(), 1, "{beside:?}");
        assert_eq!(beside[0].place, place("data/postgres"));
        // two of the name: which is meant is not known
        let two = ServiceMap::of([
            counted,
            edge("web", "data/postgres", Teller::File, None),
            edge("web", "old/postgres", Teller::File, None),
        ]);
        assert_eq!(two.beside(&place("web")).len(), 3);
    }
}
