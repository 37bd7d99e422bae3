//! The admin socket: how commands reach the running daemon. A Unix socket in the state directory that
//! only the daemon's own user can open (0600); one JSON object a line each way. The store is never
//! opened twice.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::WriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::decision::Person;
use crate::domain::evidence::Preserved;
use crate::domain::ids::{IntentId, QuestionId};
use crate::domain::message::{Button, View};
use crate::domain::record::{Answer, Record};
use crate::incident::{Ignored, Input, State};
use crate::policy;
use crate::ports::incidents::{IncidentAnswer, IncidentAsk};
use crate::ports::store::{Append, Hold, HoldOp};

use super::inquiries::{Inquire, Inquired};
use super::query::{Summary, Unclear};
use super::undo::{InForce, Progress, Wanted};
use super::{Daemon, Fed, TrackAsk, Tracks};

/// The socket's name within the state directory.
pub const SOCKET: &str = "admin.sock";
/// The longest line that is read: a reason in words, with room.
const MAX_LINE: u64 = 64 * 1024;
/// How long a client may take to say what it wants.
const WITHIN: Duration = Duration::from_secs(10);

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The incidents.
    List {
        /// Closed ones too.
        all: bool,
    },
    /// One incident.
    Show {
        /// Its name or the beginning of it.
        incident: String,
    },
    /// What was kept of what its act took away.
    Evidence {
        /// Its name or the beginning of it.
        incident: String,
    },
    /// Why policy decided as it did about it, by the policy in force now.
    Why {
        /// Its name or the beginning of it.
        incident: String,
    },
    /// Answer its open question, or put its act back.
    Answer {
        /// Its name or the beginning of it.
        incident: String,
        /// What.
        answer: Answer,
        /// Who says so (the socket's owner vouches for it).
        name: String,
    },
    /// Pause acting.
    Pause {
        /// The hold's name.
        hold: String,
        /// Why.
        reason: String,
        /// Who.
        name: String,
    },
    /// Lift a hold.
    Resume {
        /// The hold's name.
        hold: String,
        /// Who.
        name: String,
    },
    /// The holds in force.
    Holds,
    /// What is recorded of ConfigMaps, Services and workloads.
    Recorded {
        /// A namespace, or an object in one: `shop/ConfigMap/flags`; nothing: all of it.
        #[serde(default)]
        what: String,
    },
    /// The acts that are still in force.
    InForce(Wanted),
    /// How far putting an act back has come, or what it would change.
    Undo {
        /// Which.
        intent: IntentId,
    },
    /// Ask a question about a cluster. What is read for it is told while it is, a line each.
    Inquire {
        /// What.
        inquire: Inquire,
        /// Who.
        name: String,
    },
    /// The whole text of what an answer cites.
    Cited {
        /// In which conversation.
        conversation: String,
        /// Under which name.
        evidence: String,
    },
    /// What the incidents server asks about one namespace, or proposes there.
    Incidents {
        /// What.
        asked: IncidentAsk,
        /// For whom (the socket's owner vouches for it).
        name: String,
    },
    /// Look at track records, or do something about them.
    Track {
        /// What.
        what: TrackAsk,
        /// Who.
        name: String,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "with", rename_all = "snake_case")]
pub enum Response {
    /// The incidents.
    List(Vec<Summary>),
    /// One incident as people read it.
    View(Box<View>),
    /// Lines of text.
    Text(String),
    /// Why policy decided as it did.
    Explanation(Box<policy::Explanation>),
    /// It is done; in words.
    Done(String),
    /// It was not done, and why.
    Refused(String),
    /// The holds in force.
    Holds(Vec<Hold>),
    /// Where grants stand.
    Tracks(Tracks),
    /// The acts that are still in force, the newest first.
    InForce(Vec<InForce>),
    /// How far putting an act back has come.
    Undo(Progress),
    /// What the incidents server was asked.
    Incidents(Box<IncidentAnswer>),
    /// What is being read; more follows.
    Reading(String),
    /// What came of a question.
    Inquired(Box<Inquired>),
}

/// Opens the socket, in place of one that a dead daemon left.
pub fn bind(state_dir: &Path) -> io::Result<UnixListener> {
    let path = state_dir.join(SOCKET);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers on the socket until `stop`.
pub async fn serve(listener: UnixListener, daemon: Daemon, stop: CancellationToken) {
    let mut clients = JoinSet::new();
    loop {
        let client = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while clients.try_join_next().is_some() {}
        match client {
            Ok((stream, _)) => {
                let daemon = daemon.clone();
                clients.spawn(async move {
                    if let Err(error) = client_of(stream, &daemon).await {
                        tracing::debug!(%error, "an admin client went away");
                    }
                });
            }
            Err(e) => tracing::warn!(error = %e, "an admin client could not be accepted"),
        }
    }
}

async fn client_of(mut stream: UnixStream, daemon: &Daemon) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_LINE));
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(WITHIN, read.read_line(&mut line)).await.map_err(late)??;
    let response = match serde_json::from_str(&line) {
        // takes as long as models do, and is bounded by what they may take
        Ok(Request::Inquire { inquire, name }) => {
            let inquiring = inquired(daemon, inquire, operator(&name, uid), &mut write);
            tokio::select! {
                response = inquiring => response?,
                // nobody waits for it any more
                _ = read.read_u8() => return Ok(()),
            }
        }
        Ok(request) => tokio::time::timeout(WITHIN, daemon.administer(request, uid)).await.map_err(late)?,
        Err(e) => Response::Refused(format!("the request cannot be read: {e}")),
    };
    say(&mut write, &response).await
}

