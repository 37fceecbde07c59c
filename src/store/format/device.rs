//! The stored forms of devices, live or ended.
//!
//! Version 1 of both binary records stored the end of the grace window instead of the time of the advance, a network of
//! each address family, and no floor for access tokens. Binary version 3 and JSON version 2 added `amr` and `rotates`; a
//! device that has the default values of both is still written in the version before, which the release before reads.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::form::{StoredForm, StoredStamp, form, variants};
use super::json::{self, JsonDocument, JsonRecord};
use super::refresh::{RefreshDocument, RefreshOfVersion1, StoredRefresh};
use crate::model::authentication_method::AuthenticationMethod;
use crate::model::counters::Stamp;
use crate::model::device::{Cause, Device, Ended};
use crate::model::ids::{DeviceId, UserId};

/// The newest version of both binary records.
const VERSION: u8 = 3;

/// The newest version of documents.
const DOCUMENT_VERSION: u64 = 2;

/// An ended device, whose binary form is another one than that of a live device.
pub(in crate::store) struct EndedDevice(pub(in crate::store) Device);

/// The binary form of a device: without its id, its user and its stamp. They would be two fifths of the record, and a
/// record is written more than once: with every page it shares, and again when that page is moved.
#[derive(Serialize, Deserialize)]
struct StoredDevice<R = StoredRefresh> {
    name: String,
    kind: String,
    created: i64,
    authenticated: i64,
    idle_end: i64,
    absolute_end: i64,
    refresh: R,
    ended: Option<StoredEnd>,
}

/// The binary form of an ended device: with its stamp, which its key does not hold.
#[derive(Serialize, Deserialize)]
struct StoredEnded<R = StoredRefresh> {
    stamp: StoredStamp,
    device: StoredDevice<R>,
}

/// A form with what its version added to the form `F` of the version before.
#[derive(Serialize, Deserialize)]
struct WithMethods<F> {
    before: F,
    amr: Vec<String>,
    rotates: bool,
}

/// The JSON form of a device.
#[derive(Serialize, Deserialize)]
struct DeviceDocument {
    #[serde(flatten)]
    before: DeviceDocumentOfVersion1,
    amr: Vec<String>,
    rotates: bool,
}

form! {
    /// The JSON form of a device in version 1.
    struct DeviceDocumentOfVersion1 of Device under { amr: Vec<AuthenticationMethod>, rotates: bool } {
        id: Uuid,
        user: Uuid,
        stamp: StoredStamp,
        name: String,
        kind: String,
        created: i64,
        authenticated: i64,
        idle_end: i64,
        absolute_end: i64,
        refresh: RefreshDocument,
        ended: Option<StoredEnd>,
    }
}

form! {
    /// The end of a device.
    struct StoredEnd of Ended {
        at: i64,
        cause: StoredCause,
        note: Option<String>,
    }
}

variants! {
    /// The cause of the end of a device, or of the bump of a generation.
    enum StoredCause of Cause {
        SignedOut,
        SignedOutEverywhere,
        PasswordChanged,
        RefreshReused,
        Evicted,
        Expired,
        Administrator,
        Disabled,
    }
}

impl StoredDevice {
    fn of(device: &Device) -> Self {
        Self {
            name: StoredForm::of(&device.name),
            kind: StoredForm::of(&device.kind),
            created: device.created.unix(),
            authenticated: device.authenticated.unix(),
            idle_end: device.idle_end.unix(),
            absolute_end: device.absolute_end.unix(),
            refresh: StoredForm::of(&device.refresh),
            ended: StoredForm::of(&device.ended),
        }
    }
}

impl<R: Into<StoredRefresh>> StoredDevice<R> {
    fn under(self, user: UserId, stamp: Stamp, id: DeviceId) -> Result<Device, FormatError> {
        Ok(Device {
            id,
            user,
            stamp,
            name: self.name.model()?,
            kind: self.kind.model()?,
            created: self.created.model()?,
            authenticated: self.authenticated.model()?,
            idle_end: self.idle_end.model()?,
            absolute_end: self.absolute_end.model()?,
            refresh: self.refresh.into().model()?,
            ended: self.ended.model()?,
            amr: Vec::new(),
            rotates: true,
        })
    }
}

