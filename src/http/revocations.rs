//! `/api/v1/revocations`: the feed for resource servers that judge tokens on their own; scope `feed`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Header, Query};
use poem_openapi::{Object, OpenApi};

use super::body::Body;
use super::code::FieldCode;
use super::credential::ServiceCredential;
use super::event_stream::EventStream;
use super::json::Json;
use super::problem::Problem;
use super::revocation_answers::{PongAnswer, RevocationsAnswer};
use super::tag::Tag;
use crate::auth::use_cases::UseCases;
use crate::feed::Feed;
use crate::feed::ping::PingRequest;
use crate::model::counters::Position;
use crate::model::ids::FollowerId;
use crate::model::service_key::Scope;
use crate::token::feed::{MOST_ENTRIES, MOST_SENT, Nonce};

/// The operations of the feed.
pub(super) struct Revocations;

#[derive(Debug, Object)]
#[oai(rename = "Ping")]
struct PingInput {
    /// 16 to 64 characters of base64url, new for each ping and from a good generator.
    nonce: String,
    /// The last position of the log that is in force at the follower.
    applied: i64,
    /// What the stream's `hello` called the follower; without it nobody waits for this follower.
    follower: Option<String>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Feed")]
impl Revocations {
    /// What has ended
    ///
    /// The entries after `since` as one signed frame, and the same for reading; without `since`, the oldest ones that are
    /// kept. Ask again with `last` until that is the `head`. For those who cannot listen to the stream.
    #[oai(path = "/revocations", method = "get", operation_id = "listRevocations")]
    async fn list(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        credential: ServiceCredential,
        /// The last position that was applied.
        since: Query<Option<i64>>,
        /// How many entries there may be at most: 1 to 256, normally 256. There may be fewer although more follow.
        limit: Query<Option<u32>>,
    ) -> Result<Json<RevocationsAnswer>, Problem> {
        credential.service_key(&use_cases.authentication, Scope::Feed).await?;
        let since = since.0.map(|since| position("since", since)).transpose()?;
        let limit = limit.0.map_or(MOST_ENTRIES, |limit| limit as usize);
        if !(1..=MOST_ENTRIES).contains(&limit) {
            return Err(Problem::field("limit", FieldCode::OutOfRange));
        }
        let (frame, text) = feed.page(since, limit.min(MOST_SENT)).await?;
        Ok(Json(RevocationsAnswer::of(&frame, text)))
    }

    /// Follow what ends
    ///
    /// Server-sent events: `hello` first, then `frame`s with the last position as their `id`, `ping` when somebody waits
    /// for this follower. Begins with a snapshot, or after the position in `Last-Event-ID`.
    #[oai(path = "/revocations/stream", method = "get", operation_id = "streamRevocations")]
    async fn stream(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        credential: ServiceCredential,
        /// The `id` of the last event that was applied.
        #[oai(name = "Last-Event-ID")]
        since: Header<Option<String>>,
    ) -> Result<EventStream, Problem> {
        let key = credential.service_key(&use_cases.authentication, Scope::Feed).await?;
        // A value that is no position cannot be continued: the stream starts with a snapshot.
        let since = since.0.and_then(|since| since.parse().ok()).map(Position::new);
        Ok(EventStream(feed.follow(&key, since)?))
    }

    /// Prove how fresh a follower is
    ///
    /// The signed answer names the head of the log, read after the ping arrived. A follower that has applied it knows that
    /// it was up to date when it sent the ping.
    #[oai(path = "/revocations/ping", method = "post", operation_id = "ping")]
    async fn ping(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        credential: ServiceCredential,
        body: Body<PingInput>,
    ) -> Result<Json<PongAnswer>, Problem> {
        let key = credential.service_key(&use_cases.authentication, Scope::Feed).await?;
        let pong = feed.ping(&key, ping(&body.0)?).await?;
        Ok(Json(PongAnswer { pong }))
    }
}

fn position(field: &str, number: i64) -> Result<Position, Problem> {
    let number = u64::try_from(number).map_err(|_| Problem::field(field, FieldCode::OutOfRange))?;
    Ok(Position::new(number))
}

fn ping(input: &PingInput) -> Result<PingRequest, Problem> {
    let wrong = |field: &'static str| move || Problem::field(field, FieldCode::InvalidFormat);
    let follower = input.follower.as_deref();
    let follower = follower.map(|text| FollowerId::parse(text).ok_or_else(wrong("follower")));
    Ok(PingRequest {
        nonce: Nonce::parse(&input.nonce).ok_or_else(wrong("nonce"))?,
        applied: position("applied", input.applied)?,
        follower: follower.transpose()?,
    })
}
