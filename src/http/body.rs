//! The body of a request, in JSON or where it says so as a form, checked against the schema that documents it.
//!
//! The framework's own parser quotes values in its errors and stops at the first one, so it only ever sees a body
//! that has passed [`shape`]: every fault is reported at once, by field name, and no value is repeated.

use std::io;

use http_body_util::{BodyExt as _, LengthLimitError, Limited, combinators::BoxBody};
use hyper::body::Bytes;
use poem::{Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::{ParseFromJSON, Type},
};
use serde_json::Value;

use self::json::JsonValue;
use self::shape::{BodyShape, Unknown};
use super::{
    code::{Code, FieldCode},
    problem::{FieldError, Problem},
};

pub(super) mod batch;
pub(super) mod form;
pub(super) mod json;
pub mod shape;
pub mod sign_in;

/// The largest body read, in bytes. The largest honest one is below 5 KiB: two tokens of 2 KiB each.
pub const LIMIT: usize = 16 * 1024;

/// The media type of an operation that takes JSON alone.
const JSON: &[&str] = &["application/json"];

/// The media types of an operation that takes forms, too: those that an app needs to sign in, to refresh and to sign out.
const JSON_OR_FORM: &[&str] = &["application/json", form::MEDIA_TYPE];

/// A JSON body of type `T`. A field that `T` does not have is refused by name.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON or form body of type `T`. A field that `T` does not have is refused by name.
#[derive(Debug)]
pub struct FieldsBody<T>(pub T);

/// A JSON body of type `T` that may be missing: no body, an empty one, `null` and `{}` all mean the same, and fields
/// that `T` does not have are ignored. For sign-outs, which a client must not fail at when its storage is empty.
#[derive(Debug)]
pub struct LenientBody<T>(pub T);

/// A [`LenientBody`] whose fault is kept instead of answered, for an operation that a credential alone may suffice for.
#[derive(Debug)]
pub struct ForgivenBody<T>(pub Result<T, Problem>);

/// A [`ForgivenBody`] that may be a form.
#[derive(Debug)]
pub struct ForgivenFields<T>(pub Result<T, Problem>);

/// A JSON body of type `T` that may be missing like a [`LenientBody`], but whose fields are named exactly.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

pub(super) async fn read(request: &Request, body: &mut RequestBody) -> Result<Bytes, Problem> {
    read_up_to(LIMIT, request, body).await
}

async fn read_up_to(limit: usize, request: &Request, body: &mut RequestBody) -> Result<Bytes, Problem> {
    if request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !is_identity(coding.as_bytes()))
    {
        return Err(
            Problem::new(Code::UnsupportedMediaType).with_detail("Send the body without `Content-Encoding`.")
        );
    }
    let too_large = || {
        Problem::new(Code::TooLarge).with_detail(format!("The body may have at most {} KiB.", limit / 1024))
    };
    let announced = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let body = body.take().map_err(|error| Problem::new(Code::Internal).because(error))?;
    match Limited::new(BoxBody::<Bytes, io::Error>::from(body), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(Code::InvalidRequest).with_detail("The body ended early.")),
    }
}

fn is_identity(coding: &[u8]) -> bool {
    coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity")
}

