//! The configurations of `examples/{nginx,caddy,traefik,envoy}` under the real proxies, in front of a plain backend:
//! it knows the user of each request it gets, and gets no request of a user who is signed out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::cgi::{self, Folding};
use crate::client::{Answer, Client, PATIENCE, Payload};
use crate::faulty_proxy::NetworkFault;
use crate::guarded::Scene;
use crate::place::{Place, RESCIND};
use crate::session::Session;
use crate::skipped::skipped;

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

    /// Asserts that the configuration does what its example promises; without a guard the answer is `when_down`.
    fn keeps_its_word(mut self, when_down: u16) {
        let session = Session::register(self.scene.client(), "ada", "Phone");
        let me = session.me(self.scene.client()).ok();
        let user = me["user"]["id"].as_str().unwrap();
        let lines = |page: &Answer| {
            let auth = page.body.lines().map(str::to_ascii_lowercase);
            let mut auth: Vec<_> = auth.filter(|line| line.replace('_', "-").starts_with("x-auth")).collect();
            auth.sort();
            auth
        };
        let known = [
            format!("x-auth-device: {}", session.device),
            "x-auth-generation: 1".to_owned(),
            format!("x-auth-user: {user}"),
        ];

        // Traefik listens before it knows its routes.
        self.assert_comes_to(&session.access, 200);
        let page = self.ask(&session.access, "");
        assert_eq!((page.status, lines(&page)), (200, known.to_vec()), "{page:?} {}", self.log());
        assert!(page.body.starts_with("GET /orders?page=2 HTTP/1.1"), "{}", page.body);

        let forged = "X-Auth-User: eve\r\nX-Auth-User: mallory\r\nx-auth-USER: eve\r\nX_Auth_User: eve\r\n\
                      X-Auth_User: eve\r\nX_Auth-User: eve\r\nX-Auth-Generation: 9\r\nX-Auth-Code: eve\r\n\
                      Connection: X-AUTH-USER, X-Auth-Device, X-Auth-Generation\r\n";
        let page = self.ask(&session.access, forged);
        assert_eq!((page.status, lines(&page)), (200, known.to_vec()), "{page:?}");

        let head = format!(
            "POST /orders HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Length: 300000\r\n",
            session.access
        );
        let ordered = self.exchange(&head, &"o".repeat(300_000));
        assert_eq!((ordered.status, lines(&ordered)), (200, known.to_vec()), "{ordered:?}");
        assert!(
            ordered.body.ends_with("\r\n300000 bytes"),
            "the body comes as it was sent: {}",
            ordered.body
        );

        let nobody = self.client.send("GET", "/", "", Payload::None).unwrap();
        assert_eq!(nobody.problem(), "401 token_missing");
        assert_eq!(nobody.header("www-authenticate"), Some(r#"Bearer realm="rescind""#));
        assert_eq!(self.ask("v4.public.forged", "X-Auth-User: eve\r\n").problem(), "401 token_invalid");

        self.assert_the_guard_is_asked_by_the_proxy_only(&session.access);

        self.scene.sign_out(&session);
        self.assert_comes_to(&session.access, 401);
        assert_eq!(self.ask(&session.access, forged).problem(), "401 signed_out_everywhere");
        let again = Session::login(self.scene.client(), "ada", "Phone");
        self.assert_comes_to(&again.access, 200);

        self.scene.proxy.set(NetworkFault::Cut);
        self.assert_comes_to(&again.access, 503);
        let stale = self.ask(&again.access, forged);
        assert_eq!((stale.problem().as_str(), stale.header("retry-after")), ("503 stale", Some("2")));
        self.scene.proxy.set(NetworkFault::None);
        self.assert_comes_to(&again.access, 200);

        drop(self.scene.guards.remove(0));
        let down = self.ask(&again.access, forged);
        assert_eq!(down.status, when_down, "{down:?}");
    }

    /// Asserts that a backend that folds names gets the guard's headers and nothing else, however a client spells them.
    fn keeps_its_word_to_a_backend_that_folds(self) {
        let session = Session::register(self.scene.client(), "ada", "Phone");
        let user = session.me(self.scene.client()).ok()["user"]["id"].as_str().unwrap().to_owned();
        self.assert_comes_to(&session.access, 200);
        let known = [
            format!("HTTP_X_AUTH_DEVICE: {}", session.device),
            "HTTP_X_AUTH_GENERATION: 1".to_owned(),
            format!("HTTP_X_AUTH_USER: {user}"),
        ];
        let auth = |page: &Answer| {
            let lines = page.body.lines().filter(|line| line.to_ascii_uppercase().contains("AUTH_"));
            let mut lines: Vec<_> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        };
        // Envoy takes 100 headers at once and no more.
        for spellings in spellings().chunks(75) {
            let forged = spellings.join(": eve\r\n") + ": eve\r\n";
            let page = self.ask(&session.access, &forged);
            assert_eq!((page.status, auth(&page)), (200, known.to_vec()), "{page:?}");
        }

        // A CORS preflight passes, and names no user.
        let preflight = format!("Origin: {APP}\r\nAccess-Control-Request-Method: DELETE\r\n");
        let overrides =
            "X-HTTP-Method-Override: DELETE\r\nX.HTTP.Method: DELETE\r\nX_Method_Override: DELETE\r\n";
        for spellings in spellings().chunks(75) {
            let forged = spellings.join(": eve\r\n") + ": eve\r\n";
            let asked =
                self.exchange(&format!("OPTIONS /orders HTTP/1.1\r\n{preflight}{overrides}{forged}"), "");
            assert_eq!((asked.status, auth(&asked)), (200, Vec::new()), "{asked:?}");
            let lines: Vec<_> = asked.body.lines().collect();
            assert_eq!(lines[0], "OPTIONS");
            assert!(lines.contains(&"HTTP_ACCESS_CONTROL_REQUEST_METHOD: DELETE"), "{asked:?}");
            assert!(lines.contains(&format!("HTTP_ORIGIN: {APP}").as_str()), "{asked:?}");
            assert!(
                !lines.iter().any(|line| line.ends_with("OVERRIDE: DELETE") || line.contains("HTTP_METHOD"))
            );
        }
        let origin = format!("Origin: {APP}\r\n");
        let method = "Access-Control-Request-Method: DELETE\r\n";
        for (line, lines) in [
            ("OPTIONS", String::new()),
            ("OPTIONS", origin.clone()),
            ("OPTIONS", method.to_owned()),
            ("OPTIONS", format!("Origin:\r\n{method}")),
            ("OPTIONS", format!("{origin}Access_Control_Request_Method: DELETE\r\n")),
            ("OPTIONS", format!("{preflight}Cookie: session=eve\r\n")),
            ("OPTIONS", format!("{preflight}Authorization: Bearer v4.public.forged\r\n")),
            ("GET", preflight.clone()),
            (
                "DELETE",
                format!("{preflight}X-HTTP-Method-Override: OPTIONS\r\nX-Forwarded-Method: OPTIONS\r\n"),
            ),
            ("POST", format!("{preflight}X-Original-Method: OPTIONS\r\nContent-Length: 0\r\n")),
        ] {
            let answer = self.exchange(&format!("{line} /orders HTTP/1.1\r\n{lines}"), "");
            assert_eq!(answer.status, 401, "{line} {lines:?} is no preflight: {answer:?}");
        }
        // An `OPTIONS` request with a token is checked like any other.
        let line =
            format!("OPTIONS /orders HTTP/1.1\r\nAuthorization: Bearer {}\r\n{preflight}", session.access);
        let page = self.exchange(&line, "");
        assert_eq!((page.status, auth(&page)), (200, known.to_vec()), "{page:?}");
    }

    /// Asserts that a request in a body is no request to the guard, and that no client reaches the guard through the
    /// proxy.
    fn assert_the_guard_is_asked_by_the_proxy_only(&self, token: &str) {
        let asked = || self.scene.guards[0].asked();
        let (before, hidden) =
            (asked(), format!("GET /verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"));
        for _ in 0..4 {
            let head = format!("POST /orders HTTP/1.1\r\nContent-Length: {}\r\n", hidden.len());
            assert_eq!(self.exchange(&head, &hidden).problem(), "401 token_missing");
            assert_eq!(
                self.client.send("GET", "/", "", Payload::None).unwrap().problem(),
                "401 token_missing"
            );
        }
        assert_eq!(asked(), before + 8);
        let direct = self.client.get("/_rescind", token);
        assert!(matches!(direct.status, 200 | 404) && direct.header("x-auth-user").is_none(), "{direct:?}");
    }
}

const APP: &str = "https://app.example";

/// Every spelling of the guard's headers that some server folds to them, except the guard's own.
fn spellings() -> Vec<String> {
    // What a name may have besides letters and digits (RFC 9110 §5.6.2).
    let marks = "-_.!#$%&'*+^`|~";
    let pairs = marks.chars().flat_map(|first| marks.chars().map(move |second| (first, second)));
    let names = ["User", "Device", "Generation", "Code"];
    pairs.flat_map(|(first, second)| names.map(|name| format!("X{first}Auth{second}{name}"))).collect()
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

/// The configuration of an nginx that ends TLS before the service, with a certificate for this machine.
const TLS: &str = "worker_processes 1; events { worker_connections 64; }
    http {
        access_log off;
        server {
            listen ADDRESS ssl; ssl_certificate cert; ssl_certificate_key key;
            location / { proxy_pass http://SERVICE; proxy_http_version 1.1; proxy_set_header Connection ''; }
        }
    }";

#[test]
fn an_issuer_behind_tls_is_followed_when_its_certificate_is_trusted() {
    if !is_there("nginx") || !is_there("openssl") {
        return;
    }
    let scene = Scene::new(0);
    let folder = proxy_folder(&scene);
    let made = Command::new("openssl")
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
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key", "-out", "cert"])
        .current_dir(&folder)
        .output();
    assert!(made.as_ref().unwrap().status.success(), "{made:?}");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = TLS.replace("ADDRESS", &address).replace("SERVICE", &scene.proxy.address);
    let gateway = Gateway::with("nginx", &NGINX, &[("nginx.conf", &config)], &address, scene);

    let url = format!("https://{address}");
    let words = ["guard", "--url", &url, "--issuer", &gateway.scene.issuer, "--audience", "rescind"];
    let command = || {
        let mut command =
            gateway.scene.place.program(RESCIND, &[&words[..], &["--listen", "127.0.0.1:0"]].concat());
        command.env("RESCIND_SERVICE_KEY", &gateway.scene.key);
        command
    };
    let mut trusting = command();
    trusting.env("SSL_CERT_FILE", folder.join("cert"));
    let guard = gateway.scene.place.start(trusting);
    guard.assert_ready();
    let session = Session::register(gateway.scene.client(), "ada", "Phone");
    guard.assert_comes_to(&session.access, "204");
    gateway.scene.sign_out(&session);
    guard.assert_comes_to(&session.access, "401 signed_out_everywhere");

    let wary = gateway.scene.place.start(command());
    wary.stderr.wait_for_line("certificate");
    assert_eq!(wary.client.get("/readyz", "").status, 503);
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
