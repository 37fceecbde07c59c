//! Types of values that only settings have.

use std::fmt;

use time::Date;
use time::macros::format_description;
use zeroize::Zeroizing;

/// The most bytes of an issuer and an audience together: with them an access token stays under 600 bytes.
pub(super) const ISSUER_AND_AUDIENCE: usize = 80;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// The URL of a shared store. Its password is shown nowhere; [`StoreUrl::reveal`] is for the connection alone.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// Parses the URL of a PostgreSQL database, by its shape alone.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        (!rest.is_empty() && !rest.contains(char::is_whitespace)).then(|| Self(text.to_owned()))
    }

    /// The whole URL, including the password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The URL without user, password and parameters, any of which may carry a secret.
    pub fn shown(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", ""));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let host = host.split_once('?').map_or(host, |(host, _)| host);
        let hidden = if host.len() == rest.len() { "" } else { "(hidden)@" };
        format!("{scheme}://{hidden}{host}")
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// A secret that is a text. It is shown nowhere; [`SecretText::reveal`] is for the part that needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Parses the text of a key for HS256: at least as many characters as the hash has bytes (RFC 7518 §3.2). A key of
    /// another kind, in PEM, is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fits = (32..=1024).contains(&text.chars().count()) && !text.starts_with("-----BEGIN");
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(Date);

impl Day {
    /// Parses a day as ISO 8601 writes it, `2027-03-31`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Date::parse(text, format_description!("[year]-[month]-[day]")).ok().map(Self)
    }

    /// The Unix time at which the day begins.
    pub fn begins(self) -> i64 {
        self.0.midnight().assume_utc().unix_timestamp()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Parses an origin exactly as a browser sends it: scheme, host, and the port only where it is not the scheme's
/// default.
pub(super) fn origin(text: &str) -> Option<String> {
    let (scheme, host) = text.split_once("://")?;
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        // Apps in a web view have schemes of their own: `capacitor://localhost`.
        _ if scheme.starts_with(|c: char| c.is_ascii_lowercase()) => ":",
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._:[]".contains(c);
    (!host.is_empty() && host.chars().all(plain) && !host.ends_with(own_port)).then(|| text.to_owned())
}

/// Parses the URL that clients use: `http` or `https`, a host, perhaps a path, no slash at the end.
pub(super) fn public_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let clean = |c: char| c.is_ascii_graphic() && !"?#@\"<>\\".contains(c);
    let plain = !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/');
    (plain && !has_unspecified_host(text) && rest.chars().all(clean)).then(|| text.to_owned())
}

/// Parses a path that routes are answered below; `/` is the empty one.
pub(super) fn prefix(text: &str) -> Option<String> {
    let clean = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let segment =
        |segment: &str| !segment.is_empty() && segment.chars().all(clean) && !segment.starts_with('.');
    match text.strip_prefix('/')? {
        "" => Some(String::new()),
        rest => rest.split('/').all(segment).then(|| text.to_owned()),
    }
}

/// Whether the host of a URL is the unspecified address (`0.0.0.0`, `[::]`), which no other machine can connect to.
pub fn has_unspecified_host(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    ["0.0.0.0", "[::]"].iter().any(|unspecified| {
        host.strip_prefix(unspecified).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

/// Parses an issuer or an audience. Their total length is checked elsewhere, because they share the token's size.
pub(super) fn claim_text(text: &str) -> Option<String> {
    let clean = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    ((1..=ISSUER_AND_AUDIENCE).contains(&text.len()) && text.chars().all(clean)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_url_shows_neither_user_nor_password_nor_parameters() {
        let url = StoreUrl::parse("postgres://app:hunter2@db.example/rescind?password=hunter3").unwrap();
        assert_eq!(url.shown(), "postgres://(hidden)@db.example/rescind");
        assert_eq!(format!("{url:?}"), url.shown());
        assert_eq!(StoreUrl::parse("postgres://db/rescind").unwrap().shown(), "postgres://db/rescind");
        assert!(StoreUrl::parse("mysql://db/rescind").is_none());
    }

    #[test]
    fn an_at_sign_inside_the_password_hides_all_of_it() {
        let url = StoreUrl::parse("postgres://app:hun@ter2@db/rescind").unwrap();
        assert!(!url.shown().contains("ter2"));
    }

    #[test]
    fn an_origin_is_what_a_browser_sends_and_nothing_else() {
        for good in
            ["https://app.example.com", "http://localhost:5173", "capacitor://localhost", "http://[::1]:3000"]
        {
            assert_eq!(origin(good).as_deref(), Some(good));
        }
        for wrong in [
            "*",
            "null",
            "https://app.example.com/",
            "https://App.example.com",
            "https://a.example:443",
            "app",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_unspecified_host_is_found_with_and_without_scheme_port_and_path() {
        for unspecified in
            ["http://0.0.0.0", "https://0.0.0.0:8080/auth", "http://[::]:8080", "http://[::]/", "0.0.0.0"]
        {
            assert!(has_unspecified_host(unspecified), "{unspecified}");
        }
        for other in
            ["http://0.0.0.0.example", "http://[::1]:8080", "https://id.example/0.0.0.0", "rescind", ""]
        {
            assert!(!has_unspecified_host(other), "{other}");
        }
    }

    #[test]
    fn a_key_of_hs256_is_long_enough_no_pem_and_never_shown() {
        let key = SecretText::parse(&"k".repeat(50)).unwrap();
        assert_eq!((format!("{key:?}").as_str(), key.reveal().len()), ("(hidden)", 50));
        let pem = format!("-----BEGIN PUBLIC KEY-----{}", "A".repeat(50));
        for wrong in [&"k".repeat(31), &"k".repeat(1025), "", &pem] {
            assert!(SecretText::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let day = Day::parse("2027-03-31").unwrap();
        assert_eq!((day.begins(), day.to_string().as_str()), (1_806_451_200, "2027-03-31"));
        for wrong in ["", "2027-02-29", "31.03.2027", "2027-3-31", "2027-03-31T00:00:00Z", "tomorrow"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        for (good, meant) in [("/", ""), ("/api", "/api"), ("/api/v0.9/auth-x", "/api/v0.9/auth-x")] {
            assert_eq!(prefix(good).as_deref(), Some(meant));
        }
        for wrong in ["", "api", "/api/", "//", "/a//b", "/a b", "/{id}", "/:id", "/*", "/..", "/a?b", "/é"]
        {
            assert_eq!(prefix(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_public_url_has_no_slash_at_the_end_and_no_credentials() {
        assert!(public_url("https://auth.example.com").is_some());
        assert!(public_url("https://example.com/auth").is_some());
        assert!(public_url("http://0.0.0.0.example").is_some());
        for wrong in ["http://0.0.0.0:8080", "http://[::]", "https://0.0.0.0/auth"] {
            assert_eq!(public_url(wrong), None, "{wrong}");
        }
        for wrong in ["auth.example.com", "https://", "https://a/", "https://u:p@a", "ftp://a", "https://a?b"]
        {
            assert_eq!(public_url(wrong), None, "{wrong}");
        }
    }
}
