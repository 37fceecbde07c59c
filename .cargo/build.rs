//! Has the linker compress the debug information of the released program.
//!
//! A backtrace keeps its functions and lines: Rust's standard library reads compressed sections. `split-debuginfo` would put
//! the lines into a second file, which `cargo install` leaves behind.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo over its standard output")]

fn main() {
    println!("cargo::rerun-if-changed=.cargo/build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // Linkers of other systems do not know the option, and a build for debugging is to link fast.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
    }
}
