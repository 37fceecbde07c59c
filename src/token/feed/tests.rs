use pasetors::keys::{AsymmetricKeyPair, Generate};
use pasetors::paserk::FormatAsPaserk as _;
use pasetors::version4::V4;
use serde_json::{Map, Value, json};

use super::*;
use crate::model::claims::AccessClaims;
use crate::model::counters::{Era, Generation, KeysVersion, Position, Stamp};
use crate::model::ids::{DeviceId, StoreId, UserId};
use crate::model::key::Kid;
use crate::model::revocation::BumpExtent;
use crate::model::timestamp::Timestamp;
use crate::token::access;

mod entries;

const ISSUER: &str = "https://id.example";
const NOW: Timestamp = Timestamp::from_unix(1_795_342_812);
const USER: &str = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20";
const DEVICE: &str = "019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47";
const STORE: &str = "019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e48";

/// The issuer's secret key, and the key set of its followers.
struct FeedSigner {
    secret: SecretKey,
    kid: Kid,
    footer: Footer,
    keys: PublicKeys,
}

impl FeedSigner {
    fn new() -> Self {
        let AsymmetricKeyPair { public, secret } = AsymmetricKeyPair::<V4>::generate().unwrap();
        let mut paserk = String::new();
        public.fmt(&mut paserk).unwrap();
        let mut keys = PublicKeys::none();
        let kid = keys.add(&paserk).unwrap();
        let secret = SecretKey::from_bytes(secret.as_bytes()).unwrap();
        Self { secret, footer: Footer::of(&kid), kid, keys }
    }

    fn frame(&self, frame: &Frame) -> String {
        frame.sign(&self.secret, &self.footer).unwrap()
    }

    fn pong(&self, pong: &Pong) -> String {
        pong.sign(&self.secret, &self.footer).unwrap()
    }

    fn sign(&self, payload: &str) -> String {
        seal(payload.as_bytes(), &self.secret, &self.footer, usize::MAX).unwrap()
    }

    /// Signs like an access token, without the implicit assertion.
    fn sign_token(&self, payload: &str) -> String {
        self.secret.sign(payload.as_bytes(), &self.footer, b"")
    }

    fn reads_frame(&self, text: &str) -> Result<Frame, FeedRefusal> {
        Frame::verify(text, &self.keys, |issuer| issuer == ISSUER)
    }

    fn reads_pong(&self, text: &str) -> Result<Pong, FeedRefusal> {
        Pong::verify(text, &self.keys, |issuer| issuer == ISSUER)
    }

    fn reads_access(&self, text: &str) -> bool {
        access::verify(text, &self.secret.public(), &self.footer).is_ok()
    }
}

fn statement() -> Statement {
    Statement {
        issuer: ISSUER.to_owned(),
        store: StoreId::parse(STORE).unwrap(),
        time: NOW,
        head: Position::new(46),
        era: Era::new(1_795_342_000),
        keys: KeysVersion::new(3),
    }
}

fn user() -> UserId {
    UserId::parse(USER).unwrap()
}

fn device() -> DeviceId {
    DeviceId::parse(DEVICE).unwrap()
}

fn frame_of(revocations: Vec<Revocation>) -> Frame {
    let places = (41..).map(Position::new);
    let entries = revocations.into_iter().zip(places);
    let entries = entries.map(|(revocation, position)| Entry { position, at: NOW, revocation }).collect();
    Frame { statement: statement(), start: false, after: Position::new(40), entries }
}

fn bump(generation: u64, extent: BumpExtent) -> Revocation {
    Revocation::Generation { user: user(), generation: Generation::new(generation), extent }
}

fn frame() -> Frame {
    frame_of(vec![
        Revocation::Device { user: user(), device: device() },
        bump(2, BumpExtent::PasswordChanged { kept: device() }),
        bump(3, BumpExtent::All),
        bump(4, BumpExtent::Disabled),
        Revocation::Era(Era::new(1_795_342_000)),
        Revocation::Keys { version: KeysVersion::new(3), distrusted: None },
    ])
}

fn pong() -> Pong {
    Pong { statement: statement(), nonce: Nonce::parse("0Yq2n1sVb0iXbKc1k2xA7w").unwrap() }
}

