//! `rescind guard` as a process: its arguments, its messages when something is wrong, and its end.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::client::Answer;
use crate::faulty_proxy::NetworkFault;
use crate::guarded::Scene;
use crate::place::{RESCIND, Ran, run};
use crate::server::Server;
use crate::session::Session;

#[test]
fn a_yes_says_who_it_is() {
    let scene = Scene::calm(1);
    let session = Session::register(scene.client(), "ada", "Phone");
    let me = session.me(scene.client()).ok();
    let answer = scene.guards[0].check(&session.access);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("x-auth-user"), me["user"]["id"].as_str());
    assert_eq!(answer.header("x-auth-device"), Some(session.device.as_str()));
    assert_eq!(answer.header("x-auth-generation"), Some("1"));
}

/// `ext_authz` over HTTP sends the client's method and path behind a prefix, without the body, on a connection that
/// it keeps; only 200 allows the request.
#[test]
fn it_answers_what_envoy_asks() {
    let scene = Scene::calm(1);
    let session = Session::register(scene.client(), "ada", "Phone");
    let user = session.me(scene.client()).ok()["user"]["id"].clone();
    let mut connection = scene.guards[0].client.connect().unwrap();
    let mut ask = |method: &str, path: &str, token: &str| {
        let request = format!(
            "{method} /envoy{path} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\
             authorization: Bearer {token}\r\nx-envoy-internal: true\r\nx-forwarded-for: 10.0.0.1\r\n\
             x-envoy-expected-rq-timeout-ms: 200\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut connection).unwrap()
    };
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["", "/", "/orders/7?a=b", "/metrics", "/readyz", "/..%2f..%2fmetrics"] {
            let yes = ask(method, path, &session.access);
            assert_eq!((yes.status, yes.header("x-auth-user")), (200, user.as_str()), "{method} {path}");
            assert_eq!(ask(method, path, "v4.public.forged").problem(), "401 token_invalid");
        }
    }
    scene.sign_out(&session);
    scene.assert_everywhere(&session, "401 signed_out_everywhere");
    assert_eq!(ask("POST", "/orders/7", &session.access).problem(), "401 signed_out_everywhere");
}

