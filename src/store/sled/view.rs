//! The view that a reader has of the store.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

use sled::IVec;

use super::writes::PendingWrites;
use crate::store::StoreError;

static NOTHING: PendingWrites = BTreeMap::new();

/// The records, with the pending writes of the current group over them: a step sees the writes of earlier steps,
/// although the group is applied as a whole.
#[derive(Clone, Copy)]
pub struct SledView<'a> {
    tree: &'a sled::Tree,
    pending: &'a PendingWrites,
}

impl<'a> SledView<'a> {
    /// The applied records, for reading outside the writer thread. They may not be durable yet.
    pub fn applied(tree: &'a sled::Tree) -> Self {
        Self { tree, pending: &NOTHING }
    }

    pub(super) fn over(tree: &'a sled::Tree, pending: &'a PendingWrites) -> Self {
        Self { tree, pending }
    }

    /// The value of `key`; `Ok(None)` if there is none, an error if it cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.pending.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.tree.get(key).map_err(|e| unreadable(&e)),
        }
    }

    /// The records whose key starts with `prefix`, in the order of their keys, ending after the first error.
    pub fn scan(&self, prefix: &[u8]) -> Scan<'a> {
        self.scan_from(prefix, Bound::Included(prefix))
    }

    /// The records whose key starts with `prefix`, from `start` on: the next page of a list.
    pub fn scan_from(&self, prefix: &[u8], start: Bound<&[u8]>) -> Scan<'a> {
        let range = (start, Bound::Unbounded);
        Scan {
            prefix: prefix.to_vec(),
            stored: self.tree.range::<&[u8], _>(range).peekable(),
            pending: self.pending.range::<[u8], _>(range).peekable(),
            failed: false,
        }
    }
}

/// An iterator over records in the order of their keys, as [`SledView::scan`] returns it.
pub struct Scan<'a> {
    prefix: Vec<u8>,
    stored: Peekable<sled::Iter>,
    pending: Peekable<btree_map::Range<'a, IVec, Option<IVec>>>,
    failed: bool,
}

impl Iterator for Scan<'_> {
    type Item = Result<(IVec, IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        loop {
            let stored = match self.stored.peek() {
                Some(Ok((key, _))) => Some(key).filter(|key| key.starts_with(&self.prefix)),
                Some(Err(e)) => {
                    // sled's iterator would answer a damaged page with the same error for ever.
                    self.failed = true;
                    return Some(Err(unreadable(e)));
                }
                None => None,
            };
            let pending =
                self.pending.peek().map(|(key, _)| *key).filter(|key| key.starts_with(&self.prefix));
            let hidden = match (stored, pending) {
                (None, None) => return None,
                (Some(stored), pending) if pending.is_none_or(|pending| stored < pending) => {
                    return self.stored.next().map(|record| record.map_err(|e| unreadable(&e)));
                }
                (stored, pending) => stored == pending,
            };
            if hidden {
                self.stored.next();
            }
            if let Some((key, Some(value))) = self.pending.next() {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

fn unreadable(e: &sled::Error) -> StoreError {
    match e {
        sled::Error::Corruption { .. } => StoreError::Corrupt(e.to_string()),
        _ => StoreError::Unavailable(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(0..3_u8, 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_view_reads_as_if_the_pending_writes_were_applied(
            stored in proptest::collection::btree_set(key(), 0..20),
            changes in proptest::collection::btree_map(key(), any::<bool>(), 0..20),
            prefix in proptest::collection::vec(0..3_u8, 0..3),
            start in key(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let db = sled::Config::new().path(folder.path()).flush_every_ms(None).open().unwrap();
            let mut truth = BTreeMap::new();
            for key in stored {
                db.insert(&key, b"old").unwrap();
                truth.insert(key, b"old".to_vec());
            }
            let mut pending = PendingWrites::new();
            for (key, keep) in changes {
                pending.insert(key.as_slice().into(), keep.then(|| b"new".into()));
                if keep { truth.insert(key, b"new".to_vec()); } else { truth.remove(&key); }
            }
            let view = SledView::over(&db, &pending);
            prop_assert_eq!(view.get(&start).unwrap().map(|v| v.to_vec()), truth.get(&start).cloned());
            for from in [Bound::Included(start.as_slice()), Bound::Excluded(&start), Bound::Unbounded] {
                let seen: Vec<_> = view.scan_from(&prefix, match from { Bound::Unbounded => Bound::Included(&prefix), f => f })
                    .map(|r| r.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect();
                // Like the scan, which ends at the first key without the prefix.
                let expected: Vec<_> = truth.iter()
                    .filter(|(k, _)| match from { Bound::Included(s) => k.as_slice() >= s, Bound::Excluded(s) => k.as_slice() > s, Bound::Unbounded => true })
                    .filter(|(k, _)| k.starts_with(&prefix) )
                    .map(|(k, v)| (k.clone(), v.clone())).collect();
                if from == Bound::Unbounded || start.starts_with(&prefix) {
                    prop_assert_eq!(seen, expected);
                }
            }
        }
    }
}
