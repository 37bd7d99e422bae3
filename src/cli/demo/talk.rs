//! What the demo says and asks: one line for each thing that happens, the whole message when a question
//! is open, and an answer from the person, or for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::adapters::terminal::{Look, paragraph, render};
use crate::app::admin::answer_of;
use crate::app::{Daemon, Fed};
use crate::cli::terminal;
use crate::domain::decision::{Level, Person};
use crate::domain::ids::{IncidentId, QuestionId};
use crate::domain::message::{Button, Buttons, Notice, Standing, View};
use crate::domain::record::MessageRef;
use crate::ports::clock::SharedClock;
use crate::ports::messenger::{Messenger, Pager, Undelivered};
use crate::sim::kube::{SHOP, World};
use crate::store::Verified;

use super::Answers;

/// How long the demo waits for the next thing to happen before it counts as failed; the whole of it is
/// meant to take less than twenty seconds. A person may think for as long as they like.
const NEXT_WITHIN: Duration = Duration::from_secs(60);

/// How the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should.
    Well,
    /// Something that should have happened did not.
    Badly,
}

/// Where the demo is told.
pub(super) struct Stage {
    clock: SharedClock,
    answers: Answers,
    views: mpsc::UnboundedReceiver<View>,
    look: Look,
    /// The last headline of each incident that was printed.
    said: BTreeMap<IncidentId, String>,
    answered: BTreeSet<QuestionId>,
    ending: Ending,
}

/// The messenger and pager of the demo: they hand on what they are given.
struct Prompter {
    views: mpsc::UnboundedSender<View>,
    look: Look,
}

#[async_trait]
impl Messenger for Prompter {
    fn name(&self) -> &'static str {
        "terminal"
    }

    async fn publish(&self, view: &View, _: Option<&MessageRef>) -> Result<MessageRef, Undelivered> {
        let gone = |_| Undelivered::Never("the demo is over".into());
        self.views.send(view.clone()).map_err(gone)?;
        let (through, id) = ("terminal".to_owned(), view.incident.to_string());
        Ok(MessageRef { through, channel: String::new(), id })
    }

    async fn tell(&self, notice: &Notice) -> Result<(), Undelivered> {
        tell("  ", &notice.headline, self.look);
        Ok(())
    }
}

#[async_trait]
impl Pager for Prompter {
    fn name(&self) -> &'static str {
        "terminal"
    }

    async fn page(&self, _: &IncidentId, _: &str, why: &str) -> Result<(), Undelivered> {
        tell("  on-call is paged: ", why, self.look);
        Ok(())
    }
}

impl Stage {
    /// A stage, with the messenger and pager that lead to it.
    pub(super) fn set(clock: SharedClock, answers: Answers) -> (Self, Arc<dyn Messenger>, Arc<dyn Pager>) {
        let (give, views) = mpsc::unbounded_channel();
        let look = terminal::look();
        let stage = Self {
            clock,
            answers,
            views,
            look,
            said: BTreeMap::new(),
            answered: BTreeSet::new(),
            ending: Ending::Well,
        };
        let prompter = Arc::new(Prompter { views: give, look });
        (stage, prompter.clone(), prompter)
    }

    pub(super) fn welcome(&self, level: Level, speed: f64, webhook: &str) {
        let speed = format!("Level {} ({}); time runs {speed} times as fast.", level.number(), level.name());
        say("");
        for text in [
            "A simulated cluster runs a small shop. Two things will break.",
            &format!("Alerts reach belay through its real webhook ({webhook})."),
            "It reads and writes the cluster over HTTP, as it would a real one.",
            &speed,
        ] {
            tell("", text, self.look);
        }
    }

    /// Something happens in the simulated world.
    pub(super) fn act(&self, what: &str) {
        say("");
        tell(&format!("-- {} ", self.time()), what, self.look);
        say("");
    }

    /// Follows the next incident to its end.
    pub(super) async fn follow(&mut self, daemon: &Daemon, world: &World) -> anyhow::Result<()> {
        let told: BTreeSet<IncidentId> = self.said.keys().cloned().collect();
        loop {
            let Ok(Some(view)) = tokio::time::timeout(NEXT_WITHIN, self.views.recv()).await else {
                self.ending = Ending::Badly;
                say("  nothing happened for a minute; that is not how it should be");
                return Ok(());
            };
            if told.contains(&view.incident) {
                continue; // the end of an earlier one
            }
            if !self.asks(daemon, &view).await? {
                self.headline(&view);
            }
            match (view.state, &view.question) {
                (Standing::Closed, _) => break,
                (Standing::Escalated, _) => {
                    say(&render(&view, None, self.look));
                    break;
                }
                (Standing::Working | Standing::Asking, Some(question)) => {
                    self.question(daemon, &view, question).await?;
                }
                (Standing::Working | Standing::Asking, None) => {}
            }
        }
        self.shop(world);
        Ok(())
    }

