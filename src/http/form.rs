//! The form body of an OAuth request: unknown parameters are ignored, as RFC 6749 §3.2 requires.

use std::borrow::Cow;
use std::marker::PhantomData;

use percent_encoding::percent_decode_str;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use super::body;
use super::body::json::JsonValue;
use super::body::shape::{NAMED, Unknown, plain};
use super::code::{Code, FieldCode};
use super::problem::{FieldError, Problem};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// A form body of type `T`, whose fields are texts. It is parsed by [`read`](Form::read) only, so that a credential,
/// which may be among the fields, can be judged before.
pub(super) struct Form<T> {
    parameters: Result<JsonValue, Problem>,
    body: PhantomData<T>,
}

impl<T: ParseFromJSON + 'static> Form<T> {
    /// The value of a parameter, if there is one.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.as_ref().ok()?.value.get(name)?.as_str()
    }

    /// Parses the form, or returns the problem with it.
    pub(super) fn read(self) -> Result<T, Problem> {
        body::parse(self.parameters?, Unknown::Ignored)
    }
}

impl<'a, T: ParseFromJSON + Type + 'static> ApiExtractor<'a> for Form<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: MEDIA_TYPE, schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self { parameters: read(request, body).await, body: PhantomData })
    }
}

async fn read(request: &Request, body: &mut RequestBody) -> Result<JsonValue, Problem> {
    body::require(request, MEDIA_TYPE)?;
    parameters(&body::read(request, body).await?)
}

/// The parameters of a form as a JSON object; parameters without a value are left out (RFC 6749 §3.2).
fn parameters(body: &[u8]) -> Result<JsonValue, Problem> {
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
pub(super) fn decode(encoded: &str) -> Result<Cow<'_, str>, Problem> {
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
}
