//! The texts and limits of the documents match the service: every code or status that a text names, and every limit.

use std::collections::BTreeSet;

use poem::http::Method;
use rescind::http::code::{Code, FieldCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::declared::{Operation, document, documents, operations, resolve};
use crate::sample::Scene;
use crate::service::Service;

/// Collects everything with a description, and its path in the document.
fn described<'a>(value: &'a Value, at: &str, all: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            if value["description"].is_string() {
                all.push((at.to_owned(), value));
            }
            members.iter().for_each(|(name, value)| described(value, &format!("{at}/{name}"), all));
        }
        Value::Array(items) => items.iter().for_each(|item| described(item, &format!("{at}[]"), all)),
        _ => {}
    }
}

fn code(word: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == word)
}

/// The statuses that a text names: numbers of three digits from 400 to 599 that are not part of another.
fn statuses(text: &str) -> BTreeSet<u16> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-:`".contains(c)));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    words
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .filter(|status| (400..600).contains(status))
        .collect()
}

/// An operation's own description names only codes and statuses that it sends; `contract` provokes each of them.
#[test]
fn what_an_operation_says_names_what_it_sends() {
    let mut named = 0;
    for operation in operations() {
        let answers = operation.answers();
        for field in ["summary", "description"] {
            let text = operation.definition[field].as_str().unwrap();
            for word in text.split('`').skip(1).step_by(2) {
                if code(word).is_some() {
                    let sent = elsewhere().contains(&(operation.id, word))
                        || answers.iter().any(|(_, code)| code == word);
                    assert!(sent, "{} speaks of {word}", operation.id);
                    named += 1;
                }
            }
            for status in statuses(text) {
                let of_another = |(id, word): &(&str, &str)| {
                    *id == operation.id && code(word).is_some_and(|code| code.status().as_u16() == status)
                };
                let sent =
                    elsewhere().iter().any(of_another) || answers.iter().any(|(sent, _)| *sent == status);
                assert!(sent, "{} speaks of {status}", operation.id);
                named += 1;
            }
        }
    }
    assert!(named >= 4, "only {named}: is anything looked at?");
}

/// Codes that sign-outs name for later requests of any operation; the tests `ended` and `logout` provoke them.
fn elsewhere() -> [(&'static str, &'static str); 2] {
    [("logout", "signed_out"), ("logoutAll", "signed_out_everywhere")]
}

/// The list of codes is complete, with every status that each code is sent with.
#[test]
fn the_list_of_codes_says_which_status_each_is_sent_with() {
    for document in documents() {
        let list = document["components"]["schemas"]["Problem"]["properties"]["code"]["description"]
            .as_str()
            .unwrap();
        for known in Code::ALL {
            let line = list.lines().find(|line| line.starts_with(&format!("* `{}` (", known.as_str())));
            let line = line.unwrap_or_else(|| panic!("{known:?} is not listed"));
            let told = statuses(line.split("): ").next().unwrap());
            let mut sent = BTreeSet::from([known.status().as_u16()]);
            let shared = crate::declared::shared_answers();
            sent.extend(shared.iter().filter(|(_, code)| code == known.as_str()).map(|(status, _)| *status));
            for operation in operations() {
                sent.extend(
                    operation
                        .answers()
                        .iter()
                        .filter(|(_, code)| code == known.as_str())
                        .map(|(status, _)| *status),
                );
            }
            assert_eq!(told, sent, "{known:?}");
        }
        let list = &document["components"]["schemas"]["FieldProblem"]["properties"]["code"]["description"];
        for known in FieldCode::ALL {
            assert!(list.as_str().unwrap().contains(&format!("* `{}`: ", known.as_str())), "{known:?}");
        }
    }
}

/// `errors` is in the answers whose codes the text names, and in no other.
#[test]
fn fields_are_named_with_the_codes_that_say_so() {
    let text = document()["components"]["schemas"]["Problem"]["properties"]["errors"]["description"]
        .as_str()
        .unwrap();
    let named: BTreeSet<_> = text.split('`').filter_map(code).map(Code::as_str).collect();
    let mut shown = BTreeSet::new();
    for operation in operations() {
        for (_, response) in operation.definition["responses"].as_object().unwrap() {
            let example = &response["content"]["application/problem+json"]["example"];
            if !example["errors"].is_null() {
                shown.insert(example["code"].as_str().unwrap());
            }
        }
    }
    assert_eq!(named, BTreeSet::from(["invalid_request", "weak_password"]));
    assert!(shown.is_subset(&named), "{shown:?}");
}

