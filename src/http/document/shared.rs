//! The answers that a request of any operation can get: one response, which every operation refers to as its
//! `default`. They are given outside the operation, so no operation declares them itself.

use serde_json::{Value, json};

use super::examples;
use crate::http::code::Code;
use crate::http::listen::RequestFault;

/// The name of the shared response.
pub(super) const NAME: &str = "AnyRequest";

/// The shared response.
pub(super) fn response() -> Value {
    let unrouted = [Code::NotFound, Code::MethodNotAllowed, Code::Internal]
        .map(|code| (code.status().as_u16(), code, code.advice()));
    let faults =
        RequestFault::ALL.iter().map(|fault| (fault.status().as_u16(), (*fault).into(), fault.advice()));
    let mut answers: Vec<(u16, Code, &str)> = faults.chain(unrouted).collect();
    answers.sort_by_key(|(status, ..)| *status);
    let lines: Vec<_> = answers
        .iter()
        .map(|(status, code, advice)| format!("* {status} `{}`: {advice}", code.as_str()))
        .collect();
    let description = format!(
        "What a request can be answered with besides, whatever its operation is. A proxy in front of the service may answer \
         with a status of its own (408, 413, 429, 502, 504) and without a `Problem`: go by the status then.\n\n{}",
        lines.join("\n")
    );
    let header =
        |kind: &str, description: &str| json!({"schema": {"type": kind}, "description": description});
    let known = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    json!({
        "description": description,
        "headers": {
            "X-Request-Id": known("X-Request-Id"),
            "Cache-Control": known("Cache-Control"),
            "Allow": header("string", "With 405: the methods there are."),
            "Retry-After": header("integer", "With 429: seconds to wait before trying again."),
        },
        "content": {"application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": examples::problem("", Code::Internal.status(), Code::Internal, &Value::Null),
        }},
    })
}

/// The reference of an operation to the shared response.
pub(super) fn reference() -> Value {
    json!({"$ref": format!("#/components/responses/{NAME}")})
}

/// The statuses, other than a code's own, that a request refused for its head is answered with under that code.
pub(super) fn other_statuses(code: Code) -> Vec<u16> {
    let faults = RequestFault::ALL.iter().filter(|fault| Code::from(**fault) == code);
    let statuses = faults.map(|fault| fault.status()).filter(|status| *status != code.status());
    statuses.map(|status| status.as_u16()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{feed_text, text};
    use super::*;
    use crate::metrics::STATUSES;

    #[test]
    fn every_status_that_is_counted_is_described() {
        let mut described = BTreeSet::new();
        for document in [text(), feed_text()].map(|text| serde_json::from_str::<Value>(&text).unwrap()) {
            for operation in
                document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap())
            {
                let responses = operation.1["responses"].as_object().unwrap();
                described.extend(responses.keys().filter_map(|status| status.parse::<u16>().ok()));
            }
        }
        described.extend(RequestFault::ALL.iter().map(|fault| fault.status().as_u16()));
        // Unknown paths and methods, faults of ours, and CORS preflights, which are of no operation.
        described.extend([404, 405, 500, 204]);
        assert_eq!(described, BTreeSet::from(STATUSES));
        let shared = response()["description"].to_string();
        for status in [400, 404, 405, 414, 429, 431, 500, 501] {
            assert!(shared.contains(&format!("* {status} `")), "{status}");
        }
    }
}
