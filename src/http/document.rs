//! The OpenAPI document: what the framework knows of the operations, brought into the form that client generators read
//! best (OpenAPI 3.0.3), with every error each operation can answer.
//!
//! There are two documents: one for apps and administrators, and one for followers of the feed, since client
//! generators cannot handle an event stream. `openapi/openapi.json` and `openapi/feed.json` are the committed copies;
//! a test keeps them equal.

#![allow(
    clippy::indexing_slicing,
    reason = "setting a member of a JSON object by index makes it; nothing is out of bounds"
)]

use poem::http::StatusCode;
use poem_openapi::OpenApiService;
use serde_json::{Map, Value, json};

use super::accounts::Accounts;
use super::admin::Admin;
use super::admin_users::AdminUsers;
use super::code::{Code, FieldCode};
use super::credential::BASIC;
use super::devices::Devices;
use super::health::HealthApi;
use super::oauth::OAuth;
use super::revocations::Revocations;
use super::routes::Routes;
use super::wellknown::WellKnown;

mod errors;
mod examples;
mod limits;
mod plain;
mod shared;

/// What differs between the documents.
struct Edition {
    description: &'static str,
    /// Headings in the order a newcomer needs them; the framework only sorts them by name.
    headings: &'static [&'static str],
    /// The security scheme that the description of the document's credentials begins with.
    credential: &'static str,
}

const APPS: Edition = Edition {
    description: "Sessions on several devices, with tokens that can be taken back.\n\n\
        Start with *Register* or *Sign in*: the answer carries an access token for every call and a refresh token for the \
        next pair. Every error is a `Problem`; its `code` says what to do, and that schema lists them all.\n\n\
        Resource servers that judge tokens on their own follow the feed, which has a [page](docs?feed) and a \
        [document](openapi/feed.json) of its own.",
    headings: &["Sessions", "Devices", "OAuth", "Administration", "Service"],
    credential: "bearer",
};

const FOLLOWERS: Edition = Edition {
    description: "What has ended, for resource servers that judge access tokens on their own.\n\n\
        A follower listens to the *stream* with a service key of scope `feed`, applies the signed frames in order, and pings \
        every two seconds: the signed answer proves how fresh its copy is. The crate `rescind` with the feature `verifier` and \
        `rescind guard` do all of this; the module `token::feed` says what frames and pongs look like.",
    headings: &["Feed"],
    credential: "service_key",
};

/// The operations of the public API, in the order of the documents.
pub(super) type PublicApi = (Accounts, Devices, OAuth, Admin, AdminUsers, WellKnown, HealthApi, Revocations);

const PUBLIC_API: PublicApi =
    (Accounts, Devices, OAuth, Admin, AdminUsers, WellKnown, HealthApi, Revocations);

