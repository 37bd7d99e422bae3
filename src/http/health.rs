//! Health and metrics. `livez` says that the process serves; `readyz` that what it answers is kept.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Gate;

pub(super) async fn live() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(gate): State<Gate>) -> Response {
    match gate.daemon.ports().store.holds().await {
        Ok(_) => "ok\n".into_response(),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{e}\n")).into_response(),
    }
}

pub(super) async fn metrics(State(gate): State<Gate>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match gate.daemon.metrics().encode() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")).into_response(),
    }
}
