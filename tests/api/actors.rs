//! The clients of the tests. Each of them comes through a proxy on loopback, which names the client's address.

use poem::http::{HeaderName, Method, header};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::request::{RequestTarget, TestRequest};
use crate::service::Service;

pub const PASSWORD: &str = "correct horse battery";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client, with or without a credential.
#[derive(Clone)]
pub struct Someone<'a> {
    pub service: &'a Service,
    listener: RequestTarget,
    pub address: &'static str,
    pub user_agent: &'static str,
    pub credential: Option<String>,
}

impl<'a> Someone<'a> {
    pub fn ask(&self, method: Method, target: &str) -> TestRequest<'a> {
        let ask = TestRequest::new(self.service, self.listener, method, target)
            .header(FORWARDED_FOR, self.address)
            .header(header::USER_AGENT, self.user_agent);
        match &self.credential {
            Some(credential) => ask.bearer(credential),
            None => ask,
        }
    }

    pub fn get(&self, target: &str) -> TestRequest<'a> {
        self.ask(Method::GET, target)
    }

    pub fn post(&self, target: &str) -> TestRequest<'a> {
        self.ask(Method::POST, target)
    }

    pub async fn login(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.post("/api/v1/auth/login").json(&body).send().await
    }

    /// Signs in beside a refresh token from an earlier sign-in.
    pub async fn login_again(&self, username: &str, password: &str, refresh: &str) -> Answer {
        let body = json!({"username": username, "password": password, "refresh": refresh});
        self.post("/api/v1/auth/login").json(&body).send().await
    }

    pub async fn register(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password});
        self.post("/api/v1/auth/register").json(&body).send().await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/v1/auth/refresh").json(&json!({"refresh": token})).send().await
    }

    pub async fn logout(&self, token: &str) -> Answer {
        self.post("/api/v1/auth/logout").json(&json!({"refresh": token})).send().await
    }

    pub async fn introspect(&self, token: &str) -> Answer {
        self.post("/oauth/introspect").form(&[("token", token)]).send().await
    }

    pub async fn revoke(&self, token: &str) -> Answer {
        self.post("/oauth/revoke").form(&[("token", token)]).send().await
    }
}

/// A signed-in device of a user.
#[derive(Clone)]
pub struct Device<'a> {
    pub someone: Someone<'a>,
    pub id: String,
    pub user: String,
    pub access: String,
    pub refresh: String,
}

impl<'a> Device<'a> {
    /// A request with the access token.
    pub fn ask(&self, method: Method, target: &str) -> TestRequest<'a> {
        self.someone.ask(method, target).bearer(&self.access)
    }

    pub fn get(&self, target: &str) -> TestRequest<'a> {
        self.ask(Method::GET, target)
    }

    pub fn post(&self, target: &str) -> TestRequest<'a> {
        self.ask(Method::POST, target)
    }

    pub async fn me(&self) -> Answer {
        self.get("/api/v1/auth/me").send().await
    }

    pub async fn logout(&self) -> Answer {
        self.post("/api/v1/auth/logout").json(&json!({"refresh": self.refresh})).send().await
    }

    pub async fn logout_all(&self) -> Answer {
        self.post("/api/v1/auth/logout-all").send().await
    }

    pub async fn logout_others(&self) -> Answer {
        self.post("/api/v1/auth/logout-others").send().await
    }

    pub async fn change_password(&self, current: &str, new: &str) -> Answer {
        let body = json!({"current_password": current, "new_password": new});
        self.post("/api/v1/auth/password").json(&body).send().await
    }

    /// Presents the refresh token, and keeps using the present pair.
    pub async fn present_refresh(&self) -> Answer {
        self.someone.refresh(&self.refresh).await
    }

    /// Exchanges the device's tokens for the next pair.
    pub async fn renew(&mut self) {
        let next = self.present_refresh().await.ok();
        self.take(&next);
    }

    pub fn take(&mut self, session: &Value) {
        session["access"].as_str().unwrap().clone_into(&mut self.access);
        session["refresh"].as_str().unwrap().clone_into(&mut self.refresh);
    }

    pub fn take_access(&mut self, answer: &Value) {
        answer["access"].as_str().unwrap().clone_into(&mut self.access);
    }

    /// Asserts that both tokens work, and takes the next pair.
    pub async fn works(&mut self) {
        self.me().await.ok();
        self.works_after_renewal().await;
    }

    /// Asserts that the refresh token works, and takes the next pair.
    pub async fn works_after_renewal(&mut self) {
        self.renew().await;
        self.me().await.ok();
    }

    /// Asserts that both tokens are refused with this code.
    pub async fn is_refused(&self, code: &str) {
        self.me().await.refused(code);
        self.present_refresh().await.refused(code);
    }
}

