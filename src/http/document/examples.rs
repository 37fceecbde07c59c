//! Examples for the fields of Swagger UI and for answers, all from one set of values.

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::code::Code;

const USER: &str = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20";
const DEVICE: &str = "019aaa3c-52f4-7c55-8f0a-2f6d3c9b1e47";
const STORE: &str = "019aaa3b-9c10-7d02-b1c3-5a0e8f7d6c21";
const STREAM: &str = "event: hello\ndata: {\"follower\":\"019aaa3c-5300-7b21-8a5e-0c9d1e2f3a4b\",\"store\":\"019aaa3b-9c10-7d02-b1c3-5a0e8f7d6c21\"}\n\n\
    event: frame\nid: 42\ndata: v4.public.…\n\n";

/// An example of the schema with this name.
fn example(schema: &str) -> Option<Value> {
    Some(match schema {
        "Credentials" => {
            json!({"username": "ada", "password": "correct horse battery", "device": example("DeviceInput")})
        }
        "Login" => json!({
            "username": "ada", "password": "correct horse battery", "device": example("DeviceInput"),
            "refresh": "v4.local.…",
        }),
        "DeviceInput" => json!({"name": "Ada's phone", "kind": "mobile"}),
        "Refresh" | "Logout" => json!({"refresh": "v4.local.…"}),
        "ChangePassword" => {
            json!({"current_password": "correct horse battery", "new_password": "staple engine tulip"})
        }
        "DeleteAccount" => json!({"password": "correct horse battery"}),
        "RenameDevice" => json!({"name": "Ada's old phone"}),
        "Reason" | "AccountReason" => json!({"reason": "phone lost, ticket 4711"}),
        "OpenSession" => json!({
            "device": example("DeviceInput"), "client": example("ClientInput"), "amr": ["pwd", "otp"],
        }),
        "ClientInput" => json!({"address": "192.0.2.7", "user_agent": "Mozilla/5.0"}),
        "CreateUser" => json!({"username": "ada", "external_id": "42", "password": "correct horse battery"}),
        "UpdateUser" => json!({"username": "ada", "external_id": "42"}),
        "User" => json!({"id": USER, "username": "ada"}),
        "Device" => json!({
            "id": DEVICE, "name": "Ada's phone", "kind": "mobile", "current": true,
            "created_at": "2026-11-22T10:20:12Z", "last_seen_at": "2026-11-22T11:05:00Z", "address": "192.0.2.7",
            "expires_at": "2026-12-22T11:05:00Z",
        }),
        "Me" => json!({"user": example("User"), "device": example("Device")}),
        "Session" => json!({
            "access": "v4.public.…", "refresh": "v4.local.…", "token_type": "Bearer", "expires_in": 900,
            "refresh_expires_in": 2_592_000, "device": example("Device"), "user": example("User"),
        }),
        "SignedOut" => json!({"signed_out": 1}),
        "SignedOutEverywhere" => json!({"signed_out": 2, "generation": 2}),
        "SignedOutOthers" => {
            json!({"signed_out": 1, "generation": 2, "access": "v4.public.…", "expires_in": 600})
        }
        "PasswordChanged" => json!({"signed_out": 1, "session": example("Session")}),
        "DeviceList" => json!({"results": [example("Device")]}),
        "Introspection" => json!({
            "active": true, "token_type": "Bearer", "sub": USER, "username": "ada", "iss": "http://127.0.0.1:8080",
            "aud": "rescind", "iat": 1_795_342_812, "exp": 1_795_343_712, "sid": DEVICE, "gen": 1,
            "era": 1_795_342_000, "auth_time": 1_795_342_812,
        }),
        "TokenInput" | "IntrospectionInput" => json!({"token": "v4.public.…"}),
        "AdminUser" => json!({
            "id": USER, "username": "ada", "has_password": true, "created_at": "2026-11-22T10:20:12Z",
            "disabled": false, "live_devices": 2, "generation": 1,
        }),
        "AdminUserList" => json!({"results": [example("AdminUser")]}),
        "AdminDevice" => json!({
            "id": DEVICE, "name": "Ada's phone", "kind": "mobile", "created_at": "2026-11-22T10:20:12Z",
            "last_seen_at": "2026-11-22T11:05:00Z", "address": "192.0.2.7", "idle_end": "2026-12-22T11:05:00Z",
            "absolute_end": "2027-05-21T10:20:12Z",
        }),
        "AdminDeviceList" => json!({"results": [example("AdminDevice")]}),
        "Era" => json!({"era": 1_795_342_812}),
        "PublicKeys" => {
            json!({
                "issuer": "http://127.0.0.1:8080", "audience": "rescind",
                "names": [{"issuer": "http://127.0.0.1:8080", "audience": "rescind"}], "version": 1,
                "feed": "../api/v1/revocations", "keys": [example("PublicKey")], "distrusted": [],
            })
        }
        "PublicKey" => json!({
            "kid": "k4.pid.yh4-bJYjOYAG6CWy0zsfPmpKylxS7uAWrxqVmBN2KAiJ", "state": "active",
            "public": "k4.public.HrnbRBw2F_-lhFDxQ0XNSnN3KFtVKzQTFQE8yJJvTqo", "jwk": example("Jwk"),
            "pem": "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAHrnbRBw2F/+lhFDxQ0XNSnN3KFtVKzQTFQE8yJJvTqo=\n-----END PUBLIC KEY-----\n",
        }),
        "Jwk" => json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "HrnbRBw2F_-lhFDxQ0XNSnN3KFtVKzQTFQE8yJJvTqo",
            "kid": "k4.pid.yh4-bJYjOYAG6CWy0zsfPmpKylxS7uAWrxqVmBN2KAiJ", "use": "sig",
        }),
        "Revocations" => json!({
            "frame": "v4.public.…", "store": STORE, "start": false, "after": 40, "last": 42, "head": 42,
            "era": 1_795_342_000, "keys_version": 1,
            "entries": [
                {"position": 41, "type": "device_ended", "at": "2026-11-22T10:20:12Z", "user": USER, "device": DEVICE},
                example("Revocation"),
            ],
        }),
        "Revocation" => json!({
            "position": 42, "type": "generation", "at": "2026-11-22T10:20:12Z", "user": USER, "generation": 2,
            "kept": DEVICE,
        }),
        "Ping" => json!({"nonce": "0Yq2n1sVb0iXbKc1k2xA7w", "applied": 42}),
        "Pong" => json!({"pong": "v4.public.…"}),
        "Health" => json!({"status": "ok"}),
        _ => return None,
    })
}

