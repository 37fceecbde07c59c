//! The encodings of Django's password hashers, read strictly.
//!
//! The parameters of a hash decide how much work its verification is, so each has a limit: a user table made by an
//! attacker must not make a sign-in take minutes or gigabytes. A hash within the limits takes at most some two seconds
//! and [`MOST_MEMORY`] to verify.
//!
//! The forms are those of `django.contrib.auth.hashers`. Its Argon2 form is `argon2` and a PHC string.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, STANDARD_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine};

/// The most memory that the verification of one hash may take, in bytes. Django's Argon2 takes 100 MiB, its scrypt 16.
pub const MOST_MEMORY: usize = 256 << 20;

/// The most iterations of PBKDF2. Django 5.2 has 1,000,000 and adds about a fifth with each version.
const MOST_ITERATIONS: u32 = 5_000_000;

/// The highest cost of bcrypt, a power of two; Django has 12.
const MOST_BCRYPT_COST: u32 = 15;

/// The most blocks of scrypt, N·r·p; Django has 655,360.
const MOST_SCRYPT_BLOCKS: u64 = 1 << 22;

/// The most memory that Argon2 may pass over, in KiB: its memory times its passes. Django has 204,800.
const MOST_ARGON2_PASSED_KIB: u64 = 2 << 20;

/// The longest salt, in bytes.
const LONGEST_SALT: usize = 128;

/// The longest name of an unknown algorithm that is shown.
const LONGEST_NAME: usize = 32;

/// The fewest bytes of a text that counts as a hash of an unknown algorithm. The name in a shorter one is not shown: it
/// may be part of a password.
const SHORTEST_HASH: usize = 40;

