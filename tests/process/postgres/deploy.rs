//! `deploy/`: the files for compose and nginx agree, and nginx does its work in front of real nodes.
//!
//! Docker is not available, so compose itself does not run; the tests show that the files it names exist, and that
//! nodes accept the settings it gives them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use serde_yaml::Value;
use tempfile::TempDir;

use super::Cluster;
use super::cluster::{free_port, owned, path, unprivileged};
use super::nodes::Nodes;
use super::restarted::ready;
use crate::client::Client;
use crate::place::{Place, RESCIND, run};
use crate::server::Heard;
use crate::session::Session;
use crate::skipped::skipped;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

fn compose() -> Value {
    let text = fs::read_to_string(Path::new(FOLDER).join("compose.yaml")).unwrap();
    let mut compose: Value = serde_yaml::from_str(&text).unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value:?}"))
}

/// The services of compose that are nodes.
fn nodes(compose: &Value) -> Vec<(&str, &Value)> {
    let services = compose["services"].as_mapping().unwrap().iter();
    let services = services.map(|(name, service)| (text(name), service));
    services.filter(|(_, service)| service["image"] == "rescind").collect()
}

/// The settings of a node in its container's environment.
fn environment(node: &Value) -> BTreeMap<String, String> {
    let variables = node["environment"].as_mapping().unwrap().iter();
    // `${NAME:-default}` is the default unless somebody says otherwise.
    let value = |value: &str| match value.split_once(":-") {
        Some((_, default)) => default.trim_end_matches('}').to_owned(),
        None => value.to_owned(),
    };
    variables.map(|(name, set)| (text(name).to_owned(), value(text(set)))).collect()
}

/// A copy of the folder `deploy/`, with secrets.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("deploy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(FOLDER).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    run(Command::new(copy.join("make-secrets")), "").ok();
    (folder, copy)
}

#[test]
fn every_file_that_compose_names_is_there() {
    let (compose, (_folder, copy)) = (compose(), copy());
    let nodes = nodes(&compose);
    assert_eq!(nodes.len(), 2);
    for (_, node) in nodes {
        let root = Path::new(FOLDER).join(text(&node["build"]["context"]));
        assert!(root.join("Cargo.lock").is_file());
        assert!(root.join(text(&node["build"]["dockerfile"])).is_file());
    }
    let mounted = text(&compose["services"]["nginx"]["volumes"][0]).split(':').next().unwrap();
    assert!(copy.join(mounted).is_file(), "{mounted}");
    let secrets = compose["secrets"].as_mapping().unwrap();
    for (name, secret) in secrets {
        assert!(copy.join(text(&secret["file"])).is_file(), "{name:?}");
    }
    for (name, service) in compose["services"].as_mapping().unwrap() {
        for secret in service["secrets"].as_sequence().into_iter().flatten() {
            assert!(secrets.contains_key(secret), "{name:?} names {secret:?}");
        }
    }
}

#[test]
fn secrets_are_made_once() {
    let (_folder, copy) = copy();
    let made = |name: &str| fs::read_to_string(copy.join("secrets").join(name)).unwrap();
    let before = made("master_key");
    let again = run(Command::new(copy.join("make-secrets")), "");
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(made("master_key"), before);
    assert!(made("store").contains(&made("postgres_password")));
}

#[test]
fn the_nodes_take_the_settings_that_compose_gives_them() {
    let (compose, (_folder, copy)) = (compose(), copy());
    let place = Place::new();
    for (_, node) in nodes(&compose) {
        let mut check = place.program(RESCIND, &["config", "check"]);
        for (name, value) in environment(node) {
            check.env(name, value.replace("/run/secrets", copy.join("secrets").to_str().unwrap()));
        }
        assert_eq!(run(check, "").ok(), "the settings are right\n");
    }
}

