//! A disk that fills up: sign-ins stop first, sign-outs last, checks never; and sled never meets a full disk.

use serde_json::{Value, json};

use crate::place::Place;
use crate::session::{Session, credentials};
use crate::skipped::skipped;
use disk::{Disk, MIB};

mod disk;

/// Whether the largest reserve that can be set exceeds the free space of this disk.
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
fn below_the_reserve_nobody_signs_in_and_everybody_can_sign_out() {
    if !a_reserve_can_exceed_the_disk() {
        return;
    }
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    let laptop = Session::login(&server.client, "ada", "Laptop");
    let key = place.service_key("introspect");
    server.stop();

    let server = place.serve_with(&["--set", "free_space_reserve=1024GiB"]);
    let client = &server.client;
    let introspected = || client.form("/oauth/introspect", &key, &format!("token={}", phone.access)).ok();
    let writes = [
        client.post("/api/v1/auth/register/", "", &credentials("bob", "Phone")),
        client.post("/api/v1/auth/login/", "", &credentials("ada", "Laptop")),
        phone.refresh(client),
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
    client.post("/api/v1/auth/logout/", &laptop.access, &json!({})).ok();
    client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    assert_eq!(introspected()["active"], false);
    server.stop();
    let server = place.serve();
    phone.assert_dead(&server.client, "signed_out_everywhere");
}

/// The steps that readiness reports as refused.
fn refused(ready: &Value) -> Vec<&str> {
    ready["refused"]
        .as_array()
        .map_or(Vec::new(), |all| all.iter().map(|one| one.as_str().unwrap()).collect())
}

#[test]
fn writing_stops_in_steps_and_the_disk_is_never_full_for_the_store() {
    let Some(disk) = Disk::of(72 * MIB) else { return };
    let serve = || disk.serve(&["--set", "free_space_reserve=40MiB"]);
    let server = serve();
    let client = &server.client;
    let ready = || client.get("/readyz", "").ok();
    let login = || client.post("/api/v1/auth/login/", "", &credentials("ada", "Phone"));
    let logout = |session: &Session| client.post("/api/v1/auth/logout/", &session.access, &json!({}));
    let mut ada = Session::register(client, "ada", "Phone");
    let devices: Vec<_> = (0..8).map(|_| Session::login(client, "ada", "Phone")).collect();
    for name in ["bob", "eve"] {
        Session::register(client, name, "Phone");
    }
    assert_eq!(ready()["status"], "ok");

    disk.leave(36 * MIB);
    assert_eq!(refused(&ready()), ["sign_in"]);
    assert_eq!(login().problem(), "503 unavailable");
    let rename = client.send(
        "PATCH",
        &format!("/api/v1/devices/{}", ada.device),
        &ada.access,
        crate::client::Payload::Json(&json!({"name": "Mine"})),
    );
    assert_eq!(rename.unwrap().problem(), "503 unavailable");
    ada = ada.refreshed(client);
    logout(&devices[0]).ok();

    disk.leave(20 * MIB);
    assert_eq!(refused(&ready()), ["sign_in", "refresh"]);
    // This device did not refresh within the last minute; one that did gets the same token without a write.
    assert_eq!(devices[4].refresh(client).problem(), "503 unavailable");
    logout(&devices[1]).ok();

    // Hardly more than sled itself may need is left.
    disk.leave(10 * MIB);
    assert_eq!(refused(&ready()), ["sign_in", "refresh", "sweep"]);
    logout(&devices[2]).ok();
    disk.rescind(&["user", "disable", "bob"]).ok();
    disk.rescind(&["key", "rotate"]).ok();
    disk.rescind(&["user", "delete", "eve", "--yes"]).ok();

    disk.leave(6 * MIB);
    let told = client.get("/readyz", "");
    assert_eq!(told.problem(), "503 unavailable");
    assert!(told.body.contains("disk space"), "{}", told.body);
    assert_eq!(logout(&devices[3]).problem(), "503 unavailable");
    assert_eq!(ada.me(client).status, 200, "checks go on");
    assert_eq!(devices[3].me(client).status, 200);
    assert_eq!(devices[2].me(client).problem(), "401 signed_out");
    server.kill();

    // The server starts on a disk as full as it lets it become, and knows everything it has acknowledged.
    let server = serve();
    let client = &server.client;
    assert_eq!(devices[2].me(client).problem(), "401 signed_out");
    assert_eq!(devices[3].me(client).status, 200);
    disk.empty();
    assert_eq!(client.get("/readyz", "").ok()["status"], "ok");
    client.post("/api/v1/auth/logout/", &devices[3].access, &json!({})).ok();
    client.post("/api/v1/auth/login/", "", &credentials("ada", "Phone")).ok();
    server.stop();
}

/// A user who signs in and out until sign-ins are refused cannot keep others from signing out; and sign-outs alone
/// cannot use up the last bytes.
#[test]
fn a_disk_filled_by_sign_ins_still_takes_sign_outs() {
    let Some(disk) = Disk::of(40 * MIB) else { return };
    let server = disk.serve(&["--set", "free_space_reserve=24MiB"]);
    let client = &server.client;
    let victim = Session::register(client, "ada", "Phone");
    let mut open = Vec::new();
    // Little enough that a few hundred rounds fill it.
    disk.leave(24 * MIB + 400 * 1024);
    let stopped = (0..100_000).find_map(|_| {
        let answer = client.post("/api/v1/auth/login/", "", &credentials("ada", "Phone"));
        if answer.status != 200 {
            return Some(answer.problem());
        }
        open.push(Session::of(&answer.ok()));
        if open.len() > 50 {
            client.post("/api/v1/auth/logout/", &open.remove(0).access, &json!({})).ok();
        }
        None
    });
    assert_eq!(stopped.as_deref(), Some("503 unavailable"));
    for session in &open {
        client.post("/api/v1/auth/logout/", &session.access, &json!({})).ok();
    }
    client.post("/api/v1/auth/logout-all/", &victim.access, &json!({})).ok();
    assert_eq!(victim.me(client).problem(), "401 signed_out_everywhere");
    assert!(disk.free() > 8 * MIB, "{}", disk.free());
    server.stop();
}
