use super::*;
use crate::store::format::tests::{Sample, earlier, line, lines, samples};

const FIXTURES: &str = include_str!("../../../format/fixtures/postgres.txt");

/// The document that is written for a record; `None` if columns hold all of it.
fn written(record: &Change) -> Option<String> {
    let document = match record {
        Change::StoreIdentity(identity) => document(identity),
        Change::User(user) => document(&**user),
        Change::Device(device) | Change::Ended(device) => document(&**device),
        Change::LastSeen(_, _, seen) => document(seen),
        Change::Key(key) => document(key),
        Change::ServiceKey(key) => document(key),
        Change::Entry(entry) => document(&entry.revocation),
        _ => return None,
    };
    Some(document.unwrap())
}

/// Reads the document of a record like `record`, as the query for its kind returns it.
fn read(document: &str, record: &Change) -> Result<Change, StoreError> {
    let kind = match record {
        Change::StoreIdentity(_) => return parse(document).map(Change::StoreIdentity),
        Change::LastSeen(user, device, _) => {
            return super::change(Kind::LastSeen, &format!(r#"["{user}", "{device}", {document}]"#));
        }
        Change::Entry(entry) => {
            let (position, at) = (entry.position.value(), entry.at.unix());
            let entry = format!(r#"{{"position" : {position}, "at" : {at}, "revocation" : {document}}}"#);
            return super::change(Kind::Log, &entry);
        }
        Change::Counters(_) => Kind::Counters,
        Change::Totals(_) => Kind::Totals,
        Change::User(_) => Kind::Users,
        Change::Device(_) => Kind::Devices,
        Change::Ended(_) => Kind::Ended,
        Change::Look(_) => Kind::Looks,
        Change::Key(_) => Kind::Keys,
        Change::ServiceKey(_) => Kind::ServiceKeys,
        other => panic!("{other:?} is no record with a document"),
    };
    super::change(kind, document)
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
        if !matches!(record, Change::RolledBack(_)) {
            assert_eq!(read(line(FIXTURES, name), &record), Ok(record), "{name}");
            read_fixtures += 1;
        }
    }
    assert_eq!(read_fixtures, lines(FIXTURES).count(), "a fixture without its sample");
}

#[test]
fn a_document_of_a_later_version_is_refused_and_called_newer() {
    for Sample { name, record } in samples() {
        if !matches!(record, Change::RolledBack(_)) {
            let later = line(FIXTURES, name).replacen('{', r#"{"version":2,"#, 1);
            let refused = read(&later, &record).unwrap_err();
            assert!(matches!(refused, StoreError::Corrupt(_)), "{name}: {refused:?}");
            assert!(refused.to_string().contains("newer than this build"), "{name}: {refused}");
        }
    }
}
