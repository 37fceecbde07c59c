//! Tokens: how claims become PASETO text and back, and the keys for it.
//!
//! Text from outside becomes claims only through [`keyring::TrustedKeys::verify`] and
//! [`keyring::Keyring::open_refresh`]; both check everything a token can be wrong in except time and revocation,
//! which are decided elsewhere with a clock and a store at hand. A key never comes from a token: the footer is
//! looked up by its exact bytes among the known ones.
//!
//! Rooms: [`access`] and [`refresh`] are the two kinds of token, [`feed`] what followers are told in, [`footer`] their key
//! id, [`keyring`] and [`public_keys`] the keys, [`sealing`] how secrets rest, [`seen`] the memory of verified signatures,
//! `signing` the signatures themselves.

pub mod access;
pub mod feed;
pub mod footer;
pub mod keyring;
pub mod public_keys;
pub mod refresh;
pub mod sealing;
pub mod seen;
mod signing;

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 2048;

/// A text is not a token of ours: of another kind, key, issuer or audience, altered, or too long. Which of these is
/// nobody's business but the developer's in a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an authentic token")]
pub struct NotAuthentic;

/// A key could not be used to make a token; it was checked when it was loaded, so this does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token could not be made")]
pub struct MintError;
