//! The human side: what people are shown, over which channel, and what their clicks are taken for.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do; the lints' own exception covers only the test functions"
)]

mod clicks;
mod hostile;
mod messenger;
mod pagers;
mod stories;
mod words;

use belay::domain::ids::{IncidentId, QuestionId};
use belay::domain::message::{Button, Buttons, Line, Section, Standing, View};
use jiff::Timestamp;

/// Every client in these tests uses ring.
pub fn tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A view with a question and two buttons.
pub fn asking(incident: &str, headline: &str) -> View {
    View {
        incident: IncidentId::new(incident),
        version: 7,
        state: Standing::Asking,
        headline: headline.to_owned(),
        sections: vec![Section {
            title: "What belay did".to_owned(),
            lines: vec![Line::Belay("Restart pod `api-7f4b9`.".to_owned())],
        }],
        question: Some(Buttons {
            question: QuestionId::from_bits(0xfeed),
            buttons: vec![Button::Confirm, Button::HandOver],
            who: "the 2 people of `one` in Slack".to_owned(),
            until: Some(at("2026-11-21T04:30:00Z")),
        }),
    }
}

/// The same, over.
pub fn closed(incident: &str, headline: &str) -> View {
    View { version: 9, state: Standing::Closed, question: None, ..asking(incident, headline) }
}
