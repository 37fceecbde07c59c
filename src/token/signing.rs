//! PASETO `v4.public`: signing payloads, and verifying them with the public key.
//!
//! From the [specification]: the text is `v4.public.`, the payload and its Ed25519 signature in base64url, and the
//! footer. Signed is the pre-authentication encoding of the header, the payload, the footer and an implicit assertion,
//! which both sides have to know. The content of the payload is not examined here.
//!
//! Verifying frames takes most of a follower's time, and signing tokens much of the issuer's. So the implementation is
//! ed25519-dalek's, which is faster than that of pasetors; `cargo bench -- verifier` compares them, and a test
//! checks that both make the same texts.
//!
//! [specification]: https://github.com/paseto-standard/paseto-spec/blob/master/docs/01-Protocol-Versions/Version4.md

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};

use super::footer::Footer;

const HEADER: &str = "v4.public.";

/// An Ed25519 secret key.
pub(super) struct SecretKey(SigningKey);

/// An Ed25519 public key.
#[derive(Clone)]
pub(super) struct PublicKey(VerifyingKey);

impl SecretKey {
    /// Reads the 64 bytes of a PASERK `k4.secret`: the seed, then the public key derived from it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        SigningKey::from_keypair_bytes(bytes.try_into().ok()?).ok().map(Self)
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `payload` and returns the PASETO text.
    pub(super) fn sign(&self, payload: &[u8], footer: &Footer, assertion: &[u8]) -> String {
        let signature = self.0.sign(&signed_part(payload, footer, assertion));
        let body = URL_SAFE_NO_PAD.encode([payload, &signature.to_bytes()].concat());
        format!("{HEADER}{body}.{}", footer.encoded)
    }
}

impl PublicKey {
    /// Reads 32 bytes. `None` if they are not a key, or a weak one, for which anyone can sign.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// The 32 bytes of the key.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The payload of a text signed with the matching secret key, exactly this footer and this assertion.
    pub(super) fn open(&self, text: &str, footer: &Footer, assertion: &[u8]) -> Option<String> {
        let body = text.strip_prefix(HEADER)?.strip_suffix(&footer.encoded)?.strip_suffix('.')?;
        let mut payload = URL_SAFE_NO_PAD.decode(body).ok()?;
        let signature = payload.split_off(payload.len().checked_sub(SIGNATURE_LENGTH)?);
        let signature = Signature::from_slice(&signature).ok()?;
        self.0.verify(&signed_part(&payload, footer, assertion), &signature).ok()?;
        String::from_utf8(payload).ok()
    }
}

