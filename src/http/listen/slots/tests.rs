use super::*;

fn admit(slots: &Arc<ConnectionSlots>, address: &str) -> Result<Admitted, Full> {
    slots.admit(Some(address.parse().unwrap()))
}

fn gives_way(admitted: &mut Admitted) -> bool {
    admitted.give_way.try_recv().is_ok()
}

#[test]
fn an_address_has_its_share_and_no_more() {
    let slots = ConnectionSlots::new(100, 2);
    let taken: Vec<_> = (0..2).map(|_| admit(&slots, "198.51.100.1").unwrap()).collect();
    for admitted in &taken {
        admitted.slot.record_request();
    }
    assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress);
    assert_eq!(admit(&slots, "::ffff:198.51.100.1").unwrap_err(), Full::OfAddress, "the same, as IPv6");
    let _other = admit(&slots, "198.51.100.2").unwrap();
    drop(taken);
    assert!(admit(&slots, "198.51.100.1").is_ok());
}

#[test]
fn an_ipv6_client_is_its_network() {
    let slots = ConnectionSlots::new(100, 1);
    let first = admit(&slots, "2001:db8::1").unwrap();
    first.slot.record_request();
    assert_eq!(admit(&slots, "2001:db8::2").unwrap_err(), Full::OfAddress);
    assert!(admit(&slots, "2001:db8:0:1::1").is_ok());
}

#[test]
fn the_oldest_that_never_spoke_gives_way_when_every_slot_is_taken() {
    let slots = ConnectionSlots::new(3, 3);
    let mut spoken = admit(&slots, "198.51.100.1").unwrap();
    spoken.slot.record_request();
    let [mut oldest, mut younger] = [2, 3].map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap());
    let mut new = admit(&slots, "198.51.100.4").unwrap();
    assert_eq!(
        [&mut spoken, &mut oldest, &mut younger, &mut new].map(gives_way),
        [false, true, false, false]
    );
    assert_eq!(slots.state().open.len(), 3, "its slot is free at once");
    drop(oldest);
    let _next = admit(&slots, "198.51.100.5").unwrap();
    assert!(gives_way(&mut younger), "its slot was given away once, not twice");
}

#[test]
fn an_addresss_own_silent_connection_gives_way_before_it_is_refused() {
    let slots = ConnectionSlots::new(100, 2);
    let mut other = admit(&slots, "198.51.100.2").unwrap();
    let mut first = admit(&slots, "198.51.100.1").unwrap();
    let mut second = admit(&slots, "198.51.100.1").unwrap();
    let _third = admit(&slots, "198.51.100.1").unwrap();
    assert_eq!([&mut other, &mut first, &mut second].map(gives_way), [false, true, false]);
    assert_eq!(slots.state().taken("198.51.100.1".parse().unwrap()), 2, "its slot is free at once");
}

#[test]
fn the_log_says_once_that_an_address_has_all_it_may_have_and_again_after_it_had_none() {
    let lines = crate::log::capture();
    let slots = ConnectionSlots::new(100, 1);
    for round in 1..=2 {
        let taken = admit(&slots, "198.51.100.1").unwrap();
        taken.slot.record_request();
        for _ in 0..3 {
            assert!(admit(&slots, "198.51.100.1").is_err());
            assert!(slots.admit_client("198.51.100.1".parse().unwrap()).is_err());
        }
        let said = lines();
        assert_eq!(said.len(), 1, "round {round}: {said:?}");
        assert_eq!((&said[0]["address"], &said[0]["connections"]), (&"198.51.100.1".into(), &1.into()));
    }
}

#[test]
fn the_log_says_once_that_every_slot_is_taken_and_again_after_half_of_them_were_free() {
    let lines = crate::log::capture();
    let slots = ConnectionSlots::new(4, 4);
    let mut taken: Vec<_> = (1..5).map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap()).collect();
    let one_more = |at: u8| admit(&slots, &format!("198.51.100.{at}")).unwrap();
    assert!(lines().is_empty());
    let more = [one_more(5), one_more(6)];
    let said = lines();
    assert_eq!((said.len(), &said[0]["connections"]), (1, &4.into()), "{said:?}");
    // Two of the others gave way. Half of all is not yet fewer than half.
    drop(more);
    taken.extend([one_more(7), one_more(8), one_more(9)]);
    assert!(lines().is_empty());
    drop(taken);
    let _again: Vec<_> = (1..6).map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap()).collect();
    assert_eq!(lines().len(), 1);
}

#[test]
fn no_address_ever_has_more_than_half() {
    let slots = ConnectionSlots::new(4, 1_000);
    let taken: Vec<_> = (0..2).map(|_| admit(&slots, "198.51.100.1").unwrap()).collect();
    for admitted in &taken {
        admitted.slot.record_request();
    }
    assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress);
    assert!(admit(&ConnectionSlots::new(1, 1_000), "198.51.100.1").is_ok());
}

#[test]
fn a_proxys_connections_count_for_the_clients_whose_requests_are_on_them() {
    let slots = ConnectionSlots::new(100, 2);
    let _proxied: Vec<_> = (0..50).map(|_| slots.admit(None).unwrap()).collect();
    let client = "198.51.100.1".parse().unwrap();
    let first = slots.admit_client(client).unwrap();
    let _second = slots.admit_client(client).unwrap();
    assert_eq!(slots.admit_client(client).unwrap_err(), Full::OfAddress);
    assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress, "directly neither");
    drop(first);
    assert!(slots.admit_client(client).is_ok());
    assert!(slots.admit_client("198.51.100.2".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn room_is_waited_for_only_where_nobody_gives_way() {
    let slots = ConnectionSlots::new(1, 1);
    let first = admit(&slots, "198.51.100.1").unwrap();
    slots.room().await;
    first.slot.record_request();
    let mut waiting = std::pin::pin!(slots.room());
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    drop(first);
    waiting.await;
    slots.empty().await;
    assert!(slots.state().of_address.is_empty(), "nothing is kept of an address that has left");
}
