//! Verification of the password hashes that other systems made: Django's hashers except Argon2.
//!
//! Such hashes come with imported users. The first sign-in replaces each by one of this service.

use md5::Md5;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::HashingError;
use crate::model::password::encoding::{FastFunction, HashEncoding, HmacFunction, scrypt_memory};
use crate::model::password::{Password, PasswordHash};

/// The most bytes of a password that bcrypt reads, with the zero byte after it.
const BCRYPT_BYTES: usize = 72;

/// The verification of a password against the hash of another system.
pub(super) struct ForeignJob(PasswordHash);

impl ForeignJob {
    /// The job of a stored hash; `None` for an Argon2 hash.
    pub(super) fn read(stored: &PasswordHash) -> Result<Option<Self>, HashingError> {
        if stored.as_str().starts_with('$') {
            return Ok(None);
        }
        match HashEncoding::read(stored.as_str()) {
            Ok(_) => Ok(Some(Self(stored.clone()))),
            Err(_) => Err(HashingError::Unusable),
        }
    }

    /// The memory that the job takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        match HashEncoding::read(self.0.as_str()) {
            Ok(HashEncoding::Scrypt { log_n, r, p, .. }) => scrypt_memory(log_n.into(), r, p),
            _ => 0,
        }
    }

    /// Whether the password, as the client sent it, is the one that was hashed.
    pub(super) fn matches(&self, password: &Password) -> Result<bool, HashingError> {
        let password = password.expose_presented();
        let encoding = HashEncoding::read(self.0.as_str()).map_err(|_| HashingError::Unusable)?;
        let (made, expected) = match encoding {
            HashEncoding::Argon2(_) => return Err(HashingError::Unusable),
            HashEncoding::Pbkdf2 { function, iterations, salt, output } => {
                let mut made = Zeroizing::new(vec![0; output.len()]);
                match function {
                    HmacFunction::Sha1 => {
                        pbkdf2_hmac::<Sha1>(password, salt.as_bytes(), iterations, &mut made);
                    }
                    HmacFunction::Sha256 => {
                        pbkdf2_hmac::<Sha256>(password, salt.as_bytes(), iterations, &mut made);
                    }
                }
                (made, output)
            }
            HashEncoding::Bcrypt { prehashed, cost, salt, output } => {
                let mut made = bcrypt_of(prehashed, cost, salt, password);
                made.truncate(output.len());
                (made, output)
            }
            HashEncoding::Scrypt { log_n, r, p, salt, output } => {
                let parameters = scrypt::Params::new(log_n, r, p).map_err(|_| HashingError::Unusable)?;
                let mut made = Zeroizing::new(vec![0; output.len()]);
                scrypt::scrypt(password, salt.as_bytes(), &parameters, &mut made)
                    .map_err(|_| HashingError::Failed)?;
                (made, output)
            }
            HashEncoding::Weak { function, salt, output } => {
                let made = match function {
                    FastFunction::Md5 => {
                        Md5::new().chain_update(salt).chain_update(password).finalize().to_vec()
                    }
                    FastFunction::Sha1 => {
                        Sha1::new().chain_update(salt).chain_update(password).finalize().to_vec()
                    }
                };
                (Zeroizing::new(made), output)
            }
        };
        Ok(made.ct_eq(&expected).into())
    }
}

