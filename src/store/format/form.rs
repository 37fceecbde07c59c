//! How values of the model are stored: ids as UUIDs, counters and times as numbers, names as texts.

use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::FormatError;
use crate::model::authentication_method::AuthenticationMethod;
use crate::model::counters::{Era, Generation, KeysVersion, Position, Sequence, Stamp};
use crate::model::device::{DeviceKind, DeviceName};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, StoreId, UserId};
use crate::model::key::Kid;
use crate::model::names::Names;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;

/// The stored form of an `M` of the model.
pub(super) trait StoredForm<M>: Sized {
    /// The stored form of `model`.
    fn of(model: &M) -> Self;

    /// The model's value of this form.
    fn model(self) -> Result<M, FormatError>;
}

/// A record whose one version so far has the same form in both encodings, and whose key holds nothing of it.
pub(super) trait OneForm: Sized {
    /// The form.
    type Form: StoredForm<Self> + Serialize + DeserializeOwned;
}

/// Declares the stored form of a struct of the model, with the stored types of its fields. `under` names fields that
/// the key of a record holds, and the form does not.
macro_rules! form {
    ($(#[$meta:meta])* struct $form:ident of $model:ident { $($(#[$attribute:meta])* $field:ident: $stored:ty,)* }) => {
        $crate::store::format::form::form! {
            $(#[$meta])* struct $form of $model under {} { $($(#[$attribute])* $field: $stored,)* }
        }

        impl $crate::store::format::form::StoredForm<$model> for $form {
            fn of(model: &$model) -> Self {
                Self::of_record(model)
            }

            fn model(self) -> Result<$model, $crate::store::format::FormatError> {
                self.under()
            }
        }
    };
    ($(#[$meta:meta])* struct $form:ident of $model:ident under { $($key:ident: $kind:ty),* }
        { $($(#[$attribute:meta])* $field:ident: $stored:ty,)* }) => {
        $(#[$meta])*
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct $form {
            $($(#[$attribute])* $field: $stored,)*
        }

        impl $form {
            /// The form of a record.
            fn of_record(model: &$model) -> Self {
                Self { $($field: $crate::store::format::form::StoredForm::of(&model.$field),)* }
            }

            /// The record of this form under its key.
            fn under(self, $($key: $kind),*) -> Result<$model, $crate::store::format::FormatError> {
                Ok($model {
                    $($key,)*
                    $($field: $crate::store::format::form::StoredForm::model(self.$field)?,)*
                })
            }
        }
    };
}
pub(super) use form;

/// Declares the stored form of an enumeration without fields: the same variants in this order.
macro_rules! variants {
    ($(#[$meta:meta])* enum $form:ident of $model:ident { $($variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) enum $form {
            $($variant,)*
        }

        impl $crate::store::format::form::StoredForm<$model> for $form {
            fn of(model: &$model) -> Self {
                match model {
                    $($model::$variant => Self::$variant,)*
                }
            }

            fn model(self) -> Result<$model, $crate::store::format::FormatError> {
                Ok(match self {
                    $(Self::$variant => $model::$variant,)*
                })
            }
        }
    };
}
pub(super) use variants;

/// Values that are stored as they are.
macro_rules! plain {
    ($($plain:ty),*) => {
        $(impl StoredForm<$plain> for $plain {
            fn of(model: &$plain) -> Self {
                model.clone()
            }

            fn model(self) -> Result<$plain, FormatError> {
                Ok(self)
            }
        })*
    };
}

plain!(u64, bool, String, IpAddr, [u8; 32]);

/// Values that are stored as a simpler one, and have no invalid ones.
macro_rules! simple {
    ($($model:ident as $stored:ty: $of:expr, $back:expr;)*) => {
        $(impl StoredForm<$model> for $stored {
            fn of(model: &$model) -> Self {
                $of(model)
            }

            fn model(self) -> Result<$model, FormatError> {
                Ok($back(self))
            }
        })*
    };
}

simple! {
    Era as u64: |era: &Era| era.value(), Era::new;
    Generation as u64: |generation: &Generation| generation.value(), Generation::new;
    Sequence as u64: |sequence: &Sequence| sequence.value(), Sequence::new;
    Position as u64: |position: &Position| position.value(), Position::new;
    KeysVersion as u64: |version: &KeysVersion| version.value(), KeysVersion::new;
    Timestamp as i64: |time: &Timestamp| time.unix(), Timestamp::from_unix;
    StoreId as Uuid: |id: &StoreId| Uuid::from_bytes(*id.as_bytes()), StoreId::new;
    UserId as Uuid: |id: &UserId| Uuid::from_bytes(*id.as_bytes()), UserId::new;
    DeviceId as Uuid: |id: &DeviceId| Uuid::from_bytes(*id.as_bytes()), DeviceId::new;
    ServiceKeyId as Uuid: |id: &ServiceKeyId| Uuid::from_bytes(*id.as_bytes()), ServiceKeyId::new;
    DeviceName as String: |name: &DeviceName| name.as_str().to_owned(), DeviceName::from_stored;
    DeviceKind as String: |kind: &DeviceKind| kind.as_str().to_owned(), DeviceKind::from_stored;
    ExternalId as String: |id: &ExternalId| id.as_str().to_owned(), ExternalId::from_stored;
    AuthenticationMethod as String: |method: &AuthenticationMethod| method.as_str().to_owned(), AuthenticationMethod::from_stored;
    Kid as String: |kid: &Kid| kid.as_str().to_owned(), Kid::new;
}

impl StoredForm<PasswordHash> for String {
    fn of(hash: &PasswordHash) -> Self {
        hash.as_str().to_owned()
    }

    fn model(self) -> Result<PasswordHash, FormatError> {
        PasswordHash::from_stored(&self).ok_or(FormatError::Unreadable)
    }
}

impl<M, F: StoredForm<M>> StoredForm<Option<M>> for Option<F> {
    fn of(model: &Option<M>) -> Self {
        model.as_ref().map(F::of)
    }

    fn model(self) -> Result<Option<M>, FormatError> {
        self.map(F::model).transpose()
    }
}

impl<M, F: StoredForm<M>> StoredForm<Vec<M>> for Vec<F> {
    fn of(model: &Vec<M>) -> Self {
        model.iter().map(F::of).collect()
    }

    fn model(self) -> Result<Vec<M>, FormatError> {
        self.into_iter().map(F::model).collect()
    }
}

/// The record in the index of usernames.
impl OneForm for UserId {
    type Form = Uuid;
}

form! {
    /// An era and a generation.
    struct StoredStamp of Stamp {
        era: u64,
        generation: u64,
    }
}

form! {
    /// An issuer and an audience.
    struct StoredNames of Names {
        issuer: String,
        audience: String,
    }
}
