//! A refresh token of djangorestframework-simplejwt is exchanged once, whatever happens to the process that exchanged it.

use std::fs;
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rescind::model::external_id::ExternalId;
use rescind::model::username::Username;
use rescind::service::{Mode, Service};
use rescind::settings::Settings;
use rescind::store::steps::register::{Register, Registered};
use rescind::world::World;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::{Answer, Client, Payload};
use crate::place::Place;

pub(crate) const KEY: &str = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";

/// A refresh token of the user 42, as SimpleJWT signs it.
pub(crate) fn token(jti: &str) -> String {
    let claims = json!({"token_type": "refresh", "exp": 4_000_000_000_u32, "jti": jti, "user_id": "42"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn shown(client: &Client, path: &str, token: &str) -> Answer {
    client.post(path, "", &json!({ "refresh": token }))
}

/// The device that a token is exchanged for.
#[track_caller]
pub(crate) fn device(client: &Client, token: &str) -> String {
    device_of(client, shown(client, "/api/token/refresh/", token))
}

#[track_caller]
fn device_of(client: &Client, answer: Answer) -> String {
    let answer = answer.ok();
    let me = client.get("/api/v1/auth/me", answer["access"].as_str().unwrap()).ok();
    me["device"]["id"].as_str().unwrap().to_owned()
}

/// Writes the key to a file, and returns the settings of a service that exchanges tokens.
pub(crate) fn exchanging(place: &Place) -> Vec<String> {
    place.secrets.note(KEY);
    let key = place.path("django.key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let key = format!("simplejwt_signing_key_file={}", key.display());
    let settings = ["simplejwt_prefix=/api", &key, "simplejwt_until=2090-01-01"];
    settings.iter().flat_map(|setting| ["--set", setting]).map(str::to_owned).collect()
}

/// Makes a store with the user `ada`, whose id in Django is 42.
fn bring_ada(place: &Place) {
    let settings = Settings::with(&[("data", place.data().to_str().unwrap())]).unwrap();
    let made = async {
        let world = World::real();
        let service =
            Service::open(&settings, world.clone(), Mode::Initialize, "http://127.0.0.1").await.unwrap();
        // Not earlier than the store was founded: its sessions elsewhere would count as ended by that.
        let register = Register {
            id: world.user_id(),
            username: Username::parse("ada").unwrap(),
            external_id: ExternalId::parse("42").ok(),
            password: None,
            device: None,
            now: world.now(),
        };
        service.components.store.run(register).await.unwrap()
    };
    let made = tokio::runtime::Runtime::new().unwrap().block_on(made);
    assert!(matches!(made, Registered::User(_)), "{made:?}");
}

#[test]
fn a_token_of_another_system_means_one_device_across_crashes() {
    let place = Place::new();
    let words = exchanging(&place);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (lasting, ended) = (token("lasting"), token("ended"));
    place.secrets.note(&lasting);
    place.secrets.note(&ended);
    bring_ada(&place);
    let server = place.serve_with(&words);
    let first = device(&server.client, &lasting);
    shown(&server.client, "/api/token/blacklist/", &ended).ok();
    server.kill();
    let server = place.serve_with(&words);
    assert_eq!(device(&server.client, &lasting), first);
    for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
        let answer = shown(&server.client, path, &ended);
        assert_eq!((answer.status, answer.json()["detail"].as_str()), (401, Some("Token is blacklisted")));
    }
    server.stop();
}

/// Kills the server at the first of many answers, while the others are under way: some exchanges are durable and not
/// answered, some have not begun.
#[test]
fn tokens_that_were_being_exchanged_at_a_crash_mean_one_device_each() {
    const TOKENS: usize = 16;
    let place = Place::patient();
    let words = exchanging(&place);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tokens: Vec<_> = (0..TOKENS).map(|number| token(&format!("crash-{number}"))).collect();
    for token in &tokens {
        place.secrets.note(token);
    }
    bring_ada(&place);
    let server = place.serve_with(&words);
    let client = server.client.clone();
    let answers: Vec<Option<Answer>> = thread::scope(|scope| {
        let (first, answered) = mpsc::channel();
        let showing: Vec<_> = tokens
            .iter()
            .map(|token| {
                let (client, first) = (&client, first.clone());
                scope.spawn(move || {
                    let body = json!({ "refresh": token });
                    let answer = client.send("POST", "/api/token/refresh/", "", Payload::Json(&body));
                    let _killed_already = first.send(());
                    answer.ok()
                })
            })
            .collect();
        answered.recv().unwrap();
        server.kill();
        showing.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    assert!(answers.iter().any(Option::is_some));
    let server = place.serve_with(&words);
    let mut devices = Vec::new();
    for (token, answer) in tokens.iter().zip(answers) {
        let after = device(&server.client, token);
        if let Some(answer) = answer {
            assert_eq!(device_of(&server.client, answer), after, "what was answered holds");
        }
        assert_eq!(device(&server.client, token), after);
        devices.push(after);
    }
    devices.sort_unstable();
    devices.dedup();
    assert_eq!(devices.len(), TOKENS);
    let ended = place.run("user logout-all ada --json").json();
    assert_eq!(ended["signed_out"], TOKENS, "no token opened a second device");
    server.stop();
}

#[test]
fn a_wrong_key_or_no_day_keeps_the_service_from_starting() {
    let place = Place::new();
    place.secrets.note("hunter2");
    fs::write(place.path("django.key"), "hunter2\n").unwrap();
    let file = ["--set", "simplejwt_signing_key_file=django.key"];
    place.refused(&file).assert_failed(&["simplejwt_signing_key", "32 to 1024 characters"]);
    let missing = ["--set", "simplejwt_signing_key_file=nothing.key"];
    place.refused(&missing).assert_failed(&["cannot read nothing.key"]);
    fs::write(place.path("django.key"), KEY).unwrap();
    place.refused(&file).assert_failed(&["`simplejwt_signing_key` needs `simplejwt_until`"]);
    let past = [file[0], file[1], "--set", "simplejwt_until=2026-01-01"];
    place.refused(&past).assert_failed(&["more than 30 days ago", "take `simplejwt_signing_key`"]);
}
