//! Which operation a request is for: its name in the log and the figures, and the methods its path has.
//!
//! The framework's router tells the pattern only on the answers it makes itself; a request that panicked, ran out of
//! time or used the wrong method has none. So the door asks this table, made from the same API description.

use std::collections::HashMap;

use poem::http::{HeaderValue, Method};
use poem_openapi::OpenApi;

use super::credential::BASIC;
use crate::metrics::{Metrics, OperationMetrics};

/// The label of everything that no operation answers.
const UNMATCHED: &str = "unmatched";

/// An operation, as the log and the figures name it.
#[derive(Debug)]
pub struct Operation {
    /// The path's pattern, as in the API description: `/api/v1/devices/{id}`.
    pub route: String,
    /// Whether it takes a service key as the password of Basic.
    pub basic: bool,
    /// Its figures.
    pub metrics: OperationMetrics,
}

#[derive(Debug)]
struct Path {
    pattern: String,
    operations: Vec<(Method, Operation)>,
    allow: HeaderValue,
    wrong_method: Operation,
}

/// Every operation, by path and method.
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
    basic: bool,
}

/// The finished table.
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
                let basic = operation.security.iter().any(|schemes| schemes.contains_key(BASIC));
                let (pattern, method) = (pattern.clone(), operation.method);
                self.operations.push(Described { pattern, method, id, basic });
            }
        }
        self
    }

    /// Adds an operation that is not part of an API description.
    #[must_use]
    pub fn at(mut self, method: Method, pattern: &str, id: &str) -> Self {
        let (pattern, id) = (pattern.to_owned(), id.to_owned());
        self.operations.push(Described { pattern, method, id, basic: false });
        self
    }

    /// The finished table.
    pub fn finish(self) -> RouteTable {
        let other = |route: &str, label: &str| Operation {
            route: route.to_owned(),
            basic: false,
            metrics: self.metrics.operation(label, "-"),
        };
        let mut by_pattern: HashMap<String, Vec<(Method, Operation)>> = HashMap::new();
        for Described { pattern, method, id, basic } in self.operations {
            let metrics = self.metrics.operation(&id, method.as_str());
            let operation = Operation { route: pattern.clone(), basic, metrics };
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
            unmatched: other("-", UNMATCHED),
            preflight: other("-", "preflight"),
        }
    }
}

impl RouteTable {
    /// The operation a request is for.
    pub fn find(&self, method: &Method, path: &str) -> &Operation {
        let Some(path) = self.path(path) else { return &self.unmatched };
        let operation = path.operations.iter().find(|(known, _)| known == method);
        operation.map_or(&path.wrong_method, |(_, operation)| operation)
    }

    /// A browser asking whether it may send a request.
    pub fn preflight(&self) -> &Operation {
        &self.preflight
    }

    /// The methods a path has, as the `Allow` header lists them.
    pub fn allow(&self, path: &str) -> Option<HeaderValue> {
        self.path(path).map(|path| path.allow.clone())
    }

    fn path(&self, path: &str) -> Option<&Path> {
        self.exact
            .get(path)
            .or_else(|| self.with_parameters.iter().find(|known| matches(&known.pattern, path)))
    }
}

/// `HEAD` goes wherever `GET` goes: the door makes one of the other.
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