    fn headline(&mut self, view: &View) {
        let known = self.said.insert(view.incident.clone(), view.headline.clone());
        if known.as_ref() != Some(&view.headline) {
            tell(&format!("  {}  ", self.time()), &view.headline, self.look);
        }
    }

    /// Whether the person is to be asked now: for an approval at once, for a confirmation when the
    /// verification has ended, so that it can be answered well. Each question once.
    async fn asks(&self, daemon: &Daemon, view: &View) -> anyhow::Result<bool> {
        let Some(open) = &view.question else { return Ok(false) };
        let phase = daemon.about(&view.incident).await?.phase;
        Ok(matches!(phase.as_str(), "asking" | "confirming") && !self.answered.contains(&open.question))
    }

    /// Puts an open question before the person, with the whole message.
    async fn question(&mut self, daemon: &Daemon, view: &View, open: &Buttons) -> anyhow::Result<()> {
        if !self.asks(daemon, view).await? {
            return Ok(());
        }
        self.said.insert(view.incident.clone(), view.headline.clone());
        say(&format!("\n{}", render(view, None, self.look).trim_end_matches('\n')));
        say("");
        let Some(button) = self.press(&open.buttons).await? else { return Ok(()) };
        self.answered.insert(open.question.clone());
        let by = Person::Operator { name: "you, at the terminal".into() };
        let answer = answer_of(button, "no");
        if let Fed::Ignored(why) = daemon.answer_question(open.question.clone(), answer, by).await? {
            tell("  that changed nothing: ", &why.to_string(), self.look);
        }
        Ok(())
    }

    async fn press(&self, buttons: &[Button]) -> anyhow::Result<Option<Button>> {
        let first = buttons.first().copied();
        let button = match self.answers {
            Answers::Person => return Ok(Some(ask(buttons).await?)),
            Answers::Revert if buttons.contains(&Button::Revert) => Some(Button::Revert),
            Answers::Confirm | Answers::Revert => first,
        };
        if let Some(button) = button {
            say(&format!("  answered for you: {}\n", button.label()));
        }
        Ok(button)
    }

    /// How the shop stands.
    fn shop(&self, world: &World) {
        let line: Vec<String> = world
            .deployments()
            .into_iter()
            .filter(|d| d.namespace == SHOP)
            .map(|d| format!("{} {}/{}", d.name, d.ready, d.replicas))
            .collect();
        tell(&format!("  {}  the shop: ", self.time()), &line.join(", "), self.look);
    }

    pub(super) fn serving(state_dir: &Path, webhook: &str) {
        say(&format!(
            "\nStill running: {webhook}\n  belay incidents list --all --state-dir {0}\n  \
             belay incidents show NAME --state-dir {0}\nControl-C ends it.",
            state_dir.display()
        ));
    }

    /// The journal that was written, as `belay audit verify` sees it.
    pub(super) fn journal(found: &Verified, state_dir: &Path) {
        say(&format!(
            "\naudit verify: the journal is whole: {} steps, {} entries in {} streams; head {}\n\
             It is kept; this prints it:\n  belay audit export --state-dir {dir}",
            found.lines,
            found.entries,
            found.streams.len(),
            found.head.short(),
            dir = state_dir.display(),
        ));
    }

    pub(super) const fn ending(&self) -> Ending {
        self.ending
    }

    /// The simulated time of day.
    fn time(&self) -> String {
        self.clock.now().strftime("%H:%M:%S").to_string()
    }
}

/// Asks until one of the buttons is pressed.
async fn ask(buttons: &[Button]) -> anyhow::Result<Button> {
    let keys: Vec<(char, Button)> =
        buttons.iter().filter_map(|b| Some((b.label().to_lowercase().chars().next()?, *b))).collect();
    let offer: Vec<String> = keys.iter().map(|(key, b)| format!("[{key}] {}", b.label())).collect();
    loop {
        prompt(&format!("  {} > ", offer.join("   ")))?;
        let line = line().await?.trim().to_lowercase();
        let pressed = keys
            .iter()
            .find(|(key, b)| line.starts_with(*key) && b.label().to_lowercase().starts_with(&line));
        match pressed {
            Some((_, button)) => return Ok(*button),
            None => say("  press one of the letters, then Enter"),
        }
    }
}

/// One line of standard input, read by a thread of its own: a runtime that ends does not wait for it.
async fn line() -> anyhow::Result<String> {
    let (give, take) = oneshot::channel();
    std::thread::Builder::new().name("line".into()).spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        give.send(read.map(|n| (n, line))).ok();
    })?;
    let (read, line) = take.await??;
    anyhow::ensure!(read > 0, "the input ended before the question was answered");
    Ok(line)
}

fn prompt(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()
}

/// Prints a paragraph at the terminal's width.
fn tell(lead: &str, text: &str, look: Look) {
    say(paragraph(lead, text, look.width).trim_end_matches('\n'));
}

/// Prints a line. A closed pipe ends nobody's incident.
pub(super) fn say(text: &str) {
    writeln!(io::stdout().lock(), "{text}").ok();
}
