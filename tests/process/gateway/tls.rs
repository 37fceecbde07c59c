//! A guard that follows its issuer through nginx with TLS.

use std::net::TcpListener;

use super::{Gateway, NGINX, is_there, proxy_folder};
use crate::guarded::Scene;
use crate::place::{RESCIND, self_signed};
use crate::session::Session;

/// The configuration of an nginx that ends TLS before the service, with a certificate for this machine.
const TLS: &str = "worker_processes 1; events { worker_connections 64; }

    http {
        access_log off;
        server {
            listen ADDRESS ssl; ssl_certificate cert; ssl_certificate_key key;
            location / { proxy_pass http://SERVICE; proxy_http_version 1.1; proxy_set_header Connection ''; }
        }
    }";

#[test]
fn an_issuer_behind_tls_is_followed_when_its_certificate_is_trusted() {
    if !is_there("nginx") || !is_there("openssl") {
        return;
    }
    let scene = Scene::new(0);
    let folder = proxy_folder(&scene);
    let made = self_signed(&folder, "localhost", "127.0.0.1", ["key", "cert"]);
    assert!(made.as_ref().unwrap().status.success(), "{made:?}");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = TLS.replace("ADDRESS", &address).replace("SERVICE", &scene.proxy.address);
    let gateway = Gateway::with("nginx", &NGINX, &[("nginx.conf", &config)], &address, scene);

    let url = format!("https://{address}");
    let words = ["guard", "--url", &url, "--issuer", &gateway.scene.issuer, "--audience", "rescind"];
    let command = || {
        let mut command =
            gateway.scene.place.program(RESCIND, &[&words[..], &["--listen", "127.0.0.1:0"]].concat());
        command.env("RESCIND_SERVICE_KEY", &gateway.scene.key);
        command
    };
    let mut trusting = command();
    trusting.env("SSL_CERT_FILE", folder.join("cert"));
    let guard = gateway.scene.place.start(trusting);
    guard.assert_ready();
    let session = Session::register(gateway.scene.client(), "ada", "Phone");
    guard.assert_comes_to(&session.access, "204");
    gateway.scene.sign_out(&session);
    guard.assert_comes_to(&session.access, "401 signed_out_everywhere");

    let wary = gateway.scene.place.start(command());
    wary.stderr.wait_for_line("certificate");
    assert_eq!(wary.client.get("/readyz", "").status, 503);
}
