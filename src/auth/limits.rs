//! Rate limits as token buckets: for password attempts, and for steps that store new records.
//!
//! Only wrong passwords cost a token. An attempt *holds* its token before its password is verified, and returns it if
//! the password was right. So a thousand parallel guesses need a thousand tokens, where "check, then count the
//! failures" would admit all of them; and right passwords, however many at once, are never refused: if all remaining
//! tokens are held, an attempt waits until another one is settled.
//!
//! Three kinds of attempt have buckets of their own, so that none can block another:
//!
//! * a sign-in: the account's and the source address's;
//! * a sign-in with an authentic earlier refresh token of the account: that of the token's device. Failures from
//!   elsewhere cannot lock out an owner who still has such a token, and a thief of an old token gets the guesses of one
//!   device;
//! * a signed-in device that confirms its user's password: that of the device.
//!
//! Steps that leave a record on disk cost a token when they succeed: registrations, sign-ins, and ending all other
//! devices.
//!
//! Modules: `bucket` the token buckets.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::ids::{DeviceId, UserId};
use crate::model::username::Username;

mod bucket;

pub use bucket::{Allowance, RetryAfter};

use bucket::{Buckets, Denied, Hold};

/// The most accounts, addresses, devices or users remembered per kind of bucket: about 10 MiB each when full.
const MOST_KEYS: usize = 100_000;

/// The allowance of each kind of bucket.
#[derive(Clone, Copy, Debug)]
pub struct Allowances {
    /// Failed sign-ins of one account.
    pub failures_per_account: Allowance,
    /// Failed sign-ins from one address.
    pub failures_per_address: Allowance,
    /// Failed confirmations by one signed-in device, and failed sign-ins with a refresh token of one device.
    pub failures_per_device: Allowance,
    /// Registrations from one address.
    pub registrations_per_address: Allowance,
    /// Successful sign-ins of one account.
    pub sign_ins_per_account: Allowance,
    /// Successful sign-ins from one address.
    pub sign_ins_per_address: Allowance,
    /// Sign-outs of all other devices by one user.
    pub sign_outs_of_others_per_user: Allowance,
}

/// The buckets of all accounts, addresses, devices and users.
#[derive(Debug)]
pub struct RateLimits {
    accounts: Buckets<AccountKey>,
    sources: Buckets<SourceKey>,
    known_devices: Buckets<DeviceId>,
    confirmations: Buckets<DeviceId>,
    registrations: Buckets<SourceKey>,
    account_sign_ins: Buckets<UserId>,
    source_sign_ins: Buckets<SourceKey>,
    sign_outs_of_others: Buckets<UserId>,
    wait: Duration,
}

/// The key of an account: a hash of its username, whether or not it exists, because both must look alike to a guesser.
/// A hash is small and stores no name.
type AccountKey = [u8; 16];

/// The addresses among which one client can choose freely: a whole IPv4 address, the first 64 bits of an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum SourceKey {
    V4([u8; 4]),
    V6(u64),
}

/// The reason why an attempt may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitRefusal {
    /// Too many attempts failed before.
    TooMany(RetryAfter),
    /// Too many other attempts are in progress, and none was settled within the wait.
    Busy,
}

/// An attempt in progress. Dropping it counts as a failure, as when the client does not wait for the answer.
#[derive(Debug)]
#[must_use = "an attempt that is not given back counts as a failure"]
pub struct Attempt<'a>(Tokens<'a>);

#[derive(Debug)]
enum Tokens<'a> {
    SignIn(Hold<'a, AccountKey>, Hold<'a, SourceKey>),
    Device(Hold<'a, DeviceId>),
}

impl RateLimits {
    /// Limits with full buckets. An attempt waits at most `wait` for others to be settled.
    pub fn new(allowances: Allowances, wait: Duration) -> Self {
        Self {
            accounts: Buckets::new(allowances.failures_per_account, MOST_KEYS),
            sources: Buckets::new(allowances.failures_per_address, MOST_KEYS),
            known_devices: Buckets::new(allowances.failures_per_device, MOST_KEYS),
            confirmations: Buckets::new(allowances.failures_per_device, MOST_KEYS),
            registrations: Buckets::new(allowances.registrations_per_address, MOST_KEYS),
            account_sign_ins: Buckets::new(allowances.sign_ins_per_account, MOST_KEYS),
            source_sign_ins: Buckets::new(allowances.sign_ins_per_address, MOST_KEYS),
            sign_outs_of_others: Buckets::new(allowances.sign_outs_of_others_per_user, MOST_KEYS),
            wait,
        }
    }

