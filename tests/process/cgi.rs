//! A backend that folds the names of headers, as many do: PHP behind `FastCGI`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::client::PATIENCE;

/// Prints the request's headers as PHP names them. PHP folds dots in their names itself.
const SCRIPT: &str = "<?php foreach ($_SERVER as $name => $value) if (strpos($name, 'HTTP_') === 0) echo \"$name: $value\\n\";";

/// How a web server derives the name of a variable from the name of a header.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Folding {
    /// RFC 3875 §4.1.18: hyphens become underscores.
    Hyphens,
    /// lighttpd, and Apache earlier: every character except letters and digits becomes an underscore.
    Everything,
}

impl Folding {
    pub(crate) const ALL: [Self; 2] = [Self::Hyphens, Self::Everything];

    fn variable(self, header: &str) -> String {
        let folds = |char: char| match self {
            Self::Hyphens => char == '-',
            Self::Everything => !char.is_ascii_alphanumeric(),
        };
        let name = header.chars().map(|char| if folds(char) { '_' } else { char.to_ascii_uppercase() });
        format!("HTTP_{}", name.collect::<String>())
    }
}

/// A running backend. The body of its answers is the method, and a line for each header as PHP names it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) address: String,
    php: Child,
}

impl Backend {
    /// Starts a backend with its files in `folder`.
    pub(crate) fn start(folder: &Path, folding: Folding) -> Self {
        let (script, socket) = (folder.join("script.php"), folder.join("php.sock"));
        std::fs::write(&script, SCRIPT).unwrap();
        let _earlier = std::fs::remove_file(&socket);
        let mut php = Command::new("php-cgi");
        php.arg("-b").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let php = php.spawn().unwrap();
        let began = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(began.elapsed() < PATIENCE, "PHP does not listen");
            thread::yield_now();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = BufReader::new(connection.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap_or(0) > 0 {}
                let Some(method) = head.split(' ').next().filter(|method| !method.is_empty()) else {
                    continue;
                };
                let mut variables = variables(&head, folding);
                let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
                set("REQUEST_METHOD", method);
                set("SCRIPT_FILENAME", script.to_str().unwrap());
                let Ok(said) = ask(&socket, &variables) else { continue };
                let said = format!("{method}\n{}", said.split_once("\r\n\r\n").map_or("", |(_, body)| body));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
                    said.len()
                );
                let _gone = connection.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { address, php }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ended = self.php.kill().and_then(|()| self.php.wait());
    }
}

/// The variables of a request. Headers that fold to one name share a variable, with their values in a list.
fn variables(head: &str, folding: Folding) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        let variable = variables.entry(folding.variable(name)).or_default();
        *variable = if variable.is_empty() { value.to_owned() } else { format!("{variable}, {value}") };
    }
    variables
}

/// Sends one request in `FastCGI` 1.0, and returns the standard output of the script.
fn ask(socket: &Path, variables: &BTreeMap<String, String>) -> io::Result<String> {
    const BEGIN: u8 = 1;
    const PARAMS: u8 = 4;
    const STDIN: u8 = 5;
    const STDOUT: u8 = 6;
    let record = |kind: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[1, kind, 0, 1, length[0], length[1], 0, 0], content].concat()
    };
    let mut params = Vec::new();
    for (name, value) in variables {
        for text in [name, value] {
            // Lengths from 128 on have this form, which is allowed for shorter ones, too.
            params.extend((u32::try_from(text.len()).unwrap() | 1 << 31).to_be_bytes());
        }
        params.extend([name.as_bytes(), value.as_bytes()].concat());
    }
    // In the role of a responder, on a connection of its own.
    let mut request = record(BEGIN, &[0, 1, 0, 0, 0, 0, 0, 0]);
    request.extend(record(PARAMS, &params));
    request.extend([record(PARAMS, &[]), record(STDIN, &[])].concat());
    let mut connection = UnixStream::connect(socket)?;
    connection.write_all(&request)?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let (mut said, mut rest) = (Vec::new(), &answer[..]);
    while let [_, kind, _, _, high, low, padding, _, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == STDOUT {
            said.extend(&after[..length]);
        }
        rest = &after[length + usize::from(*padding)..];
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}
