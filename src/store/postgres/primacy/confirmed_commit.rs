//! The proof by a commit.
//!
//! A standby that confirms a commit has not been promoted before. So if every standby that may be promoted has to confirm
//! it, a commit that was begun after a request arrived proves that nobody had been promoted when it arrived.

use std::time::Instant;

use futures_util::join;

use super::proof::{Basis, Proof};
use crate::store::StoreError;
use crate::store::postgres::failure::QueryFailure;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::sql;
use crate::store::postgres::store_and_settings::StoreAndSettings;
use crate::store::postgres::synchronous_standbys::confirming_standbys;

/// Begins a transaction whose commit says so if it did not wait for its standby, whatever the role or the URL asks for.
const BEGIN: &str = "begin isolation level read committed; set local client_min_messages = warning";

/// Has the commit wait until its standbys have received it, and not until they have written it to disk or applied it as well:
/// that they follow this primary is the proof, and the commit itself need not survive.
const AWAIT_RECEIPT: &str = "set local synchronous_commit = remote_write";

/// Proves that the database is the primary, by a commit that its standbys confirm. The settings of the session, which steps
/// have, are read before it and after it: whoever empties them lets every commit go on that still waits.
pub(super) async fn prove(pool: &Pool) -> Result<Proof, QueryFailure> {
    let connection = pool.connection().await?;
    let sent = Instant::now();
    let begin = [BEGIN, sql::STORE_AND_SETTINGS_LOCKED, AWAIT_RECEIPT].join("; ");
    let exchange = async {
        let client = connection.begin();
        join!(client.simple_query(&begin), connection.commit(), client.simple_query(sql::STORE_AND_SETTINGS))
    };
    let (before, committed, after) = connection.drive(exchange).await;
    let (before, committed, after) = (before?, committed?, after?);
    connection.done();
    let database = StoreAndSettings::answered(&before)?;
    confirming_standbys(&database.names, &database.commit)
        .map_err(|why| StoreError::Away(why.to_string()))?;
    if !committed || database != StoreAndSettings::answered(&after)? {
        return Err(StoreError::Away("no standby confirmed that this is the primary".to_owned()).into());
    }
    Ok(Proof { sent, database, basis: Basis::Commit })
}
