//! The resource servers of `examples/` as processes: they answer users who are signed in, and nobody else.

use std::path::Path;
use std::process::Command;

use crate::guarded::Scene;
use crate::place::RESCIND;
use crate::session::Session;

/// Builds an example and returns its path, since a run of some tests alone does not build it.
fn built(example: &str) -> String {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--example", example]);
    // Variables that Cargo sets for tests would make it rebuild packages that depend on them.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|of| name.as_encoded_bytes().starts_with(of.as_bytes()))
        {
            command.env_remove(name);
        }
    }
    let built = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = Path::new(RESCIND).with_file_name("examples").join(example);
    program.to_str().unwrap().to_owned()
}

fn keeps_its_word(example: &str) {
    let mut scene = Scene::new(0);
    let mut command = scene.place.program(&built(example), &[]);
    command.env("RESCIND_SERVICE_KEY", &scene.key).env("LISTEN", "127.0.0.1:0");
    command.env("ISSUER_URL", &scene.issuer);
    let server = scene.place.start(command);
    let orders = |token: &str| server.client.get("/orders", token);
    let (gone, good) = (
        Session::register(scene.client(), "ada", "Phone"),
        Session::register(scene.client(), "eve", "Phone"),
    );
    let user = gone.me(scene.client()).ok()["user"]["id"].clone();
    assert_eq!(orders(&gone.access).ok()["user"], user);
    assert_eq!(server.client.get("/readyz", "").status, 200);

    let none = orders("");
    assert_eq!(none.problem(), "401 token_missing");
    assert_eq!(none.header("www-authenticate"), Some(r#"Bearer realm="orders""#));
    assert_eq!(orders("v4.public.forged").problem(), "401 token_invalid");
    assert_eq!(orders(&gone.refresh).problem(), "401 token_invalid", "a refresh token opens nothing");

    let path = "/api/v1/auth/logout-all?wait=30s";
    let answer = scene.client().post(path, &gone.access, &serde_json::json!({})).ok();
    assert_eq!(answer["in_force"], true, "{answer}");
    assert_eq!(orders(&gone.access).problem(), "401 signed_out_everywhere", "at once");
    orders(&good.access).ok();
    orders(&Session::login(scene.client(), "ada", "Phone").access).ok();

    drop(scene.server.take().unwrap().kill());
    server.assert_becomes("503", || server.client.get("/readyz", "").status.to_string());
    let stale = orders(&good.access);
    assert_eq!((stale.problem().as_str(), stale.header("retry-after")), ("503 stale", Some("2")));
}

#[test]
fn the_one_in_axum() {
    keeps_its_word("resource_server_axum");
}

#[test]
fn the_one_in_poem() {
    keeps_its_word("resource_server_poem");
}
