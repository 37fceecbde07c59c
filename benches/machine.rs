//! The machine that the figures were measured on, and the memory of processes. Linux only.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

/// The properties of a machine that a reader needs to compare it with another.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// The type of the file system of the stores.
    pub(crate) file_system: String,
}

impl Machine {
    /// The machine that this runs on.
    pub(crate) fn this() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        Ok(Self {
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: kibibytes(&memory, "MemTotal")?.div_ceil(1024 * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system()?,
        })
    }
}

/// The resident memory of a process in MiB.
pub(crate) fn resident(process: u32) -> Result<f64> {
    memory(process, "VmRSS")
}

/// The highest resident memory of a process so far, in MiB.
pub(crate) fn peak(process: u32) -> Result<f64> {
    memory(process, "VmHWM")
}

fn memory(process: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes = u32::try_from(kibibytes(&status, name)?)?;
    Ok(f64::from(kibibytes) / 1024.0)
}

/// Sleeps, so that work left over from the setup is finished.
#[allow(clippy::disallowed_methods, reason = "there is nothing to wait on but time itself")]
pub(crate) fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

/// A runtime with one worker pinned to each core. Otherwise the kernel may put several on one core for tens of
/// milliseconds while another is idle.
pub(crate) fn workers_apart() -> Result<Runtime> {
    let ours = sched_getaffinity(None)?;
    let mut cores: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).collect();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores.len()).enable_all();
    cores.reverse();
    let cores = Mutex::new(cores);
    // Workers start before any other thread of a runtime.
    builder.on_thread_start(move || {
        if let Some(core) = cores.lock().ok().and_then(|mut cores| cores.pop()) {
            let mut only = CpuSet::new();
            only.set(core);
            let _ = sched_setaffinity(None, &only);
        }
    });
    Ok(builder.build()?)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn kibibytes(text: &str, name: &str) -> Result<u64> {
    let value = field(text, name).with_context(|| format!("no {name}"))?;
    Ok(value.trim_end_matches(" kB").parse()?)
}

/// The type of the file system with the longest mount point above the build folder.
fn file_system() -> Result<String> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let at = |line: &str| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    let above = mounts
        .lines()
        .filter_map(at)
        .filter(|(point, _)| std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).starts_with(point));
    let found = above.max_by_key(|(point, _)| point.len());
    Ok(found.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind))
}
