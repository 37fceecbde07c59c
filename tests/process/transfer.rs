//! Users of Django come with their password hashes, from every kind of source, and leave again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::database::Database;
use crate::place::Place;
use crate::server::Server;

/// The password of all hashes below.
const PASSWORD: &str = "correct horse";

/// Hashes that Django made, each under the name of its user.
const HASHES: [(&str, &str); 11] = [
    (
        "pbkdf2_sha256",
        "pbkdf2_sha256$1000000$8YmITtm2VzzmY2nGaYkUxj$kKDbrpIeCoF5qnz6L/3+GdfaUIG5nTz3IDssluggnpk=",
    ),
    (
        "argon2",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$V1owZUI2TW9HeU1mdkhZcnk3MHNXVw$JaETIJ9/QlctXqc+/WlCGIUmd/L5W6U75IsGn5dN+k4",
    ),
    ("bcrypt_sha256", "bcrypt_sha256$$2b$12$7RBYhIXhRbW/W5BoRyTKw.lQ5DEr81Gmpw24VZHI1bdBmtg8xjcIy"),
    ("bcrypt", "bcrypt$$2b$12$AQo5fsBrWLTAG82bB9cQWehbn3.nlMfltaFZCRgZ3b5wlRuuRuZ4y"),
    (
        "scrypt",
        "scrypt$16384$tS3HRXxAE2WWMRb0u2HXJ4$8$5$9uaAhjgjdRa+EdqHtPGoEB7iFKLh3ZOoH0R8xx/QDzyEIkyAtKL+d4ILaWgwLd2odhm8JGeSmtRicVt3t6OUrQ==",
    ),
    ("pbkdf2_sha1", "pbkdf2_sha1$1000000$Jux1yia97bFFa0EkhQsKs2$lfQc8qlIaHamVbAcUD5m+wFiSmQ="),
    ("md5", "md5$IXmsyDFNEAjOvotyY4Ng2k$5a81331fb1846b8e57abe2b2e48bcb3b"),
    ("md5_unsalted", "md5$$3cb4e732631f47e6eb961f34554b7cde"),
    // Older still: without the algorithm.
    ("md5_bare", "3cb4e732631f47e6eb961f34554b7cde"),
    ("sha1", "sha1$ophFexfLie17h2dY4O4rww$c9b46a12f9b9d63d7a20adabb9c6bbb18a6e3677"),
    ("sha1_unsalted", "sha1$$2f9e53523b62abc141a2b4d6019d23cba835dbd0"),
];

const UNUSABLE: &str = "!mZZX1AuHrsUctIaHYR703uYPUqT8Kly0GS3VGEQI";

/// A dump with one user for each hash, one without a password, one that is inactive, and a group.
fn dump(place: &Place) {
    let mut objects = vec![json!({"model": "auth.group", "pk": 1, "fields": {"name": "editors"}})];
    let mut user = |name: &str, password: &str, active: bool| {
        let fields = json!({"password": password, "username": name, "is_active": active, "date_joined": "2020-05-17T10:20:30.5Z"});
        objects.push(json!({"model": "auth.user", "pk": objects.len(), "fields": fields}));
        place.secrets.note(password);
    };
    for (name, hash) in HASHES {
        user(name, hash, true);
    }
    user("nobody", UNUSABLE, true);
    user("gone", HASHES[0].1, false);
    std::fs::write(place.path("users.json"), serde_json::to_string_pretty(&objects).unwrap()).unwrap();
    place.secrets.note(PASSWORD);
}

fn login(server: &Server, name: &str, password: &str) -> u16 {
    let body = json!({ "username": name, "password": password });
    server.client.post("/api/v1/auth/login", "", &body).status
}

fn counts(answer: &Value) -> [u64; 4] {
    ["read", "created", "existing", "left_out"].map(|name| answer[name].as_u64().unwrap())
}

/// The users as the service has them, by name.
fn users(place: &Place) -> BTreeMap<String, Value> {
    let all = place.run("user list --all --json").json();
    let users = all["results"].as_array().unwrap().iter();
    users.map(|user| (user["username"].as_str().unwrap().to_owned(), user.clone())).collect()
}

