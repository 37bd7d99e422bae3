//! A pull request, step by step: worked out on the file as it is, committed to a branch of its own, opened, and
//! closed again. Each step first looks whether it was done, by the branch, whose name is the intent's: so a
//! retry goes on where the last try ended, and nothing is ever there twice.

use jiff::Timestamp;

use super::manifest::{self, Edited};
use super::proposal_text::{body, message, title, trailer};
use super::repositories::{Repositories, Repository};
use super::steps::unreadable;
use crate::domain::action::live::LiveObject;
use crate::domain::action::pull_request::{self, Wanted};
use crate::domain::action::{Action, edit::Drawn};
use crate::domain::canonical::Hash;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Direction, Opened, Plan, Proposal, Refusal};
use crate::domain::warrant::{Applied, Stands};
use crate::ports::cluster_writes::Hand;
use crate::ports::forge::{Commit, Draft, Forge, ForgeError, Request, Tip};

/// Why a step could not be done: nothing was changed, or that is not known.
enum Ended {
    Refused(Refusal),
    Unknown(String),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A write or a read on the way failed: whoever asks again goes on from what is there.
impl From<ForgeError> for Ended {
    fn from(error: ForgeError) -> Self {
        match error {
            ForgeError::Refused { .. } => Self::Refused(Refusal::Api(error.to_string())),
            ForgeError::Unclear { .. } => Self::Unknown(error.to_string()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
fn unread(error: ForgeError) -> Refusal {
    Refusal::Unreadable(error.to_string())
}

/// The object as it is, and what its change comes down to in its file.
struct Worked {
    live: LiveObject,
    drawn: Drawn,
    edited: Edited,
    proposal: Proposal,
}

/// Works the action out against the live object and its file.
pub(super) async fn plan(
    hand: &dyn Hand,
    repositories: &Repositories,
    instead_of: &Action,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let (repository, path) = repositories.of(&instead_of.target().named)?;
    let into = &repository.place.into;
    let tip = repository.forge.tip(into).await.map_err(unread)?;
    let base = tip.ok_or_else(|| Refusal::Limit(format!("there is no branch `{into}`")))?.commit;
    let Worked { live, drawn, edited, proposal } = work(hand, repository, instead_of, (base, path)).await?;
    Ok(pull_request::plan(&live, instead_of, &drawn, (proposal, edited.changes), now))
}

/// The change of this file at this commit.
async fn work(
    hand: &dyn Hand,
    repository: &Repository,
    instead_of: &Action,
    (base, path): (String, String),
) -> Result<Worked, Refusal> {
    let live = hand.object(instead_of).await.map_err(unreadable)?;
    let (_, drawn, wanted) = pull_request::draw(live.as_ref(), instead_of)?;
    let file = repository.forge.file(&path, &base).await.map_err(unread)?;
    let name = &repository.place.repository;
    let file = file.ok_or_else(|| Refusal::Limit(format!("there is no file `{path}` in `{name}`")))?;
    let edited = change(&path, &file.text, instead_of, &wanted)?;
    let proposal = Proposal {
        place: repository.place.clone(),
        base,
        path,
        version: file.version,
        patch: edited.patch.clone(),
        result: Hash::of(edited.text.as_bytes()),
        closes: None,
    };
    let live = live.ok_or_else(|| Refusal::Unreadable("the object is gone".to_owned()))?;
    Ok(Worked { live, drawn, edited, proposal })
}

fn change(path: &str, text: &str, instead_of: &Action, wanted: &[Wanted]) -> Result<Edited, Refusal> {
    let edited = manifest::edit(path, text, &instead_of.target().named, wanted);
    edited.map_err(|why| Refusal::Limit(format!("`{path}` cannot be changed by belay: {why}")))
}

/// Works out how what `done` opened is closed.
pub(super) async fn plan_revert(
    repositories: &Repositories,
    done: &Plan,
    intents: &[IntentId],
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let (proposal, intent) = (of(done)?, intents.first());
    let forge = &*repositories.again(proposal)?.forge;
    let intent = intent.ok_or_else(|| Refusal::Limit("it was never intended".to_owned()))?;
    let branch = pull_request::branch(intent);
    let request = newest(forge.requests(&branch).await.map_err(unread)?);
    let Some(Request { number, proposed }) = request else {
        return Err(Refusal::NothingToDo(format!("nothing was ever opened from `{branch}`")));
    };
    match proposed.stands {
        Stands::Open => {}
        Stands::Merged => return Err(merged(&proposed.link)),
        Stands::Closed => return Err(Refusal::NothingToDo(format!("{} is closed already", proposed.link))),
    }
    let tip = forge.tip(&branch).await.map_err(unread)?;
    if let Some(tip) = tip.as_ref().filter(|tip| !ours(tip, &proposal.base, intent)) {
        return Err(pushed(&branch, tip));
    }
    let opened = Opened { number, branch, head: tip.map(|tip| tip.commit) };
    pull_request::plan_revert(done, opened, now)
}

fn of(plan: &Plan) -> Result<&Proposal, Refusal> {
    let unfit = || Refusal::Limit("the plan is not one of a proposal".to_owned());
    plan.proposal.as_deref().ok_or_else(unfit)
}

fn merged(link: &str) -> Refusal {
    Refusal::Limit(format!("{link} was merged: what it changed is reverted there, by people"))
}

fn pushed(branch: &str, tip: &Tip) -> Refusal {
    let detail = format!("somebody else's commit `{}` is on it", brief(&tip.commit));
    Refusal::Changed { object: branch.to_owned(), detail }
}

/// As much of a commit's id as people compare.
fn brief(commit: &str) -> String {
    commit.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}

/// Whether this is the one commit that belay makes for this intent.
fn ours(tip: &Tip, base: &str, intent: &IntentId) -> bool {
    let trailer = trailer(intent);
    tip.parents.len() == 1
        && tip.parents.first().is_some_and(|parent| parent == base)
        && tip.message.lines().any(|line| line == trailer)
}

/// Of several that came from one branch, the one that counts: a merged one, then one that is open, then the
/// newest.
fn newest(requests: Vec<Request>) -> Option<Request> {
    let rank = |request: &Request| match request.proposed.stands {
        Stands::Merged => 2,
        Stands::Open => 1,
        Stands::Closed => 0,
    };
    requests.into_iter().max_by_key(|request| (rank(request), request.number))
}

/// Carries the plan out from wherever the last try ended. `approved_by` goes into the text.
pub(super) async fn apply(
    hand: &dyn Hand,
    repositories: &Repositories,
    plan: &Plan,
    intent: &IntentId,
    told: &str,
) -> Applied {
    let ended = match plan.direction {
        Direction::Forward => open(hand, repositories, plan, (intent, told)).await,
        Direction::Revert => close(repositories, plan).await,
    };
    match ended {
        Ok(applied) => applied,
        Err(Ended::Refused(refusal)) => Applied::Refused { refusal },
        Err(Ended::Unknown(detail)) => Applied::Unknown { detail },
    }
}

async fn open(
    hand: &dyn Hand,
    repositories: &Repositories,
    plan: &Plan,
    (intent, told): (&IntentId, &str),
) -> Result<Applied, Ended> {
    let (proposal, Action::OpenPullRequest { instead_of }) = (of(plan)?, &plan.action) else {
        return Err(Refusal::Limit("the plan is not one of a proposal".to_owned()).into());
    };
    let repository = repositories.again(proposal)?;
    let forge = &*repository.forge;
    let branch = pull_request::branch(intent);
    if let Some(request) = newest(forge.requests(&branch).await?) {
        return Ok(stands(plan, &request));
    }
    let at = (proposal.base.clone(), proposal.path.clone());
    let Worked { live, edited, proposal: now, .. } = work(hand, repository, instead_of, at).await?;
    pull_request::still(plan, &live, &now, &edited.changes)?;
    let tip = forge.tip(&branch).await?;
    if !tip.as_ref().is_some_and(|tip| ours(tip, &proposal.base, intent)) {
        unmoved(forge, proposal).await?;
        let there = match tip {
            None => false,
            Some(tip) if tip.commit == proposal.base => true,
            Some(tip) => return Err(pushed(&branch, &tip).into()),
        };
        let message = message(plan, instead_of, intent);
        let commit = Commit {
            branch: &branch,
            there,
            base: &proposal.base,
            path: &proposal.path,
            version: &proposal.version,
            text: &edited.text,
            message: &message,
        };
        committed(forge, &commit, intent).await?;
    }
    let (title, body) = (title(instead_of), body(plan, proposal, intent, told));
    let draft = Draft { branch: &branch, into: &proposal.place.into, title: &title, body: &body };
    opened(forge, &draft, proposal, intent).await.map(|request| stands(plan, &request))
}

/// Refuses where the file was changed on the branch that people merge into.
async fn unmoved(forge: &dyn Forge, proposal: &Proposal) -> Result<(), Ended> {
    let Proposal { place, path, version, .. } = proposal;
    let changed = |detail: &str| Refusal::Changed { object: path.clone(), detail: detail.to_owned() };
    let Some(tip) = forge.tip(&place.into).await? else {
        return Err(changed("the branch that it stands on is gone").into());
    };
    match forge.file(path, &tip.commit).await? {
        Some(file) if file.version == *version => Ok(()),
        Some(_) => Err(changed("it was changed in its repository since").into()),
        None => Err(changed("it is gone from its repository").into()),
    }
}

/// The commit, or what became of it: an answer that says no may be one to a request that came twice.
async fn committed(forge: &dyn Forge, commit: &Commit<'_>, intent: &IntentId) -> Result<(), Ended> {
    let Err(error) = forge.commit(commit).await else { return Ok(()) };
    let tip = forge.tip(commit.branch).await?;
    if tip.as_ref().is_some_and(|tip| ours(tip, commit.base, intent)) {
        return Ok(());
    }
    if let (ForgeError::Refused { .. }, Some(tip)) = (&error, &tip)
        && tip.commit == commit.base
    {
        // the branch holds nothing: it is not left behind, and if it is, it says nothing
        let _ = forge.remove(commit.branch).await;
    }
    Err(error.into())
}

/// The pull request, or what became of it. Where the forge wants none, the branch is not left behind.
async fn opened(
    forge: &dyn Forge,
    draft: &Draft<'_>,
    proposal: &Proposal,
    intent: &IntentId,
) -> Result<Request, Ended> {
    let error = match forge.open(draft).await {
        Ok(request) => return Ok(request),
        Err(error) => error,
    };
    if let Some(request) = newest(forge.requests(draft.branch).await?) {
        return Ok(request);
    }
    if let ForgeError::Refused { .. } = &error {
        let ours = |tip: &Tip| ours(tip, &proposal.base, intent);
        if forge.tip(draft.branch).await?.as_ref().is_some_and(ours) {
            let _ = forge.remove(draft.branch).await;
        }
    }
    Err(error.into())
}

/// Closes what the plan names, unless it was merged or somebody else worked on it.
async fn close(repositories: &Repositories, plan: &Plan) -> Result<Applied, Ended> {
    let proposal = of(plan)?;
    let unfit = || Refusal::Limit("the plan names nothing to close".to_owned());
    let Opened { number, branch, head } = proposal.closes.as_ref().ok_or_else(unfit)?;
    let forge = &*repositories.again(proposal)?.forge;
    let request = named(forge.requests(branch).await?, *number)?;
    match request.proposed.stands {
        Stands::Merged => return Err(merged(&request.proposed.link).into()),
        Stands::Closed => {}
        Stands::Open => {
            let tip = forge.tip(branch).await?;
            if let Some(tip) = tip.as_ref().filter(|tip| Some(&tip.commit) != head.as_ref()) {
                return Err(pushed(branch, tip).into());
            }
            if let Err(error) = forge.close(*number).await {
                let seen = named(forge.requests(branch).await?, *number)?;
                match seen.proposed.stands {
                    Stands::Closed => {}
                    Stands::Merged => return Err(merged(&seen.proposed.link).into()),
                    Stands::Open => return Err(error.into()),
                }
            }
        }
    }
    let rest = match taken_away(forge, branch, head.as_deref()).await {
        Ok(()) => String::new(),
        Err(why) => format!("; its branch is still there ({why})"),
    };
    Ok(Applied::done(format!("closed {}{rest}", request.proposed.link)))
}

/// Takes the branch away while it holds our commit alone. There is no condition in the request itself; what
/// somebody pushes in that moment stays in the pull request.
async fn taken_away(forge: &dyn Forge, branch: &str, head: Option<&str>) -> Result<(), ForgeError> {
    match forge.tip(branch).await? {
        Some(tip) if Some(tip.commit.as_str()) == head => forge.remove(branch).await,
        Some(_) | None => Ok(()),
    }
}

fn named(requests: Vec<Request>, number: u64) -> Result<Request, Refusal> {
    let gone =
        || Refusal::Gone { object: format!("pull request {number}"), detail: "it is not listed".to_owned() };
    requests.into_iter().find(|request| request.number == number).ok_or_else(gone)
}

/// What became of the intent, read from the forge.
pub(super) async fn look(repositories: &Repositories, plan: &Plan, intent: &IntentId) -> Applied {
    match looked(repositories, plan, intent).await {
        Ok(applied) => applied,
        Err(Ended::Refused(refusal @ Refusal::Api(_))) => Applied::Unknown { detail: refusal.to_string() },
        Err(Ended::Refused(refusal)) => Applied::Refused { refusal },
        Err(Ended::Unknown(detail)) => Applied::Unknown { detail },
    }
}

async fn looked(repositories: &Repositories, plan: &Plan, intent: &IntentId) -> Result<Applied, Ended> {
    let proposal = of(plan)?;
    let forge = &*repositories.again(proposal)?.forge;
    if let Some(Opened { number, branch, .. }) = &proposal.closes {
        let request = named(forge.requests(branch).await?, *number)?;
        let link = &request.proposed.link;
        return match request.proposed.stands {
            Stands::Closed => Ok(Applied::done(format!("{link} is closed"))),
            Stands::Merged => Err(merged(link).into()),
            Stands::Open => Err(Refusal::NotApplied(format!("{link} is open")).into()),
        };
    }
    let branch = pull_request::branch(intent);
    match newest(forge.requests(&branch).await?) {
        Some(request) => Ok(stands(plan, &request)),
        None => Err(Refusal::NotApplied(format!("nothing was opened from `{branch}`")).into()),
    }
}

fn stands(plan: &Plan, request: &Request) -> Applied {
    let link = &request.proposed.link;
    let (how, changed) = match request.proposed.stands {
        Stands::Open => ("it is open, and nothing has changed until people merge it", None),
        Stands::Merged => ("it was merged", None),
        Stands::Closed => ("it is closed", Some(format!("{link} was closed without being merged"))),
    };
    let detail = format!("{}: {link}: {how}", plan.action.done_words());
    Applied::Done { detail, changed, progress: None, proposed: Some(request.proposed.clone()) }
}
