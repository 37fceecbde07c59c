//! The shape a JSON value must have: a type's own OpenAPI schema, resolved once and kept.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde_json::Value;

use crate::http::code::FieldCode;

/// The most faults that one check of a body or a query lists.
pub(in crate::http) const NAMED: usize = 32;
/// The most characters of an unknown field's name that an answer repeats.
const NAME_LENGTH: usize = 64;

static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<BodyShape>>>> = LazyLock::new(RwLock::default);

/// What to do with a field that the schema does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Unknown fields are reported by name.
    Refused,
    /// Unknown fields are ignored.
    Ignored,
}

/// The shape a JSON value must have. A test checks that the types of all bodies declare no more than a shape keeps: a limit
/// that only the framework checked would be answered without the name of its field.
#[derive(Debug)]
pub enum BodyShape {
    /// Any value.
    Any,
    /// An object with these fields.
    Object(Vec<Field>),
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A list of values of one shape.
    List(Box<BodyShape>),
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    required: bool,
    shape: BodyShape,
}

impl BodyShape {
    /// The shape of `T`, made at its first use.
    pub fn of<T: Type + 'static>() -> Arc<Self> {
        let id = TypeId::of::<T>();
        if let Some(shape) = SHAPES.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(shape);
        }
        let mut registry = Registry::new();
        let schema = registry.create_fake_schema::<T>();
        let shape = Arc::new(Self::new(&schema, &registry));
        SHAPES.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&shape));
        shape
    }

    fn new(schema: &MetaSchema, registry: &Registry) -> Self {
        // A reference with a description beside it is wrapped in an `allOf`; the reference comes first.
        if let Some(first) = schema.all_of.first() {
            return Self::resolve(first, registry);
        }
        match schema.ty {
            "object" => {
                let fields = schema.properties.iter().map(|(name, property)| Field {
                    name,
                    required: schema.required.contains(name),
                    shape: Self::resolve(property, registry),
                });
                Self::Object(fields.collect())
            }
            "string" => Self::Text,
            "integer" => Self::Integer,
            "array" => {
                let items = schema.items.as_deref().map(|items| Self::resolve(items, registry));
                Self::List(Box::new(items.unwrap_or(Self::Any)))
            }
            _ => Self::Any,
        }
    }

    fn resolve(reference: &MetaSchemaRef, registry: &Registry) -> Self {
        let schema = match reference {
            MetaSchemaRef::Inline(schema) => Some(schema.as_ref()),
            MetaSchemaRef::Reference(name) => registry.schemas.get(name),
        };
        schema.map_or(Self::Any, |schema| Self::new(schema, registry))
    }

    /// Whether a path, as [`check`](Self::check) writes them, names a field of this shape.
    pub fn has(&self, path: &str) -> bool {
        let (name, rest) = path.split_once(['.', '[']).unwrap_or((path, ""));
        match self {
            Self::Object(fields) => fields
                .iter()
                .find(|field| field.name == name)
                .is_some_and(|field| rest.is_empty() || field.shape.has(rest)),
            // `0].name`, what remains of `[0].name`.
            Self::List(items) => path.split_once("].").is_some_and(|(_, rest)| items.has(rest)),
            _ => false,
        }
    }

    /// Lists the faults of a value, in the schema's order, as (path of the field, code): at most `NAMED`. Empty
    /// when the value fits.
    pub fn check(&self, value: &Value, unknown: Unknown) -> Vec<(String, FieldCode)> {
        let mut found = Findings { unknown, errors: Vec::new() };
        found.check(self, value, "");
        found.errors
    }
}

struct Findings {
    unknown: Unknown,
    errors: Vec<(String, FieldCode)>,
}

impl Findings {
    fn add(&mut self, path: &str, code: FieldCode) {
        if self.errors.len() < NAMED {
            self.errors.push((if path.is_empty() { "body" } else { path }.to_owned(), code));
        }
    }

