//! `GET /metrics`: the metrics in Prometheus' text format, on a listener of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request};
use poem::Response;
use poem::http::{StatusCode, header};

use super::listen::{HttpService, RequestFault};
use super::problem::{Context, Problem};
use crate::metrics::Metrics;

/// The endpoint that serves the metrics of a node.
#[derive(Debug)]
pub(super) struct Figures(pub Arc<Metrics>);

impl HttpService for Figures {
    type Body = BoxBody<Bytes, io::Error>;

    async fn answer(&self, request: Request<Incoming>, _: Option<SocketAddr>) -> hyper::Response<Self::Body> {
        let response = Response::builder();
        let response = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/metrics") => response
                .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
                .body(self.0.encode()),
            (_, "/metrics") => {
                response.status(StatusCode::METHOD_NOT_ALLOWED).header(header::ALLOW, "GET, HEAD").finish()
            }
            _ => response.status(StatusCode::NOT_FOUND).body("ask /metrics\n"),
        };
        response.into()
    }

    async fn refuse(
        &self,
        fault: RequestFault,
        _: Option<Parts>,
        _: Option<SocketAddr>,
    ) -> hyper::Response<Self::Body> {
        fault.note();
        Problem::from(fault).to_response(Context::default()).into()
    }
}
