//! People in Slack: one living message, and clicks that take effect once or not at all.

use belay::domain::message::Button;
use belay::domain::record::{Outcome, Record};
use belay::incident::{Phase, State};
use belay::sim::slack::{Forge, Press};
use jiff::SignedDuration;

use super::house::{House, Wish, body, saturation, until};

/// Who may answer by the demo's policy.
const ONCALL: &str = "U0DEMO0001";

fn confirming(phase: &Phase) -> bool {
    matches!(phase, Phase::Confirming(_))
}

impl House {
    fn press(&self, button: Button) -> Press {
        Press::new(button, ONCALL, self.clock.now())
    }

    async fn click(&self, press: &Press) -> Vec<u16> {
        let url = format!("{}/slack/interactions", self.url);
        self.slack.as_ref().unwrap().press(&url, press).await.unwrap()
    }

    /// A scaled-up `checkout` whose question is shown with its buttons.
    async fn asking(level: u8) -> Self {
        // slower than the other stories: the stamps of clicks are looked at on this clock
        let house = Self::open(Wish { slack: true, speed: 40.0, ..Wish::by_hand() }.level(level)).await;
        house.surge();
        house.deliver(body(&[saturation("checkout", "2026-11-21T01:50:00Z", None)])).await;
        match level {
            2 => house.phase("checkout", |p| *p == Phase::Approving).await,
            _ => house.phase("checkout", confirming).await,
        };
        let wanted = if level == 2 { Button::Approve } else { Button::Confirm };
        until("the button is shown", async || {
            house.slack.as_ref().unwrap().request(&house.press(wanted)).ok()
        })
        .await;
        house
    }

    async fn answers(&self, state: &State) -> Vec<Record> {
        let all = self.entries(&state.id).await;
        all.iter().map(|e| e.record.clone()).filter(|r| matches!(r, Record::Answered { .. })).collect()
    }
}

#[tokio::test]
async fn a_click_confirms_and_the_one_message_lives() {
    let house = House::asking(3).await;
    assert_eq!(house.click(&house.press(Button::Confirm)).await, [200]);
    let over = house.phase("checkout", |p| *p == Phase::Closed).await;
    assert_eq!(over.closed.as_ref().unwrap().0, Outcome::Remedied);
    let slack = house.slack.as_ref().unwrap();
    until("the buttons are gone", async || slack.request(&house.press(Button::Confirm)).err()).await;
    let messages = slack.messages();
    assert_eq!(messages.len(), 1, "one message for one incident");
    assert!(!messages[0].before.is_empty(), "which was brought up to date");
    house.stop().await;
}

#[tokio::test]
async fn a_click_reverts_once() {
    let house = House::asking(3).await;
    assert_eq!(house.click(&house.press(Button::Revert).forged(Forge::Twice)).await, [200, 401]);
    let over = house.phase("checkout", |p| *p == Phase::Closed).await;
    assert_eq!(over.closed.as_ref().unwrap().0, Outcome::Reverted);
    assert_eq!(house.replicas("checkout"), 3);
    // a late second click of its own, on what the message no longer shows
    let stale = house.press(Button::Revert).forged(Forge::Stale);
    assert_eq!(house.click(&stale).await, [200]);
    assert_eq!(house.answers(&over).await.len(), 1);
    assert_eq!(house.effects().len(), 2, "the act and its undo\n{}", house.story().await);
    house.stop().await;
}

#[tokio::test]
async fn promise_13_no_other_click_changes_anything() {
    let house = House::asking(3).await;
    let before = house.phase("checkout", confirming).await;
    let minutes = SignedDuration::from_mins;
    let other = |t: &str| t.to_owned();
    let forged: Vec<(Forge, u16)> = vec![
        (Forge::Secret, 401),
        (Forge::Unsigned, 401),
        (Forge::Body, 401),
        (Forge::Skew(minutes(-6)), 401),
        (Forge::Skew(minutes(6)), 401),
        (Forge::Team(other("T0OTHER")), 200),
        (Forge::Home(other("T0OTHER")), 200),
        (Forge::App(other("A0OTHER")), 200),
        (Forge::Channel(other("C0OTHER")), 200),
        (Forge::Bot, 200),
        (Forge::Question(other("q-of-somebody-else")), 200),
    ];
    for (forge, status) in forged {
        for button in [Button::Confirm, Button::Revert] {
            let answered = house.click(&house.press(button).forged(forge.clone())).await;
            // what is Slack's and merely not for us is acknowledged
            assert_eq!(answered, [status], "{forge:?}");
            let now = house.find("it is there", "checkout", |_| true).await;
            // `Revert` on a foreign question says nothing about this incident either
            assert_eq!(house.answers(&now).await, [], "{forge:?} {button:?}");
            assert_eq!(now.phase, before.phase, "{forge:?} {button:?}");
        }
    }
    // honest Slack, but nobody whom policy names
    for button in [Button::Confirm, Button::Revert] {
        let press = Press::new(button, "U0NOBODY", house.clock.now());
        assert_eq!(house.click(&press).await, [200]);
        assert_eq!(house.find("it is there", "checkout", |_| true).await.phase, before.phase);
    }
    assert_eq!(house.effects().len(), 1);
    assert_eq!(house.replicas("checkout"), 5);
    house.stop().await;
}

#[tokio::test]
async fn promise_13_an_approval_by_click_runs_the_plan_once() {
    let house = House::asking(2).await;
    assert_eq!(house.writes(), []);
    let press = house.press(Button::Approve);
    let request = house.slack.as_ref().unwrap().request(&press).unwrap();
    assert_eq!(house.click(&press).await, [200]);
    house.find("it is scaled", "checkout", |s| s.acts.iter().any(belay::incident::Act::done)).await;
    // the same bytes again
    let replayed = belay::sim::client()
        .unwrap()
        .post(format!("{}/slack/interactions", house.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", &request.timestamp)
        .header("x-slack-signature", request.signature.as_deref().unwrap())
        .body(request.body)
        .send()
        .await
        .unwrap();
    assert_eq!(replayed.status(), 401);
    let state = house.find("it is there", "checkout", |_| true).await;
    assert_eq!(house.intents(&state.id).await.len(), 1);
    assert_eq!(house.effects().len(), 1, "{}", house.story().await);
    house.stop().await;
}
