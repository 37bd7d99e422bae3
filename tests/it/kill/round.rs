//! One round: start, kill, start again, until the incident is over; then everything is checked.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use belay::incident::State;

use super::case::{Case, Loss, Moment};
use super::checks;
use super::door::noise;
use super::journal::{self, Journal};
use super::scene::{CLUSTER, Scene};

/// How long a named moment is waited for before the process is killed all the same.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// From the last start to the end of every incident: the verification has 8 s, the retries of a failed
/// piece of work 15 s; the rest is room for a machine that builds something beside this.
const OVER_WITHIN: Duration = Duration::from_secs(180);
/// From the beginning on, in which an alert that a person resolved before it fired would have fired.
const QUIET: Duration = Duration::from_secs(6);

/// A promise that was broken, and how. 0: the harness or the daemon itself failed.
#[derive(Debug, Clone)]
pub struct Broken {
    pub promise: u32,
    pub what: String,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub kills: usize,
    pub tripped: usize,
    pub effects: usize,
    pub worst_start: Duration,
    pub broken: Vec<Broken>,
    /// How the fault's incidents ended.
    pub endings: Vec<String>,
    /// The end of the daemon's log, and where its files are kept.
    pub evidence: Option<String>,
}

struct Round {
    scene: Scene,
    began: Instant,
    outcome: Outcome,
    /// The journal as it was last seen.
    seen: Vec<u8>,
    noise: u64,
}

/// Plays a case with the daemon at `host`.
pub async fn play(case: Case, host: Ipv4Addr) -> Outcome {
    let scene = Scene::set(case, host).await;
    let (outcome, seen) = (Outcome::default(), Vec::new());
    let mut round = Round { scene, began: Instant::now(), outcome, seen, noise: 100 };
    if let Err(what) = round.run().await {
        round.broke(0, what);
    }
    round.scene.process.kill();
    if let Err(what) = round.scene.process.reap().await {
        round.broke(0, what);
    }
    let Round { scene, mut outcome, .. } = round;
    outcome.effects = scene.world.effects().values().sum();
    checks::all(&scene, &mut outcome.broken);
    outcome.endings = endings(&scene);
    let words = scene.process.last_words();
    let mut folder = scene.end().await;
    if !outcome.broken.is_empty() {
        folder.disable_cleanup(true);
        outcome.evidence = Some(format!("{words}\nkept: {}", folder.path().display()));
    }
    outcome
}

impl Round {
    fn broke(&mut self, promise: u32, what: impl Into<String>) {
        self.outcome.broken.push(Broken { promise, what: what.into() });
    }

    async fn run(&mut self) -> Result<(), String> {
        self.scene.break_it();
        let kills = self.scene.case.kills.clone();
        for (number, kill) in kills.into_iter().enumerate() {
            self.scene.process.start();
            if let Moment::Starting(after) = kill {
                // an early end or a late readiness shows at the next start
                tokio::time::timeout(after, std::future::pending::<()>()).await.ok();
            } else {
                self.ready().await?;
                let over = tokio::select! {
                    over = over(&self.scene, self.began) => over,
                    tripped = trip(&self.scene, kill, self.noise) => {
                        self.outcome.tripped += usize::from(tripped);
                        false
                    }
                };
                if over {
                    return Ok(());
                }
            }
            self.noise += 100;
            self.die().await?;
            self.outcome.kills += 1;
            self.lose(number + 1);
        }
        self.scene.process.start();
        self.ready().await?;
        if tokio::time::timeout(OVER_WITHIN, over(&self.scene, self.began)).await.is_err() {
            let open = read(&self.scene.state_dir, self.scene.folder.path()).map(|j| j.open());
            self.broke(3, format!("not over {OVER_WITHIN:?} after the last start: {open:?}"));
        }
        Ok(())
    }

    /// Waits until the daemon is up, and checks that nothing of the journal was changed by that.
    async fn ready(&mut self) -> Result<(), String> {
        let took = self.scene.process.ready().await?;
        self.outcome.worst_start = self.outcome.worst_start.max(took);
        let now = journal::copy(&self.scene.state_dir);
        if !now.starts_with(&self.seen) {
            self.broke(19, "the journal does not go on from where it was before the restart");
        }
        self.seen = now;
        if let Err(e) = Journal::read(&self.seen, &self.scene.folder.path().join("ready.jsonl")) {
            self.broke(19, format!("after a restart the journal does not verify: {e}"));
        }
        Ok(())
    }

