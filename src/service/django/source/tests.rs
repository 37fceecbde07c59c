//! Files as people dump them, and files that are not what they should be.

use std::fmt::Write as _;

use super::*;
use crate::model::password::WeakHashes;
use crate::model::timestamp::Timestamp;
use crate::service::django::judge::{DjangoJudge, LeftOut};
use crate::service::django::rows::RowPlace;

const HASH: &str = "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const ADA: &str = r#"{"model": "auth.user", "pk": 7, "fields": {"password": "HASH", "last_login": null, "is_superuser": true, "username": "Ada", "first_name": "", "email": "ada@example.com", "is_active": true, "date_joined": "2020-05-17T10:20:30.123Z", "groups": [1, [2]], "user_permissions": []}}"#;
const GROUP: &str = r#"{"model": "auth.group", "pk": 1, "fields": {"name": "editors", "permissions": []}}"#;

fn ada() -> String {
    ADA.replace("HASH", HASH)
}

fn options() -> SourceOptions {
    SourceOptions { model: None, table: String::new(), username: "username".to_owned() }
}

fn read_with(bytes: &[u8], options: &SourceOptions) -> Result<Vec<DjangoRow>, SourceError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut rows = Vec::new();
    read_file(file.path(), options, &Cell::new(0), &mut |row| {
        rows.push(row);
        true
    })?;
    Ok(rows)
}

fn read(text: &str) -> Result<Vec<DjangoRow>, SourceError> {
    read_with(text.as_bytes(), &options())
}

fn fault(text: &str) -> String {
    read(text).err().unwrap().to_string()
}

/// What is told of each row: the place and name, and its fields or what is wrong with them.
fn told(rows: &[DjangoRow]) -> Vec<String> {
    let told = |row: &DjangoRow| {
        let fields = match &row.fields {
            Ok(fields) => format!("{} {} {:?}", fields.id, fields.active, fields.joined.map(Timestamp::unix)),
            Err(reason) => (*reason).to_owned(),
        };
        format!("{} {}: {fields}", row.place, row.username.as_deref().unwrap_or("-"))
    };
    rows.iter().map(told).collect()
}

#[test]
fn a_dump_is_read_as_an_array_and_as_lines_and_other_models_are_passed_over() {
    let ada = ada();
    for (text, line) in [
        (format!("[{GROUP},\n{ada}]"), 2),
        (format!("\u{feff}\n [\n{GROUP}\n,\n{ada}\n]\n"), 5),
        (format!("{GROUP}\n{ada}\n"), 2),
        (format!("{ada}{GROUP}"), 1),
    ] {
        let rows = read(&text).unwrap();
        assert_eq!(told(&rows), [format!("line {line} Ada: 7 true Some(1589710830)")], "{text}");
        assert_eq!(rows[0].fields.as_ref().ok().unwrap().password, HASH);
    }
}

#[test]
fn a_custom_model_is_found_by_its_fields_or_by_name() {
    let custom = r#"{"model": "accounts.Person", "pk": "a-b", "fields": {"email": "ada@example.com", "password": "!"}}"#;
    let text = format!("[{custom}, {}]", ada());
    let by_email = SourceOptions { username: "email".to_owned(), ..options() };
    let twice = read_with(text.as_bytes(), &by_email).err().unwrap().to_string();
    assert_eq!(
        twice,
        "both accounts.Person and auth.user have usernames and passwords: choose one with --model"
    );
    let named = SourceOptions { model: Some("accounts.person".to_owned()), ..by_email };
    assert_eq!(told(&read_with(text.as_bytes(), &named).unwrap()), ["line 1 ada@example.com: a-b true None"]);
    let nobody = SourceOptions { model: Some("auth.usr".to_owned()), ..options() };
    let nobody = read_with(text.as_bytes(), &nobody).err().unwrap().to_string();
    assert_eq!(nobody, "it has no object with a username and a password of the model auth.usr");
    assert_eq!(fault(&format!("[{GROUP}]")), "it has no object with a username and a password");
    assert_eq!(fault("[]"), "it has no object with a username and a password");
}

