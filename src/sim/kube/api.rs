//! The API server proper: one request in, one answer out, with the world locked. Everything here is
//! synchronous.

use serde_json::Value;

use super::discovery;
use super::eviction;
use super::kinds::Kind;
use super::objects::name;
use super::reads;
use super::route::{self, Request, Sub, Target, Verb};
use super::scale;
use super::state::State;
use super::status::{Answer, Refusal, Reply};
use super::tokens;
use super::write_log::{INTENT, WriteSeen, intent_in};
use super::writes;

/// Handles a request and, when it could change anything, logs it.
pub(crate) fn apply(state: &mut State, request: &Request) -> Answer {
    let target = route::target(&request.path);
    let verb = request.verb(target.as_ref());
    let intent = if verb.mutates() { intent(state, target.as_ref(), request) } else { None };
    let before = state.objects.version();
    let answer = match &target {
        Some(target) => handle(state, request, target, verb).unwrap_or_else(Answer::from),
        None if tokens::asks(&request.path) => tokens::review(state, request),
        None => discovery::answer(state, &request.path),
    };
    let changed = state.objects.version() != before;
    state.reconcile();
    if !verb.mutates() {
        return answer;
    }
    let seen = seen(state, request, verb, (answer.status, changed, intent));
    match state.log.append(seen) {
        Ok(()) => answer,
        Err(error) => Refusal::log_write(&error).into(),
    }
}

/// Logs a mutating request that a fault refused before it was handled.
pub(crate) fn refuse(state: &mut State, request: &Request, code: u16, message: &str) -> Answer {
    let target = route::target(&request.path);
    let verb = request.verb(target.as_ref());
    let refusal = Answer::from(Refusal::injected(code, message));
    if !verb.mutates() {
        return refusal;
    }
    let intent = intent(state, target.as_ref(), request);
    let seen = seen(state, request, verb, (code, false, intent));
    match state.log.append(seen) {
        Ok(()) => refusal,
        Err(error) => Refusal::log_write(&error).into(),
    }
}

fn seen(state: &State, request: &Request, verb: Verb, came: (u16, bool, Option<String>)) -> WriteSeen {
    let (status, changed, intent) = came;
    let marks = |target: &Target| target.kind == Kind::Pod && target.sub.is_none() && verb == Verb::Patch;
    let effect = changed && !route::target(&request.path).is_some_and(|target| marks(&target));
    WriteSeen {
        at: state.now(),
        verb,
        path: request.path.clone(),
        user_agent: request.user_agent.clone(),
        dry_run: request.dry_run(),
        body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        status,
        changed,
        effect,
        intent,
    }
}

/// The intent that a request names in its body, or, for an eviction, that its pod carries.
pub(crate) fn intent(state: &State, target: Option<&Target>, request: &Request) -> Option<String> {
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    intent_in(&body).or_else(|| {
        let target = target.filter(|target| target.sub == Some(Sub::Eviction))?;
        let pod = state.objects.get(target.kind, &target.namespace, &target.name)?;
        pod.pointer("/metadata/annotations")?.get(INTENT)?.as_str().map(str::to_owned)
    })
}

fn handle(state: &mut State, request: &Request, target: &Target, verb: Verb) -> Reply {
    tokens::admit(&state.tokens, request.token.as_deref(), target, verb, request.dry_run())?;
    match (target.sub, verb) {
        (None | Some(Sub::Status), Verb::Get) => reads::get(state, request, target),
        (None, Verb::List) => reads::list(state, request, target),
        (None, Verb::Watch) => reads::watch(state, request, target),
        (None, Verb::Create) => writes::create(state, request, target),
        (None, Verb::Patch) => writes::patch(state, request, target),
        (Some(Sub::Scale), Verb::Get) => scale::get(state, target),
        (Some(Sub::Scale), Verb::Patch) => scale::patch(state, request, target),
        (Some(Sub::Log), Verb::Get) => super::logs::get(state, request, target),
        (Some(Sub::Eviction), Verb::Create) => eviction::create(state, request, target),
        (
            None | Some(Sub::Scale | Sub::Status | Sub::Log | Sub::Eviction),
            Verb::Get | Verb::List | Verb::Watch | Verb::Create | Verb::Patch | Verb::Update | Verb::Delete,
        ) => Err(Refusal::method_not_allowed()),
    }
}

/// The stored object that a target names.
pub(crate) fn stored(state: &State, target: &Target) -> Result<Value, Refusal> {
    let object = state.objects.get(target.kind, &target.namespace, &target.name);
    object.cloned().ok_or_else(|| Refusal::not_found(target.kind, &target.name))
}

/// Whether the object is the one that a request's preconditions mean.
pub(crate) fn same_uid(target: &Target, object: &Value, asked: Option<&str>) -> Result<(), Refusal> {
    let found = super::objects::uid(object);
    match asked {
        Some(asked) if asked != found => Err(Refusal::uid_mismatch(target.kind, name(object), asked, found)),
        Some(_) | None => Ok(()),
    }
}
