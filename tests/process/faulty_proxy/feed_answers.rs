//! The faults of frames and of answers to pings.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Inner, NetworkFault};

impl Inner {
    /// Forwards answers until one side has closed.
    pub(super) fn answers(&self, mut from: BufReader<TcpStream>, mut to: TcpStream) -> Option<()> {
        loop {
            let head = head(&mut from)?;
            self.wait_while_silent();
            if head.contains("text/event-stream") {
                to.write_all(head.as_bytes()).ok()?;
                self.state.lock().unwrap().streams += 1;
                self.changed.notify_all();
                return self.chunks(from, to);
            }
            let mut body = vec![0; length(&head)];
            from.read_exact(&mut body).ok()?;
            if body.starts_with(b"{\"pong\"") {
                if self.fault() == NetworkFault::Flood {
                    to.write_all(with_length(&head, usize::MAX / 2).as_bytes()).ok()?;
                    return flood(|bytes| to.write_all(bytes));
                }
                body = self.pong(body)?;
            }
            to.write_all(with_length(&head, body.len()).as_bytes()).ok()?;
            to.write_all(&body).ok()?;
        }
    }

    fn pong(&self, mut body: Vec<u8>) -> Option<Vec<u8>> {
        match self.fault() {
            NetworkFault::DropPongs => return self.never(),
            NetworkFault::RepeatPongs | NetworkFault::Hide => {
                return Some(self.state.lock().unwrap().pong.get_or_insert(body).clone());
            }
            NetworkFault::AlterPongs => alter(&mut body),
            NetworkFault::Delay(time) => self.wait(time),
            _ => {}
        }
        self.state.lock().unwrap().pong = Some(body.clone());
        Some(body)
    }

    /// Forwards the chunks of a stream; the server writes each event as one chunk.
    fn chunks(&self, mut from: BufReader<TcpStream>, mut to: TcpStream) -> Option<()> {
        let mut kept: Option<Vec<u8>> = None;
        loop {
            let mut chunk = chunk(&mut from)?;
            self.wait_while_silent();
            let is_frame = String::from_utf8_lossy(&chunk).contains("v4.public.");
            let send = match self.fault() {
                _ if !is_frame => vec![chunk],
                NetworkFault::Flood => {
                    // The frame without its end.
                    write_chunk(&mut to, chunk.trim_ascii_end()).ok()?;
                    return flood(|bytes| write_chunk(&mut to, bytes));
                }
                NetworkFault::DropFrames | NetworkFault::Hide => vec![],
                NetworkFault::RepeatFrames => vec![chunk.clone(), chunk],
                NetworkFault::SwapFrames => {
                    if let Some(earlier) = kept.take() {
                        vec![chunk, earlier]
                    } else {
                        kept = Some(chunk);
                        Vec::new()
                    }
                }
                NetworkFault::AddEvents => vec![b"event: weather\ndata: rain\n\n".to_vec(), chunk],
                NetworkFault::AlterFrames => {
                    alter(&mut chunk);
                    vec![chunk]
                }
                NetworkFault::Delay(time) => {
                    self.wait(time);
                    vec![chunk]
                }
                _ => vec![chunk],
            };
            for chunk in send {
                write_chunk(&mut to, &chunk).ok()?;
            }
        }
    }
}

fn head(from: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, length)| length.parse().unwrap())
}

fn with_length(head: &str, length: usize) -> String {
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, _)) if name.eq_ignore_ascii_case("content-length") => format!("{name}: {length}\r\n"),
        _ => format!("{line}\r\n"),
    });
    lines.collect()
}

fn chunk(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    from.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
    let mut chunk = vec![0; size + 2];
    from.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some(chunk)
}

fn write_chunk(to: &mut impl Write, chunk: &[u8]) -> std::io::Result<()> {
    to.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
    to.write_all(chunk)?;
    to.write_all(b"\r\n")
}

/// Writes until the other side has closed.
fn flood(mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Option<()> {
    let bytes = vec![b'A'; 64 << 10];
    while write(&bytes).is_ok() {}
    None
}

/// Changes one character within the signed text.
fn alter(text: &mut [u8]) {
    let start = text.windows(10).position(|part| part == b"v4.public.").unwrap() + 10;
    let at = start + (text.len() - start) / 3;
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
}
