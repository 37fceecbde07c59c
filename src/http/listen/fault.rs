//! Invalid heads of requests (RFC 9112), found before the application sees anything of them.

use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{StatusCode, Version};

/// The default for the longest request target in bytes. RFC 9110 §4.1 recommends at least 8,000.
pub(super) const LONGEST_TARGET: usize = 8_000;

/// The largest head of a request in bytes.
pub(super) const LARGEST_HEAD: usize = 48 * 1024;

/// Why the server loop refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// The head cannot be read as HTTP/1.
    Malformed,
    /// The head has no `Host`, several, or an invalid one (RFC 9112 §3.2).
    Host,
    /// The body has a transfer coding other than `chunked` (RFC 9112 §6.1).
    TransferCoding,
    /// The request target is too long.
    TargetTooLong,
    /// The head is too large, or has too many lines.
    HeadTooLarge,
    /// The client has as many requests through proxies at once as an address may have connections.
    TooManyAtOnce,
}

impl RequestFault {
    /// Every fault.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Host,
        Self::TransferCoding,
        Self::TargetTooLong,
        Self::HeadTooLarge,
        Self::TooManyAtOnce,
    ];

    /// The HTTP status of an answer to the fault.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Host => StatusCode::BAD_REQUEST,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyAtOnce => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What the client should do about the fault.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Malformed => "The request could not be read as HTTP/1.1.",
            Self::Host => "Send one `Host` header with the host and port of the URL.",
            Self::TransferCoding => "Send the body with `Content-Length` or `Transfer-Encoding: chunked`.",
            Self::TargetTooLong => "Send a shorter path and query: 8,000 bytes always fit.",
            Self::HeadTooLarge => "The headers may have at most 48 KiB and 100 lines.",
            Self::TooManyAtOnce => "Wait for the answers to the requests that run.",
        }
    }

    /// Logs that a request was refused, where no line is written for each request. The target says that such
    /// lines may be dropped when there are too many, since anybody can cause them.
    pub fn note(self) {
        let status = self.status().as_u16();
        tracing::info!(target: "rescind::request", status, reason = self.advice(), "a request is refused");
    }

    /// The fault of a head that could be read, if any.
    pub(super) fn of(head: &Parts, longest_target: usize) -> Option<Self> {
        // The target without scheme and host, which only requests to proxies have.
        if head.uri.path_and_query().is_some_and(|target| target.as_str().len() > longest_target) {
            return Some(Self::TargetTooLong);
        }
        let mut hosts = head.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.as_bytes().iter().all(|byte| is_of_a_host(*byte)),
            (None, _) => head.version < Version::HTTP_11,
            (Some(_), Some(_)) => false,
        };
        if !host {
            return Some(Self::Host);
        }
        let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        let coding = match (codings.next(), codings.next()) {
            (None, _) => true,
            (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
            (Some(_), Some(_)) => false,
        };
        (!coding).then_some(Self::TransferCoding)
    }

    /// The fault of a head that could not be read; `rest` holds the unread bytes, the whole head where it was too
    /// large.
    pub(super) fn of_unreadable(error: &hyper::Error, rest: &[u8]) -> Self {
        if error.is_parse_too_large() {
            return if rest.contains(&b'\n') { Self::HeadTooLarge } else { Self::TargetTooLong };
        }
        // hyper reports this fault in its text only.
        if error.to_string().contains("transfer-encoding") { Self::TransferCoding } else { Self::Malformed }
    }
}

/// Whether a byte is allowed in a host with a port (RFC 3986 §3.2.2).
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn fault(version: Version, headers: &[(&str, &[u8])]) -> Option<RequestFault> {
        let mut request = Request::builder().version(version).uri("/livez");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        RequestFault::of(&request.body(()).unwrap().into_parts().0, LONGEST_TARGET)
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["id.example", "id.example:8080", "[::1]:8080", "127.0.0.1", "", "a_b.example"] {
            assert_eq!(fault(Version::HTTP_11, &[("host", host.as_bytes())]), None, "{host}");
        }
        for host in
            [b"a b".as_slice(), b"a/b", b"eve@id.example", b"a\xe9", b"a, b", b"http://a", b"a?b", b"a#b"]
        {
            assert_eq!(fault(Version::HTTP_11, &[("host", host)]), Some(RequestFault::Host), "{host:?}");
        }
        assert_eq!(fault(Version::HTTP_11, &[]), Some(RequestFault::Host));
        assert_eq!(fault(Version::HTTP_10, &[]), None, "HTTP/1.0 knows no Host");
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let two: [(&str, &[u8]); 2] = [("host", b"a"), ("host", b"a")];
            assert_eq!(fault(version, &two), Some(RequestFault::Host));
        }
    }

    #[test]
    fn no_transfer_coding_but_chunked_is_known() {
        let coded = |coding: &str| {
            fault(Version::HTTP_11, &[("host", b"a"), ("transfer-encoding", coding.as_bytes())])
        };
        assert_eq!(coded("chunked"), None);
        assert_eq!(coded("Chunked"), None);
        for coding in ["gzip, chunked", "chunked, chunked", "identity, chunked", "chunked;q=1", "\"chunked\""]
        {
            assert_eq!(coded(coding), Some(RequestFault::TransferCoding), "{coding}");
        }
    }

    #[test]
    fn a_flood_of_faults_may_be_dropped_from_the_log() {
        let lines = crate::log::capture();
        RequestFault::HeadTooLarge.note();
        let line = &lines()[0];
        assert_eq!((&line["target"], &line["level"]), (&"rescind::request".into(), &"INFO".into()));
        assert_eq!((&line["message"], &line["status"]), (&"a request is refused".into(), &431.into()));
        assert_eq!(line["reason"], RequestFault::HeadTooLarge.advice());
    }

    #[test]
    fn a_target_has_an_end() {
        let target = |length| {
            let uri = format!("/{}", "a".repeat(length - 1));
            let request = Request::builder().version(Version::HTTP_10).uri(uri).body(()).unwrap();
            RequestFault::of(&request.into_parts().0, LONGEST_TARGET)
        };
        assert_eq!(target(LONGEST_TARGET), None);
        assert_eq!(target(LONGEST_TARGET + 1), Some(RequestFault::TargetTooLong));
    }
}
