//! The operation of a request: its name in the log and the metrics, and the methods of its path.
//!
//! The framework's router tells the pattern only on the answers it makes itself; a request that panicked, ran out of
//! time or used the wrong method has none. So the edge asks this table, made from the same API description.
//!
//! The framework routes in two steps, and for each copies the request, its path and its pattern: in all as much work as a
//! check. So the table also has the endpoints of operations that need nothing of that, and the edge calls those itself.
//!
//! Modules: `operation` is one operation, `table` the finished table of them.

use std::collections::HashMap;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaOperation, MetaParamIn};

use super::credential::BASIC;
use super::wanted::{Wanted, scope};
use crate::metrics::Metrics;

mod operation;
mod table;

use operation::DirectEndpoint;
pub use operation::Operation;
pub use table::RouteTable;

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

/// The operations that followers and health checks call every few seconds.
const QUIET: [&str; 3] = ["ping", "livez", "readyz"];

/// The operations by path and method, being collected.
pub struct Routes<'a> {
    metrics: &'a Metrics,
    operations: Vec<Described>,
    /// The endpoints by pattern and method.
    endpoints: HashMap<String, HashMap<Method, BoxEndpoint<'static>>>,
}

#[derive(Debug)]
struct Described {
    pattern: String,
    method: Method,
    id: String,
    wanted: Option<Wanted>,
    /// The names of the query parameters; `None` where there is no API description.
    query: Option<Vec<String>>,
    /// Whether errors have the form of Django REST framework.
    django: bool,
}

impl<'a> Routes<'a> {
    /// An empty table whose operations are counted in `metrics`.
    pub fn new(metrics: &'a Metrics) -> Self {
        Self { metrics, operations: Vec::new(), endpoints: HashMap::new() }
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
                self.operations.push(Described { pattern, method, id, wanted, query, django: false });
            }
        }
        self
    }

    /// Has the edge call the operations of `api` itself, which is mounted at the root, where they have neither parameters
    /// in the path nor in the query: the framework's routing reads those.
    #[must_use]
    pub fn called_directly<T: OpenApi>(mut self, api: T) -> Self {
        api.add_routes(&mut self.endpoints);
        self
    }

    /// Adds an operation without an API description.
    #[must_use]
    pub fn at(self, method: Method, pattern: &str, id: &str) -> Self {
        self.described_nowhere(method, pattern, id, false)
    }

    /// Adds an operation whose errors have the form of Django REST framework.
    #[must_use]
    pub fn django(self, method: Method, pattern: &str, id: &str) -> Self {
        self.described_nowhere(method, pattern, id, true)
    }

    fn described_nowhere(mut self, method: Method, pattern: &str, id: &str, django: bool) -> Self {
        let (pattern, id) = (pattern.to_owned(), id.to_owned());
        self.operations.push(Described { pattern, method, id, wanted: None, query: None, django });
        self
    }

    /// Finishes the table.
    pub fn finish(mut self) -> RouteTable {
        let mut by_pattern: HashMap<String, Vec<(Method, Operation)>> = HashMap::new();
        for Described { pattern, method, id, wanted, query, django } in self.operations {
            let metrics = self.metrics.operation(&id, method.as_str());
            let names_parameters =
                query.is_some() && pattern.starts_with("/api/") && !SIGN_OUTS.contains(&id.as_str());
            let query = query.unwrap_or_default();
            let is_plain = query.is_empty() && !pattern.contains('{');
            let endpoint = self.endpoints.get_mut(&pattern).and_then(|methods| methods.remove(&method));
            let operation = Operation {
                route: pattern.clone(),
                wanted,
                metrics,
                query,
                names_parameters,
                django,
                quiet: QUIET.contains(&id.as_str()),
                direct: endpoint.filter(|_| is_plain).map(DirectEndpoint),
            };
            by_pattern.entry(pattern).or_default().push((method, operation));
        }
        RouteTable::of(by_pattern, self.metrics)
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

#[cfg(test)]
mod tests {
    use poem_openapi::param::{Path, Query};

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

    struct Api;

    #[OpenApi]
    #[allow(clippy::unused_async, reason = "the form the framework wants")]
    impl Api {
        #[oai(path = "/plain", method = "get")]
        async fn plain(&self) {}

        #[oai(path = "/list", method = "get")]
        async fn list(&self, #[oai(name = "limit")] _limit: Query<u32>) {}

        #[oai(path = "/one/:id", method = "get")]
        async fn one(&self, #[oai(name = "id")] _id: Path<u32>) {}
    }

    #[test]
    fn an_operation_without_parameters_is_called_directly() {
        let metrics = Metrics::new();
        let table = Routes::new(&metrics).api::<Api>("").called_directly(Api).finish();
        let is_direct = |method, path| table.find(&method, path).direct().is_some();
        assert!(is_direct(Method::GET, "/plain"));
        for (method, path) in [
            (Method::PUT, "/plain"),
            (Method::GET, "/list"),
            (Method::GET, "/one/1"),
            (Method::GET, "/elsewhere"),
        ] {
            assert!(!is_direct(method.clone(), path), "{method} {path}");
        }
        let table = Routes::new(&metrics).api::<Api>("").finish();
        assert!(table.find(&Method::GET, "/plain").direct().is_none());
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