#[test]
fn nginx_knows_the_nodes_and_they_know_nginx() {
    let compose = compose();
    let nginx = fs::read_to_string(Path::new(FOLDER).join("nginx.conf")).unwrap();
    let address = text(&compose["services"]["nginx"]["networks"]["inside"]["ipv4_address"]);
    let nodes = nodes(&compose);
    assert_eq!(nginx.matches("server node-").count(), nodes.len());
    for (name, node) in nodes {
        let settings = environment(node);
        let (_, port) = settings["RESCIND_LISTEN"].rsplit_once(':').unwrap();
        assert!(nginx.contains(&format!("server {name}:{port} ")), "{name}");
        assert_eq!(settings["RESCIND_TRUSTED_PROXIES"], format!("{address}/32"));
    }
    let published = text(&compose["services"]["nginx"]["ports"][0]).rsplit(':').next().unwrap();
    assert!(nginx.contains(&format!("listen {published};")));
}

/// A running nginx, ended when dropped.
struct Nginx {
    child: Child,
    _folder: TempDir,
    client: Client,
}

impl Nginx {
    /// Starts nginx with the file of `deploy/` in front of these nodes, with other addresses only.
    fn before(nodes: &Nodes) -> Option<Self> {
        let version = Command::new("nginx").arg("-v").env("PATH", path()).stderr(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            skipped("nginx is missing, so nothing shows that deploy/nginx.conf works");
            return None;
        }
        let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", free_port()));
        owned(folder.path());
        let mut conf = fs::read_to_string(Path::new(FOLDER).join("nginx.conf")).unwrap();
        conf = conf.replace("listen 8080;", &format!("listen {address};"));
        for (at, client) in nodes.clients().iter().enumerate() {
            conf = conf.replace(&format!("node-{}:8080", at + 1), &client.address);
        }
        // Where Debian's would write belongs to root.
        let written = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("  {kind}_temp_path {};\n", folder.path().join(kind).display()));
        conf = conf.replace("http {\n", &format!("http {{\n{}", written.concat()));
        let file = folder.path().join("nginx.conf");
        fs::write(&file, conf).unwrap();
        let nginx = |globals: &str, more: &[&str]| {
            let globals = format!("daemon off; pid {}; {globals}", folder.path().join("pid").display());
            let mut nginx = unprivileged(&[], "nginx");
            nginx.args(["-e", "stderr", "-g", &globals, "-c"]).arg(&file).args(more);
            nginx
        };
        let tested = run(nginx("", &["-t"]), "");
        assert!(tested.code == Some(0) && !tested.err.contains("[warn]"), "{tested:?}");
        let mut running = nginx("error_log stderr notice;", &[]);
        running.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = running.spawn().unwrap();
        let (log, _ear) = Heard::listen(child.stderr.take().unwrap());
        log.wait_for_line("start worker process ");
        let client = Client::new(&address, &nodes.shared.secrets);
        Some(Self { child, _folder: folder, client })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, not SIGKILL: nginx ends its workers only when it ends in order.
        let _gone = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_sign_out_through_nginx_holds_whichever_node_is_asked_and_when_one_dies() {
    let Some(cluster) = Cluster::fresh() else { return };
    let mut nodes = Nodes::with(&cluster.url(), 2, &["--set", "trusted_proxies=127.0.0.1/32"]);
    let Some(nginx) = Nginx::before(&nodes) else { return };
    let client = &nginx.client;
    let phone = Session::register(client, "ada", "Phone");
    let laptop = Session::login(client, "ada", "Laptop");
    for _ in 0..4 {
        phone.assert_alive(client);
        laptop.assert_alive(client);
    }
    client.post("/api/v1/auth/logout/", "", &json!({ "refresh": phone.refresh })).ok();
    for _ in 0..4 {
        phone.assert_dead(client, "signed_out");
        assert_eq!(laptop.me(client).status, 200);
    }

    nodes.nodes.remove(0).server.kill();
    for _ in 0..20 {
        assert_eq!(laptop.me(client).status, 200);
        assert_eq!(phone.me(client).problem(), "401 signed_out");
    }
    ready(&nodes);
    client.post("/api/v1/auth/logout-all/", &laptop.access, &json!({})).ok();
    laptop.assert_dead(client, "signed_out_everywhere");
}