const BCRYPT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The reason why a text is not accepted as a password hash. It never contains the hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// The text is Django's mark of an account without a password, or empty.
    #[error("there is no password")]
    NoPassword,
    /// The algorithm is fast to guess, and nobody asked to accept such hashes.
    #[error("{0} is too weak to protect a password")]
    Weak(&'static str),
    /// The algorithm is not supported: its name, or `unnamed` where the text does not look like a hash.
    #[error("the algorithm {0} is not supported")]
    Unknown(String),
    /// The text is not a complete hash of its algorithm.
    #[error("not a complete {0} hash")]
    Damaged(&'static str),
    /// The parameters ask for too much work.
    #[error("the parameters of this {0} hash ask for too much work")]
    TooCostly(&'static str),
}

/// A password hash taken apart. It has no `Debug`, since a leaked hash allows offline guessing.
pub enum HashEncoding<'a> {
    /// Argon2: the PHC string, whose parameters are within the limits.
    Argon2(&'a str),
    /// PBKDF2 with an HMAC.
    Pbkdf2 {
        /// The hash function of the HMAC.
        function: HmacFunction,
        /// The number of iterations.
        iterations: u32,
        /// The salt.
        salt: &'a str,
        /// The expected output.
        output: Vec<u8>,
    },
    /// bcrypt.
    Bcrypt {
        /// Whether the password is hashed with SHA-256 first, and bcrypt gets that in hexadecimal.
        prehashed: bool,
        /// The cost: two to the power of it is the number of rounds.
        cost: u32,
        /// The salt.
        salt: [u8; 16],
        /// The expected output, of which bcrypt keeps 23 bytes.
        output: Vec<u8>,
    },
    /// scrypt.
    Scrypt {
        /// N as a power of two.
        log_n: u8,
        /// The block size.
        r: u32,
        /// The parallelism.
        p: u32,
        /// The salt.
        salt: &'a str,
        /// The expected output.
        output: Vec<u8>,
    },
    /// One round of a fast hash function over the salt and the password.
    Weak {
        /// The hash function.
        function: FastFunction,
        /// The salt; empty where there is none.
        salt: &'a str,
        /// The expected output.
        output: Vec<u8>,
    },
}

/// The hash function of PBKDF2's HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacFunction {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A hash function that is too fast for passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastFunction {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
}

impl<'a> HashEncoding<'a> {
    /// The names of the algorithms, as Django writes them at the beginning of a hash.
    pub const ALGORITHMS: [&'static str; 8] =
        ["argon2", "bcrypt", "bcrypt_sha256", "md5", "pbkdf2_sha1", "pbkdf2_sha256", "scrypt", "sha1"];

    /// Reads an encoded hash: one of Django's, or an Argon2 hash in PHC form.
    pub fn read(text: &'a str) -> Result<Self, PasswordHashError> {
        if text.is_empty() || text.starts_with('!') {
            return Err(PasswordHashError::NoPassword);
        }
        let (named, rest) = text.split_once('$').unwrap_or_default();
        let algorithm = Self::ALGORITHMS.into_iter().find(|known| *known == named);
        let read = match (algorithm, rest) {
            (Some("argon2"), phc) => argon2(text.get(text.len() - phc.len() - 1..)),
            (Some("bcrypt"), rest) => bcrypt(false, rest),
            (Some("bcrypt_sha256"), rest) => bcrypt(true, rest),
            (Some("md5"), rest) => weak(FastFunction::Md5, rest),
            (Some("sha1"), rest) => weak(FastFunction::Sha1, rest),
            (Some("pbkdf2_sha1"), rest) => pbkdf2(HmacFunction::Sha1, rest),
            (Some("pbkdf2_sha256"), rest) => pbkdf2(HmacFunction::Sha256, rest),
            (Some("scrypt"), rest) => scrypt(rest),
            (None, phc) if named.is_empty() && phc.starts_with("argon2") => argon2(Some(text)),
            _ => return Err(PasswordHashError::Unknown(unknown(text))),
        };
        let algorithm = algorithm.unwrap_or("argon2");
        read.map_err(|fault| match fault {
            Fault::Damaged => PasswordHashError::Damaged(algorithm),
            Fault::TooCostly => PasswordHashError::TooCostly(algorithm),
        })
    }
}

enum Fault {
    Damaged,
    TooCostly,
}

/// The name of an unknown algorithm, or `unnamed` where the text may be anything, as a password in plain text.
fn unknown(text: &str) -> String {
    let mut parts = text.trim_start_matches('$').splitn(3, '$');
    let name = parts.next().filter(|_| parts.count() == 2 && text.len() >= SHORTEST_HASH);
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    let name = name.filter(|name| (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain));
    name.unwrap_or("unnamed").to_owned()
}

fn number<N: std::str::FromStr + ToString>(text: &str) -> Result<N, Fault> {
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<N>() {
        Ok(number) if number.to_string() == text => Ok(number),
        // Too large for its type.
        Err(_) if all_digits => Err(Fault::TooCostly),
        _ => Err(Fault::Damaged),
    }
}

fn up_to<N: PartialOrd + Copy>(most: N, number: N) -> Result<N, Fault> {
    if number <= most { Ok(number) } else { Err(Fault::TooCostly) }
}

fn decoded(engine: &impl Engine, text: &str, bytes: usize) -> Result<Vec<u8>, Fault> {
    engine.decode(text).ok().filter(|decoded| decoded.len() == bytes).ok_or(Fault::Damaged)
}

fn salted(salt: &str) -> Result<&str, Fault> {
    if (1..=LONGEST_SALT).contains(&salt.len()) { Ok(salt) } else { Err(Fault::Damaged) }
}

/// Splits a text into exactly `N` parts at its dollar signs.
fn parts<const N: usize>(text: &str) -> Result<[&str; N], Fault> {
    let parts: Vec<_> = text.split('$').collect();
    parts.try_into().map_err(|_| Fault::Damaged)
}

/// Reads `ITERATIONS$SALT$OUTPUT`.
fn pbkdf2(function: HmacFunction, text: &str) -> Result<HashEncoding<'_>, Fault> {
    let [iterations, salt, output] = parts(text)?;
    let iterations = up_to(MOST_ITERATIONS, number(iterations)?)?;
    let bytes = match function {
        HmacFunction::Sha1 => 20,
        HmacFunction::Sha256 => 32,
    };
    let output = decoded(&STANDARD, output, bytes)?;
    if iterations == 0 {
        return Err(Fault::Damaged);
    }
    Ok(HashEncoding::Pbkdf2 { function, iterations, salt: salted(salt)?, output })
}

/// Reads `$2b$COST$SALT+OUTPUT`: Django writes the whole of bcrypt's own form, which begins with a dollar sign.
fn bcrypt(prehashed: bool, text: &str) -> Result<HashEncoding<'_>, Fault> {
    let ["", "2a" | "2b" | "2y", cost, data] = parts(text)? else { return Err(Fault::Damaged) };
    let two_digits = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
    let cost: u32 = cost.parse().ok().filter(|cost| two_digits && *cost >= 4).ok_or(Fault::Damaged)?;
    let (salt, output) = data.split_at_checked(22).ok_or(Fault::Damaged)?;
    let salt = decoded(&BCRYPT, salt, 16)?.try_into().map_err(|_| Fault::Damaged)?;
    let output = decoded(&BCRYPT, output, 23)?;
    Ok(HashEncoding::Bcrypt { prehashed, cost: up_to(MOST_BCRYPT_COST, cost)?, salt, output })
}

