//! The `rescind` binary: hands the real arguments and environment to the command line.

use std::process::ExitCode;

use rescind::allocator::{ALLOCATOR, Allocator};

#[global_allocator]
static GLOBAL: Allocator = ALLOCATOR;

fn main() -> ExitCode {
    rescind::cli::run(std::env::args_os(), std::env::vars_os())
}
