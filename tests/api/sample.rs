//! A valid request for every operation of the document, from which the tests of all operations start.

use serde_json::{Value, json};

use crate::actors::{Device, PASSWORD, Someone};
use crate::declared::{Operation, operations};
use crate::request::TestRequest;
use crate::service::Service;

/// A user with two devices, and tools with service keys of every scope.
pub struct Scene<'a> {
    pub service: &'a Service,
    pub phone: Device<'a>,
    pub laptop: Device<'a>,
    pub administrator: Someone<'a>,
    pub bridge: Someone<'a>,
    pub resource_server: Someone<'a>,
    pub follower: Someone<'a>,
}

/// The credential that an operation requires.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    Nothing,
    Bearer,
    ServiceKey,
}

impl Operation {
    pub fn is_of_the_feed(&self) -> bool {
        self.definition["tags"][0] == "Feed"
    }

    pub fn wants(&self) -> Wants {
        let schemes = self.definition["security"].as_array().unwrap();
        let has = |name: &str| schemes.iter().any(|scheme| scheme.get(name).is_some());
        if has("service_key") {
            Wants::ServiceKey
        } else if has("bearer") {
            Wants::Bearer
        } else {
            Wants::Nothing
        }
    }
}

/// The operation with that id.
pub fn operation(id: &str) -> &'static Operation {
    operations().iter().find(|operation| operation.id == id).expect("an operation of the document")
}

impl<'a> Scene<'a> {
    pub async fn set(service: &'a Service) -> Self {
        Self {
            service,
            phone: service.phone("ada").await,
            laptop: service.laptop("ada").await,
            administrator: service.administrator().await,
            bridge: service.bearer_of_scopes(&["sessions"]).await,
            resource_server: service.resource_server().await,
            follower: service.follower().await,
        }
    }

    /// A request that succeeds, from the phone or with the right service key.
    pub fn good(&self, operation: &Operation) -> TestRequest<'a> {
        let (device, user) = (&self.laptop.id, &self.laptop.user);
        let path = operation.path.replace("{id}", device).replace("{device}", device).replace("{user}", user);
        let asker = match (operation.wants(), operation.id) {
            (Wants::ServiceKey, "introspect") => &self.resource_server,
            (Wants::ServiceKey, "openSession") => &self.bridge,
            (Wants::ServiceKey, _) if operation.is_of_the_feed() => &self.follower,
            (Wants::ServiceKey, _) => &self.administrator,
            (Wants::Bearer | Wants::Nothing, _) => &self.phone.someone,
        };
        let ask = asker.ask(operation.method.clone(), &path);
        let ask = if operation.wants() == Wants::Bearer { ask.bearer(&self.phone.access) } else { ask };
        match operation.id {
            "introspect" | "revoke" => ask.form(&[("token", &self.laptop.access)]),
            id => match self.body(id) {
                Some(body) => ask.json(&body),
                None => ask,
            },
        }
    }

    /// The body of a valid request; `None` where there is none.
    pub fn body(&self, operation: &str) -> Option<Value> {
        Some(match operation {
            "register" => json!({"username": "grace", "password": PASSWORD}),
            "login" => json!({"username": "ada", "password": PASSWORD}),
            "refresh" | "logout" => json!({"refresh": self.phone.refresh}),
            "changePassword" => json!({"current_password": PASSWORD, "new_password": "staple engine tulip"}),
            "deleteAccount" => json!({"password": PASSWORD}),
            "renameDevice" => json!({"name": "Old laptop"}),
            "ping" => json!({"nonce": "0Yq2n1sVb0iXbKc1k2xA7w", "applied": 0}),
            "createUser" => json!({"username": "grace", "external_id": "42", "password": PASSWORD}),
            "updateUser" => json!({"username": "ada", "external_id": "43"}),
            "openSession" => json!({"device": {"name": "Kiosk", "kind": "other"}}),
            "logoutAllOfUser" | "deleteUser" | "disableUser" | "enableUser" | "endDeviceOfUser"
            | "logoutEveryone" => {
                json!({"reason": "ticket 4711"})
            }
            _ => return None,
        })
    }
}