/// The one of `media_types` that the request's body has.
pub(super) fn require(request: &Request, media_types: &[&'static str]) -> Result<&'static str, Problem> {
    let essence = request.content_type().and_then(|full| full.split(';').next()).unwrap_or_default().trim();
    let known = media_types.iter().find(|known| essence.eq_ignore_ascii_case(known));
    known.copied().ok_or_else(|| {
        let detail = format!("Send the body as `{}`.", media_types.join("` or `"));
        Problem::new(Code::UnsupportedMediaType).with_detail(detail)
    })
}

/// Reads the fields of a body of one of `media_types`.
async fn read_fields(
    request: &Request,
    body: &mut RequestBody,
    media_types: &[&'static str],
) -> Result<JsonValue, Problem> {
    let media_type = require(request, media_types)?;
    fields(media_type, &read(request, body).await?)
}

fn fields(media_type: &str, bytes: &[u8]) -> Result<JsonValue, Problem> {
    if media_type == form::MEDIA_TYPE { form::fields(bytes) } else { parse_json(bytes) }
}

fn parse_json(bytes: &[u8]) -> Result<JsonValue, Problem> {
    JsonValue::read(bytes).map_err(|error| {
        let place =
            format!("The body is not valid JSON at line {}, column {}.", error.line(), error.column());
        Problem::new(Code::BadJson).with_detail(place)
    })
}

/// Parses a `T` from a JSON value. Where unknown fields are ignored, a member given twice is accepted, too.
pub(super) fn parse<T: ParseFromJSON + 'static>(json: JsonValue, unknown: Unknown) -> Result<T, Problem> {
    let JsonValue { value, repeated } = json;
    let shape = BodyShape::of::<T>();
    let mut errors = shape.check(&value, unknown);
    let counts = |path: &String| unknown == Unknown::Refused || shape.has(path);
    errors.extend(repeated.into_iter().filter(counts).map(|path| (path, FieldCode::Duplicate)));
    if !errors.is_empty() {
        let named = |(field, code)| FieldError { field, code };
        return Err(Problem::fields(errors.into_iter().map(named).collect()));
    }
    // The parser's own message quotes the value it could not take.
    T::parse_from_json(Some(value))
        .map_err(|_| Problem::new(Code::InvalidRequest).with_detail("The body does not match its schema."))
}

fn document<T: Type>(required: bool, media_types: &[&'static str]) -> MetaRequest {
    let content =
        |media_type: &&'static str| MetaMediaType { content_type: media_type, schema: T::schema_ref() };
    MetaRequest { description: None, content: media_types.iter().map(content).collect(), required }
}

macro_rules! required {
    ($body:ident, $media_types:ident) => {
        impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for $body<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                Some(document::<T>(true, $media_types))
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> Result<Self> {
                Ok(Self(parse(read_fields(request, body, $media_types).await?, Unknown::Refused)?))
            }
        }
    };
}

required!(Body, JSON);
required!(FieldsBody, JSON_OR_FORM);

/// Reads the fields of a body that may be missing: no body and `null` are an empty object.
async fn read_optional(
    request: &Request,
    body: &mut RequestBody,
    media_types: &[&'static str],
) -> Result<JsonValue, Problem> {
    let bytes = read(request, body).await?;
    let mut json = JsonValue { value: Value::Null, repeated: Vec::new() };
    if !bytes.trim_ascii().is_empty() {
        json = fields(require(request, media_types)?, &bytes)?;
    }
    if json.value.is_null() {
        json.value = Value::Object(serde_json::Map::new());
    }
    Ok(json)
}

macro_rules! may_be_missing {
    ($body:ident, $media_types:ident, $unknown:expr, $judge:expr) => {
        impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for $body<T> {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn request_meta() -> Option<MetaRequest> {
                Some(document::<T>(false, $media_types))
            }

            async fn from_request(
                request: &'a Request,
                body: &mut RequestBody,
                _: ExtractParamOptions<()>,
            ) -> Result<Self> {
                let value = read_optional(request, body, $media_types).await;
                Ok(Self($judge(value.and_then(|value| parse(value, $unknown)))?))
            }
        }
    };
}

may_be_missing!(LenientBody, JSON, Unknown::Ignored, std::convert::identity);
may_be_missing!(ForgivenBody, JSON, Unknown::Ignored, Ok::<_, Problem>);
may_be_missing!(ForgivenFields, JSON_OR_FORM, Unknown::Ignored, Ok::<_, Problem>);
may_be_missing!(OptionalBody, JSON, Unknown::Refused, std::convert::identity);

#[cfg(test)]
mod tests;
