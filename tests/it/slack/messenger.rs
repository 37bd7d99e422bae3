//! The messenger against the fake workspace: one living message, whatever goes wrong.

use std::time::Duration;

use belay::adapters::slack::{Config, Misconfigured, SlackMessenger};
use belay::domain::message::Notice;
use belay::domain::record::MessageRef;
use belay::ports::messenger::{Messenger, Undelivered};
use belay::sim::slack::{FakeSlack, Fault, Workspace};

use super::{asking, closed, tls};

const INCIDENT: &str = "7k2m9x0a";

async fn slack() -> (FakeSlack, SlackMessenger) {
    tls();
    let fake = FakeSlack::start(Workspace::default()).await.unwrap();
    let messenger = SlackMessenger::new(config(&fake)).unwrap();
    (fake, messenger)
}

fn config(fake: &FakeSlack) -> Config {
    let Workspace { token, channel, .. } = Workspace::default();
    Config {
        api_url: fake.api_url(),
        timeout: Duration::from_millis(300),
        ..Config::new(token.into(), channel)
    }
}

fn buttons(fake: &FakeSlack) -> Vec<usize> {
    let shown = fake.messages().into_iter().filter(|m| !m.deleted);
    shown.map(|m| m.now.blocks.iter().filter(|b| b["type"] == "actions").count()).collect()
}

#[tokio::test]
async fn one_message_is_posted_and_then_updated_in_place() {
    let (fake, slack) = slack().await;
    let first = slack.publish(&asking(INCIDENT, "I restarted pod `a`. Confirm?"), None).await.unwrap();
    assert_eq!((first.through.as_str(), first.channel.as_str()), ("slack", "C0ONCALL"));
    assert_eq!(buttons(&fake), [1]);

    let second = slack.publish(&closed(INCIDENT, "It helped."), Some(&first)).await.unwrap();
    assert_eq!(second, first);
    let [message] = fake.messages().try_into().unwrap();
    assert_eq!(message.now.text, "It helped.");
    assert_eq!(message.before.len(), 1);
    assert_eq!(buttons(&fake), [0], "the buttons are gone");
    assert_eq!(message.metadata["event_payload"]["incident"], INCIDENT);
    assert_eq!(message.metadata["event_payload"]["channel"], "C0ONCALL");
}

