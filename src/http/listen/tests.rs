use std::sync::Mutex;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use poem::{Body, Endpoint as _, EndpointExt, IntoResponse, Response, Route, handler, post};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::http::framework::Framework;
use unread::{bursts, events, large, until_reset};

mod unread;

/// A time no test waits for: much later than the limit under test.
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

async fn serve(limits: ConnectionLimits) -> SocketAddr {
    serve_behind(limits, TrustedProxies::default()).await
}

async fn serve_behind(limits: ConnectionLimits, proxies: TrustedProxies) -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), limits, proxies)
}

fn serve_on(listener: TcpListener, limits: ConnectionLimits, proxies: TrustedProxies) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let app = Route::new().at("/echo", post(echo)).at("/drip", drip).at("/large", large);
    let app = app.at("/events", events).at("/bursts", bursts);
    let app = app.around(async |app, request| match request.data::<RequestFault>() {
        Some(fault) => Ok(fault.status().into_response()),
        None => app.call(request).await.map(IntoResponse::into_response),
    });
    let server = Server::new(Framework::new(app.map_to_response().boxed()), limits).behind(proxies);
    tokio::spawn(server.run(BoundListener::Tcp(listener), std::future::pending(), Duration::ZERO));
    address
}

async fn connect(limits: ConnectionLimits) -> TcpStream {
    TcpStream::connect(serve(limits).await).await.unwrap()
}

/// Reads everything the server sends until it closes. The outer limit only keeps a broken server from blocking the
/// test.
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

const PATIENT: ConnectionLimits = ConnectionLimits {
    target: 8_000,
    head: LONG,
    request: LONG,
    response: LONG,
    idle: LONG,
    connections: 8,
    per_address: 4,
};
const SLOW_HEADS: ConnectionLimits = ConnectionLimits { head: SHORT, ..PATIENT };
const SLOW_REQUESTS: ConnectionLimits = ConnectionLimits { request: SHORT, ..PATIENT };
const SLOW_READERS: ConnectionLimits = ConnectionLimits { response: SHORT, ..PATIENT };
const SILENCE: ConnectionLimits = ConnectionLimits { idle: SHORT, ..PATIENT };

#[tokio::test]
async fn slow_headers_are_cut() {
    let mut stream = connect(SLOW_HEADS).await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHos").await.unwrap();
    assert_eq!(until_cut(&mut stream).await, "");
}

