//! The `rescind` binary: hands the real arguments and environment to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    rescind::cli::run(std::env::args_os(), std::env::vars_os())
}
