//! A store that cannot answer: 503 with a clear problem, and never "valid" or "signed out".

use rescind::store::StoreError;
use serde_json::json;

use crate::declared::operations;
use crate::sample::{Scene, operation};
use crate::service::Service;
use crate::store::Mood;

/// Operations that do not use the store.
const NEEDS_NO_STORE: [&str; 1] = ["livez"];

#[tokio::test]
async fn a_store_that_fails_is_503_at_every_operation_whatever_the_token() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let ended = Scene { phone: service.phone("ada").await, ..Scene::set(&service).await };
    ended.phone.logout().await.ok();
    // Every node remembers a token it has verified, which must not be enough.
    scene.phone.me().await.ok();
    for error in
        [StoreError::Unavailable("/dev/secret".into()), StoreError::Corrupt("page 17 of /dev/secret".into())]
    {
        service.store.feel(Mood::Failing(error));
        for operation in operations().iter().filter(|operation| !NEEDS_NO_STORE.contains(&operation.id)) {
            for scene in [&scene, &ended] {
                let answer = scene.good(operation).send().await;
                assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{}", operation.id);
                assert_eq!(answer.header("retry-after"), "2");
                assert!(!answer.text.contains("secret"), "{}", answer.text);
            }
        }
    }
    scene.good(operation("livez")).send().await.ok();
    service.store.feel(Mood::Well);
    scene.phone.me().await.ok();
    ended.phone.me().await.refused("signed_out");
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up_on() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let impatient = service.impatient().await;
    service.store.feel(Mood::Stalled);
    for operation in operations().iter().filter(|operation| !NEEDS_NO_STORE.contains(&operation.id)) {
        let answer = scene.good(operation).on(&impatient).send().await;
        assert_eq!((answer.status, answer.code()), (503, "timeout"), "{}", operation.id);
        assert_ne!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn a_store_short_of_space_writes_nothing_and_checks_go_on() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    service.store.feel(Mood::ReadOnly(StoreError::Full("/dev/secret has 3 MiB".to_owned())));
    for id in [
        "register",
        "login",
        "refresh",
        "logout",
        "logoutAll",
        "renameDevice",
        "disableUser",
        "logoutEveryone",
    ] {
        let answer = scene.good(operation(id)).send().await.refused("unavailable");
        assert_eq!(answer.header("retry-after"), "60");
        assert!(answer.json["detail"].as_str().unwrap().contains("disk space"), "{}", answer.text);
        assert!(!answer.text.contains("secret"));
    }
    for id in ["me", "listDevices", "introspect", "publicKeys", "getUser", "livez", "readyz"] {
        scene.good(operation(id)).send().await.ok();
    }
    service.store.feel(Mood::Well);
    scene.phone.clone().works().await;
}

#[tokio::test]
async fn health_says_whether_requests_may_come() {
    let service = Service::start().await;
    for path in ["/livez", "/livez/", "/readyz", "/readyz/"] {
        assert_eq!(service.anonymous().get(path).send().await.ok(), json!({"status": "ok"}));
    }
    service.store.fail();
    service.anonymous().get("/livez").send().await.ok();
    service.anonymous().get("/readyz").send().await.refused("unavailable");
}
