//! `belay policy schema`: for editors that understand `# yaml-language-server: $schema=…`.

use std::process::ExitCode;

use crate::policy;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    super::json(&policy::schema())?;
    Ok(ExitCode::SUCCESS)
}
