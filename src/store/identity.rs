//! The identity of a store: its id, and the names that its tokens carry.

use crate::model::ids::StoreId;
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;

/// The identity of a store. Only a restore changes its id, and only other settings add to its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The id of the store.
    pub store: StoreId,
    /// `iss` of its tokens when the settings name none.
    pub issuer: String,
    /// `aud` of its tokens when the settings name none.
    pub audience: String,
    /// When the store was initialized.
    pub at: Timestamp,
    /// Other names that tokens were given since, by the settings, the present ones last. Empty as long as they are the
    /// names above.
    pub names: Vec<Names>,
}

impl StoreIdentity {
    /// The names that tokens are given now.
    pub fn present(&self) -> Names {
        self.names.last().cloned().unwrap_or_else(|| self.first())
    }

    /// Every pair of names that a token of this store may carry.
    pub fn all_names(&self) -> Vec<Names> {
        std::iter::once(self.first()).chain(self.names.iter().cloned()).collect()
    }

    fn first(&self) -> Names {
        Names { issuer: self.issuer.clone(), audience: self.audience.clone() }
    }
}
