//! Several endpoints in order: whatever is wrong with one, the next is asked within the same turn, and what may
//! not leave for one is not sent there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use belay::domain::record::{Conclusion, Investigator};
use belay::domain::spend::{Became, Invocation, Money, Price, Usage};
use belay::investigate::endpoints::egress::{Egress, Place};
use belay::investigate::endpoints::{Asking, Turn};
use belay::investigate::tape::{Answer, Tape};
use belay::investigate::{Endpoint, Endpoints, Limits, Mind, Outcome, Prompts, investigate};
use belay::ports::clock::ManualClock;
use belay::ports::model::{Accounts, Chat, Left, Message, Model, ModelError, Reply, ToolCall, Undrawn};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::fixtures::{FakeTools, Given, at, call, diagnosis};

/// A model that gives these answers, then its last one for ever, and remembers what it was sent.
pub struct Player {
    name: &'static str,
    answers: Mutex<Vec<Result<Reply, ModelError>>>,
    pub seen: Mutex<Vec<(Chat, Duration)>>,
    hang: bool,
}

impl Player {
    pub fn new(name: &'static str, answers: Vec<Result<Reply, ModelError>>) -> Arc<Self> {
        Arc::new(Self { name, answers: Mutex::new(answers), seen: Mutex::default(), hang: false })
    }

