//! Who is on call for a namespace, who was called, and what somebody silenced.

use jiff::{SignedDuration, Timestamp};

use super::args::{MOST_DAYS, MOST_ROWS, OnCallArgs, PagesArgs, SilenceArgs};
use super::sources::{Eyes, lacks};
use super::views::{OnCall, PageRow, Pages, ShiftRow, SilenceRow, Silences, long, name, sentence, when};
use crate::domain::matchers::Matchers;
use crate::domain::roster::{self, Duty, Team};
use crate::ports::alerting::{Call, CallState, Calls, Firing, Matches, Shift, Silence};
use crate::servers::kit::{Extent, Moment, Span, Trouble};

/// Shifts that are shown after the present ones.
const SHIFTS: usize = 30;

impl Eyes {
    /// Silences that speak of the namespace, or keep one of its alerts quiet.
    pub async fn silences(&self, args: &SilenceArgs) -> Result<Silences, Trouble> {
        let namespace = &args.namespace;
        self.scope.check(namespace)?;
        let router = self.sources.router.as_ref().ok_or_else(|| lacks("alertmanager", "what is silenced"))?;
        let (all, firing) = futures::future::try_join(router.silences(), router.firing()).await?;
        let theirs: Vec<&Firing> =
            firing.iter().filter(|f| f.labels.get("namespace") == Some(namespace)).collect();
        let (read, total) = (all.len(), |n: usize| n as u64);
        let mut found: Vec<(Silence, Vec<String>)> = all
            .into_iter()
            .map(|silence| {
                let quiets = quiets(&silence, &theirs);
                (silence, quiets)
            })
            .filter(|(silence, quiets)| !quiets.is_empty() || speaks_of(silence, namespace))
            .collect();
        found.sort_by(|(a, _), (b, _)| a.ends_at.cmp(&b.ends_at).then_with(|| a.id.cmp(&b.id)));
        let left = read - found.len();
        let silences: Vec<SilenceRow> = found.iter().take(MOST_ROWS as usize).map(silence).collect();
        let extent = Extent {
            shown: total(silences.len()),
            total: Some(total(found.len())),
            at_least: total(found.len()),
        };
        let left_out = format!("{left} others do not speak of it and keep none of its alerts quiet");
        Ok(Silences { namespace: namespace.clone(), extent, left_out, silences })
    }

    /// Who is on call, by the file and by the paging service.
    pub async fn on_call(&self, args: &OnCallArgs) -> Result<OnCall, Trouble> {
        let OnCallArgs { namespace, at, days } = args;
        self.scope.check(namespace)?;
        let now = self.sources.clock.now();
        let Moment(at) = at.as_deref().map_or(Ok(Moment(now)), |at| Moment::read("at", at, now))?;
        let ahead = SignedDuration::from_hours(24 * i64::from((*days).clamp(1, MOST_DAYS)));
        let until = at.saturating_add(ahead).unwrap_or(Timestamp::MAX);
        let mut notes = Vec::new();
        let team = self.sources.roster.as_deref().map(|roster| roster.team(namespace));
        let mut shifts: Vec<(ShiftRow, Option<Timestamp>)> = match team {
            Some(Some(team)) => by_file(team, at, until),
            Some(None) => {
                notes.push(format!("the file of `onCall` names no team for `{namespace}`"));
                vec![]
            }
            None => vec![],
        };
        match self.mapped(namespace, "who is on call in PagerDuty") {
            Ok((paging, of)) if !of.schedules.is_empty() => {
                match paging.on_call(&of.schedules, at, until).await {
                    Ok(read) => {
                        if read.left_out != Some(0) {
                            notes.push("PagerDuty has more shifts than are shown".to_owned());
                        }
                        let mut theirs = read.items;
                        theirs
                            .sort_by(|a, b| (a.level, a.from, &a.member).cmp(&(b.level, b.from, &b.member)));
                        shifts.extend(theirs.iter().map(|shift| (by_pager(shift), shift.from)));
                    }
                    // one source is left to answer
                    Err(why) if team.flatten().is_some() => notes.push(why.to_string()),
                    Err(why) => return Err(why.into()),
                }
            }
            Ok(_) => notes.push(format!("`pagerduty.namespaces` has no `schedules` for `{namespace}`")),
            Err(why) if self.sources.pager.is_some() => notes.push(why.to_string()),
            Err(_) if team.is_none() => return Err(lacks("onCall` and no `pagerduty", "who is on call")),
            Err(_) => {}
        }
        let (now, mut next): (Vec<_>, Vec<_>) =
            shifts.into_iter().partition(|(_, from)| from.is_none_or(|from| from <= at));
        next.sort_by_key(|(_, from)| *from);
        let rows = |of: Vec<(ShiftRow, Option<Timestamp>)>| of.into_iter().map(|(row, _)| row);
        let next = rows(next).take(SHIFTS).collect();
        Ok(OnCall { namespace: namespace.clone(), at: when(at), notes, now: rows(now).collect(), next })
    }

