//! Cross-origin resource sharing: which pages of other origins may read answers. Those listed, none by default.
//!
//! Only answers are guarded here. A page of a foreign origin gets no headers and its browser keeps the answer from
//! it; the request itself is never refused for its `Origin`, which browsers also send with a page's own requests.
//! A listed page may send whatever request headers its libraries add (tracing does): the header that matters,
//! `Authorization`, is among them anyway.
//!
//! Tokens travel in `Authorization`, never in cookies, so there is nothing to forge and credentials are of no use here. A
//! page that sends them all the same (`credentials: "include"`, `withCredentials`) is kept from the answer by its browser
//! until a setting allows it, and the log says so.

use std::sync::atomic::{AtomicBool, Ordering};

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, x-request-id");
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");
/// `Access-Control-Max-Age` of a preflight, in seconds. Browsers cap it, Chromium at two hours.
const REMEMBER: HeaderValue = HeaderValue::from_static("7200");

/// The longest `Access-Control-Request-Headers` that is sent back as allowed, in bytes.
const LONGEST_ASKED: usize = 2_048;
/// The request headers that the answer to a preflight varies by, as well as `Origin`.
const ASKED: HeaderValue =
    HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers");

/// The origins whose pages may read answers.
#[derive(Debug, Default)]
pub struct Cors {
    origins: Vec<Allowed>,
    credentials: bool,
}

#[derive(Debug)]
struct Allowed {
    origin: HeaderValue,
    /// Whether the log already says that pages of a listed origin send cookies.
    is_logged: AtomicBool,
}

impl Cors {
    /// Allows these origins, each exactly as a browser sends it: scheme, host and port, in lower case. With
    /// `credentials` their pages may read answers to requests with cookies, too.
    pub fn new(origins: Vec<HeaderValue>, credentials: bool) -> Self {
        let allowed = |origin| Allowed { origin, is_logged: AtomicBool::new(false) };
        Self { origins: origins.into_iter().map(allowed).collect(), credentials }
    }

    /// The answer to a preflight request; `None` for any other request, and where no origin is allowed.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ORIGIN)
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if self.origins.is_empty() || !asks {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        response.headers_mut().insert(header::VARY, ASKED);
        if self.allowed(request).is_some() {
            let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            let allowed = asked.filter(|names| is_list_of_names(names)).cloned().unwrap_or(REQUEST_HEADERS);
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBER);
        }
        Some(response)
    }

    /// The origin of a request if it is allowed, to name in the answer.
    pub fn allowed(&self, request: &Request) -> Option<HeaderValue> {
        if self.origins.is_empty() {
            return None;
        }
        let origin = request.headers().get(header::ORIGIN)?;
        let allowed = self.origins.iter().find(|allowed| allowed.origin == *origin)?;
        if !self.credentials
            && request.headers().contains_key(header::COOKIE)
            && !allowed.is_logged.swap(true, Ordering::Relaxed)
        {
            let origin = origin.to_str().unwrap_or_default();
            tracing::warn!(
                origin,
                "a page sends its requests with credentials (cookies), so its browser keeps the answers from it: \
                 have it send them without, or set cors_credentials = true"
            );
        }
        Some(origin.clone())
    }

    /// Adds the headers that let the page of an allowed origin read an answer, and keep caches from giving it to
    /// another origin.
    pub fn grant(&self, allowed: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
            if self.credentials {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
    }
}

/// Whether a value is a list of header names (RFC 9110 §5.6.1), and short enough to be sent back.
fn is_list_of_names(value: &HeaderValue) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let bytes = value.as_bytes();
    (1..=LONGEST_ASKED).contains(&bytes.len())
        && bytes.iter().all(|&byte| token(byte) || b", \t".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example";

    fn cors() -> Cors {
        Cors::new(vec![HeaderValue::from_static(APP)], false)
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
        assert_eq!(response.header("access-control-allow-methods"), Some("GET, POST, PATCH, DELETE"));
        assert_eq!(response.header("access-control-max-age"), Some("7200"));
        assert_eq!(response.header("access-control-expose-headers"), Some("x-request-id, retry-after"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["Access-Control-Request-Method, Access-Control-Request-Headers", "Origin"]);
    }

    #[test]
    fn a_page_may_send_the_headers_that_its_libraries_add() {
        let ask = |names: &str| {
            let mut asked = request(Method::OPTIONS, APP);
            asked.headers_mut().insert("access-control-request-headers", names.parse().unwrap());
            let response = cors().preflight(&asked).unwrap();
            response.header("access-control-allow-headers").unwrap_or_default().to_owned()
        };
        for names in [
            "authorization,baggage,content-type,sentry-trace",
            "traceparent, tracestate",
            "x-requested-with",
            &"a".repeat(2_048),
        ] {
            assert_eq!(ask(names), names);
        }
        let fixed = "authorization, content-type, x-request-id";
        for wrong in ["a: b", "a;b", "\"a\"", "a/b", "<script>", &"a".repeat(2_049)] {
            assert_eq!(ask(wrong), fixed, "{wrong}");
        }
    }

    #[test]
    fn credentials_are_allowed_by_the_setting_alone() {
        for (credentials, header) in [(false, None), (true, Some("true"))] {
            let cors = Cors::new(vec![HeaderValue::from_static(APP)], credentials);
            for (origin, header) in [(APP, header), ("https://evil.example", None)] {
                let mut headers = HeaderMap::new();
                cors.grant(cors.allowed(&request(Method::GET, origin)), &mut headers);
                let sent =
                    headers.get("access-control-allow-credentials").map(|value| value.to_str().unwrap());
                assert_eq!(sent, header, "{origin}");
            }
        }
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
        for header in ["origin", "access-control-request-method", "x-request-id"] {
            let alone = Request::builder().method(Method::OPTIONS).header(header, APP).finish();
            assert!(cors().preflight(&alone).is_none(), "{header}");
        }
    }

    #[test]
    fn cookies_of_a_listed_page_are_warned_of_once_unless_they_are_allowed() {
        const OTHER: &str = "https://other.example";
        let lines = crate::log::capture();
        let ask = |cors: &Cors, origin: &str, cookie: Option<&str>| {
            let mut request = request(Method::GET, origin);
            if let Some(cookie) = cookie {
                request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
            }
            cors.allowed(&request)
        };
        let listed = || [APP, OTHER].map(HeaderValue::from_static).to_vec();
        let cors = Cors::new(listed(), false);
        ask(&cors, APP, None);
        ask(&cors, "https://evil.example", Some("a=b"));
        assert!(lines().is_empty());
        for origin in [APP, OTHER, APP] {
            assert_eq!(ask(&cors, origin, Some("a=b")).unwrap(), origin);
        }
        let warned = lines();
        let origins: Vec<_> = warned.iter().map(|line| line["origin"].as_str().unwrap()).collect();
        assert_eq!(origins, [APP, OTHER]);
        for line in warned {
            assert_eq!(line["level"], "WARN");
            assert!(line["message"].as_str().unwrap().contains("cors_credentials = true"), "{line}");
            assert!(!line.to_string().contains("a=b"), "{line}");
        }
        ask(&Cors::new(listed(), true), APP, Some("a=b"));
        assert!(lines().is_empty());
    }
}
