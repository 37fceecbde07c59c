//! Protection of the process's files and memory from other processes, set up before anything else.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Makes new files accessible to this user only, and disables core dumps, which would hold keys and current
/// passwords. Other processes of this user cannot attach to the process either; root can.
pub(super) fn harden() {
    umask(Mode::RWXG | Mode::RWXO);
    // Where the system refuses, the process is no worse off than without.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
