//! The stored form of devices, live or ended.
//!
//! Both records have version 2. Version 1 stored the end of the grace window instead of the time of the advance, a
//! network of each address family, and no floor for access tokens.

use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::model::counters::{Generation, Sequence, Stamp};
use crate::model::device::{Device, DeviceKind, DeviceName, Ended};
use crate::model::ids::{DeviceId, UserId};
use crate::model::network::Network;
use crate::model::refresh_state::{Networks, RefreshState, advanced_before};
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::sled::codec::{encode_as, fields, versioned};
use crate::store::sled::layout::Table;

/// The version in which both records are written.
const VERSION: u8 = 2;

/// A device without its id, its user and its stamp.
#[derive(Serialize, Deserialize)]
pub(in crate::store::sled::records) struct StoredDevice<R = StoredRefresh> {
    name: DeviceName,
    kind: DeviceKind,
    created: Timestamp,
    authenticated: Timestamp,
    idle_end: Timestamp,
    absolute_end: Timestamp,
    refresh: R,
    ended: Option<Ended>,
}

/// An ended device with its stamp, which its key does not hold.
#[derive(Serialize, Deserialize)]
pub(in crate::store::sled::records) struct StoredEnded<R = StoredRefresh> {
    stamp: Stamp,
    device: StoredDevice<R>,
}

/// The refresh-token state of a device.
#[derive(Serialize, Deserialize)]
pub(in crate::store::sled::records) struct StoredRefresh {
    current: Sequence,
    floor: Sequence,
    floor_generation: Generation,
    advanced: Option<Timestamp>,
    network: Option<Network>,
    recovered: bool,
    recoveries: Vec<Timestamp>,
}

/// The refresh-token state in version 1.
#[derive(Deserialize)]
struct RefreshOfVersion1 {
    current: Sequence,
    floor: Sequence,
    grace_until: Option<Timestamp>,
    networks: Networks,
    recovered: bool,
    recoveries: Vec<Timestamp>,
}

impl StoredDevice {
    /// Encodes the record of a live device.
    pub(in crate::store::sled::records) fn encode(device: Device) -> Result<IVec, StoreError> {
        encode_as(VERSION, Table::Devices, &Self::of(device))
    }

    fn of(device: Device) -> Self {
        let Device { id: _, user: _, stamp: _, name, kind, created, authenticated, .. } = device;
        let Device { idle_end, absolute_end, refresh, ended, .. } = device;
        let refresh = refresh.into();
        Self { name, kind, created, authenticated, idle_end, absolute_end, refresh, ended }
    }

    /// Decodes the record of a live device.
    pub(in crate::store::sled::records) fn decode(
        bytes: &[u8],
        user: UserId,
        stamp: Stamp,
        id: DeviceId,
    ) -> Result<Device, StoreError> {
        Ok(match versioned(Table::Devices, bytes)? {
            (1, written) => {
                fields::<StoredDevice<RefreshOfVersion1>>(Table::Devices, written)?.under(user, stamp, id)
            }
            (VERSION, written) => fields::<Self>(Table::Devices, written)?.under(user, stamp, id),
            _ => return Err(Table::Devices.corrupt("a record cannot be read")),
        })
    }
}

impl<R: Into<RefreshState>> StoredDevice<R> {
    fn under(self, user: UserId, stamp: Stamp, id: DeviceId) -> Device {
        let Self { name, kind, created, authenticated, idle_end, absolute_end, refresh, ended } = self;
        let refresh = refresh.into();
        Device { id, user, stamp, name, kind, created, authenticated, idle_end, absolute_end, refresh, ended }
    }
}

impl StoredEnded {
    /// Encodes the record of an ended device.
    pub(in crate::store::sled::records) fn encode(device: Device) -> Result<IVec, StoreError> {
        let stamp = device.stamp;
        encode_as(VERSION, Table::Ended, &Self { stamp, device: StoredDevice::of(device) })
    }

    /// Decodes the record of an ended device.
    pub(in crate::store::sled::records) fn decode(
        bytes: &[u8],
        user: UserId,
        id: DeviceId,
    ) -> Result<Device, StoreError> {
        Ok(match versioned(Table::Ended, bytes)? {
            (1, written) => {
                let StoredEnded { stamp, device } =
                    fields::<StoredEnded<RefreshOfVersion1>>(Table::Ended, written)?;
                device.under(user, stamp, id)
            }
            (VERSION, written) => {
                let Self { stamp, device } = fields(Table::Ended, written)?;
                device.under(user, stamp, id)
            }
            _ => return Err(Table::Ended.corrupt("a record cannot be read")),
        })
    }
}

impl From<RefreshState> for StoredRefresh {
    fn from(state: RefreshState) -> Self {
        let RefreshState { current, floor, floor_generation, advanced, network, recovered, recoveries } =
            state;
        Self { current, floor, floor_generation, advanced, network, recovered, recoveries }
    }
}

impl From<StoredRefresh> for RefreshState {
    fn from(stored: StoredRefresh) -> Self {
        let StoredRefresh { current, floor, floor_generation, advanced, network, recovered, recoveries } =
            stored;
        Self { current, floor, floor_generation, advanced, network, recovered, recoveries }
    }
}

impl From<RefreshOfVersion1> for RefreshState {
    fn from(stored: RefreshOfVersion1) -> Self {
        let RefreshOfVersion1 { current, floor, grace_until, networks, recovered, recoveries } = stored;
        Self {
            current,
            floor,
            floor_generation: Generation::default(),
            advanced: advanced_before(grace_until, recovered),
            network: networks.only(),
            recovered,
            recoveries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::Era;
    use crate::model::device::Cause;

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
        }
    }

    #[test]
    fn records_of_version_1_are_read() {
        assert_eq!(StoredDevice::decode(&bytes(LIVE_1), USER, STAMP, ID), Ok(expected()));
        let ended = Ended {
            at: Timestamp::from_unix(1_800_000_100),
            cause: Cause::RefreshReused,
            note: Some("198.51.100.9 okhttp/4.12".to_owned()),
        };
        let ended = Device { ended: Some(ended), ..expected() };
        assert_eq!(StoredEnded::decode(&bytes(ENDED_1), USER, ID), Ok(ended));
        let home = Network::of("192.0.2.7".parse().unwrap());
        let opened = Device { refresh: RefreshState::opened(home), ..expected() };
        assert_eq!(StoredDevice::decode(&bytes(OPENED_1), USER, STAMP, ID), Ok(opened));
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_version_2_stays_as_it_is() {
        let mut device = expected();
        device.refresh.network = Some(Network::of("192.0.2.7".parse().unwrap()));
        device.refresh.advanced = Some(Timestamp::from_unix(1_800_000_000));
        device.refresh.floor_generation = Generation::new(2);
        let written = StoredDevice::encode(device.clone()).unwrap();
        let expected = "020d416461e28099732070686f6e65066d6f62696c65c0adc2b40de0bac8b40d80fc8ab70d8080b9c30d0803020180c8ceb40d0100c000020102e0abcdb40d80c8ceb40d00";
        assert_eq!(written, bytes(expected));
        assert_eq!(StoredDevice::decode(&written, USER, STAMP, ID), Ok(device.clone()));
        let written = StoredEnded::encode(device.clone()).unwrap();
        assert_eq!(StoredEnded::decode(&written, USER, ID), Ok(device));
    }

    #[test]
    fn a_version_of_the_future_is_not_guessed_at() {
        for version in [0, 3, 255] {
            let mut other = bytes(LIVE_1);
            other[0] = version;
            let refused = StoredDevice::decode(&other, USER, STAMP, ID);
            assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{version}");
        }
    }
}
