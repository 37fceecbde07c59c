//! The form body of an OAuth request: parameters it does not know are ignored, as RFC 6749 §3.2 asks.

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
        body::require(request, MEDIA_TYPE)?;
        let bytes = body::read(request, body).await?;
        let fields = serde_urlencoded::from_bytes::<Vec<(String, String)>>(&bytes)
            .map_err(|_| Problem::new(Code::InvalidRequest).with_detail("The body is not a form."))?;
        let mut object = Map::new();
        for (name, value) in fields {
            if object.contains_key(&name) {
                // The name is the caller's text, so only that one is given twice is said.
                return Err(Problem::field("*", FieldCode::NotAllowed)
                    .with_detail("A parameter is given more than once.")
                    .into());
            }
            // RFC 6749 §3.2: a parameter without a value is treated as if it were left out.
            if !value.is_empty() {
                object.insert(name, Value::String(value));
            }
        }
        Ok(Self(body::parse(Value::Object(object), Unknown::Ignored)?))
    }
}
