//! What stands in the `Authorization` header: read here, judged by the use cases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::problem::Problem;
use crate::auth::Auth;
use crate::auth::administer::Administrator;
use crate::auth::authenticate::Bearer;
use crate::auth::error::AuthError;
use crate::model::service_key::{Scope, ServiceKey};

/// The longest credential that is looked at; longer ones are no credential of ours.
const LONGEST: usize = 4096;

/// The bearer credential of an operation that a user must be signed in for.
#[derive(Debug)]
pub struct SignedIn(pub Bearer);

/// The bearer credential of an operation that also works without one.
#[derive(Debug)]
pub struct MaybeSignedIn(pub Bearer);

/// The bearer credential that stands beside what an operation acts by; the operation does not ask for one.
#[derive(Debug)]
pub struct Beside(pub Bearer);

/// The credential of a resource server or an administrator's tool.
#[derive(Debug)]
pub enum ServiceCredential {
    /// The request came over the administration socket, which only the service's own user can open.
    Operator,
    /// The text of a service key, perhaps, as Bearer or as the password of Basic.
    Key(Bearer),
}

/// Marks requests that came over the administration socket.
#[derive(Clone, Copy, Debug)]
pub struct LocalOperator;

impl ServiceCredential {
    /// Makes sure that the credential may do what `scope` allows, and says whose it is.
    pub async fn require(&self, auth: &Auth, scope: Scope) -> Result<Administrator, Problem> {
        match self {
            Self::Operator => Ok(Administrator::Operator),
            Self::Key(_) => Ok(Administrator::ServiceKey(self.service_key(auth, scope).await?.id)),
        }
    }

    /// The service key that this is, if it may do what `scope` allows.
    pub async fn service_key(&self, auth: &Auth, scope: Scope) -> Result<ServiceKey, Problem> {
        match self {
            Self::Operator => Err(AuthError::Forbidden("This takes a service key.".to_owned()).into()),
            Self::Key(Bearer::Missing) => Err(AuthError::TokenMissing.into()),
            Self::Key(Bearer::Malformed) => Err(AuthError::TokenInvalid.into()),
            Self::Key(Bearer::Token(text)) => Ok(auth.service_key(text, scope).await?),
        }
    }
}

fn bearer(request: &Request, basic: bool) -> Bearer {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
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

/// The password of RFC 7617; the name before the colon is the caller's own affair.
fn basic_password(credential: &str) -> Option<String> {
    let plain = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (_, password) = plain.split_once(':')?;
    Some(password.to_owned())
}

/// How the document names a service key given as the password of Basic.
pub(super) const BASIC: &str = "service_key_basic";

const USER: MetaSecurityScheme = scheme("bearer", "PASETO", "The `access` token of a sign-in.");
const SERVICE: MetaSecurityScheme = scheme("bearer", "rescind_sk", "A service key.");
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

credential!(SignedIn, ["bearer" = USER], false, |request| Self(bearer(request, false)));
credential!(MaybeSignedIn, ["bearer" = USER], true, |request| Self(bearer(request, false)));
credential!(Beside, [], false, |request| Self(bearer(request, false)));
credential!(ServiceCredential, ["service_key" = SERVICE, BASIC = SERVICE_BASIC], false, |request| {
    match request.data::<LocalOperator>() {
        Some(LocalOperator) => Self::Operator,
        None => Self::Key(bearer(request, true)),
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
        bearer(&request.finish(), true)
    }

    #[test]
    fn a_credential_is_missing_malformed_or_a_text() {
        let token = |text: &str| Bearer::Token(text.to_owned());
        assert_eq!(read(&[]), Bearer::Missing);
        assert_eq!(read(&["Bearer abc"]), token("abc"));
        assert_eq!(read(&["bearer  abc "]), token("abc"));
        assert_eq!(read(&["Basic eDpzZWNyZXQ6MQ=="]), token("secret:1"));
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
        assert_eq!(bearer(&request, false), Bearer::Malformed);
    }
}
