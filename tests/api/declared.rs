//! The answers that the OpenAPI documents declare, and whether an answer is one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use poem::http::Method;
use serde_json::Value;

use crate::answer::Answer;

/// The document for apps and the one for followers of the feed. A schema in both is the same in both.
static DOCUMENTS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    use rescind::http::document::{feed_text, text};
    [text(), feed_text()].map(|text| serde_json::from_str(&text).unwrap())
});

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let paths = DOCUMENTS.iter().flat_map(|document| document["paths"].as_object().unwrap());
    let of_path = |(path, operations): (&'static String, &'static Value)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, definition)| Operation {
            id: definition["operationId"].as_str().unwrap(),
            method: method.to_uppercase().parse().unwrap(),
            path,
            definition,
        })
    };
    paths.flat_map(of_path).collect()
});

/// An operation of a document.
pub struct Operation {
    pub id: &'static str,
    pub method: Method,
    pub path: &'static str,
    pub definition: &'static Value,
}

/// The document for apps and administrators.
pub fn document() -> &'static Value {
    &DOCUMENTS[0]
}

pub fn documents() -> &'static [Value; 2] {
    &DOCUMENTS
}

pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

impl Operation {
    /// Every answer that the operation declares itself: the status, and the code of a problem or `-`.
    pub fn answers(&self) -> BTreeSet<(u16, String)> {
        let responses = self.definition["responses"].as_object().unwrap();
        let own = responses.iter().filter(|(status, _)| *status != "default");
        let of_status = |(status, response): (&String, &Value)| {
            let status: u16 = status.parse().unwrap();
            let text = response["description"].as_str().unwrap();
            let codes: Vec<_> = if status < 400 {
                vec!["-".to_owned()]
            } else {
                let first = |line: &str| line.split('`').nth(1).map(str::to_owned);
                text.lines().map(|line| first(line).expect("a code begins each line")).collect()
            };
            codes.into_iter().map(move |code| (status, code)).collect::<Vec<_>>()
        };
        own.flat_map(of_status).collect()
    }
}

/// Every answer that any request can get, as the response shared by all operations lists them: status and code.
pub fn shared_answers() -> BTreeSet<(u16, String)> {
    let text = document()["components"]["responses"]["AnyRequest"]["description"].as_str().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("* "));
    let parts = lines.map(|line| line.split_once(": ").unwrap().0.split_once(' ').unwrap());
    parts.map(|(status, code)| (status.parse().unwrap(), code.trim_matches('`').to_owned())).collect()
}

impl Operation {
    /// The advice that the operation's description of a status gives for a code.
    pub fn advice(&self, status: u16, code: &str) -> &'static str {
        let text = self.definition["responses"][status.to_string()]["description"].as_str().unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("`{code}`: "))).unwrap();
        line.split_once(": ").unwrap().1.trim_end()
    }

    /// The names of all inputs of a request: fields of its body, also nested ones, and parameters of its query.
    pub fn inputs(&self) -> BTreeSet<String> {
        let content = self.definition["requestBody"]["content"].as_object().into_iter().flatten();
        let fields = |schema: &'static Value| resolve(schema)["properties"].as_object().into_iter().flatten();
        let mut names = BTreeSet::new();
        for (name, schema) in content.flat_map(|(_, media)| fields(&media["schema"])) {
            names.insert(name.clone());
            names.extend(fields(schema).map(|(inner, _)| format!("{name}.{inner}")));
        }
        let parameters = self.definition["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.filter(|parameter| parameter["in"] == "query");
        names.extend(parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()));
        names
    }
}

fn find(method: &Method, path: &str) -> Option<&'static Operation> {
    let path = path.trim_end_matches('/');
    let matches = |pattern: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) =
            (pattern.trim_end_matches('/').split('/').collect(), path.split('/').collect());
        let fits =
            |(known, given): (&&str, &&str)| (known.starts_with('{') && !given.is_empty()) || known == given;
        pattern.len() == path.len() && pattern.iter().zip(&path).all(fits)
    };
    OPERATIONS.iter().find(|operation| operation.method == *method && matches(operation.path))
}

/// Asserts that the document declares an answer and that its headers and body match the declaration.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = find(method, path) else { return };
    let (status, code) = (answer.status, answer.code().to_owned());
    let declared = operation.answers().contains(&(status, code.clone()));
    let headers = operation.definition["responses"][status.to_string()]["headers"].as_object();
    for name in headers.into_iter().flatten().map(|(name, _)| name) {
        assert!(!answer.header(name).is_empty(), "{} {status} has no {name}", operation.id);
    }
    assert!(declared, "{} answered {status} {code}, which the document does not declare", operation.id);
    let Some(content) = operation.definition["responses"][status.to_string()]["content"].as_object() else {
        assert_eq!(answer.text, "", "{} {status} is declared without a body", operation.id);
        return;
    };
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let Some(declared) = content.get(media) else {
        panic!("{} answered {media:?}, which the document does not declare", operation.id)
    };
    let mut faults = BTreeMap::new();
    compare(&declared["schema"], &answer.json, "", &mut faults);
    assert!(faults.is_empty(), "{} {status} is not as declared: {faults:?}", operation.id);
}

/// Resolves the `$ref` of a schema, if it is one.
pub fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(target) => {
            let found =
                DOCUMENTS.iter().find_map(|document| document.pointer(target.trim_start_matches('#')));
            found.expect("every $ref leads somewhere")
        }
        None => schema,
    }
}

/// Compares a value with the parts of JSON Schema that the document uses. An answer has no field that its schema lacks.
fn compare(schema: &Value, value: &Value, at: &str, faults: &mut BTreeMap<String, String>) {
    let schema = resolve(schema);
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{at} has the type {other:?}"),
    };
    if !fits {
        faults.insert(at.to_owned(), format!("not of type {}", schema["type"]));
        return;
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        compare(&schema["items"], item, &format!("{at}[{index}]"), faults);
    }
    let Some(fields) = value.as_object() else { return };
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(schema) => compare(schema, value, &format!("{at}.{name}"), faults),
            None => drop(faults.insert(format!("{at}.{name}"), "unknown".to_owned())),
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !fields.contains_key(*name)) {
        faults.insert(format!("{at}.{name}"), "missing".to_owned());
    }
}

/// Whether the operation signs a user out, and so accepts any body beside a valid bearer token.
pub fn leaves(operation: &str) -> bool {
    ["logout", "logoutAll", "logoutOthers"].contains(&operation)
}

/// Whether the operation is a sign-out, which ignores unknown fields, since a client that leaves must not fail.
pub fn is_sign_out(operation: &str) -> bool {
    ["logout", "logoutAll", "logoutOthers", "logoutAllOfUser", "endDeviceOfUser", "logoutEveryone"]
        .contains(&operation)
}
