//! `/.well-known/paserk`: the public keys, in every form that verifiers use.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use poem::http::HeaderMap;
use poem::web::Data;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::etag;
use super::json::Json;
use super::moment::Moment;
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::error::AuthError;
use crate::auth::use_cases::UseCases;
use crate::model::key::KeyState;
use crate::model::names::Names;
use crate::token::keyring::Published;

/// The bytes before an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410 §4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The feed as seen from `/.well-known/paserk`, whatever prefix a proxy has put before both.
const FEED: &str = "../api/v1/revocations";

/// The `Cache-Control` of the keys: caches may keep them, but have to revalidate them before each use.
const CACHING: &str = "public, no-cache";

/// The operation that publishes the keys.
pub(super) struct WellKnown;

/// Who mints the tokens, and the keys to verify them with.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "PublicKeys")]
struct KeysAnswer {
    /// The `iss` of every token that is made now.
    issuer: String,
    /// The `aud` of every access token that is made now.
    audience: String,
    /// Every `iss` with its `aud` that a live access token may carry: those of now first, then those that tokens were given
    /// before settings named others. Accept each of these pairs, and no other pair.
    names: Vec<NamesAnswer>,
    /// The version of the set; it grows with every change.
    version: i64,
    /// Where the feed of revocations is, as a reference relative to the URL of this answer.
    feed: String,
    /// The keys. A token of any other key is to be refused.
    keys: Vec<KeyAnswer>,
    /// The ids of keys that were distrusted: whoever remembers one of these keys has to forget it, also when an older answer
    /// names it again.
    distrusted: Vec<String>,
}

/// What access tokens say of who issued them and for whom.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "TokenNames")]
struct NamesAnswer {
    /// The `iss`.
    issuer: String,
    /// The `aud` that goes with it.
    audience: String,
}

/// A key to verify access tokens with.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "PublicKey")]
struct KeyAnswer {
    /// Its PASERK id, as in the footer of its tokens.
    kid: String,
    /// `next`, `active` or `retired`.
    state: String,
    /// PASERK: `k4.public.…`.
    public: String,
    /// The same as a JSON Web Key (RFC 8037).
    jwk: JwkAnswer,
    /// The same as PEM.
    pem: String,
    /// When the last token of a retired key has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<Moment>,
}

/// An Ed25519 key as a JSON Web Key.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Jwk")]
struct JwkAnswer {
    /// Always `OKP`.
    kty: String,
    /// Always `Ed25519`.
    crv: String,
    /// Always `EdDSA` (RFC 8037).
    alg: String,
    /// The key.
    x: String,
    /// Its PASERK id.
    kid: String,
    /// Always `sig`.
    r#use: String,
}

#[derive(ApiResponse)]
enum KeysResponse {
    /// The keys.
    #[oai(status = 200)]
    Found(
        Json<KeysAnswer>,
        /// Names this version of the keys.
        #[oai(header = "ETag")]
        String,
        /// How long the answer may be kept.
        #[oai(header = "Cache-Control")]
        String,
    ),
    /// The keys are those the client has.
    #[oai(status = 304)]
    Same(
        /// Names this version of the keys.
        #[oai(header = "ETag")]
        String,
        /// How long the answer may be kept.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Service")]
impl WellKnown {
    /// The public keys
    ///
    /// For whoever verifies access tokens locally. Look again when a token names a key that is not among them.
    #[oai(path = "/.well-known/paserk", method = "get", operation_id = "publicKeys")]
    async fn public_keys(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        headers: &HeaderMap,
        /// The `ETag` of the answer the client has.
        #[oai(name = "If-None-Match")]
        _known: Header<Option<String>>,
    ) -> Result<KeysResponse, Problem> {
        let keys = &use_cases.keys;
        let set = keys.public().await.map_err(AuthError::from)?;
        let Names { issuer, audience } = keys.names().clone();
        let answer = KeysAnswer {
            issuer,
            audience,
            names: set.names.into_iter().map(NamesAnswer::of).collect(),
            version: super::answers::count(set.version.value()),
            feed: FEED.to_owned(),
            keys: set.trusted.iter().map(KeyAnswer::of).collect(),
            distrusted: set.distrusted.iter().map(ToString::to_string).collect(),
        };
        let tag = answer.etag();
        Ok(if etag::is_known(headers, &tag) {
            KeysResponse::Same(tag, CACHING.to_owned())
        } else {
            KeysResponse::Found(Json(answer), tag, CACHING.to_owned())
        })
    }
}

impl KeysAnswer {
    /// The entity tag of the answer. It follows from the content and not from the version of the keys, which a restored
    /// store counts anew.
    fn etag(&self) -> String {
        etag::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

impl NamesAnswer {
    fn of(Names { issuer, audience }: Names) -> Self {
        Self { issuer, audience }
    }
}

impl KeyAnswer {
    fn of(key: &Published) -> Self {
        let (kid, x) = (key.record.kid.to_string(), URL_SAFE_NO_PAD.encode(key.public));
        let der = [SPKI.as_slice(), key.public.as_slice()].concat();
        Self {
            state: key.record.state.as_str().to_owned(),
            public: format!("k4.public.{x}"),
            pem: format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der)),
            jwk: JwkAnswer {
                kty: "OKP".to_owned(),
                crv: "Ed25519".to_owned(),
                alg: "EdDSA".to_owned(),
                x,
                kid: kid.clone(),
                r#use: "sig".to_owned(),
            },
            kid,
            not_after: match key.record.state {
                KeyState::Retired { until } => Some(Moment(until)),
                _ => None,
            },
        }
    }
}
