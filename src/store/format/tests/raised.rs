//! How the format is raised, with an invented record: its version 2 has a field that version 1 lacks. Old records are
//! read, new ones are written, and a version that is not known is refused.

use serde::Deserialize;
use serde_json::Value;

use crate::store::StoreError;
use crate::store::format::FormatError;
use crate::store::format::binary::{self, BinaryRecord};
use crate::store::format::form::{StoredForm as _, form};
use crate::store::format::json::{self, JsonDocument, JsonRecord};

#[derive(Debug, PartialEq)]
struct Lamp {
    name: String,
    lumens: u64,
}

form! {
    /// A lamp in version 2.
    struct StoredLamp of Lamp {
        name: String,
        lumens: u64,
    }
}

/// A lamp in version 1, when all lamps were alike.
#[derive(Deserialize)]
struct LampOfVersion1 {
    name: String,
}

impl From<LampOfVersion1> for StoredLamp {
    fn from(LampOfVersion1 { name }: LampOfVersion1) -> Self {
        Self { name, lumens: 400 }
    }
}

impl BinaryRecord for Lamp {
    type Key = ();

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        binary::encode(2, &StoredLamp::of(self))
    }

    fn from_bytes(bytes: &[u8], (): ()) -> Result<Self, FormatError> {
        let form: StoredLamp = match binary::versioned(bytes)? {
            (2, encoded) => binary::fields(encoded)?,
            (1, encoded) => binary::fields::<LampOfVersion1>(encoded)?.into(),
            _ => return Err(FormatError::Newer),
        };
        form.model()
    }
}

impl JsonRecord for Lamp {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(2, &StoredLamp::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        let form: StoredLamp = match document.version()? {
            2 => document.fields()?,
            1 => document.fields::<LampOfVersion1>()?.into(),
            _ => return Err(FormatError::Newer),
        };
        form.model()
    }
}

fn lamp(lumens: u64) -> Lamp {
    Lamp { name: "desk".to_owned(), lumens }
}

#[test]
fn a_record_of_the_former_version_is_read() {
    assert_eq!(Lamp::from_bytes(b"\x01\x04desk", ()), Ok(lamp(400)));
    for document in [r#"{"name":"desk"}"#, r#"{"version":1,"name":"desk"}"#] {
        assert_eq!(Lamp::from_json(document), Ok(lamp(400)), "{document}");
    }
}

#[test]
fn a_record_is_written_in_the_new_version_and_read() {
    let bytes = lamp(60).to_bytes().unwrap();
    assert_eq!((bytes.as_slice(), Lamp::from_bytes(&bytes, ())), (&b"\x02\x04desk\x3c"[..], Ok(lamp(60))));
    let document = lamp(60).to_json().unwrap();
    assert_eq!(document, r#"{"version":2,"name":"desk","lumens":60}"#);
    assert_eq!(Lamp::from_json(&document), Ok(lamp(60)));
    let nested: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(Lamp::from_document(JsonDocument::Nested(nested)), Ok(lamp(60)));
}

#[test]
fn a_version_that_is_not_known_is_refused() {
    assert_eq!(Lamp::from_bytes(b"\x03\x04desk\x3c", ()), Err(FormatError::Newer));
    let document = r#"{"version":3,"name":"desk","lumens":60}"#;
    assert_eq!(Lamp::from_json(document), Err(FormatError::Newer));
    let nested: Value = serde_json::from_str(document).unwrap();
    assert_eq!(Lamp::from_document(JsonDocument::Nested(nested)), Err(FormatError::Newer));
    let StoreError::Newer(told) = StoreError::from(FormatError::Newer) else { panic!() };
    assert!(told.contains("newer than this build"), "{told}");
}

#[test]
fn a_version_that_is_no_number_and_fields_of_another_version_are_unreadable() {
    for document in [
        r#"{"version":"2","name":"desk","lumens":60}"#,
        r#"{"version":null,"name":"desk"}"#,
        r#"{"version":2,"name":"desk"}"#,
        r#"{"version""#,
    ] {
        assert_eq!(Lamp::from_json(document), Err(FormatError::Unreadable), "{document}");
    }
    for bytes in [&b""[..], b"\x02\x04desk", b"\x01\x04desk\x3c"] {
        assert_eq!(Lamp::from_bytes(bytes, ()), Err(FormatError::Unreadable), "{bytes:?}");
    }
}
