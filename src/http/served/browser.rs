//! What is asked of requests that a browser may have sent: the name they are for has to be ours (DNS rebinding), and the
//! page they come from on the list. Those of the list get what browsers ask for besides (CORS, Fetch Standard 3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::door::Door;

/// What pages may send.
const HEADERS: &str = "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, \
                       mcp-method, mcp-name";
/// What pages may read.
const EXPOSED: &str = "mcp-session-id, www-authenticate, retry-after";

/// Lets a request on if it may have come here.
pub(super) async fn checked(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if !host(request.headers(), request.uri()).is_some_and(|host| door.is_called(&host)) {
        return (StatusCode::FORBIDDEN, "this is no name of this server (`Host`)\n").into_response();
    }
    let mut origins = request.headers().get_all(ORIGIN).iter();
    let (origin, another) = (origins.next().cloned(), origins.next());
    let Some(origin) = origin else { return next.run(request).await };
    let listed = origin.to_str().is_ok_and(|origin| door.takes_origin(origin));
    if !listed || another.is_some() {
        return (StatusCode::FORBIDDEN, "pages of this origin may not ask here (`mcp.allowedOrigins`)\n")
            .into_response();
    }
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        response
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}

/// The host that a request is for, without its port. With two it is for none; and where the request line names one (RFC
/// 9112, 3.2.2), both have to be the same.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut all = headers.get_all(HOST).iter();
    let (first, second) = (all.next()?, all.next());
    if second.is_some() {
        return None;
    }
    let authority: http::uri::Authority = first.to_str().ok()?.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().to_owned();
    uri.host().is_none_or(|named| named.eq_ignore_ascii_case(&host)).then_some(host)
}
