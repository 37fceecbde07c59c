//! Forms (`application/x-www-form-urlencoded`) as JSON objects whose values are texts.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::json::JsonValue;
use super::shape::{NAMED, plain};
use crate::http::code::{Code, FieldCode};
use crate::http::problem::{FieldError, Problem};

/// The media type of a form.
pub(in crate::http) const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The fields of a form as a JSON object. `device[name]` is the field `name` of the object `device`, as the usual libraries
/// write it.
pub(super) fn fields(body: &[u8]) -> Result<JsonValue, Problem> {
    let JsonValue { value, repeated } = parameters(body)?;
    let Value::Object(parameters) = value else { return Ok(JsonValue { value, repeated }) };
    let mut fields = Map::new();
    for (name, value) in parameters {
        match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            None => {
                // An object that came before has another type than this text, which the check of the fields tells.
                fields.insert(name, value);
            }
            Some((outer, inner)) => {
                let object = fields.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Some(object) = object.as_object_mut() {
                    object.insert(inner.to_owned(), value);
                }
            }
        }
    }
    Ok(JsonValue { value: Value::Object(fields), repeated })
}

/// The parameters of a form as a JSON object; parameters without a value are left out (RFC 6749 §3.2).
pub(in crate::http) fn parameters(body: &[u8]) -> Result<JsonValue, Problem> {
    let (mut parameters, mut repeated) = (Map::new(), Vec::new());
    for parameter in str::from_utf8(body).map_err(|_| no_form())?.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        // RFC 6749 §3.2: a parameter without a value is treated as if it were left out.
        if value.is_empty() {
            continue;
        }
        let before = parameters.insert(name.clone().into_owned(), Value::String(value.into_owned()));
        let name = plain(&name);
        if before.is_some() && repeated.len() < NAMED && !repeated.contains(&name) {
            repeated.push(name);
        }
    }
    if !repeated.is_empty() {
        // RFC 6749 §3.2: none may be, known or not.
        let twice = |field| FieldError { field, code: FieldCode::Duplicate };
        return Err(Problem::fields(repeated.into_iter().map(twice).collect()));
    }
    Ok(JsonValue { value: Value::Object(parameters), repeated: Vec::new() })
}

/// Decodes a form-encoded text (WHATWG URL §5.1).
pub(in crate::http) fn decode(encoded: &str) -> Result<Cow<'_, str>, Problem> {
    if !encoded.contains('+') && !encoded.contains('%') {
        return Ok(encoded.into());
    }
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| no_form())?;
    Ok(decoded.into_owned().into())
}

fn no_form() -> Problem {
    Problem::new(Code::InvalidRequest).with_detail("The body is not a form.")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let read = parameters(body)?.value;
        Ok(read.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }

    proptest! {
        #[test]
        fn what_a_form_library_writes_is_read(given: BTreeMap<String, String>) {
            let given: Vec<_> = given.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let body = serde_urlencoded::to_string(&given).unwrap();
            prop_assert_eq!(read(body.as_bytes()).unwrap(), given);
        }
    }

    #[test]
    fn odd_spellings_mean_what_they_mean_to_browsers() {
        for (body, meant) in [
            ("a=b=c", ("a", "b=c")),
            ("&&a=b&", ("a", "b")),
            ("a=%zz%4", ("a", "%zz%4")),
            ("%61=%2B+%26", ("a", "+ &")),
            ("a=é", ("a", "é")),
            ("=b", ("", "b")),
            ("a&c=&a=b", ("a", "b")),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap(), [(meant.0.to_owned(), meant.1.to_owned())], "{body}");
        }
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn two_values_and_what_is_no_text_are_refused() {
        for body in [b"a=b&a=b".as_slice(), b"a=b&%61=c", b"a=%ff", b"%c3=a", b"a=\xff"] {
            assert_eq!(read(body).unwrap_err().code(), Code::InvalidRequest);
        }
    }

    #[test]
    fn a_parameter_given_more_than_once_is_named_once() {
        let named = |body: &str| {
            let problem = read(body.as_bytes()).unwrap_err();
            assert!(problem.errors().iter().all(|error| error.code == FieldCode::Duplicate), "{body}");
            problem.errors().iter().map(|error| error.field.clone()).collect::<Vec<_>>()
        };
        assert_eq!(named("a=1&b=1&a=2&b=2&a=3"), ["a", "b"]);
        assert_eq!(named("a=1&a=2&%61=3"), ["a"]);
        let many: Vec<_> = (0..40).map(|n| format!("{n}=1&{n}=2")).collect();
        assert_eq!(named(&many.join("&")).len(), NAMED);
    }

    #[test]
    fn a_name_in_brackets_is_a_field_of_an_object() {
        let read = |body: &str| fields(body.as_bytes()).unwrap().value;
        assert_eq!(
            read("username=ada&device%5Bname%5D=Phone&device[kind]=mobile"),
            serde_json::json!({"username": "ada", "device": {"name": "Phone", "kind": "mobile"}})
        );
        assert_eq!(read("device=x&device[name]=y"), serde_json::json!({"device": "x"}));
        assert_eq!(read("device[name]=y&device=x"), serde_json::json!({"device": "x"}));
        assert_eq!(read("[a]=1&b]=2&[=3"), serde_json::json!({"": {"a": "1"}, "b]": "2", "[": "3"}));
    }
}
