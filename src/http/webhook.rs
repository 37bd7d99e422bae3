//! `POST /api/v1/alerts/webhook`: 200 only for what is durable, 503 for whatever is worth sending again
//! (Alertmanager retries nothing else), 400 with the JSON path for what never will be readable.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;

use crate::app::ReceiveError;

use super::Gate;

/// The largest body that is read. A storm makes bodies large exactly when they matter: 16 MiB hold about
/// 20,000 alerts of the usual size.
const MAX_BODY: usize = 16 << 20;
/// From the end of the headers to the end of the body.
const BODY_WITHIN: Duration = Duration::from_secs(20);

/// Takes a delivery in.
pub(super) async fn receive(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !gate.webhook.admits(&headers, peer.ip()) {
        gate.daemon.metrics().refused.inc();
        return answer(StatusCode::UNAUTHORIZED, "the credentials are missing or wrong");
    }
    let read = match tokio::time::timeout(BODY_WITHIN, read(body)).await {
        Ok(Ok(read)) => read,
        Ok(Err(e)) => return answer(StatusCode::BAD_REQUEST, &format!("the body broke off: {e}")),
        Err(_) => return answer(StatusCode::SERVICE_UNAVAILABLE, "the body took too long; send it again"),
    };
    let kept = match read {
        Read::Whole(bytes) => gate.daemon.receive(bytes).await,
        Read::Oversize(bytes) => gate.daemon.receive_oversize(bytes).await,
    };
    match kept {
        Ok(_) => StatusCode::OK.into_response(),
        Err(ReceiveError::Bad(e)) => answer(StatusCode::BAD_REQUEST, &e.to_string()),
        Err(e @ ReceiveError::NotKept(_)) => {
            tracing::error!(error = %e, "a delivery was not kept");
            answer(StatusCode::SERVICE_UNAVAILABLE, "the delivery could not be kept; send it again")
        }
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

enum Read {
    Whole(Vec<u8>),
    /// Drained and dropped: a 413 would be sent again for ever.
    Oversize(u64),
}

async fn read(body: Body) -> Result<Read, axum::Error> {
    let mut bytes = Vec::new();
    let mut over = 0u64;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if over > 0 || bytes.len() + chunk.len() > MAX_BODY {
            over += (std::mem::take(&mut bytes).len() + chunk.len()) as u64;
        } else {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(if over > 0 { Read::Oversize(over) } else { Read::Whole(bytes) })
}