impl<R: Into<StoredRefresh>> StoredEnded<R> {
    fn under(self, user: UserId, id: DeviceId) -> Result<EndedDevice, FormatError> {
        self.device.under(user, self.stamp.model()?, id).map(EndedDevice)
    }
}

impl<F> WithMethods<F> {
    fn of(device: &Device, before: F) -> Self {
        Self { before, amr: StoredForm::of(&device.amr), rotates: device.rotates }
    }

    /// The device of which `read` reads the rest.
    fn model(self, read: impl FnOnce(F) -> Result<Device, FormatError>) -> Result<Device, FormatError> {
        Ok(Device { amr: self.amr.model()?, rotates: self.rotates, ..read(self.before)? })
    }
}

/// Whether the version before the newest can hold the device.
fn is_of_version_before(device: &Device) -> bool {
    device.amr.is_empty() && device.rotates
}

impl BinaryRecord for Device {
    type Key = (UserId, Stamp, DeviceId);

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let before = StoredDevice::of(self);
        if is_of_version_before(self) {
            binary::encode(2, &before)
        } else {
            binary::encode(VERSION, &WithMethods::of(self, before))
        }
    }

    fn from_bytes(bytes: &[u8], (user, stamp, id): Self::Key) -> Result<Self, FormatError> {
        match binary::versioned(bytes)? {
            (VERSION, encoded) => binary::fields::<WithMethods<StoredDevice>>(encoded)?
                .model(|before| before.under(user, stamp, id)),
            (2, encoded) => binary::fields::<StoredDevice>(encoded)?.under(user, stamp, id),
            (1, encoded) => {
                binary::fields::<StoredDevice<RefreshOfVersion1>>(encoded)?.under(user, stamp, id)
            }
            _ => Err(FormatError::Newer),
        }
    }
}

impl BinaryRecord for EndedDevice {
    type Key = (UserId, DeviceId);

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let Self(device) = self;
        let stamp = StoredForm::of(&device.stamp);
        let before = StoredEnded { stamp, device: StoredDevice::of(device) };
        if is_of_version_before(device) {
            binary::encode(2, &before)
        } else {
            binary::encode(VERSION, &WithMethods::of(device, before))
        }
    }

    fn from_bytes(bytes: &[u8], (user, id): Self::Key) -> Result<Self, FormatError> {
        match binary::versioned(bytes)? {
            (VERSION, encoded) => binary::fields::<WithMethods<StoredEnded>>(encoded)?
                .model(|before| Ok(before.under(user, id)?.0))
                .map(EndedDevice),
            (2, encoded) => binary::fields::<StoredEnded>(encoded)?.under(user, id),
            (1, encoded) => binary::fields::<StoredEnded<RefreshOfVersion1>>(encoded)?.under(user, id),
            _ => Err(FormatError::Newer),
        }
    }
}