fn bcrypt_of(prehashed: bool, cost: u32, salt: [u8; 16], password: &[u8]) -> Zeroizing<Vec<u8>> {
    // Growing would leave unwiped copies behind.
    let mut key = Zeroizing::new(Vec::with_capacity(password.len().max(BCRYPT_BYTES) + 1));
    if prehashed {
        for byte in Sha256::digest(password) {
            key.extend(
                [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }),
            );
        }
    } else {
        key.extend(password);
    }
    key.push(0);
    key.truncate(BCRYPT_BYTES);
    Zeroizing::new(bcrypt::bcrypt(cost, salt, &key).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::password::WeakHashes;

    /// Hashes of "correct horse": one of each of Django's hashers but Argon2, made by Django, and two in the forms of
    /// the hashers it has dropped, made with Python's hashlib.
    const RECORDED: [&str; 8] = [
        "pbkdf2_sha256$1000000$8YmITtm2VzzmY2nGaYkUxj$kKDbrpIeCoF5qnz6L/3+GdfaUIG5nTz3IDssluggnpk=",
        "bcrypt_sha256$$2b$12$7RBYhIXhRbW/W5BoRyTKw.lQ5DEr81Gmpw24VZHI1bdBmtg8xjcIy",
        "bcrypt$$2b$12$AQo5fsBrWLTAG82bB9cQWehbn3.nlMfltaFZCRgZ3b5wlRuuRuZ4y",
        "scrypt$16384$tS3HRXxAE2WWMRb0u2HXJ4$8$5$9uaAhjgjdRa+EdqHtPGoEB7iFKLh3ZOoH0R8xx/QDzyEIkyAtKL+d4ILaWgwLd2odhm8JGeSmtRicVt3t6OUrQ==",
        "pbkdf2_sha1$1000000$Jux1yia97bFFa0EkhQsKs2$lfQc8qlIaHamVbAcUD5m+wFiSmQ=",
        "md5$IXmsyDFNEAjOvotyY4Ng2k$5a81331fb1846b8e57abe2b2e48bcb3b",
        "md5$$3cb4e732631f47e6eb961f34554b7cde",
        "sha1$salt$619a8b7fb0e2b3f5d24ab3bc0b53ce167a50f893",
    ];

    fn matches(hash: &str, password: &str) -> bool {
        let hash = PasswordHash::imported(hash, WeakHashes::Accept).unwrap();
        let job = ForeignJob::read(&hash).unwrap().unwrap();
        job.matches(&Password::presented(password).unwrap()).unwrap()
    }

    #[test]
    fn the_recorded_hashes_match_their_password_only() {
        for hash in RECORDED {
            assert!(matches(hash, "correct horse"), "{hash}");
            assert!(!matches(hash, "Correct horse"), "{hash}");
        }
    }

    #[test]
    fn the_text_is_verified_as_it_was_typed() {
        // pbkdf2_hmac("sha256", "Zoe\u{308}\u{A0}1234".encode(), b"salt", 1)
        let hash = "pbkdf2_sha256$1$salt$gHjrTku5gsqMrRxhohs0V8dK3MKwqRn9hFlahoYdaj0=";
        assert!(matches(hash, "Zoe\u{308}\u{A0}1234"));
        assert!(!matches(hash, "Zoë 1234"));
    }

    #[test]
    fn bcrypt_reads_72_bytes_and_after_sha256_the_whole_password() {
        // Made with Python's bcrypt: hashpw(b"a" * 72, …), and of the SHA-256 of b"a" * 80 in hexadecimal.
        let (plain, prehashed) = (
            "bcrypt$$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe",
            "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuPyIqj2wL6Wc7Io3l2fPv18mNiqjX5p.",
        );
        assert!(matches(plain, &"a".repeat(72)));
        assert!(matches(plain, &"a".repeat(80)), "as Django's bcrypt");
        assert!(!matches(plain, &"a".repeat(71)));
        assert!(matches(prehashed, &"a".repeat(80)));
        assert!(!matches(prehashed, &"a".repeat(81)));
        assert!(!matches(prehashed, ""));
    }

    #[test]
    fn only_scrypt_takes_memory() {
        let memory = |hash| ForeignJob::read(&PasswordHash::parse(hash).unwrap()).unwrap().unwrap().memory();
        assert_eq!(memory(RECORDED[3]), 128 * 8 * (16_384 + 5));
        assert_eq!(memory(RECORDED[0]), 0);
    }

    #[test]
    fn a_stored_hash_that_asks_for_too_much_is_refused_before_any_work() {
        let hash = PasswordHash::from_stored(&RECORDED[0].replace("1000000", "4000000000")).unwrap();
        assert_eq!(ForeignJob::read(&hash).err(), Some(HashingError::Unusable));
    }
}
