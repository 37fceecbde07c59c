//! The `RESCIND_*` variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::fault::SettingFault;
use super::source::{GivenValue, SettingSource};

pub(super) const PREFIX: &str = "RESCIND_";

/// The variable that names the settings file. It is no setting itself, since it is needed before there are any.
pub const CONFIG: &str = "RESCIND_CONFIG";

/// The variable with the service key of a guard. It is no setting: other commands ignore it, and no list of settings
/// shows it.
pub const SERVICE_KEY: &str = "RESCIND_SERVICE_KEY";

/// The variables of the environment for this program, taken once so that no other code reads the real one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Keeps the variables that begin with `RESCIND_`. An empty value counts as unset, as a shell, a unit file or a
    /// compose file means it.
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = vars.into_iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value))
        });
        Self(ours.collect())
    }

    /// The settings file named by [`CONFIG`].
    pub fn config(&self) -> Option<&OsString> {
        self.0.get(CONFIG)
    }

    /// The service key in [`SERVICE_KEY`].
    pub fn service_key(&self) -> Option<&OsString> {
        self.0.get(SERVICE_KEY)
    }

    pub(super) fn said(&self, faults: &mut Vec<SettingFault>) -> Vec<GivenValue> {
        let mut said = Vec::new();
        for (name, value) in &self.0 {
            match value.to_str() {
                _ if name == CONFIG || name == SERVICE_KEY => {}
                Some(text) if injected(name, text) => {}
                Some(text) => said.push(GivenValue {
                    name: name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase(),
                    text: text.to_owned(),
                    at: SettingSource::Environment(name.clone()),
                }),
                None => faults.push(SettingFault::NotText { name: name.clone() }),
            }
        }
        said
    }
}

/// Whether a variable was injected by Kubernetes or Docker, which describe a service or container named `rescind` to
/// its neighbours in variables that look like settings. Refusing them would keep the service from starting.
fn injected(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let port_of =
        name.rsplit("_PORT_").next().is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_url)
        || (name.contains("_PORT_") && port_of)
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Some values are secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(vars: &[(&str, &str)]) -> Vec<String> {
        let vars = vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Environment::from_vars(vars).said(&mut Vec::new()).into_iter().map(|said| said.name).collect()
    }

    #[test]
    fn only_our_variables_count() {
        let vars = [("PATH", "/bin"), ("RESCIND_LISTEN", "[::1]:1"), ("RESCIND_CONFIG", "a.toml")];
        assert_eq!(names(&vars), ["listen"]);
    }

    #[test]
    fn an_empty_variable_is_no_variable() {
        let vars =
            [("RESCIND_LISTEN", ""), ("RESCIND_CONFIG", ""), ("RESCIND_SERVICE_KEY", ""), ("RESCIND_NO", "")];
        assert_eq!(names(&vars), Vec::<String>::new());
        let vars = vars.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let environment = Environment::from_vars(vars);
        assert_eq!((environment.config(), environment.service_key()), (None, None));
    }

    #[test]
    fn what_kubernetes_says_about_a_service_called_rescind_is_not_ours() {
        let vars = [
            ("RESCIND_SERVICE_HOST", "10.0.0.1"),
            ("RESCIND_SERVICE_PORT", "8080"),
            ("RESCIND_SERVICE_PORT_HTTP", "8080"),
            ("RESCIND_PORT", "tcp://10.0.0.1:8080"),
            ("RESCIND_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("RESCIND_API_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ];
        assert_eq!(names(&vars), Vec::<String>::new());
        assert_eq!(names(&[("RESCIND_PORT", "8080")]), ["port"], "a person's mistake is still told");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_told_by_name() {
        use std::os::unix::ffi::OsStringExt;
        let mut faults = Vec::new();
        let bad = OsString::from_vec(vec![0xff]);
        Environment::from_vars([("RESCIND_LISTEN".into(), bad)]).said(&mut faults);
        assert_eq!(faults, [SettingFault::NotText { name: "RESCIND_LISTEN".to_owned() }]);
    }
}
