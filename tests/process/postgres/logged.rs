//! What the database logs of a node's statements.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Cluster;
use super::nodes::Nodes;
use crate::session::Session;

/// Has the database refuse every change of a user.
const REFUSE: &str =
    "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
    create trigger refuse before update on rescind.users for each row execute function refuse()";

#[test]
fn a_statement_that_fails_is_logged_without_the_password_hash_that_it_writes() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let stored = cluster.sql("select doc->>'password' from rescind.users");
    let hash = stored.rsplit('$').next().unwrap();
    assert!(stored.starts_with("$argon2id$") && hash.len() > 20, "{stored}");
    cluster.sql(REFUSE);
    let refused = nodes.client(0).post("/api/v1/auth/logout-all/", &phone.access, &json!({}));
    assert_eq!(refused.problem(), "503 unavailable");
    cluster.wait_for_line("insert into rescind.users");
    let log = cluster.log();
    assert!(!log.contains(hash), "{log}");
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    for encoded in log.split(|c| !is_base64(c)).filter(|part| part.len() >= hash.len()) {
        let decoded = STANDARD.decode(encoded).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&decoded).contains(hash), "{encoded}");
    }
}