/// The pre-authentication encoding (PAE): the number of pieces, then each after its length, so that no two lists are
/// encoded alike.
fn signed_part(payload: &[u8], footer: &Footer, assertion: &[u8]) -> Vec<u8> {
    let pieces = [HEADER.as_bytes(), payload, footer.json.as_bytes(), assertion];
    let mut encoded = Vec::with_capacity(8 + pieces.iter().map(|piece| 8 + piece.len()).sum::<usize>());
    encoded.extend((pieces.len() as u64).to_le_bytes());
    for piece in pieces {
        encoded.extend((piece.len() as u64).to_le_bytes());
        encoded.extend_from_slice(piece);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use pasetors::Public;
    use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
    use pasetors::token::UntrustedToken;
    use pasetors::version4::{PublicToken, V4};
    use proptest::prelude::*;

    use super::*;
    use crate::model::key::Kid;

    /// The secret key of the specification's test vectors for `v4.public`.
    const SECRET: [u8; 64] = [
        0xb4, 0xcb, 0xfb, 0x43, 0xdf, 0x4c, 0xe2, 0x10, 0x72, 0x7d, 0x95, 0x3e, 0x4a, 0x71, 0x33, 0x07, 0xfa,
        0x19, 0xbb, 0x7d, 0x9f, 0x85, 0x04, 0x14, 0x38, 0xd9, 0xe1, 0x1b, 0x94, 0x2a, 0x37, 0x74, 0x1e, 0xb9,
        0xdb, 0xbb, 0xbc, 0x04, 0x7c, 0x03, 0xfd, 0x70, 0x60, 0x4e, 0x00, 0x71, 0xf0, 0x98, 0x7e, 0x16, 0xb2,
        0x8b, 0x75, 0x72, 0x25, 0xc1, 0x1f, 0x00, 0x41, 0x5d, 0x0e, 0x20, 0xb1, 0xa2,
    ];

    const PAYLOAD: &str = r#"{"data":"this is a signed message","exp":"2022-01-01T00:00:00+00:00"}"#;

    /// The test vectors 4-S-2 and 4-S-3: implicit assertion and text.
    const VECTORS: [(&str, &str); 2] = [
        (
            "",
            "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9v3Jt8mx_TdM2ceTGoqwrh4yDFn0XsHvvV_D0DtwQxVrJEBMl0F2caAdgnpKlt4p7xBnx1HcO-SPo8FPp214HDw.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9",
        ),
        (
            r#"{"test-vector":"4-S-3"}"#,
            "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDowMDowMCswMDowMCJ9NPWciuD3d0o5eXJXG5pJy-DiVEoyPYWs1YSTwWHNJq6DZD3je5gf-0M4JR9ipdUSJbIovzmBECeaWmaqcaP0DQ.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9",
        ),
    ];

    fn key() -> SecretKey {
        SecretKey::from_bytes(&SECRET).unwrap()
    }

    /// The footer of the test vectors, whose key id is not a PASERK id.
    fn footer() -> Footer {
        Footer::of(&Kid::new("zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN".to_owned()))
    }

    #[test]
    fn the_vectors_of_the_specification_are_signed_and_opened() {
        for (assertion, text) in VECTORS {
            assert_eq!(key().sign(PAYLOAD.as_bytes(), &footer(), assertion.as_bytes()), text);
            let opened = key().public().open(text, &footer(), assertion.as_bytes());
            assert_eq!(opened.as_deref(), Some(PAYLOAD));
        }
    }

    #[test]
    fn nothing_else_than_what_was_signed_is_opened() {
        let (assertion, text) = VECTORS[1];
        let public = key().public();
        let opens = |text: &str| public.open(text, &footer(), assertion.as_bytes()).is_some();
        assert!(opens(text));
        for at in 0..text.len() {
            for other in ["A", "_", ".", "=", "v", "\u{e9}", ""] {
                let altered = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(altered == text || !opens(&altered), "{altered}");
            }
            assert!(!opens(&text[..at]) && !opens(&text[at + 1..]), "cut at {at}");
        }
        for more in [".", "=", "A", " ", "\n"] {
            assert!(!opens(&format!("{text}{more}")) && !opens(&format!("{more}{text}")), "{more:?}");
        }
        assert!(public.open(text, &footer(), b"").is_none(), "without its assertion");
        let other = Footer::of(&Kid::new("other".to_owned()));
        assert!(public.open(text, &other, assertion.as_bytes()).is_none());
        let renamed = text.replace(&footer().encoded, &other.encoded);
        assert!(public.open(&renamed, &other, assertion.as_bytes()).is_none(), "under another footer");
        assert!(!opens(
            "v4.public..eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NOeTlEZmdMMVc2MGhhTiJ9"
        ));
    }

    #[test]
    fn an_authentic_payload_that_is_no_text_is_not_opened() {
        let text = key().sign(&[0xff, 0xfe], &footer(), b"");
        assert!(key().public().open(&text, &footer(), b"").is_none());
    }

    #[test]
    fn weak_keys_and_halves_that_do_not_belong_together_are_none() {
        // The neutral element and the point of order two: any signature of theirs holds for some message.
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for weak in [[&[1][..], &[0; 31]].concat(), minus_one.to_vec()] {
            assert!(VerifyingKey::from_bytes(weak.as_slice().try_into().unwrap()).is_ok());
            assert!(PublicKey::from_bytes(&weak).is_none());
        }
        assert!(PublicKey::from_bytes(&SECRET[32..]).is_some());
        assert!(PublicKey::from_bytes(&SECRET).is_none() && PublicKey::from_bytes(&[]).is_none());
        let mut torn = SECRET;
        torn[40] ^= 1;
        assert!(SecretKey::from_bytes(&torn).is_none());
        assert!(SecretKey::from_bytes(&SECRET[..32]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        #[expect(clippy::disallowed_methods, reason = "what ours is compared with")]
        fn pasetors_makes_and_reads_the_same_texts(
            payload in ".{1,300}",
            kid in "[ -~]{0,60}",
            assertion in ".{0,40}",
        ) {
            let footer = Footer::of(&Kid::new(kid));
            let (payload, assertion) = (payload.as_bytes(), assertion.as_bytes());
            let ours = key().sign(payload, &footer, assertion);
            let secret = AsymmetricSecretKey::<V4>::from(&SECRET).unwrap();
            let theirs =
                PublicToken::sign(&secret, payload, Some(footer.json.as_bytes()), Some(assertion)).unwrap();
            prop_assert_eq!(&ours, &theirs);
            let public = AsymmetricPublicKey::<V4>::try_from(&secret).unwrap();
            let untrusted = UntrustedToken::<Public, V4>::try_from(&ours).unwrap();
            let footer_bytes = Some(footer.json.as_bytes());
            let read = PublicToken::verify(&public, &untrusted, footer_bytes, Some(assertion)).unwrap();
            prop_assert_eq!(Some(read.payload().to_owned()), key().public().open(&theirs, &footer, assertion));
        }
    }
}
