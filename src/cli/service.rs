//! Where the command line meets the service itself: starting it, opening it in process, its document, its clock.
//!
//! The parts behind these functions are not there yet; each says so instead of pretending.

use poem::Response;
use poem::endpoint::BoxEndpoint;

use super::failure::Failure;
use crate::settings::Settings;
use crate::world::World;

/// Runs the service until it is told to stop. Its first line on stdout is `listening on http://…`.
#[expect(clippy::unused_async, reason = "becomes crate::http::serve::run(settings).await")]
pub(super) async fn serve(_settings: Settings) -> Result<(), Failure> {
    Err(missing())
}

/// The application on the opened store, as it is served on the administration socket. Never makes a store.
pub(super) async fn in_process(_settings: &Settings) -> Result<BoxEndpoint<'static, Response>, Failure> {
    Err(missing())
}

/// The OpenAPI document, as committed.
pub(super) fn document() -> Result<String, Failure> {
    Err(missing())
}

/// What opening the store shows: the newest time it has recorded, in unix seconds, or why it does not open.
/// `Ok(None)` where nothing is recorded, or nothing can open it yet.
#[expect(clippy::unnecessary_wraps, reason = "opening the store can fail")]
pub(super) fn newest_record(_settings: &Settings) -> Result<Option<i64>, Failure> {
    Ok(None)
}

/// Now, in unix seconds.
pub(super) fn now() -> i64 {
    World::real().now().unix()
}

fn missing() -> Failure {
    Failure::new("this build has no service yet", "")
}
