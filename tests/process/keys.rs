//! Signing keys and service keys on the command line, and the tokens of keys that are retired or distrusted.

use serde_json::Value;

use crate::client::Client;
use crate::place::Place;
use crate::session::Session;

/// The ids of the signing keys with this purpose and state.
fn kids(place: &Place, purpose: &str, state: &str) -> Vec<String> {
    let list = place.run("key list --json").json();
    let keys = list["results"].as_array().unwrap().iter();
    let found = keys.filter(|key| key["purpose"] == purpose && key["state"] == state);
    found.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn published(client: &Client, kid: &str) -> Option<String> {
    let document = client.get("/.well-known/paserk", "").ok();
    let key = document["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid)?;
    key["state"].as_str().map(str::to_owned)
}

#[test]
fn after_a_rotation_earlier_tokens_work_until_their_key_is_distrusted() {
    let place = Place::new();
    let server = place.serve();
    let client = &server.client;
    let phone = Session::register(client, "ada", "Phone");
    let [first] = &kids(&place, "access", "active")[..] else { panic!("one key signs") };
    let [next] = &kids(&place, "access", "next")[..] else { panic!("one key is next") };
    assert_eq!(place.run("key rotate").ok(), format!("rotated: {next} signs now\n"));
    assert_eq!(kids(&place, "access", "active"), std::slice::from_ref(next));
    assert_eq!(published(client, first).as_deref(), Some("retired"));
    phone.me(client).ok();
    let renewed = phone.refreshed(client);

    place.run(&format!("key distrust {first}")).assert_failed(&["no terminal to ask", "help: use --yes"]);
    phone.me(client).ok();
    let told = place.run(&format!("key distrust {first} --yes --reason stolen")).ok();
    assert_eq!(told, format!("{first} distrusted; its tokens are refused from now on\n"));
    assert_eq!(phone.me(client).problem(), "401 token_invalid");
    renewed.assert_alive(client);

    server.kill();
    let server = place.serve();
    assert_eq!(phone.me(&server.client).problem(), "401 token_invalid");
    renewed.assert_alive(&server.client);
}

#[test]
fn keys_are_listed_and_retired_and_a_wrong_id_is_told() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let table = place.run("key list").ok();
    assert!(table.starts_with("KID ") && table.contains("  STATE  "), "{table}");
    let [active] = &kids(&place, "access", "active")[..] else { panic!("one key signs") };
    place.run(&format!("key retire {active}")).ok();
    assert_eq!(published(&server.client, active).as_deref(), Some("retired"));
    phone.assert_alive(&server.client);
    for line in ["key retire nonsense", "key distrust nonsense --yes"] {
        place.run(line).assert_failed(&["error: there is no such signing key\n", "help: `rescind key list`"]);
    }
}

#[test]
fn a_service_key_is_shown_once_and_stops_when_it_is_removed() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let line = "service-key add api --scope introspect --scope admin --json";
    let made = place.run(line);
    let value: Value = serde_json::from_str(&made.out).unwrap();
    let text = |field: &str| value[field].as_str().unwrap().to_owned();
    let (id, key) = (text("id"), text("key"));
    let exactly = format!(r#"{{"id":"{id}","name":"api","scopes":["introspect","admin"],"key":"{key}"}}"#);
    assert_eq!(made.ok(), format!("{exactly}\n"));
    // From here on no process may print the key.
    place.secrets.note(&key);

    let introspect = || server.client.form("/oauth/introspect", &key, &format!("token={}", phone.access));
    assert_eq!(introspect().ok()["active"], true);
    assert_eq!(server.client.get("/api/v1/admin/users", &key).status, 200);
    let listed = place.run("service-key list --json").json();
    assert_eq!(listed["results"][0]["id"], id.as_str());
    assert!(place.run("service-key list").ok().contains("introspect, admin"));
    place.run(&format!("service-key remove {id}")).ok();
    assert_eq!(introspect().problem(), "401 token_invalid");
    place
        .run(&format!("service-key remove {id}"))
        .assert_failed(&["error: there is no such service key\n", "help: `rescind service-key list`"]);

    let told = place.run("service-key add people --scope feed");
    assert_eq!((told.code, told.out.lines().count()), (Some(0), 1), "{told:?}");
    assert!(told.out.starts_with("rescind_sk_"), "{told:?}");
    for said in ["service key people (feed), id ", "It is shown this once"] {
        assert!(told.err.contains(said), "{told:?}");
    }
}