#[test]
fn csv_is_read_by_its_header_with_the_line_of_each_record() {
    let text = format!(
        "\u{feff}username,password,email,id,is_active,date_joined\r\n\"Ada \"\"A\"\"\nL\",{HASH},a@b,7,f,2020-05-17 10:20:30+00\r\nbo,!,,8,1,\ncy,!,,9,maybe,\n"
    );
    assert_eq!(
        told(&read(&text).unwrap()),
        [
            "line 2 Ada \"A\"\nL: 7 false Some(1589710830)",
            "line 4 bo: 8 true None",
            "line 5 cy: its is_active is neither true nor false",
        ]
    );
    assert!(fault("id,username\n1,ada\n").contains("no column password"));
    assert!(
        fault("id,username,password,username\n1,ada,!,x\n").contains("no column username, or more than one")
    );
    assert!(fault("id,username,password\n1,ada,!\n2,bo\n").contains("line 3"));
    assert!(read_with(b"id,username,password\n1,\xFFda,!\n", &options()).is_err());
}

#[test]
fn a_field_of_another_type_leaves_its_row_out_only() {
    let ada = ada();
    for (from, to, reason) in [
        ("\"pk\": 7, ", "", "it has no primary key; dump without --natural-primary"),
        ("\"pk\": 7", "\"pk\": 7.5", "its primary key is neither a number nor a text"),
        ("\"is_active\": true", "\"is_active\": 1", "its is_active is neither true nor false"),
        ("T10:20:30.123Z", "", "its date_joined is not a time"),
        (&format!("\"{HASH}\""), "5", "its password is not a text"),
    ] {
        assert!(ada.contains(from));
        let rows = read(&format!("[{},{ada}]", ada.replacen(from, to, 1))).unwrap();
        assert_eq!(told(&rows)[0], format!("line 1 Ada: {reason}"));
        assert_eq!(rows.len(), 2);
    }
}

#[test]
fn broken_json_is_told_by_its_position_and_quotes_nothing() {
    let ada = ada();
    assert_eq!(fault(&format!("[{GROUP},\n{ada}\n{ada}]")), "it is not valid JSON at line 3, column 1");
    assert!(fault(&format!("[{ada}")).starts_with("it is not valid JSON at line 1"));
    assert!(fault(&format!("[{ada}] x")).starts_with("it is not valid JSON at line 1"));
    assert!(fault(&format!("{ada}\n{{\"model\": hunter2}}")).starts_with("it is not valid JSON at line 2"));
    assert!(fault("[{\"model\": 5, \"fields\": {}}]").starts_with("it is not valid JSON at line 1"));
}

#[test]
fn an_object_or_record_without_end_is_refused_before_it_is_in_memory() {
    let long = "x".repeat(3 << 20);
    let is = |text: &str| assert!(fault(text).contains("longer than 1 MiB"), "{}", &text[..50]);
    is(&ada().replace("ada@example.com", &long));
    is(&format!("[{},\n{}", ada(), ada().replace("ada@example.com", &long)));
    is(&format!("id,username,password\n1,ada,!\n2,\"{long}"));
    // Many that are short are no long one.
    let mut many = String::from("[");
    for _ in 0..10_000 {
        writeln!(many, "{},", ada()).unwrap();
    }
    write!(many, "{}]", ada()).unwrap();
    assert!(many.len() > 3 << 20);
    assert_eq!(read(&many).unwrap().len(), 10_001);
}

