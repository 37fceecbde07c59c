//! How often a password may be tried: a token bucket for each account and for each source address. Only failures
//! cost. Registrations have a bucket of their own for each address, and each of them costs.
//!
//! An attempt pays before its password is looked at and gets its payment back when it succeeds. So a thousand
//! parallel guesses pay a thousand times, where "check, then count the failures" would let all of them through.
//! `bucket` keeps the buckets.
//!
//! This bounds guessing; it is not the whole defence: who guesses at an account can also make its owner wait.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::username::Username;

mod bucket;

pub use bucket::{Allowance, RetryAfter};

use bucket::Buckets;

/// Most accounts, and most addresses, remembered: about 10 MiB each when full.
const MOST_KEYS: usize = 100_000;

/// The buckets of all accounts and addresses.
#[derive(Debug)]
pub struct Limits {
    accounts: Buckets<AccountKey>,
    sources: Buckets<SourceKey>,
    registrations: Buckets<SourceKey>,
}

/// An account by its name, whether or not it exists: to a guesser both look alike. Hashed, so that a key is small
/// and no name is kept.
type AccountKey = [u8; 16];

/// The addresses one client can choose from freely: a whole IPv4 address, the first 64 bits of an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum SourceKey {
    V4([u8; 4]),
    V6(u64),
}

/// A paid attempt. Dropped, it stays paid: a failure, or a client that did not wait for the answer.
#[derive(Debug)]
#[must_use = "an attempt that is not given back counts as a failure"]
pub struct Attempt<'a> {
    limits: &'a Limits,
    account: AccountKey,
    source: SourceKey,
}

impl Limits {
    /// Buckets that allow each account and each source address so many failures, and each address so many
    /// registrations.
    pub fn new(account: Allowance, source: Allowance, registration: Allowance) -> Self {
        Self {
            accounts: Buckets::new(account, MOST_KEYS),
            sources: Buckets::new(source, MOST_KEYS),
            registrations: Buckets::new(registration, MOST_KEYS),
        }
    }

    /// Pays for one registration. A success costs as much as a failure: each new account takes room that only its
    /// owner gives back.
    pub fn registration(&self, source: IpAddr, now: Duration) -> Result<(), RetryAfter> {
        self.registrations.take(SourceKey::of(source), now)
    }

    /// Pays for one attempt. `now` is the time since any fixed moment, preferably by a clock that does not jump: `bucket` bears one that does.
    pub fn attempt(
        &self,
        username: &Username,
        source: IpAddr,
        now: Duration,
    ) -> Result<Attempt<'_>, RetryAfter> {
        let (account, source) = (account_key(username), SourceKey::of(source));
        // The source first: an address that is refused already must not use up the account of someone else.
        self.sources.take(source, now)?;
        if let Err(wait) = self.accounts.take(account, now) {
            self.sources.give_back(source);
            return Err(wait);
        }
        Ok(Attempt { limits: self, account, source })
    }
}

impl Attempt<'_> {
    /// The password was right, or was never looked at because we were overloaded: it costs nothing.
    pub fn give_back(self) {
        self.limits.accounts.give_back(self.account);
        self.limits.sources.give_back(self.source);
    }
}

fn account_key(username: &Username) -> AccountKey {
    let mut key = AccountKey::default();
    blake3::Hasher::new().update(username.key().as_bytes()).finalize_xof().fill(&mut key);
    key
}

impl SourceKey {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d].into_iter().fold(0, |bits, part| bits << 16 | u64::from(part)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn limits() -> Limits {
        let every = Duration::from_secs(10);
        Limits::new(
            Allowance { burst: 3, every },
            Allowance { burst: 5, every },
            Allowance { burst: 2, every },
        )
    }

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_at_one_account_add_up_over_all_addresses() {
        let limits = limits();
        for host in 1..=3 {
            let _failed = limits.attempt(&name("alice"), ip(&format!("192.0.2.{host}")), NOW).unwrap();
        }
        let refused = limits.attempt(&name("ALICE"), ip("192.0.2.9"), NOW).unwrap_err();
        assert_eq!(refused.seconds(), 10);
        assert!(limits.attempt(&name("bob"), ip("192.0.2.9"), NOW).is_ok());
        assert!(limits.attempt(&name("alice"), ip("192.0.2.9"), NOW + Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn failures_from_one_address_add_up_over_all_accounts() {
        let limits = limits();
        for user in 0..5 {
            let _failed = limits.attempt(&name(&format!("user{user}")), ip("192.0.2.1"), NOW).unwrap();
        }
        assert!(limits.attempt(&name("fresh"), ip("192.0.2.1"), NOW).is_err());
        assert!(limits.attempt(&name("fresh"), ip("::ffff:192.0.2.1"), NOW).is_err(), "the same, mapped");
        assert!(limits.attempt(&name("fresh"), ip("192.0.2.2"), NOW).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let limits = limits();
        for user in 0..5 {
            let address = ip(&format!("2001:db8:1:2::{user}"));
            let _failed = limits.attempt(&name(&format!("user{user}")), address, NOW).unwrap();
        }
        assert!(limits.attempt(&name("fresh"), ip("2001:db8:1:2:ffff::1"), NOW).is_err());
        assert!(limits.attempt(&name("fresh"), ip("2001:db8:1:3::1"), NOW).is_ok());
    }

    #[test]
    fn success_costs_nothing() {
        let limits = limits();
        for _ in 0..100 {
            limits.attempt(&name("alice"), ip("192.0.2.1"), NOW).unwrap().give_back();
        }
    }

    #[test]
    fn parallel_attempts_cannot_overrun_the_bucket() {
        let limits = limits();
        let started: Vec<_> = (0..100)
            .filter_map(|host| limits.attempt(&name("alice"), ip(&format!("192.0.2.{host}")), NOW).ok())
            .collect();
        assert_eq!(started.len(), 3, "none has failed yet, and still only three are under way");
    }

    #[test]
    fn a_locked_account_does_not_use_up_the_address() {
        let limits = limits();
        for host in 1..=3 {
            let _failed = limits.attempt(&name("alice"), ip(&format!("192.0.2.{host}")), NOW).unwrap();
        }
        for _ in 0..100 {
            assert!(limits.attempt(&name("alice"), ip("192.0.2.9"), NOW).is_err());
        }
        assert!(limits.attempt(&name("bob"), ip("192.0.2.9"), NOW).is_ok());
    }
}