/// What an export says of each user: the lines by name.
fn exported(place: &Place, file: &str) -> BTreeMap<String, Value> {
    let answer = place.run(&format!("user export {file} --json")).json();
    let path = place.path(file);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(answer["users"].as_u64().unwrap(), text.lines().count() as u64);
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["fields"]["username"].as_str().unwrap().to_owned(), line)).collect()
}

#[test]
fn everyone_of_a_dump_signs_in_with_the_password_of_before() {
    let place = Place::new();
    let server = place.serve_with(&["--set", "hash_wait=30s", "--set", "request_timeout=120s"]);
    dump(&place);
    let planned = place.run("user import django users.json --weak --dry-run --json").json();
    assert_eq!(counts(&planned), [13, 13, 0, 0]);
    assert!(users(&place).is_empty(), "a dry run wrote");
    let done = place.run("user import django users.json --weak --json").json();
    assert_eq!(counts(&done), [13, 13, 0, 0]);
    assert_eq!((&done["without_password"], &done["disabled"]), (&json!(1), &json!(1)));

    for (name, _) in HASHES {
        assert_eq!(login(&server, name, "Correct horse"), 401, "{name}");
        assert_eq!(login(&server, name, PASSWORD), 200, "{name}");
    }
    assert_eq!(login(&server, "nobody", UNUSABLE), 401);
    assert_eq!(login(&server, "gone", PASSWORD), 401);
    let listed = users(&place);
    assert_eq!(listed["scrypt"]["created_at"], "2020-05-17T10:20:30Z");
    assert_eq!((&listed["nobody"]["disabled"], &listed["gone"]["disabled"]), (&json!(false), &json!(true)));

    // The first sign-in has replaced the hash by one of this service's own parameters, also after a restart.
    let lines = exported(&place, "out.jsonl");
    for (name, _) in HASHES {
        let hash = lines[name]["fields"]["password"].as_str().unwrap();
        assert!(hash.starts_with("argon2$argon2id$v=19$m=19456,t=2,p=1$"), "{name}");
    }
    assert_eq!((&lines["nobody"]["fields"]["password"], &lines["scrypt"]["pk"]), (&json!("!"), &json!(5)));
    assert_eq!((&lines["gone"]["fields"]["is_active"], &lines["gone"]["pk"]), (&json!(false), &json!(13)));
    server.stop();
    let server = place.serve();
    assert_eq!(login(&server, "scrypt", PASSWORD), 200);
}

#[test]
fn an_import_is_repeated_without_a_service_and_changes_nothing() {
    let place = Place::new();
    let server = place.serve();
    dump(&place);
    server.stop();
    let first = place.run("user import django users.json");
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first.out.starts_with(
            "8 users created (1 without a password, 1 disabled), 0 there already, 5 left out (weak_hash 5)\n"
        ),
        "{first:?}"
    );
    for (name, algorithm) in [
        ("md5", "md5"),
        ("md5_unsalted", "unsalted_md5"),
        ("md5_bare", "unsalted_md5"),
        ("sha1", "sha1"),
        ("sha1_unsalted", "unsalted_sha1"),
    ] {
        let line = format!(": {name}: its password hash: {algorithm} is too weak to protect a password\n");
        assert!(first.out.contains(&line), "{name}: {first:?}");
    }
    assert!(first.err.contains("importing now"), "{first:?}");
    let before = users(&place);
    let again = place.run("user import django users.json --json");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(counts(&serde_json::from_str(&again.out).unwrap()), [13, 0, 8, 5]);
    assert_eq!(users(&place), before);
}

