//! The operation of a request: its name in the log and the metrics, and the methods of its path.
//!
//! The framework's router tells the pattern only on the answers it makes itself; a request that panicked, ran out of
//! time or used the wrong method has none. So the edge asks this table, made from the same API description.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderValue, Method};
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaOperation, MetaParamIn};

use super::body::shape::{NAMED, plain};
use super::code::FieldCode;
use super::credential::BASIC;
use super::problem::{FieldError, Problem};
use super::wanted::{Wanted, scope};
use crate::metrics::{Metrics, OperationMetrics};

/// The operations that sign out, by id. They ignore unknown query parameters, since a client that leaves must not
/// fail at them.
const SIGN_OUTS: [&str; 8] = [
    "logout",
    "logoutAll",
    "logoutOthers",
    "endDevice",
    "logoutAllOfUser",
    "disableUser",
    "endDeviceOfUser",
    "logoutEveryone",
];

/// The most paths that an answer lists.
const MOST_NEAR: usize = 12;

/// The label in the metrics of requests that no operation answers.
const UNMATCHED: &str = "unmatched";
/// The route in the log of a request whose path has no operation.
const NOWHERE: &str = "-";

/// An operation, as the log and the metrics name it.
#[derive(Debug)]
pub struct Operation {
    /// The path's pattern, as in the API description: `/api/v1/devices/{id}`.
    pub route: String,
    /// The credential that the operation requires; `None` where it requires none.
    pub(super) wanted: Option<Wanted>,
    /// Whether healthy clients call the operation all the time: its successes are logged at debug level.
    pub quiet: bool,
    /// The metrics of the operation.
    pub metrics: OperationMetrics,
    /// The names of the operation's query parameters.
    query: Vec<String>,
    /// Whether the operation refuses unknown query parameters by name.
    names_parameters: bool,
}

impl Operation {
    fn other(route: &str, metrics: OperationMetrics) -> Self {
        Self {
            route: route.to_owned(),
            wanted: None,
            metrics,
            query: Vec::new(),
            names_parameters: false,
            quiet: false,
        }
    }

    /// The problem with the names of a query's parameters: one given twice, or one that the operation does not have.
    /// A sign-out ignores the latter, as it does unknown fields of its body; so do the operations that are not ours
    /// to define (RFC 6749 §3.2 has them ignored), and health and keys, which probes and caches like to decorate.
    pub(super) fn query_fault(&self, query: Option<&str>) -> Option<Problem> {
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
    pub(super) fn is_none(&self) -> bool {
        self.route == NOWHERE
    }

    /// Whether a request can have a fault beside its credential.
    pub(super) fn takes_input(&self, method: &Method, query: Option<&str>) -> bool {
        *method != Method::GET || query.is_some() || self.route.contains('{')
    }
}

/// The operations that followers and health checks call every few seconds.
const QUIET: [&str; 3] = ["ping", "livez", "readyz"];

#[derive(Debug)]
struct Path {
    pattern: String,
    operations: Vec<(Method, Operation)>,
    allow: HeaderValue,
    wrong_method: Operation,
}

/// The operations by path and method, being collected.
#[derive(Debug)]
pub struct Routes<'a> {
    metrics: &'a Metrics,
    operations: Vec<Described>,
}

#[derive(Debug)]
struct Described {
    pattern: String,
    method: Method,
    id: String,
    wanted: Option<Wanted>,
    /// The names of the query parameters; `None` where there is no API description.
    query: Option<Vec<String>>,
}

/// The finished table of operations.
#[derive(Debug)]
pub struct RouteTable {
    exact: HashMap<String, Path>,
    with_parameters: Vec<Path>,
    unmatched: Operation,
    preflight: Operation,
}

impl<'a> Routes<'a> {
    /// An empty table whose operations are counted in `metrics`.
    pub fn new(metrics: &'a Metrics) -> Self {
        Self { metrics, operations: Vec::new() }
    }

