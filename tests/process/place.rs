//! A working directory for one test, and the processes in it. The data folder is the default, `./rescind-data`.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::secrets::Secrets;
use crate::server::Server;

/// The binary under test.
pub(crate) const RESCIND: &str = env!("CARGO_BIN_EXE_rescind");

/// The arguments of a server in tests: any free port, and high limits on sign-ins.
pub(crate) const SERVE: [&str; 9] = [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--metrics-listen",
    "off",
    "--set",
    "sign_in_attempts_per_account=1000",
    "--set",
    "sign_in_attempts_per_address=1000",
];

/// A working directory.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) secrets: Arc<Secrets>,
}

/// The exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), secrets: Arc::default() }
    }

    /// A working directory whose settings give a database more time: a machine busy with other tests is slow, not
    /// broken.
    pub(crate) fn patient() -> Self {
        let place = Self::new();
        let budgets = "store_read_budget = \"10s\"\nstore_step_budget = \"20s\"\n";
        std::fs::write(place.path("rescind.toml"), budgets).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("rescind-data")
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.path("rescind-data.key")
    }

    /// A command in this working directory, without the environment of the tests.
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, more: &[&str]) -> Server {
        self.start(self.program(RESCIND, &[&SERVE, more].concat()))
    }

    pub(crate) fn start(&self, command: Command) -> Server {
        let server = Server::start(command, &self.secrets);
        if let Ok(key) = std::fs::read_to_string(self.master_key()) {
            self.secrets.note(key.trim());
        }
        server
    }

    /// Runs `rescind` with these arguments to its end.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with(line, "")
    }

    /// Runs `rescind` with these arguments and this standard input to its end.
    pub(crate) fn run_with(&self, line: &str, stdin: &str) -> Ran {
        let ran = run(self.program(RESCIND, &line.split_whitespace().collect::<Vec<_>>()), stdin);
        // A new service key is shown, once; whatever else shows a secret fails.
        if !line.starts_with("service-key add") {
            self.secrets.assert_absent(line, &ran.out);
        }
        self.secrets.assert_absent(line, &ran.err);
        ran
    }

    /// Starts a server that has to refuse to start.
    pub(crate) fn refused(&self, more: &[&str]) -> Ran {
        refused(self.program(RESCIND, &[&SERVE, more].concat()), &self.secrets)
    }

    /// Makes a service key with the command.
    pub(crate) fn service_key(&self, scope: &str) -> String {
        let made = self.run(&format!("service-key add tests --scope {scope} --json")).json();
        let key = made["key"].as_str().unwrap();
        self.secrets.note(key);
        key.to_owned()
    }
}

/// Starts a server that has to refuse to start; one that prints anything has started, and is killed.
pub(crate) fn refused(mut command: Command, secrets: &Secrets) -> Ran {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = [0; 1024];
    let length = child.stdout.as_mut().unwrap().read(&mut said).unwrap();
    if length > 0 {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let [out, err] =
        [&said[..length], &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let ran = Ran { code: output.status.code(), out, err };
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    secrets.assert_absent("the server", &ran.err);
    ran
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that ends without reading closes the pipe, which is no error.
    let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ran {
    /// The standard output; asserts that the command succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.out
    }

    /// The one line of JSON on standard output; asserts that the command succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let out = self.ok();
        assert_eq!(out.lines().count(), 1, "{out}");
        serde_json::from_str(&out).unwrap()
    }

    /// Asserts that the command failed with these texts in its message.
    #[track_caller]
    pub(crate) fn assert_failed(&self, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part} is missing in {self:?}");
        }
    }
}

/// Has openssl make a key and a certificate that it signs itself, as the files `[key, certificate]` of `folder`, for a
/// server named `name` at the IP address `address`.
pub(crate) fn self_signed(
    folder: &Path,
    name: &str,
    address: &str,
    [key, certificate]: [&str; 2],
) -> io::Result<Output> {
    let subject = format!("/CN={name}");
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &subject, "-addext", &format!("subjectAltName=IP:{address}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate])
        .current_dir(folder)
        .output()
}
