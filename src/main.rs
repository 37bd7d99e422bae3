//! The `belay` program: parse, do, and end with a reason.

use std::process::ExitCode;

fn main() -> ExitCode {
    belay::cli::main()
}
