//! The JSON encoding. A document without a field `version` has version 1.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FormatError;
use super::form::{OneForm, StoredForm as _};

/// The field that names the version of a document.
const VERSION: &str = "version";

/// A record with a JSON encoding.
pub(in crate::store) trait JsonRecord: Sized {
    /// Encodes the record in its newest version.
    fn to_json(&self) -> Result<String, FormatError>;

    /// Decodes a record of any version.
    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError>;

    /// Decodes the text of a record of any version.
    fn from_json(text: &str) -> Result<Self, FormatError> {
        Self::from_document(JsonDocument::Text(text))
    }
}

impl<R: OneForm> JsonRecord for R {
    fn to_json(&self) -> Result<String, FormatError> {
        encode(1, &R::Form::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        document.in_version_1::<R::Form>()?.model()
    }
}

/// A stored document.
pub(in crate::store) enum JsonDocument<'a> {
    /// A document of its own.
    Text(&'a str),
    /// A document within another one.
    Nested(Value),
}

impl JsonDocument<'_> {
    /// The version of the document.
    pub(super) fn version(&self) -> Result<u64, FormatError> {
        /// The field that names the version; the others are passed over.
        #[derive(Deserialize)]
        struct Versioned {
            #[serde(default = "first_version")]
            version: u64,
        }

        let document = match self {
            // Most documents are of version 1, and are parsed only once.
            Self::Text(text) if !text.contains(VERSION) => return Ok(first_version()),
            Self::Text(text) => serde_json::from_str::<Versioned>(text),
            Self::Nested(value) => Versioned::deserialize(value),
        };
        document.map(|document| document.version).map_err(|_| FormatError::Unreadable)
    }

    /// The fields of a document whose version has the form `F`.
    pub(super) fn fields<F: DeserializeOwned>(self) -> Result<F, FormatError> {
        let parsed = match self {
            Self::Text(text) => serde_json::from_str(text),
            Self::Nested(value) => serde_json::from_value(value),
        };
        parsed.map_err(|_| FormatError::Unreadable)
    }

    /// The fields of a document that has no version but the first so far.
    pub(super) fn in_version_1<F: DeserializeOwned>(self) -> Result<F, FormatError> {
        match self.version()? {
            1 => self.fields(),
            _ => Err(FormatError::Newer),
        }
    }
}

fn first_version() -> u64 {
    1
}

/// Encodes `form`, which is that of `version`.
pub(super) fn encode(version: u64, form: &impl Serialize) -> Result<String, FormatError> {
    /// A form of a later version than the first.
    #[derive(Serialize)]
    struct VersionedForm<'a, F> {
        version: u64,
        #[serde(flatten)]
        form: &'a F,
    }

    let text = match version {
        1 => serde_json::to_string(form),
        version => serde_json::to_string(&VersionedForm { version, form }),
    };
    text.map_err(|_| FormatError::Unwritable)
}
