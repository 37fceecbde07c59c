//! What is published of the signing keys, in which forms and for how long.

use super::*;

#[tokio::test]
async fn the_public_keys_are_published_in_every_form() {
    let service = Service::start().await;
    let mut answer = service.anonymous().get(&format!("{PASERK}/")).send().await;
    in_order(&mut answer.json["keys"]);
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "issuer": "https://sessions.example",
      "audience": "rescind",
      "names": [
        {
          "issuer": "https://sessions.example",
          "audience": "rescind"
        }
      ],
      "version": 1,
      "feed": "../api/v1/revocations",
      "keys": [
        {
          "kid": "[kid]",
          "state": "active",
          "public": "[public]",
          "jwk": {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "x": "[x]",
            "kid": "[kid]",
            "use": "sig"
          },
          "pem": "[pem]"
        },
        {
          "kid": "[kid]",
          "state": "next",
          "public": "[public]",
          "jwk": {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "x": "[x]",
            "kid": "[kid]",
            "use": "sig"
          },
          "pem": "[pem]"
        }
      ],
      "distrusted": []
    }
    "#);
    for key in answer.json["keys"].as_array().unwrap() {
        let x = key["jwk"]["x"].as_str().unwrap();
        assert_eq!(key["public"], json!(format!("k4.public.{x}")));
        assert_eq!(key["jwk"]["kid"], key["kid"]);
        assert_eq!(pem_key(key["pem"].as_str().unwrap()), decode(x));
        // The id is computed from the key by the PASERK library.
        let public = pasetors::keys::AsymmetricPublicKey::try_from(key["public"].as_str().unwrap()).unwrap();
        let mut id = String::new();
        pasetors::paserk::FormatAsPaserk::fmt(&pasetors::paserk::Id::from(&public), &mut id).unwrap();
        assert_eq!(key["kid"], json!(id));
    }
    let cache = answer.header("cache-control");
    assert_eq!(
        cache, "public, no-cache",
        "a cache that answers by itself keeps followers waiting for new keys"
    );
}

fn decode(base64url: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

/// The 32 bytes of a PEM key, after the `SubjectPublicKeyInfo` head of RFC 8410.
fn pem_key(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    assert_eq!(der.len(), 44);
    der[12..].to_vec()
}

#[tokio::test]
async fn whoever_has_the_keys_is_told_so_until_they_change() {
    let service = Service::start().await;
    let etag = service.anonymous().get(PASERK).send().await.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let ask =
        async |known: &str| service.anonymous().get(PASERK).header(header::IF_NONE_MATCH, known).send().await;
    let lists = [format!("\"other\", {etag}"), format!("W/\"a,b\",W/{etag} ,\"c\""), "*".to_owned()];
    for known in [etag.clone(), format!("W/{etag}")].into_iter().chain(lists) {
        let answer = ask(&known).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.header("etag")), (304, "", etag.as_str()));
    }
    let lines = service.anonymous().get(PASERK).header(header::IF_NONE_MATCH, "\"other\"");
    assert_eq!(lines.header(header::IF_NONE_MATCH, &etag).send().await.status, 304, "in the second line");
    assert_eq!(ask("\"other\"").await.status, 200);
    change(&service, "rotate").await;
    let answer = ask(&etag).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("etag"), etag);
    // The tag also differs when the number of keys is the same: one was removed, another one made.
    let before = service.anonymous().get(PASERK).send().await;
    change(&service, &format!("{}/distrust", kid(&service.phone("ada").await.access))).await;
    let after = service.anonymous().get(PASERK).send().await;
    let count = |answer: &Answer| answer.json["keys"].as_array().unwrap().len();
    assert_eq!(count(&before), count(&after));
    assert_ne!(before.header("etag"), after.header("etag"));
}

