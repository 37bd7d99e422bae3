//! A stretch of a container's log with the time of each line, bounded: from its end, or from its beginning.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as CorePod;
use kube::Api;
use kube::api::LogParams;

use super::client;
use super::listing::Fetch;
use crate::ports::reads::{ReadError, Stretch, StretchQuery};

/// 4,000 lines of 128 bytes, the usual length of a structured log line.
const BYTES: i64 = 512 * 1024;
/// As many lines as fit.
const LINES: i64 = 4000;

/// Which log, in words.
pub(super) fn what(query: &StretchQuery) -> String {
    let which = if query.previous { "the previous log" } else { "the log" };
    format!("{which} of `{}/{}` in namespace `{}`", query.pod, query.container, query.namespace)
}

/// Reads it. The server counts lines from the end of the log and not from `until`: where all that it gives of the end
/// is later, the beginning is read.
pub(super) async fn read(fetch: &Fetch, query: &StretchQuery) -> Result<Stretch, ReadError> {
    if query.newest {
        let read = newest(fetch, query).await?;
        if !(read.cut && read.lines.is_empty()) {
            return Ok(read);
        }
    }
    let text = text(fetch, query, None).await?;
    Ok(Stretch { cut: cut_off(&text), lines: lines(&text, query) })
}

/// The end. The server cuts what is too large at its *end*, where the newest lines are: then fewer lines are asked for,
/// until they fit.
async fn newest(fetch: &Fetch, query: &StretchQuery) -> Result<Stretch, ReadError> {
    let mut asked = LINES;
    let mut text = self::text(fetch, query, Some(asked)).await?;
    while cut_off(&text) && asked > 1 {
        let fits = i64::try_from(text.lines().count()).unwrap_or(i64::MAX);
        // the newest lines may be the longest: at least halved, so that 4,000 takes 12 steps at most
        asked = (fits.min(asked) / 2).max(1);
        text = self::text(fetch, query, Some(asked)).await?;
    }
    let given = i64::try_from(text.lines().count()).unwrap_or(i64::MAX);
    Ok(Stretch { cut: given >= asked, lines: lines(&text, query) })
}

async fn text(fetch: &Fetch, query: &StretchQuery, tail: Option<i64>) -> Result<String, ReadError> {
    let api: Api<CorePod> = Api::namespaced(fetch.client.clone(), &query.namespace);
    let params = LogParams {
        container: Some(query.container.clone()),
        previous: query.previous,
        since_time: Some(query.since),
        tail_lines: tail,
        limit_bytes: Some(BYTES),
        timestamps: true,
        ..LogParams::default()
    };
    client::read(&fetch.clock, &what(query), || api.logs(&query.pod, &params)).await
}

/// Whether the server's limit ended the text: a character of up to four bytes may not have fitted.
fn cut_off(text: &str) -> bool {
    i64::try_from(text.len()).is_ok_and(|n| n + 4 > BYTES)
}

/// The lines within the stretch. One without a time is of the moment of the one before it.
fn lines(text: &str, query: &StretchQuery) -> Vec<(Timestamp, String)> {
    let mut at = query.since;
    let mut lines = Vec::new();
    for line in text.lines() {
        let stamped = line.split_once(' ').and_then(|(time, said)| Some((time.parse().ok()?, said)));
        let said = match stamped {
            Some((time, said)) => {
                at = time;
                said
            }
            None => line,
        };
        // the server rounds `sinceTime` to the second
        if at >= query.since && at <= query.until {
            lines.push((at, said.to_owned()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_time() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let query = StretchQuery {
            namespace: "shop".into(),
            pod: "web".into(),
            container: "web".into(),
            previous: false,
            since: at("2026-11-21T02:00:00.5Z"),
            until: at("2026-11-21T02:00:02Z"),
            newest: true,
        };
        let text = "2026-11-21T02:00:00.1Z early\n2026-11-21T02:00:01.000000001Z one two\nno time\n2026-11-21T02:00:02Z \n2026-11-21T02:00:03Z late\n";
        let read = lines(text, &query);
        let one = at("2026-11-21T02:00:01.000000001Z");
        let expected = [(one, "one two"), (one, "no time"), (at("2026-11-21T02:00:02Z"), "")]
            .map(|(at, text)| (at, text.to_owned()));
        assert_eq!(read, expected);
    }
}
