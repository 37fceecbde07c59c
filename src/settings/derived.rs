//! Values that follow from the settings: paths, and the issuer of a new store.

use std::path::PathBuf;

use super::table::Settings;

impl Settings {
    /// The path of the administration socket in the data folder; the socket exists while a server runs.
    pub fn admin_socket(&self) -> PathBuf {
        self.data.join("admin.sock")
    }

    /// The path of the master key file: the one that is set, else one beside the data folder and named after it, so
    /// that a copy of the folder never holds what unseals its keys.
    pub fn master_key_path(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| match self.data.file_name() {
            Some(name) => {
                let mut name = name.to_owned();
                name.push(".key");
                self.data.with_file_name(name)
            }
            None => self.data.join("..").join("rescind.key"),
        })
    }

    /// The issuer that the settings name for a new store, if they name one.
    pub fn named_issuer(&self) -> Option<&str> {
        self.issuer.as_deref().or(self.public_url.as_deref())
    }

    /// Whether a first start would write an address that nobody can reach into every token as issuer: the settings name
    /// none, and the service listens on every address of the machine.
    pub fn lacks_reachable_issuer(&self) -> bool {
        self.named_issuer().is_none() && self.listen.ip().to_canonical().is_unspecified()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_master_key_lies_beside_the_data_folder_never_in_it() {
        let path = |data: &str| Settings::with(&[("data", data)]).unwrap().master_key_path();
        assert_eq!(path("./rescind-data"), Path::new("./rescind-data.key"));
        assert_eq!(path("/var/lib/rescind/"), Path::new("/var/lib/rescind.key"));
        assert_eq!(path("."), Path::new("./../rescind.key"));
        let set = Settings::with(&[("master_key_file", "/run/secrets/master")]).unwrap();
        assert_eq!(set.master_key_path(), Path::new("/run/secrets/master"));
    }

    #[test]
    fn a_reachable_issuer_is_a_named_one_or_an_address_to_listen_on() {
        let lacks = |changes: &[(&str, &str)]| Settings::with(changes).unwrap().lacks_reachable_issuer();
        assert!(lacks(&[("listen", "0.0.0.0:8080")]) && lacks(&[("listen", "[::ffff:0.0.0.0]:8080")]));
        assert!(!lacks(&[("listen", "10.0.0.1:8080")]));
        for named in [("issuer", "rescind"), ("public_url", "https://id.example")] {
            assert!(!lacks(&[("listen", "0.0.0.0:8080"), named]), "{named:?}");
        }
    }
}