async fn say(write: &mut WriteHalf<'_>, response: &Response) -> io::Result<()> {
    let mut out = serde_json::to_vec(response)?;
    out.push(b'\n');
    write.write_all(&out).await
}

/// Answers a question, and tells meanwhile what is read for it.
async fn inquired(
    daemon: &Daemon,
    inquire: Inquire,
    by: Person,
    write: &mut WriteHalf<'_>,
) -> io::Result<Response> {
    let (tell, mut told) = mpsc::unbounded_channel();
    // as many lines as an investigation may call tools
    let hear = move |line: &str| drop(tell.send(line.to_owned()));
    let mut asking = pin!(async {
        let done = daemon.inquire(inquire, by, &hear).await;
        done.map_or_else(Response::Refused, |inquired| Response::Inquired(Box::new(inquired)))
    });
    loop {
        tokio::select! {
            biased;
            Some(line) = told.recv() => say(write, &Response::Reading(line)).await?,
            response = &mut asking => return Ok(response),
        }
    }
}

fn operator(name: &str, uid: u32) -> Person {
    Person::Operator { name: format!("{} (uid {uid})", tidy(name)) }
}

/// Asks the daemon whose state directory this is.
pub async fn ask(state_dir: &Path, request: &Request) -> io::Result<Response> {
    ask_hearing(state_dir, request, |_| Ok(())).await
}

