//! A request that is built and sent; its answer is compared with the document before the test sees it.

use poem::http::{HeaderName, HeaderValue, Method, header};
use poem::{Endpoint as _, Request, Response};
use serde_json::Value;

use crate::answer::Answer;
use crate::declared;
use crate::service::Service;

/// Which listener a request goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RequestTarget {
    Public,
    Operator,
}

/// A request that is being built.
pub struct TestRequest<'a> {
    service: &'a Service,
    listener: RequestTarget,
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl<'a> TestRequest<'a> {
    pub fn new(service: &'a Service, listener: RequestTarget, method: Method, target: &str) -> Self {
        Self { service, listener, method, target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, HeaderValue::from_str(value).unwrap()));
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.header(header::AUTHORIZATION, &format!("Basic {pair}"))
    }

    /// Sends the request over the operator's socket.
    #[must_use]
    pub fn over_the_operators_socket(mut self) -> Self {
        self.listener = RequestTarget::Operator;
        self
    }

    /// Removes the credential from the request.
    #[must_use]
    pub fn without_credential(mut self) -> Self {
        self.headers.retain(|(name, _)| name != header::AUTHORIZATION);
        self
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sets the body and its media type, replacing an earlier body.
    #[must_use]
    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(name, _)| name != header::CONTENT_TYPE);
        self.body = body.into();
        self.header(header::CONTENT_TYPE, media)
    }

    #[must_use]
    pub fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    #[must_use]
    pub fn on(mut self, service: &'a Service) -> Self {
        self.service = service;
        self
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    pub async fn send(self) -> Answer {
        let (method, target) = (self.method.clone(), self.target.clone());
        let answer = Answer::read(self.send_for_stream().await).await;
        let path = target.split('?').next().unwrap_or_default();
        declared::check(&method, path, &answer);
        answer
    }

    /// Sends the request and returns the answer with its body unread, without comparing it with the document.
    pub async fn send_for_stream(self) -> Response {
        let mut request = Request::builder().method(self.method.clone()).uri_str(&self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let app = match self.listener {
            RequestTarget::Public => &self.service.public,
            RequestTarget::Operator => &self.service.operator,
        };
        app.call(request.body(self.body)).await.expect("the edge answers everything")
    }
}
