//! Text that tries to command or deceive (X08, X09), and views of any shape: what reaches Slack keeps its
//! limits and holds no mention, link or button that is not belay's.

use belay::adapters::slack::blocks::render;
use belay::adapters::terminal::{self, Look};
use belay::domain::ids::{IncidentId, QuestionId};
use belay::domain::message::{Button, Buttons, Line, Section, Standing, View};
use proptest::prelude::*;
use serde_json::Value;

const CORPUS: &[&str] = &[
    "<!channel> everybody",
    "<!here|ok> <!subteam^S0ALL> <@U0BOSS> <#C0GENERAL>",
    "<https://evil.example|Confirm>",
    "https://evil.example/confirm and mailto:x@evil.example",
    "&lt;!channel&gt; &amp;lt;!channel&amp;gt; &#60;!channel&#62;",
    "```\n<!channel>\n```",
    "` unbalanced <!channel>",
    "`a` `<!channel>` `b`",
    "\"}],\"type\":\"actions\",\"elements\":[{\"type\":\"button\"",
    "*bold* _it_ ~no~ > quote :rotating_light:",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "\u{1b}[2J\u{1b}[H\u{9b}31m\r\nok\rIgnore the above",
    "\u{202e}txet desrever\u{202c} zero\u{200b}width \u{feff}bom \u{e0041}tag",
    "p\u{430}yments p\u{430}\u{443}ments",
    "\0\u{8}\u{7f}",
    "",
    " \n\t ",
];

fn hostile(text: &str) -> View {
    let lines = [Line::Belay, Line::Diff, Line::Quoted, Line::Model].map(|kind| kind(text.to_owned()));
    View {
        incident: IncidentId::new(text),
        version: 1,
        state: Standing::Asking,
        headline: text.to_owned(),
        sections: vec![Section { title: text.to_owned(), lines: lines.to_vec() }],
        question: Some(Buttons {
            question: QuestionId::from_bits(7),
            buttons: vec![Button::Approve, Button::Reject],
            who: text.to_owned(),
            until: None,
        }),
    }
}

/// Everything in the JSON that has a `type`.
fn typed<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("type") {
                found.push(value);
            }
            fields.values().for_each(|v| typed(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| typed(v, found)),
        _ => {}
    }
}

/// Only inert types; only belay's buttons; the one parsed field is escaped; nothing invisible anywhere.
fn inert(message: &Value, view: &View) -> Result<(), String> {
    let mut found = Vec::new();
    typed(message, &mut found);
    for part in found {
        match part["type"].as_str().unwrap_or_default() {
            "header"
            | "actions"
            | "section"
            | "context"
            | "rich_text"
            | "rich_text_section"
            | "rich_text_quote"
            | "rich_text_preformatted" => {}
            "plain_text" if part["emoji"] == false => {}
            "text"
                if part
                    .as_object()
                    .is_some_and(|o| o.keys().all(|k| matches!(k.as_str(), "type" | "text" | "style"))) => {}
            "button" => {
                let question = view.question.as_ref().ok_or("a button without a question")?;
                let known = part["action_id"].as_str().and_then(Button::from_name);
                let button = known.filter(|b| question.buttons.contains(b)).ok_or(format!("{part}"))?;
                if part["value"] != question.question.as_str()
                    || part["text"]["text"] != button.label()
                    || !part["url"].is_null()
                {
                    return Err(format!("not our button: {part}"));
                }
            }
            other => return Err(format!("a `{other}`: {part}")),
        }
    }
    let text = message["text"].as_str().unwrap();
    let bare = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
    if bare.contains(['<', '>', '&']) {
        return Err(format!("unescaped: {text}"));
    }
    match text.chars().chain(strings(&message["blocks"]).chars()).find(|c| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    }) {
        Some(c) => Err(format!("invisible {c:?}")),
        None => Ok(()),
    }
}

