//! Which settings of a database have every standby that may be promoted confirm its commits.
//!
//! `synchronous_standby_names` has to name as many standbys as have to confirm: `one`, `FIRST 2 (one, two)`,
//! `ANY 2 (one, two)`. Where fewer have to confirm than are named, `FIRST 1 (one, two)` or `ANY 1 (one, two)`, the one that
//! did not can be promoted; and `*` names everyone. All of it rests on the rule, Patroni's with `synchronous_mode`, that only a
//! named standby is promoted, and that no two standbys have one name.

/// The reason why a commit proves nothing of this database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// No standby is asked to confirm.
    #[error("`synchronous_standby_names` is empty: no standby confirms a commit")]
    NoStandby,
    /// Steps do not wait for a standby, so one that is promoted may lack what was acknowledged, whatever a proof says.
    #[error("`synchronous_commit` is `{0}`: a commit does not wait for a standby")]
    NotAwaited(String),
    /// A standby that did not confirm may be promoted.
    #[error(
        "`synchronous_standby_names` is `{0}`: a standby that did not confirm could be promoted. As many have to confirm as are named"
    )]
    SomeNeedNotConfirm(String),
}

/// The names of the standbys that confirm a commit, in lower case, if every standby that may be promoted is among them, by the
/// settings `synchronous_standby_names` and `synchronous_commit`.
pub(super) fn confirming_standbys(names: &str, commit: &str) -> Result<Vec<String>, NoProof> {
    if !matches!(commit, "on" | "remote_apply" | "remote_write") {
        return Err(NoProof::NotAwaited(commit.to_owned()));
    }
    let names = names.trim();
    if names.is_empty() {
        return Err(NoProof::NoStandby);
    }
    match confirming(names) {
        Some((needed, listed)) if needed == listed.len() => Ok(listed),
        _ => Err(NoProof::SomeNeedNotConfirm(names.to_owned())),
    }
}

/// How many standbys have to confirm, and which are named; `None` if everyone is named, or the text is not understood.
fn confirming(names: &str) -> Option<(usize, Vec<String>)> {
    let method = |text: &str| {
        let text = text.trim();
        let (first, rest) = text.split_at_checked(text.find(char::is_whitespace).unwrap_or(0))?;
        let is_method = ["first", "any"].iter().any(|method| first.eq_ignore_ascii_case(method));
        (if is_method { rest } else { text }).trim().parse().ok()
    };
    let (needed, list) = match names.split_once('(') {
        Some((before, list)) => (method(before)?, list.strip_suffix(')')?),
        None => (1, names),
    };
    let mut listed: Vec<_> = list.split(',').map(|name| unquoted(name.trim()).to_ascii_lowercase()).collect();
    listed.sort_unstable();
    listed.dedup();
    listed
        .iter()
        .all(|name| !name.is_empty() && name != "*" && !name.contains('"'))
        .then_some((needed, listed))
}

/// A name without the quotes around it.
fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_proof_if_everyone_who_is_named_confirms_it() {
        for (names, confirming) in [
            ("one", &["one"][..]),
            ("\"Pg-1\"", &["pg-1"]),
            ("1 (one)", &["one"]),
            ("FIRST 1 (one)", &["one"]),
            ("any 2 (two, one)", &["one", "two"]),
            ("2 (\"a\",\"b\")", &["a", "b"]),
        ] {
            let confirming = confirming.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(confirming_standbys(names, "on"), Ok(confirming), "{names}");
        }
        for names in [
            "*",
            "one, two",
            "FIRST 1 (one, two)",
            "ANY 1 (one, two)",
            "ANY 2 (*)",
            "3 (a, b)",
            "x (a)",
            r#"2 ("x", """x""")"#,
            r#"1 ("x""")"#,
            r#"FIRST 1 ("x)"#,
        ] {
            assert_eq!(
                confirming_standbys(names, "on"),
                Err(NoProof::SomeNeedNotConfirm(names.to_owned())),
                "{names}"
            );
        }
        assert_eq!(confirming_standbys(" ", "on"), Err(NoProof::NoStandby));
        assert_eq!(confirming_standbys("one", "local"), Err(NoProof::NotAwaited("local".to_owned())));
        assert!(confirming_standbys("one", "remote_apply").is_ok());
    }

    #[test]
    fn two_standbys_of_one_name_count_once() {
        assert!(confirming_standbys("2 (one, ONE)", "on").is_err());
    }
}
