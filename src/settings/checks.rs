//! Rules about several settings together.

use super::fault::SettingFault;
use super::table::Settings;
use super::value::ISSUER_AND_AUDIENCE;

/// The least memory (KiB) of argon2id for a number of passes: OWASP Password Storage Cheat Sheet.
const ARGON2_MINIMUMS: [(u32, u32); 5] = [(1, 47_104), (2, 19_456), (3, 12_288), (4, 9_216), (5, 7_168)];

/// Checks the rules about several settings and returns every fault.
pub(super) fn together(settings: &Settings) -> Vec<SettingFault> {
    let faults = [
        store(settings),
        lifetimes(settings),
        addresses(settings),
        names(settings),
        argon2(settings),
        former_sessions(settings),
        socket(settings),
    ];
    faults.into_iter().flatten().map(SettingFault::Together).collect()
}

/// Refuses a shared store in a build without the feature `postgres`.
fn store(settings: &Settings) -> Option<String> {
    if cfg!(feature = "postgres") {
        return None;
    }
    let url = settings.store.as_ref()?.shown();
    Some(format!(
        "`store` = {url}: this build has no PostgreSQL store; leave `store` out to use the embedded one"
    ))
}

fn lifetimes(settings: &Settings) -> Option<String> {
    (settings.device_idle > settings.device_lifetime).then(|| {
        "`device_idle` is longer than `device_lifetime`; a device cannot be idle for longer than it may exist".to_owned()
    })
}

fn addresses(settings: &Settings) -> Option<String> {
    let same = settings.metrics_listen == Some(settings.listen) && settings.listen.port() != 0;
    same.then(|| {
        "`listen` and `metrics_listen` are the same address; the metrics need their own port".to_owned()
    })
}

fn names(settings: &Settings) -> Option<String> {
    let length = |name: Option<&str>| name.map_or(0, str::len);
    (length(settings.named_issuer()) + length(settings.audience.as_deref()) > ISSUER_AND_AUDIENCE).then(|| {
        format!(
            "`issuer` (or `public_url`, when that is the issuer) and `audience` together are longer than {ISSUER_AND_AUDIENCE} characters; every access token carries both"
        )
    })
}

fn argon2(settings: &Settings) -> Option<String> {
    let (passes, memory) = (settings.argon2_iterations, settings.argon2_memory_kib);
    let least = ARGON2_MINIMUMS.iter().rev().find(|(least_passes, _)| passes >= *least_passes)?.1;
    (memory < least).then(|| {
        format!(
            "`argon2_memory_kib` = {memory} is too little for `argon2_iterations` = {passes}; at least {least} (OWASP)"
        )
    })
}

/// Refuses to exchange tokens of another system without an end.
fn former_sessions(settings: &Settings) -> Option<String> {
    match (&settings.simplejwt_signing_key, settings.simplejwt_until) {
        (Some(_), None) => Some(
            "`simplejwt_signing_key` needs `simplejwt_until`: the day from which on no refresh token of SimpleJWT is exchanged; take the last day on which Django gave one out and add its REFRESH_TOKEN_LIFETIME".to_owned(),
        ),
        (None, Some(_)) => Some(
            "`simplejwt_until` is set and `simplejwt_signing_key` is not, so nothing is exchanged: set it, or leave both out".to_owned(),
        ),
        _ => None,
    }
}

/// The longest path of a Unix socket on Linux, in bytes (`sun_path` has room for 108, the last of them zero).
pub const LONGEST_SOCKET_PATH: usize = 107;

fn socket(settings: &Settings) -> Option<String> {
    let length = settings.admin_socket().as_os_str().len();
    (length > LONGEST_SOCKET_PATH).then(|| {
        format!(
            "`data` is too long: the socket in that folder would have a path of {length} bytes, and {LONGEST_SOCKET_PATH} is the most there can be; name a shorter one, or one relative to where rescind is started"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(changes: &[(&str, &str)]) -> String {
        Settings::with(changes).unwrap_err().to_string()
    }

    #[test]
    fn a_device_cannot_be_idle_for_longer_than_it_exists() {
        assert!(fault(&[("device_idle", "30d"), ("device_lifetime", "29d")]).contains("device_lifetime"));
        assert!(Settings::with(&[("device_idle", "30d"), ("device_lifetime", "30d")]).is_ok());
    }

    #[test]
    fn a_data_folder_has_a_path_that_its_socket_can_have() {
        let of = |length: usize| format!("/{}", "d".repeat(length - 1));
        assert!(Settings::with(&[("data", &of(107 - 11))]).is_ok());
        assert!(fault(&[("data", &of(107 - 10))]).contains("`data` is too long"));
        assert!(fault(&[("data", &of(5000))]).contains("name a shorter one"));
    }

    #[test]
    fn old_tokens_are_exchanged_until_a_day_that_is_given() {
        let key = ("simplejwt_signing_key", "k".repeat(50));
        let key = (key.0, key.1.as_str());
        assert!(fault(&[key]).contains("`simplejwt_signing_key` needs `simplejwt_until`"));
        assert!(fault(&[("simplejwt_until", "2027-03-31")]).contains("leave both out"));
        assert!(Settings::with(&[key, ("simplejwt_until", "2027-03-31")]).is_ok());
        let short = fault(&[("simplejwt_signing_key", "hunter2"), ("simplejwt_until", "2027-03-31")]);
        assert!(short.contains("32 to 1024 characters") && !short.contains("hunter2"), "{short}");
    }

    #[test]
    fn the_metrics_need_their_own_port() {
        assert!(fault(&[("listen", "127.0.0.1:9464")]).contains("own port"));
        assert!(Settings::with(&[("listen", "127.0.0.1:0"), ("metrics_listen", "127.0.0.1:0")]).is_ok());
    }

    #[test]
    fn a_password_hash_is_never_cheaper_than_owasp_says() {
        assert!(fault(&[("argon2_memory_kib", "19455")]).contains("at least 19456"));
        assert!(fault(&[("argon2_iterations", "1")]).contains("at least 47104"));
        assert!(Settings::with(&[("argon2_memory_kib", "12288"), ("argon2_iterations", "3")]).is_ok());
    }

    #[test]
    fn the_names_in_a_token_stay_short() {
        let (long, longer) = ("i".repeat(40), "a".repeat(41));
        assert!(fault(&[("issuer", &long), ("audience", &longer)]).contains("together"));
        assert!(Settings::with(&[("issuer", &long), ("audience", &long)]).is_ok());
    }
}
