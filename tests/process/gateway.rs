//! The configurations of `examples/{nginx,caddy,traefik,envoy}` under the real proxies, in front of a plain backend:
//! it knows the user of each request it gets, and gets no request of a user who is signed out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::cgi::{self, Folding};
use crate::client::{Answer, Client, PATIENCE};
use crate::guarded::Scene;
use crate::place::Place;
use crate::skipped::skipped;

mod promises;
mod tls;

/// The arguments that keep every file of nginx in its working directory.
const NGINX: [&str; 8] = ["-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off; pid nginx.pid;"];

const CADDY: [&str; 3] = ["run", "--config", "Caddyfile"];

const TRAEFIK: [&str; 1] = ["--configFile=traefik.yaml"];

/// The arguments of Envoy, which would otherwise take over from one that already runs on this machine.
const ENVOY: [&str; 5] = ["--disable-hot-restart", "--concurrency", "1", "-c", "envoy.yaml"];

/// A proxy with an example's configuration.
struct Gateway {
    scene: Scene,
    proxy: Option<Child>,
    php: Option<cgi::Backend>,
    client: Client,
}

/// Starts a backend whose answers repeat the request's head and the length of its body.
fn backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap_or(0) > 0 {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            connection.read_exact(&mut body).unwrap_or(());
            let whole = body.iter().all(|byte| *byte == b'o');
            let said = format!("{head}{} bytes", if whole { body.len() } else { 0 });
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
                said.len()
            );
            let _gone = connection.get_mut().write_all(answer.as_bytes());
        }
    });
    address
}

/// The working directory of the proxy.
fn proxy_folder(scene: &Scene) -> std::path::PathBuf {
    let folder = scene.place.path("proxy");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether the program is installed; otherwise the test reports itself as skipped.
fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        skipped(&format!("{program} is missing, so nothing shows that its example works"));
    }
    there
}

impl Gateway {
    /// Starts `program` with its example's configuration, with other ports only.
    fn start(program: &str, words: &[&str]) -> Option<Self> {
        is_there(program).then(|| Self::before(program, words, Scene::calm(1), &backend()))
    }

    /// Starts `program` with its example's configuration in front of a backend that folds the names of headers.
    fn start_before_cgi(program: &str, words: &[&str], folding: Folding) -> Option<Self> {
        if !is_there(program) || !is_there("php-cgi") {
            return None;
        }
        let scene = Scene::calm(1);
        let backend = cgi::Backend::start(&scene.place.path(""), folding);
        let mut gateway = Self::before(program, words, scene, &backend.address);
        gateway.php = Some(backend);
        Some(gateway)
    }

    fn before(program: &str, words: &[&str], scene: Scene, backend: &str) -> Self {
        // Free a moment ago; should somebody else have taken it, the proxy says so and the test fails.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let folder = format!("{}/examples/{program}", env!("CARGO_MANIFEST_DIR"));
        let example = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let mut files: Vec<_> =
            example.map(|file| (file.file_name(), std::fs::read_to_string(file.path()).unwrap())).collect();
        let guard = &scene.guards[0].client.address;
        // All three are on this machine.
        for (port, ours) in [("8088", address.as_str()), ("8090", guard), ("3000", backend)] {
            let mut lines = files.iter().flat_map(|(_, text)| text.lines());
            let is_there = lines.any(|line| line.contains(port) && !line.starts_with('#'));
            assert!(is_there, "{port} in the example of {program}");
            for (_, text) in &mut files {
                *text = text.replace(port, ours.rsplit(':').next().unwrap());
            }
        }
        let files: Vec<_> =
            files.iter().map(|(name, text)| (name.to_str().unwrap(), text.as_str())).collect();
        Self::with(program, words, &files, &address, scene)
    }

    /// Starts `program` with these configuration files.
    fn with(program: &str, words: &[&str], files: &[(&str, &str)], address: &str, scene: Scene) -> Self {
        let folder = proxy_folder(&scene);
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let mut command = scene.place.program(program, words);
        // Every file of the proxy stays in this folder.
        command.current_dir(&folder).env("HOME", &folder).stdin(Stdio::null());
        let log = std::fs::File::create(folder.join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let proxy = Some(command.spawn().unwrap());
        let client = Client::new(address, &scene.place.secrets);
        let gateway = Self { scene, proxy, php: None, client };
        let began = Instant::now();
        while TcpStream::connect(&gateway.client.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "{program} does not listen: {}", gateway.log());
            thread::yield_now();
        }
        gateway
    }