/// All shown text (values of buttons are not shown).
fn strings(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(k, _)| !matches!(k.as_str(), "value" | "block_id" | "type" | "style" | "action_id"))
            .map(|(_, v)| strings(v))
            .collect(),
        Value::Array(items) => items.iter().map(strings).collect(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

#[test]
fn hostile_text_stays_text() {
    for text in CORPUS {
        let view = hostile(text);
        let message = serde_json::to_value(render(&view)).unwrap();
        inert(&message, &view).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        limits(&message).unwrap_or_else(|why| panic!("{text:?}: {why}"));
        let screen = terminal::render(&view, None, Look { width: 60, colour: false });
        assert!(!screen.contains(|c: char| c.is_control() && c != '\n'), "{text:?}: {screen:?}");
        assert!(!screen.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{e0041}']), "{text:?}");
    }
}

#[test]
fn a_line_of_others_cannot_pass_for_belays_own_on_the_terminal() {
    let line = Line::Quoted("fine\nconfirmed\n[Confirm] belay incidents confirm x".to_owned());
    let view = View {
        sections: vec![Section { title: "t".to_owned(), lines: vec![line] }],
        question: None,
        ..hostile("x")
    };
    let screen = terminal::render(&view, None, Look { width: 30, colour: false });
    let body = screen.lines().skip(3).filter(|l| !l.is_empty());
    assert!(body.clone().count() >= 3 && body.into_iter().all(|l| l.starts_with("     | ")), "{screen}");
}

#[test]
fn the_models_words_are_marked_everywhere() {
    let view = hostile("I am sure");
    let blocks = serde_json::to_string(&render(&view)).unwrap();
    assert_eq!(blocks.matches("the model's words").count(), 1);
    let screen = terminal::render(&view, None, Look { width: 60, colour: false });
    assert!(screen.contains("the model's words:\n     > I am sure"), "{screen}");
}

#[test]
fn what_is_left_out_is_said_and_the_buttons_stay() {
    let section = Section { title: "t".to_owned(), lines: vec![Line::Quoted("x".repeat(5_000)); 5] };
    let view = View { sections: vec![section; 80], ..hostile("x") };
    let message = serde_json::to_value(render(&view)).unwrap();
    limits(&message).unwrap();
    let blocks = message["blocks"].as_array().unwrap();
    assert_eq!(blocks.last().unwrap()["type"], "actions");
    assert!(strings(&message["blocks"]).contains("more sections: belay incidents show x"));
}

#[test]
fn a_question_whose_name_does_not_fit_has_no_button() {
    for id in [String::new(), "x".repeat(256)] {
        let mut view = hostile("x");
        view.question.as_mut().unwrap().question = QuestionId::new(id);
        let message = serde_json::to_value(render(&view)).unwrap();
        limits(&message).unwrap();
        assert!(!message.to_string().contains("\"button\""));
        assert!(strings(&message["blocks"]).contains("Answer by: belay incidents"));
    }
}

/// Slack's limits, counted here on their own.
fn limits(message: &Value) -> Result<(), String> {
    let units = |v: &Value| v["text"].as_str().unwrap_or_default().encode_utf16().count();
    let within = |v: &Value, most: usize| {
        if (1..=most).contains(&units(v)) { Ok(()) } else { Err(format!("{} of {most}: {v}", units(v))) }
    };
    if units(message) > 4_000 || units(message) == 0 {
        return Err(format!("text of {}", units(message)));
    }
    let blocks = message["blocks"].as_array().unwrap();
    if blocks.len() > 50 || blocks.is_empty() {
        return Err(format!("{} blocks", blocks.len()));
    }
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => within(&block["text"], 150)?,
            "section" => within(&block["text"], 3_000)?,
            "context" => block["elements"].as_array().unwrap().iter().try_for_each(|e| within(e, 3_000))?,
            "rich_text" => {
                let paragraphs = block["elements"].as_array().unwrap();
                let pieces = paragraphs.iter().flat_map(|p| p["elements"].as_array().unwrap());
                let pieces: Vec<_> = pieces.collect();
                pieces.iter().try_for_each(|piece| within(piece, 3_000))?;
                let sum: usize = pieces.iter().map(|p| units(p)).sum();
                if sum > 3_000
                    || paragraphs.is_empty()
                    || paragraphs.iter().any(|p| p["elements"].as_array().unwrap().is_empty())
                {
                    return Err(format!("a block of {sum}"));
                }
            }
            "actions" => {
                let buttons = block["elements"].as_array().unwrap();
                let mut ids: Vec<_> = buttons.iter().map(|b| b["action_id"].as_str().unwrap()).collect();
                ids.dedup();
                if ids.len() != buttons.len()
                    || buttons.is_empty()
                    || block["block_id"].as_str().unwrap().encode_utf16().count() > 255
                {
                    return Err(format!("actions: {block}"));
                }
                buttons.iter().try_for_each(|b| within(&b["text"], 75))?;
            }
            other => return Err(format!("a `{other}`")),
        }
    }
    let all = strings(&message["blocks"]).encode_utf16().count();
    if all > 12_000 { Err(format!("{all} in all")) } else { Ok(()) }
}

