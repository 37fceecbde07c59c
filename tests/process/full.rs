//! Too little free disk: what would write is refused, checks go on.

use serde_json::json;

use crate::place::Place;
use crate::session::{Session, credentials};
use crate::skipped::skipped;

/// Whether the largest reserve that can be set is more than what is free here.
pub(crate) fn a_reserve_can_exceed_the_disk() -> bool {
    let disk = rustix::fs::statvfs(std::env::temp_dir()).unwrap();
    let can = disk.f_bavail.saturating_mul(disk.f_frsize) < 1024 << 30;
    if !can {
        skipped(
            "no reserve is larger than what is free on this disk, so nothing shows what a small one does",
        );
    }
    can
}

#[test]
fn below_the_reserve_writes_are_refused_and_checks_go_on() {
    if !a_reserve_can_exceed_the_disk() {
        return;
    }
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let key = place.service_key("introspect");
    server.stop();

    let server = place.serve_with(&["--set", "free_space_reserve=1024GiB"]);
    let client = &server.client;
    let introspected = || client.form("/oauth/introspect", &key, &format!("token={}", phone.access)).ok();
    let writes = [
        client.post("/api/v1/auth/register/", "", &credentials("bob", "Phone")),
        client.post("/api/v1/auth/login/", "", &credentials("ada", "Laptop")),
        phone.refresh(client),
        client.post("/api/v1/auth/logout/", &phone.access, &json!({})),
        client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})),
    ];
    for refused in writes {
        assert_eq!(refused.problem(), "503 unavailable");
        assert!(
            refused.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()),
            "{refused:?}"
        );
        assert_eq!(phone.me(client).status, 200);
        assert_eq!(introspected()["active"], true);
    }
    server.stop();
    phone.assert_alive(&place.serve().client);
}