pub(super) fn add_to_schema(name: &str, schema: &mut Value) {
    if let Some(example) = example(name) {
        schema["example"] = example;
    }
}

/// Adds an example to the body of a request that works as sent: no made-up token in an optional field.
pub(super) fn add_to_request(operation: &str, value: &mut Value) {
    let content = value.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for media in content.filter(|_| operation == "logout").into_iter().flat_map(Map::values_mut) {
        media["example"] = json!({});
    }
}

pub(super) fn add_to_responses(responses: &mut Map<String, Value>) {
    for response in responses.values_mut() {
        if let Some(media) = response.pointer_mut("/content/text~1event-stream") {
            media["example"] = json!(STREAM);
        }
        let Some(media) = response.pointer_mut("/content/application~1json") else { continue };
        if let Some(example) = super::plain::schema_name(media).and_then(example) {
            media["example"] = example;
        }
    }
}

/// The error of a field that a request of an operation can have wrong, as a problem lists it; an unknown parameter
/// where there is none.
pub(super) fn fault(operation: &Value, schemas: &Value) -> Value {
    let content = operation["requestBody"]["content"].as_object();
    let schema = content.and_then(|content| content.values().next()).and_then(super::plain::schema_name);
    let field = schema.and_then(|name| schemas[name]["properties"].as_object()?.iter().next());
    if let (Some(schema), Some((field, _))) = (schema, field) {
        let required = schemas[schema]["required"].as_array().is_some_and(|all| all.contains(&json!(field)));
        return json!({"field": field, "code": if required { "required" } else { "wrong_type" }});
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut in_query = parameters.filter(|parameter| parameter["in"] == "query");
    match in_query.next() {
        Some(parameter) => json!({"field": parameter["name"], "code": "invalid_format"}),
        None => json!({"field": "limit", "code": "unknown"}),
    }
}

/// An example of a problem.
pub(super) fn problem(operation: &str, status: StatusCode, code: Code, fault: &Value) -> Value {
    let mut problem = json!({
        "type": format!("urn:rescind:problem:{}", code.as_str()),
        "title": code.title(),
        "status": status.as_u16(),
        "detail": super::errors::advice(operation, code),
        "code": code.as_str(),
        "request_id": "8f3a6c1d-42",
    });
    if code == Code::InvalidRequest {
        problem["errors"] = json!([fault]);
    }
    if matches!(operation, "introspect" | "revoke") {
        problem["error"] = json!(code.oauth_error());
    }
    problem
}
