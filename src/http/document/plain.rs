//! Bare references, as client generators need them. The framework wraps a reference that has a description in an
//! `allOf`, of which some generators make an intersection type, others a class of its own for each use.

use serde_json::Value;

/// Replaces every `allOf` that wraps one `$ref` by the bare `$ref`.
pub(super) fn references(value: &mut Value) {
    let wrapped = value.pointer("/allOf/0/$ref").cloned();
    if let Some(reference) = wrapped {
        *value = serde_json::json!({ "$ref": reference });
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(references),
        Value::Array(items) => items.iter_mut().for_each(references),
        _ => {}
    }
}

/// The name of the schema that a media type refers to.
pub(super) fn schema_name(media: &Value) -> Option<&str> {
    media.pointer("/schema/$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
}
