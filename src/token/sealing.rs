//! Sealing: encryption of stored secrets under the master key.

use std::fmt;

use pasetors::Local;
use pasetors::keys::{Generate as _, SymmetricKey};
use pasetors::paserk::FormatAsPaserk;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use zeroize::{Zeroize as _, Zeroizing};

use crate::model::key::Kid;
use crate::world::World;

/// The key that signing keys are sealed under: a PASERK `k4.local.…` line in a file of the operator.
///
/// The process keeps it, since another node may change the signing keys at any time. In memory it is masked with
/// random bytes stored elsewhere, so that neither a fragment of memory nor a search for the key reveals it; it is
/// unmasked only for each use.
pub struct MasterKey {
    masked: Zeroizing<Vec<u8>>,
    mask: SymmetricKey<V4>,
}

/// A sealed secret was sealed under another master key, or altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key was sealed under another master key, or altered")]
pub struct SealError;

impl MasterKey {
    /// Generates a new master key.
    pub fn draw(world: &World) -> Option<Self> {
        without_traces(|| {
            let bytes = Zeroizing::new(world.random::<32>());
            let key = SymmetricKey::from(bytes.as_slice()).ok()?;
            Self::masked(&key)
        })
    }

    /// Parses a PASERK `k4.local.…` line, with or without a line end.
    pub fn parse(text: &str) -> Option<Self> {
        without_traces(|| {
            let key = SymmetricKey::try_from(text.trim_end_matches(['\r', '\n'])).ok()?;
            Self::masked(&key)
        })
    }

    fn masked(key: &SymmetricKey<V4>) -> Option<Self> {
        let mask = SymmetricKey::generate().ok()?;
        Some(Self { masked: combined(key.as_bytes(), mask.as_bytes()), mask })
    }

    /// Unmasks the key for one use.
    fn expose(&self) -> Result<SymmetricKey<V4>, SealError> {
        SymmetricKey::from(&combined(&self.masked, self.mask.as_bytes())).map_err(|_| SealError)
    }

    /// The PASERK line, only for writing the key file.
    pub fn paserk(&self) -> Zeroizing<String> {
        let mut line = String::new();
        // The bytes were a key before, and formatting into a string cannot fail.
        let _ = without_traces(|| self.expose().map(|key| key.fmt(&mut line)));
        Zeroizing::new(line)
    }

    /// Seals a secret of the key `kid`; it opens under no other id.
    pub(super) fn seal(&self, kid: &Kid, secret: &[u8]) -> Result<String, SealError> {
        without_traces(|| {
            let (key, secret) = (self.expose()?, secret_text(secret));
            LocalToken::encrypt(&key, secret.as_bytes(), None, Some(&purpose(kid))).map_err(|_| SealError)
        })
    }

    /// Opens a secret sealed by [`MasterKey::seal`].
    pub(super) fn open(&self, kid: &Kid, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        without_traces(|| {
            let untrusted = UntrustedToken::<Local, V4>::try_from(sealed).map_err(|_| SealError)?;
            let opened = LocalToken::decrypt(&self.expose()?, &untrusted, None, Some(&purpose(kid)));
            from_secret_text(opened.map_err(|_| SealError)?.payload()).ok_or(SealError)
        })
    }
}

/// Runs `work`, then overwrites the part of the stack it used, where the libraries leave copies of keys.
fn without_traces<T>(work: impl FnOnce() -> T) -> T {
    let done = below(work);
    clear_below();
    done
}

#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// The number of bytes of stack to overwrite: more than the deepest of these computations uses in an unoptimized
/// build.
const DEEPEST: usize = 48 * 1024;

#[inline(never)]
#[allow(clippy::large_stack_arrays, reason = "the stack is what is cleared")]
fn clear_below() {
    let mut stack = [0_u8; DEEPEST];
    stack.zeroize();
    std::hint::black_box(&mut stack);
}

/// Masks or unmasks a key: the XOR of both.
fn combined(key: &[u8], mask: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(key.iter().zip(mask).map(|(key, mask)| key ^ mask).collect())
}

/// Encodes a secret as base64, because a PASETO payload is UTF-8.
fn secret_text(secret: &[u8]) -> Zeroizing<String> {
    use base64::Engine as _;
    Zeroizing::new(base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret))
}

fn from_secret_text(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

fn purpose(kid: &Kid) -> Vec<u8> {
    format!("rescind/key/v1/{kid}").into_bytes()
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    fn kid(letter: &str) -> Kid {
        Kid::parse(&format!("k4.pid.{}", letter.repeat(44))).unwrap()
    }

    #[test]
    fn a_secret_opens_under_its_own_master_key_and_id_only() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 1);
        let (ours, other) = (MasterKey::draw(&world).unwrap(), MasterKey::draw(&world).unwrap());
        let sealed = ours.seal(&kid("A"), b"secret").unwrap();
        assert_eq!(ours.open(&kid("A"), &sealed).unwrap().as_slice(), b"secret");
        assert!(ours.open(&kid("B"), &sealed).is_err());
        assert!(other.open(&kid("A"), &sealed).is_err());
    }

    #[test]
    fn a_master_key_survives_its_file_and_shows_itself_nowhere() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 1);
        let key = MasterKey::draw(&world).unwrap();
        let line = key.paserk();
        assert!(line.starts_with("k4.local."));
        let again = MasterKey::parse(&format!("{}\n", line.as_str())).unwrap();
        let sealed = key.seal(&kid("A"), b"secret").unwrap();
        assert_eq!(again.open(&kid("A"), &sealed).unwrap().as_slice(), b"secret");
        assert!(MasterKey::parse("k4.local.short").is_none());
        assert!(MasterKey::parse(&line.replace("k4.local", "k4.secret")).is_none());
        assert_eq!(format!("{key:?}"), "MasterKey(..)");
    }

    #[test]
    fn a_master_key_lies_masked() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 1);
        let key = MasterKey::draw(&world).unwrap();
        let plain = key.expose().unwrap();
        assert_ne!(key.masked.as_slice(), plain.as_bytes());
        assert_ne!(key.mask.as_bytes(), plain.as_bytes());
        let again = MasterKey::parse(&key.paserk()).unwrap();
        assert_ne!(key.masked, again.masked, "the mask is another one each time");
    }
}