/// Names every public operation in the log and the metrics.
pub(super) fn name(routes: Routes<'_>) -> Routes<'_> {
    routes.api::<PublicApi>("").called_directly(PUBLIC_API)
}

/// The public operations with the framework's routing.
pub(super) fn service() -> OpenApiService<PublicApi, ()> {
    described(PUBLIC_API, "Rescind")
}

fn described<T>(operations: T, title: &str) -> OpenApiService<T, ()> {
    OpenApiService::new(operations, title, env!("CARGO_PKG_VERSION"))
}

/// The committed text of the document for apps and administrators.
pub fn text() -> String {
    text_at(None)
}

/// The committed text of the document for followers of the feed.
pub fn feed_text() -> String {
    feed_text_at(None)
}

/// The document for apps and administrators of a service whose URL is `server`.
pub fn text_at(server: Option<&str>) -> String {
    let operations = (Accounts, Devices, OAuth, Admin, AdminUsers, WellKnown, HealthApi);
    finished(&described(operations, "Rescind").spec(), &APPS, server)
}

/// The document for followers of the feed of a service whose URL is `server`.
pub fn feed_text_at(server: Option<&str>) -> String {
    finished(&described(Revocations, "Rescind feed").spec(), &FOLLOWERS, server)
}

fn finished(spec: &str, edition: &Edition, server: Option<&str>) -> String {
    let mut document = serde_json::from_str(spec).unwrap_or_default();
    finish(&mut document, edition, server.unwrap_or("/"));
    format!("{document:#}\n")
}

fn finish(document: &mut Value, edition: &Edition, server: &str) {
    document["openapi"] = json!("3.0.3");
    document["info"]["description"] = json!(edition.description);
    document["info"]["license"] =
        json!({"name": "MIT OR Apache-2.0", "url": "https://spdx.org/licenses/MIT.html"});
    document["servers"] = json!([{"url": server, "description": "This service"}]);
    document["security"] = json!([{edition.credential: []}]);
    if let Some(tags) = document["tags"].as_array_mut() {
        let place = |tag: &Value| edition.headings.iter().position(|name| tag["name"] == *name);
        tags.retain(|tag| place(tag).is_some());
        tags.sort_by_key(place);
    }
    document["components"]["schemas"]["Problem"]["properties"]["code"]["description"] = json!(codes());
    document["components"]["schemas"]["FieldProblem"]["properties"]["code"]["description"] =
        json!(field_codes());
    plain::references(document);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.remove(NOTHING);
        for (name, schema) in schemas.iter_mut() {
            close(name, schema);
            limits::add_to_schema(name, schema);
            examples::add_to_schema(name, schema);
        }
    }
    document["components"]["headers"] = headers();
    document["components"]["responses"] = json!({shared::NAME: shared::response()});
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let mut basic = false;
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        finish_operation(operation, &schemas);
        basic |= operation["security"].to_string().contains(BASIC);
    }
    if let Some(schemes) = document.pointer_mut("/components/securitySchemes").and_then(Value::as_object_mut)
    {
        schemes.retain(|name, _| basic || name != BASIC);
    }
}

/// The schema of a body without fields. The document leaves it out, since an operation that accepts one needs none.
const NOTHING: &str = "Nothing";

/// The headers that every answer carries.
fn headers() -> Value {
    json!({
        "X-Request-Id": {
            "schema": {"type": "string"},
            "description": "Names the request in the service's log: the one that was sent, if it was plain enough, or a new one.",
        },
        "Cache-Control": {
            "schema": {"type": "string"},
            "description": "`no-store`, but of the public keys: they may be kept, and are asked for again before each use.",
        },
    })
}

/// The list of codes as a Markdown list, for developers who handle each code.
fn codes() -> String {
    let line = |code: &Code| {
        // A wrong password beside a good bearer token.
        let beside = if *code == Code::WrongCredentials { ", or 403 beside a bearer token" } else { "" };
        let others = shared::other_statuses(*code).into_iter().map(|status| format!(", or {status}"));
        let also = others.collect::<String>() + beside;
        format!("* `{}` ({}{also}): {}", code.as_str(), code.status().as_u16(), code.advice())
    };
    let lines: Vec<_> = Code::ALL.iter().map(line).collect();
    "A stable code that says what to do; expect new ones. A 401 is about the token that was sent, and answers cross on \
     their way: if the app holds newer tokens by now, it keeps those and tries again with them.\n\n"
        .to_owned()
        + &lines.join("\n")
}

fn field_codes() -> String {
    let lines = FieldCode::ALL.iter().map(|code| format!("* `{}`: {}", code.as_str(), code.meaning()));
    "What is wrong with it; expect new ones.\n\n".to_owned() + &lines.collect::<Vec<_>>().join("\n")
}

/// Marks the schema of a request as closed to unknown fields. Those of sign-outs stay open, since a client that
/// leaves must not fail.
fn close(name: &str, schema: &mut Value) {
    const REQUESTS: [&str; 13] = [
        "CreateUser",
        "UpdateUser",
        "ClientInput",
        "AccountReason",
        "Credentials",
        "Login",
        "DeviceInput",
        "Refresh",
        "ChangePassword",
        "DeleteAccount",
        "RenameDevice",
        "OpenSession",
        "Ping",
    ];
    if REQUESTS.contains(&name) {
        schema["additionalProperties"] = json!(false);
    }
}

