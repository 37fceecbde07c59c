//! The check of the indexes against the users: each user has one entry for the name, one for the external id if there is
//! one, and no entry is of anybody else.

use super::Read;
use crate::model::ids::UserId;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::format::RecordKind;
use crate::store::sled::codec::decode_under;
use crate::store::sled::layout::{self, Table};
use crate::store::sled::view::SledView;

impl SledView<'_> {
    /// Reads all users and both indexes, one record at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if an entry is missing, is another user's, or is nobody's.
    pub(in crate::store::sled) fn check_indexes(&self) -> Result<(), StoreError> {
        let table = Table::Of(RecordKind::User);
        let (mut names, mut external_ids) = (0, 0);
        for record in self.scan(&table.prefix()) {
            let (key, value) = record?;
            let id = layout::parse_user(&key).ok_or_else(|| table.corrupt("a key that is no user's"))?;
            let user: User = decode_under(table, id, &value)?;
            self.check_entry(Table::Names, &layout::name(user.username.key()), id)?;
            names += 1;
            if let Some(external_id) = &user.external_id {
                self.check_entry(Table::ExternalIds, &layout::external_id(external_id), id)?;
                external_ids += 1;
            }
        }
        // Every user has an entry of their own, so an entry more is nobody's.
        self.check_count(Table::Names, names)?;
        self.check_count(Table::ExternalIds, external_ids)
    }

    fn check_entry(&self, index: Table, key: &[u8], user: UserId) -> Read<()> {
        match self.record::<UserId>(index, key)? {
            Some(found) if found == user => Ok(()),
            Some(_) => Err(index.corrupt("an entry of another user")),
            None => Err(index.corrupt("a user without an entry")),
        }
    }

    fn check_count(&self, index: Table, users: u64) -> Read<()> {
        let mut entries = 0;
        for entry in self.scan(&index.prefix()) {
            entry?;
            entries += 1;
        }
        if entries == users { Ok(()) } else { Err(index.corrupt("an entry without its user")) }
    }
}
