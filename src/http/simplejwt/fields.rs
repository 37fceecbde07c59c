//! The fields of a request's body, read and judged as Django REST framework does: unknown ones are ignored, of one given
//! twice the last counts, and texts lose the blanks around them.

use percent_encoding::percent_decode_str;
use poem::http::header;
use poem::web::Multipart;
use poem::{Body, FromRequest as _, Request, RequestBody, Result};
use serde_json::{Map, Value};

use super::answer::Refused;
use crate::http::body;
use crate::http::body::shape::plain;

/// The fields of a body.
pub(super) type Fields = Map<String, Value>;

const NO_MULTIPART: &str = "Multipart form parse error - Invalid multipart body";

/// Reads the fields of a body in any of the three media types.
pub(super) async fn read(request: &Request, body: &mut RequestBody) -> Result<Fields> {
    let given = request.content_type().unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = body::read(request, body).await?;
    if bytes.is_empty() {
        return Ok(Fields::new());
    }
    match media_type.as_str() {
        "application/json" => of_json(&bytes).map_err(Into::into),
        "application/x-www-form-urlencoded" => Ok(of_form(&bytes)),
        "multipart/form-data" => of_multipart(request, bytes.to_vec())
            .await
            .ok_or_else(|| Refused::Unreadable(NO_MULTIPART.to_owned()).into()),
        _ => Err(Refused::MediaType(plain(given)).into()),
    }
}

fn of_json(bytes: &[u8]) -> Result<Fields, Refused> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let why = fault(bytes, error.line(), error.column());
        Refused::Unreadable(format!("JSON parse error - {why}"))
    })?;
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Array(_) => Err(Refused::NotAnObject("list")),
        Value::String(_) => Err(Refused::NotAnObject("str")),
        Value::Bool(_) => Err(Refused::NotAnObject("bool")),
        Value::Number(number) if number.is_f64() => Err(Refused::NotAnObject("float")),
        Value::Number(_) => Err(Refused::NotAnObject("int")),
        Value::Null => Ok(Fields::new()),
    }
}

/// Says where JSON is broken, in the words of Python's parser. Nothing of the body is repeated.
fn fault(bytes: &[u8], line: usize, column: usize) -> String {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let offset = (before.map(<[u8]>::len).sum::<usize>() + column.saturating_sub(1)).min(bytes.len());
    let so_far = String::from_utf8_lossy(bytes.get(..offset).unwrap_or_default());
    let expected = match so_far.trim_end().chars().next_back() {
        Some('{') => "Expecting property name enclosed in double quotes",
        _ => "Expecting value",
    };
    let in_line = so_far.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{expected}: line {line} column {in_line} (char {})", so_far.chars().count())
}

fn of_form(bytes: &[u8]) -> Fields {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), Value::String(decoded(value)))).collect()
}

/// The texts of a multipart form; a file is no text.
async fn of_multipart(request: &Request, bytes: Vec<u8>) -> Option<Fields> {
    let media_type = request.headers().get(header::CONTENT_TYPE)?;
    let whole = Request::builder().header(header::CONTENT_TYPE, media_type).finish();
    let mut body = RequestBody::new(Body::from(bytes));
    let mut parts = Multipart::from_request(&whole, &mut body).await.ok()?;
    let mut fields = Fields::new();
    while let Some(part) = parts.next_field().await.ok()? {
        if let (Some(name), None) = (part.name().map(ToOwned::to_owned), part.file_name()) {
            let value = String::from_utf8_lossy(&part.bytes().await.ok()?).into_owned();
            fields.insert(name, Value::String(value));
        }
    }
    Some(fields)
}

/// The texts of the fields `names`, or what is wrong with each of them.
pub(super) fn texts<const N: usize>(
    fields: &Fields,
    names: [&'static str; N],
) -> Result<[String; N], Refused> {
    let mut faults = Vec::new();
    let texts = names.map(|name| {
        text(fields.get(name)).unwrap_or_else(|why| {
            faults.push((name, why));
            String::new()
        })
    });
    if faults.is_empty() { Ok(texts) } else { Err(Refused::Fields(faults)) }
}

fn text(value: Option<&Value>) -> Result<String, &'static str> {
    let text = match value {
        None => return Err("This field is required."),
        Some(Value::Null) => return Err("This field may not be null."),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => return Err("Not a valid string."),
    };
    match text {
        empty if empty.is_empty() => Err("This field may not be blank."),
        text if text.contains('\0') => Err("Null characters are not allowed."),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(fields: &Value) -> Vec<(&'static str, &'static str)> {
        match texts(fields.as_object().unwrap(), ["username", "password"]) {
            Err(Refused::Fields(faults)) => faults,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_trimmed_and_a_number_is_one() {
        let fields = json!({"username": "  ada\u{a0}", "password": 12_345_678, "other": []});
        let read = texts(fields.as_object().unwrap(), ["username", "password"]).unwrap();
        assert_eq!(read, ["ada", "12345678"]);
    }

    #[test]
    fn each_fault_has_its_sentence() {
        assert_eq!(
            refused(&json!({"username": " \t", "password": true})),
            [("username", "This field may not be blank."), ("password", "Not a valid string.")]
        );
        assert_eq!(refused(&json!({"username": "a", "password": []})), [("password", "Not a valid string.")]);
        assert_eq!(
            refused(&json!({"username": "a\0b", "password": {}})),
            [("username", "Null characters are not allowed."), ("password", "Not a valid string.")]
        );
    }

    #[test]
    fn broken_json_is_located_and_not_quoted() {
        let told = |text: &str| match of_json(text.as_bytes()) {
            Err(Refused::Unreadable(why)) => why,
            other => panic!("{other:?}"),
        };
        let name = "JSON parse error - Expecting property name enclosed in double quotes";
        assert_eq!(told("{bad"), format!("{name}: line 1 column 2 (char 1)"));
        assert_eq!(
            told("{\n \"username\": hunter2}"),
            "JSON parse error - Expecting value: line 2 column 14 (char 15)"
        );
        for broken in ["{", "[", "\u{feff}{}", "nul", "{} {}", "é", " "] {
            assert!(told(broken).starts_with("JSON parse error - Expecting "), "{broken}");
        }
        assert_eq!(of_json(b"[1]"), Err(Refused::NotAnObject("list")));
    }

    #[test]
    fn a_form_may_say_anything_and_the_last_value_counts() {
        let read = of_form(b"username=a+b&&password=%2B%zz&username=c%ff&x");
        assert_eq!(Value::Object(read), json!({"username": "c\u{fffd}", "password": "+%zz", "x": ""}));
    }
}
