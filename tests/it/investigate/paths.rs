//! Every path of the pure machine, one by one.

use belay::domain::finding::{Cause, Certainty};
use belay::domain::record::{Conclusion, Diagnosis, Investigator};
use belay::domain::spend::Usage;
use belay::investigate::endpoints::egress::{Place, Reach};
use belay::investigate::fence::Fence;
use belay::investigate::machine::{Event, Frame, Investigation, Step};
use belay::investigate::outcome::{Degraded, End, Note};
use belay::investigate::{Limits, playbook};
use belay::ports::model::{Chat, Message, ModelError, Reply, ToolCall, ToolResult};
use jiff::{SignedDuration, Timestamp};

use super::fixtures::{at, call, diagnosis, specs, unsure};

/// Drives the machine by hand; tools answer at once with `text`.
struct Hand {
    machine: Investigation,
    step: Step,
    now: Timestamp,
    text: String,
    ran: Vec<String>,
}

impl Hand {
    fn new(diagnosis: &Diagnosis, limits: Limits) -> Self {
        let frame = Frame {
            system: "system".into(),
            incident: "incident".into(),
            tools: specs(),
            fence: Fence::new(1),
            place: Place::of("shop"),
            reach: Reach::unbounded(),
        };
        let mut machine = Investigation::new(frame, diagnosis, limits, at());
        let step = machine.next(Event::Start, at());
        Self { machine, step, now: at(), text: "three pods".into(), ran: Vec::new() }
    }

    fn chat(&self) -> &Chat {
        match &self.step {
            Step::Ask { chat, .. } => chat,
            other => panic!("not asked but {other:?}"),
        }
    }

    fn offered(&self) -> Vec<&str> {
        self.chat().tools.iter().map(|t| t.name.as_str()).collect()
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.step = self.machine.next(event, self.now);
        while let Step::CallTools { calls, .. } = &self.step {
            self.ran.extend(calls.iter().map(|c| format!("{} {}", c.tool, c.arguments)));
            let result = ToolResult { text: self.text.clone(), failed: false };
            let results = calls.iter().map(|c| (c.id.clone(), Ok(result.clone()))).collect();
            self.step = self.machine.next(Event::Answered(results), self.now);
        }
        self
    }

    fn reply(&mut self, content: &str, calls: &[ToolCall]) -> &mut Self {
        let reply = Reply {
            content: content.into(),
            calls: calls.to_vec(),
            incomplete: None,
            usage: Usage::of(1000),
            endpoint: 0,
        };
        self.event(Event::Replied(Ok(reply)))
    }

    fn calls(&mut self, calls: &[ToolCall]) -> &mut Self {
        self.reply("", calls)
    }

    fn end(&self) -> &End {
        match &self.step {
            Step::End(end) => end,
            other => panic!("not over but {other:?}"),
        }
    }

    fn last_results(&self) -> Vec<String> {
        let mut out = Vec::new();
        for message in self.chat().messages.iter().rev() {
            match message {
                Message::Tool { content, .. } => out.insert(0, content.clone()),
                _ => return out,
            }
        }
        out
    }
}

fn hand() -> Hand {
    Hand::new(&unsure(), Limits::default())
}

