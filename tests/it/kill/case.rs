//! What one round does, drawn from a seed: the act, where the kills fall, what else goes wrong.

use std::time::Duration;

/// A small generator (splitmix64): the same seed gives the same case.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }

    pub const fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// What breaks, and so what belay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A pod of `web` is killed for memory: `restart_pod`.
    Oom,
    /// `checkout` is saturated: `scale_workload` from 3 to 5.
    Saturation,
}

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// So long after it was started, ready or not.
    Starting(Duration),
    /// At the instant at which a webhook was answered 200.
    Webhook,
    /// As soon as the journal holds one record more of this kind.
    Recorded(&'static str),
    /// At the instant of the next rehearsal's arrival.
    Rehearsal,
    /// As soon as the used-warrant file has grown.
    Ledger,
    /// At the instant of the next write's arrival, before it takes effect.
    Arrival,
    /// Once a write took effect and before it is answered.
    Unanswered,
    /// So long after a write took effect.
    Answered(Duration),
    /// So long after it was ready.
    Random(Duration),
}

/// What becomes of the first writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    Prompt,
    /// They take effect, the answer is lost.
    Dropped,
    /// They never take effect.
    Lost,
    /// They take effect at once and are answered late.
    Late,
    /// They take effect so many milliseconds later, whoever waits.
    Delayed(i64),
}

/// A person changes the Deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    Replicas(i64),
    /// Something that belay never touches, but which moves the generation.
    Annotation,
}

/// When they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditAt {
    /// So long after the beginning.
    Random(Duration),
    /// Right before the next write is handled: after it was planned, and sent.
    Write,
}

/// What is lost between a kill and the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The journal and what was derived from it; the used-warrant file stays.
    Journal,
    /// The whole state directory.
    Everything,
}

/// One round.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub fault: Fault,
    pub kills: Vec<Moment>,
    pub answers: Answers,
    pub edit: Option<(Edit, EditAt)>,
    /// After which kill what is lost.
    pub loss: Option<(usize, Loss)>,
}

/// Records whose appearance is a moment to die at.
const RECORDS: [&str; 13] = [
    "received",
    "opened",
    "diagnosed",
    "chosen",
    "decided",
    "planned",
    "intended",
    "acted",
    "asked",
    "published",
    "watched",
    "verified",
    "closed",
];
/// The least and the most kills in a round: an incident takes about four seconds, a restart less than one.
const KILLS: (u64, u64) = (3, 8);

impl Case {
    /// The round that a seed names. Every second one is the other fault.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let fault = if seed.is_multiple_of(2) { Fault::Oom } else { Fault::Saturation };
        let count = KILLS.0 + dice.below(KILLS.1 - KILLS.0);
        let kills = (0..count).map(|_| moment(&mut dice)).collect();
        let answers = match dice.below(10) {
            0 => Answers::Dropped,
            1 => Answers::Lost,
            2 => Answers::Late,
            3 => Answers::Delayed(15),
            4 => Answers::Delayed(1_000),
            _ => Answers::Prompt,
        };
        let edit = (dice.below(3) == 0).then(|| edit(&mut dice));
        let loss = (dice.below(5) == 0).then(|| {
            let what = dice.pick(&[Loss::Journal, Loss::Everything]);
            (usize::try_from(1 + dice.below(count)).unwrap(), what)
        });
        let mut case = Self { seed, fault, kills, answers, edit, loss };
        case.arrange();
        case
    }

    /// Kills at named moments come in the order in which a round reaches those, so that most of them do
    /// come; those at random moments stay where they fell.
    fn arrange(&mut self) {
        let named = |m: &Moment| !matches!(m, Moment::Random(_) | Moment::Starting(_));
        let mut sorted: Vec<Moment> = self.kills.iter().copied().filter(named).collect();
        sorted.sort_by_key(stage);
        let mut next = sorted.into_iter();
        for kill in self.kills.iter_mut().filter(|m| named(m)) {
            *kill = next.next().unwrap();
        }
        if self.kills.contains(&Moment::Unanswered) && self.answers == Answers::Prompt {
            self.answers = Answers::Late;
        }
    }
}

fn moment(dice: &mut Dice) -> Moment {
    match dice.below(16) {
        0 => Moment::Starting(dice.millis(0, 300)),
        1 | 2 => Moment::Webhook,
        3..=6 => Moment::Recorded(dice.pick(&RECORDS)),
        7 => Moment::Recorded("intended"),
        8 => Moment::Rehearsal,
        9 => Moment::Ledger,
        10 => Moment::Arrival,
        11 => Moment::Unanswered,
        12 => Moment::Answered(dice.millis(0, 30)),
        _ => Moment::Random(dice.millis(0, 1_500)),
    }
}

/// Where on its way an incident reaches a moment.
fn stage(moment: &Moment) -> usize {
    let record = |kind: &str| 10 * RECORDS.iter().position(|k| *k == kind).unwrap();
    match moment {
        Moment::Starting(_) | Moment::Random(_) | Moment::Webhook => 0,
        Moment::Recorded(kind) => record(kind),
        Moment::Rehearsal => record("planned") - 1,
        Moment::Ledger => record("intended") + 1,
        Moment::Arrival => record("intended") + 2,
        Moment::Unanswered => record("intended") + 3,
        Moment::Answered(_) => record("intended") + 4,
    }
}

fn edit(dice: &mut Dice) -> (Edit, EditAt) {
    let what = match dice.below(3) {
        0 => Edit::Annotation,
        1 => Edit::Replicas(2),
        _ => Edit::Replicas(4),
    };
    let at = if dice.below(2) == 0 { EditAt::Write } else { EditAt::Random(dice.millis(0, 5_000)) };
    (what, at)
}
