//! Server-sent events (the HTML standard, §9.2), which carry the feed to a follower.

use std::io;

use futures_util::stream::unfold;
use poem::http::{HeaderName, HeaderValue, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};

use super::listen::Endless;
use crate::feed::stream::{FollowerStream, StreamEvent};

/// The `retry` of a stream: the milliseconds a follower waits before it reconnects.
const RETRY: u32 = 500;

/// Asks a proxy that knows the header (nginx) not to buffer the stream.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An answer whose body is the stream of a follower. Events are taken from the feed only as fast as the connection
/// sends them.
pub(super) struct EventStream(pub FollowerStream);

impl Payload for EventStream {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")))
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        let events = unfold(self.0, |mut stream| async {
            let event = stream.next().await?;
            Some((Ok::<_, io::Error>(text(&event)), stream))
        });
        Response::builder()
            .content_type(Self::CONTENT_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .header(BUFFERING, HeaderValue::from_static("no"))
            .extension(Endless)
            .body(Body::from_bytes_stream(events))
    }
}

impl ApiResponse for EventStream {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }];
        let response = MetaResponse {
            description: "The stream.",
            status: Some(200),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_: &mut Registry) {}
}

fn text(event: &StreamEvent) -> String {
    match event {
        StreamEvent::Hello { follower, store } => {
            format!(
                "retry: {RETRY}\nevent: hello\ndata: {{\"follower\":\"{follower}\",\"store\":\"{store}\"}}\n\n"
            )
        }
        StreamEvent::Frame(frame) => {
            format!("event: frame\nid: {}\ndata: {}\n\n", frame.last.value(), frame.text)
        }
        // An event without data is none.
        StreamEvent::Ping => "event: ping\ndata: {}\n\n".to_owned(),
        StreamEvent::Silence => ":\n\n".to_owned(),
    }
}
