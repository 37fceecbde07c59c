//! An application that is served, with the limits of its connections.

use std::future::Future;
use std::net::SocketAddr;

use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};

use super::fault::RequestFault;
use super::limits::ConnectionLimits;
use crate::http::client::TrustedProxies;

/// An application that answers the requests of a listener.
pub trait HttpService: Send + Sync + 'static {
    /// The body of the application's answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    /// Answers a request whose head is valid. `peer` is `None` on a Unix socket.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers a request that is refused for its head, which is given if it could be read. The connection is closed
    /// afterwards.
    fn refuse(
        &self,
        fault: RequestFault,
        head: Option<Parts>,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// A service and the limits of its connections.
#[derive(Debug)]
pub struct Server<S> {
    pub(super) service: S,
    pub(super) limits: ConnectionLimits,
    pub(super) proxies: TrustedProxies,
}

impl<S: HttpService> Server<S> {
    /// A server without trusted proxies in front.
    pub fn new(service: S, limits: ConnectionLimits) -> Self {
        Self { service, limits, proxies: TrustedProxies::default() }
    }

    /// Counts requests through these proxies by the clients they name, instead of the proxies' connections.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }
}
