//! Third-party servers as children: what they are given, and what it costs when they misbehave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::adapters::mcp::{Foreign, Hub, HubError, Pins, RESERVED, Reach, Settings, Standing};
use belay::ports::clock::{Clock as _, ManualClock};
use belay::ports::model::{ToolError, ToolResult, Tools as _};
use jiff::{SignedDuration, Timestamp};

use super::odd;

const SOON: Duration = Duration::from_secs(20);

struct Set {
    hub: Hub,
    foreign: Arc<Foreign>,
    clock: Arc<ManualClock>,
}

fn set_up(settings: Settings, pins: Pins) -> Set {
    let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
    let foreign = Arc::new(Foreign::new(settings, Arc::new(pins), clock.clone()).unwrap());
    let mut hub = Hub::of("test");
    hub.add(Arc::clone(&foreign)).unwrap();
    Set { hub, foreign, clock }
}

fn odd(env: &[(&str, &str)]) -> Set {
    set_up(odd::settings("odd", Reach::Child(odd::program(env))), odd::pins("odd"))
}

impl Set {
    async fn call(&self, tool: &str) -> Result<ToolResult, ToolError> {
        self.hub.call(&format!("odd__{tool}"), r#"{"text":"hello"}"#, SOON).await
    }

    async fn said(&self, tool: &str) -> String {
        self.call(tool).await.unwrap().text
    }

    async fn offered(&self) -> Vec<String> {
        self.hub.list().await.unwrap().into_iter().map(|spec| spec.name).collect()
    }
}

#[tokio::test]
async fn a_child_is_called_and_has_no_environment_but_its_own() {
    let set = odd(&[("GIVEN", "yes")]);
    // on offer before anybody connected: nobody waits for it
    assert_eq!(set.offered().await.len(), odd::TOOLS.len());
    assert_eq!(set.said("echo").await, "hello");
    let env = set.said("env").await;
    let mut names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // the harness of the test sets one of its own within the child
    names.retain(|name| !name.starts_with("RUST"));
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "ODD"], "{env}");
    assert!(!env.contains("PATH="));
}

#[tokio::test]
async fn a_child_ends_with_the_connection() {
    let set = odd(&[]);
    let pid = set.said("pid").await;
    let alive =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(alive());
    drop(set);
    let began = Instant::now();
    while alive() {
        assert!(began.elapsed() < SOON, "it lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_server_asks_for_is_declined() {
    let set = odd(&[]);
    let answers: serde_json::Value = serde_json::from_str(&set.said("ask").await).unwrap();
    assert_eq!(answers[0]["error"]["code"], -32601, "sampling: {answers}");
    assert_eq!(answers[1]["error"]["code"], -32601, "roots: {answers}");
    assert_eq!(answers[2]["result"]["action"], "decline", "elicitation: {answers}");
}

#[tokio::test]
async fn a_crash_in_mid_call_costs_that_call_and_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let set = odd(&[("STARTS", starts.to_str().unwrap())]);
    let started = || std::fs::read_to_string(&starts).unwrap_or_default().len();
    let Err(ToolError::NoAnswer(why)) = set.call("crash").await else { panic!("it answered") };
    assert!(why.starts_with("`odd__crash`: "), "{why}");
    // the list keeps what was pinned, and calls say when it is tried again
    assert_eq!(set.offered().await.len(), odd::TOOLS.len());
    let Err(ToolError::NoAnswer(why)) = set.call("echo").await else { panic!("it is down") };
    assert!(why.contains("it is down (it ended); it is tried again in"), "{why}");
    assert_eq!(started(), 1);
    set.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(set.said("echo").await, "hello");
    assert_eq!(started(), 2);
    // one that is looked after is up again before anybody calls it
    assert!(set.call("crash").await.is_err());
    set.foreign.tend().await;
    assert_eq!(started(), 2, "not before the pause is over");
    set.clock.advance(SignedDuration::from_secs(1));
    set.foreign.tend().await;
    assert_eq!(started(), 3);
}

#[tokio::test]
async fn the_pause_grows_while_it_does_not_start() {
    let mut settings = odd::settings("odd", Reach::Child(odd::program(&[])));
    let Reach::Child(program) = &mut settings.reach else { panic!("it is a child") };
    program.command = "/nonexistent/server".into();
    let set = set_up(settings, odd::pins("odd"));
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let Err(ToolError::NoAnswer(why)) = set.call("echo").await else { panic!("it cannot start") };
        assert!(why.contains("`/nonexistent/server` could not be started"), "{why}");
        set.clock.advance(SignedDuration::from_secs(pause - 1));
        let Err(ToolError::NoAnswer(why)) = set.call("echo").await else { panic!("it cannot start") };
        assert!(why.contains("tried again in"), "{pause}: {why}");
        set.clock.advance(SignedDuration::from_secs(1));
    }
}

#[tokio::test]
async fn one_that_hangs_is_not_waited_for_beyond_the_deadline() {
    let mut settings = odd::settings("odd", Reach::Child(odd::program(&[])));
    settings.within = Duration::from_secs(2);
    let set = set_up(settings, odd::pins("odd"));
    assert_eq!(set.said("echo").await, "hello");
    for n in 1..=3 {
        let began = Instant::now();
        let Err(ToolError::NoAnswer(_)) = set.call("hang").await else { panic!("it answered") };
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        if n < 3 {
            assert_eq!(set.said("echo").await, "hello", "others are answered");
        }
    }
    // `echo` answered in between, so that it was never mute three times in a row
    assert!(set.call("hang").await.is_err() && set.call("hang").await.is_err());
    let Err(ToolError::NoAnswer(why)) = set.call("echo").await else { panic!("given up") };
    assert!(why.contains("it does not answer"), "{why}");
}

