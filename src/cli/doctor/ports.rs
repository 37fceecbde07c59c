//! The two addresses to listen on: free, or held by the server of this data folder.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use super::diagnosis::{Diagnosis, Grade};
use crate::settings::Settings;

/// The process that may hold an address that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The server that answers in the data folder.
    Server,
    /// A server that is starting or stopping, or one that this user cannot see.
    Unknown,
    /// No server of this data folder.
    Nobody,
}

pub(super) fn examine(settings: &Settings, holder: Holder) -> Vec<Diagnosis> {
    let mut found = vec![judge("port", "listen", settings.listen, &bind(settings.listen), holder)];
    if let Some(metrics) = settings.metrics_listen {
        let mut diagnosis = judge("metrics port", "metrics_listen", metrics, &bind(metrics), holder);
        // The service runs without its metrics, so this never stops a start.
        diagnosis.grade = diagnosis.grade.min(Grade::Warning);
        found.push(diagnosis);
    }
    found
}

/// Binds the address and closes it at once, without accepting a connection.
fn bind(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

fn judge(
    about: &'static str,
    key: &str,
    address: SocketAddr,
    bound: &io::Result<()>,
    holder: Holder,
) -> Diagnosis {
    let Err(error) = bound else {
        return Diagnosis::good(about, format!("{address} is free"));
    };
    let (what, help) = match error.kind() {
        ErrorKind::AddrInUse if holder == Holder::Server => {
            return Diagnosis::good(about, format!("{address} is taken, as it should be: a server runs"));
        }
        ErrorKind::AddrInUse if holder == Holder::Unknown => {
            let what = format!("{address} is taken, perhaps by the server of this data folder");
            let help = format!("`ss -ltnp 'sport = :{}'` names who listens there", address.port());
            return Diagnosis::new(about, Grade::Hint, what, help);
        }
        ErrorKind::AddrInUse => (
            format!("{address} is taken by another program"),
            format!("`ss -ltnp 'sport = :{}'` names it; stop it, or choose another `{key}`", address.port()),
        ),
        ErrorKind::PermissionDenied => (
            format!("{address} may not be taken by this user"),
            format!("choose a `{key}` with a port from 1024 up, and let the proxy in front have the low one"),
        ),
        ErrorKind::AddrNotAvailable => (
            format!("{address} is no address of this machine"),
            format!("`ip address` lists them; choose one of them for `{key}`, or 0.0.0.0 for all"),
        ),
        _ => (format!("{address} cannot be listened on: {error}"), format!("choose another `{key}`")),
    };
    Diagnosis::new(about, Grade::Bad, what, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: SocketAddr, metrics: SocketAddr) -> Settings {
        Settings::with(&[("listen", &listen.to_string()), ("metrics_listen", &metrics.to_string())]).unwrap()
    }

    fn free() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn a_port_taken_by_another_program_is_bad() {
        let other = TcpListener::bind(free()).unwrap();
        let found = examine(&settings(other.local_addr().unwrap(), free()), Holder::Nobody);
        assert_eq!(found[0].grade, Grade::Bad);
        assert!(found[0].help.contains("`listen`"), "{:?}", found[0]);
        assert_eq!(found[1].grade, Grade::Good);
    }

    #[test]
    fn a_port_taken_by_our_own_server_is_good() {
        let ours = TcpListener::bind(free()).unwrap();
        assert_eq!(
            examine(&settings(ours.local_addr().unwrap(), free()), Holder::Server)[0].grade,
            Grade::Good
        );
    }

    #[test]
    fn a_port_that_an_unseen_server_may_hold_is_no_fault() {
        let unseen = TcpListener::bind(free()).unwrap();
        let found = examine(&settings(unseen.local_addr().unwrap(), free()), Holder::Unknown);
        assert_eq!(found[0].grade, Grade::Hint);
    }

    #[test]
    fn a_busy_metrics_port_is_only_a_warning() {
        let other = TcpListener::bind(free()).unwrap();
        let found = examine(&settings(free(), other.local_addr().unwrap()), Holder::Nobody);
        assert_eq!(found[1].grade, Grade::Warning);
        assert!(found[1].help.contains("`metrics_listen`"));
    }

    #[test]
    fn a_port_only_root_may_take_is_bad() {
        let denied = Err(ErrorKind::PermissionDenied.into());
        assert!(judge("port", "listen", free(), &denied, Holder::Nobody).help.contains("1024"));
    }

    #[test]
    fn an_address_of_another_machine_is_bad() {
        // TEST-NET-1 (RFC 5737) is nobody's.
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
        assert!(
            examine(&settings(elsewhere, free()), Holder::Nobody)[0]
                .what
                .contains("no address of this machine")
        );
    }
}
