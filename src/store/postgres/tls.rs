//! TLS to the database. The server's certificate and name are always verified.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The reason why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of the certificate authority cannot be read.
    #[error("the file {path:?} of `store_ca_file` holds no certificate that can be read; it takes PEM")]
    Authority {
        /// The path of the file.
        path: PathBuf,
    },
    /// The TLS library refused its configuration.
    #[error("TLS cannot be set up")]
    Setup,
}

/// A TLS connector that trusts the certificate authorities of this machine, and those in the file `authority`.
pub(super) fn connector(authority: Option<&Path>) -> Result<MakeRustlsConnect, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authority {
        let unreadable = || TlsError::Authority { path: path.to_owned() };
        let certificates: Vec<CertificateDer<'_>> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|_| unreadable())?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(unreadable());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