/// By every node, also by one whose settings are those of before.
#[tokio::test]
async fn former_names_are_published_as_pairs_beside_the_present_one() {
    let service = Service::start().await;
    let before = service.anonymous().get(PASERK).send().await;
    let renamed = |issuer: &'static str, audience: &'static str| {
        service.again(move |settings| {
            settings.issuer = Some(issuer.to_owned());
            settings.audience = Some(audience.to_owned());
        })
    };
    let pair = |issuer: &str, audience: &str| json!({"issuer": issuer, "audience": audience});
    let first = pair("https://sessions.example", "rescind");
    let (one, two) = (pair("https://one.example", "orders"), pair("https://two.example", "orders"));
    let published = published(&renamed("https://one.example", "orders").await).await;
    assert_eq!((&published["issuer"], &published["audience"]), (&one["issuer"], &one["audience"]));
    assert_eq!(published["names"], json!([one, first]));
    let node = renamed("https://two.example", "orders").await;
    assert_eq!(self::published(&node).await["names"], json!([two, first, one]));
    let known = service.anonymous().get(PASERK).header(header::IF_NONE_MATCH, before.header("etag"));
    let after = known.send().await;
    assert_eq!(after.status, 200, "what the tag names has changed");
    assert_eq!(after.json["names"], json!([first, one, two]));
    // Names that come back are told once.
    let again = renamed("https://sessions.example", "rescind").await;
    assert_eq!(self::published(&again).await["names"], json!([first, one, two]));
}

/// A cache replaces its headers by those of a 304 (RFC 9111 §4.3.4): one that read `no-store` there kept old keys.
#[tokio::test]
async fn an_answer_without_a_body_has_the_headers_of_the_one_with_it() {
    let service = Service::with(&[("cors_origins", "https://app.example")]).await;
    for path in [PASERK, "/docs", "/docs/swagger-ui.css"] {
        let whole = service.anonymous().get(path).send().await;
        let known = service.anonymous().get(path).header(header::IF_NONE_MATCH, whole.header("etag"));
        let same = known.send().await;
        assert_eq!((whole.status, same.status), (200, 304), "{path}");
        let headers = |answer: &Answer| {
            let of_its_own = ["content-type", "content-length", "x-request-id"];
            let kept = answer.headers.iter().filter(|(name, _)| !of_its_own.contains(&name.as_str()));
            kept.map(|(name, value)| format!("{name}: {value:?}")).collect::<BTreeSet<_>>()
        };
        assert!(headers(&whole).iter().any(|line| line.starts_with("cache-control")), "{path}");
        assert_eq!(headers(&whole), headers(&same), "{path}");
    }
}

#[tokio::test]
async fn a_retired_key_is_published_until_its_last_token_has_expired_and_no_longer() {
    let service = Service::start().await;
    let first = kid(&service.phone("ada").await.access);
    change(&service, "rotate").await;
    service.pass(3599);
    assert_eq!(state(&published(&service).await, &first), "retired");
    let etag = service.anonymous().get(PASERK).send().await.header("etag").to_owned();
    service.pass(1);
    assert_eq!(
        state(&published(&service).await, &first),
        "gone",
        "whoever has it now signs no token with it"
    );
    let answer = service.anonymous().get(PASERK).header(header::IF_NONE_MATCH, &etag).send().await;
    assert_eq!(answer.status, 200, "what the tag names has changed");
}

/// Any PASETO library verifies the service's tokens with the published keys: here with the library's own function,
/// which reads the real clock, so the token is minted now.
#[tokio::test]
async fn a_published_key_verifies_a_token_by_the_library_alone() {
    let service = Service::start().await;
    let now = rescind::world::World::real().now();
    service.clock.set(now);
    let phone = service.phone("ada").await;
    let keys = published(&service).await;
    let named = kid(&phone.access);
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == named).unwrap();
    let public = pasetors::keys::AsymmetricPublicKey::<pasetors::version4::V4>::try_from(
        key["public"].as_str().unwrap(),
    )
    .unwrap();
    let untrusted =
        pasetors::token::UntrustedToken::<pasetors::Public, pasetors::version4::V4>::try_from(&phone.access)
            .unwrap();
    let mut rules = pasetors::claims::ClaimsValidationRules::new();
    // By itself the library also demands `nbf`, which our tokens do not carry; `exp` it checks in any case.
    rules.disable_valid_at();
    rules.validate_issuer_with(keys["issuer"].as_str().unwrap());
    rules.validate_audience_with("rescind");
    rules.validate_subject_with(&phone.user);
    #[allow(clippy::disallowed_methods, reason = "the point is that the library alone will do")]
    let trusted = pasetors::public::verify(&public, &untrusted, &rules, None, None).unwrap();
    let claims = trusted.payload_claims().unwrap();
    assert_eq!(claims.get_claim("sid"), Some(&json!(phone.id)));
    let claims: Vec<_> = serde_json::from_str::<Value>(trusted.payload())
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(claims, ["iss", "sub", "aud", "iat", "exp", "sid", "gen", "era", "auth_time"]);
}
