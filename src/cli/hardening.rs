//! What the process closes to others before it does anything: its files, and its memory.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Makes new files readable by this user only, and leaves no image of the memory behind when the process dies: keys and
/// the passwords of the moment are in it. Other processes of this user cannot attach to it either; root can.
pub(super) fn harden() {
    umask(Mode::RWXG | Mode::RWXO);
    // Where the system refuses, the process is no worse off than without.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
