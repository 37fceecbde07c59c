//! The one list of settings. An entry is a key, its type, its default, what it allows and what it means; the struct,
//! the environment's names, the flags, `config show` and the sample file are all derived from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tracing::Level;

use super::environment::PREFIX;
use super::fault::{Faults, SettingFault};
use super::rule::{Rule, ValueShape, choice, cores, judged, length, number, parsed, path, size, switch};
use super::source::SettingSource;
use super::value::{self, Day, LogFormat, SecretText, StoreUrl};

/// An entry of the list, as shown to people.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The name of the setting in `rescind.toml` and for `--set`.
    pub key: &'static str,
    /// The meaning of the setting, in one or two sentences.
    pub meaning: &'static str,
    /// The value when no source sets the setting; empty means none.
    pub default: &'static str,
    /// The allowed values, in words.
    pub allowed: String,
    /// Whether the value is hidden, and may be given as a file.
    pub secret: bool,
    pub(super) shape: ValueShape,
}

impl Setting {
    /// The name of the setting's environment variable.
    pub fn environment(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }
}

/// A setting with the text in force and its source.
#[derive(Debug, Clone)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// The source of the text.
    pub at: SettingSource,
    pub(super) text: String,
}

impl Row {
    /// The value for people; a secret is hidden.
    pub fn shown(&self) -> &str {
        if self.setting.secret && !self.text.is_empty() { "(hidden)" } else { &self.text }
    }
}

