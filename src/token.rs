//! Tokens: encoding claims as PASETO text and decoding them, and the keys for it.
//!
//! Text from outside becomes claims only through [`keyring::TrustedKeys::verify`] and
//! [`keyring::Keyring::open_refresh`]; both check everything about a token except time and revocation, which need a
//! clock and a store. A verifier uses `public_keys::PublicKeys::authentic`, which checks only the signature and the
//! format: its caller compares issuer and audience. A key never comes from a token: the footer is compared byte for byte
//! with those of the known keys.
//!
//! Modules: [`access`] and [`refresh`] the two kinds of token; [`feed`] the signed texts of the feed; [`footer`] the
//! key id in a token; [`keyring`] and [`public_keys`] the keys; [`rejection_codes`] why a
//! token is refused; [`sealing`] the encryption of stored secrets; [`seen`] the cache of verified signatures; `signing` PASETO `v4.public`;
//! [`simplejwt`] the refresh tokens of another system, which are exchanged.

pub mod access;
pub mod feed;
pub mod footer;
pub mod keyring;
pub mod public_keys;
pub mod refresh;
pub mod rejection_codes;
pub mod sealing;
pub mod seen;
mod signing;
#[cfg(feature = "server")]
pub mod simplejwt;

/// The longest accepted token, in bytes; longer text is refused before it is decoded.
pub const LONGEST: usize = 2048;

/// A text that is not an authentic token of this issuer: another kind, key, issuer or audience, altered, or too long.
/// The error deliberately does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an authentic token")]
pub struct NotAuthentic;

/// A token could not be made with a key. Keys are checked when they are loaded, so this is not expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token could not be made")]
pub struct MintError;
