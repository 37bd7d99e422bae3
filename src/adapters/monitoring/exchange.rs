//! One bounded exchange with headers and a body of its own, for APIs that are asked by more than a plain GET.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response, StatusCode, Url};

use super::{Monitoring, chain};
use crate::domain::redact;
use crate::ports::reads::ReadError;

/// What is asked.
pub(in crate::adapters) struct Outgoing<'a> {
    /// What for, in messages.
    pub(in crate::adapters) what: &'a str,
    /// Below the base.
    pub(in crate::adapters) path: &'a [&'a str],
    /// Its parameters.
    pub(in crate::adapters) query: &'a [(&'a str, &'a str)],
    /// Its headers, besides those of the credentials.
    pub(in crate::adapters) headers: HeaderMap,
    /// What is posted; without it, it is a GET.
    pub(in crate::adapters) body: Option<Vec<u8>>,
}

/// What came back, with a status that the caller has to look at.
pub(in crate::adapters) struct Incoming {
    pub(in crate::adapters) status: StatusCode,
    pub(in crate::adapters) body: Vec<u8>,
}

impl Incoming {
    /// The beginning of an error that is no JSON, fit to be shown.
    pub(in crate::adapters) fn said(&self) -> String {
        redact::line(&String::from_utf8_lossy(&self.body), 300)
    }
}

/// No answer that can be used.
pub(in crate::adapters) enum Unheard {
    /// It is larger than what is read.
    TooLarge(ReadError),
    /// Anything else.
    Read(ReadError),
}

impl From<Unheard> for ReadError {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::TooLarge(error) | Unheard::Read(error) => error,
        }
    }
}

impl Monitoring {
    /// Where a request to this path goes.
    pub(in crate::adapters) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Option<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }

    /// The answer, where its status is one that the caller can make something of, and it is JSON where it is fine.
    pub(in crate::adapters) async fn exchange(&self, out: Outgoing<'_>) -> Result<Incoming, Unheard> {
        let Outgoing { what, path, query, headers, body } = out;
        let failed = |why: &str| {
            Unheard::Read(ReadError::Failed { what: what.to_owned(), why: redact::line(why, 300) })
        };
        let url = self.url(path, query).ok_or_else(|| failed("its address takes no path"))?;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let request =
            self.signed(self.http.request(method, url)).headers(headers).body(body.unwrap_or_default());
        // without its URL: it may hold credentials
        let response = request.send().await.map_err(|e| failed(&chain(&e.without_url())))?;
        let status = response.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = format!("it answered {status}: check the credentials");
                return Err(Unheard::Read(ReadError::Refused { what: what.to_owned(), why }));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(failed(&format!("it answered {status}: it is asked too often; ask again later")));
            }
            status if status.is_redirection() => {
                return Err(failed(&format!("it answered {status}: redirects are not followed")));
            }
            StatusCode::OK if !is_json(&response) => {
                let found = response.headers().get(CONTENT_TYPE).and_then(|found| found.to_str().ok());
                return Err(failed(&format!(
                    "it answered with `{}`, which is no JSON",
                    found.unwrap_or("no type")
                )));
            }
            _ => {}
        }
        let too_large = response.content_length().is_some_and(|length| length > self.body as u64);
        if too_large {
            return Err(self.too_large(what));
        }
        let body = self.whole(response, what).await?;
        Ok(Incoming { status, body })
    }

    async fn whole(&self, mut response: Response, what: &str) -> Result<Vec<u8>, Unheard> {
        let mut body = vec![];
        loop {
            let chunk = response.chunk().await.map_err(|e| {
                let why = redact::line(&chain(&e.without_url()), 300);
                Unheard::Read(ReadError::Failed { what: what.to_owned(), why })
            })?;
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() + chunk.len() > self.body {
                return Err(self.too_large(what));
            }
            body.extend_from_slice(&chunk);
        }
    }

    fn too_large(&self, what: &str) -> Unheard {
        let why = format!("its answer is larger than {} MiB", self.body >> 20);
        Unheard::TooLarge(ReadError::Failed { what: what.to_owned(), why })
    }
}

fn is_json(response: &Response) -> bool {
    let found = response.headers().get(CONTENT_TYPE).and_then(|found| found.to_str().ok());
    found.is_some_and(|found| found.to_ascii_lowercase().contains("json"))
}
