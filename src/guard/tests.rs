use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::serve::{Bound, CONNECTIONS, Listen, limits, serve};
use super::*;
use crate::http::code::Code;

async fn asked(guard: &Guard, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    guard.answer(&request.body(()).unwrap()).await
}

#[tokio::test]
async fn without_a_verifier_nobody_passes() {
    let guard = Guard::new(None);
    let answer = asked(&guard, "/verify", Some("Bearer abc")).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()[RETRY_AFTER], "2");
    assert_eq!(answer.headers()["x-auth-code"], "stale");
    assert_eq!(asked(&guard, "/readyz", None).await.status(), 503);
    assert_eq!(asked(&guard, "/livez", None).await.status(), 200);
}

#[tokio::test]
async fn a_request_without_a_token_is_told_so() {
    let guard = Guard::new(None);
    for path in ["/verify", "/verify/any/path", "/envoy/any/path"] {
        let answer = asked(&guard, path, None).await;
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(answer.headers()["x-auth-code"], "token_missing");
        assert_eq!(answer.headers()[WWW_AUTHENTICATE], r#"Bearer realm="rescind""#);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    }
    assert_eq!(asked(&guard, "/verify", Some("Basic eDp5")).await.headers()["x-auth-code"], "token_invalid");
}

#[tokio::test]
async fn other_paths_let_nobody_in() {
    let guard = Guard::new(None);
    for path in ["/", "/verified", "/envoyer", "/metrics/", "/readyz/x", "//verify"] {
        assert_eq!(asked(&guard, path, Some("Bearer abc")).await.status(), 404, "{path}");
    }
}

#[test]
fn every_code_but_stale_is_one_of_the_services() {
    for code in answer::codes().filter(|code| *code != "stale") {
        let known = Code::ALL.iter().find(|known| known.as_str() == code).expect(code);
        assert_eq!(known.status(), 401, "{code}");
    }
}

#[tokio::test]
async fn verdicts_are_counted_by_code() {
    let guard = Guard::new(None);
    asked(&guard, "/verify", None).await;
    asked(&guard, "/verify", Some("Bearer abc")).await;
    let figures = guard.metrics.encode(None);
    for line in [
        "rescind_guard_verdicts_total{code=\"token_missing\"} 1",
        "rescind_guard_verdicts_total{code=\"stale\"} 1",
        "rescind_guard_verdicts_total{code=\"ok\"} 0",
        "rescind_guard_lag_seconds -1",
        "rescind_guard_fresh 0",
        "rescind_guard_entries 0",
    ] {
        assert!(figures.contains(line), "{line} is not in {figures}");
    }
}

#[tokio::test]
async fn connections_that_say_nothing_keep_no_proxy_out() {
    let guard = Guard::new(None);
    let bound = Bound::to(&Listen::parse("127.0.0.1:0").unwrap()).await.unwrap();
    let address = bound.address().replace("http://", "");
    let (stop, stopped) = oneshot::channel::<()>();
    let asking = async {
        let mut silent = Vec::new();
        for _ in 0..64 {
            silent.push(TcpStream::connect(&address).await.unwrap());
        }
        let mut proxy = TcpStream::connect(&address).await.unwrap();
        proxy.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        proxy.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        stop.send(()).unwrap();
    };
    let stop = async { stopped.await.unwrap() };
    let all = async { tokio::join!(serve(bound, &guard, 4, stop), asking) };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}

/// The service's own limit for one address is lower.
#[test]
fn one_proxy_may_have_half_of_the_connections() {
    for most in [2, CONNECTIONS, 4 * CONNECTIONS] {
        assert!(limits(most).per_address >= most / 2, "{most}");
    }
}

/// Some proxies append the client's own target, however long it is, to the path at which they ask.
#[tokio::test]
async fn a_target_of_any_length_is_answered() {
    let guard = Guard::new(None);
    let bound = Bound::to(&Listen::parse("127.0.0.1:0").unwrap()).await.unwrap();
    let address = bound.address().replace("http://", "");
    let (stop, stopped) = oneshot::channel::<()>();
    let asking = async {
        let mut proxy = TcpStream::connect(&address).await.unwrap();
        let target = format!("/verify/{}", "y".repeat(20_000));
        proxy.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        proxy.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
        stop.send(()).unwrap();
    };
    let stop = async { stopped.await.unwrap() };
    let all = async { tokio::join!(serve(bound, &guard, 4, stop), asking) };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}

#[tokio::test]
async fn a_guard_with_every_place_taken_goes_on_and_hears_that_it_is_to_stop() {
    let guard = Guard::new(None);
    let bound = Bound::to(&Listen::parse("127.0.0.1:0").unwrap()).await.unwrap();
    let address = bound.address().replace("http://", "");
    let (stop, stopped) = oneshot::channel::<()>();
    let asking = async {
        let mut answer = [0; 12];
        let mut first = TcpStream::connect(&address).await.unwrap();
        first.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        first.read_exact(&mut answer).await.unwrap();
        let mut second = TcpStream::connect(&address).await.unwrap();
        second.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        drop(first);
        second.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        let _third = TcpStream::connect(&address).await.unwrap();
        stop.send(()).unwrap();
        second
    };
    let stop = async { stopped.await.unwrap() };
    let all = async { tokio::join!(serve(bound, &guard, 1, stop), asking) };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}
