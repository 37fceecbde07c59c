//! A small disk in memory for one test, in a mount namespace of its own; the data folder is the whole disk.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::place::{Place, RESCIND, Ran, SERVE, run};
use crate::server::Server;
use crate::skipped::skipped;

pub(super) const MIB: u64 = 1 << 20;

/// A small disk, which exists as long as the process that holds its namespace.
pub(super) struct Disk {
    place: Place,
    holder: Child,
}

impl Disk {
    /// Mounts a disk of this size; `None` where this machine does not allow it.
    pub(super) fn of(bytes: u64) -> Option<Self> {
        let place = Place::new();
        std::fs::create_dir(place.data()).unwrap();
        let mount = format!("mount -t tmpfs -o mode=700,size={bytes} none \"$0\" && echo ready && cat");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &mount]).arg(place.data());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut holder) = command.spawn() else {
            skipped("there is no unshare, so no small disk to fill");
            return None;
        };
        let mut first = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let disk = Self { place, holder };
        if first != "ready\n" {
            skipped("no file system may be mounted here, so there is no small disk to fill");
            return None;
        }
        Some(disk)
    }

    /// The path of the disk in this process's namespace.
    fn seen(&self) -> PathBuf {
        let inside = self.place.data();
        let inside = inside.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    /// The number of free bytes.
    pub(super) fn free(&self) -> u64 {
        let seen = rustix::fs::statvfs(self.seen()).unwrap();
        seen.f_bavail * seen.f_frsize
    }

    /// Fills or empties the disk until `bytes` are free.
    pub(super) fn leave(&self, bytes: u64) {
        let path = self.seen().join("filler");
        let before = std::fs::metadata(&path).map_or(0, |file| file.len());
        let wanted = (before + self.free()).checked_sub(bytes).expect("room for it");
        let mut filler = File::options().create(true).append(true).open(&path).unwrap();
        if wanted < before {
            filler.set_len(wanted).unwrap();
            return;
        }
        let chunk = vec![0; 1 << 16];
        let mut left = usize::try_from(wanted - before).unwrap();
        while left > 0 {
            let written = filler.write(&chunk[..left.min(chunk.len())]).unwrap();
            left -= written;
        }
    }

    /// Removes the filler.
    pub(super) fn empty(&self) {
        std::fs::remove_file(self.seen().join("filler")).unwrap();
    }

    fn inside(&self, args: &[&str]) -> Command {
        let holder = self.holder.id().to_string();
        let mut command = self.place.program("nsenter", &["--mount", "--target", &holder, "--", RESCIND]);
        command.args(args);
        command.env("RESCIND_DATA", self.place.data());
        command
    }

    pub(super) fn serve(&self, more: &[&str]) -> Server {
        self.place.start(self.inside(&[&SERVE, more].concat()))
    }

    pub(super) fn rescind(&self, args: &[&str]) -> Ran {
        run(self.inside(args), "")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}
