//! The body of an operation on many records at once, which only the operator may send.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaRequest, Registry};
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::shape::Unknown;
use super::{JSON, document, parse, parse_json, read_up_to, require};

/// The largest body, in bytes. It is below the limit of a connection, which counts the head of the request too.
const LARGEST: usize = 60 * 1024;

/// A JSON body of type `T` that may be as large as 60 KiB. A field that `T` does not have is refused by name.
#[derive(Debug)]
pub(in crate::http) struct BatchBody<T>(pub(in crate::http) T);

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for BatchBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(document::<T>(true, JSON))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        require(request, JSON)?;
        let json = parse_json(&read_up_to(LARGEST, request, body).await?)?;
        Ok(Self(parse(json, Unknown::Refused)?))
    }
}
