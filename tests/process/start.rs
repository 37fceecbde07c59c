//! Starts: what is printed, and obstacles that do no harm.

use std::net::TcpListener;

use crate::place::{Place, RESCIND};
use crate::session::Session;

#[test]
fn the_first_start_says_where_everything_is_and_later_ones_only_where_they_listen() {
    let place = Place::new();
    let server = place.serve();
    let url = format!("http://{}", server.client.address);
    let said = server
        .stdout
        .wait_for("the last line", |text| text.contains("user add").then(|| text.to_owned()))
        .unwrap();
    let lines: Vec<_> = said.lines().collect();
    let data = place.data().canonicalize().unwrap();
    assert_eq!(lines[0], format!("listening on {url}"));
    assert_eq!(lines[1], format!("the data is in {}", data.display()));
    assert!(lines[2].contains("rescind-data.key: keep a copy of it, apart"), "{said}");
    assert_eq!(lines[3], format!("try it at {url}/docs"));
    assert_eq!(lines[4], format!("make the first user there, or with: {RESCIND} user add NAME"));
    assert_eq!(server.client.get("/docs", "").status, 200);
    server.stop();

    let again = place.serve();
    assert_eq!(again.stdout.text(), format!("listening on http://{}\n", again.client.address));
}

#[test]
fn a_taken_port_is_refused_and_makes_no_store() {
    let place = Place::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let refused = place.run(&format!("serve --listen {address} --metrics-listen off"));
    let reason = format!("cannot listen on {address}: another program listens there");
    refused.assert_failed(&[&reason, "choose another address with --listen; port 0 picks a free one"]);
    assert!(!place.data().exists() && !place.master_key().exists());
}

#[test]
fn a_data_folder_whose_path_is_too_long_is_refused_before_anything_is_made() {
    let place = Place::new();
    let refused = place.refused(&["--data", &"d".repeat(100)]);
    let made: Vec<_> = std::fs::read_dir(place.path("")).unwrap().collect();
    assert!(made.is_empty(), "{made:?}: {refused:?}");
    refused.assert_failed(&["`data` is too long", "107 is the most there can be; name a shorter one"]);
}

#[test]
fn a_taken_metrics_port_is_a_warning() {
    let place = Place::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let line = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &address];
    let server = place.start(place.program(RESCIND, &line));
    let warning = server.stderr.wait_for_line("metrics are off");
    assert!(
        warning.contains("WARN") && warning.contains(&address) && warning.contains("metrics_listen"),
        "{warning}"
    );
    Session::register(&server.client, "ada", "Phone").assert_alive(&server.client);
}
