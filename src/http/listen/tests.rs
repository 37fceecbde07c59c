use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use poem::{Body, EndpointExt, IntoResponse, Route, Server, handler, listener::TcpAcceptor, post};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::*;

/// No test waits this long: it stands for "much later than the limit under test".
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

#[handler]
fn echo(body: String) -> String {
    body
}

#[handler]
fn drip() -> impl IntoResponse {
    let (mut writer, reader) = tokio::io::duplex(1);
    tokio::spawn(async move {
        for _ in 0..10 {
            tokio::time::sleep(SHORT / 5).await;
            writer.write_all(b"x").await.unwrap();
        }
    });
    Body::from_async_read(reader)
}

async fn serve(limits: Limits) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let guarded = Guarded::new(TcpAcceptor::from_tokio(listener).unwrap(), limits);
    let app = Route::new().at("/echo", post(echo)).at("/drip", drip).boxed();
    tokio::spawn(Server::new_with_acceptor(guarded).run(app));
    address
}

async fn connect(limits: Limits) -> TcpStream {
    TcpStream::connect(serve(limits).await).await.unwrap()
}

/// Everything the server says until it hangs up. The outer limit only keeps a broken guard from hanging the test.
async fn until_cut(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut said = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut said)).await;
    assert!(end.is_ok(), "the connection was kept");
    String::from_utf8(said).unwrap()
}

async fn answer(stream: &mut TcpStream, body: &str) -> String {
    let request = format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(body.as_bytes()) {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "cut");
    }
    String::from_utf8(said).unwrap()
}

const SLOW_REQUESTS: Limits = Limits { request: SHORT, idle: LONG, connections: 8 };
const SILENCE: Limits = Limits { request: LONG, idle: SHORT, connections: 8 };

#[tokio::test]
async fn slow_headers_are_cut() {
    let mut stream = connect(SLOW_REQUESTS).await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHos").await.unwrap();
    assert_eq!(until_cut(&mut stream).await, "");
}

#[tokio::test]
async fn headers_that_trickle_are_cut_too() {
    let (mut reader, mut writer) = connect(SLOW_REQUESTS).await.into_split();
    let trickle = tokio::spawn(async move {
        writer.write_all(b"POST /echo HTTP/1.1\r\nX: ").await.unwrap();
        while writer.write_all(b"y").await.is_ok() {
            tokio::time::sleep(SHORT / 5).await;
        }
    });
    assert_eq!(until_cut(&mut reader).await, "");
    trickle.await.unwrap();
}

#[tokio::test]
async fn a_slow_body_is_cut() {
    let mut stream = connect(SLOW_REQUESTS).await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
    assert!(until_cut(&mut stream).await.starts_with("HTTP/1.1 400"), "the handler sees the body end");
}