    /// Adds every operation of an API mounted under `prefix`.
    #[must_use]
    pub fn api<T: OpenApi>(mut self, prefix: &str) -> Self {
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let pattern = format!("{}{}", prefix.trim_end_matches('/'), path.path);
            for operation in path.operations {
                let id = operation.operation_id.map_or_else(|| pattern.clone(), ToOwned::to_owned);
                let wanted = wanted(&operation, &id);
                let query = operation.params.iter().filter(|param| param.in_type == MetaParamIn::Query);
                let query = Some(query.map(|param| param.name.clone()).collect());
                let (pattern, method) = (pattern.clone(), operation.method);
                self.operations.push(Described { pattern, method, id, wanted, query });
            }
        }
        self
    }

    /// Adds an operation without an API description.
    #[must_use]
    pub fn at(mut self, method: Method, pattern: &str, id: &str) -> Self {
        let (pattern, id) = (pattern.to_owned(), id.to_owned());
        self.operations.push(Described { pattern, method, id, wanted: None, query: None });
        self
    }

    /// Finishes the table.
    pub fn finish(self) -> RouteTable {
        let other = |route: &str, label: &str| Operation::other(route, self.metrics.operation(label, "-"));
        let mut by_pattern: HashMap<String, Vec<(Method, Operation)>> = HashMap::new();
        for Described { pattern, method, id, wanted, query } in self.operations {
            let metrics = self.metrics.operation(&id, method.as_str());
            let names_parameters =
                query.is_some() && pattern.starts_with("/api/") && !SIGN_OUTS.contains(&id.as_str());
            let query = query.unwrap_or_default();
            let operation = Operation {
                route: pattern.clone(),
                wanted,
                metrics,
                query,
                names_parameters,
                quiet: QUIET.contains(&id.as_str()),
            };
            by_pattern.entry(pattern).or_default().push((method, operation));
        }
        let paths = by_pattern.into_iter().map(|(pattern, operations)| Path {
            allow: allow(operations.iter().map(|(method, _)| method)),
            wrong_method: other(&pattern, UNMATCHED),
            operations,
            pattern,
        });
        let (with_parameters, exact): (Vec<_>, Vec<_>) = paths.partition(|path| path.pattern.contains('{'));
        RouteTable {
            exact: exact.into_iter().map(|path| (path.pattern.clone(), path)).collect(),
            with_parameters,
            unmatched: other(NOWHERE, UNMATCHED),
            preflight: other(NOWHERE, "preflight"),
        }
    }
}

impl RouteTable {
    /// The operation of a request, or a stand-in for an unknown path or a wrong method.
    pub fn find(&self, method: &Method, path: &str) -> &Operation {
        let Some(path) = self.path(path) else { return &self.unmatched };
        let operation = path.operations.iter().find(|(known, _)| known == method);
        operation.map_or(&path.wrong_method, |(_, operation)| operation)
    }

    /// The operation of CORS preflight requests.
    pub fn preflight(&self) -> &Operation {
        &self.preflight
    }

    /// The methods of a path, as the `Allow` header lists them; `None` for an unknown path.
    pub fn allow(&self, path: &str) -> Option<HeaderValue> {
        self.path(path).map(|path| path.allow.clone())
    }