    async fn die(&mut self) -> Result<(), String> {
        *self.scene.hook.armed.lock().unwrap() = None;
        self.scene.process.kill();
        self.scene.process.reap().await?;
        // whole lines that a dying process wrote are kept by the next start, a torn one is taken out
        self.seen = journal::copy(&self.scene.state_dir);
        Ok(())
    }

    fn lose(&mut self, kill: usize) {
        let Some((_, loss)) = self.scene.case.loss.filter(|(after, _)| *after == kill) else { return };
        let dir = &self.scene.state_dir;
        match loss {
            Loss::Journal => {
                std::fs::remove_file(dir.join(belay::store::LOG_FILE)).ok();
                std::fs::remove_dir_all(dir.join("projection")).ok();
            }
            Loss::Everything => {
                std::fs::remove_dir_all(dir).ok();
            }
        }
        self.seen.clear();
        self.scene.door.forget();
    }
}

fn endings(scene: &Scene) -> Vec<String> {
    let Ok(journal) = read(&scene.state_dir, scene.folder.path()) else { return Vec::new() };
    let name = scene.case.fault.alert();
    let ours = journal.states().filter(|state| state.alerts.values().any(|alert| alert.name() == name));
    let ending = |state: &State| match (&state.closed, state.escalations.last()) {
        (Some((outcome, summary, _)), _) => format!("{outcome:?}: {summary}"),
        (None, Some(why)) => format!("Escalated: {why}"),
        (None, None) => format!("open: {:?}", state.phase),
    };
    ours.map(ending).collect()
}

fn read(state_dir: &Path, folder: &Path) -> Result<Journal, String> {
    Journal::read(&journal::copy(state_dir), &folder.join("over.jsonl"))
}

/// Returns once the fault's incident and all others are over.
async fn over(scene: &Scene, began: Instant) -> bool {
    let mut size = 0;
    loop {
        let now = journal::copy(&scene.state_dir);
        if now.len() != size || began.elapsed() > QUIET {
            size = now.len();
            let scratch = scene.folder.path().join("over.jsonl");
            if Journal::read(&now, &scratch).is_ok_and(|journal| is_over(scene, &journal, began)) {
                return true;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // polls
    }
}

fn is_over(scene: &Scene, journal: &Journal, began: Instant) -> bool {
    let name = scene.case.fault.alert();
    let known = journal.states().any(|state| state.alerts.values().any(|alert| alert.name() == name));
    let firing = scene.alertmanager.firing().iter().any(|labels| labels["alertname"] == name);
    let noticed = known || (!firing && began.elapsed() > QUIET);
    noticed && journal.open().is_empty()
}

/// Returns at the moment; whether it came rather than the end of patience.
async fn trip(scene: &Scene, moment: Moment, noise_from: u64) -> bool {
    if moment == Moment::Arrival || moment == Moment::Rehearsal {
        *scene.hook.armed.lock().unwrap() = Some(moment);
    }
    tokio::time::timeout(PATIENCE, at(scene, moment, noise_from)).await.is_ok()
}

async fn at(scene: &Scene, moment: Moment, noise_from: u64) {
    let dir = &scene.state_dir;
    match moment {
        Moment::Starting(after) | Moment::Random(after) => {
            tokio::time::timeout(after, std::future::pending::<()>()).await.ok();
        }
        Moment::Webhook => {
            // several at once, and dead as soon as the first is answered
            let opened = scene.door.opened.notified();
            let posts = (0..4).map(|n| scene.door.deliver(noise(CLUSTER, noise_from + n)));
            tokio::select! {
                () = opened => {}
                _ = futures::future::join_all(posts) => {}
            }
        }
        Moment::Recorded(kind) => {
            let before = journal::count(&journal::copy(dir), kind);
            until(|| journal::count(&journal::copy(dir), kind) > before).await;
        }
        Moment::Ledger => {
            let size = || std::fs::metadata(dir.join("used-warrants.jsonl")).map_or(0, |m| m.len());
            let before = size();
            until(|| size() > before).await;
        }
        Moment::Arrival | Moment::Rehearsal => scene.hook.tripped.notified().await,
        Moment::Unanswered => effect(scene).await,
        Moment::Answered(after) => {
            effect(scene).await;
            tokio::time::timeout(after, std::future::pending::<()>()).await.ok();
        }
    }
}

async fn effect(scene: &Scene) {
    let count = || scene.writes().iter().filter(|write| write.effect).count();
    let before = count();
    until(|| count() > before).await;
}

async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(1)).await; // polls
    }
}
