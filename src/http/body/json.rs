//! JSON values whose repeated members are noticed: parsers differ in which of them counts (RFC 8259 §4), so a proxy
//! in front could have judged another value than the one used here.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::shape::{NAMED, join, plain};

/// A JSON value and the members that it repeats.
#[derive(Debug, PartialEq)]
pub(in crate::http) struct JsonValue {
    /// The value; of a member given twice, the last one.
    pub(in crate::http) value: Value,
    /// The paths of the members given more than once, as [`BodyShape::check`](super::shape::BodyShape::check) writes them.
    pub(in crate::http) repeated: Vec<String>,
}

impl JsonValue {
    /// Reads one JSON value; bytes after it are an error.
    pub(in crate::http) fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut repeated = Vec::new();
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = reader.deserialize_any(Reader { path: String::new(), repeated: &mut repeated })?;
        reader.end()?;
        Ok(Self { value, repeated })
    }
}

struct Reader<'a> {
    path: String,
    repeated: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match items.next_element_seed(Reader { path, repeated: self.repeated })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = join(&self.path, &plain(&name));
            let value = members.next_value_seed(Reader { path: path.clone(), repeated: self.repeated })?;
            let before = object.insert(name, value);
            if before.is_some() && self.repeated.len() < NAMED && !self.repeated.contains(&path) {
                self.repeated.push(path);
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn repeated(text: &str) -> Vec<String> {
        JsonValue::read(text.as_bytes()).unwrap().repeated
    }

    #[test]
    fn a_member_given_twice_is_named_once_by_its_path() {
        assert!(repeated(r#"{"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]}"#).is_empty());
        assert_eq!(repeated(r#"{"a": 1, "a": 1, "a": 2}"#), ["a"]);
        assert_eq!(repeated(r#"{"\u0061": 1, "a": 2}"#), ["a"]);
        assert_eq!(repeated(r#"{"d": {"x": 1, "x": 2}, "l": [0, {"y": 1, "y": 2}]}"#), ["d.x", "l[1].y"]);
        assert_eq!(repeated(r#"{"a\n": 1, "a\n": 2}"#), ["a"]);
        let many: Vec<_> = (0..40).map(|n| format!(r#""{n}": 1, "{n}": 2"#)).collect();
        assert_eq!(repeated(&format!("{{{}}}", many.join(", "))).len(), NAMED);
    }

    #[test]
    fn what_is_no_json_is_refused_as_before() {
        for text in ["", "{", "{} {}", "[1,]", "nul", "{'a': 1}", "\u{feff}{}", &"[".repeat(1000)] {
            assert!(JsonValue::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_reads(text in r#"[\[\]{}:,"0-9a-c\\.eE+ -]{0,24}"#) {
            let theirs = serde_json::from_slice::<Value>(text.as_bytes());
            prop_assert_eq!(JsonValue::read(text.as_bytes()).ok().map(|json| json.value), theirs.ok());
        }
    }

    #[test]
    fn values_of_every_kind_are_kept() {
        let value = json!({"a": [null, true, 1, -1, 1.5, "x", {}], "b": 18_446_744_073_709_551_615_u64});
        assert_eq!(JsonValue::read(value.to_string().as_bytes()).unwrap().value, value);
    }
}
