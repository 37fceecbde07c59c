//! The form body of an OAuth request: parameters it does not know are ignored, as RFC 6749 §3.2 asks.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use super::body::{self, shape::Unknown};
use super::code::{Code, FieldCode};
use super::problem::Problem;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// A form body of type `T`, whose fields are texts.
#[derive(Debug)]
pub(super) struct Form<T>(pub T);

/// A [`Form`] of which may be kept what is wrong with it, for an operation whose caller may prove itself otherwise.
#[derive(Debug)]
pub(super) struct ForgivenForm<T>(pub Result<T, Problem>);

impl<'a, T: ParseFromJSON + Type + 'static> ApiExtractor<'a> for ForgivenForm<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Form::<T>::request_meta()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self(read(request, body).await))
    }
}

async fn read<T: ParseFromJSON + 'static>(request: &Request, body: &mut RequestBody) -> Result<T, Problem> {
    body::require(request, MEDIA_TYPE)?;
    let parameters = parameters(&body::read(request, body).await?)?;
    body::parse(Value::Object(parameters), Unknown::Ignored)
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
        Ok(Self(read(request, body).await?))
    }
}

/// The parameters that have a value, each given once.
fn parameters(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let mut parameters = Map::new();
    for parameter in str::from_utf8(body).map_err(|_| no_form())?.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        // RFC 6749 §3.2: a parameter without a value is treated as if it were left out.
        if value.is_empty() {
            continue;
        }
        if parameters.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
            // The name is the caller's text, so only that one is given twice is said.
            return Err(Problem::field("*", FieldCode::NotAllowed)
                .with_detail("A parameter is given more than once."));
        }
    }
    Ok(parameters)
}

/// The text that `encoded` stands for (WHATWG URL §5.1).
fn decode(encoded: &str) -> Result<Cow<'_, str>, Problem> {
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
        let text = |value: Value| value.as_str().unwrap().to_owned();
        Ok(parameters(body)?.into_iter().map(|(name, value)| (name, text(value))).collect())
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
}