#[tokio::test]
async fn a_body_announced_with_expect_and_never_sent_is_cut() {
    let mut stream = connect(SLOW_REQUESTS).await;
    let head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let said = until_cut(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400"), "{said}");
}

#[tokio::test]
async fn a_slow_second_request_is_cut_like_a_first() {
    let mut stream = connect(SLOW_REQUESTS).await;
    assert!(answer(&mut stream, "one").await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"POST").await.unwrap();
    assert_eq!(until_cut(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_cut() {
    assert_eq!(until_cut(&mut connect(SILENCE).await).await, "");
}

#[tokio::test]
async fn a_kept_connection_is_cut_when_nothing_follows() {
    let mut stream = connect(SILENCE).await;
    answer(&mut stream, "one").await;
    assert_eq!(until_cut(&mut stream).await, "");
}

#[tokio::test]
async fn an_answer_longer_than_either_limit_is_not_cut_while_it_flows() {
    let mut stream = connect(Limits { request: SHORT, idle: SHORT, connections: 8 }).await;
    stream.write_all(b"GET /drip HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(until_cut(&mut stream).await.matches('x').count(), 10);
}

const PATIENT: Limits = Limits { request: LONG, idle: LONG, connections: 8 };

#[tokio::test]
async fn a_head_too_large_is_cut_and_the_largest_honest_request_is_not() {
    let mut stream = connect(PATIENT).await;
    let head = |size| format!("POST /echo HTTP/1.1\r\nHost: h\r\nX: {}\r\n", "y".repeat(size));
    let honest = format!("{}Content-Length: 16384\r\n\r\n{}", head(40 * 1024), "b".repeat(16 * 1024));
    for _ in 0..3 {
        stream.write_all(honest.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(&[b'b'; 16 * 1024]) {
            assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "cut");
        }
    }

    let mut stream = connect(PATIENT).await;
    // The server may hang up before all of it is sent.
    let _cut = stream.write_all(head(64 * 1024).as_bytes()).await;
    assert_eq!(until_cut(&mut stream).await, "");
}

#[tokio::test]
async fn requests_sent_ahead_are_all_answered_however_many() {
    const COUNT: usize = 3_000;
    let (mut reader, mut writer) = connect(PATIENT).await.into_split();
    let ahead = tokio::spawn(async move {
        let request = format!("POST /echo HTTP/1.1\r\nHost: h\r\nX: {}\r\n", "y".repeat(60));
        let kept = format!("{request}Content-Length: 1\r\n\r\nx").repeat(COUNT);
        let last = format!("{request}Connection: close\r\nContent-Length: 1\r\n\r\nx");
        writer.write_all(format!("{kept}{last}").as_bytes()).await.unwrap();
        writer
    });
    assert_eq!(until_cut(&mut reader).await.matches("HTTP/1.1 200").count(), COUNT + 1);
    ahead.await.unwrap();
}

#[tokio::test]
async fn http_2_is_refused_even_byte_by_byte() {
    let mut stream = connect(PATIENT).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    assert_eq!(until_cut(&mut stream).await, "");

    let mut stream = connect(PATIENT).await;
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI " {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(until_cut(&mut stream).await, "");

    let mut stream = connect(PATIENT).await;
    assert!(answer(&mut stream, "PRI * HTTP/2.0").await.contains(" 200 "), "a body may say what it likes");
}

#[tokio::test]
async fn a_connection_too_many_waits_for_one_to_end() {
    let address = serve(Limits { request: LONG, idle: LONG, connections: 1 }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    answer(&mut first, "one").await;

    let mut second = TcpStream::connect(address).await.unwrap();
    let mut waiting = std::pin::pin!(answer(&mut second, "two"));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("it was served beside the first"),
        () = tokio::time::sleep(SHORT) => {}
    }
    answer(&mut first, "still there").await;
    drop(first);
    assert!(waiting.await.contains(" 200 "));
}

/// Fails as its script says, then waits for ever; counts how often it was asked.
struct Failing {
    errors: VecDeque<io::ErrorKind>,
    asked: Arc<AtomicUsize>,
}

impl Acceptor for Failing {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        Vec::new()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.errors.pop_front() {
            Some(kind) => Err(kind.into()),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_failing_accept_pauses_and_a_vanished_caller_does_not() {
    let asked_after = async |errors: [io::ErrorKind; 2]| {
        let asked = Arc::new(AtomicUsize::new(0));
        let failing = Failing { errors: errors.into(), asked: Arc::clone(&asked) };
        let mut guarded = Guarded::new(failing, Limits::default());
        let mut accept = std::pin::pin!(guarded.accept());
        // Polled once: a pause shows as pending after the first failure.
        std::future::poll_fn(|cx| std::task::Poll::Ready(accept.as_mut().poll(cx).is_pending())).await;
        asked.load(Ordering::Relaxed)
    };
    assert_eq!(asked_after([io::ErrorKind::OutOfMemory; 2]).await, 1);
    assert_eq!(asked_after([io::ErrorKind::ConnectionAborted; 2]).await, 3);
}
