//! What the README tells people to type does what it says.

use std::path::Path;
use std::process::Command;

use crate::client::Client;
use crate::place::{Place, RESCIND, run};
use crate::server::Server;
use crate::session::Session;

pub(crate) const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The service and the guard, as the README calls them.
const SERVICE: &str = "http://127.0.0.1:8080";
const GUARD: &str = "127.0.0.1:8090";

/// The README's blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(README).unwrap();
    let open = format!("\n```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once(&open) {
        let (block, after) = after.split_once("\n```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

/// Its commands, but for those that build and test: `tests/run` and a clean checkout run them.
fn commands() -> Vec<String> {
    let mut blocks = blocks("sh");
    assert!(blocks.iter().any(|block| block == "cargo run --release -- serve"), "{blocks:?}");
    blocks.retain(|block| block != "cargo run --release -- serve" && block != "tests/run");
    blocks
}

/// Somebody who types them one after the other.
struct Reader {
    place: Place,
    server: Server,
    /// In `$ACCESS`, as the README leaves it there.
    session: Session,
    /// The guard, once it was started.
    guard: Option<Server>,
}

impl Reader {
    fn new() -> Self {
        let place = Place::new();
        let server = place.serve();
        let session = Session::register(&server.client, "eve", "Phone");
        Self { place, server, session, guard: None }
    }

    /// A shell with the block as it stands, but for where things listen.
    fn shell(&self, block: &str) -> Command {
        let url = format!("http://{}", self.server.client.address);
        let guard = self.guard.as_ref().map_or("127.0.0.1:0", |guard| &guard.client.address);
        let commands = block.replace(SERVICE, &url).replace(GUARD, guard);
        let mut bash = self.place.program("bash", &["-e", "-u", "-o", "pipefail", "-c", &commands]);
        let folder = Path::new(RESCIND).parent().unwrap();
        let folders = [folder, "/usr/local/bin".as_ref(), "/usr/bin".as_ref(), "/bin".as_ref()];
        bash.env("PATH", std::env::join_paths(folders).unwrap());
        bash.env("URL", url).env("ACCESS", &self.session.access);
        bash
    }

    /// What the block prints.
    fn types(&self, block: &str) -> String {
        let ran = run(self.shell(block), "");
        assert_eq!(ran.code, Some(0), "{block}\n{ran:?}");
        ran.out
    }

    /// Starts the guard of the block, which ends when the test does: so it takes the shell's place.
    fn starts_guard(&mut self, block: &str) {
        let guard = self.place.start(self.shell(&block.replace("\nrescind guard", "\nexec rescind guard")));
        guard.assert_ready();
        self.guard = Some(guard);
    }

    fn client(&self) -> &Client {
        &self.server.client
    }
}

#[test]
fn the_readmes_commands_run_as_they_stand() {
    let mut reader = Reader::new();
    let mut with_curl = Vec::new();
    for block in commands() {
        if block.contains("\nrescind guard") {
            reader.starts_guard(&block);
        } else {
            let out = reader.types(&block);
            with_curl.extend(block.contains("curl").then_some((block, out)));
        }
    }
    let [(_, demo), (_, asked), (check, checked)] = &with_curl[..] else { panic!("{with_curl:?}") };
    assert!(demo.contains(r#""signed_out":2"#), "{demo}");
    let last = demo.rsplit_once("\n{").map_or(demo.as_str(), |(_, last)| last);
    assert!(last.contains(r#""code":"signed_out_everywhere""#), "{demo}");
    assert!(asked.contains(r#""active":true"#) && asked.contains(r#""username":"eve""#), "{asked}");
    assert!(checked.starts_with("HTTP/1.1 204 "), "{checked}");
    let me = reader.session.me(reader.client()).ok();
    let user = format!("\r\nx-auth-user: {}\r\n", me["user"]["id"].as_str().unwrap());
    assert!(checked.contains(&user), "{checked}");

    // And once she has signed out, as the README has it.
    reader.client().post("/api/v1/auth/logout-all/", &reader.session.access, &serde_json::json!({})).ok();
    let guard = reader.guard.as_ref().unwrap();
    guard.assert_comes_to(&reader.session.access, "401 signed_out_everywhere");
    let refused = reader.types(check);
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("x-auth-code: signed_out_everywhere"), "{refused}");
}

/// The library's promise and its example are those of its module docs, where the example is compiled.
#[test]
fn the_readme_says_of_the_library_what_the_library_says() {
    let docs = include_str!("../../src/verifier.rs");
    let docs: Vec<_> = docs.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let shown: Vec<_> = docs.iter().filter(|line| !line.starts_with("# ") && !line.is_empty()).collect();
    let [example] = &blocks("rust")[..] else { panic!("one example in Rust") };
    let lines: Vec<_> = example.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(shown.windows(lines.len()).any(|part| part.iter().copied().eq(&lines)), "{example}");

    let readme = std::fs::read_to_string(README).unwrap();
    let quoted: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let promise = docs.join(" ").replace("**", "");
    assert!(promise.contains(&quoted.join(" ")), "{quoted:?}");
}

/// What the README writes into somebody's `Cargo.toml` names features that there are.
#[test]
fn the_readmes_dependency_is_this_crate() {
    let ours: toml::Table = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
    let written = blocks("toml").into_iter().find(|block| block.starts_with("[dependencies]")).unwrap();
    let written: toml::Table = toml::from_str(&written).unwrap();
    let dependency = &written["dependencies"][ours["package"]["name"].as_str().unwrap()];
    assert_eq!(dependency["default-features"].as_bool(), Some(false));
    let features = dependency["features"].as_array().unwrap();
    assert_eq!(features.len(), 1);
    assert!(ours["features"].get(features[0].as_str().unwrap()).is_some(), "{features:?}");
}
