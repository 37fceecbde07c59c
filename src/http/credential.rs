//! The credential in the `Authorization` header: read here, judged by the use cases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::{Request, RequestBody, Result, http::HeaderMap, http::header};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use zeroize::Zeroizing;

use super::body::form::decode;
use super::client::client;
use super::code::{Code, FieldCode};
use super::problem::Problem;
use crate::auth::ClientInfo;
use crate::auth::administrator::Administrator;
use crate::auth::authenticate::{Authentication, Bearer};
use crate::auth::error::AuthError;
use crate::model::service_key::{Scope, ServiceKeyRecord};

/// The longest credential that is read, in bytes; a longer one is malformed.
const LONGEST: usize = 4096;

/// The bearer credential of an operation that a user must be signed in for.
#[derive(Debug)]
pub struct SignedIn(pub Bearer);

/// The bearer credential of an operation that also works without one.
#[derive(Debug)]
pub struct MaybeSignedIn(pub Bearer);

/// The bearer credential of an operation that acts by its body and does not require one.
#[derive(Debug)]
pub struct Beside(pub Bearer);

/// The credential of a resource server or an administrator's tool.
#[derive(Debug)]
pub enum ServiceCredential {
    /// The request came over the administration socket, which only the service's own user can open.
    Operator,
    /// A text that may be a service key, sent as Bearer or as the password of Basic.
    Key(Bearer, ClientInfo),
}

/// Marks requests that came over the administration socket.
#[derive(Clone, Copy, Debug)]
pub struct LocalOperator;

impl ServiceCredential {
    /// Requires a credential that may do what `scope` allows, and returns its owner.
    pub async fn require(
        &self,
        authentication: &Authentication,
        scope: Scope,
    ) -> Result<Administrator, Problem> {
        match self {
            Self::Operator => Ok(Administrator::Operator),
            Self::Key(_, client) => {
                let id = self.service_key(authentication, scope).await?.id;
                Ok(Administrator::ServiceKey { id, address: client.address })
            }
        }
    }

    /// The service key of the credential, if it may do what `scope` allows. Never one for [`Operator`](Self::Operator).
    pub async fn service_key(
        &self,
        authentication: &Authentication,
        scope: Scope,
    ) -> Result<ServiceKeyRecord, Problem> {
        let key = match self {
            Self::Operator => Err(AuthError::Forbidden("This takes a service key.".to_owned())),
            Self::Key(Bearer::Missing, _) => Err(AuthError::TokenMissing),
            Self::Key(Bearer::Malformed, _) => Err(AuthError::TokenInvalid),
            Self::Key(Bearer::Token(text), client) => authentication.service_key(text, scope, client).await,
        };
        key.map_err(|error| match error {
            AuthError::TokenMissing => Problem::new(Code::TokenMissing).with_detail(missing(scope)),
            AuthError::TokenInvalid => Problem::new(Code::TokenInvalid).with_detail(invalid(scope)),
            other => other.into(),
        })
    }

    /// Adds the `client_secret` of a form (RFC 6749 §2.3.1), which may hold the service key instead of the header.
    /// Both at once are an error.
    pub fn or_secret(self, secret: Option<&str>) -> Result<Self, Problem> {
        match (self, secret) {
            (Self::Key(Bearer::Missing, client), Some(secret)) => {
                Ok(Self::Key(Bearer::Token(secret.to_owned()), client))
            }
            (Self::Key(..), Some(_)) => Err(Problem::field("client_secret", FieldCode::NotAllowed)
                .with_detail(
                    "Send the service key in the `Authorization` header or as `client_secret`, not both.",
                )),
            (credential, _) => Ok(credential),
        }
    }
}

/// The detail of a problem whose request has no service key.
pub(super) fn missing(scope: Scope) -> String {
    let scope = scope.as_str();
    format!(
        "Send a service key with the scope `{scope}` as `Authorization: Bearer …` or as the password of Basic; \
         `rescind service-key add NAME --scope {scope}` makes one."
    )
}

/// The detail of a problem whose service key is unknown or removed.
pub(super) fn invalid(scope: Scope) -> String {
    let scope = scope.as_str();
    format!(
        "This is no service key of this service, or it was removed. Send one with the scope `{scope}`; \
         `rescind service-key add NAME --scope {scope}` makes one."
    )
}

/// Reads the `Authorization` header; `basic` says whether the password of Basic is accepted, too.
pub(super) fn bearer(headers: &HeaderMap, basic: bool) -> Bearer {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Bearer::Missing,
        (Some(value), None) if value.len() <= LONGEST => value,
        _ => return Bearer::Malformed,
    };
    let Some((scheme, credential)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Bearer::Malformed;
    };
    let credential = credential.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() && !credential.contains(' ') {
        return Bearer::Token(credential.to_owned());
    }
    if basic && scheme.eq_ignore_ascii_case("basic") {
        return basic_password(credential).map_or(Bearer::Malformed, Bearer::Token);
    }
    Bearer::Malformed
}

