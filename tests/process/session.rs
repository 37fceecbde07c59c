//! One device of one user, with the tokens it holds.

use serde_json::{Value, json};

use crate::client::{Answer, Client};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The tokens of a sign-in or a refresh.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) device: String,
}

impl Session {
    pub(crate) fn of(answer: &Value) -> Self {
        let text =
            |value: &Value| value.as_str().unwrap_or_else(|| panic!("no session: {answer}")).to_owned();
        Self {
            access: text(&answer["access"]),
            refresh: text(&answer["refresh"]),
            device: text(&answer["device"]["id"]),
        }
    }

    /// Registers a user, signed in on this device.
    #[track_caller]
    pub(crate) fn register(client: &Client, username: &str, device: &str) -> Self {
        Self::of(&client.post("/api/v1/auth/register/", "", &credentials(username, device)).ok())
    }

    #[track_caller]
    pub(crate) fn login(client: &Client, username: &str, device: &str) -> Self {
        Self::of(&client.post("/api/v1/auth/login/", "", &credentials(username, device)).ok())
    }

    #[track_caller]
    pub(crate) fn refreshed(&self, client: &Client) -> Self {
        Self::of(&self.refresh(client).ok())
    }

    pub(crate) fn refresh(&self, client: &Client) -> Answer {
        client.post("/api/v1/auth/refresh/", "", &json!({ "refresh": self.refresh }))
    }

    /// Changes the password on the device, and returns its new tokens.
    #[track_caller]
    pub(crate) fn with_new_password(&self, client: &Client, password: &str) -> Self {
        let body = json!({ "current_password": PASSWORD, "new_password": password });
        Self::of(&client.post("/api/v1/auth/password", &self.access, &body).ok()["session"])
    }

    pub(crate) fn me(&self, client: &Client) -> Answer {
        client.get("/api/v1/auth/me/", &self.access)
    }

    /// Asserts that both tokens work.
    #[track_caller]
    pub(crate) fn assert_alive(&self, client: &Client) {
        assert_eq!(self.me(client).ok()["device"]["id"], self.device.as_str());
        self.refreshed(client);
    }

    /// Asserts that both tokens are refused with this code.
    #[track_caller]
    pub(crate) fn assert_dead(&self, client: &Client, code: &str) {
        let refused = format!("401 {code}");
        assert_eq!(self.me(client).problem(), refused, "the access token");
        assert_eq!(self.refresh(client).problem(), refused, "the refresh token");
    }
}

pub(crate) fn credentials(username: &str, device: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "device": { "name": device, "kind": "mobile" } })
}
