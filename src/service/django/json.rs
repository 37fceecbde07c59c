//! The JSON of Django's `dumpdata`: an array of objects, or one object per line.

use std::fmt;
use std::io::Read;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::limited::{LimitedReader, ReadPosition};
use super::rows::{DjangoFields, DjangoRow, RowPlace, RowSink, SourceError, SourceOptions, joined};

/// An object of a dump. Members that are not listed are ignored.
#[derive(Deserialize)]
struct DumpedObject {
    model: String,
    #[serde(default)]
    pk: Value,
    fields: Map<String, Value>,
}

/// Reads a dump from its first byte that is not white space.
pub(super) fn read(
    reader: impl Read,
    options: &SourceOptions,
    sink: &mut RowSink<'_>,
) -> Result<(), SourceError> {
    let (reader, position) = LimitedReader::new(reader);
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut reading = DumpReader { options, sink, position, model: None, fault: None };
    // An array is read by `visit_seq`, and objects one after the other by `visit_map`.
    let mut read = json
        .deserialize_any(&mut reading)
        .and_then(|is_array| if is_array { json.end().map(|()| true) } else { Ok(false) });
    while let Ok(false) = read {
        reading.position.begin();
        if json.end().is_ok() {
            break;
        }
        read = json.deserialize_any(&mut reading);
    }
    let DumpReader { position, model, fault, .. } = reading;
    match (fault, read) {
        (Some(fault), _) => Err(fault),
        (None, Err(_)) if position.exceeded() => Err(SourceError::TooLong { line: position.line() }),
        (None, Err(error)) => match error.classify() {
            serde_json::error::Category::Io => Err(SourceError::Io(error.into())),
            _ => Err(SourceError::Json { line: error.line() as u64, column: error.column() }),
        },
        (None, Ok(_)) if model.is_none() => {
            let wanted = options.model.as_ref().map(|model| format!(" of the model {model}"));
            Err(SourceError::NoUsers(wanted.unwrap_or_default()))
        }
        (None, Ok(_)) => Ok(()),
    }
}

struct DumpReader<'a, 's> {
    options: &'a SourceOptions,
    sink: &'a mut RowSink<'s>,
    position: Rc<ReadPosition>,
    /// The model of the users found so far.
    model: Option<String>,
    fault: Option<SourceError>,
}

impl DumpReader<'_, '_> {
    /// Takes one object; false if reading is to end.
    fn take(&mut self, line: u64, object: DumpedObject) -> bool {
        let DumpedObject { model, pk, fields } = object;
        let is_user = match &self.options.model {
            Some(wanted) => wanted.eq_ignore_ascii_case(&model),
            None => fields.contains_key(&self.options.username) && fields.contains_key("password"),
        };
        if !is_user {
            return true;
        }
        if let Some(other) = self.model.as_ref().filter(|other| !other.eq_ignore_ascii_case(&model)) {
            self.fault = Some(SourceError::Models(shown(other), shown(&model)));
            return false;
        }
        self.model = Some(model);
        let username = match fields.get(&self.options.username) {
            Some(Value::String(name)) => Some(name.clone()),
            _ => None,
        };
        let row = DjangoRow { place: RowPlace::Line(line), username, fields: of_fields(&pk, &fields) };
        (self.sink)(row)
    }
}

/// A model's name in a message, without what could control a terminal.
fn shown(model: &str) -> String {
    model.chars().filter(|c| c.is_ascii_alphanumeric() || "._".contains(*c)).take(100).collect()
}

fn of_fields(pk: &Value, fields: &Map<String, Value>) -> Result<DjangoFields, &'static str> {
    let id = match pk {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() || number.is_i64() => number.to_string(),
        Value::Null => return Err("it has no primary key; dump without --natural-primary"),
        _ => return Err("its primary key is neither a number nor a text"),
    };
    let password = match fields.get("password") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        _ => return Err("its password is not a text"),
    };
    let active = match fields.get("is_active") {
        Some(Value::Bool(active)) => *active,
        None => true,
        Some(_) => return Err("its is_active is neither true nor false"),
    };
    let joined = match fields.get("date_joined") {
        Some(Value::String(text)) => Some(joined(text).ok_or("its date_joined is not a time")?),
        None | Some(Value::Null) => None,
        Some(_) => return Err("its date_joined is not a time"),
    };
    Ok(DjangoFields { id, password, active, joined })
}

impl<'de> Visitor<'de> for &mut DumpReader<'_, '_> {
    /// Whether it was an array.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the objects of a dump")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<bool, A::Error> {
        while let Some(()) = objects.next_element_seed(&mut *self)? {
            self.position.begin();
        }
        Ok(true)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, object: A) -> Result<bool, A::Error> {
        let line = self.position.line();
        let object = DumpedObject::deserialize(serde::de::value::MapAccessDeserializer::new(object))?;
        if self.take(line, object) { Ok(false) } else { Err(A::Error::custom("ended")) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut DumpReader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let line = self.position.line();
        let object = DumpedObject::deserialize(deserializer)?;
        if self.take(line, object) { Ok(()) } else { Err(D::Error::custom("ended")) }
    }
}
