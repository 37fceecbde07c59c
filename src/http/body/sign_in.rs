//! The body of a registration or a sign-in: the first request of an app that moves here from another service.
//!
//! An unknown field is refused by name, as everywhere: an app that sends `remember_me: false` or `password2` relies
//! on something that does not happen, and one that misspells `device` loses it. An operator who moves many apps over
//! at once can have unknown fields ignored until the last app has been updated.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaRequest, Registry};
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::shape::Unknown;
use super::{FieldsBody, JSON_OR_FORM, parse, read_fields};
use crate::http::code::FieldCode;

const ADVICE: &str = "Correct the fields named in `errors`. A field that is `unknown` has no effect here: leave it out, or have the \
     service read over it with its setting `ignore_unknown_fields = true`.";

/// What registration and sign-in do with unknown fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignInFields {
    /// Ignores unknown fields instead of refusing the request.
    pub ignore_unknown: bool,
}

/// A JSON or form body of type `T` of a registration or a sign-in.
#[derive(Debug)]
pub struct SignInBody<T>(pub T);

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for SignInBody<T> {
    const TYPES: &'static [ApiExtractorType] = <FieldsBody<T> as ApiExtractor>::TYPES;
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        <FieldsBody<T> as ApiExtractor>::request_meta()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let fields = request.data::<SignInFields>().copied().unwrap_or_default();
        let unknown = if fields.ignore_unknown { Unknown::Ignored } else { Unknown::Refused };
        let json = read_fields(request, body, JSON_OR_FORM).await?;
        let parsed = parse(json, unknown).map_err(|problem| {
            let told = problem.errors().iter().any(|error| error.code == FieldCode::Unknown);
            if told { problem.with_detail(ADVICE) } else { problem }
        });
        Ok(Self(parsed?))
    }
}
