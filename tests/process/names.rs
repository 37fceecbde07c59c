//! The claims `iss` and `aud`: chosen at the first start, changed by settings without signing anybody out, and never
//! an address that no client can reach.

use rescind::verifier::{Builder, ServiceKey, Verifier};

use crate::guarded::Scene;
use crate::place::{Place, RESCIND, refused, run};
use crate::session::Session;

const QUIET: [&str; 3] = ["serve", "--metrics-listen", "off"];

/// Asserts that the first start on this address is refused.
fn refused_on(place: &Place, address: &str) {
    let words = [&QUIET[..], &["--listen", address]].concat();
    let ran = refused(place.program(RESCIND, &words), &place.secrets);
    ran.assert_failed(&["no address that anybody can reach", "public_url=https://"]);
}

#[test]
fn a_store_is_not_founded_under_every_address_of_a_machine() {
    let place = Place::new();
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        refused_on(&place, address);
    }
    // A refused start leaves nothing that hinders the next one.
    let words =
        [&QUIET[..], &["--listen", "0.0.0.0:0", "--set", "public_url=https://auth.example.com"]].concat();
    let server = place.start(place.program(RESCIND, &words));
    assert_eq!(issuer(&server.client), "https://auth.example.com");
    server.stop();
    // A store that is initialized may be served on any address.
    drop(place.start(place.program(RESCIND, &[&QUIET[..], &["--listen", "0.0.0.0:0"]].concat())));
}

fn issuer(client: &crate::client::Client) -> String {
    client.get("/.well-known/paserk", "").ok()["issuer"].as_str().unwrap().to_owned()
}

#[test]
fn an_issuer_or_audience_that_is_set_later_signs_nobody_out() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let mut sessions = vec![phone];
    server.stop();
    let settings: [&[&str]; 4] = [
        &["--set", "issuer=https://one.example.com"],
        &["--set", "issuer=https://two.example.com", "--set", "audience=orders"],
        &[],
        &["--set", "audience=orders"],
    ];
    for changed in settings {
        let server = place.serve_with(changed);
        for session in &sessions {
            assert_eq!(
                session.me(&server.client).ok()["device"]["id"],
                session.device.as_str(),
                "{changed:?}"
            );
        }
        sessions.push(Session::login(&server.client, "ada", "Phone"));
        // A command beside the server, without these settings, changes nothing.
        place.run("user list").ok();
        server.stop();
    }
    let server = place.serve();
    for session in &sessions {
        session.assert_alive(&server.client);
    }
}

/// Nor at a resource server, whether it was told of the change or not: a guard that runs on, one that is started with the
/// names of before, one with those of now, and the library.
#[test]
fn an_issuer_or_audience_that_is_set_later_signs_nobody_out_where_tokens_are_verified() {
    let mut scene = Scene::calm(1);
    let old = Session::register(scene.client(), "ada", "Phone");
    scene.assert_everywhere(&old, "204");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let verifier = runtime.block_on(expecting(&scene, &scene.issuer, "rescind").connect()).unwrap();
    verifier.verify(&old.access).unwrap();

    scene.server.take().unwrap().stop();
    scene.start_with(&["--set", "issuer=https://auth.example.com", "--set", "audience=orders"]);
    let new = Session::login(scene.client(), "ada", "Laptop");
    let running = &scene.guards[0];
    running.assert_comes_to_accept(&new.access);
    running.assert_comes_to_accept(&old.access);
    running
        .stderr
        .wait_for_line("tokens now name the issuer \"https://auth.example.com\" and the audience \"orders\"");
    let untold = scene.guard(&[]);
    let told = scene.place.start(scene.guard_expecting("https://auth.example.com", "orders", &[]));
    for guard in [&untold, &told] {
        guard.assert_ready();
        guard.assert_comes_to_accept(&new.access);
        guard.assert_comes_to_accept(&old.access);
    }
    assert!(!told.stderr.text().contains("tokens now name"), "{}", told.stderr.text());
    let said = running.stderr.text();
    assert!(!said.contains("calls itself") && !said.contains("not authentic"), "{said}");
    let late = runtime.block_on(expecting(&scene, "https://auth.example.com", "orders").connect()).unwrap();
    for verifier in [&verifier, &late] {
        for session in [&old, &new] {
            let claims = verifier.verify(&session.access).unwrap();
            assert_eq!(claims.device().to_string(), session.device);
        }
    }
    let wrong = run(scene.guard_expecting("https://never.example.com", "orders", &[]), "");
    assert!(wrong.err.contains("not \"https://never.example.com\""), "{wrong:?}");

    scene.sign_out(&new);
    for guard in [&scene.guards[0], &untold, &told] {
        guard.assert_comes_to(&old.access, "401 signed_out_everywhere");
        guard.assert_comes_to(&new.access, "401 signed_out_everywhere");
    }
}

fn expecting(scene: &Scene, issuer: &str, audience: &str) -> Builder {
    let url = format!("http://{}", scene.proxy.address);
    let key = ServiceKey::parse(&scene.key).unwrap();
    Verifier::builder(&url).issuer(issuer).audience(audience).service_key(key).max_staleness(scene.bound)
}

#[test]
fn an_issuer_that_is_not_where_clients_go_is_told_at_every_start() {
    let place = Place::new();
    let ended = place.serve().stop();
    assert!(!ended.stderr.contains("tokens name"), "{}", ended.stderr);
    let elsewhere = ["--set", "public_url=https://auth.example.com"];
    for _ in 0..2 {
        let ended = place.serve_with(&elsewhere).stop();
        let told = [
            "tokens name another issuer than the URL that clients use",
            "https://auth.example.com",
            "RESCIND_ISSUER",
        ];
        for part in told {
            assert!(ended.stderr.contains(part), "{part} is missing in {}", ended.stderr);
        }
    }
    let both = [&elsewhere[..], &["--set", "issuer=https://auth.example.com"]].concat();
    let ended = place.serve_with(&both).stop();
    assert!(!ended.stderr.contains("tokens name"), "{}", ended.stderr);
    let ended = place.serve_with(&["--set", "issuer=http://0.0.0.0:8080"]).stop();
    assert!(ended.stderr.contains("tokens name an issuer that is no address"), "{}", ended.stderr);
}
