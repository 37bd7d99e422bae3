//! What the API server says when it refuses: `Status` bodies in the shapes of recorded ones.

use serde_json::{Value, json};

use super::json::{cut, put};
use super::kinds::Kind;

/// An answer of the API server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub payload: Payload,
}

/// What an answer carries.
#[derive(Debug)]
pub(crate) enum Payload {
    Json(Value),
    Text(String),
    Watch(super::watch::Wanted),
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, payload: Payload::Json(body) }
    }

    pub(crate) fn text(body: String) -> Self {
        Self { status: 200, payload: Payload::Text(body) }
    }
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refusal(pub u16, pub Value);

pub(crate) type Reply = Result<Answer, Refusal>;

impl From<Refusal> for Answer {
    fn from(Refusal(status, body): Refusal) -> Self {
        Self::json(status, body)
    }
}

fn failure(code: u16, reason: &str, message: &str) -> Refusal {
    Refusal(
        code,
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }),
    )
}

impl Refusal {
    fn detail(mut self, details: Value) -> Self {
        put(&mut self.1, &["details"], details);
        self
    }

    /// A path of an API that is not served.
    pub(crate) fn no_such_api() -> Self {
        failure(404, "NotFound", "the server could not find the requested resource")
    }

    /// An answer with this code, for faults that a test asked for.
    pub(crate) fn injected(code: u16, message: &str) -> Self {
        let reason = match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        failure(code, reason, message)
    }

    pub(crate) fn unauthorized() -> Self {
        failure(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        failure(400, "BadRequest", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .detail(json!({}))
    }

    pub(crate) fn unsupported_media(content_type: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json; got {content_type}"
        );
        failure(415, "UnsupportedMediaType", &message)
    }

    pub(crate) fn expired(message: &str) -> Self {
        failure(410, "Expired", message)
    }

    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified());
        failure(404, "NotFound", &message).detail(details(kind, name, kind.spelling().plural))
    }

    pub(crate) fn already_exists(kind: Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        failure(409, "AlreadyExists", &message).detail(details(kind, name, kind.spelling().plural))
    }

    pub(crate) fn conflict(kind: Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        failure(409, "Conflict", &message).detail(details(kind, name, kind.spelling().plural))
    }

    pub(crate) fn modified(kind: Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    pub(crate) fn uid_mismatch(kind: Kind, name: &str, asked: &str, found: &str) -> Self {
        let why = format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {found}");
        Self::conflict(kind, name, &why)
    }

    /// The pod of an eviction is another one than its precondition says.
    pub(crate) fn evicts_another(name: &str, asked: &str, found: &str) -> Self {
        let why = format!(
            "the UID in the precondition ({asked}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
        );
        let message = format!("Operation cannot be fulfilled on Pod \"{name}\": {why}");
        failure(409, "Conflict", &message).detail(json!({ "name": name, "kind": "Pod" }))
    }

    /// A patch would give the object another uid. The API server says so twice.
    pub(crate) fn immutable_uid(kind: Kind, name: &str, asked: &str) -> Self {
        let why = format!("Invalid value: \"{asked}\": field is immutable");
        let spelling = kind.spelling();
        let cause = ("metadata.uid", "FieldValueInvalid", why.as_str());
        let mut refusal = Self::invalid(spelling.group, spelling.kind, name, cause);
        if let Some(causes) = refusal.1.pointer_mut("/details/causes").and_then(Value::as_array_mut) {
            causes.extend(causes.first().cloned());
        }
        refusal
    }

    /// `field`, the reason (`FieldValueInvalid`, …) and the message of one cause.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, cause: (&str, &str, &str)) -> Self {
        let (field, reason, why) = cause;
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut body = json!({ "name": name, "kind": kind });
        if !group.is_empty() {
            put(&mut body, &["group"], group);
        }
        put(&mut body, &["causes"], json!([{ "reason": reason, "message": why, "field": field }]));
        failure(422, "Invalid", &format!("{qualified} \"{name}\" is invalid: {field}: {why}")).detail(body)
    }

    /// A JSON Patch that could not be applied, such as a `test` that did not hold.
    pub(crate) fn unprocessable() -> Self {
        failure(422, "Invalid", "the server rejected our request due to an error in our request")
            .detail(json!({}))
    }

    pub(crate) fn disruption(budget: &str, needs: i64, has: i64) -> Self {
        let why =
            format!("The disruption budget {budget} needs {needs} healthy pods and has {has} currently");
        failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
            .detail(json!({ "causes": [{ "reason": "DisruptionBudget", "message": why }] }))
    }

    /// The one answer without a reason.
    pub(crate) fn two_budgets() -> Self {
        let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        let mut refusal = failure(500, "", why);
        cut(&mut refusal.1, &["reason"]);
        refusal
    }

    pub(crate) fn log_write(error: &std::io::Error) -> Self {
        failure(500, "InternalError", &format!("cannot append to the write log: {error}"))
    }

    /// `who`, the verb, the resource with its subresource, the object's name and its namespace.
    pub(crate) fn forbidden(kind: Kind, who: &str, verb: &str, at: (&str, &str, &str)) -> Self {
        let (subresource, name, namespace) = at;
        let spelling = kind.spelling();
        let object = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let resource = if subresource.is_empty() {
            spelling.plural.to_owned()
        } else {
            format!("{}/{subresource}", spelling.plural)
        };
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{namespace}\"")
        };
        let message = format!(
            "{}{object} is forbidden: User \"{who}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
            kind.qualified(),
            spelling.group,
        );
        let mut body = details(kind, name, spelling.plural);
        if name.is_empty() {
            super::json::cut(&mut body, &["name"]);
        }
        failure(403, "Forbidden", &message).detail(body)
    }
}

fn details(kind: Kind, name: &str, plural: &str) -> Value {
    let group = kind.spelling().group;
    let mut details = json!({ "name": name, "kind": plural });
    if !group.is_empty() {
        put(&mut details, &["group"], group);
    }
    details
}
