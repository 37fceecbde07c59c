use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const NOW: Timestamp = Timestamp::from_unix(1_795_342_808);

fn key() -> SimpleJwtKey {
    SimpleJwtKey::new(SECRET).unwrap()
}

fn signed(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims() -> Value {
    json!({
        "token_type": "refresh", "exp": 1_795_429_208, "iat": 1_795_342_808,
        "jti": "2abdafe25f2549b5a67f8cc0ac28648f", "user_id": "1",
    })
}

fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn with(change: impl FnOnce(&mut Value)) -> Result<SimpleJwtRefresh, SimpleJwtFault> {
    let mut claims = claims();
    change(&mut claims);
    verify(&key(), "user_id", &signed(&header(), &claims, SECRET), NOW)
}

#[test]
fn an_authentic_token_says_whose_it_is() {
    let read = with(|_| {}).unwrap();
    assert_eq!((read.user.as_str(), read.expires.unix()), ("1", 1_795_429_208));
    assert_eq!(with(|claims| claims["user_id"] = json!(17)).unwrap().user, "17");
    assert!(!format!("{read:?}").contains("2abdafe2"), "its id is not shown");
    let other = signed(
        &header(),
        &json!({"token_type": "refresh", "exp": 1_795_429_208, "jti": "a", "uid": "x"}),
        SECRET,
    );
    assert_eq!(verify(&key(), "uid", &other, NOW).unwrap().user, "x");
}

#[test]
fn what_lacks_a_claim_is_refused_and_so_is_an_access_token() {
    for claim in ["exp", "jti", "user_id", "token_type"] {
        let without = with(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert_eq!(without, Err(SimpleJwtFault::Malformed), "{claim}");
        assert_eq!(with(|claims| claims[claim] = json!([1])), Err(SimpleJwtFault::Malformed), "{claim}");
    }
    for (claim, value) in [
        ("jti", json!("")),
        ("user_id", json!("")),
        ("user_id", json!(true)),
        ("jti", json!("a".repeat(256))),
    ] {
        assert_eq!(with(|claims| claims[claim] = value), Err(SimpleJwtFault::Malformed), "{claim}");
    }
    assert_eq!(with(|claims| claims["token_type"] = json!("access")), Err(SimpleJwtFault::WrongType));
    assert_eq!(with(|claims| claims["exp"] = json!(NOW.unix())), Err(SimpleJwtFault::Expired(NOW)));
    assert!(with(|claims| claims["exp"] = json!(NOW.unix() + 1)).is_ok());
}

#[test]
fn no_other_algorithm_key_or_form_is_taken() {
    let refused = |text: &str| verify(&key(), "user_id", text, NOW).unwrap_err();
    let good = signed(&header(), &claims(), SECRET);
    assert!(verify(&key(), "user_id", &good, NOW).is_ok());
    assert_eq!(refused(&signed(&header(), &claims(), "another key")), SimpleJwtFault::Signature);
    for alg in [json!("none"), json!("HS512"), json!("RS256"), json!("hs256"), json!(["HS256"]), Value::Null]
    {
        assert_eq!(refused(&signed(&json!({"alg": alg}), &claims(), SECRET)), SimpleJwtFault::Malformed);
    }
    let critical = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    assert_eq!(refused(&signed(&critical, &claims(), SECRET)), SimpleJwtFault::Malformed);
    let (body, signature) = good.rsplit_once('.').unwrap();
    for text in [
        format!("{body}."),
        body.to_owned(),
        format!("{good}."),
        format!("{good}="),
        format!(" {good}"),
        format!("{body}.{}", signature.get(1..).unwrap()),
        format!("{good}{}", "A".repeat(LONGEST)),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(matches!(refused(&text), SimpleJwtFault::Malformed | SimpleJwtFault::Signature), "{text}");
    }
}

#[test]
fn a_token_has_one_device_whatever_the_key_and_its_record_is_kept_until_the_token_expires() {
    let token = with(|_| {}).unwrap();
    let device = token.device();
    assert_eq!(device, with(|claims| claims["user_id"] = json!("2")).unwrap().device());
    assert_ne!(device, with(|claims| claims["jti"] = json!("b")).unwrap().device());
    assert_eq!(device.kept_until(), Some(token.expires));
    // Stored for as long as tokens live: it never changes.
    assert_eq!(device.to_string(), "01a207eb-8fc0-83e7-8e22-8ca395813606");
}

#[test]
fn a_blacklist_holds_what_its_lines_say() {
    let list = Blacklist::parse("a1\r\n\n  b2  \na1\n").unwrap();
    assert_eq!(list.len(), 2);
    assert!(list.contains("a1") && list.contains("b2") && !list.contains("") && !list.contains("a"));
    for (text, line) in [("a\nb,c\n", 2), ("\"a\"", 1), ("a b", 1), (&"x".repeat(256), 1)] {
        assert_eq!(Blacklist::parse(text), Err(line), "{text}");
    }
    assert!(Blacklist::parse("").unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_changed_byte_passes(at in 0_usize..300, byte: u8, text in ".{0,60}") {
        let _refused = verify(&key(), "user_id", &text, NOW);
        let good = signed(&header(), &claims(), SECRET);
        let mut bytes = good.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(changed) = String::from_utf8(bytes) && changed != good {
            prop_assert!(verify(&key(), "user_id", &changed, NOW).is_err());
        }
    }
}