const FRAME: &str = r#"{"type":"frame","iss":"https://id.example","store":"019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e48","time":"2026-11-22T10:20:12Z","head":46,"era":1795342000,"keys_version":3,"start":false,"after":40,"entries":[{"at":"2026-11-22T10:20:12Z","type":"device_ended","user":"019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20","device":"019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47"},{"at":"2026-11-22T10:20:12Z","type":"generation","user":"019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20","generation":2,"kept":"019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47","cause":"password_changed"},{"at":"2026-11-22T10:20:12Z","type":"generation","user":"019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20","generation":3},{"at":"2026-11-22T10:20:12Z","type":"generation","user":"019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20","generation":4,"cause":"disabled"},{"at":"2026-11-22T10:20:12Z","type":"era","era":1795342000},{"at":"2026-11-22T10:20:12Z","type":"keys","keys_version":3}]}"#;
const PONG: &str = r#"{"type":"pong","iss":"https://id.example","store":"019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e48","time":"2026-11-22T10:20:12Z","head":46,"era":1795342000,"keys_version":3,"nonce":"0Yq2n1sVb0iXbKc1k2xA7w"}"#;

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_claims_stand_in_the_payload_as_the_page_says() {
    assert_eq!(text_of(wire::write_frame(&frame()).unwrap()), FRAME);
    assert_eq!(text_of(wire::write_pong(&pong()).unwrap()), PONG);
}

#[test]
fn what_is_signed_is_read_back() {
    let issuer = FeedSigner::new();
    let distrusting = frame_of(vec![Revocation::Keys {
        version: KeysVersion::new(3),
        distrusted: Kid::parse(&format!("k4.lid.{}", "A".repeat(44))),
    }]);
    let empty = Frame { start: true, after: Position::new(45), ..frame_of(Vec::new()) };
    assert_eq!((empty.last(), frame().last()), (Position::new(45), Position::new(46)));
    for frame in [frame(), distrusting, empty] {
        assert_eq!(issuer.reads_frame(&issuer.frame(&frame)), Ok(frame));
    }
    assert_eq!(issuer.reads_pong(&issuer.pong(&pong())), Ok(pong()));
}

#[test]
fn each_kind_passes_as_itself_only() {
    let issuer = FeedSigner::new();
    let claims = AccessClaims {
        issuer: ISSUER.to_owned(),
        subject: user(),
        audience: "aud".to_owned(),
        issued: NOW,
        expires: NOW,
        device: device(),
        stamp: Stamp { era: Era::new(1), generation: Generation::new(1) },
        authenticated: NOW,
    };
    let token = access::mint(&claims, &issuer.secret, &issuer.footer).unwrap();
    let (frame, pong) = (issuer.frame(&frame()), issuer.pong(&pong()));
    assert!(issuer.reads_access(&token) && !issuer.reads_access(&frame) && !issuer.reads_access(&pong));
    assert!(issuer.reads_frame(&frame).is_ok() && issuer.reads_pong(&pong).is_ok());
    assert_eq!(issuer.reads_frame(&token), Err(FeedRefusal::NotAuthentic));
    assert_eq!(issuer.reads_pong(&token), Err(FeedRefusal::NotAuthentic));
    assert_eq!(issuer.reads_frame(&pong), Err(FeedRefusal::NotUnderstood));
    assert_eq!(issuer.reads_pong(&frame), Err(FeedRefusal::NotUnderstood));
}

#[test]
fn the_same_claims_under_the_other_purpose_are_worth_nothing() {
    let issuer = FeedSigner::new();
    assert_eq!(issuer.reads_frame(&issuer.sign_token(FRAME)), Err(FeedRefusal::NotAuthentic));
    assert_eq!(issuer.reads_pong(&issuer.sign_token(PONG)), Err(FeedRefusal::NotAuthentic));
    let claims = json!({
        "iss": ISSUER, "sub": USER, "aud": "aud", "iat": "2026-11-22T10:20:12Z", "exp": "2026-11-22T10:20:12Z",
        "sid": DEVICE, "gen": 1, "era": 1, "auth_time": "2026-11-22T10:20:12Z",
    });
    assert!(issuer.reads_access(&issuer.sign_token(&claims.to_string())));
    assert!(!issuer.reads_access(&issuer.sign(&claims.to_string())));
}