/// The same; what is being read for the answer is told meanwhile.
pub async fn ask_hearing(
    state_dir: &Path,
    request: &Request,
    mut told: impl FnMut(&str) -> io::Result<()>,
) -> io::Result<Response> {
    let mut stream = UnixStream::connect(state_dir.join(SOCKET)).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Response::Reading(line) => told(&line)?,
            response => return Ok(response),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

impl Daemon {
    async fn administer(&self, request: Request, uid: u32) -> Response {
        let by = |name: String| operator(&name, uid);
        let done = match request {
            Request::List { all } => self.incidents(all).await.map(Response::List).map_err(|e| e.to_string()),
            Request::Show { incident } => self.show(&incident).await,
            Request::Evidence { incident } => self.evidence(&incident).await.map(Response::Text),
            Request::Why { incident } => self.why(&incident).await,
            Request::Answer { incident, answer, name } => {
                self.answer_by_name(&incident, answer, by(name)).await
            }
            Request::Pause { hold, reason, name } => self.pause(&hold, &reason, by(name)).await,
            Request::Resume { hold, name } => self.resume(&hold, by(name)).await,
            Request::Holds => {
                self.ports().store.holds().await.map(Response::Holds).map_err(|e| e.to_string())
            }
            Request::Recorded { what } => self.recorded(&what).map(Response::Text),
            Request::Inquire { inquire, name } => {
                let done = self.inquire(inquire, by(name), &|_| ()).await;
                done.map(|inquired| Response::Inquired(Box::new(inquired)))
            }
            Request::Cited { conversation, evidence } => {
                self.cited(&conversation, &evidence).await.map(Response::Text)
            }
            Request::Incidents { asked, name } => {
                let answer = Box::pin(self.tell_incidents(asked, operator(&name, uid).name())).await;
                answer.map(|answer| Response::Incidents(Box::new(answer)))
            }
            Request::Undo { intent } => self.undo(&intent).await.map(Response::Undo),
            Request::InForce(wanted) => self.in_force(&wanted).await.map(Response::InForce),
            Request::Track { what: TrackAsk::Show, .. } => self.tracks().await.map(Response::Tracks),
            Request::Track { what, name } => self.track(what, by(name)).await.map(Response::Text),
        };
        done.unwrap_or_else(Response::Refused)
    }

    async fn show(&self, given: &str) -> Result<Response, String> {
        let incident = self.resolve(given).await.map_err(|e: Unclear| e.to_string())?;
        let (entries, state) = self.load(&incident).await.map_err(|e| e.to_string())?;
        Ok(Response::View(Box::new(self.view(&entries, &state).await)))
    }

    async fn evidence(&self, given: &str) -> Result<String, String> {
        let incident = self.resolve(given).await.map_err(|e| e.to_string())?;
        let state = self.incident(&incident).await.map_err(|e| e.to_string())?;
        let hash = match state.kept {
            Some(Preserved::Blob(hash)) => hash,
            Some(Preserved::Not(why)) => return Err(format!("it could not be kept: {why}")),
            None => return Err("nothing was planned that takes pods away".to_owned()),
        };
        let blob = self.ports().store.blob(hash).await.map_err(|e| e.to_string())?;
        let blob = blob.ok_or_else(|| format!("`{hash}` is not in the state directory any more"))?;
        let kept: serde_json::Value = serde_json::from_slice(&blob).map_err(|e| e.to_string())?;
        serde_json::to_string_pretty(&kept).map_err(|e| e.to_string())
    }

    async fn why(&self, given: &str) -> Result<Response, String> {
        let incident = self.resolve(given).await.map_err(|e| e.to_string())?;
        let state = self.incident(&incident).await.map_err(|e| e.to_string())?;
        let decided = state.decided.ok_or("policy has not been asked about it")?;
        let explanation = policy::explain(&self.policies(), &decided.question);
        Ok(Response::Explanation(Box::new(explanation)))
    }

    async fn answer_by_name(&self, given: &str, answer: Answer, by: Person) -> Result<Response, String> {
        let incident = self.resolve(given).await.map_err(|e| e.to_string())?;
        let state = self.incident(&incident).await.map_err(|e| e.to_string())?;
        let question = question_for(&state);
        let fed = self.answer(&incident, question, answer, by).await.map_err(|e| e.to_string())?;
        match fed {
            Fed::Taken(_) => {
                Ok(Response::Done(format!("taken: `belay incidents show {incident}` tells what came of it")))
            }
            Fed::Ignored(why) => Err(why.to_string()),
        }
    }

    /// Answers a question of an incident. Takes effect at most once.
    pub async fn answer(
        &self,
        incident: &crate::domain::ids::IncidentId,
        question: QuestionId,
        answer: Answer,
        by: Person,
    ) -> Result<Fed, super::FeedError> {
        self.feed(incident, Input::Answered { question, answer, by }, None).await
    }

    /// Answers a question by its own name, as a button does.
    pub async fn answer_question(
        &self,
        question: QuestionId,
        answer: Answer,
        by: Person,
    ) -> Result<Fed, super::FeedError> {
        match self.incident_at(&super::incidents::question_key(&question)).await? {
            Some(incident) => self.answer(&incident, question, answer, by).await,
            None => Ok(Fed::Ignored(Ignored::TooLate("belay never asked that question".into()))),
        }
    }

    /// Pauses acting. When this returns no new write begins.
    pub async fn pause(&self, hold: &str, reason: &str, by: Person) -> Result<Response, String> {
        let (hold, reason) = (tidy(hold), tidy(reason));
        let record = Record::Held { hold: hold.clone(), reason: reason.clone(), by };
        self.hold(record, HoldOp::Place { hold: hold.clone(), reason }).await?;
        Ok(Response::Done(format!("acting is paused by `{hold}`; `belay resume {hold}` lifts it")))
    }

    /// Lifts one hold.
    pub async fn resume(&self, hold: &str, by: Person) -> Result<Response, String> {
        let hold = tidy(hold);
        let holds = self.ports().store.holds().await.map_err(|e| e.to_string())?;
        if !holds.iter().any(|h| h.hold == hold) {
            return Err(format!("there is no hold `{hold}`"));
        }
        let left: Vec<_> = holds.into_iter().map(|h| h.hold).filter(|h| *h != hold).collect();
        self.hold(Record::Lifted { hold: hold.clone(), by }, HoldOp::Lift { hold: hold.clone() }).await?;
        Ok(Response::Done(if left.is_empty() {
            format!("`{hold}` is lifted; acting goes on")
        } else {
            format!("`{hold}` is lifted; still paused by {}", left.join(", "))
        }))
    }

    async fn hold(&self, record: Record, op: HoldOp) -> Result<(), String> {
        let mut append = Append::to(super::daemon_stream(), None, self.now());
        append.records.push(record);
        append.holds.push(op);
        self.ports().store.append(append).await.map(drop).map_err(|e| e.to_string())
    }
}

/// The question that an answer by name speaks to: the open one, else that of the act that can be put back.
fn question_for(state: &State) -> QuestionId {
    let open = state.question.as_ref().map(|q| q.question.id.clone());
    open.unwrap_or_else(|| QuestionId::new(format!("by-name-{}", state.id)))
}

/// One line of plain words, bounded.
pub(super) fn tidy(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

/// The answer that a button or a verb stands for.
pub fn answer_of(button: Button, reason: &str) -> Answer {
    match button {
        Button::Approve => Answer::Approve,
        Button::Reject => Answer::Reject { reason: tidy(reason) },
        Button::Confirm => Answer::Confirm,
        Button::Revert => Answer::Revert,
        Button::HandOver => Answer::HandOver,
    }
}
