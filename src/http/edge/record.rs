//! What a request leaves behind: one line in the log, and its place in the metrics.

use std::time::Duration;

use poem::Response;
use poem::http::Method;

use crate::http::problem::Problem;
use crate::http::routes::Operation;
use crate::log::request_id::RequestId;

/// Writes one log line and counts the request. The line names the route, never the target: a query may hold anything.
pub(super) fn record(
    operation: &Operation,
    method: &Method,
    response: &Response,
    problem: Option<&Problem>,
    id: &RequestId,
    duration: Duration,
) {
    let status = response.status().as_u16();
    operation.metrics.answered(status, duration);
    let (method, route, request_id) = (method.as_str(), operation.route.as_str(), id.as_str());
    let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let code = problem.map(|problem| problem.code().as_str());
    match problem.and_then(Problem::cause) {
        // The target says that the line may be dropped when there are too many.
        None if operation.quiet && response.status().is_success() => {
            tracing::debug!(target: "rescind::request", method, route, status, duration_us, code, request_id, "request");
        }
        None => {
            tracing::info!(target: "rescind::request", method, route, status, duration_us, code, request_id, "request");
        }
        Some(cause) => {
            tracing::error!(target: "rescind::http::edge", method, route, status, duration_us, code, request_id, cause, "request failed");
        }
    }
}
