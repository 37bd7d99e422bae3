//! What the tool and the resources answer, as structure and as text.

use schemars::JsonSchema;
use serde::Serialize;

use super::sources::Told;
use crate::domain::redact;
use crate::domain::service_map::{Health, Neighbour, Way};
use crate::domain::trace::{ELSEWHERE, Place};
use crate::servers::kit::{Extent, Readable, Scope, or_dash, page};

/// Rows of one answer: more neighbours than this has nobody's service.
const ROWS: usize = 100;
/// The longest name.
const NAME: usize = 253;

/// What is beside a service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Dependencies {
    /// Its namespace.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// How it is itself, where that is known.
    pub health: Option<String>,
    /// How much of the list is shown.
    pub extent: Extent,
    /// What is beside it.
    pub neighbours: Vec<NeighbourRow>,
    /// What could not be asked.
    pub gaps: Vec<String>,
}

/// A service beside another.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NeighbourRow {
    /// `downstream`: it is called; `upstream`: it calls.
    pub direction: String,
    /// Its name, after its namespace where that is known.
    pub service: String,
    /// How it is, where that is known.
    pub health: Option<String>,
    /// Calls a second, where they are measured.
    pub per_second: Option<f64>,
    /// The share of them that fails, where it is known.
    pub failing: Option<f64>,
    /// Who says so.
    pub told_by: Vec<String>,
}

/// As people call it.
pub const fn direction(way: Way) -> &'static str {
    match way {
        Way::Downstream => "downstream",
        Way::Upstream => "upstream",
    }
}

/// A service's name, as far as it may be seen.
pub fn name(place: &Place, scope: &Scope) -> String {
    let service = redact::line(&place.service, NAME);
    match &place.namespace {
        Some(namespace) if scope.check(namespace).is_err() => ELSEWHERE.to_owned(),
        Some(namespace) => format!("{}/{service}", redact::line(namespace, NAME)),
        None => service,
    }
}

impl Dependencies {
    /// What was told of this place, this way or both.
    pub fn new(told: &Told, place: &Place, way: Option<Way>, scope: &Scope) -> Self {
        let beside = told.map.beside(place);
        let wanted = |n: &&Neighbour| way.is_none_or(|way| n.way == way);
        let mut rows: Vec<NeighbourRow> = beside.iter().filter(wanted).map(|n| row(n, told, scope)).collect();
        // several of another namespace look alike, and in no order that tells them apart
        rows.sort_by(|a, b| (&a.direction, &a.service).cmp(&(&b.direction, &b.service)));
        rows.dedup();
        let total = rows.len() as u64;
        rows.truncate(ROWS);
        let extent = Extent { shown: rows.len() as u64, total: Some(total), at_least: total };
        Self {
            namespace: place.namespace.clone().unwrap_or_default(),
            service: redact::line(&place.service, NAME),
            health: told.health.get(place).copied().map(Health::words),
            extent,
            neighbours: rows,
            gaps: told.gaps.clone(),
        }
    }
}

fn row(neighbour: &Neighbour, told: &Told, scope: &Scope) -> NeighbourRow {
    let Neighbour { way, place, tellers, flow } = neighbour;
    let thousandth = |value: f64| (value * 1_000.0).round() / 1_000.0;
    NeighbourRow {
        direction: direction(*way).to_owned(),
        service: name(place, scope),
        health: told.health.get(place).copied().map(Health::words),
        per_second: flow.per_second.map(thousandth),
        failing: flow.failing.map(thousandth),
        told_by: tellers.iter().map(|teller| teller.words().to_owned()).collect(),
    }
}

impl Readable for Dependencies {
    fn text(&self) -> String {
        let Self { namespace, service, health, extent, neighbours, gaps } = self;
        let itself = health.as_ref().map_or_else(String::new, |health| format!(" ({health})"));
        let what = format!("services beside `{service}` in namespace `{namespace}`{itself}");
        let cells = |n: &NeighbourRow| {
            let percent = n.failing.map_or_else(|| "-".to_owned(), |f| format!("{:.1}%", f * 100.0));
            let rate = n.per_second.map_or_else(|| "-".to_owned(), |rate| rate.to_string());
            let (direction, service) = (n.direction.clone(), n.service.clone());
            vec![direction, service, or_dash(n.health.as_ref()), rate, percent, n.told_by.join(", ")]
        };
        let rows: Vec<Vec<String>> = neighbours.iter().map(cells).collect();
        let heading = ["DIRECTION", "SERVICE", "HEALTH", "CALLS/S", "FAILING", "TOLD BY"];
        let page = page(&extent.words(&what), &heading, &rows);
        gaps.iter().fold(page, |page, gap| format!("{page}\n\nnot known: {gap}"))
    }
}
