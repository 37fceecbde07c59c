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
    if server {
        return Diagnosis::good(ABOUT, "a server runs on this data folder and holds its store");
    }
    if settings.store.is_none() && !holds_anything(&settings.data) {
        return Diagnosis::good(ABOUT, "none yet; the first start makes it");
    }
    judge(service::newest_record(settings).await, service::now())
}

fn judge(newest: Result<Option<i64>, Failure>, now: i64) -> Diagnosis {
    match newest {
        Ok(newest) => newest
            .and_then(|newest| clock::behind(newest, now))
            .unwrap_or_else(|| Diagnosis::good(ABOUT, "no server runs on this data folder")),
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
        let diagnosis = judge(Err(Failure::new("the store is damaged", "put a backup in its place")), 0);
        assert_eq!(diagnosis.grade, Grade::Bad);
        assert_eq!(diagnosis.help, "put a backup in its place");
    }

    #[test]
    fn a_store_from_the_future_puts_the_clock_in_doubt() {
        assert_eq!(judge(Ok(Some(10_000)), 1_000).about, "clock");
        assert_eq!(judge(Ok(Some(1_000)), 10_000).grade, Grade::Good);
    }
}