#[test]
fn a_no_says_why_and_what_to_do() {
    let scene = Scene::new(1);
    let guard = &scene.guards[0];
    let none = guard.check("");
    assert_eq!(none.problem(), "401 token_missing");
    assert_eq!(none.header("www-authenticate"), Some(r#"Bearer realm="rescind""#));
    let session = Session::register(scene.client(), "ada", "Phone");
    scene.client().post("/api/v1/auth/logout", &session.access, &serde_json::json!({})).ok();
    guard.assert_comes_to(&session.access, "401 signed_out");
    let refused = guard.check(&session.access);
    assert_eq!(refused.problem(), "401 signed_out");
    assert_eq!(refused.header("www-authenticate"), Some(r#"Bearer realm="rescind", error="invalid_token""#));
    scene.proxy.set(NetworkFault::Cut);
    let other = Session::register(scene.client(), "eve", "Phone");
    guard.assert_comes_to(&other.access, "503 stale");
    let stale = guard.check(&other.access);
    assert_eq!((stale.problem().as_str(), stale.header("retry-after")), ("503 stale", Some("2")));
    assert_eq!(guard.client.get("/readyz", "").status, 503);
    let figures = guard.client.get("/metrics", "").body;
    assert!(figures.contains("rescind_guard_fresh 0"), "{figures}");
    assert!(figures.contains("rescind_guard_entries 1"), "{figures}");
}

/// The guard gives the same codes as the service itself.
#[test]
fn a_change_of_password_and_a_sign_out_everywhere_else_are_told_apart() {
    let scene = Scene::calm(1);
    let phone = Session::register(scene.client(), "ada", "Phone");
    let laptop = Session::login(scene.client(), "ada", "Laptop");
    scene.client().post("/api/v1/auth/logout-others", &phone.access, &serde_json::json!({})).ok();
    scene.guards[0].assert_comes_to(&laptop.access, "401 signed_out_everywhere");
    scene.guards[0].assert_comes_to(&phone.access, "401 superseded");
    let refreshed = phone.refreshed(scene.client());
    assert_eq!(scene.guards[0].verdict(&refreshed.access), "204");

    let tablet = Session::login(scene.client(), "ada", "Tablet");
    let changed = refreshed.with_new_password(scene.client(), "another long password");
    let verdicts = [
        (&tablet, "401 signed_out_everywhere"),
        (&phone, "401 password_changed"),
        (&refreshed, "401 password_changed"),
    ];
    let late = scene.guard(&[]);
    late.assert_ready();
    for guard in [&scene.guards[0], &late] {
        for (session, expected) in verdicts {
            guard.assert_comes_to(&session.access, expected);
            assert_eq!(session.me(scene.client()).problem(), expected, "the service says the same");
        }
        assert_eq!(guard.verdict(&changed.access), "204");
    }
}

#[test]
fn a_socket_and_a_cookie_will_do() {
    let scene = Scene::new(0);
    let session = Session::register(scene.client(), "ada", "Phone");
    let path = scene.place.path("guard.sock");
    // A socket left by an earlier run is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listen = format!("unix:{}", path.display());
    let url = format!("http://{}", scene.proxy.address);
    let words = ["guard", "--url", &url, "--issuer", &scene.issuer, "--audience", "rescind"];
    let file = scene.place.path("key");
    std::fs::write(&file, format!("{}\n", scene.key)).unwrap();
    let rest = ["--listen", &listen, "--cookie", "session", "--service-key-file", file.to_str().unwrap()];
    let start = || {
        let command = scene.place.program(RESCIND, &[&words[..], &rest[..]].concat());
        Server::start_at(command, &scene.place.secrets, "listening on unix:")
    };
    let guard = start();
    guard.stderr.wait_for_line("following the issuer");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let mut connection = UnixStream::connect(&path).unwrap();
    let request = |cookie: &str| {
        format!("GET /verify HTTP/1.0\r\nCookie: a=b; name=Ren\u{e9}; session={cookie}\r\n\r\n")
    };
    connection.write_all(request(&session.access).as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 204") || answer.starts_with("HTTP/1.1 204"), "{answer}");
    // The next guard takes over the socket before this one ends.
    let next = start();
    guard.stop();
    assert!(path.exists(), "it is the other one's");
    next.stop();
    assert!(!path.exists());
}

#[test]
fn it_starts_before_its_issuer_and_ends_when_told() {
    let mut scene = Scene::new(0);
    let session = Session::register(scene.client(), "ada", "Phone");
    scene.server.take().unwrap().stop();
    let guard = scene.guard(&[]);
    guard.stderr.wait_for_line("cannot be followed yet");
    assert_eq!(guard.verdict(&session.access), "503 stale");
    assert_eq!(guard.client.get("/livez", "").status, 200);
    scene.start();
    guard.assert_comes_to(&session.access, "204");
    guard.stop();
}

#[test]
fn past_the_bound_it_asks_when_told_to() {
    let scene = Scene::new(0);
    let key = {
        let made = scene.place.run("service-key add both --scope feed --scope introspect --json").json();
        let key = made["key"].as_str().unwrap().to_owned();
        scene.place.secrets.note(&key);
        key
    };
    let scene = Scene { key, ..scene };
    let guard = scene.guard(&["--when-stale", "introspect"]);
    let (gone, good) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    guard.assert_comes_to(&gone.access, "204");
    scene.proxy.set(NetworkFault::Hide);
    scene.sign_out(&gone);
    guard.stderr.wait_for_line("no longer proven");
    // The issuer does not say why: the app learns that when it refreshes.
    guard.assert_comes_to(&gone.access, "401 superseded");
    assert_eq!(guard.verdict(&good.access), "204");
    scene.proxy.set(NetworkFault::Cut);
    guard.assert_comes_to(&good.access, "503 stale");
}

/// Runs a guard that has to exit with an error.
fn refused(scene: &Scene, key: &str, url: &str, issuer: &str, audience: &str) -> Ran {
    let words =
        ["guard", "--url", url, "--issuer", issuer, "--audience", audience, "--listen", "127.0.0.1:0"];
    let mut command = scene.place.program(RESCIND, &words);
    command.env("RESCIND_SERVICE_KEY", key);
    let ran = run(command, "");
    scene.place.secrets.assert_absent("the guard", &ran.err);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran
}

#[test]
fn a_guard_whose_audience_no_token_has_says_so_and_which_one_they_have() {
    let scene = Scene::new(0);
    let guard = scene.guard(&[]);
    guard.stderr.wait_for_line("following the issuer");
    assert!(!guard.stderr.text().contains("audience"), "{}", guard.stderr.text());
    let url = format!("http://{}", scene.proxy.address);
    let words =
        ["guard", "--url", &url, "--issuer", &scene.issuer, "--audience", "shop", "--listen", "127.0.0.1:0"];
    let mut command = scene.place.program(RESCIND, &words);
    command.env("RESCIND_SERVICE_KEY", &scene.key);
    let other = scene.place.start(command);
    other.stderr.wait_for_line("tokens are for the audience \"rescind\", not \"shop\"");
    let session = Session::register(scene.client(), "ada", "Phone");
    other.assert_comes_to(&session.access, "401 token_invalid");
}

/// The connection carries the service key, and the public keys by which tokens are accepted.
#[test]
fn plain_http_to_another_machine_is_warned_of() {
    let scene = Scene::new(0);
    let port = scene.proxy.address.rsplit(':').next().unwrap();
    let start = |host: &str| {
        let url = format!("http://{host}:{port}");
        let words = ["guard", "--url", &url, "--issuer", &scene.issuer, "--audience", "rescind"];
        let mut command = scene.place.program(RESCIND, &[&words[..], &["--listen", "127.0.0.1:0"]].concat());
        command.env("RESCIND_SERVICE_KEY", &scene.key);
        let guard = scene.place.start(command);
        guard.stderr.wait_for_line("following the issuer");
        guard.stderr.text()
    };
    let here = start("127.0.0.1");
    assert!(!here.contains("plain HTTP"), "{here}");
    // An address of this machine that is not its loopback's, as another machine's would be.
    let elsewhere = start("0.0.0.0");
    assert!(
        elsewhere.contains("http://0.0.0.0:") && elsewhere.contains("is plain HTTP to another machine"),
        "{elsewhere}"
    );
}

#[test]
fn what_no_waiting_mends_ends_it_with_the_reason() {
    let scene = Scene::new(0);
    let (key, url, issuer) = (&scene.key, &format!("http://{}", scene.proxy.address), &scene.issuer);
    let other = scene.place.service_key("introspect");
    let unknown = format!("{}{}", &key[..key.len() - 4], "AAAA");
    let elsewhere = format!("{url}/nothing");
    let cases = [
        (refused(&scene, &unknown, url, issuer, "a"), "the service key is not one of this issuer"),
        (refused(&scene, &other, url, issuer, "a"), "the service key lacks the scope `feed`"),
        (refused(&scene, "hunter2", url, issuer, "a"), "RESCIND_SERVICE_KEY holds no service key"),
        (refused(&scene, key, url, "https://other.example", "a"), "not \"https://other.example\""),
        (refused(&scene, key, &elsewhere, issuer, "a"), "is the url right?"),
        (refused(&scene, key, "ftp://x", issuer, "a"), "write http://HOST or https://HOST"),
        (refused(&scene, key, url, issuer, ""), "no audience"),
    ];
    for (ran, said) in cases {
        assert!(ran.err.contains(said), "{said} is missing in {ran:?}");
    }
    let mut command = scene.place.program(RESCIND, &["guard", "--url", url, "--audience", "a"]);
    let ran = run(command, "");
    ran.assert_failed(&["no service key", "rescind service-key add NAME --scope feed"]);
    command = scene.place.program(RESCIND, &["guard", "--url", url]);
    assert_eq!(run(command, "").code, Some(2), "an audience has to be named");
}