#[tokio::test]
async fn a_message_that_cannot_be_changed_is_posted_afresh_once() {
    for code in ["message_not_found", "cant_update_message", "edit_window_closed"] {
        let (fake, slack) = slack().await;
        let first = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap();
        match code {
            "message_not_found" => fake.delete(&first.id),
            code => fake.freeze(&first.id, code),
        }
        let second = slack.publish(&asking(INCIDENT, "two"), Some(&first)).await.unwrap();
        assert_ne!(second.id, first.id, "{code}");
        let third = slack.publish(&asking(INCIDENT, "three"), Some(&second)).await.unwrap();
        assert_eq!(third, second, "{code}");
        assert_eq!(fake.messages().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn the_wait_that_slack_asks_for_is_passed_on() {
    let (fake, slack) = slack().await;
    fake.fail("chat.postMessage", Fault::RateLimited(17));
    let refused = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err();
    assert!(matches!(refused, Undelivered::Later { after_seconds: 17, .. }), "{refused}");
    let first = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap();
    fake.fail("chat.update", Fault::RateLimited(1_000_000));
    let refused = slack.publish(&asking(INCIDENT, "two"), Some(&first)).await.unwrap_err();
    assert!(matches!(refused, Undelivered::Later { after_seconds: 3_600, .. }), "{refused}");
    assert_eq!(fake.messages().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_never_makes_a_second_message() {
    for fault in [Fault::LostAnswer, Fault::SilentAfter] {
        let (fake, slack) = slack().await;
        fake.fail("chat.postMessage", fault.clone());
        let lost = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err();
        assert!(matches!(lost, Undelivered::Later { .. }), "{lost}");
        // while history cannot be read, nothing is posted on a guess
        fake.fail("conversations.history", Fault::Status(503));
        let still = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err();
        assert!(matches!(still, Undelivered::Later { .. }), "{still}");
        let found = slack.publish(&asking(INCIDENT, "two"), None).await.unwrap();
        let [message] = fake.messages().try_into().unwrap();
        assert_eq!((found.id, message.now.text.as_str()), (message.ts, "two"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_message_from_before_a_crash_is_found_again() {
    let (fake, slack) = slack().await;
    let other = slack.publish(&asking("0therone", "other"), None).await.unwrap();
    let first = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap();
    let after_crash = SlackMessenger::new(config(&fake)).unwrap();
    let found = after_crash.publish(&asking(INCIDENT, "two"), None).await.unwrap();
    assert_eq!(found, first);
    assert_ne!(found, other);
    assert_eq!(fake.messages().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_while_posting_afresh_finds_the_fresh_one() {
    let (fake, slack) = slack().await;
    let first = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap();
    fake.freeze(&first.id, "edit_window_closed");
    fake.fail("chat.postMessage", Fault::LostAnswer);
    slack.publish(&asking(INCIDENT, "two"), Some(&first)).await.unwrap_err();
    let found = slack.publish(&asking(INCIDENT, "three"), Some(&first)).await.unwrap();
    let messages = fake.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!((found.id.as_str(), messages[1].now.text.as_str()), (messages[1].ts.as_str(), "three"));
}

#[tokio::test]
async fn an_outage_is_tried_again_and_a_message_never_sent_is_not_looked_for_in_vain() {
    let (fake, slack) = slack().await;
    for fault in [Fault::Status(500), Fault::Code("fatal_error".to_owned()), Fault::SilentBefore] {
        fake.fail("chat.postMessage", fault);
        let refused = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err();
        assert!(matches!(refused, Undelivered::Later { .. }), "{refused}");
    }
    slack.publish(&asking(INCIDENT, "one"), None).await.unwrap();
    assert_eq!(fake.messages().len(), 1);
    // the first post of another incident does not wait for history
    fake.fail("conversations.history", Fault::Status(503));
    slack.publish(&asking("0therone", "one"), None).await.unwrap();
    // nor for a scope that the app was not given
    fake.fail("conversations.history", Fault::Code("missing_scope".to_owned()));
    slack.publish(&asking("thirdone", "one"), None).await.unwrap();
    assert_eq!(fake.messages().len(), 3);
}

#[tokio::test]
async fn slack_down_is_an_outage() {
    let (fake, slack) = slack().await;
    drop(fake);
    let refused = slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err();
    assert!(matches!(refused, Undelivered::Later { .. }), "{refused}");
}

#[tokio::test]
async fn what_somebody_must_change_first_says_what() {
    let (fake, slack) = slack().await;
    for (code, says) in [
        ("channel_not_found", "`slack.channel`"),
        ("is_archived", "unarchive"),
        ("not_in_channel", "invite"),
        ("token_revoked", "xoxb-"),
        ("missing_scope", "chat:write"),
        ("invalid_blocks", "fault of belay"),
        ("something_new <!channel>\u{1b}", "\\u{1b}"),
    ] {
        fake.fail("chat.postMessage", Fault::Code(code.to_owned()));
        match slack.publish(&asking(INCIDENT, "one"), None).await.unwrap_err() {
            Undelivered::Never(why) => assert!(why.contains(says), "{code}: {why}"),
            other @ Undelivered::Later { .. } => panic!("{code}: {other}"),
        }
    }
    let wrong = SlackMessenger::new(Config { token: "xoxb-wrong".into(), ..config(&fake) }).unwrap();
    let refused = wrong.check().await.unwrap_err();
    assert!(matches!(&refused, Undelivered::Never(why) if why.contains("invalid_auth")), "{refused}");
    assert!(!format!("{refused:?} {wrong:?}").contains("xoxb-wrong"), "the token stays home");
    assert_eq!(slack.check().await.unwrap().team_id, "T0SHOP");
}

#[tokio::test]
async fn a_reference_of_another_channel_is_not_touched() {
    let (fake, slack) = slack().await;
    let foreign =
        MessageRef { through: "slack".into(), channel: "C0OTHER".into(), id: "1700000000.000100".into() };
    slack.publish(&asking(INCIDENT, "one"), Some(&foreign)).await.unwrap();
    let terminal = MessageRef { through: "terminal".into(), channel: String::new(), id: INCIDENT.into() };
    slack.publish(&asking("0therone", "one"), Some(&terminal)).await.unwrap();
    assert!(!fake.calls().contains(&"chat.update".to_owned()));
    assert_eq!(fake.messages().len(), 2);
}

#[tokio::test]
async fn the_token_travels_only_protected_or_at_home() {
    tls();
    let with = |url: &str| {
        let config = Config { api_url: url.to_owned(), ..Config::new("xoxb-x".into(), "C1") };
        SlackMessenger::new(config).err()
    };
    for url in [
        "http://slack.com/api",
        "http://127.0.0.1.evil.example/api",
        "http://10.0.0.1/api",
        "ftp://localhost/",
    ] {
        assert!(matches!(with(url), Some(Misconfigured::Unprotected(_))), "{url}");
    }
    for url in ["http://127.0.0.1:1/api", "http://[::1]:1/api", "http://localhost/api"] {
        assert!(with(url).is_none(), "{url}");
    }
    for url in ["", "slack", "/api"] {
        assert!(
            matches!(with(url), Some(Misconfigured::Address(_) | Misconfigured::Unprotected(_))),
            "{url}"
        );
    }
    for channel in ["#oncall", "oncall", "C1/../x", ""] {
        let refused = SlackMessenger::new(Config::new("xoxb-x".into(), channel)).err();
        assert!(matches!(refused, Some(Misconfigured::Channel(_))), "{channel}");
    }
}

#[tokio::test]
async fn a_notice_goes_to_the_policy_channel_and_is_no_markup() {
    let (fake, slack) = slack().await;
    let notice = Notice {
        headline: "Policy files were refused; set 0a1b2c3d stays in force.".to_owned(),
        lines: vec!["policies/a.yaml:7:5: unknown key `<!channel> & *more*`".to_owned()],
    };
    slack.tell(&notice).await.unwrap();
    let [message] = fake.messages().try_into().unwrap();
    assert_eq!(
        message.now.text,
        "Policy files were refused; set 0a1b2c3d stays in force.\n\
         policies/a.yaml:7:5: unknown key `&lt;!channel&gt; &amp; *more*`"
    );
    assert!(message.now.blocks.is_empty() && message.metadata.is_null(), "it is no incident's");

    // the fake has one channel: another one is asked for by its own id
    let elsewhere = Config { policy_channel: Some("C0POLICY".to_owned()), ..config(&fake) };
    let told = SlackMessenger::new(elsewhere).unwrap().tell(&notice).await;
    assert!(matches!(told, Err(Undelivered::Never(why)) if why.contains("channel_not_found")));
    let wrong = Config { policy_channel: Some("policy".to_owned()), ..config(&fake) };
    assert!(matches!(SlackMessenger::new(wrong), Err(Misconfigured::Channel(_))));
}