#[test]
fn a_key_that_is_not_in_the_set_is_told_from_an_alteration() {
    let (issuer, stranger) = (FeedSigner::new(), FeedSigner::new());
    let text = stranger.frame(&frame());
    assert_eq!(issuer.reads_frame(&text), Err(FeedRefusal::UnknownKey));
    let (body, _) = text.rsplit_once('.').unwrap();
    let claimed = format!("{body}.{}", issuer.footer.encoded);
    assert_eq!(issuer.reads_frame(&claimed), Err(FeedRefusal::NotAuthentic));
    assert_eq!(issuer.reads_frame(""), Err(FeedRefusal::NotAuthentic));
    assert_eq!(issuer.reads_frame(body), Err(FeedRefusal::NotAuthentic), "no footer, no key");
}

#[test]
fn another_issuers_text_is_named_as_that() {
    let issuer = FeedSigner::new();
    let other = |issuer: &str| issuer == "https://other.example";
    let refused = FeedRefusal::OtherIssuer(frame().statement.issuer);
    assert_eq!(Frame::verify(&issuer.frame(&frame()), &issuer.keys, other), Err(refused.clone()));
    assert_eq!(Pong::verify(&issuer.pong(&pong()), &issuer.keys, other), Err(refused));
}

#[test]
fn every_change_of_a_character_is_noticed() {
    let issuer = FeedSigner::new();
    for good in [issuer.frame(&frame()), issuer.pong(&pong())] {
        let read = |text: &str| issuer.reads_frame(text).is_ok() || issuer.reads_pong(text).is_ok();
        assert!(read(&good));
        for at in 0..good.len() {
            let (before, rest) = good.split_at(at);
            let (character, after) = rest.split_at(1);
            for other in ["A", "B", "_", "", ".", "="] {
                let altered = format!("{before}{other}{after}");
                assert!(other == character || !read(&altered), "{altered}");
            }
        }
        // Other spellings of the same bytes: the last character of a part carries bits that are not read.
        for end in good.match_indices('.').map(|(at, _)| at).skip(1).chain([good.len()]) {
            for character in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']) {
                let altered = format!("{}{character}{}", &good[..end - 1], &good[end..]);
                assert!(altered == good || !read(&altered), "{altered}");
            }
        }
    }
}

#[test]
fn a_missing_mistyped_or_repeated_claim_makes_a_text_unusable() {
    let issuer = FeedSigner::new();
    let usable = |payload: &str| {
        let text = issuer.sign(payload);
        issuer.reads_frame(&text).is_ok() || issuer.reads_pong(&text).is_ok()
    };
    for good in [FRAME, PONG] {
        assert!(usable(good));
        assert!(usable(&good.replacen('{', r#"{"later":[1],"#, 1)), "a claim that comes later is ignored");
        let claims: Map<String, Value> = serde_json::from_str(good).unwrap();
        for (name, value) in &claims {
            let with = |value: Option<Value>| {
                let mut changed = claims.clone();
                changed.remove(name);
                changed.extend(value.map(|value| (name.clone(), value)));
                Value::Object(changed).to_string()
            };
            assert!(!usable(&with(None)), "{name} missing");
            for other in [json!(null), json!([1]), json!({}), json!(-1), json!(1.5), json!("x")] {
                assert!(
                    name == "iss" && other == "x" || !usable(&with(Some(other.clone()))),
                    "{name} {other}"
                );
            }
            assert!(!usable(&good.replacen('{', &format!("{{\"{name}\":{value},"), 1)), "{name} twice");
        }
    }
}

#[test]
fn a_nonce_is_16_to_64_characters_of_base64url() {
    for good in ["A".repeat(16), "z_-9".repeat(16)] {
        assert_eq!(Nonce::parse(&good).map(|nonce| nonce.as_str().to_owned()), Some(good));
    }
    for other in
        ["A".repeat(15), "A".repeat(65), format!("{}=", "A".repeat(16)), "é".repeat(16), String::new()]
    {
        assert_eq!(Nonce::parse(&other), None, "{other}");
    }
}