#[tokio::test]
async fn what_is_read_of_a_file_adds_up_to_its_length() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut users = String::from("id,username,password\n");
    for number in 0..10_000 {
        writeln!(users, "{number},user{number},!").unwrap();
    }
    std::fs::write(file.path(), users).unwrap();
    let source = DjangoSource::File(file.path().to_owned());
    let length = source.bytes().unwrap();
    let mut rows = source.open(&Settings::with(&[]).unwrap(), &options());
    let mut reported = Vec::new();
    while rows.next().await.unwrap().is_some() {
        reported.push(rows.bytes_read());
    }
    assert!(reported.is_sorted() && reported[0] < length, "{} of {length}", reported[0]);
    assert_eq!(reported.last(), Some(&length));
}

#[test]
fn other_kinds_of_files_are_told_by_name() {
    let kind = |bytes: &[u8]| read_with(bytes, &options()).err().unwrap().to_string();
    assert_eq!(kind(b"\x1F\x8B\x08\0"), "it is compressed by gzip; unpack it with gunzip first");
    assert_eq!(kind(b"PK\x03\x04"), "it is a ZIP archive; unpack it first");
    assert_eq!(kind(b"<?xml"), "it is XML; dump with --format json");
    assert_eq!(kind(b""), "it is empty");
    assert_eq!(kind(b"SQLite format 3\0"), "it is neither JSON nor CSV in UTF-8");
    let folder = tempfile::tempdir().unwrap();
    let refused = read_file(folder.path(), &options(), &Cell::new(0), &mut |_| true).unwrap_err();
    assert!(refused.to_string().contains("no regular file"));
    assert_eq!(
        DjangoSource::parse("mysql://root:hunter2@db"),
        Err("write a file, or postgres://user:password@host/database")
    );
}

#[test]
fn each_user_that_cannot_be_whole_is_left_out_for_one_reason() {
    let mut csv = String::from("id,username,password\n");
    for (id, name, password) in [
        ("1", "Ada", HASH),
        ("2", "ＡDA", HASH),
        ("1", "bo", HASH),
        ("3", "cy", "md5$salt$5a81331fb1846b8e57abe2b2e48bcb3b"),
        ("4", "dan", "pbkdf2_sha512$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("5", "eve", "hunter2"),
        ("6", "fay", "pbkdf2_sha256$9000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("7", "gus", "pbkdf2_sha256$1000$salt$AAAA"),
        ("8", "", HASH),
        ("9", "a/b", HASH),
        ("", "hal", HASH),
        ("10", "ian", "!"),
    ] {
        writeln!(csv, "{id},{name},{password}").unwrap();
    }
    let mut judge = DjangoJudge::new(WeakHashes::Refuse);
    let judged: Vec<_> = read(&csv).unwrap().into_iter().map(|row| judge.judge(row).unwrap()).collect();
    let codes: Vec<_> =
        judged.iter().map(|judged| judged.as_ref().map_or_else(|out| out.code, |_| "good")).collect();
    assert_eq!(
        codes,
        [
            "good",
            "duplicate",
            "duplicate",
            "weak_hash",
            "unknown_hash",
            "unknown_hash",
            "costly_hash",
            "damaged_hash",
            "invalid",
            "invalid",
            "invalid",
            "good"
        ]
    );
    let out = |at: usize| -> LeftOut { judged[at].as_ref().err().unwrap().clone() };
    assert_eq!(out(4).reason, "its password hash: the algorithm pbkdf2_sha512 is not supported");
    assert_eq!(out(5).algorithm.as_deref(), Some("unnamed"));
    assert_eq!((out(1).place, out(1).username.as_deref()), (RowPlace::Line(3), Some("ＡDA")));
    let good = judged[11].as_ref().ok().unwrap();
    assert_eq!(good.to_json().to_string(), r#"{"username":"ian","external_id":"10","disabled":false}"#);
    // Asked for, a weak one is good.
    let mut judge = DjangoJudge::new(WeakHashes::Accept);
    let weak = judge.judge(read(&csv).unwrap().remove(3)).unwrap().ok().unwrap();
    assert_eq!(weak.algorithm(), Some("md5"));
}
