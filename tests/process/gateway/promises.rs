//! What every proxy with a guard promises to the backend behind it.

use super::Gateway;
use crate::client::{Answer, Payload};
use crate::faulty_proxy::NetworkFault;
use crate::session::Session;

impl Gateway {
    /// Asserts that the configuration does what its example promises; without a guard the answer is `when_down`.
    pub(super) fn keeps_its_word(mut self, when_down: u16) {
        let session = Session::register(self.scene.client(), "ada", "Phone");
        let me = session.me(self.scene.client()).ok();
        let user = me["user"]["id"].as_str().unwrap();
        let lines = |page: &Answer| {
            let auth = page.body.lines().map(str::to_ascii_lowercase);
            let mut auth: Vec<_> = auth.filter(|line| line.replace('_', "-").starts_with("x-auth")).collect();
            auth.sort();
            auth
        };
        let known = [
            format!("x-auth-device: {}", session.device),
            "x-auth-generation: 1".to_owned(),
            format!("x-auth-user: {user}"),
        ];

        // Traefik listens before it knows its routes.
        self.assert_comes_to(&session.access, 200);
        let page = self.ask(&session.access, "");
        assert_eq!((page.status, lines(&page)), (200, known.to_vec()), "{page:?} {}", self.log());
        assert!(page.body.starts_with("GET /orders?page=2 HTTP/1.1"), "{}", page.body);

        let forged = "X-Auth-User: eve\r\nX-Auth-User: mallory\r\nx-auth-USER: eve\r\nX_Auth_User: eve\r\n\
                      X-Auth_User: eve\r\nX_Auth-User: eve\r\nX-Auth-Generation: 9\r\nX-Auth-Code: eve\r\n\
                      Connection: X-AUTH-USER, X-Auth-Device, X-Auth-Generation\r\n";
        let page = self.ask(&session.access, forged);
        assert_eq!((page.status, lines(&page)), (200, known.to_vec()), "{page:?}");

        let head = format!(
            "POST /orders HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Length: 300000\r\n",
            session.access
        );
        let ordered = self.exchange(&head, &"o".repeat(300_000));
        assert_eq!((ordered.status, lines(&ordered)), (200, known.to_vec()), "{ordered:?}");
        assert!(
            ordered.body.ends_with("\r\n300000 bytes"),
            "the body comes as it was sent: {}",
            ordered.body
        );

        let nobody = self.client.send("GET", "/", "", Payload::None).unwrap();
        assert_eq!(nobody.problem(), "401 token_missing");
        assert_eq!(nobody.header("www-authenticate"), Some(r#"Bearer realm="rescind""#));
        assert_eq!(self.ask("v4.public.forged", "X-Auth-User: eve\r\n").problem(), "401 token_invalid");

        self.assert_the_guard_is_asked_by_the_proxy_only(&session.access);

        self.scene.sign_out(&session);
        self.assert_comes_to(&session.access, 401);
        assert_eq!(self.ask(&session.access, forged).problem(), "401 signed_out_everywhere");
        let again = Session::login(self.scene.client(), "ada", "Phone");
        self.assert_comes_to(&again.access, 200);

        self.scene.proxy.set(NetworkFault::Cut);
        self.assert_comes_to(&again.access, 503);
        let stale = self.ask(&again.access, forged);
        assert_eq!((stale.problem().as_str(), stale.header("retry-after")), ("503 stale", Some("2")));
        self.scene.proxy.set(NetworkFault::None);
        self.assert_comes_to(&again.access, 200);

        drop(self.scene.guards.remove(0));
        let down = self.ask(&again.access, forged);
        assert_eq!(down.status, when_down, "{down:?}");
    }

    /// Asserts that a backend that folds names gets the guard's headers and nothing else, however a client spells them.
    pub(super) fn keeps_its_word_to_a_backend_that_folds(self) {
        let session = Session::register(self.scene.client(), "ada", "Phone");
        let user = session.me(self.scene.client()).ok()["user"]["id"].as_str().unwrap().to_owned();
        self.assert_comes_to(&session.access, 200);
        let known = [
            format!("HTTP_X_AUTH_DEVICE: {}", session.device),
            "HTTP_X_AUTH_GENERATION: 1".to_owned(),
            format!("HTTP_X_AUTH_USER: {user}"),
        ];
        let auth = |page: &Answer| {
            let lines = page.body.lines().filter(|line| line.to_ascii_uppercase().contains("AUTH_"));
            let mut lines: Vec<_> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        };
        // Envoy takes 100 headers at once and no more.
        for spellings in spellings().chunks(75) {
            let forged = spellings.join(": eve\r\n") + ": eve\r\n";
            let page = self.ask(&session.access, &forged);
            assert_eq!((page.status, auth(&page)), (200, known.to_vec()), "{page:?}");
        }

        // A CORS preflight passes, and names no user.
        let preflight = format!("Origin: {APP}\r\nAccess-Control-Request-Method: DELETE\r\n");
        let overrides =
            "X-HTTP-Method-Override: DELETE\r\nX.HTTP.Method: DELETE\r\nX_Method_Override: DELETE\r\n";
        for spellings in spellings().chunks(75) {
            let forged = spellings.join(": eve\r\n") + ": eve\r\n";
            let asked =
                self.exchange(&format!("OPTIONS /orders HTTP/1.1\r\n{preflight}{overrides}{forged}"), "");
            assert_eq!((asked.status, auth(&asked)), (200, Vec::new()), "{asked:?}");
            let lines: Vec<_> = asked.body.lines().collect();
            assert_eq!(lines[0], "OPTIONS");
            assert!(lines.contains(&"HTTP_ACCESS_CONTROL_REQUEST_METHOD: DELETE"), "{asked:?}");
            assert!(lines.contains(&format!("HTTP_ORIGIN: {APP}").as_str()), "{asked:?}");
            assert!(
                !lines.iter().any(|line| line.ends_with("OVERRIDE: DELETE") || line.contains("HTTP_METHOD"))
            );
        }
        let origin = format!("Origin: {APP}\r\n");
        let method = "Access-Control-Request-Method: DELETE\r\n";
        for (line, lines) in [
            ("OPTIONS", String::new()),
            ("OPTIONS", origin.clone()),
            ("OPTIONS", method.to_owned()),
            ("OPTIONS", format!("Origin:\r\n{method}")),
            ("OPTIONS", format!("{origin}Access_Control_Request_Method: DELETE\r\n")),
            ("OPTIONS", format!("{preflight}Cookie: session=eve\r\n")),
            ("OPTIONS", format!("{preflight}Authorization: Bearer v4.public.forged\r\n")),
            ("GET", preflight.clone()),
            (
                "DELETE",
                format!("{preflight}X-HTTP-Method-Override: OPTIONS\r\nX-Forwarded-Method: OPTIONS\r\n"),
            ),
            ("POST", format!("{preflight}X-Original-Method: OPTIONS\r\nContent-Length: 0\r\n")),
        ] {
            let answer = self.exchange(&format!("{line} /orders HTTP/1.1\r\n{lines}"), "");
            assert_eq!(answer.status, 401, "{line} {lines:?} is no preflight: {answer:?}");
        }
        // An `OPTIONS` request with a token is checked like any other.
        let line =
            format!("OPTIONS /orders HTTP/1.1\r\nAuthorization: Bearer {}\r\n{preflight}", session.access);
        let page = self.exchange(&line, "");
        assert_eq!((page.status, auth(&page)), (200, known.to_vec()), "{page:?}");
    }

    /// Asserts that a request in a body is no request to the guard, and that no client reaches the guard through the
    /// proxy.
    fn assert_the_guard_is_asked_by_the_proxy_only(&self, token: &str) {
        let asked = || self.scene.guards[0].asked();
        let (before, hidden) =
            (asked(), format!("GET /verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"));
        for _ in 0..4 {
            let head = format!("POST /orders HTTP/1.1\r\nContent-Length: {}\r\n", hidden.len());
            assert_eq!(self.exchange(&head, &hidden).problem(), "401 token_missing");
            assert_eq!(
                self.client.send("GET", "/", "", Payload::None).unwrap().problem(),
                "401 token_missing"
            );
        }
        assert_eq!(asked(), before + 8);
        let direct = self.client.get("/_rescind", token);
        assert!(matches!(direct.status, 200 | 404) && direct.header("x-auth-user").is_none(), "{direct:?}");
    }
}

const APP: &str = "https://app.example";

/// Every spelling of the guard's headers that some server folds to them, except the guard's own.
fn spellings() -> Vec<String> {
    // What a name may have besides letters and digits (RFC 9110 §5.6.2).
    let marks = "-_.!#$%&'*+^`|~";
    let pairs = marks.chars().flat_map(|first| marks.chars().map(move |second| (first, second)));
    let names = ["User", "Device", "Generation", "Code"];
    pairs.flat_map(|(first, second)| names.map(|name| format!("X{first}Auth{second}{name}"))).collect()
}
