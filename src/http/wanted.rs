//! The credential that an operation requires, and what an answer says when another one was presented.
//!
//! Credentials are judged before anything else of a request: a caller without permission is told that, and not what
//! else is wrong.

use std::borrow::Cow;
use std::sync::Arc;

use poem::Request;
use poem::http::{HeaderMap, header};

use super::client::client;
use super::credential::{LocalOperator, ServiceCredential, bearer};
use super::problem::Problem;
use crate::auth::ClientInfo;
use crate::auth::authenticate::{Authentication, Bearer};
use crate::model::service_key::Scope;

/// The kind of the `Authorization` header, as far as answers differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PresentedCredential {
    /// No credential, or a Bearer of another form.
    Fitting,
    /// A service key as Bearer.
    ServiceKey,
    /// A token of this service as Bearer.
    Token,
    /// A credential of the scheme Basic.
    Basic,
    /// Another scheme than Bearer and Basic, or none.
    OtherScheme,
    /// More than one `Authorization` header.
    Several,
}

impl PresentedCredential {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), more) = (values.next(), values.next()) else { return Self::Fitting };
        if more.is_some() {
            return Self::Several;
        }
        let text = value.to_str().unwrap_or_default();
        let (scheme, credential) = text.split_once(' ').unwrap_or((text, ""));
        match credential.trim_start() {
            _ if scheme.eq_ignore_ascii_case("basic") => Self::Basic,
            _ if !scheme.eq_ignore_ascii_case("bearer") => Self::OtherScheme,
            credential if credential.starts_with("rescind_sk_") => Self::ServiceKey,
            credential if credential.starts_with("v4.") => Self::Token,
            _ => Self::Fitting,
        }
    }
}

/// The credential that an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A signed-in user's access token.
    User,
    /// A signed-in user's access token, or none.
    MaybeUser,
    /// A service key with this scope, perhaps as the password of Basic.
    ServiceKey(Scope),
}

impl Wanted {
    /// Whether the credential may be the password of Basic.
    pub(super) const fn takes_basic(self) -> bool {
        matches!(self, Self::ServiceKey(_))
    }

    /// The detail for a client that presented another kind of credential, where it can say more than the code's advice.
    pub(super) fn explain(self, presented: PresentedCredential) -> Option<Cow<'static, str>> {
        Some(match (self, presented) {
            (_, PresentedCredential::Several) => "Send one `Authorization` header, not several.".into(),
            (Self::User | Self::MaybeUser, PresentedCredential::ServiceKey) => {
                "Send the access token of a signed-in user: this operation takes no service key.".into()
            }
            (Self::User | Self::MaybeUser, PresentedCredential::Basic | PresentedCredential::OtherScheme) => {
                "Send the access token as `Authorization: Bearer …`: other schemes, such as `Token` and `JWT`, are not read."
                    .into()
            }
            (Self::ServiceKey(scope), PresentedCredential::Token) => {
                format!("Send a service key with the scope `{}`: this is a user's token.", scope.as_str()).into()
            }
            (Self::ServiceKey(scope), PresentedCredential::OtherScheme) => format!(
                "Send a service key with the scope `{}` as `Authorization: Bearer …` or as the password of Basic: other \
                 schemes are not read.",
                scope.as_str()
            )
            .into(),
            _ => return None,
        })
    }
}

/// The scope of the service key that an operation requires.
pub(super) fn scope(operation: &str) -> Scope {
    match operation {
        "introspect" => Scope::Introspect,
        "openSession" => Scope::Sessions,
        "listRevocations" | "streamRevocations" | "ping" => Scope::Feed,
        _ => Scope::Admin,
    }
}

/// A credential that is judged only if its request has another fault.
pub(super) struct Pending {
    authentication: Arc<Authentication>,
    scope: Option<Scope>,
    bearer: Bearer,
    client: ClientInfo,
}

impl Pending {
    /// The credential of a request, if it is to be judged before a fault is reported: not where the operation judges
    /// it itself.
    pub(super) fn of(
        wanted: Wanted,
        authentication: &Arc<Authentication>,
        request: &Request,
    ) -> Option<Self> {
        let scope = match wanted {
            // Judged by the operation itself: it may be in the body.
            Wanted::MaybeUser | Wanted::ServiceKey(Scope::Introspect) => return None,
            // The operator needs no service key.
            Wanted::ServiceKey(_) if request.data::<LocalOperator>().is_some() => return None,
            Wanted::User => None,
            Wanted::ServiceKey(scope) => Some(scope),
        };
        let client = client(request);
        let bearer = bearer(request.headers(), wanted.takes_basic());
        Some(Self { authentication: Arc::clone(authentication), scope, bearer, client })
    }

    /// The 401 or 403 for the credential, if it does not allow the operation.
    pub(super) async fn refusal(self) -> Option<Problem> {
        let refusal = match self.scope {
            None => {
                self.authentication.authenticate(&self.bearer, &self.client).await.err().map(Problem::from)
            }
            Some(scope) => ServiceCredential::Key(self.bearer, self.client)
                .require(&self.authentication, scope)
                .await
                .err(),
        };
        refusal.filter(|problem| matches!(problem.status().as_u16(), 401 | 403))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_presented_is_told_by_its_form() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            PresentedCredential::of(&headers)
        };
        assert_eq!(of(&[]), PresentedCredential::Fitting);
        assert_eq!(of(&["Bearer x"]), PresentedCredential::Fitting);
        assert_eq!(of(&["bearer  rescind_sk_x"]), PresentedCredential::ServiceKey);
        assert_eq!(of(&["Bearer v4.public.x"]), PresentedCredential::Token);
        assert_eq!(of(&["Bearer x", "Bearer x"]), PresentedCredential::Several);
        assert_eq!(of(&["basic x"]), PresentedCredential::Basic);
        for other in ["Token x", "JWT x", "x", "", "Digest a=b", "\u{e9}"] {
            assert_eq!(of(&[other]), PresentedCredential::OtherScheme, "{other}");
        }
    }
}
