//! A refresh token of djangorestframework-simplejwt is exchanged once, whatever happens to the process that exchanged it.

use std::fs;

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

use crate::client::{Answer, Client};
use crate::place::Place;

const KEY: &str = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";

/// A refresh token of the user 42, as SimpleJWT signs it.
fn token(jti: &str) -> String {
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

fn device(client: &Client, token: &str) -> String {
    let answer = shown(client, "/api/token/refresh/", token).ok();
    let me = client.get("/api/v1/auth/me", answer["access"].as_str().unwrap()).ok();
    me["device"]["id"].as_str().unwrap().to_owned()
}

/// Makes a store with the user `ada`, whose id in Django is 42.
fn bring_ada(place: &Place) {
    let settings = Settings::with(&[("data", place.data().to_str().unwrap())]).unwrap();
    let world = World::real();
    let register = Register {
        id: world.user_id(),
        username: Username::parse("ada").unwrap(),
        external_id: ExternalId::parse("42").ok(),
        password: None,
        device: None,
        now: world.now(),
    };
    let made = async {
        let service = Service::open(&settings, world, Mode::Initialize, "http://127.0.0.1").await.unwrap();
        service.components.store.run(register).await.unwrap()
    };
    let made = tokio::runtime::Runtime::new().unwrap().block_on(made);
    assert!(matches!(made, Registered::User(_)), "{made:?}");
}

#[test]
fn a_token_of_another_system_means_one_device_across_crashes() {
    let place = Place::new();
    place.secrets.note(KEY);
    let (lasting, ended) = (token("lasting"), token("ended"));
    place.secrets.note(&lasting);
    place.secrets.note(&ended);
    let key = place.path("django.key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let key = format!("simplejwt_signing_key_file={}", key.display());
    let until = "simplejwt_until=2090-01-01";
    let words = ["--set", "simplejwt_prefix=/api", "--set", &key, "--set", until];
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
