//! The guard as a process, alone and behind nginx.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{self, Connection, request};
use crate::machine::{self, rest};
use crate::results::Figure;
use crate::stage::ISSUER;
use crate::verifier::{AUDIENCE, Scene};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(300);

/// A guard that follows the scene's service, killed when dropped.
pub(crate) struct Guard {
    child: Child,
    address: SocketAddr,
}

impl Guard {
    /// Starts a guard and waits until it is ready.
    pub(crate) fn start(scene: &Scene) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rescind"))
            .args(["guard", "--listen", "127.0.0.1:0", "--issuer", ISSUER])
            .args(["--audience", AUDIENCE, "--url", &format!("http://{}", scene.address)])
            .env("RESCIND_SERVICE_KEY", &scene.key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("no stdout")?).read_line(&mut line)?;
        let address =
            line.trim().strip_prefix("listening on http://").context("it did not listen")?.parse()?;
        let guard = Self { child, address };
        let ready = request("GET", "/readyz", "", None);
        let began = Instant::now();
        let mut connection = Connection::open(address)?;
        while connection.ask(&ready)?.status != 200 {
            ensure!(began.elapsed() < Duration::from_secs(60), "the guard did not become ready");
            rest(Duration::from_millis(1));
        }
        Ok(guard)
    }

    /// The resident memory of the guard in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        machine::resident(self.child.id())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An nginx, sent SIGTERM when dropped; SIGKILL would leave its workers behind.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Compares a page behind `auth_request` to the guard with the same page behind one to an nginx that answers 204 to
/// everything.
pub(crate) fn behind_nginx(scene: &Scene) -> Result<Vec<Figure>> {
    if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
        println!("  nginx is not installed: nothing is said about a guard behind it");
        return Ok(Vec::new());
    }
    let guard = Guard::start(scene)?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (page, constant) = (free()?, free()?);
    let path = folder.path().to_str().context("the build folder's path is no text")?;
    fs::write(folder.path().join("page"), "a page\n")?;
    fs::write(folder.path().join("config"), config(path, page, constant, guard.address))?;
    let nginx = Command::new("nginx")
        .args(["-p", path, "-c", "config", "-e", "stderr", "-g", "daemon off; pid nginx.pid;"])
        .stdin(Stdio::null())
        .stderr(File::create(folder.path().join("log"))?)
        .spawn()?;
    let _nginx = Nginx(nginx);
    let began = Instant::now();
    while Connection::open(page).is_err() {
        ensure!(began.elapsed() < Duration::from_secs(10), "nginx did not start");
        rest(Duration::from_millis(10));
    }
    let tokens =
        (0..CONNECTIONS).map(|n| Ok(scene.token(&format!("nginx-{n}"))?.1)).collect::<Result<Vec<_>>>()?;
    let requests =
        |path: &str| tokens.iter().map(|token| request("GET", path, token, None)).collect::<Vec<_>>();
    let mut sides = [requests("/guarded/page"), requests("/constant/page")];
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for turn in 0..2 {
            let at = (round + turn) % 2;
            let rate = load::rate(page, sides.get_mut(at).context("a side")?, ROUND, |_, _| Ok(()))?;
            if round > 0 {
                rates.get_mut(at).context("a side")?.push(rate);
            }
        }
    }
    let [guarded, plain] = &rates;
    let share: Vec<f64> = guarded.iter().zip(plain).map(|(guarded, plain)| guarded / plain).collect();
    let what = "pages behind nginx";
    Ok(vec![
        Figure::median(
            format!("{what} with `auth_request` to a guard, of those with one to a constant 204"),
            &share,
            "×",
        )
        .goal("≥ 0.8"),
        Figure::median(format!("{what} with `auth_request` to a guard"), guarded, "/s"),
        Figure::median(format!("{what} with `auth_request` to a constant 204 of nginx's own"), plain, "/s"),
    ])
}

/// An address whose port was free a moment ago.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn config(folder: &str, page: SocketAddr, constant: SocketAddr, guard: SocketAddr) -> String {
    let side = |name: &str| {
        format!(
            "location /{name}/ {{ auth_request /_{name}; alias {folder}/; }}
             location = /_{name} {{
                 internal; proxy_pass http://{name}/verify; proxy_http_version 1.1;
                 proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_set_header Connection '';
             }}"
        )
    };
    let (guarded, plain) = (side("guarded"), side("constant"));
    format!(
        "worker_processes auto; events {{ worker_connections 1024; }}
         http {{
             access_log off; keepalive_requests 1000000;
             upstream guarded {{ server {guard}; keepalive 64; keepalive_requests 1000000; }}
             upstream constant {{ server {constant}; keepalive 64; keepalive_requests 1000000; }}
             server {{ listen {constant}; location / {{ return 204; }} }}
             server {{ listen {page}; {guarded} {plain} }}
         }}"
    )
}
