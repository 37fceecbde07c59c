//! The store: held by a running server, or able to be opened.

use std::os::unix::net::UnixStream;

use super::{Diagnosis, Grade, clock, holds_anything};
use crate::cli::failure::Failure;
use crate::cli::service;
use crate::settings::Settings;

const ABOUT: &str = "store";

/// Whether a server answers in the data folder.
pub(super) fn server_answers(settings: &Settings) -> bool {
    UnixStream::connect(settings.admin_socket()).is_ok()
}

pub(super) async fn examine(settings: &Settings, server: bool) -> Diagnosis {
    if settings.store.is_some() {
        return judge(
            service::newest_record(settings).await,
            service::now(),
            clock::apart,
            "the database answers",
        );
    }
    if server {
        return Diagnosis::good(ABOUT, "a server runs on this data folder and holds its store");
    }
    if !holds_anything(&settings.data) {
        return Diagnosis::good(ABOUT, "none yet; the first start makes it");
    }
    let newest = service::newest_record(settings).await;
    judge(newest, service::now(), clock::behind, "no server runs on this data folder")
}

/// What a time that the store knows says of it, and of the clock.
fn judge(
    known: Result<Option<i64>, Failure>,
    now: i64,
    doubt: fn(i64, i64) -> Option<Diagnosis>,
    otherwise: &str,
) -> Diagnosis {
    match known {
        Ok(known) => {
            known.and_then(|known| doubt(known, now)).unwrap_or_else(|| Diagnosis::good(ABOUT, otherwise))
        }
        Err(failure) => Diagnosis::new(ABOUT, Grade::Bad, failure.what, failure.help),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_running_server_is_seen_and_fine() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::with(&[("data", folder.path().to_str().unwrap())]).unwrap();
        assert!(!server_answers(&settings));
        let _server = UnixListener::bind(settings.admin_socket()).unwrap();
        assert!(server_answers(&settings));
        let diagnosis = examine(&settings, true).await;
        assert_eq!(diagnosis.grade, Grade::Good);
        assert!(diagnosis.what.contains("a server runs"));
    }

    #[test]
    fn a_store_that_cannot_be_opened_is_bad_with_the_stores_own_remedy() {
        let diagnosis = judge(
            Err(Failure::new("the store is damaged", "put a backup in its place")),
            0,
            clock::behind,
            "",
        );
        assert_eq!(diagnosis.grade, Grade::Bad);
        assert_eq!(diagnosis.help, "put a backup in its place");
    }

    #[test]
    fn a_store_from_the_future_puts_the_clock_in_doubt() {
        assert_eq!(judge(Ok(Some(10_000)), 1_000, clock::behind, "").about, "clock");
        assert_eq!(judge(Ok(Some(1_000)), 10_000, clock::behind, "").grade, Grade::Good);
    }
}