macro_rules! settings {
    ($($(#[doc = $meaning:literal])+ $key:ident: $kind:ty = $default:literal, $rule:expr;)+) => {
        /// The parsed value of every setting. Built by `resolve`, or for tests by
        /// [`Settings::with`].
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {
            $($(#[doc = $meaning])+ pub $key: $kind,)+
        }

        /// The list, in the order it is shown.
        pub fn table() -> Vec<Setting> {
            vec![$({
                let rule: Rule<$kind> = $rule;
                Setting {
                    key: stringify!($key),
                    meaning: concat!($($meaning),+).trim_ascii(),
                    default: $default,
                    allowed: rule.allowed,
                    secret: rule.secret,
                    shape: rule.shape,
                }
            }),+]
        }

        /// Parses every value; returns every fault at once, so that one run shows them all.
        pub(super) fn parse(rows: &[Row]) -> Result<Settings, Faults> {
            let mut faults = Vec::new();
            $(let $key: Option<$kind> = read(stringify!($key), &$rule, rows, &mut faults);)+
            let build = || Some(Settings { $($key: $key?,)+ });
            match build() {
                Some(settings) if faults.is_empty() => Ok(settings),
                _ => Err(Faults(faults)),
            }
        }
    };
}

settings! {
    /// Where the service listens. Port 0 picks a free one.
    listen: SocketAddr = "127.0.0.1:8080", parsed("an address and a port, as 127.0.0.1:8080 or [::1]:8080");
    /// Where Prometheus reads the metrics. When it is busy the service runs without and says so.
    metrics_listen: Option<SocketAddr> = "127.0.0.1:9464", parsed("an address and a port").or_off();
    /// The folder of the embedded store and of the administration socket.
    data: PathBuf = "./rescind-data", path();
    /// The shared store; without it the embedded one in the data folder is used.
    store: Option<StoreUrl> = "", judged("postgres://user:password@host/database", StoreUrl::parse).optional().secret();
    /// The file with the key that seals the signing keys. Without it, a file beside the data folder, named after it.
    /// Keep it out of what a backup of the data folder holds.
    master_key_file: Option<PathBuf> = "", path().optional();

    /// The URL under which clients reach the service. A store that is initialized with it writes it into tokens as issuer.
    public_url: Option<String> = "", judged("https://host or https://host/path, no slash at the end", value::public_url).optional();
    /// The issuer written into tokens. Without it one is chosen at the first start and kept in the store.
    issuer: Option<String> = "", judged("1 to 80 printable characters", value::claim_text).optional();
    /// The audience written into access tokens. Without it one is chosen at the first start and kept in the store.
    audience: Option<String> = "", judged("1 to 80 printable characters", value::claim_text).optional();

    /// How long an access token works.
    access_lifetime: Duration = "15m", length("1m", "60m");
    /// How long a device may stay away before it has to sign in again.
    device_idle: Duration = "30d", length("1h", "400d");
    /// How long a device may stay signed in at all.
    device_lifetime: Duration = "180d", length("1h", "4000d");
    /// How many devices a user may have at once. The least recently seen gives way.
    devices_per_user: u32 = "100", number(1..=20_000);

    /// How long after a refresh the old and the new refresh token give that new one again on the same network: for
    /// lost answers, and for parallel requests that refresh each on its own.
    refresh_grace: Duration = "60s", length("0s", "120s");
    /// How many lost refresh answers outside that window are forgiven a device in 24 hours.
    refresh_recoveries: u32 = "5", number(0..=100);
    /// Forgive nothing: an old refresh token always ends its device. A lost answer then signs its user out.
    refresh_strict: bool = "false", switch();

    /// Whether anyone may create an account over the API. When false only an operator does.
    registration_open: bool = "true", switch();
    /// Whether register and login ignore unknown fields, as clients of another service send them
    /// (`email`, `remember_me`). When false they refuse such a request and name the fields.
    ignore_unknown_fields: bool = "false", switch();
    /// How many sign-ins on one account may fail in a minute.
    sign_in_attempts_per_account: u32 = "10", number(1..=1_000_000);
    /// How many sign-ins from one address may fail in a minute.
    sign_in_attempts_per_address: u32 = "100", number(1..=1_000_000);
    /// How many times one signed-in device may give a wrong password in a minute when it changes the password or
    /// deletes the account; and again when it signs in beside a refresh token it got before.
    sign_in_attempts_per_device: u32 = "10", number(1..=1_000_000);
    /// How many sign-ins on one account may succeed in an hour.
    sign_ins_per_account: u32 = "1000", number(1..=1_000_000);
    /// How many sign-ins from one address may succeed in an hour.
    sign_ins_per_address: u32 = "20000", number(1..=10_000_000);
    /// How many times a user may end all other devices in an hour, by `logout-others` or with a new password.
    sign_outs_of_others_per_user: u32 = "100", number(1..=1_000_000);
    /// How many accounts may be made from one address in an hour.
    registrations_per_address: u32 = "1000", number(1..=1_000_000);

    /// The path under which the routes of djangorestframework-simplejwt are answered, for apps that cannot be changed: with
    /// `/api`, `/api/token/` and below it `refresh/`, `verify/` and `blacklist/`. Without it they are off.
    simplejwt_prefix: Option<String> = "", judged("a path such as /api, no slash at the end, or / for none", value::prefix).optional();
    /// Whether a refresh on these routes brings a new refresh token, which the app has to store. When false a refresh token
    /// stays good until its device ends, and a stolen one is noticed by nobody.
    simplejwt_rotate: bool = "false", switch();
    /// The key that SimpleJWT signed with: its `SIGNING_KEY`, by default Django's `SECRET_KEY`. With it a refresh token that
    /// SimpleJWT gave out is exchanged, so that nobody has to sign in again; the user is the one whose external id it names.
    /// An external id that its user gave up, by deletion or for another one, is remembered for 400 days at least, whether or not
    /// tokens are exchanged: until then no token that names it is exchanged, whoever has it next; a session that was
    /// exchanged before stays its user's.
    simplejwt_signing_key: Option<SecretText> = "", judged("the text of an HS256 key, 32 to 1024 characters and no PEM", SecretText::parse).optional().secret();
    /// The day, in UTC, from which on no refresh token of SimpleJWT is exchanged any more: when the last one has expired.
    simplejwt_until: Option<Day> = "", judged("a day such as 2027-03-31", Day::parse).optional();
    /// The claim of those tokens with the user's id: SimpleJWT's `USER_ID_CLAIM`.
    simplejwt_user_claim: String = "user_id", judged("1 to 80 printable characters", value::claim_text);
    /// A file with the ids (`jti`) of the refresh tokens that SimpleJWT has blacklisted, one in each line. They are refused.
    simplejwt_blacklist_file: Option<PathBuf> = "", path().optional();

    /// Memory of one argon2id password hash, in KiB.
    argon2_memory_kib: u32 = "19456", number(7_168..=524_288);
    /// Passes of one argon2id password hash.
    argon2_iterations: u32 = "2", number(1..=32);
    /// Lanes of one argon2id password hash.
    argon2_parallelism: u32 = "1", number(1..=16);
    /// How many passwords are hashed at once, each with the memory above.
    hashes_at_once: usize = "cores", cores();
    /// How long a sign-in waits for its turn to hash before it is refused with `Retry-After`.
    hash_wait: Duration = "2s", length("0s", "30s");

    /// The proxies in front, whose `X-Forwarded-For` is trusted for the address of a client.
    trusted_proxies: Vec<IpNet> = "", parsed("networks such as 10.0.0.0/8, a single address as 10.1.2.3/32").list();
    /// The web pages of other origins that may call the service.
    cors_origins: Vec<String> = "", judged("origins as browsers send them, such as https://app.example.com", value::origin).list();
    /// Whether those pages may read answers to requests that they send with credentials (cookies, `withCredentials`). The
    /// service sets no cookies and needs none.
    cors_credentials: bool = "false", switch();

    /// How log lines are written.
    log_format: LogFormat = "text", choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    /// How much is logged.
    log_level: Level = "info", choice(&LEVELS);

    /// Free disk space below which the embedded store takes no registration, sign-in or renaming any more. On less,
    /// refreshes stop; sign-outs, disabling and key changes stop last, and checks go on.
    free_space_reserve: u64 = "64MiB", size("16MiB", "1024GiB");
    /// Memory the embedded store keeps pages in.
    store_cache: u64 = "16MiB", size("8MiB", "1024GiB");
    /// How many connections to the shared store a node opens at most, with the one on which it listens to other nodes.
    store_connections: usize = "16", number(2..=1_000);
    /// How long the shared store may take to answer a check before it is refused with 503.
    store_read_budget: Duration = "250ms", length("10ms", "10s");
    /// How long the shared store may take for a step before its outcome is called unknown.
    store_step_budget: Duration = "5s", length("100ms", "60s");
    /// How many devices of the shared store a node keeps in memory, about 1 KiB each, for checks that then read nothing but
    /// the head of the log. With 0 every check reads its records.
    store_cached_devices: usize = "50000", number(0..=10_000_000);
    /// How old the proof may be that the database of the shared store was the primary, for every answer that is read from it: all
    /// its synchronous standbys said that they were not promoted, or confirmed a commit. With 0s it is begun after the request
    /// arrived. Without a proof the answer is 503.
    proof_of_primacy: Option<Duration> = "off", length("0s", "60s").or_off();
    /// A file with the certificate, in PEM, of the authority that vouches for the shared store, beside those this machine trusts.
    store_ca_file: Option<PathBuf> = "", path().optional();
    /// How long a request may take to arrive, and again to be answered.
    request_timeout: Duration = "10s", length("1s", "120s");
    /// How long an answer may take to be read. A stream of the feed may last as long as nothing waits longer than that to be read.
    response_timeout: Duration = "60s", length("1s", "600s");
    /// How many connections may be open at once. Fewer where the limit of open files is lower; the start says so.
    connections_max: usize = "10000", number(16..=1_000_000);
    /// How many of them one address may have, an IPv6 address together with its /64 network: never more than half. Clients behind
    /// `trusted_proxies` count by their own addresses.
    connections_per_address: usize = "2000", number(1..=1_000_000);
    /// How many resource servers may follow the feed of revocations at once, each on a connection of its own.
    feed_streams_max: usize = "2000", number(1..=1_000_000);
    /// How many of them may have the same service key.
    feed_streams_per_key: usize = "1000", number(1..=1_000_000);
    /// How long a shutdown waits for what still runs.
    shutdown_grace: Duration = "8s", length("0s", "120s");
}

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

fn read<T>(key: &str, rule: &Rule<T>, rows: &[Row], faults: &mut Vec<SettingFault>) -> Option<T> {
    let row = rows.iter().find(|row| row.setting.key == key)?;
    let value = (rule.parse)(&row.text);
    if value.is_none() {
        faults.push(SettingFault::Invalid {
            at: row.at.clone(),
            key: row.setting.key,
            given: if rule.secret { None } else { Some(row.text.clone()) },
            allowed: rule.allowed.clone(),
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed() {
        let settings = Settings::with(&[]).unwrap();
        assert_eq!(settings.access_lifetime, Duration::from_secs(900));
        assert_eq!(settings.listen.port(), 8080);
        assert!(settings.hashes_at_once >= 1);
        assert!(settings.trusted_proxies.is_empty());
    }

    #[test]
    fn every_setting_says_what_it_means_and_allows() {
        for setting in table() {
            assert!(setting.meaning.ends_with('.'), "{}", setting.key);
            assert!(!setting.meaning.contains("  "), "{}", setting.key);
            assert!(!setting.allowed.is_empty(), "{}", setting.key);
        }
    }

    #[test]
    fn an_access_token_never_lives_longer_than_an_hour() {
        assert!(Settings::with(&[("access_lifetime", "60m")]).is_ok());
        assert!(Settings::with(&[("access_lifetime", "61m")]).is_err());
    }
}
