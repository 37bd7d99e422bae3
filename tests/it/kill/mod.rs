//! The kill harness: the real binary against the simulated API server and Alertmanager, SIGKILLed at random
//! and at named moments and started again, over both acts. `BELAY_KILLS` says how often (50), `BELAY_SEED`
//! where the rounds begin. The rounds are played once, side by side; each test asks them for its promise.
// said so that the lints know these helpers for tests
#![cfg(test)]
#![expect(clippy::print_stdout, reason = "what was played is the point of a run with `--nocapture`")]

mod case;
mod checks;
mod door;
mod journal;
mod process;
mod round;
mod scene;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use case::{Case, Dice, Fault};
use round::{Broken, Outcome};

/// SIGKILLs in an ordinary run.
const KILLS: usize = 50;
/// Rounds side by side: each is idle most of the time, waiting for timers of a second.
const ABREAST: usize = 4;
/// Rounds that may fail before no further one is begun: more would say the same.
const ENOUGH: usize = 5;

/// What all rounds came to.
#[derive(Debug, Default)]
struct Campaign {
    rounds: usize,
    kills: usize,
    tripped: usize,
    effects: [usize; 2],
    worst_start: Duration,
    broken: Vec<(u64, Broken)>,
    evidence: Vec<String>,
}

impl Campaign {
    fn add(&mut self, case: &Case, outcome: Outcome) {
        let Outcome { kills, tripped, effects, worst_start, broken, endings, evidence } = outcome;
        let Case { seed, fault, answers, edit, loss, .. } = case;
        println!(
            "seed {seed}: {fault:?}, {kills} kills, {effects} effects, {answers:?}, {edit:?}, {loss:?}: {}",
            endings.join(" | ")
        );
        self.rounds += 1;
        self.kills += kills;
        self.tripped += tripped;
        self.effects[usize::from(case.fault == Fault::Saturation)] += effects;
        self.worst_start = self.worst_start.max(worst_start);
        self.broken.extend(broken.into_iter().map(|b| (case.seed, b)));
        self.evidence.extend(evidence.map(|e| format!("seed {}: {case:?}\n{e}", case.seed)));
    }

    fn failed(&self) -> usize {
        self.evidence.len()
    }
}

#[expect(clippy::disallowed_methods, reason = "how large the run is, is said outside")]
fn number(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    std::env::var(name).map_or_else(|_| otherwise(), |text| text.parse().unwrap())
}

fn campaign() -> &'static Campaign {
    static PLAYED: OnceLock<Campaign> = OnceLock::new();
    PLAYED.get_or_init(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
        let kills = usize::try_from(number("BELAY_KILLS", || KILLS as u64)).unwrap();
        let random = || u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap();
        let seed = number("BELAY_SEED", || Dice::new(random()).below(1_000_000_000));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let began = Instant::now();
        let campaign = runtime.block_on(play(kills, seed));
        println!(
            "{} rounds from seed {seed}, {} kills ({} at their moment), {} restarts and {} scalings took \
             effect, worst start {:?}, {:?} in all",
            campaign.rounds,
            campaign.kills,
            campaign.tripped,
            campaign.effects[0],
            campaign.effects[1],
            campaign.worst_start,
            began.elapsed()
        );
        campaign
    })
}

async fn play(kills: usize, seed: u64) -> Campaign {
    // kills that were made or are meant: a round that is over sooner gives the rest back
    let (next, meant) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let campaign = Arc::new(Mutex::new(Campaign::default()));
    let lanes = (0..ABREAST).map(|_| {
        let (next, meant, campaign) = (Arc::clone(&next), Arc::clone(&meant), Arc::clone(&campaign));
        tokio::spawn(async move {
            while campaign.lock().unwrap().failed() < ENOUGH {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let mut case = Case::of(seed + number);
                let left = kills.saturating_sub(meant.fetch_add(case.kills.len(), Ordering::Relaxed));
                let planned = case.kills.len();
                case.kills.truncate(left);
                if left == 0 {
                    meant.fetch_sub(planned, Ordering::Relaxed);
                    return;
                }
                // in a task of its own: a panic in one round is that round's failure
                let played = tokio::spawn(round::play(case.clone(), host(number))).await;
                let outcome = played.unwrap_or_else(|e| Outcome {
                    broken: vec![Broken { promise: 0, what: e.to_string() }],
                    evidence: Some("the round died".to_owned()),
                    ..Outcome::default()
                });
                meant.fetch_sub(planned - outcome.kills, Ordering::Relaxed);
                campaign.lock().unwrap().add(&case, outcome);
            }
        })
    });
    futures::future::join_all(lanes).await;
    std::mem::take(&mut *campaign.lock().unwrap())
}

/// An address for each round, and a range for each test process: nothing else on the machine listens there,
/// and outgoing connections never take its port while the daemon is down.
fn host(number: u64) -> Ipv4Addr {
    let byte = |n: u64| u8::try_from(1 + n % 250).unwrap();
    Ipv4Addr::new(127, byte(u64::from(std::process::id())), byte(number / 250), byte(number))
}

/// Fails if a round broke this promise.
fn held(promise: u32) {
    let campaign = campaign();
    let mut what: Vec<String> = campaign
        .broken
        .iter()
        .filter(|(_, broken)| broken.promise == promise)
        .map(|(seed, broken)| format!("seed {seed}: {}", broken.what))
        .collect();
    if !what.is_empty() {
        what.extend(campaign.evidence.iter().cloned());
    }
    assert!(what.is_empty(), "promise {promise} was broken:\n{}", what.join("\n"));
}

#[test]
fn the_daemon_starts_again_after_every_kill() {
    held(0);
    let campaign = campaign();
    assert!(campaign.rounds > 0 && campaign.worst_start > Duration::ZERO);
    let acted = campaign.effects[0] > 0 && campaign.effects[1] > 0;
    assert!(acted || campaign.rounds < 8, "belay must have acted: {campaign:?}");
}

#[test]
fn promise_1_each_write_has_its_intent_in_the_journal_when_it_arrives() {
    held(1);
}

#[test]
fn promise_2_each_act_at_most_once_under_kills() {
    held(2);
}

#[test]
fn promise_3_every_incident_reaches_its_end_under_kills() {
    held(3);
}

#[test]
fn promise_4_what_a_person_edited_is_never_overwritten() {
    held(4);
}

#[test]
fn promise_6_what_was_answered_200_is_in_the_journal_after_kills() {
    held(6);
}

#[test]
fn promise_16_limits_hold_under_kills() {
    held(16);
}

#[test]
fn promise_19_the_journal_verifies_after_every_kill() {
    held(19);
}

#[test]
fn promise_21_what_was_sent_is_the_plan_to_the_letter() {
    held(21);
}

#[test]
fn promise_22_every_stream_folds_after_kills() {
    held(22);
}
