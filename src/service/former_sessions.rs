//! What the refresh tokens of another system, djangorestframework-simplejwt, are judged by: read at the start.

use std::path::Path;
use std::time::Duration;

use super::error::OpenError;
use crate::auth::former_sessions::FormerSessionPolicy;
use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::token::simplejwt::{Blacklist, SimpleJwtKey};
use crate::trusted;

/// The most bytes of a blacklist: two million ids, which take half of it in memory.
const LONGEST: u64 = 64 * 1024 * 1024;

/// How long a service still starts after the last day of the exchange. A restart shortly after that day must not fail; a key
/// that has been of no use for longer is better taken away.
const FORGIVEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The policy of the settings; `None` if no tokens are exchanged. A command, which serves nobody, needs none.
pub(super) fn policy(
    settings: &Settings,
    now: Timestamp,
    serving: bool,
) -> Result<Option<FormerSessionPolicy>, OpenError> {
    let (Some(secret), Some(day)) = (&settings.simplejwt_signing_key, settings.simplejwt_until) else {
        return Ok(None);
    };
    if !serving {
        return Ok(None);
    }
    let until = Timestamp::from_unix(day.begins());
    if until + FORGIVEN < now {
        return Err(OpenError::Settings(format!(
            "`simplejwt_until` = {day} was more than 30 days ago, so no refresh token of SimpleJWT is exchanged any more: take `simplejwt_signing_key` and `simplejwt_until` out of the settings, and set a later day only if there are still such tokens"
        )));
    }
    if until <= now {
        tracing::warn!(
            simplejwt_until = %day,
            "no refresh token of SimpleJWT is exchanged any more: take simplejwt_signing_key and simplejwt_until out of the settings"
        );
    }
    let key = SimpleJwtKey::new(secret.reveal());
    let key =
        key.ok_or_else(|| OpenError::Settings("`simplejwt_signing_key` is no key for HS256".to_owned()))?;
    let blacklist = match &settings.simplejwt_blacklist_file {
        Some(path) => blacklist(path)?,
        None => Blacklist::default(),
    };
    tracing::info!(simplejwt_until = %day, blacklisted = blacklist.len(), "refresh tokens of SimpleJWT are exchanged");
    Ok(Some(FormerSessionPolicy { key, user_claim: settings.simplejwt_user_claim.clone(), until, blacklist }))
}

fn blacklist(path: &Path) -> Result<Blacklist, OpenError> {
    let fault =
        |why: String| OpenError::Settings(format!("`simplejwt_blacklist_file` = {}: {why}", path.display()));
    let text = trusted::read_of_any_owner(path, LONGEST)
        .map_err(|error| fault(format!("it cannot be read ({error})")))?;
    Blacklist::parse(&text).map_err(|line| {
        fault(format!(
            "line {line} is no id of a token: write each `jti` of Django's table token_blacklist_outstandingtoken that token_blacklist_blacklistedtoken names on a line of its own"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_806_451_200); // 2027-03-31

    fn opened(changes: &[(&str, &str)], now: Timestamp) -> Result<Option<FormerSessionPolicy>, String> {
        let key = "k".repeat(50);
        let mut all = vec![("simplejwt_signing_key", key.as_str()), ("simplejwt_until", "2027-03-31")];
        all.extend(changes);
        policy(&Settings::with(&all).unwrap(), now, true).map_err(|error| error.to_string())
    }

    #[test]
    fn a_day_that_is_long_past_is_refused_with_what_to_do() {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        assert!(opened(&[], NOW - days(1)).unwrap().is_some());
        assert!(opened(&[], NOW + days(30)).is_ok());
        let refused = opened(&[], NOW + days(31)).unwrap_err();
        assert!(
            refused.contains("2027-03-31") && refused.contains("take `simplejwt_signing_key`"),
            "{refused}"
        );
        assert!(policy(&Settings::with(&[]).unwrap(), NOW, true).unwrap().is_none());
    }

    #[test]
    fn a_blacklist_is_read_and_a_wrong_file_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jtis");
        let text = path.to_str().unwrap();
        let refused = opened(&[("simplejwt_blacklist_file", text)], NOW).unwrap_err();
        assert!(refused.contains(text) && refused.contains("cannot be read"), "{refused}");
        std::fs::write(&path, "id,jti\n1,abc\n").unwrap();
        let refused = opened(&[("simplejwt_blacklist_file", text)], NOW).unwrap_err();
        assert!(refused.contains("line 1 is no id of a token"), "{refused}");
        std::fs::write(&path, "abc\ndef\n").unwrap();
        let read = opened(&[("simplejwt_blacklist_file", text)], NOW).unwrap().unwrap();
        assert!(read.blacklist.contains("def") && !read.blacklist.contains("1"));
    }
}
