//! The `rescind` binary: hands the real arguments and environment to the command line.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Clears memory when it is freed. Passwords pass through buffers of the HTTP library and the JSON parser that nobody else
/// clears, and would stay readable in a dump of the memory until something is written over them.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    rescind::cli::run(std::env::args_os(), std::env::vars_os())
}
