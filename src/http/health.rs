//! Health, for whatever starts and watches the process.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::json::Json;
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::Auth;
use crate::auth::error::AuthError;
use crate::store::StoreError;

/// The operations.
pub(super) struct Health;

#[derive(Debug, Object, Serialize)]
#[oai(rename = "Health")]
struct HealthAnswer {
    /// Always `ok`.
    status: String,
}

/// Whoever watches the process is told what is wrong where that may be told; the log says the rest.
fn not_ready(error: StoreError) -> Problem {
    let told = match &error {
        StoreError::Away(why) => Some(format!("The database cannot answer: {why}.")),
        StoreError::WrongClock(why) => Some(format!("The clock is wrong: {why}.")),
        StoreError::Stalled(why) => Some(format!("The disk does not answer: {why}.")),
        _ => None,
    };
    let problem = Problem::from(AuthError::from(error));
    match told {
        Some(told) => problem.with_detail(told),
        None => problem,
    }
}

#[OpenApi(tag = "Tag::Service")]
impl Health {
    /// Is the process alive?
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    #[allow(clippy::unused_async, reason = "the form the framework calls it in")]
    async fn livez(&self) -> Json<HealthAnswer> {
        Json(HealthAnswer { status: "ok".to_owned() })
    }

    /// Can it answer?
    ///
    /// Asks the store; 503 means: send no requests here, and says what is wrong.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, auth: Data<&Arc<Auth>>) -> Result<Json<HealthAnswer>, Problem> {
        auth.store().ready().await.map_err(not_ready)?;
        Ok(Json(HealthAnswer { status: "ok".to_owned() }))
    }
}