    fn log(&self) -> String {
        std::fs::read_to_string(proxy_folder(&self.scene).join("log")).unwrap_or_default()
    }

    /// Requests a page with `token` as bearer and more header lines.
    fn ask(&self, token: &str, lines: &str) -> Answer {
        self.exchange(&format!("GET /orders?page=2 HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{lines}"), "")
    }

    fn exchange(&self, head: &str, body: &str) -> Answer {
        let mut connection = TcpStream::connect(&self.client.address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("{head}Host: shop.example\r\nConnection: close\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut connection).unwrap()
    }

    #[track_caller]
    fn assert_comes_to(&self, token: &str, status: u16) {
        let began = Instant::now();
        while self.ask(token, "").status != status {
            assert!(began.elapsed() < PATIENCE, "{:?} {}", self.ask(token, ""), self.log());
            thread::yield_now();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut proxy) = self.proxy.take() {
            // SIGTERM, not SIGKILL: nginx ends its workers only when it ends in order.
            let pid = rustix::process::Pid::from_child(&proxy);
            let _told = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ended = proxy.wait();
        }
    }
}

#[test]
fn nginx_passes_on_who_is_signed_in_and_nobody_else() {
    let Some(gateway) = Gateway::start("nginx", &NGINX) else { return };
    gateway.keeps_its_word(503);
}

#[test]
fn caddy_passes_on_who_is_signed_in_and_nobody_else() {
    let Some(gateway) = Gateway::start("caddy", &CADDY) else { return };
    gateway.keeps_its_word(502);
}

#[test]
fn traefik_passes_on_who_is_signed_in_and_nobody_else() {
    let Some(gateway) = Gateway::start("traefik", &TRAEFIK) else { return };
    gateway.keeps_its_word(500);
}

#[test]
fn envoy_passes_on_who_is_signed_in_and_nobody_else() {
    let Some(gateway) = Gateway::start("envoy", &ENVOY) else { return };
    gateway.keeps_its_word(503);
}

/// The tests of folding backends could not fail if the backend did not fold.
#[test]
fn the_backend_folds_the_names_of_headers() {
    if !is_there("php-cgi") {
        return;
    }
    let place = Place::new();
    for folding in Folding::ALL {
        let backend = cgi::Backend::start(&place.path(""), folding);
        let client = Client::new(&backend.address, &place.secrets);
        let sent = |name: &str| {
            let mut connection = client.connect().unwrap();
            connection.write_all(format!("GET / HTTP/1.1\r\n{name}: eve\r\n\r\n").as_bytes()).unwrap();
            Answer::read(&mut connection).unwrap().body
        };
        for name in ["X-Auth-User", "X.Auth.User", "X_Auth.User", "x-auth_user"] {
            assert_eq!(sent(name), "GET\nHTTP_X_AUTH_USER: eve\n", "{name} {folding:?}");
        }
    }
}

#[test]
fn no_spelling_of_a_header_of_the_guards_passes_nginx() {
    for folding in Folding::ALL {
        let Some(gateway) = Gateway::start_before_cgi("nginx", &NGINX, folding) else { return };
        gateway.keeps_its_word_to_a_backend_that_folds();
    }
}

#[test]
fn no_spelling_of_a_header_of_the_guards_passes_caddy() {
    for folding in Folding::ALL {
        let Some(gateway) = Gateway::start_before_cgi("caddy", &CADDY, folding) else { return };
        gateway.keeps_its_word_to_a_backend_that_folds();
    }
}

#[test]
fn no_spelling_of_a_header_of_the_guards_passes_traefik() {
    for folding in Folding::ALL {
        let Some(gateway) = Gateway::start_before_cgi("traefik", &TRAEFIK, folding) else { return };
        gateway.keeps_its_word_to_a_backend_that_folds();
    }
}

#[test]
fn no_spelling_of_a_header_of_the_guards_passes_envoy() {
    for folding in Folding::ALL {
        let Some(gateway) = Gateway::start_before_cgi("envoy", &ENVOY, folding) else { return };
        gateway.keeps_its_word_to_a_backend_that_folds();
    }
}
