//! Registration of an account, with a sign-in on its first device.

use super::error::AuthError;
use super::hashing::{HashSource, Salt};
use super::issue::Issued;
use super::login::{DeviceWish, SignIn};
use super::{ClientInfo, events};
use crate::model::password::Password;
use crate::model::username::Username;
use crate::store::steps::register::{Register, Registered};
use crate::store::steps::session::NewDevice;

impl SignIn {
    /// Registers an account and signs it in.
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        device: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        if !self.policy.registration {
            return Err(AuthError::Forbidden(
                "Registration is closed; an operator makes accounts here.".to_owned(),
            ));
        }
        self.rollback.check()?;
        let username =
            Username::parse(username).map_err(|error| AuthError::Field("username", error.into()))?;
        self.limits.registration(client.address, self.clock.world().uptime())?;
        let device = self.new_device(device, client, self.clock.world().now());
        match self.add(HashSource::of(client.address), username, password, Some(device)).await? {
            Registered::Session(session) => {
                self.metrics.sign_in("registered");
                events::record("registered", Some(session.user.id), Some(session.device.id), client);
                let now = session.device.created;
                self.mint.session(*session, now).await
            }
            Registered::UsernameTaken => Err(AuthError::UsernameTaken),
            other => Err(AuthError::Internal(format!("a registration came to {other:?}"))),
        }
    }

    /// Adds an account, signed in on `device` if there is one.
    pub(super) async fn add(
        &self,
        source: HashSource,
        username: Username,
        password: &str,
        device: Option<NewDevice>,
    ) -> Result<Registered, AuthError> {
        let password = Password::chosen(password, &username)
            .map_err(|why| AuthError::WeakPassword { field: "password", why })?;
        let world = self.clock.world();
        let password = self.hashing.hash(source, &password, Salt(world.random())).await?;
        let (id, external_id, password) = (world.user_id(), None, Some(password));
        let request = Register { id, username, external_id, password, device, now: world.now() };
        Ok(self.store.run(request).await?)
    }
}