/// The password of a Basic credential (RFC 7617), form-decoded; the name before the colon is ignored, in whatever
/// encoding. OAuth clients form-encode both (RFC 6749 §2.3.1), others do not: decoding leaves a service key
/// unchanged.
fn basic_password(credential: &str) -> Option<String> {
    let plain = Zeroizing::new(STANDARD.decode(credential).ok()?);
    let colon = plain.iter().position(|&byte| byte == b':')?;
    let password = std::str::from_utf8(plain.get(colon + 1..)?).ok()?;
    Some(decode(password).ok()?.into_owned())
}

/// The name of the document's security scheme for a service key as the password of Basic.
pub(super) const BASIC: &str = "service_key_basic";

const USER: MetaSecurityScheme = scheme("bearer", "PASETO", "The `access` token of a sign-in.");
const SERVICE: MetaSecurityScheme = scheme(
    "bearer",
    "rescind_sk",
    "A service key, made with `rescind service-key add`. Where it is taken as Bearer, it is taken as the password of Basic, too.",
);
const SERVICE_BASIC: MetaSecurityScheme = scheme("basic", "", "A service key as the password; any name.");

const fn scheme(scheme: &'static str, format: &'static str, description: &'static str) -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some(description),
        name: None,
        key_in: None,
        scheme: Some(scheme),
        bearer_format: if format.is_empty() { None } else { Some(format) },
        flows: None,
        openid_connect_url: None,
    }
}

macro_rules! credential {
    ($name:ty, [$($scheme:tt = $meta:ident),*], $fallback:literal, |$request:ident| $read:expr) => {
        impl<'a> ApiExtractor<'a> for $name {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
            type ParamType = ();
            type ParamRawType = ();

            #[allow(unused_variables, reason = "a credential that is not asked for has no scheme")]
            fn register(registry: &mut Registry) {
                $(registry.create_security_scheme($scheme, $meta);)*
            }

            fn security_schemes() -> Vec<&'static str> {
                vec![$($scheme),*]
            }

            fn has_security_fallback() -> bool {
                $fallback
            }

            async fn from_request(
                $request: &'a Request,
                _: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> Result<Self> {
                Ok($read)
            }
        }
    };
}

credential!(SignedIn, ["bearer" = USER], false, |request| Self(bearer(request.headers(), false)));
credential!(MaybeSignedIn, ["bearer" = USER], true, |request| Self(bearer(request.headers(), false)));
credential!(Beside, [], false, |request| Self(bearer(request.headers(), false)));
credential!(ServiceCredential, ["service_key" = SERVICE, BASIC = SERVICE_BASIC], false, |request| {
    match request.data::<LocalOperator>() {
        Some(LocalOperator) => Self::Operator,
        None => Self::Key(bearer(request.headers(), true), client(request)),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Bearer {
        let mut request = Request::builder();
        for value in headers {
            request = request.header(header::AUTHORIZATION, *value);
        }
        bearer(request.finish().headers(), true)
    }

    #[test]
    fn a_credential_is_missing_malformed_or_a_text() {
        let token = |text: &str| Bearer::Token(text.to_owned());
        assert_eq!(read(&[]), Bearer::Missing);
        assert_eq!(read(&["Bearer abc"]), token("abc"));
        assert_eq!(read(&["bearer  abc "]), token("abc"));
        assert_eq!(read(&["Basic eDpzZWNyZXQ6MQ=="]), token("secret:1"));
        // Form-encoded, `a%5Fb%2D1`, and beside a name in Latin-1.
        assert_eq!(read(&["Basic eDphJTVGYiUyRDE="]), token("a_b-1"));
        assert_eq!(read(&["Basic 6TphYg=="]), token("ab"));
        for other in ["Bearer", "Bearer ", "Bearer a b", "Token abc", "abc", "", "Basic eA==", "Basic %%%"] {
            assert_eq!(read(&[other]), Bearer::Malformed, "{other}");
        }
        assert_eq!(read(&[&format!("Bearer {}", "a".repeat(LONGEST))]), Bearer::Malformed);
    }

    #[test]
    fn two_credentials_are_none() {
        assert_eq!(read(&["Bearer abc", "Bearer abc"]), Bearer::Malformed);
    }

    #[test]
    fn basic_is_for_service_keys_only() {
        let request = Request::builder().header(header::AUTHORIZATION, "Basic eDpzZWNyZXQ=").finish();
        assert_eq!(bearer(request.headers(), false), Bearer::Malformed);
    }
}
