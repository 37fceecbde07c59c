//! The id of the request on whose behalf a task runs, for the lines that the request causes.

use std::fmt;
use std::future::Future;

/// The most bytes of a request id.
const LONGEST: usize = 64;

tokio::task_local! {
    static REQUEST_ID: RequestId;
}

/// The id of one request: 1 to 64 letters, digits, dots, underscores and hyphens.
///
/// It is kept in place: every request has one, in its log line, its answer and its task.
#[derive(Clone, Copy)]
pub struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// The id that a client sent, if it is plain enough to be logged.
    pub fn parse(given: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..given.len()).filter(|kept| !kept.is_empty())?.copy_from_slice(given);
        given.iter().all(plain).then_some(Self { bytes, length: given.len() })
    }

    /// The id with a number and a count, both in hexadecimal: 16 digits, a hyphen and as many digits as the count has.
    pub fn numbered(number: u64, count: u64) -> Self {
        let digit = move |number: u64, place: u32| {
            let value = usize::try_from(number >> (4 * place) & 15).unwrap_or_default();
            b"0123456789abcdef".get(value).copied().unwrap_or(b'0')
        };
        let digits = |number: u64| (0..16).rev().map(move |place| digit(number, place));
        let leading = (count.leading_zeros() as usize / 4).min(15);
        let mut id = Self { bytes: [0; LONGEST], length: 0 };
        for byte in digits(number).chain([b'-']).chain(digits(count).skip(leading)) {
            if let Some(place) = id.bytes.get_mut(id.length) {
                *place = byte;
                id.length += 1;
            }
        }
        id
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Runs `answering` on behalf of a request: every line that names the current request has its id.
pub async fn caused_by<F: Future>(request_id: RequestId, answering: F) -> F::Output {
    REQUEST_ID.scope(request_id, answering).await
}

/// The id of the current request; `None` in tasks of the service itself.
pub fn request_id() -> Option<String> {
    REQUEST_ID.try_with(|id| id.as_str().to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_count_are_written_in_hexadecimal() {
        for (number, count) in
            [(0, 0), (7, 1), (u64::MAX, 15), (0x0123_4567_89ab_cdef, 16), (1, 0xfff), (2, u64::MAX)]
        {
            assert_eq!(RequestId::numbered(number, count).as_str(), format!("{number:016x}-{count:x}"));
        }
    }

    #[test]
    fn a_plain_id_is_kept_and_no_other() {
        let parsed = |text: &str| RequestId::parse(text.as_bytes()).map(|id| id.as_str().to_owned());
        for plain in ["edge-1.abc_9", "a", &"a".repeat(64)] {
            assert_eq!(parsed(plain).as_deref(), Some(plain));
        }
        for strange in ["", "two words", "a\"b", "é", &"a".repeat(65)] {
            assert_eq!(parsed(strange), None, "{strange:?}");
        }
    }
}
