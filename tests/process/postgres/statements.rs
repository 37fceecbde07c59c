//! The number of statements for a page of a list, as the database counts them: one, however long the page is.

use super::Cluster;
use super::nodes::{Nodes, opened};

/// The number of users on a page: one statement for each would stand out from the few that a node sends on its own.
const USERS: usize = 300;
const DEVICES: usize = 6;

/// Copies the only user.
const COPIES: &str = "insert into rescind.users (id, name, doc)
    select u.id, u.name, jsonb_set(jsonb_set(jsonb_set(u.doc, '{id}', to_jsonb(u.id)),
        '{username,key}', to_jsonb(u.name)), '{username,shown}', to_jsonb(u.name))::json
    from (select gen_random_uuid() as id, 'copy-' || n as name, doc::jsonb as doc
          from rescind.users, generate_series(1, COUNT) as n) as u";

struct Counted {
    cluster: Cluster,
    nodes: Nodes,
}

impl Counted {
    /// Runs a command beside the node, and returns the numbers of statements that it took on this table and in total.
    fn statements(&self, words: &[&str], table: &str) -> (usize, usize) {
        self.cluster.sql("select pg_stat_statements_reset()");
        let printed = self.nodes.command(0, words).ok();
        assert!(!printed.is_empty());
        let count = |part: &str| {
            let asked = format!(
                "select coalesce(sum(calls), 0) from pg_stat_statements where query like '%rescind.{part}%'"
            );
            self.cluster.sql(&asked).parse::<usize>().unwrap()
        };
        (count(table), count(""))
    }
}

#[test]
fn a_page_of_a_list_is_one_statement() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    cluster.set("shared_preload_libraries=pg_stat_statements");
    cluster.restart_immediately();
    cluster.sql("create extension pg_stat_statements");
    let nodes = Nodes::start(&cluster.url(), 1);
    let key = nodes.service_key(&["sessions"]);
    let _ = crate::session::Session::register(nodes.client(0), "ada", "Phone");
    cluster.sql(&COPIES.replace("COUNT", &(USERS - 1).to_string()));
    for _ in 1..DEVICES {
        opened(nodes.client(0), &key, "ada");
    }
    let counted = Counted { cluster, nodes };
    let words: &[(&[&str], &str)] = &[
        (&["user", "list", "--limit", "1000", "--json"], "users"),
        (&["device", "list", "ada", "--json"], "devices"),
        (&["device", "list", "ada", "--ended", "--json"], "devices"),
        (&["service-key", "list", "--json"], "service_keys"),
        (&["key", "list", "--json"], "keys"),
    ];
    for (words, table) in words {
        let (of_list, all) = counted.statements(words, table);
        assert_eq!(of_list, 1, "{words:?}");
        assert!(all < USERS / 2, "{all} statements for {words:?}");
    }
}
