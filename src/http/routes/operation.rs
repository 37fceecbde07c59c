//! An operation, as the log and the metrics name it, and the query parameters it takes.

use std::fmt;

use percent_encoding::percent_decode_str;
use poem::Response;
use poem::endpoint::{BoxEndpoint, DynEndpoint};
use poem::http::Method;

use crate::http::body::shape::{NAMED, plain};
use crate::http::code::FieldCode;
use crate::http::problem::{FieldError, Problem};
use crate::http::wanted::Wanted;
use crate::metrics::OperationMetrics;

/// The route in the log of a request whose path has no operation.
pub(super) const NOWHERE: &str = "-";

/// An operation, as the log and the metrics name it.
#[derive(Debug)]
pub struct Operation {
    /// The path's pattern, as in the API description: `/api/v1/devices/{id}`.
    pub route: String,
    /// The credential that the operation requires; `None` where it requires none.
    pub(in crate::http) wanted: Option<Wanted>,
    /// Whether healthy clients call the operation all the time: its successes are logged at debug level.
    pub quiet: bool,
    /// The metrics of the operation.
    pub metrics: OperationMetrics,
    /// The names of the operation's query parameters.
    pub(super) query: Vec<String>,
    /// Whether the operation refuses unknown query parameters by name.
    pub(super) names_parameters: bool,
    /// Whether the operation's errors have the form of Django REST framework.
    pub(in crate::http) django: bool,
    /// The endpoint of an operation that is called without the framework's routing.
    pub(super) direct: Option<DirectEndpoint>,
}

/// The endpoint of one operation.
pub(super) struct DirectEndpoint(pub(super) BoxEndpoint<'static>);

impl fmt::Debug for DirectEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectEndpoint")
    }
}

impl Operation {
    /// The endpoint of the operation, if it is called without the framework's routing.
    pub(in crate::http) fn direct(&self) -> Option<&dyn DynEndpoint<Output = Response>> {
        self.direct.as_ref().map(|direct| &*direct.0)
    }

    pub(super) fn other(route: &str, metrics: OperationMetrics) -> Self {
        Self {
            route: route.to_owned(),
            wanted: None,
            metrics,
            query: Vec::new(),
            names_parameters: false,
            django: false,
            quiet: false,
            direct: None,
        }
    }

    /// The problem with the names of a query's parameters: one given twice, or one that the operation does not have.
    /// A sign-out ignores the latter, as it does unknown fields of its body; so do the operations that are not ours
    /// to define (RFC 6749 §3.2 has them ignored), and health and keys, which probes and caches like to decorate.
    pub(in crate::http) fn query_fault(&self, query: Option<&str>) -> Option<Problem> {
        let mut given = Vec::new();
        let mut faults: Vec<FieldError> = Vec::new();
        for parameter in query?.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default().replace('+', " ");
            let name = percent_decode_str(&name).decode_utf8_lossy().into_owned();
            let code = match self.query.contains(&name) {
                true if given.contains(&name) => Some(FieldCode::Duplicate),
                false if self.names_parameters => Some(FieldCode::Unknown),
                _ => None,
            };
            let fault = code.map(|code| FieldError { field: plain(&name), code });
            faults.extend(fault.filter(|fault| faults.len() < NAMED && !faults.contains(fault)));
            given.push(name);
        }
        (!faults.is_empty()).then(|| Problem::fields(faults))
    }

    /// Whether no operation has the request's path.
    pub(in crate::http) fn is_none(&self) -> bool {
        self.route == NOWHERE
    }

    /// Whether a request can have a fault beside its credential.
    pub(in crate::http) fn takes_input(&self, method: &Method, query: Option<&str>) -> bool {
        *method != Method::GET || query.is_some() || self.route.contains('{')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn parameters_that_are_unknown_or_given_twice_are_named() {
        let metrics = Metrics::new();
        let mut operation = Operation::other("/api/list", metrics.operation("list", "GET"));
        operation.query = vec!["limit".to_owned(), "after".to_owned()];
        operation.names_parameters = true;
        let named = |operation: &Operation, query: &str| -> Vec<String> {
            let problem = operation.query_fault(Some(query));
            let errors = problem.iter().flat_map(Problem::errors);
            errors.map(|error| format!("{} {}", error.field, error.code.as_str())).collect()
        };
        assert!(operation.query_fault(None).is_none());
        assert!(named(&operation, "&limit=1&&after=x&").is_empty());
        assert_eq!(named(&operation, "limit=1&limit=1&l%69mit=2"), ["limit duplicate"]);
        assert_eq!(
            named(&operation, "limt=1&limt=2&a+b&%C3%28"),
            ["limt unknown", "a b unknown", "\u{fffd}( unknown"]
        );
        let many: Vec<_> = (0..100).map(|n| format!("p{n}=1")).collect();
        assert_eq!(named(&operation, &many.join("&")).len(), NAMED);
        operation.names_parameters = false;
        assert_eq!(named(&operation, "limt=1&limt=2&after=1&after=2"), ["after duplicate"]);
    }
}
