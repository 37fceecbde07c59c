//! The four routes, and how each describes itself to `OPTIONS`.

use serde_json::{Map, Value, json};

/// One of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Signs a user in.
    Obtain,
    /// Exchanges a refresh token for an access token.
    Refresh,
    /// Says whether a token acts for its user.
    Verify,
    /// Signs out the device of a refresh token.
    Blacklist,
}

impl View {
    /// Every route.
    pub(super) const ALL: [Self; 4] = [Self::Obtain, Self::Refresh, Self::Verify, Self::Blacklist];

    /// The path below a prefix. The edge takes away the slash that these apps send at the end of a path, so both forms are
    /// answered: a redirect, as Django sends it, would lose the body.
    pub(super) fn path(self, prefix: &str) -> String {
        let rest = match self {
            Self::Obtain => "",
            Self::Refresh => "/refresh",
            Self::Verify => "/verify",
            Self::Blacklist => "/blacklist",
        };
        format!("{prefix}/token{rest}")
    }

    /// The name in metrics.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::Obtain => "simplejwtObtain",
            Self::Refresh => "simplejwtRefresh",
            Self::Verify => "simplejwtVerify",
            Self::Blacklist => "simplejwtBlacklist",
        }
    }

    /// The answer to `OPTIONS`.
    pub(super) fn description(self) -> Value {
        let (name, description, fields): (_, _, &[(&str, &str)]) = match self {
            Self::Obtain => (
                "Token Obtain Pair",
                "Takes a set of user credentials and returns an access and refresh JSON web\n\
                 token pair to prove the authentication of those credentials.",
                &[("username", "Username"), ("password", "Password")],
            ),
            Self::Refresh => (
                "Token Refresh",
                "Takes a refresh token and returns an access token.",
                &[("refresh", "Refresh")],
            ),
            Self::Verify => {
                ("Token Verify", "Takes a token and says whether it is valid.", &[("token", "Token")])
            }
            Self::Blacklist => (
                "Token Blacklist",
                "Takes a refresh token and signs its device out.",
                &[("refresh", "Refresh")],
            ),
        };
        let field = |(field, label): &(&str, &str)| {
            let shown = json!({"type": "string", "required": true, "read_only": false, "label": label});
            ((*field).to_owned(), shown)
        };
        json!({
            "name": name,
            "description": description,
            "renders": ["application/json"],
            "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
            "actions": {"POST": fields.iter().map(field).collect::<Map<_, _>>()},
        })
    }
}
