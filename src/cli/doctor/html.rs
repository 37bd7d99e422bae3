//! The same as a page: one file, no script, readable on a phone and on paper.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use super::said;
use crate::domain::sight::{Checkup, Other, Sight, Source};

const PAGE: &str = include_str!("page.html");

/// The page. What others wrote is escaped.
pub(super) fn page(checkup: &Checkup) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let clusters: Vec<_> = checkup.clusters.iter().map(cluster).collect();
    let others: Vec<_> = checkup.others.iter().map(other).collect();
    let page = context! {
        at => checkup.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        verdict => super::verdict(checkup),
        grade => checkup.grade.to_string(),
        clusters,
        others,
    };
    let rendered = environment.render_named_str("page.html", PAGE, page);
    // the template is compiled in and tried by a test: it has no other way to fail
    rendered.unwrap_or_else(|error| format!("<!doctype html><p>the page cannot be made: {error}</p>"))
}

fn other(Other { name, key, answer }: &Other) -> minijinja::Value {
    context! { name, key, said => said(answer), bad => matches!(answer, crate::domain::sight::Answer::Unusable { .. }) }
}

fn source(source: &Source) -> minijinja::Value {
    let Source { sense, name, key, answer, too_little, too_much } = source;
    context! {
        sense => sense.name(),
        name,
        key,
        said => said(answer),
        too_little,
        too_much,
        bad => !source.is_seen() || !too_little.is_empty() || !too_much.is_empty(),
    }
}

fn cluster(sight: &Sight) -> minijinja::Value {
    let blind: Vec<_> =
        sight.blind_to.iter().map(|(sense, why)| context! { sense => sense.name(), why => *why }).collect();
    let vague: Vec<_> = sight
        .vague_alerts
        .iter()
        .map(|v| context! { alert => &v.alert, lacks => v.lacks.iter().copied().collect::<Vec<_>>().join(", ") })
        .collect();
    let dark: Vec<_> = sight
        .dark_services
        .iter()
        .map(|d| {
            let lacks: Vec<&str> = d.lacks.iter().map(|s| s.name()).collect();
            context! { service => format!("{}/{}", d.namespace, d.service), lacks => lacks.join(", ") }
        })
        .collect();
    context! {
        name => &sight.cluster,
        grade => sight.grade.to_string(),
        sources => sight.sources.iter().map(source).collect::<Vec<_>>(),
        lacking => sight.lacking.iter().map(|s| s.name()).collect::<Vec<_>>(),
        blind,
        vague,
        dark,
        not_read => &sight.not_read,
    }
}
