//! `belay policy lint`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(dir: &Path) -> anyhow::Result<ExitCode> {
    let Some(set) = super::load(dir)? else { return Ok(ExitCode::FAILURE) };
    let mut out = std::io::stdout().lock();
    for note in set.notes() {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "the policy is sound and its tests pass; set {}", set.hash().short())?;
    Ok(ExitCode::SUCCESS)
}
