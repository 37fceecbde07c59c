//! The OpenAPI document itself: as committed, and as client generators need it.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::declared::{document, documents, is_sign_out, operations};

#[test]
fn the_committed_documents_are_those_that_are_served() {
    use rescind::http::document::{feed_text, text};
    for (path, served, flag) in
        [("openapi/openapi.json", text(), ""), ("openapi/feed.json", feed_text(), "--feed ")]
    {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == served,
            "{path} is not what the service serves; if the change is meant:\n  cargo run -- openapi {flag}> {path}"
        );
    }
}

#[tokio::test]
async fn the_documents_are_served() {
    let service = crate::service::Service::start().await;
    let paths = ["/openapi.json", "/openapi/feed.json"];
    for (path, document) in paths.iter().zip(documents()) {
        assert_eq!(service.anonymous().get(path).send().await.ok(), *document, "{path}");
    }
}

/// A component in both documents is the same in both, so that either may be looked up.
#[test]
fn the_documents_agree() {
    let [apps, followers] = documents();
    for (name, schema) in followers["components"]["schemas"].as_object().unwrap() {
        let other = &apps["components"]["schemas"][name];
        assert!(other.is_null() || other == schema, "{name}");
    }
}

#[test]
fn it_is_of_the_version_that_generators_read_best() {
    for (document, credential) in documents().iter().zip(["bearer", "service_key"]) {
        assert_eq!(document["openapi"], "3.0.3");
        assert_eq!(document["servers"][0]["url"], "/");
        assert_eq!(document["security"], json!([{credential: []}]));
        let code = &document["components"]["schemas"]["Problem"]["properties"]["code"];
        assert!(code["description"].as_str().unwrap().contains("`signed_out_everywhere` (401)"));
    }
}

#[test]
fn every_operation_is_named_tagged_described_and_says_who_may_ask() {
    let mut ids = HashSet::new();
    for operation in operations() {
        let text = |name: &str| operation.definition[name].as_str().unwrap_or_default();
        assert!(ids.insert(operation.id), "{} twice", operation.id);
        assert!(operation.id.chars().all(|char| char.is_ascii_alphanumeric()), "{}", operation.id);
        assert_eq!(operation.definition["tags"].as_array().map(Vec::len), Some(1), "{}", operation.id);
        assert!(!text("summary").is_empty() && !text("description").is_empty(), "{}", operation.id);
        assert!(operation.definition["security"].is_array(), "{}", operation.id);
        for parameter in operation.definition["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{}: {parameter}", operation.id);
            assert_ne!(parameter["schema"]["format"], "uint32", "{}: {parameter}", operation.id);
        }
    }
    assert!(ids.len() >= 30, "{}", ids.len());
}

#[test]
fn public_operations_say_that_they_are() {
    let public = operations().iter().filter(|operation| operation.definition["security"] == json!([]));
    let mut public: Vec<_> = public.map(|operation| operation.id).collect();
    public.sort_unstable();
    assert_eq!(public, ["livez", "login", "publicKeys", "readyz", "refresh", "register", "revoke"]);
    let logout = crate::sample::operation("logout");
    assert_eq!(logout.definition["security"], json!([{"bearer": []}, {}]));
}

/// Of two media types generators make two bodies of one type, and some send the second one.
#[test]
fn a_body_has_one_media_type() {
    let contents = operations().iter().map(|operation| &operation.definition["requestBody"]["content"]);
    let counts: Vec<_> =
        contents.filter_map(|content| content.as_object().map(serde_json::Map::len)).collect();
    assert!(counts.len() >= 10 && counts.iter().all(|count| *count == 1), "{counts:?}");
    for id in ["register", "login", "refresh", "logout"] {
        let described = crate::sample::operation(id).definition["description"].as_str().unwrap();
        assert!(described.contains("`application/x-www-form-urlencoded`"), "{id}: {described}");
    }
}

#[test]
fn every_body_has_an_example() {
    for operation in operations() {
        let request = operation.definition["requestBody"]["content"].as_object();
        let responses = operation.definition["responses"].as_object().unwrap().values();
        let answers = responses.filter_map(|response| response["content"].as_object());
        for (media, content) in request.into_iter().chain(answers).flatten() {
            let schema = crate::declared::resolve(&content["schema"]);
            let example = content.get("example").or(schema.get("example"));
            assert!(example.is_some(), "{} {media}", operation.id);
            assert!(!media.contains(';'), "{} {media}", operation.id);
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_null() {
    fn walk(document: &Value, value: &Value, at: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == "$ref" {
                        let target = value.as_str().unwrap().trim_start_matches('#');
                        assert!(document.pointer(target).is_some(), "{at}: {target}");
                    }
                    assert!(!["nullable", "oneOf", "anyOf", "allOf"].contains(&name.as_str()), "{at}/{name}");
                    walk(document, value, &format!("{at}/{name}"));
                }
            }
            Value::Array(values) => values.iter().for_each(|value| walk(document, value, at)),
            Value::Null => panic!("{at} is null"),
            _ => {}
        }
    }
    for document in documents() {
        walk(document, document, "");
    }
}

#[test]
fn numbers_are_of_64_bits_and_texts_of_no_closed_set() {
    let schemas = |document: &'static Value| document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in documents().iter().flat_map(schemas) {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema.get("enum").is_none(), "{name}.{field}");
            if schema["type"] == "integer" {
                let status = name == "Problem" && field == "status";
                assert!(status || schema["format"] == "int64", "{name}.{field}");
            }
        }
    }
}

/// A request's schema is closed exactly where the service refuses unknown fields.
#[test]
fn requests_are_closed_and_sign_outs_are_not() {
    for operation in operations() {
        let body = &operation.definition["requestBody"];
        let Some(media) = body["content"].get("application/json") else { continue };
        let schema = crate::declared::resolve(&media["schema"]);
        let closed = schema["additionalProperties"] == json!(false);
        assert_eq!(closed, !is_sign_out(operation.id), "{}", operation.id);
    }
    let device = document().pointer("/components/schemas/DeviceInput/additionalProperties");
    assert_eq!(device, Some(&json!(false)));
}

#[test]
fn every_error_of_every_operation_is_the_same_problem() {
    for operation in operations() {
        for (status, response) in operation.definition["responses"].as_object().unwrap() {
            if status.as_str() < "400" {
                continue;
            }
            let response = crate::declared::resolve(response);
            let content = response["content"].as_object().unwrap();
            assert_eq!(
                content.keys().collect::<Vec<_>>(),
                ["application/problem+json"],
                "{} {status}",
                operation.id
            );
            assert_eq!(
                content["application/problem+json"]["schema"],
                json!({"$ref": "#/components/schemas/Problem"}),
            );
            let header = |name: &str| response["headers"].get(name).is_some();
            assert_eq!(header("WWW-Authenticate"), status == "401", "{} {status}", operation.id);
            // The shared response stands for several statuses, 429 among them.
            let waits = matches!(status.as_str(), "429" | "503" | "default");
            assert_eq!(header("Retry-After"), waits, "{} {status}", operation.id);
        }
    }
}
