//! Nodes of two versions on one database: the older one does nothing once the newer one has changed the tables.

use serde_json::json;

use super::nodes::{Nodes, opened};
use super::restarted::ready;
use super::{Cluster, eventually};
use crate::session::{Session, credentials};

/// What the first start of a newer version does, besides its own changes.
const UPGRADE: &str =
    "insert into rescind.version (version) values (999); update rescind.service set tables = 999";

/// Everything but when devices were last heard of, which is noted in the background.
const CONTENT: &str = "select md5(string_agg(record, ' ' order by record)) from (
    select row_to_json(s)::text from rescind.service s union all select row_to_json(u)::text from rescind.users u
    union all select row_to_json(d)::text from rescind.devices d union all select row_to_json(l)::text from rescind.log l
    union all select row_to_json(k)::text from rescind.service_keys k union all select row_to_json(k)::text from rescind.keys k
    ) as records (record)";

#[test]
fn a_node_does_nothing_once_a_newer_version_has_changed_the_tables() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let client = nodes.client(0);
    let key = nodes.service_key(&["sessions", "introspect", "admin"]);
    Session::register(client, "ada", "Phone");
    let [phone, laptop] = [(); 2].map(|()| opened(client, &key, "ada"));
    phone.me(client).ok();
    cluster.sql(UPGRADE);
    let before = cluster.sql(CONTENT);
    let post = |path: &str, bearer: &str| client.post(path, bearer, &json!({}));
    for (what, answer) in [
        ("a check", phone.me(client)),
        ("introspection", client.form("/oauth/introspect", &key, &format!("token={}", phone.access))),
        ("a refresh", phone.refresh(client)),
        ("a sign-out", client.post("/api/v1/auth/logout/", "", &json!({ "refresh": laptop.refresh }))),
        ("a sign-out everywhere", post("/api/v1/auth/logout-all/", &phone.access)),
        ("a sign-in", client.post("/api/v1/auth/login/", "", &credentials("ada", "Tablet"))),
        ("a registration", client.post("/api/v1/auth/register/", "", &credentials("eve", "Phone"))),
        ("a disabling", post("/api/v1/admin/users/ada/disable/", &key)),
        ("the end of everyone", post("/api/v1/admin/everyone/logout/", &key)),
    ] {
        assert_eq!(answer.problem(), "503 unavailable", "{what}");
    }
    let add = nodes.command(0, &["service-key", "add", "other", "--scope", "introspect"]);
    assert_ne!(add.code, Some(0), "{add:?}");
    let told = client.get("/readyz", "");
    assert!(
        told.status == 503 && told.body.contains("a newer version of Rescind: run that version"),
        "{told:?}"
    );
    nodes.nodes[0].server.stderr.wait_for_line("the store was written by a newer rescind, use that version");
    assert_eq!(cluster.sql(CONTENT), before);
    nodes.shared.refused(&[]).assert_failed(&["version 999", "use the version that wrote them"]);
    let doctor = nodes.command(0, &["doctor"]).out;
    assert!(doctor.contains("BAD      store: the database's tables have version 999"), "{doctor}");

    cluster.sql("delete from rescind.version where version = 999");
    cluster.sql("update rescind.service set tables = (select max(version) from rescind.version)");
    ready(&nodes);
    phone.assert_alive(client);
    laptop.assert_alive(client);
}

#[test]
fn tables_of_the_version_before_are_brought_up_to_date() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    cluster
        .sql("alter table rescind.service drop column tables; delete from rescind.version where version = 5");
    eventually("the tables are not those of the node", || phone.me(nodes.client(0)).status == 503);
    let newer = nodes.shared.join(&[]);
    let versions = "select max(version) = min(tables) from rescind.version, rescind.service";
    assert_eq!(cluster.sql(versions), "t");
    phone.assert_alive(&newer.server.client);
    phone.me(nodes.client(0)).ok();
}
