//! Tests that need a process which ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;

/// Starts this test binary as another process that does one `task` with the folder.
fn other_process(task: &str, path: &std::path::Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "store::sled::committer::tests::process::as_other_process",
        "--nocapture",
        "--ignored",
    ]);
    command.env("RESCIND_TEST_TASK", task).env("RESCIND_TEST_DATA", path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
#[ignore = "run by other tests, in a process of its own"]
async fn as_other_process() {
    let path = PathBuf::from(std::env::var_os("RESCIND_TEST_DATA").unwrap());
    let store = open(&path, 8 << 20, OpenMode::Create).unwrap();
    let reserve = Reserve::new(&path, 0).unwrap();
    match std::env::var("RESCIND_TEST_TASK").unwrap().as_str() {
        "acknowledge" => {
            let hooks = Hooks::default();
            let committer =
                Arc::new(Committer::start(&store, reserve, CommitLimits::default(), hooks).unwrap());
            let writers = (0..8_u32).map(|writer| tokio::spawn(acknowledge(committer.clone(), writer)));
            for writer in writers.collect::<Vec<_>>() {
                writer.await.unwrap();
            }
        }
        "fail" => {
            let disk = Disk { data: unsyncable(), ..store.disk().unwrap() };
            let committer =
                Committer::over(disk, reserve, CommitLimits::default(), Hooks::default(), well()).unwrap();
            let outcome = write(&committer, "a").await;
            println!("answered {outcome:?}");
        }
        other => panic!("no such task: {other}"),
    }
}

/// Writes for ever, and prints after each answer what was acknowledged.
async fn acknowledge(committer: Arc<Committer>, name: u32) {
    for n in 0_u32.. {
        let key = format!("key {name} {n}");
        let writes = put(&key);
        committer.run(|_| Ok((writes, ()))).await.unwrap();
        println!("{key} .");
    }
}

#[test]
fn acknowledged_steps_survive_a_kill() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let mut child = other_process("acknowledge", &path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut keys = Vec::new();
        while keys.len() < 2000 {
            keys.extend(acknowledged_key(&lines.next().expect("the writers ended by themselves")));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        keys.extend(lines.filter_map(|line| acknowledged_key(&line)));
        acknowledged.append(&mut keys);
        let store = open(&path, 8 << 20, OpenMode::Existing).unwrap();
        for key in &acknowledged {
            assert!(store.tree().contains_key(key).unwrap(), "acknowledged and lost: {key}");
        }
    }
}

/// The key in a line that was completely written before the kill.
fn acknowledged_key(line: &str) -> Option<String> {
    let key = line.strip_suffix(" .")?;
    key.find("key ").map(|at| key[at..].to_owned())
}

#[test]
fn a_process_whose_disk_fails_says_why_and_is_gone_without_an_answer() {
    let parent = tempfile::tempdir().unwrap();
    let mut child = other_process("fail", &parent.path().join("data"));
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(74));
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    child.stderr.unwrap().read_to_string(&mut err).unwrap();
    assert!(!out.contains("answered"), "{out}");
    let fatal: Vec<_> = err.lines().filter(|line| line.starts_with("rescind: fatal: ")).collect();
    assert!(matches!(fatal.as_slice(), [line] if line.contains("syncing the store to disk failed")), "{err}");
}
