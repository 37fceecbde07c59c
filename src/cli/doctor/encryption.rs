//! Whether the connection to the database is encrypted: it carries password hashes, sealed keys and addresses.

use super::diagnosis::{Diagnosis, Grade};
use crate::cli::service::Protected;

const ABOUT: &str = "connection to the database";

pub(super) fn judge(found: Protected) -> Diagnosis {
    match found {
        Protected { encrypted: true, .. } => {
            Diagnosis::good(ABOUT, "encrypted (TLS), with the certificate and the name verified")
        }
        Protected { here: true, .. } => {
            Diagnosis::good(ABOUT, "not encrypted, and it does not leave this machine")
        }
        Protected { .. } => {
            let what = "not encrypted, since `store` says sslmode=disable: whoever is on the network between can read and change what travels there";
            let help = "turn on TLS in the database and take sslmode=disable out of `store`; if the whole network between is yours alone, it may stay";
            Diagnosis::new(ABOUT, Grade::Warning, what, help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unencrypted_connection_beyond_this_machine_is_a_warning() {
        for (encrypted, here, grade) in [
            (true, true, Grade::Good),
            (true, false, Grade::Good),
            (false, true, Grade::Good),
            (false, false, Grade::Warning),
        ] {
            assert_eq!(judge(Protected { encrypted, here }).grade, grade, "{encrypted} {here}");
        }
    }
}
