//! A project on GitLab: branches, one commit by the commits API, which makes the branch with it, and merge
//! requests.

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

/// One project.
pub struct GitLab {
    http: Http,
    project: String,
}

impl GitLab {
    /// The project at this place (`group/project`). Nothing is sent yet.
    pub fn new(place: &Place, token: SecretString, clock: SharedClock) -> Result<Self, Misconfigured> {
        Ok(Self { http: Http::new(&place.url, token, clock)?, project: place.repository.clone() })
    }

    /// Names with slashes are one segment each.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["projects", self.project.as_str()], rest].concat()
    }

    fn request(&self, merge: &Merge) -> Request {
        let stands = match merge.state.as_str() {
            "merged" => Stands::Merged,
            "closed" => Stands::Closed,
            // `locked` while it is being merged
            _ => Stands::Open,
        };
        let link = format!("{}/{}/-/merge_requests/{}", self.http.web("/api/v4"), self.project, merge.iid);
        Request { number: merge.iid, proposed: Proposed { link, stands } }
    }
}

#[derive(Deserialize)]
struct Branch {
    commit: BranchCommit,
}

#[derive(Deserialize)]
struct BranchCommit {
    id: String,
    #[serde(default)]
    parent_ids: Option<Vec<String>>,
    message: String,
}

#[derive(Deserialize)]
struct Contents {
    encoding: String,
    content: String,
    last_commit_id: String,
}

#[derive(Deserialize)]
struct Merge {
    iid: u64,
    state: String,
    source_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
}

#[async_trait]
impl Forge for GitLab {
    async fn tip(&self, branch: &str) -> Result<Option<Tip>, ForgeError> {
        let parts = self.path(&["repository", "branches", branch]);
        let found: Option<Branch> = self.http.find(Call::get("the branch", &parts)).await?;
        Ok(found.map(|Branch { commit }| Tip {
            commit: commit.id,
            parents: commit.parent_ids.unwrap_or_default(),
            message: commit.message,
        }))
    }

    async fn file(&self, path: &str, commit: &str) -> Result<Option<File>, ForgeError> {
        const WHAT: &str = "the file";
        let (parts, query) = (self.path(&["repository", "files", path]), [("ref", commit)]);
        let found: Option<Contents> =
            self.http.find(Call { query: &query, ..Call::get(WHAT, &parts) }).await?;
        found.map(|found| file(WHAT, &found.encoding, &found.content, found.last_commit_id)).transpose()
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<(), ForgeError> {
        let action = json!({
            "action": "update",
            "file_path": commit.path,
            "content": encoded(commit.text),
            "encoding": "base64",
            "last_commit_id": commit.version,
        });
        let mut body =
            json!({ "branch": commit.branch, "commit_message": commit.message, "actions": [action] });
        if let Some(fields) = body.as_object_mut().filter(|_| !commit.there) {
            fields.insert("start_sha".to_owned(), commit.base.into());
        }
        let parts = self.path(&["repository", "commits"]);
        self.http.call(Call::send("the commit", Method::POST, &parts, Some(body))).await.map(drop)
    }

    async fn requests(&self, branch: &str) -> Result<Vec<Request>, ForgeError> {
        let parts = self.path(&["merge_requests"]);
        let query = [("source_branch", branch), ("state", "all"), ("per_page", "100")];
        let merges: Vec<Merge> =
            self.http.read(Call { query: &query, ..Call::get("the merge requests", &parts) }).await?;
        // a fork's branch of this name is not ours
        let ours = |merge: &&Merge| {
            merge.source_branch == branch && merge.source_project_id == Some(merge.target_project_id)
        };
        Ok(merges.iter().filter(ours).map(|merge| self.request(merge)).collect())
    }

    async fn open(&self, draft: &Draft<'_>) -> Result<Request, ForgeError> {
        let Draft { branch, into, title, body } = draft;
        let body = json!({
            "source_branch": branch, "target_branch": into, "title": title, "description": body,
            "remove_source_branch": true,
        });
        let parts = self.path(&["merge_requests"]);
        let merge: Merge =
            self.http.read(Call::send("the merge request", Method::POST, &parts, Some(body))).await?;
        Ok(self.request(&merge))
    }

    async fn close(&self, number: u64) -> Result<(), ForgeError> {
        let number = number.to_string();
        let parts = self.path(&["merge_requests", &number]);
        let call = Call::send("closing it", Method::PUT, &parts, Some(json!({ "state_event": "close" })));
        self.http.call(call).await.map(drop)
    }

    async fn remove(&self, branch: &str) -> Result<(), ForgeError> {
        let parts = self.path(&["repository", "branches", branch]);
        self.http.call(Call::send("taking the branch away", Method::DELETE, &parts, None)).await.map(drop)
    }
}
