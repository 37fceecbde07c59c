//! A store copied from a folder to a database and back: every token goes on working, and there are never two stores.

use std::process::Stdio;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio_postgres::NoTls;

use crate::database::Database;
use crate::place::{Place, RESCIND, Ran, run};
use crate::server::Server;
use crate::session::Session;
use crate::trace;

const KEY: &str = "master_key_file=rescind-data.key";

/// A folder with a store, and a database without one.
struct Scene {
    place: Place,
    phone: Session,
    laptop: Session,
    ended: Session,
    database: Database,
    admin: tokio_postgres::Client,
}

impl Scene {
    async fn new() -> Option<Self> {
        let database = Database::fresh().await?;
        let (admin, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let place = Place::patient();
        let server = place.serve();
        let phone = Session::register(&server.client, "ada", "Phone");
        let laptop = Session::login(&server.client, "ada", "Laptop");
        let ended = Session::login(&server.client, "ada", "Tablet");
        server.client.post("/api/v1/auth/logout", &ended.access, &serde_json::json!({})).ok();
        server.stop();
        Some(Self { place, phone, laptop, ended, database, admin })
    }

    /// Runs `rescind store copy` with these arguments.
    fn copy(&self, from: &str, to: &str) -> Ran {
        let line = format!("store copy --from {from} --to {to} --json --set {KEY}");
        self.place.run(&line)
    }

    /// Runs a copy that is killed when a thread makes this system call for the nth time. Returns whether it was killed.
    fn killed_at(&self, call: &str, nth: usize, from: &str, to: &str) -> bool {
        let kill = format!("inject={call}:signal=KILL:when={nth}");
        let strace = ["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &kill, RESCIND];
        let copy = ["store", "copy", "--from", from, "--to", to, "--json", "--set", KEY];
        let ran = run(self.place.program("strace", &[&strace[..], &copy].concat()), "");
        assert!(ran.code.is_none_or(|code| code == 0), "{ran:?}");
        ran.code.is_none()
    }

    /// Whether there is a store at this folder or connection string.
    fn is_store(&self, at: &str) -> bool {
        let place = if at == self.database.url() { "--store" } else { "--data" };
        self.place.run(&format!("user list --json --set {KEY} {place} {at}")).code == Some(0)
    }

    fn serve_shared(&self, data: &str) -> Server {
        self.place.serve_with(&["--store", self.database.url(), "--data", data, "--set", KEY])
    }

    /// Makes the tables without a store: without a master key none is initialized.
    fn make_tables(&self) {
        let more = ["--store", self.database.url(), "--data", "node", "--set", "master_key_file=none"];
        self.place.refused(&more).assert_failed(&["none", "it is missing"]);
    }

    /// The number that a query of the database returns.
    async fn count(&self, query: &str) -> i64 {
        self.admin.query_one(query, &[]).await.unwrap().get(0)
    }

    fn assert_alive(&self, server: &Server) {
        self.laptop.assert_alive(&server.client);
        assert_eq!(self.phone.me(&server.client).status, 200);
        self.ended.assert_dead(&server.client, "signed_out");
    }
}

fn counts(answer: &Value) -> (u64, u64, u64) {
    let count = |kind: &str| answer["copied"][kind].as_u64().unwrap();
    (count("users"), count("devices"), count("ended_devices"))
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_work_in_the_database_and_back_in_a_folder_and_what_was_left_starts_no_more() {
    let Some(scene) = Scene::new().await else { return };
    let url = scene.database.url();
    let there = scene.copy("./rescind-data", url).json();
    assert_eq!(counts(&there), (1, 2, 1));
    assert_eq!(there["master_key_tried"], true);
    scene.place.refused(&[]).assert_failed(&["was moved to postgres://", "--store"]);
    let server = scene.serve_shared("node");
    scene.assert_alive(&server);
    scene.phone.assert_alive(&server.client);

    scene.copy(url, "./back").assert_failed(&["in use", "stop every rescind"]);
    server.stop();
    let back = scene.copy(url, "./back").json();
    assert_eq!(counts(&back), (1, 2, 1));
    let left = ["--store", url, "--data", "node", "--set", KEY];
    scene.place.refused(&left).assert_failed(&["was moved to", "/back", "--data"]);
    let server = scene.place.serve_with(&["--data", "back", "--set", KEY]);
    Session::login(&server.client, "ada", "Watch").assert_alive(&server.client);
    scene.ended.assert_dead(&server.client, "signed_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_just_stopped_is_given_a_moment_to_be_gone() {
    let Some(scene) = Scene::new().await else { return };
    let url = scene.database.url();
    scene.copy("./rescind-data", url).json();
    let mut node = url.parse::<tokio_postgres::Config>().unwrap();
    let (client, connection) = node.application_name("rescind").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let copies = "select count(*) from pg_stat_activity where application_name = 'rescind store copy'";
    let back = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let copying = scope.spawn(|| scene.copy(url, "./back"));
            let seen = || Handle::current().block_on(scene.count(copies)) > 0;
            while !seen() && !copying.is_finished() {}
            drop(client);
            copying.join().unwrap()
        })
    });
    assert_eq!(counts(&back.json()), (1, 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_replaces_no_store_and_takes_no_keys_that_do_not_open() {
    let Some(scene) = Scene::new().await else { return };
    let url = scene.database.url();
    let other = scene.place.run("key master other.key");
    assert_eq!(other.code, Some(0));
    let line = format!("store copy --from ./rescind-data --to {url} --set master_key_file=other.key");
    scene.place.run(&line).assert_failed(&["do not open", "master key"]);

    let founded = scene.serve_shared("node");
    founded.stop();
    scene.copy("./rescind-data", url).assert_failed(&["holds a store already", "empty database"]);
    scene.copy(url, "./rescind-data").assert_failed(&["holds a store already", "empty"]);
    scene.copy("./rescind-data", "rescind-data").assert_failed(&["--to"]);
    scene.copy("./nowhere", url).assert_failed(&["there is no store"]);
    let server = scene.place.serve();
    scene.copy("./rescind-data", url).assert_failed(&["in use by process"]);
    scene.assert_alive(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_half_way_it_is_no_store_and_the_next_copy_completes_it() {
    let Some(scene) = Scene::new().await else { return };
    scene.make_tables();
    // The write of the log, which comes last, waits for this lock: by then most of the copy is written.
    let wait =
        "create function rescind.wait() returns trigger language plpgsql set lock_timeout = 0 as $$ begin
            perform pg_advisory_xact_lock(1); return new;
        end $$;
        create trigger wait before insert on rescind.log for each row execute function rescind.wait();
        select pg_advisory_lock(1)";
    scene.admin.batch_execute(wait).await.unwrap();
    let url = scene.database.url();
    let words = ["store", "copy", "--from", "./rescind-data", "--to", url];
    let mut copying =
        scene.place.program(RESCIND, &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'rescind store copy' and wait_event_type = 'Lock'";
    while scene.count(waiting).await == 0 {
        assert!(copying.try_wait().unwrap().is_none(), "the copy did not wait");
    }
    copying.kill().unwrap();
    copying.wait().unwrap();
    scene
        .admin
        .batch_execute("select pg_advisory_unlock(1); drop trigger wait on rescind.log")
        .await
        .unwrap();
    assert_eq!(scene.count("select count(founding) from rescind.service").await, 0);

    let server = scene.place.serve();
    scene.laptop.me(&server.client).ok();
    server.stop();
    assert_eq!(counts(&scene.copy("./rescind-data", url).json()), (1, 2, 1));
    let server = scene.serve_shared("node");
    scene.assert_alive(&server);
}

/// The system calls that a copy is killed at: those that make pages durable and mark a folder, and those that send to
/// the database.
const CALLS: [&str; 3] = ["fdatasync", "fsync", "sendto,writev"];

/// The step between two tested calls that send to the database.
const STRIDE: usize = 9;

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_on_either_way_there_are_never_two_stores_and_the_next_copy_completes_it() {
    if !trace::is_here() {
        return;
    }
    let Some(scene) = Scene::new().await else { return };
    let (url, mut here) = (scene.database.url(), "rescind-data".to_owned());
    for (call, stride) in CALLS.into_iter().zip([1, 1, STRIDE]) {
        for at in (1..).step_by(stride) {
            let there = format!("folder-{call}-{at}");
            let killed = [(here.as_str(), url), (url, &there)].map(|(from, to)| {
                let killed = scene.killed_at(call, at, from, to);
                let two = killed && scene.is_store(from) && scene.is_store(to);
                assert!(!two, "two stores, {call} {at} from {from}");
                if killed && !scene.is_store(to) {
                    assert_eq!(counts(&scene.copy(from, to).json()), (1, 2, 1), "{call} {at} from {from}");
                }
                assert!(scene.is_store(to) && !scene.is_store(from), "{call} {at} from {from}");
                killed
            });
            scene.admin.batch_execute("drop schema rescind cascade").await.unwrap();
            here = there;
            if killed == [false, false] {
                assert!(at > 1, "no {call} was met");
                break;
            }
        }
    }
    let server = scene.place.serve_with(&["--data", &here, "--set", KEY]);
    scene.assert_alive(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digit_that_the_database_changed_is_found() {
    let Some(scene) = Scene::new().await else { return };
    scene.make_tables();
    let url = scene.database.url();
    let rot = "create function rescind.rot() returns trigger language plpgsql as $$ begin
            new.doc := jsonb_set(new.doc::jsonb, '{at}', to_jsonb((new.doc->>'at')::bigint + 1)); return new;
        end $$;
        create trigger rot before insert on rescind.last_seen for each row execute function rescind.rot()";
    scene.admin.batch_execute(rot).await.unwrap();
    scene.copy("./rescind-data", url).assert_failed(&["differs in its last_seen", "the source is as it was"]);
    scene.admin.batch_execute("drop trigger rot on rescind.last_seen").await.unwrap();
    let server = scene.place.serve();
    scene.laptop.me(&server.client).ok();
    server.stop();
    scene.copy("./rescind-data", url).json();
    scene.assert_alive(&scene.serve_shared("node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_waits_for_its_founding_is_told_apart_from_a_store() {
    let Some(scene) = Scene::new().await else { return };
    let url = scene.database.url();
    scene.copy("./rescind-data", url).json();
    // As it was just before the last step.
    let before = "update rescind.service set founding = null, copying = (founding->>'store')::uuid";
    scene.admin.batch_execute(before).await.unwrap();
    let shared = ["--store", url, "--data", "node", "--set", KEY];
    scene.place.refused(&shared).assert_failed(&["unfinished copy", "store copy"]);
    scene.place.refused(&[]).assert_failed(&["was moved to"]);
    assert_eq!(counts(&scene.copy("./rescind-data", url).json()), (1, 2, 1));
    scene.assert_alive(&scene.serve_shared("node"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_what_was_moved_and_what_it_needs_now() {
    let Some(scene) = Scene::new().await else { return };
    let url = scene.database.url();
    let mut command = scene.place.program(RESCIND, &["store", "copy", "--from", "./rescind-data"]);
    command.env("RESCIND_STORE", url);
    let told = run(command, "").ok();
    for part in ["(1 users, 2 devices)", "marked as moved", "master_key_file=", "rescind-data.key"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}