    /// Who was called, and what became of it.
    pub async fn pages(&self, args: &PagesArgs) -> Result<Pages, Trouble> {
        let PagesArgs { namespace, since, open } = args;
        self.scope.check(namespace)?;
        let span = Span::read(since, None, self.sources.clock.now())?;
        let (paging, of) = self.mapped(namespace, "who was called")?;
        if of.services.is_empty() {
            return Err(Trouble::Argument(format!(
                "who was called cannot be told: `pagerduty.namespaces` has no `services` for `{namespace}`"
            )));
        }
        let asked = Calls { services: of.services.clone(), since: span.since, until: span.until };
        let mut read = paging.calls(&asked).await?;
        read.items.retain(|call| !*open || call.state != CallState::Resolved);
        let whole = read.left_out == Some(0);
        let all = read.items.len() as u64;
        let pages: Vec<PageRow> = read.items.iter().take(MOST_ROWS as usize).map(call).collect();
        let extent = Extent { shown: pages.len() as u64, total: whole.then_some(all), at_least: all };
        Ok(Pages { namespace: namespace.clone(), since: when(span.since), extent, pages })
    }
}

/// The alerts that it keeps quiet.
fn quiets(silence: &Silence, firing: &[&Firing]) -> Vec<String> {
    let quiet = firing.iter().filter(|f| f.silenced_by.contains(&silence.id));
    let mut names: Vec<String> = quiet.filter_map(|f| f.labels.get("alertname")).map(|n| name(n)).collect();
    names.sort();
    names.dedup();
    names.truncate(10);
    names
}

/// Whether it asks for the namespace, by its name or by an expression that is not for every one.
fn speaks_of(silence: &Silence, namespace: &str) -> bool {
    let of = silence.matches.iter().filter(|m| m.name == "namespace" && m.equal);
    let labels = [("namespace".to_owned(), namespace.to_owned())].into();
    let is = |m: &Matches| {
        let operator = if m.regex { "=~" } else { "=" };
        let value = m.value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        let matchers = Matchers::parse(&format!(r#"namespace{operator}"{value}""#));
        matchers.is_ok_and(|matchers| matchers.hold(&labels))
    };
    of.into_iter().any(is)
}

fn silence((silence, quiets): &(Silence, Vec<String>)) -> SilenceRow {
    let matcher = |m: &Matches| {
        let operator = match (m.equal, m.regex) {
            (true, false) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (false, true) => "!~",
        };
        format!("{}{operator}{}", name(&m.name), name(&m.value))
    };
    SilenceRow {
        id: name(&silence.id),
        active: silence.active,
        matchers: silence.matches.iter().take(10).map(matcher).collect(),
        quiets: quiets.clone(),
        from: when(silence.starts_at),
        until: when(silence.ends_at),
        by: name(&silence.by),
        comment: sentence(&silence.comment),
    }
}

/// The shifts of a team, those of the first layer first.
fn by_file(team: &Team, from: Timestamp, until: Timestamp) -> Vec<(ShiftRow, Option<Timestamp>)> {
    let row = |duty: Duty| {
        let shift = ShiftRow {
            member: name(&duty.member),
            rotation: name(&format!("{}, {}", duty.team, duty.layer)),
            from: Some(when(duty.from)),
            until: Some(when(duty.until)),
            stands_in: duty.stands_in,
            source: "file".to_owned(),
        };
        (shift, Some(duty.from))
    };
    let all = team.layers.iter().flat_map(|layer| roster::duties(team, layer, from, until, SHIFTS));
    all.map(row).collect()
}

fn by_pager(shift: &Shift) -> ShiftRow {
    let schedule = shift.schedule.as_ref().map(|s| format!(" ({s})")).unwrap_or_default();
    ShiftRow {
        member: name(&shift.member),
        rotation: name(&format!("{}, level {}{schedule}", shift.policy, shift.level)),
        from: shift.from.map(when),
        until: shift.until.map(when),
        stands_in: false,
        source: "pagerduty".to_owned(),
    }
}

fn call(call: &Call) -> PageRow {
    let people = |of: &[String]| of.iter().take(10).map(|who| name(who)).collect();
    PageRow {
        number: call.number,
        state: match call.state {
            CallState::Triggered => "triggered",
            CallState::Acknowledged => "acknowledged",
            CallState::Resolved => "resolved",
        }
        .to_owned(),
        title: sentence(&call.title),
        service: name(&call.service),
        urgency: name(&call.urgency),
        at: when(call.at),
        resolved: call.resolved.map(when),
        assigned: people(&call.assigned),
        acknowledged: people(&call.acknowledged),
        link: long(&call.link),
    }
}
