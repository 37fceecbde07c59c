//! The framework's endpoints behind our server loop.

use std::io;
use std::net::SocketAddr;

use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::http::Method;
use hyper::http::request::Parts;
use hyper::http::uri::Scheme;
use poem::endpoint::BoxEndpoint;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Endpoint as _, Request, RequestParts, Response};

use super::listen::{HttpService, RequestFault};

/// An application of the framework as a [`HttpService`]. A request that is refused for its head reaches it without a body
/// and with its [`RequestFault`] attached, so that it is logged, counted and answered like any other.
pub struct Framework(BoxEndpoint<'static, Response>);

impl Framework {
    /// Makes a service of an endpoint.
    pub fn new(endpoint: BoxEndpoint<'static, Response>) -> Self {
        Self(endpoint)
    }
}

impl HttpService for Framework {
    type Body = BoxBody<Bytes, io::Error>;

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        peer: Option<SocketAddr>,
    ) -> hyper::Response<Self::Body> {
        let request = Request::from((request, LocalAddr::default(), remote(peer), Scheme::HTTP));
        self.0.get_response(request).await.into()
    }

    async fn refuse(
        &self,
        fault: RequestFault,
        head: Option<Parts>,
        peer: Option<SocketAddr>,
    ) -> hyper::Response<Self::Body> {
        let mut request = if let Some(head) = head {
            let parts = RequestParts::from((head, LocalAddr::default(), remote(peer), Scheme::HTTP));
            Request::from_parts(parts, Body::empty())
        } else {
            let mut request = Request::default();
            // Nothing of it is known; the log does not call it a GET.
            request.set_method(Method::from_bytes(b"-").unwrap_or_default());
            request
        };
        request.set_data(fault);
        self.0.get_response(request).await.into()
    }
}

fn remote(peer: Option<SocketAddr>) -> RemoteAddr {
    RemoteAddr(peer.map_or_else(|| Addr::custom("socket", ""), Addr::from))
}