#[tokio::test]
async fn headers_that_trickle_are_cut_too() {
    let (mut reader, mut writer) = connect(SLOW_HEADS).await.into_split();
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
    let mut stream = connect(SLOW_HEADS).await;
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
async fn an_answer_longer_than_the_other_limits_is_not_cut_while_it_flows() {
    let mut stream = connect(ConnectionLimits { head: SHORT, request: SHORT, idle: SHORT, ..PATIENT }).await;
    stream.write_all(b"GET /drip HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(until_cut(&mut stream).await.matches('x').count(), 10);
}

#[tokio::test]
async fn the_largest_honest_request_is_answered_again_and_again() {
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
    let address = serve(ConnectionLimits { connections: 1, ..PATIENT }).await;
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

/// Sends a text and returns everything received until the connection ends.
async fn exchange(address: SocketAddr, said: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before everything is sent.
    let _cut = stream.write_all(said.as_bytes()).await;
    let mut heard = String::new();
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut heard)).await;
    // A reset could take back what was said before it.
    end.expect("the connection was kept").expect("the connection ended in order");
    heard
}

/// An application that answers a [`RequestFault`] with its status and collects the faults.
struct Refusing(Mutex<Vec<RequestFault>>);

impl HttpService for Refusing {
    type Body = http_body_util::Full<Bytes>;

    async fn answer(&self, _: Request<Incoming>, _: Option<SocketAddr>) -> hyper::Response<Self::Body> {
        hyper::Response::new("answered".into())
    }

    async fn refuse(
        &self,
        fault: RequestFault,
        _: Option<Parts>,
        _: Option<SocketAddr>,
    ) -> hyper::Response<Self::Body> {
        self.0.lock().unwrap().push(fault);
        hyper::Response::builder().status(fault.status()).body("refused".into()).unwrap()
    }
}

#[tokio::test]
async fn a_head_that_is_not_in_order_is_refused_with_the_applications_own_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Refusing(Mutex::default()), PATIENT);
    tokio::spawn(server.run(BoundListener::Tcp(listener), std::future::pending(), Duration::ZERO));
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
    let many = |count: usize| "A: b\r\n".repeat(count);
    let long = |length: usize| "y".repeat(length);
    for (said, status) in [
        (get("/", ""), "400 Bad Request"),
        (get("/", "Host: a\r\nHost: a\r\n"), "400 Bad Request"),
        (get("/", "Host: a\r\nno line of a header\r\n"), "400 Bad Request"),
        ("hello\r\n\r\n".to_owned(), "400 Bad Request"),
        ("GET / HTTP/3.7\r\nHost: a\r\n\r\n".to_owned(), "400 Bad Request"),
        (get(&format!("/{}", long(8_000)), "Host: a\r\n"), "414 URI Too Long"),
        (format!("GET /{}", long(200_000)), "414 URI Too Long"),
        (get("/", &format!("Host: a\r\nX: {}\r\n", long(50_000))), "431 Request Header Fields Too Large"),
        (get("/", &format!("Host: a\r\nX: {}\r\n", long(900_000))), "431 Request Header Fields Too Large"),
        (get("/", &format!("Host: a\r\n{}", many(101))), "431 Request Header Fields Too Large"),
        (get("/", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"), "501 Not Implemented"),
        (get("/", "Host: a\r\nTransfer-Encoding: gzip\r\n"), "501 Not Implemented"),
        (get("/", "Host: a\r\nTransfer-Encoding: identity\r\n"), "501 Not Implemented"),
    ] {
        let shown = said.get(..said.len().min(80)).unwrap();
        for before in [String::new(), get("/", "Host: a\r\n")] {
            let heard = exchange(address, &format!("{before}{said}")).await;
            let answers = 1 + usize::from(!before.is_empty());
            assert_eq!(heard.matches("HTTP/1.1 ").count(), answers, "{shown:?}: {heard}");
            let (_, heard) = heard.split_at(heard.rfind("HTTP/1.1 ").unwrap_or_default());
            assert!(heard.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{shown:?}: {heard}");
            assert!(heard.ends_with("\r\n\r\nrefused"), "{shown:?}: {heard}");
            assert!(heard.contains("connection: close\r\n"), "{shown:?}: {heard}");
            assert!(heard.contains("content-length: 7\r\n"), "{shown:?}: {heard}");
        }
    }
    let longest = get(&format!("/{}", long(7_999)), &format!("Host: a\r\nConnection: close\r\n{}", many(98)));
    assert!(exchange(address, &longest).await.ends_with("answered"));
    let more = get("/", "Host: a\r\nConnection: close\r\n") + &long(200_000);
    assert!(exchange(address, &more).await.ends_with("answered"), "whatever comes after the last request");
}

/// An application that answers every request, also one that it refuses, at some length.
struct Lengthy;

impl Lengthy {
    const LENGTH: usize = 40_000;

    fn said() -> hyper::Response<http_body_util::Full<Bytes>> {
        hyper::Response::new(vec![b'x'; Self::LENGTH].into())
    }
}

impl HttpService for Lengthy {
    type Body = http_body_util::Full<Bytes>;

    async fn answer(&self, _: Request<Incoming>, _: Option<SocketAddr>) -> hyper::Response<Self::Body> {
        Self::said()
    }

    async fn refuse(
        &self,
        _: RequestFault,
        _: Option<Parts>,
        _: Option<SocketAddr>,
    ) -> hyper::Response<Self::Body> {
        Self::said()
    }
}

/// A close with unread bytes would be a reset, which drops what the peer has not received yet.
#[tokio::test]
async fn the_last_answer_arrives_whole_whatever_is_sent_behind_its_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Lengthy, PATIENT);
    tokio::spawn(server.run(BoundListener::Tcp(listener), std::future::pending(), Duration::ZERO));
    for said in ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "no request\r\n\r\n"] {
        let socket = TcpSocket::new_v4().unwrap();
        // So small that most of the answer waits in the server's kernel.
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let behind = "y".repeat(200_000);
        // The server may close the connection before everything is sent.
        let _cut = stream.write_all(format!("{said}{behind}").as_bytes()).await;
        let _cut = stream.shutdown().await;
        let heard = until_cut(&mut stream).await;
        assert_eq!(heard.matches('x').count(), Lengthy::LENGTH, "{said:?}");
    }
}

