//! Which pages of other origins may read our answers: exactly those listed, none by default.
//!
//! Only answers are guarded here. A page of a foreign origin gets no headers and its browser keeps the answer from
//! it; the request itself is never refused for its `Origin`, which browsers also send with a page's own requests.
//! Tokens travel in `Authorization`, never in cookies, so credentials are not allowed and there is nothing to forge.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-request-id");
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");
/// Browsers cap it, Chromium at two hours.
const REMEMBER: HeaderValue = HeaderValue::from_static("7200");

/// The origins that may read answers.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// Allows these origins, each exactly as a browser sends it: scheme, host and port, in lower case.
    pub fn new(origins: Vec<HeaderValue>) -> Self {
        Self { origins }
    }

    /// The answer to a browser that asks whether it may send a request, or `None` for any other request.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ORIGIN)
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if self.origins.is_empty() || !asks {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        if self.allowed(request).is_some() {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBER);
        }
        Some(response)
    }

    /// The origin of a request, when it is one of ours to name in the answer.
    pub fn allowed(&self, request: &Request) -> Option<HeaderValue> {
        if self.origins.is_empty() {
            return None;
        }
        let origin = request.headers().get(header::ORIGIN)?;
        self.origins.contains(origin).then(|| origin.clone())
    }

    /// Lets the page of an allowed origin read an answer, and keeps caches from giving it to another.
    pub fn grant(&self, allowed: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example";

    fn cors() -> Cors {
        Cors::new(vec![HeaderValue::from_static(APP)])
    }

    fn request(method: Method, origin: &str) -> Request {
        let request = Request::builder().method(method).header("origin", origin);
        request.header("access-control-request-method", "POST").finish()
    }

    #[test]
    fn an_allowed_origin_may_ask_and_read() {
        let asked = request(Method::OPTIONS, APP);
        let mut response = cors().preflight(&asked).unwrap();
        cors().grant(cors().allowed(&asked), response.headers_mut());
        assert_eq!(response.status(), 204);
        assert_eq!(response.header("access-control-allow-origin"), Some(APP));
        assert_eq!(
            response.header("access-control-allow-headers"),
            Some("authorization, content-type, x-request-id")
        );
        assert_eq!(response.header("access-control-expose-headers"), Some("x-request-id, retry-after"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        assert_eq!(response.header("vary"), Some("Origin"));
    }

    #[test]
    fn a_foreign_origin_is_told_nothing_and_refused_nothing() {
        for origin in
            ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null"]
        {
            let asked = request(Method::OPTIONS, origin);
            let mut response = cors().preflight(&asked).unwrap();
            cors().grant(cors().allowed(&asked), response.headers_mut());
            assert_eq!(response.status(), 204);
            let names: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
            assert_eq!(names, ["vary"], "{origin}");
        }
    }

    #[test]
    fn without_a_list_nothing_is_added() {
        let asked = request(Method::OPTIONS, APP);
        assert!(Cors::default().preflight(&asked).is_none());
        let mut headers = HeaderMap::new();
        Cors::default().grant(Cors::default().allowed(&asked), &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn an_ordinary_options_request_is_no_preflight() {
        assert!(cors().preflight(&request(Method::POST, APP)).is_none());
        assert!(cors().preflight(&Request::builder().method(Method::OPTIONS).finish()).is_none());
    }
}
