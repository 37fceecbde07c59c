//! The steps of a store: each operation that may write is one type, with what it works on, its priority, what it
//! decides and what it answers.
//!
//! A decision is a pure function from what is stored to what is to be written, the same for every engine. A step that
//! acts for a signed-in caller takes the token that the caller presented and judges it inside the step ([`caller`]):
//! whatever happened since the request arrived wins.
//!
//! Modules:
//!
//! * users: [`register`], [`import_user`], [`set_password`], [`rehash_password`], [`set_disabled`], [`delete_user`],
//!   [`update_user`]
//! * sessions: [`open_device`], [`rotate_refresh`], [`continue_session`] (one that began in another system),
//!   [`rename_device`], [`note_seen`]
//! * sign-outs: [`end_device`], [`end_devices`], [`end_everyone`]
//! * the store itself: [`initialize`], [`restore`], [`use_names`], [`save_keys`], [`service_keys`],
//!   [`report_rollback`], [`sweep`]
//! * any of them without its changes: [`dry_run`]
//! * what several steps share: [`caller`] (who asks), [`session`] (a new device), `ending` (how devices end)

use super::StoreError;
use super::priority::Priority;
use super::records::{Changes, Records};
use super::working_set::WorkingSet;

pub mod caller;
pub mod continue_session;
pub mod delete_user;
pub mod dry_run;
pub mod end_device;
pub mod end_devices;
pub mod end_everyone;
mod ending;
pub mod import_user;
pub mod initialize;
pub mod note_seen;
pub mod open_device;
pub mod register;
pub mod rehash_password;
pub mod rename_device;
pub mod report_rollback;
pub mod restore;
pub mod rotate_refresh;
pub mod save_keys;
pub mod service_keys;
pub mod session;
pub mod set_disabled;
pub mod set_password;
pub mod sweep;
pub mod update_user;
pub mod use_names;

/// An operation that may write: atomic, isolated, and decided by a pure function of what is stored.
pub trait Step: Send + Sync + 'static {
    /// What the caller is told.
    type Outcome: Send + 'static;

    /// The records that the step is known to work on: what an engine locks and reads beforehand.
    fn working_set(&self) -> WorkingSet;

    /// How long the step is still carried out when free space runs out.
    fn priority(&self) -> Priority;

    /// Decides what to write, into `changes`, and what to answer. May be called again, with other records and no
    /// changes: only the last call counts. What a call that fails has put into `changes` is dropped.
    ///
    /// # Errors
    /// When a record that the step needs cannot be read.
    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Self::Outcome, StoreError>;
}