fn pods(namespace: &str) -> ToolCall {
    call("k8s__list_pods", &format!(r#"{{"namespace":"{namespace}"}}"#))
}

fn choose(candidate: &str, evidence: &str) -> ToolCall {
    call("choose", &format!(r#"{{"candidate":"{candidate}","evidence":[{evidence}]}}"#))
}

fn escalated(note: Note) -> End {
    End::Concluded { conclusion: Conclusion::Escalate, note: Some(note) }
}

#[track_caller]
fn chose(hand: &Hand, candidate: &str) {
    match hand.end() {
        End::Concluded { conclusion: Conclusion::Choose { candidate: got, .. }, note: None } => {
            assert_eq!(got.as_str(), candidate);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_reads_and_chooses() {
    let mut hand = hand();
    let read = ["k8s__list_pods", "k8s__get_pod_logs", "evidence__read", "evidence__search"];
    assert_eq!(hand.offered(), [&read[..], &["choose", "no_action", "escalate"]].concat());
    hand.reply("let me look", &[pods("shop")]);
    assert_eq!(hand.ran, [r#"k8s__list_pods {"namespace":"shop"}"#]);
    assert!(hand.last_results()[0].starts_with("Evidence t1:\n<<<data "), "{:?}", hand.last_results());
    hand.reply("memory", &[choose("c1", r#""e1","t1""#)]);
    chose(&hand, "c1");
    let gathered = hand.machine.gathered();
    assert_eq!(gathered.evidence[0].id.as_str(), "t1");
    assert_eq!(gathered.said, "let me look\nmemory");
    assert_eq!((gathered.tokens, gathered.turns), (2000, 2));
}

#[test]
fn it_may_end_with_nothing_or_with_a_person() {
    for (name, conclusion) in [("no_action", Conclusion::NoAction), ("escalate", Conclusion::Escalate)] {
        let mut hand = hand();
        hand.calls(&[call(name, r#"{"reason":"it is well"}"#)]);
        assert_eq!(hand.end(), &End::Concluded { conclusion, note: None });
        assert_eq!(hand.machine.gathered().said, "it is well");
    }
}

#[test]
fn what_is_certain_is_not_called_nothing() {
    let mut hand = Hand::new(&diagnosis(), Limits::default());
    hand.calls(&[call("no_action", r#"{"reason":"fine"}"#)]);
    assert_eq!(hand.end(), &escalated(Note::Overruled { cause: "OOMKilled" }));
}

#[test]
fn an_unsound_ending_is_corrected_once() {
    let wrong = [
        choose("c9", r#""e1""#),
        choose("c1", ""),
        choose("c1", r#""e99""#),
        choose("c1", r#""t1""#),
        choose("c1", r#""e3""#),
        call("choose", r#"{"candidate":"c1","evidence":["e1"],"confidence":0.99}"#),
        call("choose", r#"{"candidate":"c1","candidate":"c2","evidence":["e1"]}"#),
        call("choose", r#"{"candidate":["c1"],"evidence":["e1"]}"#),
        call("choose", "{\"candidate\":\"c1\""),
        call("no_action", "{}"),
        call("escalate", ""),
    ];
    for ending in wrong {
        let mut hand = hand();
        hand.calls(std::slice::from_ref(&ending));
        assert!(hand.last_results()[0].starts_with("not accepted: "), "{ending:?}");
        assert!(hand.chat().must_call);
        let mut again = Hand { machine: hand.machine.clone(), step: hand.step.clone(), ..self::hand() };
        again.calls(&[choose("c1", r#""e1""#)]);
        chose(&again, "c1");
        hand.calls(&[ending]);
        assert!(matches!(hand.end(), End::Concluded { note: Some(Note::Malformed(_)), .. }));
    }
}

#[test]
fn answers_that_are_none_are_corrected_once() {
    let cut = |tokens| Reply {
        content: "I choose c1".into(),
        calls: vec![choose("c1", r#""e1""#)],
        incomplete: Some("length".into()),
        usage: Usage::of(tokens),
        endpoint: 0,
    };
    let say = |content: &str| Reply {
        content: content.into(),
        calls: vec![],
        incomplete: None,
        usage: Usage::of(1),
        endpoint: 0,
    };
    let many = Reply { calls: vec![pods("a"); 33], ..say("") };
    for reply in [cut(1), say(""), say("choose(c1, [e1])"), say("{\"candidate\":\"c1\"}"), many] {
        let mut hand = hand();
        hand.event(Event::Replied(Ok(reply.clone())));
        assert!(matches!(hand.chat().messages.last(), Some(Message::User { .. })), "{reply:?}");
        hand.event(Event::Replied(Ok(reply)));
        let End::Concluded { conclusion: Conclusion::Escalate, note: Some(Note::Malformed(_)) } = hand.end()
        else {
            panic!("{:?}", hand.end())
        };
        assert!(hand.ran.is_empty());
    }
}

#[test]
fn an_ending_stands_alone() {
    for calls in [
        vec![choose("c1", r#""e1""#), choose("c2", r#""e1""#)],
        vec![choose("c1", r#""e1""#), pods("shop")],
        vec![pods("shop"), call("no_action", r#"{"reason":"x"}"#)],
    ] {
        let mut hand = hand();
        hand.calls(&calls);
        assert_eq!(hand.last_results().len(), 2);
        assert!(hand.ran.is_empty());
        hand.calls(&calls);
        assert_eq!(hand.end(), &escalated(Note::Malformed("an ending beside other calls")));
    }
}

#[test]
fn of_two_endings_the_stricter_counts() {
    let mut hand = hand();
    hand.calls(&[choose("c1", r#""e1""#), call("escalate", r#"{"reason":"x"}"#)]);
    assert_eq!(hand.end(), &escalated(Note::Mixed));
}

#[test]
fn three_calls_of_what_is_not_there_end_the_models_part() {
    for wrong in [
        call("k8s__delete_pod", r#"{"pod":"api"}"#),
        call("rm -rf /", "{}"),
        call("", ""),
        call("evidence__write", "{}"),
    ] {
        let mut hand = hand();
        hand.calls(&[wrong.clone(), pods("shop")]);
        assert_eq!(hand.ran.len(), 1, "the sound one is carried out");
        assert!(
            hand.last_results()[0].contains("the tools are: evidence__read"),
            "{:?}",
            hand.last_results()
        );
        hand.calls(&[wrong.clone(), pods("else")]);
        assert_eq!(hand.ran.len(), 2);
        hand.calls(&[wrong, pods("more")]);
        assert_eq!(hand.end(), &escalated(Note::Denied(3)));
        assert_eq!(hand.ran.len(), 2);
    }
}

#[test]
fn unreadable_arguments_are_corrected_once() {
    for wrong in [
        call("k8s__list_pods", "namespace=shop"),
        call("k8s__list_pods", r#"{"namespace":"a","namespace":"b"}"#),
        call("k8s__list_pods", &format!("{{\"namespace\":\"{}\"}}", "x".repeat(5000))),
    ] {
        let mut hand = hand();
        hand.calls(&[wrong.clone(), pods("shop")]);
        assert_eq!(hand.ran.len(), 1, "the sound one is carried out");
        assert_eq!(hand.last_results().len(), 2);
        hand.calls(&[wrong, pods("else")]);
        assert!(matches!(hand.end(), End::Concluded { note: Some(Note::Malformed(_)), .. }));
        assert_eq!(hand.ran.len(), 1);
    }
}

#[test]
fn going_round_in_circles_ends() {
    let mut hand = hand();
    hand.calls(&[pods("shop")]).calls(&[pods("shop")]);
    assert!(hand.last_results()[0].contains("before"), "a nudge");
    assert!(hand.offered().contains(&"k8s__list_pods"));
    hand.calls(&[call("k8s__list_pods", r#"{ "namespace" : "shop" }"#)]);
    assert_eq!(hand.offered(), ["choose", "no_action", "escalate"], "tools are withdrawn");
    assert!(hand.chat().must_call);
    hand.calls(&[pods("shop")]);
    assert_eq!(hand.end(), &escalated(Note::Looped));
    assert_eq!(hand.ran.len(), 1);
}

#[test]
fn calls_are_limited_per_turn_and_in_all() {
    let limits = Limits { calls_per_turn: 2, calls: 3, ..Limits::default() };
    let mut hand = Hand::new(&unsure(), limits);
    hand.calls(&[pods("a"), pods("b"), pods("c")]);
    assert_eq!(hand.ran.len(), 2);
    assert!(hand.last_results()[2].contains("at most 2 calls in one turn"));
    hand.calls(&[pods("c"), pods("d")]);
    assert_eq!(hand.ran.len(), 3);
    assert_eq!(hand.offered(), ["choose", "no_action", "escalate"]);
}

#[test]
fn the_last_turn_has_only_endings_and_then_it_is_over() {
    let mut hand = Hand::new(&unsure(), Limits { turns: 3, ..Limits::default() });
    hand.calls(&[pods("a")]).calls(&[pods("b")]);
    assert_eq!(hand.offered(), ["choose", "no_action", "escalate"]);
    let mut ends = Hand { machine: hand.machine.clone(), step: hand.step.clone(), ..self::hand() };
    ends.calls(&[choose("c2", r#""e2""#)]);
    chose(&ends, "c2");
    hand.calls(&[pods("c")]);
    assert_eq!(hand.end(), &End::Degraded(Degraded::Turns { limit: 3 }));
    assert_eq!(hand.ran.len(), 2);
}

#[test]
fn tokens_run_out() {
    let mut hand = Hand::new(&unsure(), Limits { tokens: 2000, ..Limits::default() });
    hand.calls(&[pods("a")]).calls(&[pods("b")]);
    assert_eq!(hand.end(), &End::Degraded(Degraded::Tokens { spent: 2000, limit: 2000 }));
    let mut hand = Hand::new(&unsure(), Limits { tokens: 2000, ..Limits::default() });
    let reply = |tokens| Reply {
        content: String::new(),
        calls: vec![pods("a")],
        incomplete: None,
        usage: Usage::of(tokens),
        endpoint: 0,
    };
    hand.event(Event::Replied(Ok(reply(1600))));
    assert_eq!(hand.offered(), ["choose", "no_action", "escalate"], "the last quarter is for the end");
}

#[test]
fn a_server_that_counts_nothing_is_counted() {
    let mut hand = hand();
    let reply = Reply {
        content: "x".repeat(4000),
        calls: vec![pods("a")],
        incomplete: None,
        usage: Usage::default(),
        endpoint: 0,
    };
    hand.event(Event::Replied(Ok(reply)));
    assert!(hand.machine.gathered().tokens > 1000);
}

#[test]
fn time_runs_out() {
    let mut hand = hand();
    hand.now = at() + SignedDuration::from_secs(95);
    hand.calls(&[pods("a")]);
    assert_eq!(hand.offered(), ["choose", "no_action", "escalate"], "the last quarter is for the end");
    hand.now = at() + SignedDuration::from_secs(120);
    hand.calls(&[call("nonsense", "{}")]);
    assert_eq!(hand.end(), &End::Degraded(Degraded::Slow));
    for before in [vec![], vec![pods("a")]] {
        let mut late = self::hand();
        late.calls(&before).event(Event::Late);
        assert_eq!(late.end(), &End::Degraded(Degraded::Slow));
    }
}

#[test]
fn a_clock_that_jumps_back_gives_no_more_time() {
    let mut hand = hand();
    hand.now = at() - SignedDuration::from_hours(24);
    hand.calls(&[pods("a")]);
    let Step::Ask { within, .. } = hand.step else { panic!() };
    assert!(within <= Limits::default().turn.unsigned_abs());
}

#[test]
fn a_model_that_fails_is_done_without() {
    for (error, why) in [
        (ModelError::Unavailable("503".into()), Degraded::Unavailable("503".into())),
        (ModelError::Unreadable("html".into()), Degraded::Unreadable("html".into())),
    ] {
        let mut hand = hand();
        hand.event(Event::Replied(Err(error)));
        assert_eq!(hand.end(), &End::Degraded(why));
    }
}

#[test]
fn the_end_stays_the_end_and_steps_have_an_order() {
    let mut hand = hand();
    hand.event(Event::Start);
    assert_eq!(hand.end(), &End::Degraded(Degraded::OutOfStep));
    hand.calls(&[choose("c1", r#""e1""#)]);
    assert_eq!(hand.end(), &End::Degraded(Degraded::OutOfStep));
}

#[test]
fn results_that_fail_or_lack_are_no_evidence() {
    let mut hand = hand();
    let reply = Reply {
        content: String::new(),
        calls: vec![pods("a"), pods("b"), pods("c")],
        incomplete: None,
        usage: Usage::of(1),
        endpoint: 0,
    };
    let Step::CallTools { calls, .. } = hand.machine.next(Event::Replied(Ok(reply)), at()) else { panic!() };
    let failed = ToolResult { text: "pod `x` not found; did you mean `y`?".into(), failed: true };
    let results = vec![
        ("elsewhere".to_owned(), Ok(ToolResult { text: "foreign".into(), failed: false })),
        (calls[1].id.clone(), Ok(ToolResult { text: "first".into(), failed: false })),
        (calls[1].id.clone(), Ok(ToolResult { text: "second".into(), failed: false })),
        (calls[0].id.clone(), Ok(failed)),
    ];
    hand.step = hand.machine.next(Event::Answered(results), at());
    let results = hand.last_results();
    assert_eq!(results.len(), 3);
    assert!(results[0].starts_with("The call failed.") && results[0].contains("did you mean"));
    assert!(results[1].contains("first") && !results[1].contains("second"));
    assert!(results[2].contains("did not answer"));
    assert_eq!(hand.machine.gathered().evidence.len(), 1);
}

#[test]
fn a_huge_result_is_cut_and_says_so() {
    let mut hand = hand();
    hand.text = (0..1_000_000).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    hand.calls(&[pods("a")]);
    let result = &hand.last_results()[0];
    assert!(result.len() < 10_000, "{}", result.len());
    assert!(result.contains("left out") && result.contains("| line 999999"));
}

#[test]
fn without_candidates_there_is_nothing_to_choose() {
    let mut diagnosis = unsure();
    diagnosis.candidates.clear();
    let mut hand = Hand::new(&diagnosis, Limits::default());
    assert!(!hand.offered().contains(&"choose"));
    hand.calls(&[choose("c1", r#""e1""#)]).calls(&[choose("c1", r#""e1""#)]);
    assert!(matches!(hand.end(), End::Concluded { conclusion: Conclusion::Escalate, .. }));
}

#[test]
fn a_tool_of_the_hub_cannot_pose_as_an_ending() {
    let mut tools = specs();
    tools.extend(specs());
    tools[0].name = "choose".into();
    tools[1].name = "a tool with blanks".into();
    tools[3].name = "evidence__read".into();
    let frame = Frame {
        system: String::new(),
        incident: String::new(),
        tools,
        fence: Fence::new(1),
        place: Place::of("shop"),
        reach: Reach::unbounded(),
    };
    let mut machine = Investigation::new(frame, &unsure(), Limits::default(), at());
    let Step::Ask { chat, .. } = machine.next(Event::Start, at()) else { panic!() };
    let names: Vec<&str> = chat.tools.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(
        names,
        ["k8s__list_pods", "evidence__read", "evidence__search", "choose", "no_action", "escalate"]
    );
    assert!(chat.tools[1].description.contains("of this conversation"), "belay's own");
}

#[test]
fn the_playbook_takes_the_surest_findings_first_candidate() {
    let choice = playbook(&diagnosis(), "no model is configured");
    assert_eq!(choice.by, Investigator::Playbook { why: "no model is configured".into() });
    let Conclusion::Choose { candidate, .. } = &choice.conclusion else { panic!("{choice:?}") };
    assert_eq!(candidate.as_str(), "c1");

    let mut none = diagnosis();
    none.candidates.clear();
    assert_eq!(playbook(&none, "").conclusion, Conclusion::Escalate);
    none.findings[0].cause = Cause::NothingWrong;
    assert_eq!(playbook(&none, "").conclusion, Conclusion::NoAction);
    none.findings.clear();
    assert_eq!(playbook(&none, "").conclusion, Conclusion::Escalate);

    let mut two = diagnosis();
    let mut surer = two.findings[0].clone();
    two.findings[0].certainty = Certainty::Possible;
    surer.cause = Cause::Saturation { percent: 97, pods: 3 };
    two.findings.push(surer);
    let Conclusion::Choose { candidate, .. } = playbook(&two, "").conclusion else { panic!() };
    assert_eq!(candidate.as_str(), "c2");
}
