//! Health checks, for programs that start and watch the process.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::json::Json;
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::error::AuthError;
use crate::auth::use_cases::UseCases;
use crate::store::StoreError;
use crate::store::priority::Priority;

/// The operations for health checks.
pub(super) struct HealthApi;

/// All is well.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Health")]
struct HealthAnswer {
    /// `ok`, or `low_disk_space`.
    status: String,
    /// What is refused for want of free disk space: `sign_in` (registrations, sign-ins and renamings), `refresh`,
    /// `sweep`, `sign_out` (disabling and key changes too), which stop in this order. Left out when nothing is.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Vec<String>>,
}

impl HealthAnswer {
    fn ok() -> Self {
        Self { status: "ok".to_owned(), refused: None }
    }

    /// The health of a node on which the priorities up to `stopped` are refused.
    fn low_on_space(stopped: Priority) -> Self {
        let refused = Priority::ALL.into_iter().filter(|priority| *priority <= stopped);
        let refused = refused.map(|priority| priority.as_str().to_owned()).collect();
        Self { status: "low_disk_space".to_owned(), refused: Some(refused) }
    }
}

/// The detail of an answer while the store is known to have been rolled back.
const ROLLED_BACK: &str = "The store was rolled back: it was restored from a copy, or it lost acknowledged writes. Stop every rescind process that uses it and run `rescind store restored`.";

/// Turns a store's failure into 503. The answer names the fault only where it may be public; the log has the rest.
fn not_ready(error: StoreError) -> Problem {
    let detail = match &error {
        StoreError::Away(why) => Some(format!("The database cannot answer: {why}.")),
        StoreError::WrongClock(why) => Some(format!("The clock is wrong: {why}.")),
        StoreError::Stalled(why) => Some(format!("The disk does not answer: {why}.")),
        StoreError::Newer(_) => {
            Some("The store was written by a newer version of Rescind: run that version.".to_owned())
        }
        StoreError::Full(_) => Some(
            "There is too little free disk space for anything, sign-outs too; checks go on. Make room."
                .to_owned(),
        ),
        _ => None,
    };
    let problem = Problem::from(AuthError::from(error));
    match detail {
        Some(detail) => problem.with_detail(detail),
        None => problem,
    }
}

#[OpenApi(tag = "Tag::Service")]
impl HealthApi {
    /// Is the process alive?
    #[oai(path = "/livez", method = "get", operation_id = "livez")]
    #[allow(clippy::unused_async, reason = "the form the framework calls it in")]
    async fn livez(&self) -> Json<HealthAnswer> {
        Json(HealthAnswer::ok())
    }

    /// Can it answer?
    ///
    /// Asks the store; 503 means: send no requests here, and says what is wrong. When free disk space runs out, 200
    /// says which steps are refused: sign-ins first, and sign-outs last. When those are refused too, it is 503.
    #[oai(path = "/readyz", method = "get", operation_id = "readyz")]
    async fn readyz(&self, use_cases: Data<&Arc<UseCases>>) -> Result<Json<HealthAnswer>, Problem> {
        match use_cases.readiness.check().await {
            Ok(None) => Ok(Json(HealthAnswer::ok())),
            Ok(Some(Priority::Ending)) => {
                Err(not_ready(StoreError::Full("nothing is written any more".to_owned())))
            }
            Ok(Some(stopped)) => Ok(Json(HealthAnswer::low_on_space(stopped))),
            Err(AuthError::Store(error)) => Err(not_ready(error)),
            Err(AuthError::RolledBack) => Err(Problem::from(AuthError::RolledBack).with_detail(ROLLED_BACK)),
            Err(error) => Err(error.into()),
        }
    }
}
