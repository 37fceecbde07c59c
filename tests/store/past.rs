//! Clauses on past devices: the time and cause of their ends, and their order.

use std::collections::BTreeMap;

use rescind::model::device::Cause;
use rescind::model::ids::DeviceId;
use rescind::model::timestamp::Timestamp;
use rescind::store::queries::devices::{EndedPosition, ListEndedDevices};
use rescind::store::steps::end_devices::{EndDevices, EndDevicesBy};
use rescind::store::steps::end_everyone::EndEveryone;

use crate::service::{MINUTE, Service};

type End = (Timestamp, Cause, Option<String>);

/// The time and cause of the end of each of a user's past devices, as the store lists them.
async fn told(service: &Service, user: rescind::model::ids::UserId) -> BTreeMap<DeviceId, End> {
    let listed = service.past_devices(user).await;
    let end = |listed: rescind::store::queries::devices::Listed| {
        let ended = listed.device.ended.unwrap();
        (listed.device.id, (ended.at, ended.cause, ended.note))
    };
    listed.into_iter().map(end).collect()
}

/// Later sign-outs that reach further do not replace the first end of a device.
pub(crate) async fn the_first_end_of_a_device_is_told(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let mut expected = BTreeMap::new();
    service.sign_out(&phone).await;
    expected.insert(phone.device(), (service.now(), Cause::SignedOut, None));
    for round in 0..3 {
        let (laptop, tablet) = (service.sign_in(user).await, service.sign_in(user).await);
        service.pass(MINUTE);
        let (_, kept) = service.sign_out_all(&laptop, true).await;
        expected.insert(tablet.device(), (service.now(), Cause::SignedOutEverywhere, None));
        service.pass(MINUTE);
        let kept = crate::service::Pair { access: kept.unwrap(), ..laptop };
        service.sign_out_all(&kept, false).await;
        expected.insert(kept.device(), (service.now(), Cause::SignedOutEverywhere, None));

        let phone = service.sign_in(user).await;
        service.pass(MINUTE);
        let note = Some(format!("ticket {round}"));
        let by = EndDevicesBy::Administrator { user, note: note.clone() };
        service.store().run(EndDevices { by, now: service.now() }).await.unwrap();
        expected.insert(phone.device(), (service.now(), Cause::Administrator, note));

        let phone = service.sign_in(user).await;
        service.pass(MINUTE);
        service.store().run(service.disabling(user, true)).await.unwrap();
        expected.insert(phone.device(), (service.now(), Cause::Disabled, Some("asked for".to_owned())));
        service.store().run(service.disabling(user, false)).await.unwrap();

        let phone = service.sign_in(user).await;
        service.pass(MINUTE);
        service.store().run(EndEveryone { now: service.now() }).await.unwrap();
        let why = Some("everyone was signed out".to_owned());
        expected.insert(phone.device(), (service.now(), Cause::Administrator, why));
        assert_eq!(told(&service, user).await, expected, "round {round}");
        service.reopen().await;
    }
    let phone = service.sign_in(user).await;
    service.sign_out_all(&phone, false).await;
    expected.insert(phone.device(), (service.now(), Cause::SignedOutEverywhere, None));
    assert_eq!(told(&service, user).await, expected);
}

pub(crate) async fn past_devices_are_listed_in_pages_the_last_end_first(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let mut devices = Vec::new();
    for _ in 0..5 {
        devices.push(service.sign_in(user).await);
    }
    // Not in the order in which they signed in; two at the same moment.
    let mut ended = Vec::new();
    for at in [2, 4, 0] {
        service.pass(MINUTE);
        service.sign_out(&devices[at]).await;
        ended.push(devices[at].device());
    }
    service.sign_out(&devices[1]).await;
    ended.push(devices[1].device());
    service.pass(MINUTE);
    service.sign_out_all(&phone, false).await;
    ended.extend([phone.device(), devices[3].device()]);
    ended.reverse();
    service.reopen().await;

    // In pages of one, too, which part those that ended at the same moment.
    for limit in [1, 2, 4] {
        let mut read = Vec::new();
        let mut after = None;
        loop {
            let page = service.store().read(ListEndedDevices { user, after, limit }).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = EndedPosition::of(&last.device);
            read.extend(page.iter().map(|listed| listed.device.id));
        }
        assert_eq!(read, ended, "{limit}");
    }
}
