//! Names that people type and systems send: what is normalized, what is refused, and accounts whose names are older
//! than the rules.

use poem::http::Method;
use rescind::model::ids::UserId;
use rescind::model::username::Username;
use rescind::store::queries::users::FindUserByName;
use rescind::store::steps::register::{Register, Registered};
use serde_json::{Value, json};

use crate::actors::PASSWORD;
use crate::service::{START, Service};

const USERS: &str = "/api/v1/admin/users";

/// Adds an account whose name is older than a rule for new names.
async fn older_account(service: &Service, name: &str, number: u8) -> String {
    let donor = service.store.read(FindUserByName { name: "ada".to_owned() }).await.unwrap().unwrap();
    let username = Username::from_stored(name.to_owned(), name.to_lowercase());
    let id = UserId::from_bytes([0x70 + number; 16]);
    let (external_id, password) = (None, donor.password);
    let request = Register { id, username, external_id, password, device: None, now: START };
    assert!(matches!(service.store.run(request).await.unwrap(), Registered::User(_)));
    id.to_string()
}

fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn nobody_is_named_like_another_users_id() {
    let service = Service::start().await;
    let (victim, administrator) = (service.phone("ada").await, service.administrator().await);
    let full_width: String =
        victim.user.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap()).collect();
    for name in [
        victim.user.clone(),
        victim.user.to_uppercase(),
        full_width.clone(),
        full_width.to_uppercase(),
        victim.user.replace('-', ""),
        format!("{{{}}}", victim.user),
        format!("urn:uuid:{}", victim.user),
    ] {
        let refused = service.anonymous().register(&name, PASSWORD).await.refused("invalid_request");
        assert_eq!(refused.fields(), ["username reserved"], "{name}");
        let add = service
            .operator()
            .post("/api/v1/admin/users")
            .json(&json!({"username": name, "password": PASSWORD}));
        assert_eq!(add.send().await.refused("invalid_request").fields(), ["username reserved"], "{name}");
    }
    let list = administrator.get(USERS).send().await.ok();
    assert_eq!(list["results"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_name_is_taken_apart_by_a_path() {
    let service = Service::start().await;
    for (name, code) in [
        (".", "reserved"),
        ("..", "reserved"),
        ("\u{2025}", "reserved"),
        ("\u{ff0e}\u{ff0e}", "reserved"),
        ("a/b", "invalid_characters"),
        ("a\\b", "invalid_characters"),
        ("\u{ff0f}", "invalid_characters"),
    ] {
        let refused = service.anonymous().register(name, PASSWORD).await.refused("invalid_request");
        assert_eq!(refused.fields(), [format!("username {code}")], "{name}");
    }
}

/// A name that may be chosen can be used in a path, whatever characters it has.
#[tokio::test]
async fn every_name_that_may_be_chosen_can_be_managed_by_it() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    for name in [
        "a b", "50%", "%2e%2e", "%2F", "a?b", "a#b", "a;b=c", "a&b+c", "a:b@c", "...", "ß", "😀", "~",
        "'\"<>", "{user}", "id:ada", "name:ada",
    ] {
        service.anonymous().register(name, PASSWORD).await.ok();
        let found = administrator.get(&format!("{USERS}/{}", encoded(name))).send().await.ok();
        assert_eq!(found["username"], name);
    }
}

#[tokio::test]
async fn accounts_with_names_of_before_the_rules_sign_in_and_are_managed() {
    let service = Service::start().await;
    let (victim, administrator) = (service.phone("ada").await, service.administrator().await);
    let names = [victim.user.as_str(), "..", ".", "a/b", "a\\b", "{0197a5a0-0000-7000-8000-000000000001}"];
    for (number, name) in names.into_iter().enumerate() {
        let id = older_account(&service, name, u8::try_from(number).unwrap()).await;
        let session = service.anonymous().login(name, PASSWORD).await.ok();
        assert_eq!((&session["user"]["id"], &session["user"]["username"]), (&json!(id), &json!(name)));
        let path = format!("{USERS}/{id}");
        assert_eq!(administrator.get(&path).send().await.ok()["username"], name);
        assert_eq!(administrator.post(&format!("{path}/logout-all")).send().await.ok()["signed_out"], 1);
        assert_eq!(administrator.post(&format!("{path}/disable")).send().await.ok()["signed_out"], 0);
        service.anonymous().login(name, PASSWORD).await.refused("wrong_credentials");
    }
    victim.clone().works().await;
}

#[tokio::test]
async fn a_text_that_is_one_users_id_and_anothers_name_is_refused_until_it_says_which() {
    let service = Service::start().await;
    let (mut ada, administrator) = (service.phone("ada").await, service.administrator().await);
    let other = older_account(&service, &ada.user, 1).await;
    let path = |user: &str| format!("{USERS}/{user}");
    let deeds =
        ["logout-all", "disable", "enable", "sessions"].map(|deed| (Method::POST, format!("/{deed}")));
    let reads = [(Method::GET, String::new()), (Method::GET, "/devices".to_owned())];
    let end = (Method::DELETE, format!("/devices/{}", ada.id));
    let bridge = service.bearer_of_scopes(&["sessions"]).await;
    for (method, rest) in deeds.into_iter().chain(reads).chain([end]) {
        let who = if rest == "/sessions" { &bridge } else { &administrator };
        let ask = who.ask(method.clone(), &format!("{}{rest}", path(&ada.user)));
        let ask = if method == Method::POST { ask.json(&json!({})) } else { ask };
        let refused = ask.send().await.refused("invalid_request");
        assert_eq!(refused.fields(), ["user ambiguous"], "{method} {rest}");
        assert!(refused.text.contains("`id:`") && refused.text.contains("`name:`"), "{rest}");
    }
    let replace = service.operator().post(&format!("/operator/users/{}/password", ada.user));
    let refused = replace.json(&json!({"password": "staple engine tulip"})).send().await;
    assert_eq!(refused.refused("invalid_request").fields(), ["user ambiguous"]);
    let delete = service.operator().ask(Method::DELETE, &format!("/api/v1/admin/users/{}", ada.user));
    assert_eq!(delete.send().await.refused("invalid_request").fields(), ["user ambiguous"]);
    ada.works().await;
    for (named, id) in [
        (format!("id:{}", ada.user), &ada.user),
        (format!("name:{}", ada.user), &other),
        (format!("name%3A{}", ada.user), &other),
        (other.clone(), &other),
        ("ada".to_owned(), &ada.user),
        ("name:ada".to_owned(), &ada.user),
        (format!("id:{other}"), &other),
    ] {
        assert_eq!(administrator.get(&path(&named)).send().await.ok()["id"], json!(id), "{named}");
    }
    for nobody in [format!("name:{other}"), "external_id:ada".to_owned(), format!("id:{}", ada.id)] {
        administrator.get(&path(&nobody)).send().await.refused("not_found");
    }
}

#[tokio::test]
async fn no_name_breaks_a_listing() {
    let service = Service::start().await;
    let administrator = service.administrator().await;
    service.phone("ada").await;
    let mut names = vec!["ada".to_owned()];
    for (number, name) in
        ["..", "a&b=c", "a\u{200b}b", "\u{e000}", " x ", "%", "\u{1F}"].into_iter().enumerate()
    {
        older_account(&service, name, u8::try_from(number).unwrap()).await;
        names.push(name.to_owned());
    }
    let longest = "\u{fdfa}".repeat(8) + &"ΐ".repeat(6);
    service.anonymous().register(&longest, PASSWORD).await.ok();
    let mut listed = Vec::new();
    let mut after = String::new();
    loop {
        let page = administrator.get(&format!("{USERS}?limit=1{after}")).send().await.ok();
        let results = page["results"].as_array().unwrap();
        listed.extend(results.iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        assert!(next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{next}");
        after = format!("&after={next}");
    }
    assert_eq!(listed.len(), names.len() + 1, "{listed:?}");
    assert!(names.iter().all(|name| listed.contains(name)), "{listed:?}");
    for wrong in ["ada%20", "!", "AA", &"YWRh".repeat(700), "_w"] {
        let refused =
            administrator.get(&format!("{USERS}?after={wrong}")).send().await.refused("invalid_request");
        assert_eq!(refused.fields(), ["after invalid_format"], "{wrong}");
    }
}

#[tokio::test]
async fn what_a_keyboard_adds_around_a_name_keeps_nobody_out() {
    let service = Service::start().await;
    service.phone("Ada").await;
    let administrator = service.administrator().await;
    for typed in
        ["ada ", " Ada", "\tADA\n", "\u{feff}ada", "\u{200e}ada\u{200f}", "\u{2068}ada\u{2069}", "ada\u{a0}"]
    {
        let session = service.anonymous().login(typed, PASSWORD).await.ok();
        assert_eq!(session["user"]["username"], "Ada", "{typed:?}");
        let found = administrator.get(&format!("{USERS}/{}", encoded(typed))).send().await.ok();
        assert_eq!(found["username"], "Ada", "{typed:?}");
    }
    service.anonymous().login("a da", PASSWORD).await.refused("wrong_credentials");
}

#[tokio::test]
async fn a_name_keeps_its_joiners_and_is_found_without_them() {
    let service = Service::start().await;
    for (name, typed) in [("می\u{200c}خواهم", "میخواهم"), ("क्\u{200d}ष", "क्ष")] {
        let session = service.anonymous().register(name, PASSWORD).await.ok();
        assert_eq!(session["user"]["username"], name);
        assert_eq!(service.anonymous().login(typed, PASSWORD).await.ok()["user"]["username"], name);
        service.anonymous().register(typed, PASSWORD).await.refused("username_taken");
    }
    for name in ["a\u{200c}da", "a\u{200d}da", "\u{200d}ada", "ada\u{200c}"] {
        let refused = service.anonymous().register(name, PASSWORD).await.refused("invalid_request");
        assert_eq!(refused.fields(), ["username invalid_characters"], "{name:?}");
    }
}

/// The same rules apply to signing in, registering, opening a session and renaming.
#[tokio::test]
async fn device_names_are_cleaned_and_cut_and_never_invisible() {
    let service = Service::start().await;
    let (phone, bridge) = (service.phone("ada").await, service.bearer_of_scopes(&["sessions"]).await);
    let long = "é".repeat(150);
    let cut = "é".repeat(100);
    let cases = [
        ("\u{200f}הטלפון של עדה\u{200f}", "הטלפון של עדה"),
        ("\u{2068}Ada’s phone\u{2069}", "Ada’s phone"),
        ("a\u{0}b\nc", "ab c"),
        (long.as_str(), cut.as_str()),
        ("👩\u{200d}💻", "👩\u{200d}💻"),
    ];
    for (number, (sent, kept)) in cases.into_iter().enumerate() {
        let device = json!({"name": sent, "kind": "mobile"});
        let name = |session: Value| session["device"]["name"].as_str().unwrap().to_owned();
        let body = json!({"username": format!("user{number}"), "password": PASSWORD, "device": device});
        for operation in ["register", "login"] {
            let ask = service.anonymous().post(&format!("/api/v1/auth/{operation}")).json(&body);
            assert_eq!(name(ask.send().await.ok()), kept, "{operation}");
        }
        let open = bridge.post(&format!("{USERS}/ada/sessions")).json(&json!({"device": device}));
        assert_eq!(name(open.send().await.ok()), kept);
        let rename = phone.ask(Method::PATCH, &format!("/api/v1/devices/{}", phone.id));
        assert_eq!(rename.json(&json!({"name": sent})).send().await.ok()["name"], kept);
    }
    for nothing in ["", " ", "\u{200b}", "\u{3164}", "\u{200f}\u{2800}", "\u{301}"] {
        let body = json!({"username": "ada", "password": PASSWORD, "device": {"name": nothing}});
        let session = phone.someone.post("/api/v1/auth/login").json(&body).send().await.ok();
        assert_eq!(
            session["device"]["name"], "Android app (okhttp)",
            "{nothing:?}: what the user agent says instead"
        );
        let rename = phone.ask(Method::PATCH, &format!("/api/v1/devices/{}", phone.id));
        let refused = rename.json(&json!({"name": nothing})).send().await.refused("invalid_request");
        assert_eq!(refused.fields(), ["name too_short"], "{nothing:?}");
    }
}

/// A service key cannot have a name like an id, since commands accept either.
#[tokio::test]
async fn no_service_key_is_named_like_an_id_or_invisible() {
    let service = Service::start().await;
    for (name, field) in [
        ("019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20", "name reserved"),
        ("019AAA3C52F07A319D0E6C1F4B7A8E20", "name reserved"),
        ("\u{200b}", "name too_short"),
    ] {
        let body = json!({"name": name, "scopes": ["feed"]});
        let refused = service.operator().post("/operator/service-keys").json(&body).send().await;
        assert_eq!(refused.refused("invalid_request").fields(), [field], "{name:?}");
    }
}
