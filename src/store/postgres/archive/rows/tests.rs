use super::*;
use crate::store::format::tests::{Sample, earlier, line, lines, samples};

const FIXTURES: &str = include_str!("../../../format/fixtures/postgres.txt");

/// The document that is written for a record; `None` if columns hold all of it.
fn written(record: &Record) -> Option<String> {
    let document = match record {
        Record::StoreIdentity(identity) => document(identity),
        Record::User(user) => document(&**user),
        Record::Device(device) | Record::EndedDevice(device) => document(&**device),
        Record::LastSeen(_, _, seen) => document(seen),
        Record::Key(key) => document(key),
        Record::ServiceKey(key) => document(key),
        Record::Entry(entry) => document(&entry.revocation),
        _ => return None,
    };
    Some(document.unwrap())
}

/// Reads the document of a record like `record`, as the query for its kind returns it.
fn read(document: &str, like: &Record) -> Result<Record, StoreError> {
    let row = match like {
        Record::LastSeen(user, device, _) => format!(r#"["{user}", "{device}", {document}]"#),
        Record::Entry(entry) => {
            let (position, at) = (entry.position.value(), entry.at.unix());
            format!(r#"{{"position" : {position}, "at" : {at}, "revocation" : {document}}}"#)
        }
        _ => document.to_owned(),
    };
    super::record(like.kind(), &row)
}

#[test]
fn every_record_is_written_as_in_its_fixture() {
    for Sample { name, record } in samples() {
        if let Some(document) = written(&record) {
            assert_eq!(document, line(FIXTURES, name), "{name}");
        }
    }
}

#[test]
fn every_fixture_is_read() {
    let mut read_fixtures = 0;
    for Sample { name, record } in samples().into_iter().chain(earlier()) {
        if !matches!(record, Record::RolledBack) {
            assert_eq!(read(line(FIXTURES, name), &record), Ok(record), "{name}");
            read_fixtures += 1;
        }
    }
    assert_eq!(read_fixtures, lines(FIXTURES).count(), "a fixture without its sample");
}

#[test]
fn a_document_of_a_later_version_is_refused_and_called_newer() {
    for Sample { name, record } in samples() {
        if !matches!(record, Record::RolledBack) {
            let document = line(FIXTURES, name).replacen(r#""version":2,"#, "", 1);
            let later = document.replacen('{', r#"{"version":3,"#, 1);
            let refused = read(&later, &record).unwrap_err();
            assert!(matches!(refused, StoreError::Newer(_)), "{name}: {refused:?}");
            assert!(refused.to_string().contains("newer than this build"), "{name}: {refused}");
        }
    }
}
