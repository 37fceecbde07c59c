//! Argon2id and its PHC strings; Argon2i, which Django made once, is verified too.

use argon2::password_hash::{self, Output, ParamsString, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::HashingError;
use crate::model::password::{Password, PasswordHash};

/// The bytes of a new hash.
const OUTPUT_BYTES: usize = 32;

/// The bytes of a new salt (RFC 9106 §3.1).
const SALT_BYTES: usize = 16;

/// The parameters of argon2id. The default is the first choice of the OWASP Password Storage Cheat Sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParameters {
    /// The memory of one hash in KiB.
    pub memory_kib: u32,
    /// The number of passes over the memory.
    pub iterations: u32,
    /// The number of lanes.
    pub parallelism: u32,
}

impl Default for HashParameters {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl HashParameters {
    /// The memory of one hash in bytes.
    pub(super) fn memory(self) -> usize {
        (self.memory_kib as usize).saturating_mul(1024)
    }

    /// Checks that argon2 supports the parameters and that they are reasonable: the parameters in a stored hash decide
    /// how much work its verification is.
    pub(super) fn check(self) -> Result<(), HashingError> {
        if !(1..=16).contains(&self.parallelism) {
            Err(HashingError::Parameters("parallelism is 1 to 16"))
        } else if !(1..=32).contains(&self.iterations) {
            Err(HashingError::Parameters("iterations are 1 to 32"))
        } else if !(8 * self.parallelism..=512 * 1024).contains(&self.memory_kib) {
            Err(HashingError::Parameters("memory is 8 KiB for each lane to 512 MiB"))
        } else {
            Ok(())
        }
    }
}

/// The salt of one hash: sixteen random bytes, never reused.
#[derive(Clone, Copy, Debug)]
pub struct Salt(pub [u8; SALT_BYTES]);

/// The inputs of an Argon2 job except the password, with the expected result.
pub(super) struct Argon2Job {
    algorithm: Algorithm,
    version: Version,
    parameters: HashParameters,
    salt: Vec<u8>,
    expected: Expected,
}

enum Expected {
    Bytes(Output),
    /// No password matches this job.
    Nothing,
}

impl Argon2Job {
    pub(super) fn fresh(parameters: HashParameters, salt: Salt) -> Self {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        Self { algorithm, version, parameters, salt: salt.0.to_vec(), expected: Expected::Nothing }
    }

    /// A job as costly as a new hash, which no password matches.
    pub(super) fn decoy(parameters: HashParameters) -> Self {
        Self::fresh(parameters, Salt([0; SALT_BYTES]))
    }

    pub(super) fn read(stored: &PasswordHash) -> Result<Self, HashingError> {
        Self::from_phc(stored.as_str()).ok_or(HashingError::Unusable)
    }

    fn from_phc(phc: &str) -> Option<Self> {
        let phc = password_hash::PasswordHash::new(phc).ok()?;
        let algorithm =
            Algorithm::try_from(phc.algorithm).ok().filter(|known| *known != Algorithm::Argon2d)?;
        let version = match phc.version {
            Some(0x13) => Version::V0x13,
            // The first version of Argon2, when there was no Argon2id, wrote none.
            None if algorithm == Algorithm::Argon2i => Version::V0x10,
            _ => return None,
        };
        let params = Params::try_from(&phc).ok()?;
        let parameters = HashParameters {
            memory_kib: params.m_cost(),
            iterations: params.t_cost(),
            parallelism: params.p_cost(),
        };
        parameters.check().ok()?;
        let expected = phc.hash.filter(|hash| hash.len() >= 16)?;
        let mut salt = [0; 64];
        let salt = phc.salt?.decode_b64(&mut salt).ok().filter(|salt| salt.len() >= 8)?.to_vec();
        Some(Self { algorithm, version, parameters, salt, expected: Expected::Bytes(expected) })
    }

    /// The parameters of the job.
    pub(super) fn parameters(&self) -> HashParameters {
        self.parameters
    }

    /// Whether a hash made now would have other parameters, another algorithm or another size.
    pub(super) fn differs_from(&self, parameters: HashParameters) -> bool {
        let other_size = matches!(self.expected, Expected::Bytes(bytes) if bytes.len() != OUTPUT_BYTES);
        let other_algorithm = (self.algorithm, self.version) != (Algorithm::Argon2id, Version::V0x13);
        other_algorithm || self.parameters != parameters || self.salt.len() != SALT_BYTES || other_size
    }

    /// The number of memory blocks the job needs.
    pub(super) fn block_count(&self) -> usize {
        self.params(OUTPUT_BYTES).map_or(0, |params| params.block_count())
    }

    pub(super) fn matches(&self, password: &Password, blocks: &mut [Block]) -> Result<bool, HashingError> {
        let wanted = match &self.expected {
            Expected::Bytes(bytes) => bytes.as_bytes(),
            Expected::Nothing => &[0; OUTPUT_BYTES],
        };
        let made = self.compute(password, wanted.len(), blocks)?;
        let equal: bool = made.ct_eq(wanted).into();
        Ok(equal && matches!(self.expected, Expected::Bytes(_)))
    }

