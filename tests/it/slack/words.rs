//! Each state of an incident as people read it: the headline, the terminal's text and Slack's JSON, pinned.

use belay::adapters::slack::blocks::render;
use belay::adapters::terminal::{self, Look};
use belay::domain::message::{Button, Line, Standing};
use belay::notify::view;

use super::stories;

fn pinned() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/slack");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn each_state_reads_as_pinned() {
    for (name, story, headline) in stories::all() {
        let view = view(&story);
        assert_eq!(view.headline, headline, "{name}");
        let screen = terminal::render(&view, None, Look { width: 80, colour: false });
        pinned().bind(|| {
            insta::assert_snapshot!(format!("{name}.terminal"), screen);
            insta::assert_json_snapshot!(format!("{name}.slack"), render(&view));
        });
    }
}

#[test]
fn the_word_revert_stands_only_where_there_is_something_to_revert() {
    for (name, story, _) in stories::all() {
        let view = view(&story);
        let revert = view.question.iter().any(|q| q.buttons.contains(&Button::Revert));
        assert_eq!(revert, name == "06-scaled", "{name}");
        assert_eq!(view.question.is_some(), view.state == Standing::Asking, "{name}");
    }
}

#[test]
fn what_others_wrote_is_quoted_or_marked() {
    let texts = ["<!channel>", "<https://evil.example|here>", "<!here>", "<@U0BOB>"];
    let mut met = 0;
    for (name, story, _) in stories::all() {
        for line in view(&story).sections.iter().flat_map(|s| &s.lines) {
            match line {
                Line::Belay(own) | Line::Diff(own) => {
                    assert!(!texts.iter().any(|t| own.contains(t)), "{name}: {own}");
                }
                Line::Quoted(text) | Line::Model(text) => {
                    met += texts.iter().filter(|t| text.contains(**t)).count();
                }
            }
        }
    }
    assert!(met > texts.len());
}

#[test]
fn colour_is_used_only_where_it_is_told() {
    let (_, story, _) = stories::all().swap_remove(5);
    let plain = terminal::render(&view(&story), None, Look { width: 80, colour: false });
    let coloured = terminal::render(&view(&story), None, Look { width: 80, colour: true });
    assert!(
        !plain.contains('\u{1b}') && coloured.contains("\u{1b}[1;31m- /spec/replicas: 3\u{1b}[0m"),
        "{coloured}"
    );
}

#[test]
fn long_texts_of_others_are_bounded() {
    let (_, mut story, _) = stories::all().swap_remove(1);
    let long = "x".repeat(100_000);
    story.alerts[0].annotations.insert("summary".into(), long.clone());
    story.alerts[0].labels.insert("alertname".into(), long.clone());
    let diagnosis = story.diagnosis.as_mut().unwrap();
    diagnosis.evidence = vec![diagnosis.evidence[1].clone(); 500];
    diagnosis.evidence[0].summary.clone_from(&long);
    diagnosis.findings[0].rules_out = vec![long; 9];
    let view = view(&story);
    let size = serde_json::to_string(&view).unwrap().len();
    assert!(size < 20_000, "{size}");
    assert!(view.headline.len() < 300, "{}", view.headline);
}
