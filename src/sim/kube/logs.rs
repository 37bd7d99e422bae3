//! Container logs: made from what an instance did and when, never stored.

use jiff::{SignedDuration, Timestamp};

use super::api::stored;
use super::behaviours::Behaviour;
use super::kinds::Kind;
use super::life::{Ended, Life, Step};
use super::route::{Request, Target};
use super::state::State;
use super::status::{Answer, Refusal, Reply};

/// Lines made for one answer at most: at a line each 5 s about three hours, more than any bounded read
/// asks for.
const LINES: i64 = 2000;
/// From one line of a serving container to the next.
const PACE: SignedDuration = SignedDuration::from_secs(5);

type Line = (Timestamp, String);

pub(crate) fn get(state: &State, request: &Request, target: &Target) -> Reply {
    if target.kind != Kind::Pod {
        return Err(Refusal::method_not_allowed());
    }
    stored(state, target)?;
    let life = state
        .life(&target.namespace, &target.name)
        .ok_or_else(|| Refusal::not_found(target.kind, &target.name))?;
    if let Some(asked) = request.param("container").filter(|asked| *asked != life.container) {
        return Err(Refusal::bad_request(&format!("container {asked} is not valid for pod {}", life.name)));
    }
    let mut lines = if request.on("previous") { previous(life)? } else { present(state, life)? };
    let seconds = request.param("sinceSeconds").and_then(|seconds| seconds.parse::<i64>().ok());
    if let Some(since) = seconds.and_then(|s| state.now().checked_sub(SignedDuration::from_secs(s)).ok()) {
        lines.retain(|(at, _)| *at >= since);
    }
    let from = request.param("sinceTime").and_then(|time| time.parse::<Timestamp>().ok());
    if let Some(since) = from {
        lines.retain(|(at, _)| *at >= since);
    }
    if let Some(tail) = request.param("tailLines").and_then(|tail| tail.parse::<usize>().ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let limit = request.param("limitBytes").and_then(|limit| limit.parse::<usize>().ok());
    Ok(Answer::text(render(&lines, request.on("timestamps"), limit)))
}

fn render(lines: &[Line], timestamps: bool, limit: Option<usize>) -> String {
    let mut out = String::new();
    for (at, line) in lines {
        if timestamps {
            out.push_str(&at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string());
        }
        out.push_str(line);
        out.push('\n');
    }
    if let Some(limit) = limit {
        let cut = (0..=limit.min(out.len())).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(cut);
    }
    out
}

/// The log of the instance before the one that runs or ran last.
fn previous(life: &Life) -> Result<Vec<Line>, Refusal> {
    let before = if life.step == Step::Crashed { life.previous.as_ref() } else { life.ended.as_ref() };
    before.map(|ended| of_ended(life, ended)).ok_or_else(|| {
        let message = format!(
            "previous terminated container \"{}\" in pod \"{}\" not found",
            life.container, life.name
        );
        Refusal::bad_request(&message)
    })
}

/// The log of the instance that runs, or that ran last.
fn present(state: &State, life: &Life) -> Result<Vec<Line>, Refusal> {
    if let Some((behaviour, run)) = state.running(life) {
        let busy = super::metrics::usage(state, life).is_some_and(|(cpu, _)| cpu * 10 > life.cpu_limit * 9);
        let span =
            Span { from: run.started, since: run.since, to: state.now(), end: behaviour.ends_at(run), busy };
        return Ok(with_said(life, span, made(life, &behaviour, run.restarts, span)));
    }
    life.ended.as_ref().map(|ended| of_ended(life, ended)).ok_or_else(|| {
        let reason = match life.step {
            Step::PullFailed => "trying and failing to pull image",
            Step::PullBackOff => "image can't be pulled",
            Step::Refused => "CreateContainerConfigError",
            Step::Unscheduled | Step::Creating | Step::Up | Step::Crashed | Step::BackOff => {
                "ContainerCreating"
            }
        };
        let message = format!(
            "container \"{}\" in pod \"{}\" is waiting to start: {reason}",
            life.container, life.name
        );
        Refusal::bad_request(&message)
    })
}

/// The time an instance covers.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Timestamp,
    /// Since when it behaves so.
    since: Timestamp,
    to: Timestamp,
    /// When it ends or will end by itself.
    end: Option<Timestamp>,
    busy: bool,
}