impl JsonRecord for Device {
    fn to_json(&self) -> Result<String, FormatError> {
        let before = DeviceDocumentOfVersion1::of_record(self);
        if is_of_version_before(self) {
            json::encode(1, &before)
        } else {
            let (amr, rotates) = (StoredForm::of(&self.amr), self.rotates);
            json::encode(DOCUMENT_VERSION, &DeviceDocument { before, amr, rotates })
        }
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        match document.version()? {
            DOCUMENT_VERSION => {
                let DeviceDocument { before, amr, rotates } = document.fields()?;
                before.under(amr.model()?, rotates)
            }
            1 => document.fields::<DeviceDocumentOfVersion1>()?.under(Vec::new(), true),
            _ => Err(FormatError::Newer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::{Era, Generation, Sequence};
    use crate::model::device::{DeviceKind, DeviceName};
    use crate::model::network::Network;
    use crate::model::refresh_state::RefreshState;
    use crate::model::timestamp::Timestamp;

    /// A live and an ended device as version 1 wrote them, byte for byte.
    const LIVE_1: &str = "010d416461e28099732070686f6e65066d6f62696c65c0adc2b40de0bac8b40d80fc8ab70d8080b9c30d080301f8c8ceb40d01c000020120010db8000000010102e0abcdb40d80c8ceb40d00";
    const ENDED_1: &str = "0180a4a7da06020d416461e28099732070686f6e65066d6f62696c65c0adc2b40de0bac8b40d80fc8ab70d8080b9c30d080301f8c8ceb40d01c000020120010db8000000010102e0abcdb40d80c8ceb40d01c8c9ceb40d0301183139382e35312e3130302e39206f6b687474702f342e3132";
    const OPENED_1: &str = "010d416461e28099732070686f6e65066d6f62696c65c0adc2b40de0bac8b40d80fc8ab70d8080b9c30d00000001c0000200000000";

    const USER: UserId = UserId::from_bytes([1; 16]);
    const ID: DeviceId = DeviceId::from_bytes([2; 16]);
    const STAMP: Stamp = Stamp { era: Era::new(1_800_000_000), generation: Generation::new(2) };

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn ended_of(bytes: &[u8]) -> Result<Device, FormatError> {
        EndedDevice::from_bytes(bytes, (USER, ID)).map(|EndedDevice(device)| device)
    }

    fn expected() -> Device {
        Device {
            id: ID,
            user: USER,
            stamp: STAMP,
            name: DeviceName::parse("Ada’s phone").unwrap(),
            kind: DeviceKind::parse("mobile").unwrap(),
            created: Timestamp::from_unix(1_799_900_000),
            authenticated: Timestamp::from_unix(1_799_950_000),
            idle_end: Timestamp::from_unix(1_802_592_000),
            absolute_end: Timestamp::from_unix(1_815_552_000),
            refresh: RefreshState {
                current: Sequence::new(8),
                floor: Sequence::new(3),
                floor_generation: Generation::default(),
                advanced: None,
                network: None,
                recovered: true,
                recoveries: vec![Timestamp::from_unix(1_799_990_000), Timestamp::from_unix(1_800_000_000)],
            },
            ended: None,
            amr: Vec::new(),
            rotates: true,
        }
    }

    #[test]
    fn records_of_version_1_are_read() {
        assert_eq!(Device::from_bytes(&bytes(LIVE_1), (USER, STAMP, ID)), Ok(expected()));
        let ended = Ended {
            at: Timestamp::from_unix(1_800_000_100),
            cause: Cause::RefreshReused,
            note: Some("198.51.100.9 okhttp/4.12".to_owned()),
        };
        let ended = Device { ended: Some(ended), ..expected() };
        assert_eq!(ended_of(&bytes(ENDED_1)), Ok(ended));
        let home = Network::of("192.0.2.7".parse().unwrap());
        let opened = Device { refresh: RefreshState::opened(home), ..expected() };
        assert_eq!(Device::from_bytes(&bytes(OPENED_1), (USER, STAMP, ID)), Ok(opened));
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_version_2_stays_as_it_is() {
        let mut device = expected();
        device.refresh.network = Some(Network::of("192.0.2.7".parse().unwrap()));
        device.refresh.advanced = Some(Timestamp::from_unix(1_800_000_000));
        device.refresh.floor_generation = Generation::new(2);
        let written = device.to_bytes().unwrap();
        let expected = "020d416461e28099732070686f6e65066d6f62696c65c0adc2b40de0bac8b40d80fc8ab70d8080b9c30d0803020180c8ceb40d0100c000020102e0abcdb40d80c8ceb40d00";
        assert_eq!(written, bytes(expected));
        assert_eq!(Device::from_bytes(&written, (USER, STAMP, ID)), Ok(device.clone()));
        let written = EndedDevice(device.clone()).to_bytes().unwrap();
        assert_eq!(ended_of(&written), Ok(device));
    }

    #[test]
    fn a_version_of_the_future_is_not_guessed_at() {
        for version in [0, 4, 255] {
            let mut other = bytes(LIVE_1);
            other[0] = version;
            let refused = Device::from_bytes(&other, (USER, STAMP, ID));
            assert_eq!(refused, Err(FormatError::Newer), "{version}");
        }
    }
}