impl Service {
    fn someone(
        &self,
        listener: RequestTarget,
        address: &'static str,
        user_agent: &'static str,
    ) -> Someone<'_> {
        Someone { service: self, listener, address, user_agent, credential: None }
    }

    pub fn anonymous(&self) -> Someone<'_> {
        self.someone(RequestTarget::Public, "203.0.113.5", "curl/8.5.0")
    }

    /// The operator, who can open the administration socket.
    pub fn operator(&self) -> Someone<'_> {
        self.someone(RequestTarget::Operator, "127.0.0.1", "rescind")
    }

    /// Signs in the user's phone, registering the user if there is none.
    pub async fn phone(&self, username: &str) -> Device<'_> {
        let someone = self.someone(RequestTarget::Public, "192.0.2.10", "okhttp/4.12.0");
        self.device(someone, username, json!({"name": "Phone", "kind": "mobile"})).await
    }

    /// Signs in the user's laptop, registering the user if there is none.
    pub async fn laptop(&self, username: &str) -> Device<'_> {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        let someone = self.someone(RequestTarget::Public, "198.51.100.20", chrome);
        self.device(someone, username, json!({"name": "Laptop", "kind": "desktop"})).await
    }

    async fn device<'a>(&'a self, someone: Someone<'a>, username: &str, device: Value) -> Device<'a> {
        let body = json!({"username": username, "password": PASSWORD, "device": device});
        let registered = someone.post("/api/v1/auth/register").json(&body).send().await;
        let session = if registered.status == 201 {
            registered.json
        } else {
            registered.refused("username_taken");
            someone.post("/api/v1/auth/login").json(&body).send().await.ok()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Device {
            someone,
            id: text(&session["device"]["id"]),
            user: text(&session["user"]["id"]),
            access: text(&session["access"]),
            refresh: text(&session["refresh"]),
        }
    }

    /// A thief who copied a device's tokens, on another network and with another user agent.
    pub fn thief<'a>(&'a self, of: &Device<'a>) -> Device<'a> {
        let someone = self.someone(RequestTarget::Public, "45.66.77.88", "python-requests/2.32");
        Device { someone, ..of.clone() }
    }

    /// A client with a service key of these scopes.
    pub async fn bearer_of_scopes(&self, scopes: &[&str]) -> Someone<'_> {
        let body = json!({"name": scopes.join(" and "), "scopes": scopes});
        let made = self.operator().post("/operator/service-keys").json(&body).send().await.ok();
        let credential = made["key"].as_str().map(str::to_owned);
        Someone { credential, ..self.someone(RequestTarget::Public, "10.1.2.3", "reqwest/0.12") }
    }

    /// A resource server that introspects tokens.
    pub async fn resource_server(&self) -> Someone<'_> {
        self.bearer_of_scopes(&["introspect"]).await
    }

    /// A resource server that follows the feed.
    pub async fn follower(&self) -> Someone<'_> {
        self.bearer_of_scopes(&["feed"]).await
    }

    /// An administrator's tool, with a service key.
    pub async fn administrator(&self) -> Someone<'_> {
        self.bearer_of_scopes(&["admin"]).await
    }
}
