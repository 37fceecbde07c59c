//! The id of a request, in its answer and its log line.

use std::sync::atomic::{AtomicU64, Ordering};

use poem::http::{HeaderMap, HeaderValue};

use crate::http::headers::REQUEST_ID;
use crate::log::request_id::RequestId;

/// Generates request ids from a number of this run of the process and a count.
///
/// Request ids have to be unique, not unguessable, so a request consumes no randomness.
#[derive(Debug)]
pub struct RequestIds {
    run: u64,
    next: AtomicU64,
}

/// An id as the value of `X-Request-Id`.
pub(super) fn header(id: &RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

impl RequestIds {
    /// Generates ids of one run; `run` should be random, so that the log lines of two runs cannot be confused.
    pub fn new(run: u64) -> Self {
        Self { run, next: AtomicU64::new(1) }
    }

    /// The id of a request: `X-Request-Id` if it is plain enough to be logged, else a new one.
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        let given = headers.get(REQUEST_ID).and_then(|given| RequestId::parse(given.as_bytes()));
        given.unwrap_or_else(|| RequestId::numbered(self.run, self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).unwrap());
        RequestIds::new(7).of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_plain_id_is_kept_and_any_other_replaced() {
        assert_eq!(id("edge-1.abc_9"), "edge-1.abc_9");
        assert_eq!(id(&"a".repeat(64)), "a".repeat(64));
        for strange in ["", "two words", "a\"b", "é", &"a".repeat(65)] {
            assert_eq!(id(strange), "0000000000000007-1", "{strange:?}");
        }
    }

    #[test]
    fn ids_differ() {
        let ids = RequestIds::new(7);
        let none = HeaderMap::new();
        assert_ne!(ids.of(&none).as_str(), ids.of(&none).as_str());
    }
}
