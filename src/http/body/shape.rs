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

/// The deepest nesting of schemas, which ends one that contains itself; no schema of ours nests deeper.
const DEPTH: usize = 8;
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

/// The shape a JSON value must have.
#[derive(Debug)]
pub enum BodyShape {
    /// Any value.
    Any,
    /// An object with these fields.
    Object(Vec<Field>),
    /// A text, with its length in characters and the values it may have.
    Text(Text),
    /// `true` or `false`.
    Boolean,
    /// A number within bounds, whole or not.
    Number {
        /// Whether fractions are refused.
        whole: bool,
        /// The smallest value, inclusive.
        minimum: Option<f64>,
        /// The largest value, inclusive.
        maximum: Option<f64>,
    },
    /// A list of values of one shape.
    List {
        /// The shape of each item.
        items: Box<BodyShape>,
        /// The fewest items.
        min: Option<usize>,
        /// The most items.
        max: Option<usize>,
    },
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    required: bool,
    shape: BodyShape,
}

/// The length and the values that a text may have.
#[derive(Debug)]
pub struct Text {
    min: Option<usize>,
    max: Option<usize>,
    allowed: Vec<Value>,
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
        let shape = Arc::new(Self::new(&schema, &registry, DEPTH));
        SHAPES.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&shape));
        shape
    }

    fn new(schema: &MetaSchema, registry: &Registry, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Any };
        // A reference with a description or a default beside it is wrapped in an `allOf`; the reference comes first.
        if let Some(first) = schema.all_of.first() {
            return Self::resolve(first, registry, depth);
        }
        match schema.ty {
            "object" if schema.additional_properties.is_none() => {
                let fields = schema.properties.iter().map(|(name, property)| Field {
                    name,
                    required: schema.required.contains(name),
                    shape: Self::resolve(property, registry, depth),
                });
                Self::Object(fields.collect())
            }
            "string" => Self::Text(Text {
                min: schema.min_length,
                max: schema.max_length,
                allowed: schema.enum_items.clone(),
            }),
            "boolean" => Self::Boolean,
            ty @ ("integer" | "number") => {
                Self::Number { whole: ty == "integer", minimum: schema.minimum, maximum: schema.maximum }
            }
            "array" => {
                let items = schema.items.as_deref().map(|items| Self::resolve(items, registry, depth));
                let items = Box::new(items.unwrap_or(Self::Any));
                Self::List { items, min: schema.min_items, max: schema.max_items }
            }
            _ => Self::Any,
        }
    }

    fn resolve(reference: &MetaSchemaRef, registry: &Registry, depth: usize) -> Self {
        let schema = match reference {
            MetaSchemaRef::Inline(schema) => Some(schema.as_ref()),
            MetaSchemaRef::Reference(name) => registry.schemas.get(name),
        };
        schema.map_or(Self::Any, |schema| Self::new(schema, registry, depth))
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
            Self::List { items, .. } => path.split_once("].").is_some_and(|(_, rest)| items.has(rest)),
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
            (BodyShape::Any, _) | (BodyShape::Boolean, Value::Bool(_)) => {}
            (BodyShape::Object(fields), Value::Object(given)) => self.check_fields(fields, given, path),
            (BodyShape::Text(text), Value::String(value)) => self.check_text(text, value, path),
            (BodyShape::Number { whole, minimum, maximum }, Value::Number(number)) => {
                if *whole && !(number.is_i64() || number.is_u64()) {
                    return self.add(path, FieldCode::WrongType);
                }
                let number = number.as_f64().unwrap_or(f64::NAN);
                if minimum.is_some_and(|minimum| number < minimum)
                    || maximum.is_some_and(|maximum| number > maximum)
                {
                    self.add(path, FieldCode::OutOfRange);
                }
            }
            (BodyShape::List { items, min, max }, Value::Array(given)) => {
                self.check_length(given.len(), *min, *max, path);
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

    fn check_text(&mut self, text: &Text, value: &str, path: &str) {
        if !text.allowed.is_empty() && text.allowed.iter().all(|allowed| allowed != value) {
            return self.add(path, FieldCode::NotAllowed);
        }
        if text.min.is_some() || text.max.is_some() {
            self.check_length(value.chars().count(), text.min, text.max, path);
        }
    }

    fn check_length(&mut self, length: usize, min: Option<usize>, max: Option<usize>, path: &str) {
        if min.is_some_and(|min| length < min) {
            self.add(path, FieldCode::TooShort);
        }
        if max.is_some_and(|max| length > max) {
            self.add(path, FieldCode::TooLong);
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
    use poem_openapi::{Enum, Object};
    use serde_json::json;

    use super::*;

    #[derive(Enum)]
    #[oai(rename_all = "lowercase")]
    enum InputScope {
        Feed,
        Admin,
    }

    #[derive(Object)]
    struct Everything {
        id: String,
        #[oai(validator(min_items = 1))]
        scopes: Vec<InputScope>,
        #[oai(validator(minimum(value = "1")), default = "ten")]
        limit: i64,
        dry_run: Option<bool>,
    }

    fn ten() -> i64 {
        10
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
        assert_eq!(check(&json!({"id": "a", "scopes": ["feed"], "limit": 5, "dry_run": true})), []);
        assert_eq!(check(&json!({"id": "a", "scopes": ["feed"], "limit": null})), []);
    }

    #[test]
    fn each_kind_of_error_has_its_code() {
        assert_eq!(
            check(&json!({"id": 7, "scopes": ["feed", "root", 5], "limit": 0, "dry_run": "no"})),
            named(&[
                ("id", "wrong_type"),
                ("scopes[1]", "not_allowed"),
                ("scopes[2]", "wrong_type"),
                ("limit", "out_of_range"),
                ("dry_run", "wrong_type"),
            ])
        );
        assert_eq!(
            check(&json!({"scopes": [], "limit": 1.5})),
            named(&[("id", "required"), ("scopes", "too_short"), ("limit", "wrong_type")])
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
}
