//! The shared store: several nodes, one truth.
//!
//! It promises that a step acknowledged by one node holds on all of them from that answer on; that a check sees every
//! step acknowledged before it began, if no node reaches a primary that was replaced or proofs of primacy are required; and that whoever cannot reach the one writable primary is told so, and never
//! that a token is valid or ended. It knows what PostgreSQL 13 and newer promise, and needs nothing that a pooler in
//! transaction mode takes away: no session state, prepared statements only where they stay, and `NOTIFY` only as a hint.
//!
//! Modules:
//!
//! * `engine` — the engine itself, [`Postgres`]: queries, steps, and when either is tried again; `options` — how it is run
//! * `open` — opening: from a URL to a database that is known to keep its promises; `open_error` the reasons to refuse
//! * `schema` — the tables, and how they grow from version to version
//! * `hosts` — the host that is the primary, among several
//! * `pool`, `connection`, `driver`, `tls` — connections: how many, how they are made again, what runs on one, and who polls it
//! * `loaded` — what a step sees: records that were read, and the one it misses
//! * `transaction` — one transaction: begun, locked, decided, committed; `retry` — when it is tried again
//! * `group_queue` — requests that wait, taken in groups; `shared_reads` — the checks of a group, answered by one statement;
//!   `group_commit` — the steps of a group, done by one transaction
//! * `standings` — the counters, users and devices that checks and steps work on, read by one statement; `standing_cache` —
//!   those that were read before; `head` — the head of the log, which says whether they are still true
//! * `primacy` — the proof that this database is still the primary; `synchronous_standbys` — the settings that allow one;
//!   `store_and_settings` — what a database says of itself with each answer, which has to be what was proven
//! * `load`, `write` — what is read for a step, locked for it, and written by it; `sql`, `sql_write` — the statements that read
//!   and that write; `row` — what is in a row of an answer
//! * `sql_query` — a statement with its arguments, each a `literal`; `bound_query` — one whose arguments stay out of its text
//! * `run_to_end` — what is begun for a caller and not abandoned with the caller
//! * `statement`, `prepared` — a statement that is planned once for a connection, and which ones are
//! * `change_notifier` — how nodes hear of each other's writes
//! * [`durability`] — what the servers say that decides whether they keep what they acknowledge
//! * [`encryption`] — whether the connection has to be encrypted
//! * `indexes` — the check of the columns by which users are found
//! * `archive` — the store as source or target of a copy, in one transaction
//! * [`user_table`] — the table of users of another program
//! * `failure` — what an error of the database means
//!
//! A step is one transaction, its own or that of a group, and a pure function of what it reads. So it runs on what was
//! read for it; should it ask for more, that is read, and it runs again. Whatever it is about is locked first, always in
//! the order user, then the counters; only a step that logs a revocation locks the counters' row, so the order of the log
//! is the order of commits. What a step decides is the business of [`steps`](super::steps), never of these modules.

mod archive;
mod bound_query;
mod change_notifier;
mod connection;
mod driver;
pub mod durability;
pub mod encryption;
mod engine;
mod failure;
mod group_commit;
mod group_queue;
mod head;
mod hosts;
mod indexes;
mod literal;
mod load;
mod loaded;
pub mod open;
mod open_error;
mod options;
mod pool;
mod prepared;
mod primacy;
mod retry;
mod row;
mod run_to_end;
mod schema;
mod self_waking;
mod shared_reads;
mod sql;
mod sql_query;
mod sql_write;
mod standing_cache;
mod standings;
mod statement;
mod store_and_settings;
mod synchronous_standbys;
mod tls;
mod transaction;
pub mod user_table;
mod write;

pub use archive::PostgresArchive;
pub use encryption::Encryption;
pub use engine::Postgres;
pub use group_queue::{GroupObserver, Grouped};
pub use open::OpenMode;
pub use open_error::OpenError;
pub use options::{Observed, Options};
pub use primacy::Basis;
pub use shared_reads::{CheckObserver, Checked};
pub use synchronous_standbys::NoProof;
