//! The JSON of an answer, serialized straight from its struct.
//!
//! The framework's own payload builds a tree of values and then writes that, which takes a checked request longer than
//! the check.

use poem::error::ResponseError;
use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use super::code::Code;
use super::problem::Problem;

/// The bytes of most answers.
const BODY: usize = 512;
/// The headers of most answers.
const HEADERS: usize = 8;

/// A JSON answer of type `T`.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: Type + Serialize> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json; charset=utf-8";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(BODY);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => {
                let mut response = Response::builder().body(body);
                let headers = response.headers_mut();
                // Those of every answer follow.
                headers.reserve(HEADERS);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Self::CONTENT_TYPE));
                response
            }
            Err(error) => Problem::new(Code::Internal).because(error).as_response(),
        }
    }
}

impl<T: Type + Serialize> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: T::schema_ref() }];
        let response = MetaResponse {
            description: "",
            status: Some(200),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
