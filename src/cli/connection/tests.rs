use poem::error::ResponseError as _;
use poem::http::StatusCode;
use poem::listener::{Listener, UnixListener};
use poem::{EndpointExt, IntoResponse, Route, Server, handler, post};
use serde_json::json;

use super::*;
use crate::http::problem::Problem;

#[handler]
async fn echo(request: &Request, body: poem::Body) -> Response {
    let body = body.into_string().await.unwrap();
    let answer = json!({ "path": request.uri().path(), "type": request.content_type(), "body": body });
    poem::web::Json(answer).into_response()
}

#[handler]
fn refuse() -> Response {
    let problem = json!({
        "title": "Invalid request", "detail": "The request is invalid.", "code": "invalid_request",
        "errors": [{ "field": "username", "code": "too_long" }],
    });
    poem::web::Json(problem).with_status(StatusCode::BAD_REQUEST).into_response()
}

#[handler]
fn refuse_a_name() -> Response {
    Problem::new(Code::UsernameTaken).as_response()
}

#[handler]
fn refuse_a_field() -> Response {
    let problem = json!({
        "detail": "The request is invalid.", "code": "invalid_request",
        "errors": [{ "field": "colour", "code": "unknown" }],
    });
    poem::web::Json(problem).with_status(StatusCode::BAD_REQUEST).into_response()
}

#[handler]
fn refuse_the_method() -> Response {
    Problem::new(Code::MethodNotAllowed).as_response()
}

#[handler]
fn nothing() -> StatusCode {
    StatusCode::NO_CONTENT
}

fn app() -> BoxEndpoint<'static, Response> {
    let app = Route::new()
        .at("/echo", post(echo).delete(echo))
        .at("/refuse", post(refuse))
        .at("/taken", post(refuse_a_name))
        .at("/field", post(refuse_a_field))
        .at("/method", post(refuse_the_method))
        .at("/nothing", post(nothing));
    app.map_to_response().boxed()
}

/// Both kinds of connection to the same application; the folder has to live as long as the server.
async fn both_ways() -> (Vec<ServiceConnection>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let acceptor = UnixListener::bind(socket.clone()).into_acceptor().await.unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app()));
    (vec![ServiceConnection::over(socket), ServiceConnection::in_process(app())], folder)
}

#[tokio::test]
async fn both_ways_carry_the_same_request_and_answer() {
    let (ways, _folder) = both_ways().await;
    for way in ways {
        let answer = way.call(Method::POST, "/echo", Some(json!({ "a": 1 }))).await.unwrap();
        assert_eq!(answer, json!({ "path": "/echo", "type": "application/json", "body": "{\"a\":1}" }));
        let answer = way.call(Method::DELETE, "/echo", None).await.unwrap();
        assert_eq!(answer["body"], "");
        assert_eq!(way.call(Method::POST, "/nothing", None).await.unwrap(), Value::Null);
    }
}

#[tokio::test]
async fn a_problem_comes_back_with_its_code_and_fields() {
    let (ways, _folder) = both_ways().await;
    for way in ways {
        let Err(ServiceRefusal::Problem { status, code, text }) =
            way.call(Method::POST, "/refuse", None).await
        else {
            panic!("a refusal was expected");
        };
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
        assert_eq!(text, "The request is invalid. (username: too_long)");
    }
}

#[tokio::test]
async fn a_server_that_lacks_a_method_or_a_field_is_told_to_be_older() {
    let (ways, _folder) = both_ways().await;
    for way in ways {
        for (path, what) in [
            ("/field", "The request is invalid. (colour: unknown)"),
            ("/method", Code::MethodNotAllowed.title()),
        ] {
            let failure = CommandFailure::from(way.call(Method::POST, path, None).await.unwrap_err());
            assert_eq!(failure.what, what);
            assert!(failure.help.contains("older than this command: restart it"), "{failure}");
        }
        let failure = CommandFailure::from(way.call(Method::POST, "/refuse", None).await.unwrap_err());
        assert_eq!(failure.help, "");
    }
}

#[tokio::test]
async fn advice_to_apps_is_not_for_operators() {
    let (ways, _folder) = both_ways().await;
    for way in ways {
        let refusal = way.call(Method::POST, "/taken", None).await.unwrap_err();
        assert_eq!(refusal.to_string(), Code::UsernameTaken.title());
    }
}

#[tokio::test]
async fn a_missing_or_empty_folder_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    for data in [folder.path().to_owned(), folder.path().join("missing")] {
        let settings = Settings::with(&[("data", data.to_str().unwrap())]).unwrap();
        let failure =
            ServiceConnection::find(&settings, async |_: &Settings| panic!("nothing may be opened"))
                .await
                .err()
                .unwrap();
        assert!(failure.what.contains("there is no store"), "{failure}");
        assert!(failure.help.contains("rescind serve"), "{failure}");
        assert_eq!(data.exists(), data == folder.path(), "and none was made");
    }
}

#[tokio::test]
async fn without_a_server_the_store_is_opened_in_process() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db"), "").unwrap();
    // A socket left behind by a server that was killed.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("admin.sock")).unwrap());
    let settings = Settings::with(&[("data", folder.path().to_str().unwrap())]).unwrap();
    let way = ServiceConnection::find(&settings, async |_: &Settings| Ok(app())).await.unwrap();
    assert!(way.call(Method::POST, "/echo", None).await.is_ok());
}

#[tokio::test]
async fn with_a_server_the_store_is_left_alone() {
    let (_, folder) = both_ways().await;
    let settings = Settings::with(&[("data", folder.path().to_str().unwrap())]).unwrap();
    let way = ServiceConnection::find(&settings, async |_: &Settings| panic!("the server holds the store"))
        .await
        .unwrap();
    assert!(way.call(Method::POST, "/echo", None).await.is_ok());
}

#[test]
fn a_name_cannot_leave_its_place_in_the_path() {
    assert_eq!(segment("a/../b?c#d e"), "a%2F..%2Fb%3Fc%23d%20e");
    assert_eq!(segment("zoë"), "zo%C3%AB");
    assert_eq!(segment("alice-1_2.3~"), "alice-1_2.3~");
}
