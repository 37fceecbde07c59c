//! The scene of the tests with followers: a service, a fault-injecting proxy, and guards behind it.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Answer, Client, PATIENCE};
use crate::faulty_proxy::FaultyProxy;
use crate::place::{Place, RESCIND};
use crate::server::Server;
use crate::session::Session;

/// The shortest `max_staleness`, so that tests that wait for it are short, too.
pub(crate) const BOUND: Duration = Duration::from_secs(1);

/// The default `max_staleness`, for tests that must not exceed it: a busy machine may be late for the shortest.
const CALM: Duration = Duration::from_secs(10);

/// A service and its followers.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) guards: Vec<Server>,
    pub(crate) proxy: FaultyProxy,
    pub(crate) server: Option<Server>,
    pub(crate) place: Place,
    pub(crate) key: String,
    /// The issuer of the tokens, which stays the same on every port.
    pub(crate) issuer: String,
    pub(crate) bound: Duration,
}

impl Scene {
    /// A scene with this number of guards, all of them ready.
    pub(crate) fn new(guards: usize) -> Self {
        Self::with(guards, BOUND)
    }

    /// A scene with guards that do not become stale on a slow machine.
    pub(crate) fn calm(guards: usize) -> Self {
        Self::with(guards, CALM)
    }

    fn with(guards: usize, bound: Duration) -> Self {
        let place = Place::new();
        let server = place.serve();
        let mut scene = Self { bound, ..Self::of(place, server) };
        for _ in 0..guards {
            let guard = scene.guard(&[]);
            guard.assert_ready();
            scene.guards.push(guard);
        }
        scene
    }

    /// A scene without guards around a server that this command starts.
    pub(crate) fn of_server(place: Place, serve: Command) -> Self {
        let server = place.start(serve);
        Self::of(place, server)
    }

    /// A scene without guards around a running server.
    pub(crate) fn of(place: Place, server: Server) -> Self {
        let key = place.service_key("feed");
        let proxy = FaultyProxy::to(&server.client.address);
        let issuer = format!("http://{}", server.client.address);
        Self { guards: Vec::new(), proxy, server: Some(server), place, key, issuer, bound: BOUND }
    }

    /// Starts another guard.
    pub(crate) fn guard(&self, more: &[&str]) -> Server {
        self.place.start(self.guard_command(more))
    }

    /// The command that starts another guard.
    pub(crate) fn guard_command(&self, more: &[&str]) -> Command {
        self.guard_expecting(&self.issuer, "rescind", more)
    }

    /// What starts one more that expects these names in tokens.
    pub(crate) fn guard_expecting(&self, issuer: &str, audience: &str, more: &[&str]) -> Command {
        let url = format!("http://{}", self.proxy.address);
        let words = ["guard", "--url", &url, "--issuer", issuer, "--audience", audience];
        let bound = format!("{}s", self.bound.as_secs());
        let rest = ["--listen", "127.0.0.1:0", "--max-staleness", &bound];
        let mut command = self.place.program(RESCIND, &[&words[..], &rest[..], more].concat());
        command.env("RESCIND_SERVICE_KEY", &self.key);
        command
    }

    pub(crate) fn client(&self) -> &Client {
        &self.server.as_ref().unwrap().client
    }

    /// Signs the user out everywhere, and returns the time after the acknowledgement.
    pub(crate) fn sign_out(&self, session: &Session) -> Instant {
        self.client().post("/api/v1/auth/logout-all", &session.access, &serde_json::json!({})).ok();
        Instant::now()
    }

    /// Kills the server with SIGKILL, and starts another one on another port.
    pub(crate) fn restart(&mut self) {
        drop(self.server.take().unwrap().kill());
        self.start();
    }

    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it with these settings.
    pub(crate) fn start_with(&mut self, more: &[&str]) {
        let server = self.place.serve_with(more);
        self.proxy.lead_to(&server.client.address);
        self.server = Some(server);
    }

    /// Asserts that after the bound no guard accepts the token, for as long again.
    #[track_caller]
    pub(crate) fn assert_refused_past_the_bound(&self, session: &Session, acknowledged: Instant) {
        // Before the bound has passed the token may still be accepted.
        while acknowledged.elapsed() < BOUND * 2 {
            for guard in &self.guards {
                let past = acknowledged.elapsed() > BOUND;
                let answer = guard.check(&session.access);
                assert!(!(past && answer.status == 204), "accepted {:?} later", acknowledged.elapsed());
            }
        }
    }

    #[track_caller]
    pub(crate) fn assert_everywhere(&self, session: &Session, expected: &str) {
        for guard in &self.guards {
            guard.assert_comes_to(&session.access, expected);
        }
    }
}

impl Server {
    /// The guard's answer to a check of the token.
    pub(crate) fn check(&self, token: &str) -> Answer {
        self.client.get("/verify", token)
    }

    /// The guard's verdict on the token as status and code: `204`, `401 signed_out`.
    pub(crate) fn verdict(&self, token: &str) -> String {
        let answer = self.check(token);
        match answer.header("x-auth-code") {
            Some(code) => format!("{} {code}", answer.status),
            None => answer.status.to_string(),
        }
    }

    /// The number of checks that this guard has answered.
    pub(crate) fn asked(&self) -> u64 {
        let figures = self.client.get("/metrics", "").body;
        let verdicts = figures.lines().filter(|line| line.starts_with("rescind_guard_verdicts_total{"));
        verdicts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Waits until the guard's verdict on the token is `expected`.
    #[track_caller]
    pub(crate) fn assert_comes_to(&self, token: &str, expected: &str) {
        self.assert_becomes(expected, || self.verdict(token));
    }

    /// It says yes in the end, and never no before.
    #[track_caller]
    pub(crate) fn assert_comes_to_accept(&self, token: &str) {
        self.assert_becomes("204", || {
            let verdict = self.verdict(token);
            assert!(!verdict.starts_with("401"), "{verdict}: {}", self.stderr.text());
            verdict
        });
    }

    /// The peak memory of the process, in KiB.
    pub(crate) fn most_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until the guard is ready, so that freshness is proven.
    #[track_caller]
    pub(crate) fn assert_ready(&self) {
        self.assert_becomes("200", || self.client.get("/readyz", "").status.to_string());
    }

    #[track_caller]
    pub(crate) fn assert_becomes(&self, expected: &str, now: impl Fn() -> String) {
        let began = Instant::now();
        let mut found = now();
        while found != expected {
            assert!(began.elapsed() < PATIENCE, "{found} instead of {expected}: {}", self.stderr.text());
            std::thread::yield_now();
            found = now();
        }
    }
}