/// Every number that a description calls a limit is in the schema, too.
#[test]
fn limits_stand_in_schemas_and_not_in_prose_alone() {
    for document in documents() {
        let mut found = Vec::new();
        described(document, "", &mut found);
        for (at, owner) in found {
            let text = owner["description"].as_str().unwrap();
            let schema = if owner["schema"].is_object() { &owner["schema"] } else { owner };
            let input =
                at.ends_with("/parameters[]") || owner["type"] == "string" || owner["type"] == "integer";
            if !input || at.contains("/responses/") {
                continue;
            }
            let words: Vec<_> = text.split_whitespace().collect();
            let counted = words
                .windows(2)
                .any(|pair| pair[0].parse::<u32>().is_ok() && pair[1].starts_with("characters"));
            for limited in [counted, text.contains("to 1000"), text.contains("to 256")] {
                // What is longer is cut.
                if limited && !text.contains("are kept") {
                    let said = ["maxLength", "minLength", "maximum"]
                        .iter()
                        .any(|key| schema[*key].is_u64() || schema[*key].is_f64());
                    assert!(said, "{at}: {text}");
                }
            }
        }
    }
}

/// Values that are just beyond what a schema allows.
fn beyond(schema: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(most) = schema["maxLength"].as_u64() {
        all.push(json!("a".repeat(usize::try_from(most).unwrap() + 1)));
    }
    if let Some(least) = schema["minLength"].as_u64() {
        all.push(json!("a".repeat(usize::try_from(least).unwrap() - 1)));
    }
    if schema["pattern"].is_string() {
        all.push(json!("~ ~"));
    }
    for (bound, step) in [("minimum", -1), ("maximum", 1)] {
        if let Some(bound) = schema[bound].as_f64() {
            #[allow(clippy::cast_possible_truncation, reason = "bounds are small whole numbers")]
            all.push(json!(bound as i64 + step));
        }
    }
    all
}

/// The body of a good request with another value in one field.
fn with_field(scene: &Scene<'_>, operation: &Operation, field: &str, value: &Value) -> Value {
    let mut body = scene.body(operation.id).unwrap_or_else(|| json!({}));
    let (outer, inner) = field.split_once('.').unwrap_or((field, ""));
    if inner.is_empty() {
        body[outer] = value.clone();
    } else {
        body[outer] = json!({ inner: value });
    }
    body
}

async fn is_refused(scene: &Scene<'_>, operation: &Operation, field: &str, value: &Value) {
    let body = with_field(scene, operation, field, value);
    let answer = scene.good(operation).json(&body).send().await;
    assert!((400..500).contains(&answer.status), "{} {field} {value}: {}", operation.id, answer.text);
}

