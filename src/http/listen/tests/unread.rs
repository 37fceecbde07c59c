//! Answers that nobody reads, or too slowly.

use super::*;

/// The length of an answer that is larger than the kernel takes at once.
const LARGE: usize = 8 * 1024 * 1024;
static LARGE_BODY: [u8; LARGE] = [b'x'; LARGE];

#[handler]
pub(super) fn large() -> Response {
    Response::builder().body(LARGE_BODY.as_slice())
}

/// A stream of events of 1 KiB that has no end.
#[handler]
pub(super) fn events() -> Response {
    let events = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1024]));
    Response::builder().extension(Endless).body(Body::from_bytes_stream(events))
}

/// A stream without an end, of events so large that no peer takes one at once.
#[handler]
pub(super) fn bursts() -> Response {
    let bursts = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; LARGE]));
    Response::builder().extension(Endless).body(Body::from_bytes_stream(bursts))
}

/// A connection with a small receive buffer that requests `path` and reads nothing.
async fn ask_and_read_nothing(address: SocketAddr, path: &str) -> TcpStream {
    ask_with_buffer(address, path, 4096).await
}

/// The same with a receive buffer of that size.
async fn ask_with_buffer(address: SocketAddr, path: &str, size: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(size).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection is reset, and fails if it ends in another way. Returns the number of bytes.
pub(super) async fn until_reset(stream: &mut TcpStream) -> usize {
    let mut bytes = vec![0; 64];
    let mut count = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(60), stream.read(&mut bytes)).await.unwrap() {
            Ok(0) => panic!("the connection was closed in order"),
            Ok(read) => count += read,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                return count;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_cut_and_the_kernel_keeps_nothing_of_it() {
    for path in ["/large", "/events"] {
        let mut stream = ask_and_read_nothing(serve(SLOW_READERS).await, path).await;
        let reset = stream.ready(tokio::io::Interest::ERROR);
        tokio::time::timeout(Duration::from_secs(60), reset).await.expect("it was never cut").unwrap();
        assert!(until_reset(&mut stream).await < LARGE, "{path}");
    }
}

/// It reads enough for the server to write something now and then, and by far not all.
#[tokio::test]
async fn a_reader_that_drips_is_cut_like_one_that_reads_nothing() {
    // Long enough that no busy machine pauses between two writes for that time, and far too short for the whole.
    let limits = ConnectionLimits { response: SHORT * 10, ..PATIENT };
    for path in ["/large", "/bursts"] {
        let mut stream = ask_with_buffer(serve(limits).await, path, 64 * 1024).await;
        let dripping = async {
            let mut bytes = vec![0; 16 * 1024];
            let mut all = 0;
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                all += count;
                assert!(all < LARGE, "{path} was read to its end");
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), dripping).await.expect("it was never cut");
    }
}

#[tokio::test]
async fn a_stream_that_is_read_has_no_end() {
    // Long enough that no busy machine makes this reader a slow one.
    let limits = ConnectionLimits { response: SHORT * 20, ..PATIENT };
    let mut stream = ask_and_read_nothing(serve(limits).await, "/events").await;
    let began = tokio::time::Instant::now();
    let mut bytes = vec![0; 64 * 1024];
    while began.elapsed() < limits.response * 3 / 2 {
        assert_ne!(stream.read(&mut bytes).await.unwrap(), 0);
    }
}
