//! The same answers as text for people and models.

use super::views::{ChangeRow, Changes, DeployRow, History, PipelineRow, Pipelines, Rollback, TestsRow};
use crate::servers::kit::{Readable, or_dash, page};

/// What git shows of a commit.
const SHORT: usize = 12;

fn short(commit: Option<&String>) -> String {
    commit.map_or_else(|| "-".to_owned(), |commit| commit.chars().take(SHORT).collect())
}

fn missing(text: String, missing: &[String]) -> String {
    if missing.is_empty() { text } else { format!("{text}\n\nnot read:\n- {}", missing.join("\n- ")) }
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

impl Readable for History {
    fn text(&self) -> String {
        let Self { namespace, service, helm, deploys, more, missing: gaps } = self;
        let more = if *more { "; there are older ones" } else { "" };
        let helm = helm.as_ref().map_or_else(String::new, |helm| format!("\n{helm}"));
        let all = count(deploys.len(), "deploy");
        let sentence = format!("{all} of `{service}` in namespace `{namespace}`, newest first{more}{helm}");
        let rows: Vec<Vec<String>> = deploys.iter().map(deploy_row).collect();
        missing(page(&sentence, &["AT", "SOURCE", "NAME", "OUTCOME", "BY", "COMMIT", "WHAT"], &rows), gaps)
    }
}

fn deploy_row(d: &DeployRow) -> Vec<String> {
    let changes = (!d.changes.is_empty()).then(|| format!("changed: {}", d.changes.join("; ")));
    let what: Vec<String> = [Some(d.what.join(", ")), changes, d.note.clone()]
        .into_iter()
        .flatten()
        .filter(|t| !t.is_empty())
        .collect();
    vec![
        or_dash(d.at.as_ref()),
        d.source.to_owned(),
        d.name.clone(),
        d.outcome.to_owned(),
        or_dash(d.by.as_ref()),
        short(d.commit.as_ref()),
        what.join(" | "),
    ]
}

impl Readable for Changes {
    fn text(&self) -> String {
        let Self { namespace, since, changes, left_out, missing: gaps } = self;
        let more =
            if *left_out > 0 { format!("; {left_out} older ones are left out") } else { String::new() };
        let all = count(changes.len(), "change");
        let sentence = format!("{all} in namespace `{namespace}` since {since}, newest first{more}");
        let rows: Vec<Vec<String>> = changes.iter().map(change_row).collect();
        missing(page(&sentence, &["AT", "OBJECT", "SOURCE", "OUTCOME", "BY", "WHAT"], &rows), gaps)
    }
}

fn change_row(c: &ChangeRow) -> Vec<String> {
    vec![
        c.at.clone(),
        c.object.clone(),
        c.source.clone(),
        c.outcome.unwrap_or("-").to_owned(),
        or_dash(c.by.as_ref()),
        c.what.join("; "),
    ]
}

impl Readable for Pipelines {
    fn text(&self) -> String {
        let Self { namespace, service, pipelines, rollback, missing: gaps } = self;
        let all = count(pipelines.len(), "pipeline");
        let head = format!("{all} of `{service}` in namespace `{namespace}`\nrollback: {rollback}");
        let parts: Vec<String> = std::iter::once(head).chain(pipelines.iter().map(pipeline_text)).collect();
        missing(parts.join("\n\n"), gaps)
    }
}

fn pipeline_text(p: &PipelineRow) -> String {
    let head = format!(
        "{} {}: {} (at {}, by {}, {} {})",
        p.source,
        p.name,
        p.outcome,
        or_dash(p.at.as_ref()),
        or_dash(p.by.as_ref()),
        or_dash(p.reference.as_ref()),
        short(p.commit.as_ref()),
    );
    let mut lines = vec![head];
    if let Some(TestsRow { total, failed, skipped }) = &p.tests {
        lines.push(format!("tests: {total}, {failed} failed, {skipped} skipped"));
    }
    lines.extend(p.waits_for.iter().map(|one| format!("waits for {one}")));
    lines.extend(p.stages.iter().map(|stage| format!("- {}: {}", stage.outcome, stage.name)));
    lines.extend(p.note.iter().map(|note| format!("says: {note}")));
    lines.join("\n")
}

impl Readable for Rollback {
    fn text(&self) -> String {
        let Self { namespace, service, running, to, why, newest_healthy, .. } = self;
        let of = format!("deployment `{service}` in namespace `{namespace}`, which runs revision {running}");
        let head = match to {
            Some(to) => format!("a rollback of {of}, to revision {to}: {why}"),
            None => format!("there is no rollback of {of}: {why}"),
        };
        let healthy = newest_healthy.map_or_else(|| "not known".to_owned(), |n| format!("revision {n}"));
        let mut lines = vec![
            head,
            format!("newest earlier one that worked: {healthy}"),
            format!("migration of data in between: {}", self.migration),
            format!("risk: {}", self.risk.unwrap_or("-")),
        ];
        let lists =
            [("would change", &self.changes), ("speaks against it", &self.against), ("note", &self.notes)];
        for (word, list) in lists {
            lines.extend(list.iter().map(|one| format!("- {word}: {one}")));
        }
        lines.push(String::new());
        lines.push(match &self.proposal {
            Some(proposal) => format!(
                "Nothing was changed. To propose it: `{}` of {} `{}` with template `{}`; policy and people decide.",
                proposal.action, proposal.kind, proposal.name, proposal.template
            ),
            None => "Nothing was changed, and there is nothing to propose.".to_owned(),
        });
        lines.join("\n")
    }
}
