//! The routes of djangorestframework-simplejwt, for apps that were built for it and cannot be changed: `token/`,
//! `token/refresh/`, `token/verify/` and `token/blacklist/` under a prefix of the operator's choice. Off by default.
//!
//! Statuses, bodies and headers are those that SimpleJWT 5 on Django REST framework gives; `tests/api/simplejwt` compares
//! them with a recording. The tokens are this service's own: such an app passes them on and looks into none. What SimpleJWT
//! has no answer for (a limit, a store that is away) has the form of the framework, `{"detail": …}`.
//!
//! These routes are not in the OpenAPI document: nobody builds a new client for them.
//!
//! Modules: `fields` (what a body holds, and what is wrong with it), `answer` (answers in the framework's form), `view` (the
//! four routes and how each describes itself).

use std::sync::Arc;

use poem::http::Method;
use poem::{Endpoint, FromRequest as _, Request, Response, Result, Route};
use serde_json::json;

use self::answer::{Refused, answer};
use self::fields::texts;
use self::view::View;
use super::code::Code;
use super::device_input::wish;
use super::problem::Problem;
use super::routes::Routes;
use crate::auth::ClientInfo;
use crate::auth::authenticate::TokenKind;
use crate::auth::error::AuthError;
use crate::auth::introspect::Introspection;
use crate::auth::login::DeviceWish;
use crate::auth::use_cases::UseCases;

pub(super) mod answer;
mod fields;
mod view;

/// The settings of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleJwtRoutes {
    /// The path before `/token`: empty, or with a slash at its beginning and none at its end.
    pub prefix: String,
    /// Whether each refresh brings a new refresh token (SimpleJWT's `ROTATE_REFRESH_TOKENS`).
    pub rotate: bool,
}

impl SimpleJwtRoutes {
    /// Adds the routes to the app.
    #[must_use]
    pub(super) fn mount(&self, app: Route, use_cases: &Arc<UseCases>) -> Route {
        View::ALL.into_iter().fold(app, |app, view| {
            let route = ViewRoute { view, rotate: self.rotate, use_cases: Arc::clone(use_cases) };
            app.at(view.path(&self.prefix), route)
        })
    }

    /// Names the routes in the log and the metrics.
    #[must_use]
    pub(super) fn name<'a>(&self, routes: Routes<'a>) -> Routes<'a> {
        View::ALL.into_iter().fold(routes, |routes, view| {
            let (path, id) = (view.path(&self.prefix), view.operation());
            routes.django(Method::POST, &path, id).django(Method::OPTIONS, &path, id)
        })
    }
}

struct ViewRoute {
    view: View,
    rotate: bool,
    use_cases: Arc<UseCases>,
}

impl Endpoint for ViewRoute {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.method() == Method::OPTIONS {
            return Ok(answer(200, &self.view.description()));
        }
        if request.method() != Method::POST {
            return Err(Problem::new(Code::MethodNotAllowed).into());
        }
        let (request, mut body) = request.split();
        let client = ClientInfo::from_request(&request, &mut body).await?;
        let fields = fields::read(&request, &mut body).await?;
        match self.view {
            View::Obtain => {
                let [username, password] = texts(&fields, ["username", "password"])?;
                self.obtain(&username, &password, &client).await
            }
            View::Refresh => {
                let [token] = texts(&fields, ["refresh"])?;
                self.refresh(&token, &client).await
            }
            View::Verify => {
                let [token] = texts(&fields, ["token"])?;
                self.verify(&token).await
            }
            View::Blacklist => {
                let [token] = texts(&fields, ["refresh"])?;
                self.blacklist(&token, &client).await
            }
        }
    }
}

impl ViewRoute {
    fn device(&self, client: &ClientInfo) -> Result<DeviceWish, Problem> {
        Ok(DeviceWish { rotates: self.rotate, ..wish(None, client)? })
    }

    async fn obtain(&self, username: &str, password: &str, client: &ClientInfo) -> Result<Response> {
        let device = self.device(client)?;
        let signed_in = self.use_cases.sign_in.login(username, password, None, device, client).await;
        let issued = signed_in.map_err(Problem::from)?;
        Ok(answer(200, &json!({"refresh": issued.refresh, "access": issued.access})))
    }

    async fn refresh(&self, token: &str, client: &ClientInfo) -> Result<Response> {
        match self.use_cases.refresh.refresh(token, self.device(client)?, client).await {
            Ok(issued) if issued.device.rotates => {
                Ok(answer(200, &json!({"access": issued.access, "refresh": issued.refresh})))
            }
            Ok(issued) => Ok(answer(200, &json!({"access": issued.access}))),
            Err(error) => Err(self.refused(token, error).await?),
        }
    }

    async fn verify(&self, token: &str) -> Result<Response> {
        let authentication = &self.use_cases.authentication;
        match self.use_cases.introspection.acts_for_former_session(token).await {
            Ok(true) => return Ok(answer(200, &json!({}))),
            Ok(false) => {}
            Err(AuthError::Ended(_)) => return Err(Refused::Blacklisted.into()),
            Err(error) => return Err(Problem::from(error).into()),
        }
        match self.use_cases.introspection.introspect(token).await.map_err(Problem::from)? {
            Introspection::Access { .. } | Introspection::Refresh { .. } => Ok(answer(200, &json!({}))),
            Introspection::Inactive => {
                Err(match authentication.kind_of(token).await.map_err(Problem::from)? {
                    Some(TokenKind::Access { expired: true } | TokenKind::Refresh { expired: true }) => {
                        Problem::new(Code::TokenExpired).into()
                    }
                    Some(TokenKind::Refresh { .. }) => Refused::Blacklisted.into(),
                    // To resource servers an access token that was taken back is none.
                    Some(TokenKind::Access { .. }) | None => Problem::new(Code::TokenInvalid).into(),
                })
            }
        }
    }

    async fn blacklist(&self, token: &str, client: &ClientInfo) -> Result<Response> {
        match self.use_cases.sign_out.end_by_refresh(token, client).await {
            Ok(0) => Err(Problem::new(Code::SignedOut).into()),
            Ok(_) => Ok(answer(200, &json!({}))),
            Err(error) => Err(self.refused(token, error).await?),
        }
    }

    /// The refusal of what was presented as a refresh token.
    async fn refused(&self, token: &str, error: AuthError) -> Result<poem::Error> {
        if matches!(error, AuthError::TokenInvalid) {
            let own = self.use_cases.authentication.kind_of(token).await.map_err(Problem::from)?;
            let kind = own.or_else(|| self.use_cases.former_sessions.kind_of(token));
            if matches!(kind, Some(TokenKind::Access { .. })) {
                return Ok(Refused::WrongType.into());
            }
        }
        Ok(Problem::from(error).into())
    }
}
