//! The limit of open files, compared with the connections that the settings allow.

use rustix::process::{Resource, getrlimit};

use super::diagnosis::{Diagnosis, Grade};
use crate::http::serve::files_needed;
use crate::settings::Settings;

const ABOUT: &str = "open files";

pub(super) fn examine(settings: &Settings) -> Diagnosis {
    let limit = getrlimit(Resource::Nofile);
    judge(limit.maximum, settings.connections_max as u64, files_needed(settings))
}

/// Judges the hard limit, to which the service raises its soft limit; `None` stands for no limit.
fn judge(hard: Option<u64>, connections: u64, needed: u64) -> Diagnosis {
    match hard {
        Some(limit) if limit < needed => {
            let what = format!("{limit} may be open, but `connections_max` = {connections} needs {needed}");
            let help = format!(
                "raise it (LimitNOFILE={needed} in a systemd unit, else /etc/security/limits.conf), or lower \
                 `connections_max`"
            );
            Diagnosis::new(ABOUT, Grade::Warning, what, help)
        }
        Some(limit) => {
            Diagnosis::good(ABOUT, format!("{limit} may be open, enough for {connections} connections"))
        }
        None => Diagnosis::good(ABOUT, "no limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_files_than_connections_is_a_warning_that_names_the_number() {
        let diagnosis = judge(Some(1024), 10_000, 10_064);
        assert_eq!(diagnosis.grade, Grade::Warning);
        assert!(diagnosis.help.contains("LimitNOFILE=10064"), "{diagnosis:?}");
    }

    #[test]
    fn enough_files_are_good() {
        assert_eq!(judge(Some(10_064), 10_000, 10_064).grade, Grade::Good);
        assert_eq!(judge(Some(10_063), 10_000, 10_064).grade, Grade::Warning);
        assert_eq!(judge(None, 10_000, 10_064).grade, Grade::Good);
    }
}
