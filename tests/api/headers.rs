//! The headers of answers: security, caching, CORS.

use poem::http::{HeaderName, Method, header};

use crate::declared::operations;
use crate::sample::Scene;
use crate::service::Service;

const APP: &str = "https://app.example";

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_is_not_stored() {
    let service = Service::start().await;
    let scene = Scene::set(&service).await;
    for operation in operations() {
        for answer in
            [scene.good(operation).send().await, scene.good(operation).body("text/plain", "{").send().await]
        {
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{}", operation.id);
            assert_eq!(answer.header("x-frame-options"), "DENY");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert_eq!(
                answer.header("content-security-policy"),
                "default-src 'none'; frame-ancestors 'none'"
            );
            assert_ne!(answer.header("x-request-id"), "");
            if operation.id != "publicKeys" {
                assert_eq!(answer.header("cache-control"), "no-store", "{}", operation.id);
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_how_to_authenticate_and_repeats_its_request_id() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let missing = service.anonymous().get("/api/v1/auth/me").send().await.refused("token_missing");
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="rescind""#);
    insta::assert_snapshot!(missing.shown(), @r#"
    401 {
      "type": "urn:rescind:problem:token_missing",
      "title": "A token is required",
      "status": 401,
      "detail": "Sign in and send the access token as `Authorization: Bearer …`.",
      "code": "token_missing",
      "request_id": "[request id]"
    }
    "#);
    assert_eq!(missing.json["request_id"].as_str().unwrap(), missing.header("x-request-id"));
    assert_eq!(missing.header("content-type"), "application/problem+json");
    phone.logout().await.ok();
    let ended = phone.me().await.refused("signed_out");
    assert_eq!(ended.header("www-authenticate"), r#"Bearer realm="rescind", error="invalid_token""#);
    let given = HeaderName::from_static("x-request-id");
    let named = phone.get("/api/v1/auth/me").header(given.clone(), "from-the-proxy.17").send().await;
    assert_eq!(named.header("x-request-id"), "from-the-proxy.17");
    let forged = phone.get("/api/v1/auth/me").header(given, "a b\"c").send().await;
    assert_ne!(forged.header("x-request-id"), "a b\"c");
}

#[tokio::test]
async fn head_goes_where_get_goes() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let answer = phone.ask(Method::HEAD, "/api/v1/auth/me").send().await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let length: usize = answer.header("content-length").parse().unwrap();
    assert_eq!(length, phone.me().await.text.len());
}

#[tokio::test]
async fn pages_of_the_listed_origins_may_ask_and_read() {
    let service = Service::with(&[("cors_origins", APP)]).await;
    let ask = |origin: &str| {
        let ask =
            service.anonymous().ask(Method::OPTIONS, "/api/v1/auth/login/").header(header::ORIGIN, origin);
        ask.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
    };
    let allowed = ask(APP).send().await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, APP));
    assert_eq!(allowed.header("access-control-allow-headers"), "authorization, content-type, x-request-id");
    assert_eq!(allowed.header("access-control-allow-credentials"), "");
    let foreign = ask("https://evil.example").send().await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (204, ""));
    // The page may read a refusal, too, and can show its user what happened.
    let me = service.anonymous().get("/api/v1/auth/me").header(header::ORIGIN, APP).send().await;
    let me = me.refused("token_missing");
    assert_eq!((me.header("access-control-allow-origin"), me.header("vary")), (APP, "Origin"));
    let foreign =
        service.anonymous().get("/livez").header(header::ORIGIN, "https://evil.example").send().await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
}

/// Tracing and HTTP libraries add request headers of their own; a browser asks permission for each of them.
#[tokio::test]
async fn pages_may_send_the_headers_that_their_libraries_add() {
    let service = Service::with(&[("cors_origins", APP), ("cors_credentials", "true")]).await;
    let names = "authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-requested-with";
    for path in ["/api/v1/auth/login", "/api/v1/devices", "/oauth/introspect", "/.well-known/paserk"] {
        let ask = service.anonymous().ask(Method::OPTIONS, path).header(header::ORIGIN, APP);
        let ask = ask.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        let answer = ask.header(header::ACCESS_CONTROL_REQUEST_HEADERS, names).send().await;
        assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, names), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
    }
    let answer = service.anonymous().get("/livez").header(header::ORIGIN, APP).send().await;
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
}

#[tokio::test]
async fn without_listed_origins_no_page_elsewhere_may_read_anything() {
    let service = Service::start().await;
    let answer = service.anonymous().get("/livez").header(header::ORIGIN, APP).send().await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let service = Service::start().await;
    let document = service.anonymous().get("/openapi.json").send().await;
    assert_eq!(document.text, rescind::http::document::text());
    assert_eq!(document.header("content-type"), "application/json");
    let elsewhere = Service::with(&[("public_url", "https://example.com/auth")]).await;
    for path in ["/openapi.json", "/openapi/feed.json"] {
        let document = elsewhere.anonymous().get(path).send().await.ok();
        assert_eq!(document["servers"][0]["url"], "https://example.com/auth");
    }
    let page = service.anonymous().get("/docs").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("src=\"docs/init.js\""), "{}", page.text);
    let folder = service.anonymous().get("/docs/").send().await;
    assert!(folder.text.contains("src=\"init.js\""), "{}", folder.text);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
}