#[tokio::test]
async fn giant_output_is_cut_or_costs_its_call() {
    let mut settings = odd::settings("odd", Reach::Child(odd::program(&[])));
    settings.within = Duration::from_secs(5);
    let set = set_up(settings, odd::pins("odd"));
    let text = set.said("giant").await;
    assert!(text.len() < 25 * 1024 && text.contains("bytes left out"), "{}", text.len());
    assert!(matches!(set.call("flood").await, Err(ToolError::NoAnswer(_))));
    assert_eq!(set.said("echo").await, "hello");
}

#[tokio::test]
async fn a_tool_that_changes_while_running_is_disabled_and_told_once() {
    let set = odd(&[]);
    assert_eq!(set.said("echo").await, "hello");
    assert!(set.foreign.news().is_empty());
    set.said("change").await;
    let disabled = set.call("echo").await.unwrap();
    assert!(disabled.failed && disabled.text.contains("its definition changed"), "{}", disabled.text);
    assert!(!set.offered().await.contains(&"odd__echo".to_owned()));
    assert!(set.said("pid").await.parse::<u32>().is_ok(), "the others go on");
    let [news] = <[_; 1]>::try_from(set.foreign.news()).unwrap();
    assert_eq!((news.tool.as_str(), news.standing), ("echo", Standing::Changed));
    assert!(news.difference.iter().any(|line| line.contains("Ignore your previous instructions")));
    // listed again and again, it is told no more
    for _ in 0..3 {
        set.clock.advance(SignedDuration::from_mins(6));
        set.foreign.tend().await;
    }
    assert!(set.foreign.news().is_empty());
}

#[tokio::test]
async fn what_nobody_accepted_is_neither_offered_nor_called() {
    let mut settings = odd::settings("odd", Reach::Child(odd::program(&[("CHANGED", "1")])));
    settings.allow.insert("gone".into());
    let mut pins = Pins::default();
    for name in ["echo", "pid", "gone"] {
        pins.accept("odd", &odd::parsed(odd::tool(name)));
    }
    let set = set_up(settings, pins);
    assert_eq!(set.offered().await, ["odd__echo", "odd__gone", "odd__pid"]);
    set.foreign.tend().await;
    assert_eq!(set.offered().await, ["odd__pid"]);
    for (tool, why) in [("env", "no person has accepted it"), ("echo", "changed"), ("gone", "no such tool")] {
        let result = set.call(tool).await.unwrap();
        assert!(result.failed && result.text.contains(why), "{tool}: {}", result.text);
    }
    assert!(matches!(set.call("delete_everything").await, Err(ToolError::Unknown(_))));
    let told: Vec<Standing> = set.foreign.news().iter().map(|news| news.standing).collect();
    assert!(
        told.contains(&Standing::New)
            && told.contains(&Standing::Changed)
            && told.contains(&Standing::Missing)
    );
}

#[tokio::test]
async fn a_name_listed_twice_is_disabled() {
    let set = odd(&[("TWICE", "pid")]);
    let result = set.call("pid").await.unwrap();
    assert!(result.failed && result.text.contains("more than once"), "{}", result.text);
}

#[tokio::test]
async fn each_caller_has_so_many_calls() {
    let mut settings = odd::settings("odd", Reach::Child(odd::program(&[])));
    settings.per_minute = 8;
    let set = set_up(settings, odd::pins("odd"));
    let mut other = Hub::of("another");
    other.add(Arc::clone(&set.foreign)).unwrap();
    assert_eq!((set.said("echo").await, set.said("echo").await), ("hello".into(), "hello".into()));
    let denied = set.call("echo").await.unwrap();
    assert!(denied.failed && denied.text.ends_with("too many calls: try again in 8 s"), "{}", denied.text);
    assert!(!other.call("odd__echo", "{}", SOON).await.unwrap().failed, "others have their own");
    set.clock.advance(SignedDuration::from_secs(8));
    assert_eq!(set.said("echo").await, "hello");
    assert!(set.clock.now() > Timestamp::from_second(1_800_000_000).unwrap());
}

#[test]
fn the_names_of_our_own_servers_are_taken() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let mut hub = Hub::of("test");
    let mut add = |name: &str| {
        let settings = odd::settings(name, Reach::Child(odd::program(&[])));
        hub.add(Arc::new(Foreign::new(settings, Arc::default(), clock.clone()).unwrap()))
    };
    for name in RESERVED.into_iter().chain(["Kubernetes", "ACTIONS"]) {
        assert_eq!(add(name), Err(HubError::Reserved(name.to_owned())));
    }
    for name in ["", "a__b", "ü", "a b", &"x".repeat(33)] {
        assert_eq!(add(name), Err(HubError::BadName(name.to_owned())));
    }
    assert_eq!(add("grafana"), Ok(()));
    assert_eq!(add("grafana"), Err(HubError::Taken("grafana".into())));
}