#[test]
fn names_and_ids_that_are_taken_are_listed_and_the_others_come() {
    let place = Place::new();
    let _server = place.serve();
    std::fs::write(place.path("first.csv"), "id,username,password\n1,ada,!\n2,bo,!\n").unwrap();
    assert_eq!(counts(&place.run("user import django first.csv --json").json()), [2, 2, 0, 0]);
    let mut second = String::from("id,username,password\n3,ＡDA,!\n2,cy,!\n4,dan,!\n5,DAN,!\n2,bo,!\n");
    // With their hashes they are more than one request may hold.
    let hash = HASHES[1].1;
    place.secrets.note(hash);
    for n in 0..1200 {
        writeln!(second, "{},user{n},\"{hash}\"", n + 100).unwrap();
    }
    std::fs::write(place.path("second.csv"), second).unwrap();
    let done = place.run("user import django second.csv --json --report left.jsonl");
    // The report is written by the first reading.
    assert_eq!(done.code, Some(0), "{done:?}");
    let done: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(counts(&done), [1205, 1201, 0, 4]);
    let mut listed: Vec<_> = done["listed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|out| (out["line"].as_u64(), out["code"].as_str()))
        .collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            (Some(2), Some("username_taken")),
            (Some(3), Some("external_id_taken")),
            (Some(5), Some("duplicate")),
            (Some(6), Some("duplicate")),
        ]
    );
    let report = place.path("left.jsonl");
    assert_eq!(report.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(report).unwrap().lines().count(), 4);
    assert_eq!(users(&place).len(), 1203);
}

#[test]
fn a_source_that_cannot_be_read_imports_nobody() {
    let place = Place::new();
    let _server = place.serve();
    let user = r#"{"model": "auth.user", "pk": 1, "fields": {"username": "ada", "password": "!"}}"#;
    std::fs::write(place.path("cut.json"), format!("[{user},\n{user}")).unwrap();
    place
        .run("user import django cut.json")
        .assert_failed(&["cut.json: it is not valid JSON at line 2", "dump it again"]);
    std::fs::write(place.path("users.json.gz"), b"\x1F\x8B\x08\0").unwrap();
    place.run("user import django users.json.gz").assert_failed(&["compressed by gzip", "gunzip"]);
    place.run("user import django nowhere.json").assert_failed(&["nowhere.json: it cannot be read"]);
    assert!(users(&place).is_empty());
    let refused = place.run("user export users.json.gz");
    refused.assert_failed(&["users.json.gz cannot be created", "name a new file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_read_from_the_tables_of_django() {
    let Some(database) = Database::fresh().await else { return };
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute(
            "create table auth_user (id serial primary key, password varchar(128) not null, last_login timestamptz, username
             varchar(150) not null unique, is_active boolean not null, date_joined timestamptz not null);
             insert into auth_user (id, password, username, is_active, date_joined) values
             (9, '!x', 'bo', false, '2020-05-17 12:20:30.9+02'),
             (7, 'md5$IXmsyDFNEAjOvotyY4Ng2k$5a81331fb1846b8e57abe2b2e48bcb3b', 'Ada', true, '2020-05-17 10:20:30+00');
             create schema people;
             create table people.\"Person\" (email text, key uuid primary key, password text);
             insert into people.\"Person\" values ('ada@example.com', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '');
             create table keyless (username text, password text)",
        )
        .await
        .unwrap();
    let place = Place::new();
    place.secrets.note(PASSWORD);
    let server = place.serve();
    let url = database.url();
    let planned = place.run(&format!("user import django {url} --dry-run --json")).json();
    assert_eq!(counts(&planned), [2, 1, 0, 1]);
    assert_eq!(
        (&planned["listed"][0]["row"], &planned["listed"][0]["code"]),
        (&json!(1), &json!("weak_hash"))
    );
    assert_eq!(counts(&place.run(&format!("user import django {url} --weak --json")).json()), [2, 2, 0, 0]);
    assert_eq!(login(&server, "ada", PASSWORD), 200);
    let lines = exported(&place, "out.jsonl");
    assert_eq!((&lines["Ada"]["pk"], &lines["bo"]["pk"]), (&json!(7), &json!(9)));
    let bo = &lines["bo"]["fields"];
    assert_eq!((&bo["is_active"], &bo["date_joined"]), (&json!(false), &json!("2020-05-17T10:20:30Z")));
    let person = format!("user import django {url} --table people.Person --username-field email --json");
    assert_eq!(counts(&place.run(&person).json()), [1, 1, 0, 0]);
    assert_eq!(
        exported(&place, "people.jsonl")["ada@example.com"]["pk"],
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    );
    place
        .run(&format!("user import django {url} --table nobody"))
        .assert_failed(&["there is no table nobody", "--table"]);
    place.run(&format!("user import django {url} --table keyless")).assert_failed(&["no primary key"]);
    let odd = r#"user import django URL --table auth_user";drop"#.replace("URL", url);
    place.run(&odd).assert_failed(&["there is no table"]);
}
