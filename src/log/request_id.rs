//! The id of the request on whose behalf a task runs, for the lines that the request causes.

use std::future::Future;

tokio::task_local! {
    static REQUEST_ID: Box<str>;
}

/// Runs `answering` on behalf of the request `request_id`: every line that names the current request has that id.
pub async fn caused_by<F: Future>(request_id: &str, answering: F) -> F::Output {
    REQUEST_ID.scope(request_id.into(), answering).await
}

/// The id of the current request; `None` in tasks of the service itself.
pub fn request_id() -> Option<String> {
    REQUEST_ID.try_with(|id| id.clone().into_string()).ok()
}
