use super::*;
use crate::store::format::tests::{Sample, earlier, line, lines, samples};

const FIXTURES: &str = include_str!("../../format/fixtures/sled.txt");

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(hex: &str) -> IVec {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect::<Vec<_>>().into()
}

/// The keys and values that are written for a record, in hexadecimal.
fn written(tree: &sled::Tree, record: Record) -> String {
    let writes = imported(&SledView::applied(tree), vec![record]).unwrap();
    let pair = |(key, value): (IVec, Option<IVec>)| format!("{} {}", hex(&key), hex(&value.unwrap()));
    writes.into_changes().into_iter().map(pair).collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

/// The key and the value in the fixture `name`.
fn fixture(name: &str) -> (IVec, IVec) {
    let mut parts = line(FIXTURES, name).split(' ').map(bytes);
    (parts.next().unwrap(), parts.next().unwrap_or_default())
}

/// The record of a key and a value.
fn read((key, value): (IVec, IVec)) -> Result<Record, StoreError> {
    let all = RecordKind::COPIED.into_iter().chain([RecordKind::StoreIdentity, RecordKind::RolledBack]);
    let kind = all.into_iter().find(|kind| key.starts_with(&Table::Of(*kind).prefix()));
    super::record(kind.unwrap(), key, value)
}

fn empty() -> (tempfile::TempDir, sled::Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = sled::Config::new().path(folder.path()).flush_every_ms(None).open().unwrap();
    (folder, db)
}

/// A field that is renamed keeps these bytes, one that changes its place or its type does not.
#[test]
fn every_record_is_written_as_in_its_fixture() {
    let (_folder, tree) = empty();
    for Sample { name, record } in samples() {
        assert_eq!(written(&tree, record), line(FIXTURES, name), "{name}");
    }
}

#[test]
fn every_fixture_is_read() {
    let mut read_fixtures = 0;
    for Sample { name, record } in samples().into_iter().chain(earlier()) {
        assert_eq!(read(fixture(name)), Ok(record), "{name}");
        read_fixtures += 1;
    }
    assert_eq!(read_fixtures, lines(FIXTURES).count(), "a fixture without its sample");
}

#[test]
fn a_record_of_a_version_that_is_not_known_is_refused() {
    for Sample { name, .. } in samples() {
        let (key, mut value) = fixture(name);
        // Expiry checks are empty, and so is the mark of a rollback, which counts by being there.
        if value.len() < 2 {
            continue;
        }
        for version in [0, 5, 255] {
            value[0] = version;
            let refused = read((key.clone(), value.clone()));
            assert!(matches!(refused, Err(StoreError::Newer(_))), "{name}: {refused:?}");
        }
    }
}
