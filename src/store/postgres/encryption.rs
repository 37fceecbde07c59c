//! Encryption of the connection to the database.
//!
//! TLS is required unless every host is this machine (a loopback address, `localhost`, or a Unix socket) or the
//! connection string has `sslmode=disable`. `prefer` and `allow`, which silently fall back to an unencrypted
//! connection, do so on this machine alone. With TLS the server's certificate and name are always verified:
//! `verify-ca` and `verify-full` mean the same as `require`.

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// The encryption that a connection string requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS is required; there is no fallback.
    Required,
    /// TLS is used if the database offers it, since every host is this machine.
    IfOffered,
    /// TLS is not used, because the connection string says so.
    Disabled {
        /// Whether every host is this machine.
        here: bool,
    },
}

impl Encryption {
    /// Sets TLS as required in `config` where it has to be.
    pub(super) fn apply(config: &mut Config) -> Self {
        match config.get_ssl_mode() {
            SslMode::Disable => Self::Disabled { here: is_this_machine(config) },
            SslMode::Prefer if is_this_machine(config) => Self::IfOffered,
            _ => {
                config.ssl_mode(SslMode::Require);
                Self::Required
            }
        }
    }
}

/// Replaces the values of `sslmode` that other clients know and this one does not by those that mean the same here.
pub(super) fn known_modes(url: &str) -> String {
    let Some((place, parameters)) = url.split_once('?') else { return url.to_owned() };
    let known = |parameter: &str| {
        match parameter {
            "sslmode=verify-full" | "sslmode=verify-ca" => "sslmode=require",
            "sslmode=allow" => "sslmode=prefer",
            other => other,
        }
        .to_owned()
    };
    let parameters: Vec<_> = parameters.split('&').map(known).collect();
    format!("{place}?{}", parameters.join("&"))
}

/// Whether every host is this machine. An address given beside a name is the one that is connected to.
fn is_this_machine(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return addresses.iter().all(|address| address.to_canonical().is_loopback());
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => match name.parse::<std::net::IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            // RFC 6761, section 6.3: this name is loopback for every resolver.
            Err(_) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(place: &str) -> Encryption {
        let mut config: Config = known_modes(&format!("postgres://ada:secret@{place}")).parse().unwrap();
        let encryption = Encryption::apply(&mut config);
        assert_eq!(encryption == Encryption::Required, config.get_ssl_mode() == SslMode::Require, "{place}");
        encryption
    }

    #[test]
    fn beyond_this_machine_it_is_required() {
        for place in [
            "db.example/rescind",
            "db.example/rescind?sslmode=prefer",
            "db.example/rescind?sslmode=allow",
            "db.example/rescind?connect_timeout=5&sslmode=verify-full",
            "db.example/rescind?sslmode=verify-ca",
            "10.0.0.5/rescind",
            "[fd00::5]/rescind",
            "0.0.0.0/rescind",
            "127.0.0.1.example/rescind",
            "localhost.example/rescind",
            "localhost,db.example/rescind",
            "db.example,localhost/rescind?sslmode=prefer",
            "localhost/rescind?hostaddr=10.0.0.5",
            "a,b/rescind?hostaddr=127.0.0.1,10.0.0.5",
            "localhost/rescind?host=db.example",
            "localhost/rescind?sslmode=require",
        ] {
            assert_eq!(of(place), Encryption::Required, "{place}");
        }
    }

    #[test]
    fn on_this_machine_it_is_taken_where_it_is_offered() {
        for place in [
            "localhost/rescind",
            "LOCALHOST./rescind",
            "127.0.0.1:5433,127.1.2.3/rescind",
            "[::1]/rescind",
            "[::ffff:127.0.0.1]/rescind",
            "/rescind?host=/run/postgresql",
            "%2Frun%2Fpostgresql/rescind",
            "db.example/rescind?hostaddr=127.0.0.1",
            "localhost/rescind?sslmode=allow",
        ] {
            assert_eq!(of(place), Encryption::IfOffered, "{place}");
        }
    }

    #[test]
    fn only_who_writes_so_does_without() {
        let disabled = |here| Encryption::Disabled { here };
        assert_eq!(of("db.example/rescind?sslmode=disable"), disabled(false));
        assert_eq!(of("db.example/rescind?sslmode=disable&connect_timeout=5"), disabled(false));
        assert_eq!(of("localhost/rescind?sslmode=disable"), disabled(true));
        assert_eq!(of("db.example/rescind?application_name=sslmode=disable"), Encryption::Required);
    }
}
