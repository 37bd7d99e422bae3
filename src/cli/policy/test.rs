//! `belay policy test`: every test by name, for people and for CI.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::policy::{self, TestRun};

/// How to report.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JUnit XML
    Junit,
    /// TAP, version 14
    Tap,
}

impl From<Format> for policy::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Junit => Self::Junit,
            Format::Tap => Self::Tap,
        }
    }
}

pub(super) fn run(args: &Args, dir: &Path) -> anyhow::Result<ExitCode> {
    let format = args.format.into();
    let (text, good) = match policy::check(super::files(dir)?) {
        Ok(policy::Checked { tests, unsound, .. }) => {
            let good = unsound.is_empty() && tests.iter().all(TestRun::passed);
            if !unsound.is_empty() {
                writeln!(std::io::stderr().lock(), "{}", policy::Errors(unsound))?;
            }
            (policy::report(format, &tests), good)
        }
        Err(errors) => (policy::bail(format, &errors), false),
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(super::code(good))
}
