//! The store: held by a server, open to this process, unusable, or not made yet.

use std::os::unix::net::UnixStream;

use super::clock;
use super::diagnosis::{Diagnosis, Grade};
use crate::cli::service::{self, OpenError, StoreInspection};
use crate::settings::Settings;

const ABOUT: &str = "store";

/// The state of the store, before it is judged.
#[derive(Debug)]
pub(super) enum StoreCondition {
    /// No store exists yet; the first start makes it.
    None,
    /// A server answers in the data folder and holds the store.
    Served,
    /// A process holds the store and does not answer: one that starts or stops, or another command.
    Held,
    /// The store opens.
    Open(StoreInspection),
    /// The store does not open.
    Closed(OpenError),
}

/// Whether a server answers in the data folder.
pub(super) fn server_answers(settings: &Settings) -> bool {
    UnixStream::connect(settings.admin_socket()).is_ok()
}

pub(super) async fn find(settings: &Settings, server: bool) -> StoreCondition {
    if server && settings.store.is_none() {
        return StoreCondition::Served;
    }
    match service::inspect(settings).await {
        Ok(look) => StoreCondition::Open(look),
        Err(error) if error.is_missing() => StoreCondition::None,
        // A server may have begun to answer since.
        Err(error) if error.is_in_use() && server_answers(settings) => StoreCondition::Served,
        Err(error) if error.is_in_use() => StoreCondition::Held,
        Err(error) => StoreCondition::Closed(error),
    }
}

pub(super) fn judge(state: &StoreCondition, settings: &Settings, now: i64) -> Diagnosis {
    let shared = settings.store.is_some();
    match state {
        StoreCondition::None if shared => Diagnosis::good(
            ABOUT,
            "the database answers; there is no store in it yet, the first start makes it",
        ),
        StoreCondition::None => Diagnosis::good(ABOUT, "none yet; the first start makes it"),
        StoreCondition::Served => {
            Diagnosis::good(ABOUT, "a server runs on this data folder and holds its store")
        }
        StoreCondition::Held => Diagnosis::new(
            ABOUT,
            Grade::Hint,
            "another process holds the store and does not answer: a server that is starting or stopping, or a command",
            "ask again in a moment; if it stays so, the file `lock` in the data folder names the process",
        ),
        StoreCondition::Open(look) => {
            let doubt = if shared { clock::apart } else { clock::behind };
            let well = if shared { "the database answers" } else { "no server runs on this data folder" };
            look.time.and_then(|time| doubt(time, now)).unwrap_or_else(|| Diagnosis::good(ABOUT, well))
        }
        // The message says what to do next.
        StoreCondition::Closed(error) => Diagnosis::new(ABOUT, Grade::Bad, error.to_string(), ""),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn judged(state: &StoreCondition, now: i64) -> Diagnosis {
        judge(state, &Settings::with(&[]).unwrap(), now)
    }

    fn known(time: i64) -> StoreCondition {
        StoreCondition::Open(StoreInspection { time: Some(time), keys: None })
    }

    #[tokio::test]
    async fn a_running_server_is_seen_and_fine() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::with(&[("data", folder.path().to_str().unwrap())]).unwrap();
        assert!(!server_answers(&settings));
        let _server = UnixListener::bind(settings.admin_socket()).unwrap();
        assert!(server_answers(&settings));
        let diagnosis = judge(&find(&settings, true).await, &settings, 0);
        assert_eq!(diagnosis.grade, Grade::Good);
        assert!(diagnosis.what.contains("a server runs"));
    }

    #[test]
    fn a_store_that_cannot_be_opened_is_bad_with_the_stores_own_remedy() {
        let diagnosis =
            judged(&StoreCondition::Closed(OpenError::Settings("put a backup in its place".to_owned())), 0);
        assert_eq!(diagnosis.grade, Grade::Bad);
        assert!(diagnosis.what.contains("put a backup in its place"));
    }

    #[test]
    fn a_store_from_the_future_puts_the_clock_in_doubt() {
        assert_eq!(judged(&known(10_000), 1_000).about, "clock");
        assert_eq!(judged(&known(1_000), 10_000).grade, Grade::Good);
    }

    #[test]
    fn a_store_that_is_not_made_yet_is_no_fault() {
        assert_eq!(judged(&StoreCondition::None, 0).grade, Grade::Good);
    }
}
