use poem::{
    Body, EndpointExt as _, Route, get, handler,
    http::HeaderValue,
    post,
    test::{TestClient, TestResponse},
    web::Query,
};
use serde_json::Value;

use super::*;
use crate::{auth::ClientInfo, http::routes::Routes, metrics::Metrics};

#[derive(serde::Deserialize)]
struct Page {
    #[expect(dead_code, reason = "only its parsing is of interest")]
    limit: u32,
}

#[handler]
fn me(_client: ClientInfo) -> &'static str {
    "hello"
}

#[handler]
async fn fail(body: String) -> Result<()> {
    match body.as_str() {
        "ours" => Err(Problem::new(Code::SignedOutEverywhere).into()),
        "theirs" => Err(poem::error::InternalServerError(std::io::Error::other("disk on fire"))),
        "panic" => panic!("at the disco"),
        "slow" => std::future::pending().await,
        _ => Ok(()),
    }
}

#[handler]
fn page(_page: Query<Page>) {}

fn edge(metrics: &Metrics) -> Edge {
    let api = Route::new().at("/me", get(me)).at("/fail", post(fail)).at("/page", get(page));
    let app = Route::new().nest("/", Route::new().nest("/api", api).at("/oauth/revoke", post(fail)));
    let routes = Routes::new(metrics)
        .at(Method::GET, "/api/me", "me")
        .at(Method::GET, "/api/page", "page")
        .at(Method::POST, "/api/fail", "fail")
        .at(Method::POST, "/oauth/revoke", "revoke");
    let parts = EdgeParts {
        routes: routes.finish(),
        cors: Cors::new(vec![HeaderValue::from_static("https://app.example")], false),
        proxies: TrustedProxies::default(),
        ids: Arc::new(RequestIds::new(7)),
        deadline: Duration::from_millis(50),
        sign_in_fields: SignInFields::default(),
        service: None,
    };
    Edge::new(app.boxed(), parts)
}

fn client() -> TestClient<Edge> {
    TestClient::new(edge(&Metrics::new()))
}

async fn problem(response: TestResponse) -> Value {
    assert_eq!(response.0.content_type(), Some("application/problem+json"));
    let id = response.0.header("x-request-id").unwrap().to_owned();
    let status = response.0.status().as_u16();
    let body: Value = serde_json::from_str(&response.0.into_body().into_string().await.unwrap()).unwrap();
    assert_eq!((&body["request_id"], &body["status"]), (&id.into(), &status.into()));
    body
}

async fn failed(with: &'static str) -> Value {
    problem(client().post("/api/fail").body(with).send().await).await
}

