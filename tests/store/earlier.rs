//! Records that the previous version wrote into a shared database are read by this one.

use std::time::Duration;

use rescind::model::claims::RefreshClaims;
use rescind::model::counters::Sequence;
use rescind::store::steps::rotate_refresh::Refreshed;

use crate::backend::PostgresBackend;
use crate::service::{ELSEWHERE, HOME, Pair, Service};

/// A device that signed in under this version, whose refresh-token document is replaced by `refresh`.
async fn written_as(service: &Service, url: &str, name: &str, refresh: &str) -> Pair {
    let phone = service.register(name).await;
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let statement =
        "update rescind.devices set doc = jsonb_set(doc::jsonb, '{refresh}', $2::text::jsonb)::json
        where user_id::text = $1";
    let written = client.execute(statement, &[&phone.user().to_string(), &refresh]).await.unwrap();
    assert_eq!(written, 1);
    drop(client);
    connection.await.unwrap().unwrap();
    phone
}

/// A refresh-token document as the previous version wrote it: two networks, and the end of the window.
fn document(grace_until: i64, networks: &str) -> String {
    format!(
        r#"{{"current":8,"floor":3,"grace_until":{grace_until},"networks":{networks},"recovered":false,"recoveries":[]}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_the_version_before_go_on() {
    let Some(backend) = PostgresBackend::fresh().await else { return };
    let url = backend.url().to_owned();
    let service = Service::found(backend).await;
    let until = service.now().unix() + 30;
    let both = document(until, r#"{"v4":[192,0,2],"v6":[32,1,13,184,0,0,0,1]}"#);
    let one = document(until, r#"{"v4":[192,0,2],"v6":null}"#);
    let holds =
        |phone: &Pair, sequence| RefreshClaims { sequence: Sequence::new(sequence), ..phone.refresh.clone() };

    let phone = written_as(&service, &url, "ada", &both).await;
    let answer = service.refresh(&holds(&phone, 8), HOME).await;
    assert!(matches!(answer, Refreshed::Rotated(_)), "which network came last is not known: {answer:?}");
    let answer = service.refresh(&holds(&phone, 8), HOME).await;
    assert!(matches!(answer, Refreshed::Repeated(_)), "{answer:?}");

    let phone = written_as(&service, &url, "bob", &one).await;
    for sequence in [7, 8] {
        let answer = service.refresh(&holds(&phone, sequence), HOME).await;
        let Refreshed::Repeated(session) = answer else { panic!("{answer:?}") };
        assert_eq!(session.device.refresh.current, Sequence::new(8));
    }
    service.pass(Duration::from_secs(30));
    let answer = service.refresh(&holds(&phone, 8), HOME).await;
    assert!(matches!(answer, Refreshed::Rotated(_)), "the window ends when it would have: {answer:?}");

    let phone = written_as(&service, &url, "eve", &one).await;
    let answer = service.refresh(&holds(&phone, 6), ELSEWHERE).await;
    assert!(matches!(answer, Refreshed::Reused { .. }), "{answer:?}");
}