    fn hanging(name: &'static str) -> Arc<Self> {
        let (answers, seen) = (Mutex::new(vec![down()]), Mutex::default());
        Arc::new(Self { name, answers, seen, hang: true })
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

#[async_trait]
impl Model for Player {
    fn name(&self) -> &str {
        self.name
    }

    async fn chat(&self, chat: &Chat, within: Duration) -> Result<Reply, ModelError> {
        self.seen.lock().unwrap().push((chat.clone(), within));
        if self.hang {
            std::future::pending::<()>().await;
        }
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}

pub fn says(calls: Vec<ToolCall>) -> Result<Reply, ModelError> {
    let usage = Usage { prompt: 900, completion: 100, cached: 800, estimated: false };
    Ok(Reply { calls, usage, ..Reply::default() })
}

pub fn ends() -> Result<Reply, ModelError> {
    says(vec![call("choose", r#"{"candidate":"c1","evidence":["e1"],"reason":"memory"}"#)])
}

fn down() -> Result<Reply, ModelError> {
    Err(ModelError::Unavailable("503".into()))
}

fn garbage() -> Result<Reply, ModelError> {
    Err(ModelError::Unreadable("html".into()))
}

pub fn endpoint(model: &Arc<Player>, egress: &[&str]) -> Endpoint {
    let egress = Egress::parse(&egress.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).unwrap();
    Endpoint { name: format!("{} at here", model.name), model: model.clone(), egress, price: None }
}

/// Accounts that let so many tokens be drawn, and remember.
#[derive(Default)]
struct Books {
    allow: Option<u64>,
    drawn: Mutex<Vec<Invocation>>,
    settled: Mutex<Vec<Invocation>>,
}

#[async_trait]
impl Accounts for Books {
    async fn draw(&self, most: &Invocation) -> Result<(), Undrawn> {
        if self.allow.is_some_and(|allow| most.usage.total() > allow) {
            return Err(Undrawn::Over("the day's budget is used up".into()));
        }
        self.drawn.lock().unwrap().push(most.clone());
        Ok(())
    }

    async fn settle(&self, done: &Invocation) {
        self.settled.lock().unwrap().push(done.clone());
    }

    async fn left(&self, _: &str) -> Result<Left, Undrawn> {
        Ok(Left { turns: 5, tokens: 30_000, waited: Duration::from_secs(40) })
    }
}

fn chat() -> Chat {
    let system = Message::System { content: "system".into() };
    let user = Message::User { content: "user".into() };
    Chat { messages: vec![system, user], tools: vec![], must_call: false, max_tokens: 64 }
}

struct Pool {
    endpoints: Endpoints,
    clock: Arc<ManualClock>,
}

impl Pool {
    fn new(all: Vec<Endpoint>) -> Self {
        Self { endpoints: Endpoints::new(all, None), clock: ManualClock::new(at()) }
    }

    async fn ask(&self, places: &[Place]) -> Turn {
        let (chat, places) = (chat(), places.iter().cloned().collect::<BTreeSet<_>>());
        let (by, turn, cluster) = ("k3v9x2mq", "k3v9x2mq/0/0", "eu-1");
        let (within, clock) = (Duration::from_secs(60), &*self.clock);
        self.endpoints.ask(Asking { by, turn, cluster, places: &places, chat: &chat, within, clock }).await
    }
}

fn shop() -> Vec<Place> {
    vec![Place::of("shop")]
}

#[tokio::test]
async fn the_next_one_answers_within_the_same_turn() {
    let busy = Err(ModelError::Busy { why: "429".into(), leave: Duration::from_secs(60) });
    for (first, said) in [(down(), "503"), (garbage(), "could not be read: html"), (busy, "429")] {
        let (one, two) = (Player::new("one", vec![first]), Player::new("two", vec![ends()]));
        let pool = Pool::new(vec![endpoint(&one, &["*"]), endpoint(&two, &["*"])]);
        let turn = pool.ask(&shop()).await;
        assert_eq!(turn.result.unwrap().endpoint, 1);
        assert_eq!((one.asked(), two.asked()), (1, 1));
        let [missed, answered] = &turn.tries[..] else { panic!() };
        assert!(missed.failed.as_ref().unwrap().contains(said), "{missed:?}");
        assert_eq!((answered.failed.as_ref(), answered.usage.total()), (None, 1000));
    }
}

#[tokio::test]
async fn while_there_is_another_one_gets_half_of_the_time() {
    let (one, two) = (Player::new("one", vec![down()]), Player::new("two", vec![ends()]));
    let pool = Pool::new(vec![endpoint(&one, &["*"]), endpoint(&two, &["*"])]);
    pool.ask(&shop()).await.result.unwrap();
    let within = |p: &Player| p.seen.lock().unwrap()[0].1;
    assert_eq!((within(&one), within(&two)), (Duration::from_secs(30), Duration::from_secs(60)));
    // where the other one may not be asked there is nothing to save time for
    let pool = Pool::new(vec![endpoint(&two, &["*"]), endpoint(&one, &["pay"])]);
    pool.ask(&shop()).await.result.unwrap();
    assert_eq!(two.seen.lock().unwrap()[1].1, Duration::from_secs(60));
}

#[tokio::test]
async fn one_that_fails_again_and_again_is_left_alone_and_tried_later() {
    let (one, two) = (Player::new("one", vec![down()]), Player::new("two", vec![ends()]));
    let pool = Pool::new(vec![endpoint(&one, &["*"]), endpoint(&two, &["*"])]);
    for asked in [1, 2, 3, 3, 3] {
        assert_eq!(pool.ask(&shop()).await.result.unwrap().endpoint, 1);
        assert_eq!(one.asked(), asked);
    }
    pool.clock.advance(SignedDuration::from_secs(31));
    *one.answers.lock().unwrap() = vec![ends()];
    assert_eq!(pool.ask(&shop()).await.result.unwrap().endpoint, 0, "it works again");
    assert_eq!(pool.ask(&shop()).await.result.unwrap().endpoint, 0);
}

#[tokio::test]
async fn nothing_leaves_for_an_endpoint_that_may_not_see_it() {
    let (hosted, local) = (Player::new("hosted", vec![ends()]), Player::new("local", vec![ends()]));
    let pool = Pool::new(vec![endpoint(&hosted, &["shop", "eu-2/pay"]), endpoint(&local, &["*"])]);
    assert_eq!(pool.ask(&shop()).await.result.unwrap().endpoint, 0);
    for places in [
        vec![Place::of("pay")],
        vec![Place::of("shop"), Place::of("pay")],
        vec![Place::Everything],
        vec![Place::of("shop"), Place::of("")],
    ] {
        assert_eq!(pool.ask(&places).await.result.unwrap().endpoint, 1, "{places:?}");
    }
    assert_eq!(hosted.asked(), 1);
    let pool = Pool::new(vec![endpoint(&hosted, &[]), endpoint(&hosted, &["shop"])]);
    let Err(ModelError::Unavailable(why)) = pool.ask(&[Place::of("pay")]).await.result else { panic!() };
    assert_eq!(
        why,
        "hosted at here: text of namespace `pay` may not leave for it; hosted at here: text of namespace `pay` may not \
         leave for it"
    );
    assert_eq!(hosted.asked(), 1);
}

#[tokio::test]
async fn what_it_may_cost_is_drawn_before_and_settled_after() {
    let books = Arc::new(Books::default());
    let (one, two) = (Player::new("one", vec![down()]), Player::new("two", vec![ends()]));
    let price = Price {
        prompt: Money::billionths(3_000_000_000),
        cached: Money::billionths(300_000_000),
        completion: Money::billionths(15_000_000_000),
    };
    let all = vec![endpoint(&one, &["*"]), Endpoint { price: Some(price), ..endpoint(&two, &["*"]) }];
    let pool = Pool { endpoints: Endpoints::new(all, Some(books.clone())), clock: ManualClock::new(at()) };
    pool.ask(&shop()).await.result.unwrap();
    let (drawn, settled) = (books.drawn.lock().unwrap().clone(), books.settled.lock().unwrap().clone());
    let calls = |list: &[Invocation]| list.iter().map(|i| i.call.clone()).collect::<Vec<_>>();
    assert_eq!(calls(&drawn), ["k3v9x2mq/0/0/0", "k3v9x2mq/0/0/1"]);
    assert_eq!(calls(&settled), calls(&drawn));
    assert!(
        drawn.iter().all(|i| i.became == Became::Underway && i.usage.estimated && i.usage.completion == 64)
    );
    assert_eq!(settled[0].became, Became::Failed { why: "the model is not available: 503".into() });
    assert_eq!(settled[0].usage.completion, 0, "what was sent is counted, what never came is not");
    // 100 fresh, 800 cached, 100 back
    assert_eq!(settled[1].cost, Some(Money::billionths(300_000 + 240_000 + 1_500_000)));
    assert_eq!(settled[1].usage, Usage { prompt: 900, completion: 100, cached: 800, estimated: false });
}

#[tokio::test]
async fn over_the_budget_nobody_is_asked() {
    let books = Arc::new(Books { allow: Some(10), ..Books::default() });
    let one = Player::new("one", vec![ends()]);
    let endpoints = Endpoints::new(vec![endpoint(&one, &["*"])], Some(books));
    let pool = Pool { endpoints, clock: ManualClock::new(at()) };
    let Err(ModelError::Unavailable(why)) = pool.ask(&shop()).await.result else { panic!() };
    assert_eq!((why.as_str(), one.asked()), ("one at here: the day's budget is used up", 0));
}

fn mind(endpoints: Endpoints, text: &str) -> Mind {
    Mind {
        endpoints: Arc::new(endpoints),
        tools: Arc::new(FakeTools { text: text.into(), ..FakeTools::default() }),
        clock: ManualClock::new(at()),
        prompts: Arc::new(Prompts::load([]).unwrap()),
        limits: Limits::default(),
    }
}

fn pods(namespace: &str) -> Result<Reply, ModelError> {
    says(vec![call("k8s__list_pods", &format!(r#"{{"namespace":"{namespace}"}}"#))])
}

#[tokio::test]
async fn a_conversation_goes_on_elsewhere() {
    let one = Player::new("one", vec![pods("shop"), down()]);
    let two = Player::new("two", vec![pods("web"), ends()]);
    let all = vec![endpoint(&one, &["*"]), endpoint(&two, &["*"])];
    let given = Given::new(diagnosis());
    let mind = mind(Endpoints::new(all, None), "three pods");
    let done = investigate(&mind, &given.case(), 42, &CancellationToken::new()).await;
    let Outcome::Concluded { choice, note: None } = &done.outcome else { panic!("{:?}", done.outcome) };
    assert!(matches!(&choice.by, Investigator::Model { model, .. } if model == "two"), "{:?}", choice.by);
    let first_of_two = two.seen.lock().unwrap()[0].0.clone();
    let heard: Vec<String> = first_of_two.messages.iter().map(|m| format!("{m:?}")).collect();
    assert!(heard.iter().any(|m| m.contains("three pods")), "what one read, two sees");

    let minutes = choice.minutes.as_ref().unwrap();
    assert_eq!(minutes.endpoints, ["one at here", "two at here"]);
    assert_eq!(minutes.turns, 3);
    assert_eq!(minutes.evidence.len(), 2);
    let tape: Tape = serde_json::from_slice(&done.tape).unwrap();
    assert_eq!(minutes.tape, belay::domain::canonical::Hash::of(&done.tape));
    assert_eq!(tape.by, "k3v9x2mq");
    assert_eq!(tape.exchanges.iter().map(|e| e.tries.len()).collect::<Vec<_>>(), [1, 2, 2]);
    assert!(tape.exchanges.iter().all(|e| matches!(e.answer, Answer::Reply(_))));
    assert_eq!(tape.calls.len(), 2);
    // the requests can be put together again, byte for byte
    for (chat, exchange) in tape.requests().iter().zip(&tape.exchanges) {
        assert_eq!(belay::investigate::endpoints::request(chat), exchange.request);
    }
    assert_eq!(tape.requests()[0], one.seen.lock().unwrap()[0].0);
    assert_eq!(tape.requests()[2], two.seen.lock().unwrap()[1].0);
    assert!(tape.exchanges[1].tools.is_none() && tape.exchanges[1].keep == 2, "only what is new is kept");
}

#[tokio::test]
async fn a_model_that_may_not_see_a_namespace_does_not_read_it() {
    let hosted = Player::new("hosted", vec![pods("pay"), pods("shop"), ends()]);
    let given = Given::new(diagnosis());
    let mind = mind(Endpoints::new(vec![endpoint(&hosted, &["shop"])], None), "three pods");
    let done = investigate(&mind, &given.case(), 42, &CancellationToken::new()).await;
    assert!(
        matches!(&done.outcome, Outcome::Concluded { choice, .. } if matches!(choice.conclusion, Conclusion::Choose { .. }))
    );
    let second = format!("{:?}", hosted.seen.lock().unwrap()[1].0.messages.last());
    assert!(second.contains("not allowed") && second.contains("of one of these: shop"), "{second}");
    let tape: Tape = serde_json::from_slice(&done.tape).unwrap();
    assert_eq!(tape.calls.len(), 1, "only the one that is allowed was carried out");
}

#[tokio::test]
async fn a_budget_narrows_an_investigation() {
    let books = Arc::new(Books::default());
    let busy = Player::new("busy", (0..20).map(|n| pods(&format!("n{n}"))).collect());
    let endpoints = Endpoints::new(vec![endpoint(&busy, &["*"])], Some(books));
    let given = Given::new(diagnosis());
    let done = investigate(&mind(endpoints, "x"), &given.case(), 42, &CancellationToken::new()).await;
    assert_eq!((done.turns, busy.asked()), (5, 5), "five turns are left, not twelve");
}

#[tokio::test]
async fn it_stops_when_there_is_nothing_to_investigate_any_more() {
    let slow = Player::hanging("slow");
    let books = Arc::new(Books::default());
    let endpoints = Endpoints::new(vec![endpoint(&slow, &["*"])], Some(books.clone()));
    let (given, mind, stop) = (Given::new(diagnosis()), mind(endpoints, "x"), CancellationToken::new());
    let case = given.case();
    let running = investigate(&mind, &case, 42, &stop);
    let stopping = async {
        while slow.asked() == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (done, ()) = tokio::join!(running, stopping);
    assert!(done.is_cancelled());
    let tape: Tape = serde_json::from_slice(&done.tape).unwrap();
    assert_eq!(tape.exchanges[0].answer, Answer::Cancelled);
    assert_eq!(books.drawn.lock().unwrap().len(), 1, "what it may have cost is written down");
}

#[tokio::test]
async fn the_prefix_stays_while_old_results_are_taken_out() {
    let long = (0..3000).map(|n| format!("pod {n} is fine")).collect::<Vec<_>>().join("\n");
    let reading = |n: usize| {
        let calls =
            (0..3).map(|m| call("k8s__list_pods", &format!(r#"{{"namespace":"n{n}{m}"}}"#))).collect();
        says(calls)
    };
    let read = says(vec![call("evidence__read", r#"{"id":"t1","from":1500,"lines":2}"#)]);
    let model = Player::new("m", (0..4).map(reading).chain([read, ends()]).collect());
    let given = Given::new(diagnosis());
    let mind = mind(Endpoints::only(model.clone()), &long);
    let done = investigate(&mind, &given.case(), 42, &CancellationToken::new()).await;
    assert!(matches!(done.outcome, Outcome::Concluded { .. }), "{:?}", done.outcome);
    let seen = model.seen.lock().unwrap();
    let chats: Vec<&Chat> = seen.iter().map(|(chat, _)| chat).collect();
    let mut grown = 0;
    for pair in chats.windows(2) {
        assert_eq!(pair[0].messages[..2], pair[1].messages[..2]);
        grown += usize::from(pair[1].messages.starts_with(&pair[0].messages));
        assert_eq!(pair[0].tools, pair[1].tools);
    }
    assert_eq!(grown, chats.len() - 2, "all but once the request before is the beginning of the next");
    let bytes = |chat: &Chat| {
        let tool = |m: &Message| if let Message::Tool { content, .. } = m { content.len() } else { 0 };
        chat.messages.iter().map(tool).sum::<usize>()
    };
    assert!(chats.iter().all(|chat| bytes(chat) <= Limits::default().history + 3 * 8 * 1024));
    let last = format!("{:?}", chats.last().unwrap().messages);
    assert!(last.contains("Evidence t1 (k8s__list_pods") && last.contains("stood here"), "{last}");
    assert!(last.contains("| pod 1499 is fine") && last.contains("t1 lines 1500 to 1501 of 3000"), "{last}");
    // nothing is lost: the result is kept whole, once
    assert_eq!(done.outputs, [long]);
    let whole = String::from_utf8(done.transcript.clone()).unwrap();
    assert!(!whole.contains("stood here") && whole.matches("pod 2999 is fine").count() == 12);
}
