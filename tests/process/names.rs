//! The claims `iss` and `aud`: chosen at the first start, changed by settings without signing anybody out, and never
//! an address that no client can reach.

use crate::place::{Place, RESCIND, refused};
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
