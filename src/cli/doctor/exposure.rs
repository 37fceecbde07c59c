//! A listener beyond this machine: TLS in front, and trusted proxies.

use super::diagnosis::{Diagnosis, Grade};
use super::store::StoreCondition;
use crate::settings::Settings;

pub(super) fn examine(settings: &Settings) -> Vec<Diagnosis> {
    if settings.listen.ip().is_loopback() {
        return vec![Diagnosis::good("exposure", "only this machine reaches the service")];
    }
    let found = [tls(settings), proxies(settings)];
    found.into_iter().flatten().collect()
}

/// A finding if the first start would be refused because it has no issuer to write into tokens.
pub(super) fn issuer(settings: &Settings, state: &StoreCondition) -> Option<Diagnosis> {
    (matches!(state, StoreCondition::None) && settings.lacks_reachable_issuer()).then(|| {
        let what =
            "the first start is refused: it would write an address that nobody can reach into every token";
        let help = "set `public_url` to the URL under which clients reach the service";
        Diagnosis::new("issuer", Grade::Bad, what, help)
    })
}

fn tls(settings: &Settings) -> Option<Diagnosis> {
    let secure = |url: &Option<String>| url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let told = settings.public_url.is_some() || settings.issuer.is_some();
    let is_secure =
        if settings.public_url.is_some() { secure(&settings.public_url) } else { secure(&settings.issuer) };
    (!is_secure).then(|| {
        let what = if told {
            "the service listens beyond this machine, and its URL is not https: tokens and passwords travel in the clear"
        } else {
            "the service listens beyond this machine, and nothing says that TLS is in front of it"
        };
        let help = "put a proxy with TLS in front and set `public_url` to its https URL";
        Diagnosis::new("tls", Grade::Warning, what, help)
    })
}

fn proxies(settings: &Settings) -> Option<Diagnosis> {
    settings.trusted_proxies.is_empty().then(|| {
        let what = "no proxy is trusted: behind one, every client would seem to have the proxy's address";
        let help = "if there is a proxy in front, set `trusted_proxies` to its network; if there is none, all is well";
        Diagnosis::new("proxies", Grade::Hint, what, help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(changes: &[(&str, &str)]) -> Vec<(&'static str, Grade)> {
        let diagnoses = examine(&Settings::with(changes).unwrap());
        diagnoses.iter().map(|diagnosis| (diagnosis.about, diagnosis.grade)).collect()
    }

    const OPEN: (&str, &str) = ("listen", "0.0.0.0:8080");
    const PROXY: (&str, &str) = ("trusted_proxies", "10.0.0.0/8");

    #[test]
    fn on_loopback_there_is_nothing_to_say() {
        assert_eq!(found(&[]), [("exposure", Grade::Good)]);
    }

    #[test]
    fn beyond_loopback_without_https_is_a_warning() {
        assert_eq!(found(&[OPEN, PROXY]), [("tls", Grade::Warning)]);
        assert_eq!(
            found(&[OPEN, PROXY, ("public_url", "http://auth.example.com")]),
            [("tls", Grade::Warning)]
        );
        let mixed =
            [OPEN, PROXY, ("public_url", "http://auth.example.com"), ("issuer", "https://auth.example.com")];
        assert_eq!(found(&mixed), [("tls", Grade::Warning)]);
    }

    #[test]
    fn a_first_start_without_an_issuer_is_bad_and_no_other_start_is() {
        let first =
            |changes: &[(&str, &str)]| issuer(&Settings::with(changes).unwrap(), &StoreCondition::None);
        assert_eq!(first(&[OPEN]).map(|found| found.grade), Some(Grade::Bad));
        assert_eq!(first(&[]), None);
        assert_eq!(first(&[OPEN, ("public_url", "https://auth.example.com")]), None);
        assert_eq!(issuer(&Settings::with(&[OPEN]).unwrap(), &StoreCondition::Served), None);
    }

    #[test]
    fn https_in_front_is_well() {
        assert_eq!(found(&[OPEN, PROXY, ("public_url", "https://auth.example.com")]), []);
        assert_eq!(found(&[OPEN, PROXY, ("issuer", "https://auth.example.com")]), []);
    }

    #[test]
    fn beyond_loopback_without_a_trusted_proxy_is_a_hint() {
        assert_eq!(found(&[OPEN, ("public_url", "https://auth.example.com")]), [("proxies", Grade::Hint)]);
    }
}