    fn check(&mut self, shape: &BodyShape, value: &Value, path: &str) {
        match (shape, value) {
            (BodyShape::Any, _) | (BodyShape::Text, Value::String(_)) => {}
            (BodyShape::Object(fields), Value::Object(given)) => self.check_fields(fields, given, path),
            (BodyShape::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (BodyShape::List(items), Value::Array(given)) => {
                for (index, value) in given.iter().enumerate() {
                    self.check(items, value, &format!("{path}[{index}]"));
                }
            }
            _ => self.add(path, FieldCode::WrongType),
        }
    }

    fn check_fields(&mut self, fields: &[Field], given: &serde_json::Map<String, Value>, path: &str) {
        for field in fields {
            match given.get(field.name) {
                None | Some(Value::Null) if field.required => {
                    self.add(&join(path, field.name), FieldCode::Required);
                }
                None | Some(Value::Null) => {}
                Some(value) => self.check(&field.shape, value, &join(path, field.name)),
            }
        }
        if self.unknown == Unknown::Refused {
            for name in given.keys().filter(|name| fields.iter().all(|field| field.name != *name)) {
                self.add(&join(path, &plain(name)), FieldCode::Unknown);
            }
        }
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Makes an unknown field's name safe to repeat: short, and without characters that could act in a terminal.
pub(in crate::http) fn plain(name: &str) -> String {
    name.chars().filter(|char| !char.is_control()).take(NAME_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use poem_openapi::{Object, OpenApiService};
    use serde_json::json;

    use super::*;
    use crate::http::document;
    use crate::http::operator::Operator;

    #[derive(Object)]
    struct Everything {
        id: String,
        scopes: Vec<String>,
        limit: Option<i64>,
    }

    #[test]
    fn paths_of_fields_are_known() {
        #[derive(Object)]
        struct Outer {
            inner: Option<Everything>,
            list: Vec<Everything>,
        }
        let shape = BodyShape::of::<Outer>();
        for known in ["inner", "inner.id", "list", "list[3].limit"] {
            assert!(shape.has(known), "{known}");
        }
        for unknown in ["", "id", "inner.x", "list[3].x", "list[3", "list.id"] {
            assert!(!shape.has(unknown), "{unknown}");
        }
    }

    fn check(value: &Value) -> Vec<(String, &'static str)> {
        let errors = BodyShape::of::<Everything>().check(value, Unknown::Refused);
        errors.into_iter().map(|(field, code)| (field, code.as_str())).collect()
    }

    fn named(errors: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        errors.iter().map(|(field, code)| ((*field).to_owned(), *code)).collect()
    }

    #[test]
    fn a_fitting_value_has_no_errors() {
        assert_eq!(check(&json!({"id": "a", "scopes": ["feed"]})), []);
        assert_eq!(check(&json!({"id": "a", "scopes": [], "limit": -5})), []);
        assert_eq!(check(&json!({"id": "a", "scopes": ["feed"], "limit": null})), []);
    }

    #[test]
    fn each_kind_of_error_has_its_code() {
        assert_eq!(
            check(&json!({"id": 7, "scopes": ["feed", "root", 5], "limit": "no"})),
            named(&[("id", "wrong_type"), ("scopes[2]", "wrong_type"), ("limit", "wrong_type")])
        );
        assert_eq!(
            check(&json!({"scopes": "feed", "limit": 1.5, "more": true})),
            named(&[
                ("id", "required"),
                ("scopes", "wrong_type"),
                ("limit", "wrong_type"),
                ("more", "unknown")
            ])
        );
    }

    #[test]
    fn a_strangers_field_name_is_cut_and_cleaned_and_the_list_is_bounded() {
        let long = "\u{1b}[31m".to_owned() + &"x".repeat(100);
        let errors = check(&json!({ long: 1 }));
        let (field, code) = errors.last().unwrap();
        assert_eq!((field.chars().count(), *code), (NAME_LENGTH, "unknown"));
        assert!(!field.contains('\u{1b}'));

        let many: serde_json::Map<_, _> = (0..100).map(|n| (format!("f{n}"), json!(0))).collect();
        assert_eq!(check(&Value::Object(many)).len(), NAMED);
    }

    /// Checks that a schema uses only the words that a shape keeps, and those that limit nothing.
    fn walk(document: &Value, schema: &Value, at: &str) {
        let target = schema["$ref"].as_str().map(|target| target.trim_start_matches('#'));
        let schema = target.map_or(schema, |target| document.pointer(target).unwrap());
        for (word, said) in schema.as_object().unwrap() {
            match (word.as_str(), said) {
                ("type", kind) => {
                    let kept = ["object", "string", "integer", "array"];
                    assert!(kept.contains(&kind.as_str().unwrap()), "{at}: {kind}");
                }
                ("properties", fields) => {
                    for (name, field) in fields.as_object().unwrap() {
                        walk(document, field, &format!("{at}.{name}"));
                    }
                }
                ("allOf", parts) => {
                    for part in parts.as_array().unwrap() {
                        walk(document, part, at);
                    }
                }
                ("items", items) => walk(document, items, at),
                ("required" | "title" | "description" | "format", _) => {}
                _ => panic!("{at}: {word}"),
            }
        }
    }

    #[test]
    fn no_body_declares_more_than_its_shape_keeps() {
        let operator = OpenApiService::new(Operator, "operator", "0").spec();
        let mut bodies = 0;
        for spec in [document::service().spec(), operator] {
            let document: Value = serde_json::from_str(&spec).unwrap();
            let operations = document["paths"].as_object().unwrap().values();
            for operation in operations.flat_map(|path| path.as_object().unwrap().values()) {
                let content = &operation["requestBody"]["content"];
                for body in content.as_object().into_iter().flat_map(serde_json::Map::values) {
                    walk(&document, &body["schema"], operation["operationId"].as_str().unwrap());
                    bodies += 1;
                }
            }
        }
        assert!(bodies > 15, "{bodies}");
    }
}