fn of_ended(life: &Life, ended: &Ended) -> Vec<Line> {
    let span = Span {
        from: ended.started,
        since: ended.since,
        to: ended.finished,
        end: Some(ended.finished),
        busy: false,
    };
    with_said(life, span, made(life, &ended.behaviour, ended.restarts, span))
}

/// Adds what a test made the pod say within the span.
fn with_said(life: &Life, span: Span, mut lines: Vec<Line>) -> Vec<Line> {
    lines.extend(life.said.iter().filter(|(at, _)| *at >= span.from && *at <= span.to).cloned());
    lines.sort_by_key(|(at, _)| *at);
    lines
}

fn made(life: &Life, behaviour: &Behaviour, restarts: u32, span: Span) -> Vec<Line> {
    let name = &life.container;
    let mut lines = vec![(
        span.from,
        format!("level=info msg=\"starting\" service={name} image={} restarts={restarts}", life.image),
    )];
    if let Behaviour::CrashAtStart { log, .. } = behaviour {
        let at = span.from.checked_add(SignedDuration::from_millis(400)).unwrap_or(span.from);
        lines.extend(log.lines().filter(|_| at <= span.to).map(|line| (at, line.to_owned())));
        return lines;
    }
    if matches!(behaviour, Behaviour::Leak { .. }) && restarts > 0 {
        lines.push((
            span.from,
            "level=info msg=\"loading spool\" path=/var/spool/session entries=181204".to_owned(),
        ));
    }
    lines.extend(paced(life, behaviour, span));
    lines
}

/// One line each `PACE`, the last `LINES` of them; a leak and its end are denser.
fn paced(life: &Life, behaviour: &Behaviour, span: Span) -> Vec<Line> {
    let whole = span.end.map_or(i128::MAX, |end| end.duration_since(span.from).as_millis());
    // a short instance still says a few things
    let pace = i64::try_from(PACE.as_millis().min(whole / 6).max(200)).unwrap_or(5000);
    let last = i64::try_from(span.to.duration_since(span.from).as_millis()).unwrap_or(0) / pace;
    (last.saturating_sub(LINES).max(1)..=last)
        .filter_map(|index| {
            let at = span.from.checked_add(SignedDuration::from_millis(index.saturating_mul(pace))).ok()?;
            // a killed process has no last word
            let over = span.end.is_some_and(|end| at >= end);
            (!over).then(|| (at, sentence(life, behaviour, span, (index, at))))
        })
        .collect()
}

fn sentence(life: &Life, behaviour: &Behaviour, span: Span, moment: (i64, Timestamp)) -> String {
    let (index, at) = moment;
    let trace = super::objects::hex(format!("{}/{index}", life.uid).as_bytes());
    let trace = trace.get(..16).unwrap_or_default();
    match behaviour {
        Behaviour::Leak { .. } if at >= span.since => {
            let run =
                super::behaviours::Running { started: span.from, since: span.since, restarts: life.restarts };
            let heap = behaviour.memory(life.memory_limit, run, at) >> 20;
            let limit = life.memory_limit >> 20;
            format!(
                "level=warn msg=\"heap grows\" heap_mib={heap} limit_mib={limit} cache=session evicted=0 trace_id={trace}"
            )
        }
        Behaviour::Busy { .. } if span.busy => format!(
            "level=warn msg=\"slow request\" path=/{} status=200 duration_ms={} queue={} trace_id={trace}",
            life.container,
            1800 + index * 37 % 900,
            40 + index % 17
        ),
        Behaviour::NeverReady => {
            format!("level=warn msg=\"not ready: waiting for upstream\" upstream=config:8080 attempt={index}")
        }
        Behaviour::Healthy
        | Behaviour::Leak { .. }
        | Behaviour::CrashAtStart { .. }
        | Behaviour::BadImage
        | Behaviour::Reads { .. }
        | Behaviour::Busy { .. } => format!(
            "level=info msg=\"request served\" path=/{} status=200 duration_ms={} trace_id={trace}",
            life.container,
            8 + index * 7 % 23
        ),
    }
}