    pub(super) fn hash(
        &self,
        password: &Password,
        blocks: &mut [Block],
    ) -> Result<PasswordHash, HashingError> {
        let made = self.compute(password, OUTPUT_BYTES, blocks)?;
        self.phc(&made).ok_or(HashingError::Failed)
    }

    fn phc(&self, made: &[u8]) -> Option<PasswordHash> {
        let salt = SaltString::encode_b64(&self.salt).ok()?;
        let phc = password_hash::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params(made.len())?).ok()?,
            salt: Some(salt.as_salt()),
            hash: Some(Output::new(made).ok()?),
        };
        PasswordHash::parse(&phc.to_string()).ok()
    }

    fn params(&self, output_bytes: usize) -> Option<Params> {
        let HashParameters { memory_kib, iterations, parallelism } = self.parameters;
        Params::new(memory_kib, iterations, parallelism, Some(output_bytes)).ok()
    }

    fn compute(
        &self,
        password: &Password,
        output_bytes: usize,
        blocks: &mut [Block],
    ) -> Result<Zeroizing<Vec<u8>>, HashingError> {
        let params = self.params(output_bytes).ok_or(HashingError::Failed)?;
        let mut made = Zeroizing::new(vec![0; output_bytes]);
        Argon2::new(self.algorithm, self.version, params)
            .hash_password_into_with_memory(password.expose(), &self.salt, &mut made, blocks)
            .map_err(|_| HashingError::Failed)?;
        Ok(made)
    }

    #[cfg(test)]
    pub(super) fn cost(&self) -> (HashParameters, usize) {
        (self.parameters, self.salt.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of "correct horse": the first three made with argon2-cffi, which wraps the reference implementation in
    /// C, the last by Django.
    const REFERENCE: [&str; 4] = [
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is",
        "$argon2id$v=19$m=64,t=1,p=4$c2FsdHNhbHQ$cIWivas3DgHe/rG6Ssaqhw",
        "$argon2id$v=19$m=256,t=3,p=2$YW5vdGhlciBzYWx0IG9mIHNvbWUgMjcgYnl0$HUiozl2eNAAf7+RSxH1RQq7mZpm/bXfQt37DXGSVWAsSaHU0ibDWNb2kqz8EL1giTJ9/wp2coVTtfuaMknm/fQ",
        "$argon2id$v=19$m=102400,t=2,p=8$V1owZUI2TW9HeU1mdkhZcnk3MHNXVw$JaETIJ9/QlctXqc+/WlCGIUmd/L5W6U75IsGn5dN+k4",
    ];

    fn password(text: &str) -> Password {
        Password::presented(text).unwrap()
    }

    fn blocks(job: &Argon2Job) -> Vec<Block> {
        vec![Block::default(); job.block_count()]
    }

    fn matches(job: &Argon2Job, text: &str) -> bool {
        job.matches(&password(text), &mut blocks(job)).unwrap()
    }

    fn read(phc: &str) -> Result<Argon2Job, HashingError> {
        Argon2Job::read(&PasswordHash::from_stored(phc).unwrap())
    }

    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        for phc in REFERENCE {
            let job = read(phc).unwrap();
            assert!(matches(&job, "correct horse"), "{phc}");
            assert!(!matches(&job, "correct horses"), "{phc}");
        }
    }

    #[test]
    fn a_hash_is_written_in_phc_form_with_owasps_parameters() {
        let job = Argon2Job::fresh(HashParameters::default(), Salt(*b"saltsaltsaltsalt"));
        let hash = job.hash(&password("correct horse"), &mut blocks(&job));
        assert_eq!(hash.unwrap().as_str(), REFERENCE[0]);
    }

    #[test]
    fn what_the_memory_held_before_does_not_matter() {
        let mut used = blocks(&read(REFERENCE[0]).unwrap());
        for phc in REFERENCE.iter().take(3).chain(&REFERENCE) {
            let job = read(phc).unwrap();
            used.resize(job.block_count(), Block::default());
            assert!(job.matches(&password("correct horse"), &mut used).unwrap(), "{phc}");
        }
    }

    #[test]
    fn nothing_matches_a_decoy_not_even_its_own_output() {
        let cheap = HashParameters { memory_kib: 8, iterations: 1, parallelism: 1 };
        assert!(!matches(&Argon2Job::decoy(cheap), "correct horse"));
    }

    #[test]
    fn an_absurd_foreign_or_damaged_hash_is_refused_before_any_work() {
        let good =
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(read(good).is_ok());
        for (from, to) in [
            ("m=64", "m=4194304"),
            ("m=64", "m=4"),
            ("t=1", "t=1000000"),
            ("t=1", "t=0"),
            ("p=1", "p=200"),
            ("m=64", "m=x"),
            ("argon2id", "argon2d"),
            ("argon2id", "scrypt"),
            ("v=19", "v=16"),
            ("$v=19", ""),
            ("c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA"),
            ("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"),
        ] {
            assert!(good.contains(from));
            assert_eq!(
                read(&good.replacen(from, to, 1)).err(),
                Some(HashingError::Unusable),
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn other_sizes_are_stale() {
        let now = HashParameters { memory_kib: 64, iterations: 1, parallelism: 1 };
        let short = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAA";
        assert!(read(short).unwrap().differs_from(now));
        assert!(!Argon2Job::decoy(now).differs_from(now));
    }
}
