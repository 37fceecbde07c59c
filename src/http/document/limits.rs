//! Limits of values in schemas: for the form of Swagger UI and for generated clients, which cannot read prose.
//!
//! They stand here and not at the fields, since the use cases enforce them, each with a code of its own. A test sends
//! what is just beyond each of them.

use serde_json::{Map, Value, json};

/// The pattern of a UUID, with letters of either case.
const ID: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

/// The limits of a field of a schema.
fn of_field(schema: &str, field: &str) -> Option<Value> {
    Some(match (schema, field) {
        ("Credentials" | "Login" | "CreateUser" | "UpdateUser", "username") => {
            json!({"minLength": 1, "maxLength": 150})
        }
        ("Login" | "DeleteAccount", "password") | ("ChangePassword", "current_password") => {
            json!({"minLength": 1, "maxLength": 256, "format": "password"})
        }
        ("Credentials" | "CreateUser", "password") | ("ChangePassword", "new_password") => {
            json!({"minLength": 8, "maxLength": 256, "format": "password"})
        }
        ("CreateUser" | "UpdateUser", "external_id") => json!({"minLength": 1, "maxLength": 255}),
        ("CreateUser" | "UpdateUser", "password_hash") => json!({"format": "password"}),
        ("Refresh", "refresh") => json!({"minLength": 1, "maxLength": 2048}),
        ("DeviceInput", "kind") => json!({"minLength": 1, "maxLength": 32, "pattern": "^[a-z0-9_-]{1,32}$"}),
        ("RenameDevice", "name") | ("TokenInput" | "IntrospectionInput", "token") => json!({"minLength": 1}),
        ("Reason" | "AccountReason", "reason") => json!({"maxLength": 200}),
        ("Ping", "nonce") => json!({"minLength": 16, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]{16,64}$"}),
        ("Ping", "applied") => json!({"minimum": 0}),
        ("Ping", "follower") => json!({"pattern": ID}),
        _ => return None,
    })
}

/// The limits of a parameter of an operation.
fn of_parameter(operation: &str, name: &str) -> Option<Value> {
    Some(match (operation, name) {
        ("listRevocations", "limit") => {
            json!({"format": "int32", "minimum": 1, "maximum": 256, "default": 256})
        }
        (_, "limit") => json!({"format": "int32", "minimum": 1, "maximum": 1000, "default": 100}),
        ("listUsers", "after") => json!({"maxLength": 2400, "pattern": "^[A-Za-z0-9_-]+$"}),
        // Among ended devices the cursor has another form.
        ("listDevicesOfUser", "after") => return None,
        (_, "id" | "device" | "after") => json!({"pattern": ID}),
        (_, "user") => json!({"minLength": 1}),
        (_, "since") => json!({"minimum": 0}),
        (_, "wait") => json!({"pattern": "^[0-9]+(ms|s|m|h|d)$"}),
        _ => return None,
    })
}

/// The description of a path parameter, which the framework cannot declare.
fn description(name: &str) -> Option<&'static str> {
    Some(match name {
        "id" | "device" => "The id of the device.",
        "user" => "The id, the name or the external id of the user, percent-encoded.",
        _ => return None,
    })
}

pub(super) fn add_to_schema(name: &str, schema: &mut Value) {
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (field, schema) in fields {
        merge(schema, of_field(name, field));
    }
}

pub(super) fn add_to_parameters(operation: &str, parameters: &mut Value) {
    for parameter in parameters.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(schema) = parameter.get_mut("schema") {
            merge(schema, of_parameter(operation, &name));
        }
        if let Some(description) = description(&name) {
            parameter.entry("description").or_insert_with(|| description.into());
        }
    }
}

fn merge(schema: &mut Value, limits: Option<Value>) {
    let (Value::Object(schema), Some(Value::Object(limits))) = (schema, limits) else { return };
    schema.extend::<Map<_, _>>(limits);
}
