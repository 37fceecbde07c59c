//! The form body of an OAuth request: unknown parameters are ignored, as RFC 6749 §3.2 requires.

use std::marker::PhantomData;

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::body;
use super::body::form::{MEDIA_TYPE, parameters};
use super::body::json::JsonValue;
use super::body::shape::Unknown;
use super::problem::Problem;

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
    body::require(request, &[MEDIA_TYPE])?;
    parameters(&body::read(request, body).await?)
}
