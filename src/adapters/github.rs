//! A repository on GitHub: branches, one commit by the contents API (which signs it where the token is an
//! app's), and pull requests.

use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::forge_http::{Call, Http, Misconfigured, encoded, file};
use crate::domain::plan::Place;
use crate::domain::warrant::{Proposed, Stands};
use crate::ports::clock::SharedClock;
use crate::ports::forge::{Commit, Draft, File, Forge, ForgeError, Request, Tip};

/// One repository.
pub struct GitHub {
    http: Http,
    owner: String,
    name: String,
}

impl GitHub {
    /// The repository at this place (`owner/name`). Nothing is sent yet.
    pub fn new(place: &Place, token: SecretString, clock: SharedClock) -> Result<Self, Misconfigured> {
        let (owner, name) = place.repository.split_once('/').ok_or(Misconfigured::Address)?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        Ok(Self { http: Http::new(&place.url, token, clock)?, owner, name })
    }

    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat()
    }

    fn request(&self, pull: &Pull) -> Request {
        let stands = match (pull.state.as_str(), &pull.merged_at) {
            (_, Some(_)) => Stands::Merged,
            ("open", None) => Stands::Open,
            (_, None) => Stands::Closed,
        };
        let (web, Self { owner, name, .. }) = (self.http.web("/api/v3"), self);
        let link = format!("{web}/{owner}/{name}/pull/{}", pull.number);
        Request { number: pull.number, proposed: Proposed { link, stands } }
    }

    async fn branch_at(&self, commit: &Commit<'_>) -> Result<(), ForgeError> {
        let body = json!({ "ref": format!("refs/heads/{}", commit.branch), "sha": commit.base });
        let parts = self.path(&["git", "refs"]);
        let call = Call::send("the new branch", Method::POST, &parts, Some(body));
        match self.http.call(call).await {
            Ok(_) => Ok(()),
            // it may have been made by a request whose answer was lost
            Err(error @ ForgeError::Refused { code: 422, .. }) => match self.tip(commit.branch).await? {
                Some(tip) if tip.commit == commit.base => Ok(()),
                Some(_) | None => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
struct Branch {
    commit: BranchCommit,
}

#[derive(Deserialize)]
struct BranchCommit {
    sha: String,
    commit: Said,
    #[serde(default)]
    parents: Vec<Parent>,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

#[derive(Deserialize)]
struct Parent {
    sha: String,
}

#[derive(Deserialize)]
struct Contents {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    sha: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    state: String,
    merged_at: Option<String>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    branch: String,
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

#[async_trait]
impl Forge for GitHub {
    async fn tip(&self, branch: &str) -> Result<Option<Tip>, ForgeError> {
        let parts: Vec<&str> = std::iter::once("branches").chain(branch.split('/')).collect();
        let found: Option<Branch> = self.http.find(Call::get("the branch", &self.path(&parts))).await?;
        Ok(found.map(|Branch { commit }| Tip {
            commit: commit.sha,
            parents: commit.parents.into_iter().map(|parent| parent.sha).collect(),
            message: commit.commit.message,
        }))
    }

    async fn file(&self, path: &str, commit: &str) -> Result<Option<File>, ForgeError> {
        const WHAT: &str = "the file";
        let parts: Vec<&str> = std::iter::once("contents").chain(path.split('/')).collect();
        let (parts, query) = (self.path(&parts), [("ref", commit)]);
        let found: Option<Contents> =
            self.http.find(Call { query: &query, ..Call::get(WHAT, &parts) }).await?;
        // a link is answered with what it leads to
        let plain = |found: &Contents| found.kind == "file" && found.path == path;
        found
            .map(|found| {
                let encoding = if plain(&found) { found.encoding.as_str() } else { "" };
                file(WHAT, encoding, &found.content, found.sha.clone())
            })
            .transpose()
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<(), ForgeError> {
        if !commit.there {
            self.branch_at(commit).await?;
        }
        let parts: Vec<&str> = std::iter::once("contents").chain(commit.path.split('/')).collect();
        let body = json!({
            "message": commit.message,
            "content": encoded(commit.text),
            "sha": commit.version,
            "branch": commit.branch,
        });
        self.http.call(Call::send("the commit", Method::PUT, &self.path(&parts), Some(body))).await.map(drop)
    }

    async fn requests(&self, branch: &str) -> Result<Vec<Request>, ForgeError> {
        let head = format!("{}:{branch}", self.owner);
        let (parts, query) =
            (self.path(&["pulls"]), [("head", head.as_str()), ("state", "all"), ("per_page", "100")]);
        let pulls: Vec<Pull> =
            self.http.read(Call { query: &query, ..Call::get("the pull requests", &parts) }).await?;
        let own = format!("{}/{}", self.owner, self.name);
        // a fork's branch of this name is not ours
        let ours = |pull: &&Pull| {
            pull.head.branch == branch
                && pull.head.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&own))
        };
        Ok(pulls.iter().filter(ours).map(|pull| self.request(pull)).collect())
    }

    async fn open(&self, draft: &Draft<'_>) -> Result<Request, ForgeError> {
        let Draft { branch, into, title, body } = draft;
        let body = json!({
            "title": title, "head": branch, "base": into, "body": body, "maintainer_can_modify": true,
        });
        let parts = self.path(&["pulls"]);
        let call = Call::send("the pull request", Method::POST, &parts, Some(body));
        let pull: Pull = self.http.read(call).await?;
        Ok(self.request(&pull))
    }

    async fn close(&self, number: u64) -> Result<(), ForgeError> {
        let number = number.to_string();
        let parts = self.path(&["pulls", &number]);
        let call = Call::send("closing it", Method::PATCH, &parts, Some(json!({ "state": "closed" })));
        self.http.call(call).await.map(drop)
    }

    async fn remove(&self, branch: &str) -> Result<(), ForgeError> {
        let parts: Vec<&str> = ["git", "refs", "heads"].into_iter().chain(branch.split('/')).collect();
        let parts = self.path(&parts);
        let call = Call::send("taking the branch away", Method::DELETE, &parts, None);
        self.http.call(call).await.map(drop)
    }
}