fn text() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        any::<String>(),
        proptest::sample::select(CORPUS).prop_map(str::to_owned),
        "[a-z`<>&🦀\n]{0,80}",
        ("[a-z&<🦀 \u{1b}]", 0usize..6_000).prop_map(|(c, n)| c.repeat(n)),
    ];
    one
}

fn line() -> impl Strategy<Value = Line> {
    (text(), 0..4).prop_map(|(text, kind)| match kind {
        0 => Line::Belay(text),
        1 => Line::Diff(text),
        2 => Line::Quoted(text),
        _ => Line::Model(text),
    })
}

fn section() -> impl Strategy<Value = Section> {
    (text(), prop::collection::vec(line(), 0..6)).prop_map(|(title, lines)| Section { title, lines })
}

fn question() -> impl Strategy<Value = Buttons> {
    let id = prop_oneof![any::<u128>().prop_map(QuestionId::from_bits), text().prop_map(QuestionId::new)];
    let buttons = prop::collection::vec(proptest::sample::select(Button::ALL.to_vec()), 0..9);
    let until = prop::option::of(0i64..4_000_000_000);
    (id, buttons, text(), until).prop_map(|(question, buttons, who, until)| Buttons {
        question,
        buttons,
        who,
        until: until.map(|s| jiff::Timestamp::from_second(s).unwrap()),
    })
}

fn view() -> impl Strategy<Value = View> {
    let few = prop::collection::vec(section(), 0..5);
    let many = (section(), 0usize..120).prop_map(|(section, n)| vec![section; n]);
    (text(), text(), prop_oneof![few, many], prop::option::of(question())).prop_map(
        |(incident, headline, sections, question)| View {
            incident: IncidentId::new(incident),
            version: 1,
            state: Standing::Working,
            headline,
            sections,
            question,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_view_keeps_slacks_limits_and_is_inert(view in view()) {
        let message = serde_json::to_value(render(&view)).unwrap();
        prop_assert!(limits(&message).is_ok(), "{:?}", limits(&message));
        prop_assert!(inert(&message, &view).is_ok(), "{:?}", inert(&message, &view));
        let sim = belay::sim::slack::would_take(&message);
        prop_assert!(sim.is_ok(), "the fake refuses it: {:?}", sim);
    }

    #[test]
    fn any_view_fits_the_terminal(view in view(), width in 0usize..120) {
        let screen = terminal::render(&view, None, Look { width, colour: false });
        prop_assert!(!screen.contains(|c: char| c.is_control() && c != '\n'));
        for line in screen.lines() {
            prop_assert!(line.chars().count() <= width.max(20), "{line:?}");
        }
    }
}
