//! The answer of a problem: its body, its headers, and how the document shows it.

use poem::Response;
use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::Problem;

const MEDIA_TYPE: &str = "application/problem+json";

/// The parts of a problem's answer that depend on the request, which only the edge knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The request id, repeated in the body so that a screenshot is enough to find the log line.
    pub request_id: &'a str,
    /// Whether the operation is an OAuth endpoint, whose body also carries `error`.
    pub oauth: bool,
    /// Whether Basic is one of the accepted schemes, so that a 401 has to name it (RFC 9110 §11.6.1).
    pub basic: bool,
}

impl Problem {
    /// The answer to one request.
    pub fn to_response(&self, context: Context<'_>) -> Response {
        let status = self.status;
        // Texts and numbers can always be written.
        let body = serde_json::to_vec(&self.body(context)).unwrap_or_default();
        let mut response = Response::builder().status(status).content_type(MEDIA_TYPE).body(body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.code.challenge()));
            if context.basic {
                headers
                    .append(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="rescind""#));
            }
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, self.wait().into());
        }
        response
    }

    fn body(&self, context: Context<'_>) -> ProblemBody {
        let errors = self.errors.iter();
        let errors: Vec<_> = errors
            .map(|error| FieldBody { field: error.field.clone(), code: error.code.as_str().to_owned() })
            .collect();
        ProblemBody {
            r#type: format!("urn:rescind:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.status.as_u16().into(),
            detail: self.detail.clone().into_owned(),
            code: self.code.as_str().to_owned(),
            request_id: context.request_id.to_owned(),
            errors: (!errors.is_empty()).then_some(errors),
            error: context.oauth.then(|| self.code.oauth_error().to_owned()),
        }
    }
}

/// What went wrong, and what to do about it.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Problem")]
struct ProblemBody {
    /// A URN that ends in the code.
    r#type: String,
    /// A short summary, the same for each problem of this code.
    title: String,
    /// The HTTP status.
    status: i32,
    /// An English sentence for developers; apps translate `code`.
    detail: String,
    /// A stable code that says what to do.
    code: String,
    /// Names the request in the service's log; also in the `X-Request-Id` header.
    request_id: String,
    /// The fields to correct, with `invalid_request` and `weak_password`, where it is fields that are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldBody>>,
    /// The OAuth 2.0 error code; only under `/oauth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A field to correct.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "FieldProblem")]
struct FieldBody {
    /// The field's path, as in `device.name`.
    field: String,
    /// What is wrong with it.
    code: String,
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        self.to_response(Context::default())
    }
}

/// The `default` answer in the description of an operation; the document replaces it by the statuses the operation
/// can send.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemBody::schema_ref() }];
        let response = MetaResponse {
            description: "What went wrong, and what to do about it.",
            status: None,
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem::Body;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::code::{Code, FieldCode};

    async fn json(response: &mut Response) -> Value {
        let body: Body = response.take_body();
        serde_json::from_str(&body.into_string().await.unwrap()).unwrap()
    }

    fn challenges(response: &Response) -> Vec<&str> {
        response.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_problem_says_everything_once() {
        let problem = Problem::field("device.name", FieldCode::TooLong).because("the secret cause");
        let mut response = problem.to_response(Context { request_id: "r-1", ..Context::default() });
        assert_eq!(response.status(), 400);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(
            json(&mut response).await,
            json!({
                "type": "urn:rescind:problem:invalid_request",
                "title": "The request is not valid",
                "status": 400,
                "detail": "Correct the fields named in `errors`.",
                "code": "invalid_request",
                "request_id": "r-1",
                "errors": [{"field": "device.name", "code": "too_long"}],
            })
        );
    }

    #[tokio::test]
    async fn an_oauth_problem_also_carries_its_error() {
        let context = Context { oauth: true, ..Context::default() };
        let mut response = Problem::new(Code::TokenInvalid).to_response(context);
        assert_eq!(challenges(&response).len(), 1);
        assert_eq!(json(&mut response).await["error"], "invalid_client");
    }

    #[test]
    fn basic_is_named_where_it_is_taken() {
        let context = Context { basic: true, ..Context::default() };
        let response = Problem::new(Code::TokenInvalid).to_response(context);
        assert_eq!(
            challenges(&response),
            [r#"Bearer realm="rescind", error="invalid_token""#, r#"Basic realm="rescind""#]
        );
        assert!(challenges(&Problem::new(Code::Forbidden).to_response(context)).is_empty());
    }

    #[test]
    fn every_code_keeps_the_rules_of_its_status() {
        for &code in Code::ALL {
            let response = Problem::new(code).to_response(Context::default());
            let status = response.status().as_u16();
            assert_eq!(challenges(&response).len(), usize::from(status == 401), "{code:?}");
            assert_eq!(response.header("retry-after").is_some(), status == 429 || status == 503, "{code:?}");
        }
    }

    #[test]
    fn a_missing_token_is_not_called_invalid() {
        let response = Problem::new(Code::TokenMissing).as_response();
        assert_eq!(challenges(&response), [r#"Bearer realm="rescind""#]);
    }

    #[test]
    fn the_wait_is_never_zero() {
        let response = Problem::new(Code::RateLimited).retry_after(0).as_response();
        assert_eq!(response.header("retry-after"), Some("1"));
        let response = Problem::new(Code::RateLimited).retry_after(30).as_response();
        assert_eq!(response.header("retry-after"), Some("30"));
    }
}
