//! Slack's interactions: the bytes as a body, and as the payload of one. A click that is taken is by a
//! member of this workspace, on one button of ours, in this channel.

use belay::http::slack::{Click, Expected, parse};

pub fn run(data: &[u8]) {
    taken(data);
    if let Ok(payload) = std::str::from_utf8(data) {
        taken(serde_urlencoded::to_string([("payload", payload)]).unwrap().as_bytes());
    }
}

fn taken(body: &[u8]) {
    let expected = Expected { app: "A0B".to_owned(), team: "T0B".to_owned(), channel: "C0B".to_owned() };
    let click = match parse(body, &expected) {
        Ok(click) => click,
        Err(refused) => {
            // it ends up in the log: one line, and not a long one
            let text = refused.to_string();
            assert!(!text.contains(char::is_control) && text.len() < 1_000, "{text:?}");
            assert!([200, 400].contains(&refused.status()), "{text}");
            return;
        }
    };
    let Click { user, team, name, app, channel, message, question, response_url, .. } = click;
    assert_eq!((app, team, channel), (expected.app, expected.team, expected.channel));
    assert!(user.starts_with(['U', 'W']) && user.bytes().all(|b| b.is_ascii_alphanumeric()), "{user:?}");
    assert!(name.chars().count() <= 64, "{name:?}");
    assert!(message.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{message:?}");
    assert!(!question.as_str().is_empty() && question.as_str().is_ascii(), "{question:?}");
    assert!(response_url.is_none_or(|url| url.starts_with("https://hooks.slack.com/")));
}
