//! An answer, and what tests assert about it.

use poem::Response;
use poem::http::{HeaderMap, header};
use rescind::http::code::Code;
use rescind::model::ids::DeviceId;
use serde_json::{Map, Value};

/// An answer whose body was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// The body, or null where it is not JSON.
    pub json: Value,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        if headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/event-stream") {
            // A stream has no end; `listener` reads it event by event.
            return Self { status, headers, text: String::new(), json: Value::String(String::new()) };
        }
        let text = body.into_string().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, json }
    }

    /// Asserts that the request succeeded, and returns the body.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.json
    }

    /// Asserts that the request was refused with this code and the code's own status.
    #[track_caller]
    pub fn refused(self, code: &str) -> Self {
        let known = Code::ALL.iter().find(|known| known.as_str() == code).expect("a known code");
        self.refused_with(known.status().as_u16(), code)
    }

    /// Asserts that the request was refused with this status and code.
    #[track_caller]
    pub fn refused_with(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        self
    }

    /// The code of a problem, or `-` for any other answer.
    pub fn code(&self) -> &str {
        if self.status < 400 { "-" } else { self.json["code"].as_str().unwrap_or("-") }
    }

    /// The fields that a problem lists, each with its code: `device.name too_long`.
    pub fn fields(&self) -> Vec<String> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let line = |error: &Value| {
            format!("{} {}", error["field"].as_str().unwrap(), error["code"].as_str().unwrap())
        };
        errors.iter().map(line).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and body for a snapshot: values that differ from run to run are checked for their form, then hidden.
    #[track_caller]
    pub fn shown(&self) -> String {
        let body = match &self.json {
            Value::Null => Value::String(self.text.clone()),
            json => hide("", json),
        };
        format!("{} {body:#}", self.status)
    }
}

#[track_caller]
fn hide(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(|value| hide(name, value)).collect(),
        Value::String(text) => hidden(name, text).map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

#[track_caller]
fn hidden(name: &str, text: &str) -> Option<&'static str> {
    let (fits, label) = match name {
        "access" => (text.starts_with("v4.public.") && text.len() < 600, "[access]"),
        "refresh" => (text.starts_with("v4.local.") && text.len() < 600, "[refresh]"),
        "id" | "sid" | "sub" => (is_uuid7(text), "[uuid]"),
        "kid" => ((text.starts_with("k4.pid.") || text.starts_with("k4.lid.")) && text.len() == 51, "[kid]"),
        "public" => (text.starts_with("k4.public.") && text.len() == 53, "[public]"),
        "x" => (text.len() == 43, "[x]"),
        "pem" => (text.starts_with("-----BEGIN PUBLIC KEY-----\n"), "[pem]"),
        "key" => (text.starts_with("rescind_sk_"), "[service key]"),
        "request_id" => (text.len() >= 18 && text.contains('-'), "[request id]"),
        _ => return None,
    };
    assert!(fits, "{name} is {text:?}");
    Some(label)
}

pub fn is_uuid7(text: &str) -> bool {
    DeviceId::parse(text).is_some() && text.as_bytes().get(14) == Some(&b'7')
}
