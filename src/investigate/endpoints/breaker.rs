//! The circuit breaker of one endpoint: after a few failures it is left alone, then tried with one request.
//! A pure state machine; time is an argument.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Failures within `WINDOW` that open it. Three: one is an accident, two may be the same one.
const FAILURES: usize = 3;
/// Two minutes: the length of an investigation.
const WINDOW: SignedDuration = SignedDuration::from_secs(120);
/// How long it stays open at first: a server that restarts is back within half a minute.
const FIRST: SignedDuration = SignedDuration::from_secs(30);
/// How long it stays open at most; each probe that fails doubles the pause. Also the longest that a server's
/// own `Retry-After` is heeded: an hour's request would be an outage that nobody looks at.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);

/// Whether an endpoint is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// The pause when it opens next.
    pause: SignedDuration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Asked; these are the latest failures.
    Closed(VecDeque<Timestamp>),
    /// Not asked before this moment.
    Open(Timestamp),
    /// One request is under way to see whether it works again; if nothing is heard of it until then, another
    /// may try.
    Probing(Timestamp),
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed(VecDeque::new()), pause: FIRST }
    }
}

impl Breaker {
    /// Whether a request may be sent now, for an answer within `patience`; else until when not.
    pub fn admit(&mut self, now: Timestamp, patience: SignedDuration) -> Result<(), Timestamp> {
        match self.state {
            State::Closed(_) => Ok(()),
            State::Open(until) | State::Probing(until) if now < until => Err(until),
            State::Open(_) | State::Probing(_) => {
                self.state = State::Probing(after(now, patience));
                Ok(())
            }
        }
    }

    /// An admitted request was not sent after all: if it was to find out, the next one may.
    pub fn unsent(&mut self, now: Timestamp) {
        if matches!(self.state, State::Probing(_)) {
            self.state = State::Open(now);
        }
    }

    /// A request was answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request was not answered; `leave` is how long the server asks to be left alone.
    pub fn failed(&mut self, now: Timestamp, leave: Option<SignedDuration>) {
        let probe_failed = match &mut self.state {
            State::Closed(failures) => {
                failures.push_back(now);
                // a clock that jumped back forgets nothing: what lies ahead counts as recent
                failures.retain(|at| now.duration_since(*at) <= WINDOW);
                if failures.len() < FAILURES && leave.is_none() {
                    return;
                }
                false
            }
            // an answer of a request from before it opened: nothing new
            State::Open(_) => return,
            State::Probing(_) => true,
        };
        if probe_failed {
            self.pause = self.pause.saturating_mul(2).min(LONGEST);
        }
        let pause = leave.map_or(self.pause, |leave| leave.clamp(SignedDuration::ZERO, LONGEST));
        self.state = State::Open(after(now, pause));
    }
}

fn after(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn failing(times: &[i64]) -> Breaker {
        let mut breaker = Breaker::default();
        for second in times {
            breaker.failed(at(*second), None);
        }
        breaker
    }

    #[test]
    fn it_opens_after_three_failures_in_two_minutes() {
        assert_eq!(failing(&[0, 10]).admit(at(11), PATIENCE), Ok(()));
        assert_eq!(failing(&[0, 10, 20]).admit(at(21), PATIENCE), Err(at(50)));
        assert_eq!(failing(&[0, 10, 121]).admit(at(122), PATIENCE), Ok(()), "the first is too long ago");
        let mut well = failing(&[0, 10]);
        well.succeeded();
        well.failed(at(20), None);
        assert_eq!(well.admit(at(21), PATIENCE), Ok(()));
    }

    #[test]
    fn one_request_finds_out_whether_it_works_again() {
        let mut breaker = failing(&[0, 0, 0]);
        assert_eq!(breaker.admit(at(29), PATIENCE), Err(at(30)));
        assert_eq!(breaker.admit(at(30), PATIENCE), Ok(()));
        assert_eq!(breaker.admit(at(31), PATIENCE), Err(at(90)), "one is under way");
        let mut lost = breaker.clone();
        assert_eq!(lost.admit(at(90), PATIENCE), Ok(()), "nothing was heard of it");
        breaker.failed(at(40), None);
        assert_eq!(breaker.admit(at(41), PATIENCE), Err(at(100)), "twice as long");
        for _ in 0..20 {
            assert_eq!(breaker.admit(at(10_000), PATIENCE), Ok(()));
            breaker.failed(at(10_000), None);
            breaker.admit(at(10_000), PATIENCE).unwrap_err();
            breaker.state = State::Open(at(10_000));
        }
        breaker.admit(at(10_000), PATIENCE).unwrap();
        breaker.failed(at(10_000), None);
        assert_eq!(breaker.admit(at(10_001), PATIENCE), Err(at(10_600)), "never longer than ten minutes");
        assert_eq!(breaker.admit(at(10_600), PATIENCE), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is() {
        for (asked, until) in [(5, 5), (3600, 600), (-7, 0)] {
            let mut breaker = Breaker::default();
            breaker.failed(at(0), Some(SignedDuration::from_secs(asked)));
            assert_eq!(breaker.admit(at(until - 1), PATIENCE), Err(at(until)));
            assert_eq!(breaker.admit(at(until), PATIENCE), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_jumps_back_leaves_it_shut_no_longer_than_it_was() {
        let mut breaker = failing(&[100, 101, 102]);
        assert_eq!(breaker.admit(at(-86_400), PATIENCE), Err(at(132)));
        breaker.failed(at(-86_400), None);
        assert_eq!(breaker.admit(at(132), PATIENCE), Ok(()));
    }
}
