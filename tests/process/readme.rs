//! The commands of the README do what the README says.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::place::{Place, RESCIND};
use crate::skipped::skipped;

pub(crate) const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The service's URL in the README.
const SERVICE: &str = "http://127.0.0.1:8080";
const GUARD: &str = "127.0.0.1:8090";

/// The README's code blocks in a language.
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

/// The README's commands, except those that build and test: `tests/run` and a clean checkout run them.
fn commands() -> Vec<String> {
    const BUILD: [&str; 2] = ["cargo install --path .", "tests/run"];
    let mut blocks = blocks("sh");
    assert!(BUILD.iter().all(|build| blocks.iter().any(|block| block == build)), "{blocks:?}");
    blocks.retain(|block| !BUILD.contains(&block.as_str()));
    blocks
}

/// Commands after the README's verification in Python, which has to refuse these tokens.
const REFUSALS: &str = r#"
if python3 verify.py $URL elsewhere "$ACCESS"; then exit 91; fi
if python3 verify.py $URL rescind "${ACCESS}A"; then exit 92; fi
rescind key distrust "$(curl -s $URL/.well-known/paserk | grep -o 'k4.pid.[A-Za-z0-9_-]*","state":"active' | cut -d'"' -f1)" --yes
if python3 verify.py $URL rescind "$ACCESS"; then exit 93; fi
ACCESS=$(sign_in)
python3 verify.py $URL rescind "$ACCESS"
"#;

/// A free address.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Runs all blocks in one shell in an empty folder, unchanged except for addresses. Returns each block with what it
/// and its background jobs printed until the next one.
fn typed(blocks: &[String]) -> Vec<(String, String)> {
    let place = Place::new();
    let (service, guard) = (free_address(), free_address());
    let mut script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
    for block in blocks {
        let block = block.replace(SERVICE, &format!("http://{service}")).replace(GUARD, &guard);
        script.push_str("echo; echo '@@'\n");
        script.push_str(&block);
        script.push('\n');
        if block.contains("verify.py") {
            script.push_str(REFUSALS);
        }
    }
    script.push_str("wait\n");
    std::fs::create_dir(place.path("empty")).unwrap();
    let mut bash = place.program("bash", &["-e", "-u", "-o", "pipefail", "-c", &script]);
    let folder = Path::new(RESCIND).parent().unwrap();
    let python = std::env::var_os("TEST_PYTHON_BIN").unwrap_or_default();
    let folders =
        [folder, Path::new(&python), "/usr/local/bin".as_ref(), "/usr/bin".as_ref(), "/bin".as_ref()];
    bash.env("PATH", std::env::join_paths(folders).unwrap()).current_dir(place.path("empty"));
    bash.env("RESCIND_LISTEN", &service).env("RESCIND_METRICS_LISTEN", "off");
    // A file: what runs in the background would hold a pipe open.
    let printed = File::create(place.path("printed")).unwrap();
    bash.stdout(printed.try_clone().unwrap()).stderr(printed).process_group(0);
    let status = bash.status().unwrap();
    let printed = std::fs::read_to_string(place.path("printed")).unwrap();
    assert!(status.success(), "{status}: {printed}");
    let outputs: Vec<_> = printed.split("\n@@\n").skip(1).map(str::to_owned).collect();
    assert_eq!(outputs.len(), blocks.len(), "{printed}");
    blocks.iter().cloned().zip(outputs).collect()
}

#[test]
fn the_readmes_commands_run_in_one_shell_in_an_empty_folder() {
    let mut blocks = commands();
    if std::env::var_os("TEST_PYTHON_BIN").is_none() {
        skipped(
            "TEST_PYTHON_BIN is not set, so nothing verifies a token in Python; `tests/run rust` sets it",
        );
        blocks.retain(|block| !block.contains("verify.py"));
    }
    let with_python = blocks.iter().any(|block| block.contains("verify.py"));
    let typed = typed(&blocks);
    let of = |part: &str| {
        let found = typed.iter().find(|(block, _)| block.contains(part));
        found.map_or_else(|| panic!("no block has {part}"), |(_, out)| out.as_str())
    };
    let demo = of("auth/register");
    assert!(demo.contains(r#""signed_out":2"#), "{demo}");
    let last = demo.rsplit_once("\n{").or_else(|| demo.rsplit_once("}{")).map_or(demo, |(_, last)| last);
    assert!(last.contains(r#""code":"signed_out_everywhere""#), "{demo}");
    let asked = of("oauth/introspect");
    assert!(asked.contains(r#""active":true"#) && asked.contains(r#""username":"grace""#), "{asked}");
    let checked = of("/verify");
    assert!(checked.contains("HTTP/1.1 204 ") && checked.contains("x-auth-user: "), "{checked}");
    assert!(of("rescind doctor").contains("nothing is broken"), "{}", of("rescind doctor"));
    let lists = of("config show --set");
    for item in ["127.0.0.1/32", "https://www.example"] {
        assert!(lists.contains(item), "{lists}");
    }
    if with_python {
        let verified = of("verify.py");
        assert_eq!(verified.matches("on device").count(), 2, "{verified}");
        assert!(verified.contains("refused"), "{verified}");
    }
}

/// The README names every scope and the commands around the master key, for readers of nothing else.
#[test]
fn the_readme_names_every_scope_and_command_that_a_first_day_takes() {
    let readme = std::fs::read_to_string(README).unwrap();
    for scope in rescind::model::service_key::Scope::ALL {
        assert!(readme.contains(&format!("| `{}` |", scope.as_str())), "{scope:?}");
    }
    for command in ["rescind key master", "rescind store restored --yes", "--keep-service-keys"] {
        assert!(readme.contains(command), "{command}");
    }
}

/// The README's example of the library is that of the module docs, where it is compiled.
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

/// The dependency that the README shows names an existing feature.
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