    /// Suggests paths instead of an unknown one: those below its longest known part.
    pub(super) fn near(&self, path: &str) -> Option<String> {
        let patterns = || self.exact.values().chain(&self.with_parameters).map(|path| path.pattern.as_str());
        let mut known = path;
        while let Some((above, _)) = known.rsplit_once('/') {
            known = above;
            let mut below: Vec<_> = patterns()
                .filter(|pattern| pattern.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')))
                .collect();
            if above.is_empty() || below.is_empty() {
                continue;
            }
            below.sort_unstable();
            let more = if below.len() > MOST_NEAR { ", …" } else { "" };
            below.truncate(MOST_NEAR);
            return Some(format!(
                "There is no such path. Below `{above}` there are: {}{more}.",
                below.join(", ")
            ));
        }
        None
    }

    fn path(&self, path: &str) -> Option<&Path> {
        self.exact
            .get(path)
            .or_else(|| self.with_parameters.iter().find(|known| matches(&known.pattern, path)))
    }
}

fn wanted(operation: &MetaOperation, id: &str) -> Option<Wanted> {
    let mut schemes = operation.security.iter();
    if schemes.clone().any(|schemes| schemes.contains_key(BASIC)) {
        Some(Wanted::ServiceKey(scope(id)))
    } else if schemes.clone().any(HashMap::is_empty) {
        Some(Wanted::MaybeUser)
    } else {
        schemes.next().map(|_| Wanted::User)
    }
}

/// The value of `Allow`. `HEAD` is allowed wherever `GET` is, since the edge turns one into the other.
fn allow<'a>(methods: impl Iterator<Item = &'a Method>) -> HeaderValue {
    let mut names: Vec<_> = methods.map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = pattern.split('/').all(|expected| {
        let given = segments.next();
        if expected.starts_with('{') {
            given.is_some_and(|given| !given.is_empty())
        } else {
            given == Some(expected)
        }
    });
    fits && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(metrics: &Metrics) -> RouteTable {
        let routes = Routes::new(metrics)
            .at(Method::GET, "/devices", "listDevices")
            .at(Method::GET, "/devices/{id}", "readDevice")
            .at(Method::DELETE, "/devices/{id}", "endDevice")
            .at(Method::POST, "/auth/login", "login");
        routes.finish()
    }

    #[test]
    fn a_path_finds_its_pattern() {
        let metrics = Metrics::new();
        let table = table(&metrics);
        let route = |method, path| table.find(&method, path).route.as_str();
        assert_eq!(route(Method::GET, "/devices"), "/devices");
        assert_eq!(route(Method::DELETE, "/devices/17"), "/devices/{id}");
        assert_eq!(route(Method::DELETE, "/devices/"), "-");
        assert_eq!(route(Method::DELETE, "/devices/17/keys"), "-");
        assert_eq!(route(Method::GET, "/"), "-");
        assert_eq!(route(Method::GET, "/auth/login"), "/auth/login");
    }

    #[test]
    fn the_methods_of_a_path_are_known() {
        let metrics = Metrics::new();
        let table = table(&metrics);
        assert_eq!(table.allow("/auth/login").unwrap(), "POST");
        assert_eq!(table.allow("/devices/17").unwrap(), "DELETE, GET, HEAD");
        assert_eq!(table.allow("/nowhere"), None);
    }

    #[test]
    fn an_unknown_path_is_answered_with_what_is_near() {
        let metrics = Metrics::new();
        let table = table(&metrics);
        let near = |path| table.near(path);
        assert_eq!(
            near("/auth/signin").unwrap(),
            "There is no such path. Below `/auth` there are: /auth/login."
        );
        let devices = "There is no such path. Below `/devices` there are: /devices/{id}.";
        assert_eq!(near("/devices/17/keys/<script>").unwrap(), devices);
        assert_eq!((near("/wp-admin"), near("/"), near("")), (None, None, None));
    }

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

    #[test]
    fn only_operations_get_figures_of_their_own() {
        let metrics = Metrics::new();
        let table = table(&metrics);
        table.find(&Method::PUT, "/devices/17").metrics.answered(405, std::time::Duration::ZERO);
        table.find(&Method::GET, "/wp-admin").metrics.answered(404, std::time::Duration::ZERO);
        let text = metrics.encode();
        for status in [404, 405] {
            let counted = format!(r#"operation="unmatched",method="-",status="{status}"}} 1"#);
            assert!(text.contains(&counted), "{text}");
        }
        assert!(!text.contains("wp-admin"));
    }
}