    /// Takes a token for one registration, whether it succeeds or fails: each new account takes room that only its
    /// owner gives back.
    pub fn registration(&self, source: IpAddr, now: Duration) -> Result<(), RetryAfter> {
        self.registrations.take(SourceKey::of(source), now)
    }

    /// Takes a token for one successful sign-in, after the password was verified: so a refusal reveals nothing to
    /// those who do not know the password.
    pub fn signed_in(&self, user: UserId, source: IpAddr, now: Duration) -> Result<(), RetryAfter> {
        let source = SourceKey::of(source);
        self.source_sign_ins.take(source, now)?;
        self.account_sign_ins.take(user, now).inspect_err(|_| self.source_sign_ins.give_back(source))
    }

    /// Returns the tokens of [`RateLimits::signed_in`], if no device was opened.
    pub fn not_signed_in(&self, user: UserId, source: IpAddr) {
        self.source_sign_ins.give_back(SourceKey::of(source));
        self.account_sign_ins.give_back(user);
    }

    /// Takes a token for ending all other devices of a user, which adds an entry to the log and can be repeated
    /// without a sign-in.
    pub fn sign_out_of_others(&self, user: UserId, now: Duration) -> Result<(), RetryAfter> {
        self.sign_outs_of_others.take(user, now)
    }

    /// Begins a sign-in. `now` is the time since any fixed moment, preferably by a monotonic clock; the buckets
    /// tolerate jumps.
    pub async fn sign_in(
        &self,
        username: &Username,
        source: IpAddr,
        now: Duration,
    ) -> Result<Attempt<'_>, LimitRefusal> {
        let (account, source) = (account_key(username), SourceKey::of(source));
        self.in_time(async {
            let (mut source_turn, mut account_turn) = (None, None);
            loop {
                // The source first: an address that is refused already must not use up the account of someone else.
                let tried = self.sources.hold(source, now);
                drop(source_turn.take());
                let held = match tried {
                    Ok(held) => held,
                    Err(Denied::Empty(wait)) => return Err(LimitRefusal::TooMany(wait)),
                    Err(Denied::Busy(next)) => {
                        drop(account_turn.take());
                        source_turn.insert(next).settled().await;
                        continue;
                    }
                };
                let tried = self.accounts.hold(account, now);
                drop(account_turn.take());
                match tried {
                    Ok(account) => return Ok(Attempt(Tokens::SignIn(account, held))),
                    Err(Denied::Empty(wait)) => {
                        held.release();
                        return Err(LimitRefusal::TooMany(wait));
                    }
                    Err(Denied::Busy(next)) => {
                        // Nothing is held while waiting: else those who wait for one account would stand in the way of
                        // all others behind their address.
                        held.release();
                        account_turn.insert(next).settled().await;
                    }
                }
            }
        })
        .await
    }

    /// Begins a sign-in with an authentic earlier refresh token of `device`.
    pub async fn sign_in_of_known(
        &self,
        device: DeviceId,
        now: Duration,
    ) -> Result<Attempt<'_>, LimitRefusal> {
        self.of_device(&self.known_devices, device, now).await
    }

    /// Begins a confirmation of the password by a signed-in device.
    pub async fn confirmation(&self, device: DeviceId, now: Duration) -> Result<Attempt<'_>, LimitRefusal> {
        self.of_device(&self.confirmations, device, now).await
    }

    async fn of_device<'a>(
        &self,
        buckets: &'a Buckets<DeviceId>,
        device: DeviceId,
        now: Duration,
    ) -> Result<Attempt<'a>, LimitRefusal> {
        self.in_time(async {
            let mut turn = None;
            loop {
                let tried = buckets.hold(device, now);
                drop(turn.take());
                match tried {
                    Ok(held) => return Ok(Attempt(Tokens::Device(held))),
                    Err(Denied::Empty(wait)) => return Err(LimitRefusal::TooMany(wait)),
                    Err(Denied::Busy(next)) => turn.insert(next).settled().await,
                }
            }
        })
        .await
    }

    async fn in_time<'a>(
        &self,
        attempt: impl Future<Output = Result<Attempt<'a>, LimitRefusal>>,
    ) -> Result<Attempt<'a>, LimitRefusal> {
        tokio::time::timeout(self.wait, attempt).await.unwrap_or(Err(LimitRefusal::Busy))
    }
}

impl Attempt<'_> {
    /// Returns the attempt's tokens: the password was right, or was not verified because of overload.
    pub fn give_back(self) {
        match self.0 {
            Tokens::SignIn(account, source) => {
                account.release();
                source.release();
            }
            Tokens::Device(device) => device.release(),
        }
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
mod tests;