fn finish_operation(operation: &mut Value, schemas: &Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    if operation.get("description").is_none() {
        operation["description"] = operation["summary"].clone();
    }
    if operation.get("security").is_none() {
        operation["security"] = json!([]);
    }
    if let Some(ways) = operation["security"].as_array_mut().filter(|_| !id.starts_with("introspect")) {
        // The password of Basic is accepted everywhere, but only OAuth clients have no other way to send a key.
        ways.retain(|way| way.get(BASIC).is_none());
    }
    let body = &operation["requestBody"];
    let takes_none =
        body.is_null() || plain::schema_name(&body["content"]["application/json"]) == Some(NOTHING);
    if takes_none && let Some(operation) = operation.as_object_mut() {
        operation.remove("requestBody");
    }
    if let Some(parameters) = operation.get_mut("parameters") {
        limits::add_to_parameters(&id, parameters);
    }
    if operation.pointer("/requestBody/content/application~1json").is_some() {
        examples::add_to_request(&id, operation);
        describe_form(operation);
    }
    let fault = examples::fault(operation, schemas);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    responses.remove("default");
    let contents = responses.values_mut().filter_map(|response| response.get_mut("content"));
    for response in contents.filter_map(Value::as_object_mut) {
        if let Some(content) = response.remove("application/json; charset=utf-8") {
            response.insert("application/json".to_owned(), content);
        }
    }
    for response in responses.values_mut().filter(|response| response["description"] == "") {
        let schema = plain::schema_name(&response["content"]["application/json"]);
        let description = schema.map_or(&Value::Null, |name| &schemas[name]["description"]);
        response["description"] = if description.is_string() { description.clone() } else { json!("Done.") };
    }
    for (status, codes) in errors::of(&id) {
        responses.insert(status.as_u16().to_string(), problem(&id, status, &codes, &fault));
    }
    for response in responses.values_mut() {
        for name in ["X-Request-Id", "Cache-Control"] {
            let header = json!({"$ref": format!("#/components/headers/{name}")});
            let headers = &mut response["headers"];
            let known = headers
                .as_object()
                .is_some_and(|known| known.keys().any(|other| other.eq_ignore_ascii_case(name)));
            if !known {
                headers[name] = header;
            }
        }
    }
    examples::add_to_responses(responses);
    responses.insert("default".to_owned(), shared::reference());
}

/// Says in words that the fields are also taken from a form. Declared as a second media type, a form makes generators
/// write code that does not run, or that sends the form.
fn describe_form(operation: &mut Value) {
    let content = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    if content.and_then(|content| content.remove("application/x-www-form-urlencoded")).is_none() {
        return;
    }
    let before = operation["description"].as_str().map(|text| format!("{text}\n\n")).unwrap_or_default();
    operation["description"] = json!(format!(
        "{before}The same fields are also taken from a form (`application/x-www-form-urlencoded`), those of an object as \
         `device[name]`."
    ));
}

fn problem(operation: &str, status: StatusCode, codes: &[Code], fault: &Value) -> Value {
    let line = |code: &Code| format!("`{}`: {}", code.as_str(), errors::advice(operation, *code));
    let lines: Vec<_> = codes.iter().map(line).collect();
    let mut response = json!({
        "description": lines.join("  \n"),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    if let Some(code) = codes.first() {
        response["content"]["application/problem+json"]["example"] =
            examples::problem(operation, status, *code, fault);
        let headers: &[(&str, &str, &str)] = match status.as_u16() {
            401 => &[("WWW-Authenticate", "string", "How to authenticate (RFC 6750).")],
            429 | 503 => &[("Retry-After", "integer", "Seconds to wait before trying again.")],
            _ => &[],
        };
        for (name, kind, description) in headers {
            response["headers"][*name] = json!({"schema": {"type": kind}, "description": description});
        }
    }
    response
}
