//! `/api/v1/auth`: what a user's app does with the account and its sign-ins.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::answers::{
    MeAnswer, PasswordChangedAnswer, SessionAnswer, SignedOutAnswer, SignedOutEverywhereAnswer,
    SignedOutOthersAnswer, count,
};
use super::body::sign_in::SignInBody;
use super::body::{Body, FieldsBody, ForgivenBody, ForgivenFields};
use super::credential::{MaybeSignedIn, SignedIn};
use super::device_input::{DeviceInput, wish};
use super::fence;
use super::json::Json;
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::ClientInfo;
use crate::auth::error::AuthError;
use crate::auth::use_cases::UseCases;
use crate::feed::Feed;
use crate::model::verdict::Reason;

/// The operations on the caller's account and sign-ins.
pub(super) struct Accounts;

/// The name and password of a user, and the device to sign in.
#[derive(Object)]
#[oai(rename = "Credentials")]
struct Credentials {
    /// 1 to 150 characters, all visible, no slash; matched case-insensitively.
    username: String,
    /// At least 8 characters, at most 256 bytes, not a common one.
    password: String,
    /// The device.
    device: Option<DeviceInput>,
}

/// The name and password of a user, the device to sign in, and a refresh token of an earlier sign-in.
#[derive(Object)]
#[oai(rename = "Login")]
struct LoginInput {
    /// 1 to 150 characters, matched case-insensitively; white space around it is dropped.
    username: String,
    /// The user's password.
    password: String,
    /// The device.
    device: Option<DeviceInput>,
    /// The last refresh token this client got for this user, if it still has it; it need not work any more. With it,
    /// wrong passwords that others send for the same account, or from the same address, keep nobody out. A token of
    /// another user, from before the last change of the password, or none at all: as if it had not been sent.
    refresh: Option<String>,
}

#[derive(Object)]
#[oai(rename = "Refresh")]
struct RefreshInput {
    /// The newest refresh token of this device.
    refresh: String,
}

#[derive(Object)]
#[oai(rename = "Logout")]
struct LogoutInput {
    /// The refresh token of the device that is leaving. Without it, the bearer token names the device.
    refresh: Option<String>,
}

#[derive(Object)]
#[oai(rename = "ChangePassword")]
struct ChangePasswordInput {
    /// The password until now.
    current_password: String,
    /// At least 8 characters, at most 256 bytes, not a common one.
    new_password: String,
}

#[derive(Object)]
#[oai(rename = "DeleteAccount")]
struct DeleteAccountInput {
    /// The user's password.
    password: String,
}

