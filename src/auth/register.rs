//! Registration of an account, with a sign-in on its first device.

use super::administer::AdministratorOrder;
use super::error::AuthError;
use super::hashing::{HashSource, Salt};
use super::issue::Issued;
use super::login::DeviceWish;
use super::{Auth, ClientInfo, events};
use crate::model::password::Password;
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::steps::register::{Register, Registered};
use crate::store::steps::session::NewDevice;

impl Auth {
    /// Registers an account and signs it in.
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        device: DeviceWish,
        origin: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        if !self.policy.registration {
            return Err(AuthError::Forbidden(
                "Registration is closed; an operator makes accounts here.".to_owned(),
            ));
        }
        self.rollback.check()?;
        let username =
            Username::parse(username).map_err(|error| AuthError::Field("username", error.into()))?;
        self.limits.registration(origin.address, self.since_start())?;
        let device = self.new_device(device, origin);
        match self.add(HashSource::of(origin.address), username, password, Some(device)).await? {
            Registered::Session(session) => {
                self.metrics.sign_in("registered");
                events::record("registered", Some(session.user.id), Some(session.device.id), origin);
                self.issue(*session, self.world.now()).await
            }
            Registered::UsernameTaken => Err(AuthError::UsernameTaken),
            Registered::User(_) => Err(AuthError::Internal("a registration opened no device".to_owned())),
        }
    }

    /// Adds an account for an administrator, without signing it in.
    pub async fn add_user(
        &self,
        username: &str,
        password: &str,
        order: AdministratorOrder,
    ) -> Result<User, AuthError> {
        let username =
            Username::parse(username).map_err(|error| AuthError::Field("username", error.into()))?;
        match self.add(HashSource::Operator, username, password, None).await? {
            Registered::User(user) => {
                order.note("user_added", &user.id);
                Ok(*user)
            }
            Registered::UsernameTaken => Err(AuthError::UsernameTaken),
            Registered::Session(_) => Err(AuthError::Internal("an added account is signed in".to_owned())),
        }
    }

    async fn add(
        &self,
        source: HashSource,
        username: Username,
        password: &str,
        device: Option<NewDevice>,
    ) -> Result<Registered, AuthError> {
        let password = Password::chosen(password, &username)
            .map_err(|why| AuthError::WeakPassword { field: "password", why })?;
        let password = self.hashing.hash(source, &password, Salt(self.world.random())).await?;
        let request =
            Register { id: self.world.user_id(), username, password, device, now: self.world.now() };
        Ok(self.store.run(request).await?)
    }
}
