//! What a database says of itself beside an answer.

use tokio_postgres::SimpleQueryMessage;

use crate::store::StoreError;

/// Which store of which database has answered, and the settings by which it waits for standbys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoreAndSettings {
    /// The identity of the store, the timeline of the database, and when the database was started. Two reads with equal
    /// texts are of one log, unless a dump was loaded over it: a promoted standby is on another timeline, and a database
    /// whose files were restored was started again.
    pub(super) store: String,
    /// The setting `synchronous_standby_names`.
    pub(super) names: String,
    /// The setting `synchronous_commit`, as steps have it.
    pub(super) commit: String,
}

impl StoreAndSettings {
    /// Reads the text of [`sql::STORE_AND_SETTINGS`](super::sql::STORE_AND_SETTINGS): the store in the first line, what a commit
    /// waits for in the last one, and the names between.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, StoreError> {
        let parts = text.and_then(|text| {
            let (store, settings) = text.split_once('\n')?;
            let (names, commit) = settings.rsplit_once('\n')?;
            Some(Self { store: store.to_owned(), names: names.to_owned(), commit: commit.to_owned() })
        });
        parts.ok_or_else(uninitialized)
    }

    /// Reads the answer to [`sql::STORE_AND_SETTINGS`](super::sql::STORE_AND_SETTINGS).
    pub(super) fn answered(messages: &[SimpleQueryMessage]) -> Result<Self, StoreError> {
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(2)),
            _ => None,
        });
        Self::parse(row.flatten())
    }
}

/// The error for a database that does not answer what every store has.
pub(super) fn uninitialized() -> StoreError {
    StoreError::Corrupt("the store was never initialized".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_lines() {
        let parsed = StoreAndSettings::parse(Some("a store\nFIRST 1 (one,\n two)\non")).unwrap();
        let expected = StoreAndSettings {
            store: "a store".to_owned(),
            names: "FIRST 1 (one,\n two)".to_owned(),
            commit: "on".to_owned(),
        };
        assert_eq!(parsed, expected);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for text in [None, Some(""), Some("a store"), Some("a store\non")] {
            assert!(StoreAndSettings::parse(text).is_err(), "{text:?}");
        }
    }
}
