//! Password hashes and sealed keys do not travel in plain text: beyond this machine the connection to the database is
//! encrypted, or refused.

use std::fs;
use std::net::UdpSocket;

use super::Cluster;
use super::cluster::{PASSWORD, owned};
use super::nodes::Shared;
use crate::place::{Place, run, self_signed};
use crate::session::Session;
use crate::skipped::skipped;

/// An address of this machine that is not loopback; `None` where there is no network.
fn address() -> Option<String> {
    // Nothing is sent: a route is looked up. TEST-NET-1 (RFC 5737) is nobody's.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let address = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    if address.is_err() {
        skipped("this machine has no address but loopback, so nothing shows what holds beyond it");
    }
    Some(address.ok()?.ip().to_string())
}

/// A cluster that this machine reaches through this address, as another machine would.
fn reachable(address: &str) -> Option<Cluster> {
    let mut cluster = Cluster::fresh()?;
    cluster.admit(&format!("host all all {address}/32 trust"));
    cluster.set("listen_addresses=*");
    cluster.restart_immediately();
    Some(cluster)
}

/// The doctor's finding about the connection, with its grade.
fn diagnosed(shared: &Shared, more: &[&str]) -> (String, String) {
    let words = ["doctor", "--json", "--set", "listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"];
    let ran = run(shared.program(&Place::patient(), &[&words, more].concat()), "");
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let diagnoses = told["diagnoses"].as_array().unwrap();
    let found = diagnoses.iter().find(|diagnosis| diagnosis["about"] == "connection to the database");
    let found = found.unwrap_or_else(|| panic!("nothing is said of the connection: {told}"));
    (found["grade"].as_str().unwrap().to_owned(), found["what"].as_str().unwrap().to_owned())
}

#[test]
fn a_database_elsewhere_that_offers_no_tls_is_refused_unless_that_is_written() {
    let Some(address) = address() else { return };
    let Some(cluster) = reachable(&address) else { return };
    let port = cluster.port;
    let credentials = format!("postgres:{PASSWORD}");
    for (hosts, parameters) in [
        (format!("{address}:{port}"), ""),
        (format!("{address}:{port}"), "?sslmode=prefer"),
        (format!("{address}:{port}"), "?sslmode=allow"),
        (format!("{address}:{port}"), "?sslmode=require"),
        (format!("127.0.0.1:{port},{address}:{port}"), ""),
        (format!("localhost:{port}"), &*format!("?hostaddr={address}")),
    ] {
        let shared = Shared::new(&format!("postgres://{credentials}@{hosts}/rescind{parameters}"));
        shared.refused(&[]).assert_failed(&["offers no TLS", "`ssl = on`", "sslmode=disable"]);
    }
    let written = Shared::new(&format!("postgres://{credentials}@{address}:{port}/rescind?sslmode=disable"));
    let node = written.join(&[]);
    Session::register(&node.server.client, "ada", "Phone").assert_alive(&node.server.client);
    let (grade, what) = diagnosed(&written, &[]);
    assert_eq!(grade, "warning", "{what}");
    assert!(what.contains("not encrypted") && what.contains("sslmode=disable"), "{what}");
    // A connection within this machine needs no encryption.
    let here = written.with_store(&cluster.url());
    assert_eq!(diagnosed(&here, &[]).0, "good");
    drop(here.join(&[]));
}

#[test]
fn a_database_elsewhere_that_speaks_tls_is_reached_by_it_without_a_word() {
    let Some(address) = address() else { return };
    let Some(mut cluster) = reachable(&address) else { return };
    let [key, certificate] = ["server.key", "server.crt"].map(|name| cluster.folder.path().join(name));
    let made = self_signed(cluster.folder.path(), "database", &address, ["server.key", "server.crt"]);
    if made.is_err() {
        return skipped("openssl is missing, so nothing shows that TLS to the database is spoken");
    }
    owned(&key);
    cluster.set("ssl=on");
    cluster.set(&format!("ssl_key_file={}", key.display()));
    cluster.set(&format!("ssl_cert_file={}", certificate.display()));
    cluster.restart_immediately();
    let authority = cluster.folder.path().join("authority.crt");
    fs::copy(&certificate, &authority).unwrap();
    let trusted = format!("store_ca_file={}", authority.display());
    for parameters in ["", "?sslmode=verify-full"] {
        let url = format!("postgres://postgres:{PASSWORD}@{address}:{}/rescind{parameters}", cluster.port);
        let shared = Shared::new(&url);
        shared.refused(&[]).assert_failed(&["certificate is not accepted", "store_ca_file"]);
        if parameters.is_empty() {
            let node = shared.join(&["--set", &trusted]);
            Session::register(&node.server.client, "ada", "Phone").assert_alive(&node.server.client);
            let plain = "select count(*) from pg_stat_activity a join pg_stat_ssl s using (pid)
                where a.application_name = 'rescind' and not s.ssl";
            assert_eq!(cluster.sql(plain), "0");
        }
        let (grade, what) = diagnosed(&shared, &["--set", &trusted]);
        assert_eq!((grade.as_str(), what.contains("encrypted")), ("good", true), "{what}");
    }
}