/// Every limit of a schema is enforced. (Every other test sends values within them.)
#[tokio::test]
async fn what_is_beyond_a_limit_is_refused() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    let mut tried = 0;
    for operation in operations() {
        for (field, schema) in fields(operation) {
            for value in beyond(schema) {
                is_refused(&scene, operation, &field, &value).await;
                tried += 1;
            }
        }
        for parameter in operation.definition["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            for value in beyond(&parameter["schema"]).iter().filter(|_| parameter["in"] == "query") {
                let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(' ', "%20"));
                let target = format!("{}?{name}={value}", scene.good(operation).target());
                let answer = scene.good(operation).at(&target).send().await;
                assert_eq!(answer.refused("invalid_request").fields().len(), 1, "{target}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 40, "{tried}");
}

/// A text of so many characters of one byte, which is no password that everybody has.
fn text_of(length: u64) -> String {
    "q7w_z2k-".chars().cycle().take(usize::try_from(length).unwrap()).collect()
}

/// Values that a schema just allows. (A password's limit is in bytes.)
fn within(schema: &Value) -> Vec<Value> {
    let lengths = ["minLength", "maxLength"].into_iter().filter_map(|bound| schema[bound].as_u64());
    let bounds = ["minimum", "maximum"].into_iter().map(|bound| &schema[bound]);
    lengths
        .map(|length| json!(text_of(length)))
        .chain(bounds.filter(|bound| !bound.is_null()).cloned())
        .collect()
}

/// Every schema of a field that a body of the operation has, and the name of the field.
fn fields(operation: &Operation) -> Vec<(String, &'static Value)> {
    let json = &operation.definition["requestBody"]["content"]["application/json"]["schema"];
    let properties = |schema| resolve(schema)["properties"].as_object().into_iter().flatten();
    let mut all = Vec::new();
    for (name, schema) in properties(json) {
        all.push((name.clone(), schema));
        all.extend(properties(schema).map(|(inner, schema)| (format!("{name}.{inner}"), schema)));
    }
    all
}

/// Asserts that nothing is wrong with the request, but perhaps with who sends it.
fn is_taken(answer: &Answer, what: &str) {
    let taken = answer.status < 300 || ["wrong_credentials", "token_invalid"].contains(&answer.code());
    assert!(taken, "{what}: {}", answer.text);
}

/// Generated clients send whatever a schema allows.
#[tokio::test]
async fn the_shortest_and_the_longest_values_that_schemas_allow_are_taken() {
    let mut tried = 0;
    for operation in operations() {
        for (field, schema) in fields(operation) {
            for value in within(schema) {
                let service = Service::start().await;
                let scene = Scene::set(&service).await;
                let body = with_field(&scene, operation, &field, &value);
                let answer = scene.good(operation).json(&body).send().await;
                is_taken(&answer, &format!("{} {field} {value}", operation.id));
                tried += 1;
            }
        }
        for parameter in operation.definition["parameters"].as_array().into_iter().flatten() {
            for value in within(&parameter["schema"]).iter().filter(|_| parameter["in"] == "query") {
                let service = Service::start().await;
                let scene = Scene::set(&service).await;
                // A cursor is the base64url of a name.
                let value =
                    value.as_str().map_or_else(|| value.to_string(), |text| "YWRh".repeat(text.len() / 4));
                let name = parameter["name"].as_str().unwrap();
                let target = format!("{}?{name}={value}", scene.good(operation).target());
                is_taken(&scene.good(operation).at(&target).send().await, &target);
                tried += 1;
            }
        }
    }
    assert!(tried >= 40, "{tried}");
}

/// Whoever has chosen the longest password signs in with it.
#[tokio::test]
async fn the_longest_name_and_password_sign_in() {
    let service = Service::start().await;
    let schemas = &document()["components"]["schemas"];
    let longest = |schema: &str, field: &str| {
        text_of(schemas[schema]["properties"][field]["maxLength"].as_u64().unwrap())
    };
    let body = |schema: &str| json!({"username": longest(schema, "username"), "password": longest(schema, "password")});
    service.anonymous().post("/api/v1/auth/register").json(&body("Credentials")).send().await.ok();
    service.anonymous().post("/api/v1/auth/login").json(&body("Login")).send().await.ok();
}

/// An operation declares a key as the password of Basic only where its clients have no other way to send it.
#[test]
fn basic_is_declared_where_it_is_sent() {
    let basic =
        |operation: &&Operation| operation.definition["security"].to_string().contains("service_key_basic");
    let ids: Vec<_> = operations().iter().filter(basic).map(|operation| operation.id).collect();
    assert_eq!(ids, ["introspect"]);
    for document in documents() {
        let text = document["paths"].to_string();
        for (name, _) in document["components"]["securitySchemes"].as_object().unwrap() {
            let used = text.contains(&format!("{{\"{name}\":[]}}"))
                || document["security"].to_string().contains(name);
            assert!(used, "nothing uses {name}");
        }
    }
}

/// An operation that reads nothing of its body declares no body.
#[test]
fn a_body_that_is_always_empty_is_none() {
    for operation in operations().iter().filter(|operation| operation.method != Method::GET) {
        let content = operation.definition["requestBody"]["content"].as_object();
        for (_, media) in content.into_iter().flatten() {
            assert!(resolve(&media["schema"])["properties"].is_object(), "{}", operation.id);
        }
    }
}
