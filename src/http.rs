//! The HTTP edge: everything between a socket and a use case.
//!
//! It promises that whatever goes wrong leaves as one [`problem::Problem`] with a request id, that no body, header or
//! connection can grow or wait without bound, and that nothing a client sent is quoted back or logged. It does not
//! know how a session is judged or stored: handlers parse, call one use case and shape the answer.
//!
//! On the way in:
//!
//! * [`listen`] — the server loop: connections, their number and timeouts, HTTP/1 only (`framework` puts the
//!   application behind it)
//! * [`edge`] — the outermost endpoint: request id, deadline, one log line, metrics, problems ([`routes`] names the
//!   operations for it)
//! * [`cors`] — which pages of other origins may read answers
//! * [`client`] — the client's address and user agent
//! * [`body`] — the JSON or form body, checked against its own schema
//!
//! On the way out:
//!
//! * [`code`] — the stable list of problem codes
//! * [`problem`] — the one error every operation answers with
//! * `json` — the body of an answer
//! * [`headers`] — the headers of every answer
//!
//! The operations: `accounts`, `devices`, `oauth`, `admin`, `admin_users`, `revocations`, `wellknown`, `health`, and `operator`
//! and `transfer` for the socket alone, and [`simplejwt`] for apps that were built for another system; their shapes are `answers`,
//! `admin_answers`, `revocation_answers`, `event_stream`, `device_input`, `sign_in_elsewhere`, `form`, `moment` and `page`;
//! `user_agent` guesses the name of a device; `etag` says whether a client has the current answer, `fence` waits
//! until a sign-out is in force at followers, `tag` lists the headings of the document, and `figures` answers on the
//! metrics' own listener. [`credential`] reads the credential of a request, `wanted` says which one an operation
//! requires, `refusal` turns a use case's error into a problem. [`app`] puts all of them behind the edge, [`serve`]
//! runs the process, [`document`] describes the operations, and [`docs`] is the Swagger UI.

mod accounts;
mod admin;
mod admin_answers;
mod admin_users;
mod answers;
pub mod app;
pub mod body;
pub mod client;
pub mod code;
pub mod cors;
pub mod credential;
mod device_input;
mod devices;
pub mod docs;
pub mod document;
pub mod edge;
mod etag;
mod event_stream;
mod fence;
mod figures;
mod form;
pub mod framework;
pub mod headers;
mod health;
mod json;
pub mod listen;
mod moment;
mod oauth;
mod operator;
mod page;
pub mod problem;
mod refusal;
mod revocation_answers;
mod revocations;
pub mod routes;
pub mod serve;
mod sign_in_elsewhere;
pub mod simplejwt;
mod tag;
pub(crate) mod transfer;
mod user_agent;
mod wanted;
mod wellknown;
