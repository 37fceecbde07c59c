//! What the README tells people to type does what it says.

use std::path::Path;

use crate::place::{Place, RESCIND, run};

pub(crate) const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The README's blocks of commands, but for those that build and test: `tests/run` and a clean checkout run them.
fn blocks() -> Vec<String> {
    let text = std::fs::read_to_string(README).unwrap();
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("\n```sh\n") {
        let (block, after) = after.split_once("\n```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    assert!(blocks.iter().any(|block| block == "cargo run --release -- serve"), "{blocks:?}");
    blocks.retain(|block| block != "cargo run --release -- serve" && block != "tests/run");
    blocks
}

#[test]
fn the_readmes_commands_run_as_they_stand() {
    let place = Place::new();
    let server = place.serve();
    let folder = Path::new(RESCIND).parent().unwrap();
    let path =
        std::env::join_paths([folder, "/usr/local/bin".as_ref(), "/usr/bin".as_ref(), "/bin".as_ref()])
            .unwrap();
    let mut with_curl = 0;
    for block in blocks() {
        let commands =
            block.replace("URL=http://127.0.0.1:8080", &format!("URL=http://{}", server.client.address));
        let mut bash = place.program("bash", &["-e", "-u", "-o", "pipefail", "-c", &commands]);
        bash.env("PATH", &path);
        let ran = run(bash, "");
        assert_eq!(ran.code, Some(0), "{block}\n{ran:?}");
        if block.contains("curl") {
            with_curl += 1;
            let last = ran.out.rsplit_once("\n{").map_or(ran.out.as_str(), |(_, last)| last);
            assert!(ran.out.contains(r#""signed_out":2"#), "{ran:?}");
            assert!(last.contains(r#""code":"signed_out_everywhere""#), "{ran:?}");
        }
    }
    assert_eq!(with_curl, 1);
}