#[tokio::test]
async fn an_answer_has_its_request_id_and_the_headers_of_every_answer() {
    let response = client().get("/api/me").send().await.0;
    assert_eq!(response.header("x-request-id"), Some("0000000000000007-1"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("x-frame-options"), Some("DENY"));
    assert_eq!(response.into_body().into_string().await.unwrap(), "hello");

    let response = client().get("/api/me").header("x-request-id", "edge-1").send().await.0;
    assert_eq!(response.header("x-request-id"), Some("edge-1"));
}

#[tokio::test]
async fn a_trailing_slash_is_accepted_without_a_redirect() {
    for target in ["/api/me/", "/api/me//", "/api/me/?x=1"] {
        assert_eq!(client().get(target).send().await.0.status(), 200, "{target}");
    }
    assert_eq!(client().get("/api/page/?limit=3").send().await.0.status(), 200, "the query is kept");
    assert_eq!(client().post("/api/fail/").body("ours").send().await.0.status(), 401, "the body is kept");
}

#[tokio::test]
async fn what_the_framework_refuses_is_a_problem_too() {
    let missing = client().get("/api/nothing?token=hunter2").send().await;
    assert_eq!(problem(missing).await["code"], "not_found");
    assert_eq!(problem(client().get("/elsewhere").send().await).await["code"], "not_found");

    let wrong = client().put("/api/me").send().await;
    assert_eq!(wrong.0.header("allow"), Some("GET, HEAD"));
    assert_eq!(problem(wrong).await["code"], "method_not_allowed");

    let mistyped = problem(client().get("/api/page?limit=hunter2").send().await).await;
    assert_eq!(mistyped["code"], "invalid_request");
    assert!(!mistyped.to_string().contains("hunter2"));
}

#[tokio::test]
async fn our_failures_keep_their_code_and_theirs_stay_inside() {
    assert_eq!(failed("ours").await["code"], "signed_out_everywhere");
    for ours_to_mend in ["theirs", "panic"] {
        let body = failed(ours_to_mend).await;
        assert_eq!(body["code"], "internal", "{ours_to_mend}");
        assert!(!body.to_string().contains("disk") && !body.to_string().contains("disco"));
    }
}

#[tokio::test]
async fn a_slow_operation_is_given_up_with_a_wait() {
    let response = client().post("/api/fail").body("slow").send().await;
    assert_eq!(response.0.header("retry-after"), Some("1"));
    assert_eq!(problem(response).await["code"], "timeout");
}

#[tokio::test]
async fn oauth_problems_carry_their_error() {
    let response = client().post("/oauth/revoke/").body("ours").send().await;
    assert_eq!(problem(response).await["error"], "invalid_client");
    assert!(failed("ours").await.get("error").is_none());
}

#[tokio::test]
async fn head_says_what_get_would_without_its_body() {
    let response = client().head("/api/me").send().await.0;
    assert_eq!((response.status().as_u16(), response.header("content-length")), (200, Some("5")));
    assert!(response.into_body().into_string().await.unwrap().is_empty());
    assert_eq!(client().head("/api/fail").send().await.0.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_listed_origin_reads_problems_too_and_a_foreign_one_is_not_refused() {
    let client = client();
    let asked = client.options("/api/me").header("access-control-request-method", "GET");
    let preflight = asked.header("origin", "https://app.example").send().await.0;
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));

    let failed = client.post("/api/fail").header("origin", "https://app.example").body("ours").send().await.0;
    assert_eq!(failed.header("access-control-allow-origin"), Some("https://app.example"));

    let foreign = client.get("/api/me").header("origin", "https://evil.example").send().await.0;
    assert_eq!((foreign.status().as_u16(), foreign.header("vary")), (200, Some("Origin")));
    assert_eq!(foreign.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_target_without_a_path_is_nothing_of_ours() {
    let request = Request::builder().method(Method::CONNECT).uri("db.internal:5432".parse().unwrap());
    let response = edge(&Metrics::new()).call(request.finish()).await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn each_request_is_counted_once_under_its_operation() {
    let metrics = Metrics::new();
    let client = TestClient::new(edge(&metrics));
    client.get("/api/me/").send().await;
    client.head("/api/me").send().await;
    client.post("/api/fail").body(Body::from("panic")).send().await;
    client.get("/hunter2").send().await;
    let text = metrics.encode();
    for line in [
        r#"{operation="me",method="GET",status="200"} 2"#,
        r#"{operation="fail",method="POST",status="500"} 1"#,
        r#"{operation="unmatched",method="-",status="404"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn the_log_names_the_route_and_nothing_the_caller_sent() {
    let lines = crate::log::capture();
    client().get("/api/me/?access=hunter2").header("authorization", "Bearer hunter2").send().await;
    client().post("/api/fail?hunter2").body("panic").send().await;
    let lines = lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["route"], &lines[0]["status"]), (&"/api/me".into(), &200.into()));
    // The log may drop what anybody can cause at no cost, and no failure.
    assert_eq!((&lines[0]["target"], &lines[0]["level"]), (&"rescind::request".into(), &"INFO".into()));
    assert_ne!(lines[1]["target"], "rescind::request");
    assert_eq!((&lines[1]["route"], &lines[1]["code"]), (&"/api/fail".into(), &"internal".into()));
    assert_eq!((&lines[1]["level"], &lines[1]["cause"]), (&"ERROR".into(), &"panicked: at the disco".into()));
    assert!(!format!("{lines:?}").contains("hunter2"));
}
