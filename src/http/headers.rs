//! The headers of every answer, whatever made it.

use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The header with the request id: kept from the request when it is plain, and sent with every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Adds the security headers. An answer keeps its own caching and content policy where it has one: only pages and
/// published keys do, everything else may hold a token and is never stored.
///
/// `Strict-Transport-Security` is missing on purpose: only the server that ends TLS in front of this one can promise
/// it.
pub fn secure(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    headers.insert(header::X_FRAME_OPTIONS, DENY);
    headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_not_stored_unless_it_says_otherwise() {
        let mut headers = HeaderMap::new();
        secure(&mut headers);
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
        assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");

        let mut headers = HeaderMap::new();
        headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
        secure(&mut headers);
        assert_eq!(headers.get_all("cache-control").iter().collect::<Vec<_>>(), ["max-age=60"]);
    }
}