#[derive(ApiResponse)]
enum RegisteredResponse {
    /// Registered and signed in.
    #[oai(status = 201)]
    Session(Json<SessionAnswer>),
}

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Tag::Sessions")]
impl Accounts {
    /// Register
    ///
    /// Makes an account and signs it in on this device. A setting can close registration. A field that is not known is refused by
    /// name, unless the setting `ignore_unknown_fields` has it read over.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        body: SignInBody<Credentials>,
    ) -> Result<RegisteredResponse, Problem> {
        let SignInBody(credentials) = body;
        let device = wish(credentials.device, &client)?;
        let issued =
            use_cases.sign_in.register(&credentials.username, &credentials.password, device, &client).await?;
        Ok(RegisteredResponse::Session(Json(SessionAnswer::of(issued))))
    }

    /// Sign in
    ///
    /// Signs the user in on a new device. Every sign-in is a device of its own and ends on its own. Too many wrong
    /// passwords get 429; a client that shows a refresh token it got before for this user waits only for its own. A field
    /// that is not known is refused by name, unless the setting `ignore_unknown_fields` has it read over.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        body: SignInBody<LoginInput>,
    ) -> Result<Json<SessionAnswer>, Problem> {
        let SignInBody(LoginInput { username, password, device, refresh }) = body;
        let device = wish(device, &client)?;
        let issued =
            use_cases.sign_in.login(&username, &password, refresh.as_deref(), device, &client).await?;
        Ok(Json(SessionAnswer::of(issued)))
    }

    /// Refresh
    ///
    /// Exchanges the refresh token for the next pair. Within a minute parallel requests, and whoever sends the one before
    /// again after a lost answer, get the same refresh token; an older one ends the device.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        body: FieldsBody<RefreshInput>,
    ) -> Result<Json<SessionAnswer>, Problem> {
        let device = wish(None, &client)?;
        let issued = use_cases.refresh.refresh(&body.0.refresh, device, &client).await;
        let issued = issued.map_err(|error| match error {
            // Of another system: its user signs in again.
            AuthError::TokenExpired => AuthError::Ended(Reason::SignedOut),
            error => error,
        })?;
        Ok(Json(SessionAnswer::of(issued)))
    }

    /// Sign out of this device
    ///
    /// Ends the device that the refresh token names, else the one of the bearer token; expired tokens will do, and one from
    /// before a password change on the device ends nothing. Beside an authentic bearer token a body that cannot be read is
    /// no body. From the answer on, both of its tokens get 401 `signed_out`.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: MaybeSignedIn,
        body: ForgivenFields<LogoutInput>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let refresh = body.0.as_ref().ok().and_then(|input| input.refresh.as_deref());
        match (use_cases.sign_out.logout(refresh, &bearer.0, &client).await, body.0) {
            (Err(AuthError::TokenMissing | AuthError::TokenInvalid), Err(unreadable)) => Err(unreadable),
            (signed_out, _) => Ok(Json(SignedOutAnswer { signed_out: count(signed_out?) })),
        }
    }

    /// Sign out everywhere
    ///
    /// Ends every device of the user, this one too. From the answer on, every earlier access and refresh token gets 401
    /// `signed_out_everywhere`; a new sign-in works at once. Resource servers that verify on their own follow within
    /// milliseconds; who wants to know waits for them.
    #[oai(path = "/logout-all", method = "post", operation_id = "logoutAll")]
    async fn logout_all(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        client: ClientInfo,
        bearer: SignedIn,
        /// How long to wait until every follower that is connected to this node has confirmed that it is in force there:
        /// `1s`, `250ms`. More than 8 s, or four fifths of what a request may take, is cut.
        wait: Query<Option<String>>,
        _body: ForgivenBody<NothingInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        let wait = fence::wait(wait.0)?;
        let signed_out = use_cases.sign_out.logout_all(&bearer.0, &client).await?;
        let waited = fence::wait_for_followers(&feed, wait).await;
        Ok(Json(SignedOutEverywhereAnswer {
            in_force: waited.in_force(),
            ..SignedOutEverywhereAnswer::of(signed_out)
        }))
    }

    /// Sign out everywhere else
    ///
    /// Ends every other device. This one goes on with the new access token; its refresh token stays good.
    #[oai(path = "/logout-others", method = "post", operation_id = "logoutOthers")]
    async fn logout_others(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        _body: ForgivenBody<NothingInput>,
    ) -> Result<Json<SignedOutOthersAnswer>, Problem> {
        let (signed_out, access) = use_cases.sign_out.logout_others(&bearer.0, &client).await?;
        Ok(Json(SignedOutOthersAnswer::of(signed_out, access)))
    }

    /// Change the password
    ///
    /// Ends every other device; this one gets new tokens. Its earlier ones get 401 `password_changed` and sign nobody out: a
    /// client whose other requests were on their way goes on with the new ones.
    #[oai(path = "/password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        body: Body<ChangePasswordInput>,
    ) -> Result<Json<PasswordChangedAnswer>, Problem> {
        let Body(ChangePasswordInput { current_password, new_password }) = body;
        let (issued, signed_out) =
            use_cases.account.change_password(&bearer.0, &current_password, &new_password, &client).await?;
        Ok(Json(PasswordChangedAnswer { signed_out: count(signed_out), session: SessionAnswer::of(issued) }))
    }

    /// Who am I?
    ///
    /// The user and the device that the token acts for.
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
    ) -> Result<Json<MeAnswer>, Problem> {
        let (caller, seen) = use_cases.account.me(&bearer.0, &client).await?;
        Ok(Json(MeAnswer::of(&caller, seen.as_ref())))
    }

    /// Delete the account
    ///
    /// Ends everything the user had; the username is free again.
    #[oai(path = "/delete-account", method = "post", operation_id = "deleteAccount")]
    async fn delete_account(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        body: Body<DeleteAccountInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        let signed_out = use_cases.account.delete_account(&bearer.0, &body.0.password, &client).await?;
        Ok(Json(SignedOutEverywhereAnswer::of(signed_out)))
    }
}

/// Nothing: the operation takes no input and forgives some.
#[derive(Debug, Object)]
#[oai(rename = "Nothing")]
pub(super) struct NothingInput {}
