//! Notes the names that tokens are given.

use super::Step;
use crate::model::names::Names;
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::format::Record;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// How many names are remembered. Who changes them more often than this within the life of an access token does without
/// the oldest.
const NAMES_KEPT: usize = 8;

/// Notes the names that tokens are given from now on. Tokens with the names before stay good; other nodes learn of the
/// new names by a new version of the key set.
///
/// Names are not forgotten when the last token with them has expired: then it is refused as expired, not as a token that
/// is not ours.
#[derive(Clone, Debug)]
pub struct UseNames {
    /// The names.
    pub names: Names,
    /// The present time.
    pub now: Timestamp,
}

impl Step for UseNames {
    type Outcome = ();

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<(), StoreError> {
        let Self { names, now } = self;
        if let Some(mut identity) = records.identity()?.filter(|identity| identity.present() != *names) {
            identity.names.retain(|other| other != names);
            identity.names.push(names.clone());
            let surplus = identity.names.len().saturating_sub(NAMES_KEPT);
            identity.names.drain(..surplus);
            changes.put(Record::StoreIdentity(identity));
            let version = records.counters()?.keys.next();
            changes.log(*now, Revocation::Keys { version, distrusted: None });
        }
        Ok(())
    }
}
