//! The finished table of operations, in which the edge looks a request up.

use std::collections::HashMap;

use poem::http::{HeaderValue, Method};

use super::operation::{NOWHERE, Operation};
use crate::metrics::Metrics;

/// The most paths that an answer lists.
const MOST_NEAR: usize = 12;

/// The label in the metrics of requests that no operation answers.
const UNMATCHED: &str = "unmatched";
/// A path, with its operations.
#[derive(Debug)]
struct Path {
    pattern: String,
    operations: Vec<(Method, Operation)>,
    allow: HeaderValue,
    wrong_method: Operation,
}

/// The finished table of operations.
#[derive(Debug)]
pub struct RouteTable {
    exact: HashMap<String, Path>,
    with_parameters: Vec<Path>,
    unmatched: Operation,
    preflight: Operation,
}

impl RouteTable {
    /// The table of these operations, by the patterns of their paths.
    pub(super) fn of(by_pattern: HashMap<String, Vec<(Method, Operation)>>, metrics: &Metrics) -> Self {
        let other = |route: &str, label: &str| Operation::other(route, metrics.operation(label, "-"));
        let paths = by_pattern.into_iter().map(|(pattern, operations)| {
            let django = operations.iter().any(|(_, operation)| operation.django);
            Path {
                allow: allow(operations.iter().map(|(method, _)| method)),
                wrong_method: Operation { django, ..other(&pattern, UNMATCHED) },
                operations,
                pattern,
            }
        });
        let (with_parameters, exact): (Vec<_>, Vec<_>) = paths.partition(|path| path.pattern.contains('{'));
        Self {
            exact: exact.into_iter().map(|path| (path.pattern.clone(), path)).collect(),
            with_parameters,
            unmatched: other(NOWHERE, UNMATCHED),
            preflight: other(NOWHERE, "preflight"),
        }
    }

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
    pub(in crate::http) fn near(&self, path: &str) -> Option<String> {
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