#[tokio::test]
async fn the_oldest_connection_without_a_request_gives_way() {
    let address = serve(ConnectionLimits { connections: 4, per_address: 4, ..PATIENT }).await;
    let mut spoken = TcpStream::connect(address).await.unwrap();
    answer(&mut spoken, "one").await;
    // Half of all is the most that one address may have: its own oldest gives way.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half_said = TcpStream::connect(address).await.unwrap();
    half_said.write_all(b"POST /echo HT").await.unwrap();
    until_reset(&mut silent).await;
    let mut new = TcpStream::connect(address).await.unwrap();
    until_reset(&mut half_said).await;
    answer(&mut new, "two").await;
    answer(&mut spoken, "three").await;
    // Both have sent requests: the address has all that it may have.
    until_reset(&mut TcpStream::connect(address).await.unwrap()).await;
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_count_by_their_own_addresses() {
    count_by_their_own_addresses(TcpListener::bind("127.0.0.1:0").await.unwrap()).await;
    // To a socket of both families a peer is `::ffff:127.0.0.1`. A machine without IPv6 has none.
    if let Ok(listener) = TcpListener::bind("[::]:0").await {
        count_by_their_own_addresses(listener).await;
    }
}

async fn count_by_their_own_addresses(listener: TcpListener) {
    let proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let port =
        serve_on(listener, ConnectionLimits { connections: 100, per_address: 2, ..PATIENT }, proxies).port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let open = async |client: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n";
        stream.write_all(format!("{head}X-Forwarded-For: {client}\r\n\r\n").as_bytes()).await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        (stream, String::from_utf8(said.to_vec()).unwrap())
    };
    let (mut first, under_way) = open("198.51.100.1").await;
    assert_eq!(under_way, "HTTP/1.1 100");
    let (_second, under_way) = open("198.51.100.1").await;
    assert_eq!(under_way, "HTTP/1.1 100");
    assert_eq!(open("6.6.6.6, 198.51.100.1").await.1, "HTTP/1.1 429");
    let mut others = Vec::new();
    for other in 2..20 {
        others.push(open(&format!("198.51.100.{other}")).await);
    }
    assert!(others.iter().all(|(_, under_way)| under_way == "HTTP/1.1 100"));
    first.write_all(b"x").await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\nx") {
        assert_ne!(first.read_buf(&mut said).await.unwrap(), 0);
    }
    assert_eq!(open("198.51.100.1").await.1, "HTTP/1.1 100", "an answered request takes no slot");
    for _ in 0..4 {
        others.push(open("127.0.0.1").await);
        assert_eq!(
            others.last().unwrap().1,
            "HTTP/1.1 100",
            "what a proxy asks for itself counts for nobody"
        );
    }
}

#[tokio::test]
async fn a_stop_finishes_what_has_begun_and_waits_for_nobody_longer_than_its_grace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Route::new().at("/echo", post(echo)).map_to_response().boxed();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(Framework::new(app), PATIENT);
    let running =
        tokio::spawn(server.run(BoundListener::Tcp(listener), async { stopped.await.unwrap() }, LONG));
    let mut begun = TcpStream::connect(address).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    begun.write_all(head.as_bytes()).await.unwrap();
    let mut silent = TcpStream::connect(address).await.unwrap();
    begun.read_exact(&mut [0; 25]).await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(until_cut(&mut silent).await, "");
    begun.write_all(b"x").await.unwrap();
    let said = until_cut(&mut begun).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("\r\n\r\nx"), "{said}");
    running.await.unwrap();
}
