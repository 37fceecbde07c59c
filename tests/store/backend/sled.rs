//! The embedded store, in a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rescind::store::Store;
use rescind::store::sled::committer::Hooks;
use rescind::store::sled::{OpenMode, Options, Sled};
use tempfile::TempDir;

use super::Backend;

/// An embedded store in a folder that is removed at the end.
pub(crate) struct SledBackend {
    engine: Arc<Sled>,
    writes: Arc<AtomicU64>,
    folders: TempDir,
    reopened: u32,
}

impl SledBackend {
    /// A store in a new folder.
    pub(crate) fn fresh() -> Self {
        let (folders, writes) = (tempfile::tempdir().unwrap(), Arc::default());
        let engine = open(&folders.path().join("0"), &writes, OpenMode::Create);
        Self { engine, writes, folders, reopened: 0 }
    }

    fn folder(&self) -> PathBuf {
        self.folders.path().join(self.reopened.to_string())
    }
}

fn open(path: &Path, writes: &Arc<AtomicU64>, mode: OpenMode) -> Arc<Sled> {
    let writes = Arc::clone(writes);
    let hooks = Hooks {
        fatal: Box::new(|reason| panic!("{reason}")),
        observer: Box::new(move |commit| {
            writes.fetch_add(u64::try_from(commit.writes).unwrap(), Ordering::SeqCst);
        }),
    };
    let options = Options { cache_bytes: 4 << 20, reserve_bytes: 0, hooks, ..Options::default() };
    Arc::new(Sled::open(path, options, mode).unwrap())
}

#[async_trait]
impl Backend for SledBackend {
    fn store(&self) -> Store {
        Store::new(self.engine.clone())
    }

    /// Opens a copy of what the open store has on disk now, without anything its closing would still write.
    async fn reopen(&mut self) {
        self.engine.close();
        let from = self.folder();
        self.reopened += 1;
        let to = self.folder();
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        self.engine = open(&to, &self.writes, OpenMode::Existing);
    }

    fn writes(&self) -> Option<u64> {
        Some(self.writes.load(Ordering::SeqCst))
    }
}