/// Reads `N$SALT$R$P$OUTPUT`.
fn scrypt(text: &str) -> Result<HashEncoding<'_>, Fault> {
    let [n, salt, r, p, output] = parts(text)?;
    let (n, r, p): (u32, u32, u32) = (number(n)?, number(r)?, number(p)?);
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
        return Err(Fault::Damaged);
    }
    let blocks = u64::from(n).checked_mul(u64::from(r)).and_then(|blocks| blocks.checked_mul(u64::from(p)));
    up_to(MOST_SCRYPT_BLOCKS, blocks.ok_or(Fault::TooCostly)?)?;
    // The product is within its limit, so no factor is large.
    up_to(MOST_MEMORY, scrypt_memory(n.ilog2(), r, p))?;
    let log_n = u8::try_from(n.ilog2()).map_err(|_| Fault::Damaged)?;
    Ok(HashEncoding::Scrypt { log_n, r, p, salt: salted(salt)?, output: decoded(&STANDARD, output, 64)? })
}

/// The memory of an scrypt hash within the limits, in bytes.
pub fn scrypt_memory(log_n: u32, r: u32, p: u32) -> usize {
    let blocks = (1_u64 << log_n.min(32)) + u64::from(p);
    usize::try_from(blocks.saturating_mul(128 * u64::from(r))).unwrap_or(usize::MAX)
}

/// Reads `$argon2id$v=19$m=…,t=…,p=…$SALT$OUTPUT`; `argon2i`, and no version for the first one, were Django's before.
fn argon2(phc: Option<&str>) -> Result<HashEncoding<'_>, Fault> {
    let phc = phc.ok_or(Fault::Damaged)?;
    let mut rest = phc.strip_prefix('$').ok_or(Fault::Damaged)?.split('$').peekable();
    let mut next = || rest.next_if(|part| !part.is_empty());
    let (Some(variant @ ("argon2id" | "argon2i")), Some(mut parameters)) = (next(), next()) else {
        return Err(Fault::Damaged);
    };
    if variant == "argon2id" && !parameters.starts_with("v=") {
        return Err(Fault::Damaged);
    }
    if let Some(version) = parameters.strip_prefix("v=") {
        parameters = next().filter(|_| version == "19").ok_or(Fault::Damaged)?;
    }
    let (Some(salt), Some(output), None) = (next(), next(), rest.next()) else { return Err(Fault::Damaged) };
    let mut costs = parameters.split(',');
    let mut cost = |name: &str| -> Result<u32, Fault> {
        number(costs.next().and_then(|cost| cost.strip_prefix(name)).ok_or(Fault::Damaged)?)
    };
    let (memory, passes, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
    let sizes = [(salt, 8..=48), (output, 16..=64)];
    let complete = sizes.into_iter().all(|(text, bytes)| {
        STANDARD_NO_PAD.decode(text).is_ok_and(|decoded| bytes.contains(&decoded.len()))
    });
    if !complete || costs.next().is_some() || passes == 0 || lanes == 0 || memory / 8 < lanes {
        return Err(Fault::Damaged);
    }
    up_to(16, lanes)?;
    up_to(32, passes)?;
    up_to(MOST_MEMORY as u64, u64::from(memory) << 10)?;
    up_to(MOST_ARGON2_PASSED_KIB, u64::from(memory) * u64::from(passes))?;
    Ok(HashEncoding::Argon2(phc))
}

/// Reads `SALT$OUTPUT`, the output in hexadecimal.
fn weak(function: FastFunction, text: &str) -> Result<HashEncoding<'_>, Fault> {
    let [salt, hex] = parts(text)?;
    let digits = match function {
        FastFunction::Md5 => 32,
        FastFunction::Sha1 => 40,
    };
    let lower = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    if hex.len() != digits || salt.len() > LONGEST_SALT || !hex.as_bytes().iter().all(lower) {
        return Err(Fault::Damaged);
    }
    let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let output = (0..digits).step_by(2).map(byte).collect::<Option<_>>().ok_or(Fault::Damaged)?;
    Ok(HashEncoding::Weak { function, salt, output })
}
