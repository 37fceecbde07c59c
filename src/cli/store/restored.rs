//! The output of `rescind store restored`: what the store has become, which of its data is as old as the copy, and
//! what an operator has to do again.

use serde_json::{Value, json};

use crate::cli::service::{Kid, RestoredStore, ServiceKeyRecord, moment};

/// The changes after a copy was made, which the copy lacks: a name for programs, and for people what to do again.
const LOST: [(&str, &str); 6] = [
    ("registrations", "accounts made since are gone: their owners register again"),
    ("deletions", "accounts deleted since are back: delete them again (`rescind user delete NAME`)"),
    ("disabled", "accounts disabled since are enabled: disable them again (`rescind user disable NAME`)"),
    (
        "passwords",
        "passwords changed since are the old ones: set new ones (`rescind user password NAME`) or tell the users",
    ),
    ("service_keys", "service keys made since are gone, and those removed since are in the copy"),
    (
        "settings",
        "settings and the master key are not part of a store: see that they are those of the newest start",
    ),
];

/// What to do about a name that the copy shares with the original.
const BESIDE: &str = "Servers that followed the original accept this store in its place. If the original runs on, set `issuer` to a URL of this store's own and run `rescind store restored --yes` again before this store is served: it then publishes none of the original's names.";

/// The headings of the table.
pub(super) const HEADS: [&str; 3] = ["WHAT", "IS NOW", "AS OLD AS"];

fn since(restored: &RestoredStore) -> Option<String> {
    restored.newest.map(moment)
}

/// The result as JSON, for programs.
pub(super) fn answer(restored: &RestoredStore) -> Value {
    let key = |key: &ServiceKeyRecord| {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let created = moment(key.created);
        json!({ "id": key.id.to_string(), "name": key.name, "scopes": scopes, "created_at": created })
    };
    let service_keys: Vec<_> = restored.service_keys.iter().map(key).collect();
    let (kept, dropped) = if restored.kept { (service_keys, vec![]) } else { (vec![], service_keys) };
    let ids = |kids: &[Kid]| kids.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "store": restored.store.to_string(),
        "era": restored.era.value(),
        "issuer": restored.issuer,
        "newest_record": since(restored),
        "signing_keys": { "distrusted": ids(&restored.distrusted), "made": ids(&restored.made) },
        "service_keys": { "dropped": dropped, "kept": kept },
        "users": { "total": restored.users, "disabled": restored.disabled },
        "unknown_since": LOST.map(|(what, _)| what),
        "do_again": LOST.map(|(_, what)| what),
    })
}

/// The rows of the table, for people.
pub(super) fn rows(restored: &RestoredStore) -> Vec<Vec<String>> {
    let copy = since(restored).unwrap_or_else(|| "the copy".to_owned());
    let row = |what: &str, now: String, since: &str| vec![what.to_owned(), now, since.to_owned()];
    let count = restored.service_keys.len();
    let service_keys = match (restored.kept, count) {
        (_, 0) => "none".to_owned(),
        (true, _) => format!("{count} kept, also those that were removed since"),
        (false, _) => format!("{count} dropped"),
    };
    let service_keys_since = if restored.kept && count > 0 { copy.as_str() } else { "-" };
    let (made, distrusted) = (restored.made.len(), restored.distrusted.len());
    vec![
        row("issuer", restored.issuer.clone(), "-"),
        row("sessions", "all signed out".to_owned(), "-"),
        row("signing keys", format!("{made} made, {distrusted} distrusted"), "-"),
        row("service keys", service_keys, service_keys_since),
        row("users", format!("{}, of whom {} are disabled", restored.users, restored.disabled), &copy),
        row("passwords", "as they were".to_owned(), &copy),
    ]
}

/// The text above the table.
pub(super) fn head(restored: &RestoredStore) -> String {
    let RestoredStore { store, era, .. } = restored;
    format!("it is a new store, {store}, in era {}: everyone is signed out\n", era.value())
}

/// The text below the table.
pub(super) fn tail(restored: &RestoredStore) -> String {
    let from = match since(restored) {
        Some(newest) => format!(
            "The newest record of the copy is of {newest}. What happened later is not in it, and nobody can list it:"
        ),
        None => "What happened after the copy was made is not in it, and nobody can list it:".to_owned(),
    };
    let mut lines = vec![String::new(), from];
    lines.extend(LOST.iter().map(|(_, what)| format!("  * {what}")));
    let names: Vec<_> = restored.service_keys.iter().map(named).collect();
    if !names.is_empty() {
        lines.push(String::new());
        lines.push(if restored.kept {
            "These service keys work. Remove each that was removed since (`rescind service-key remove ID`):"
                .to_owned()
        } else {
            "These service keys work no more. Make new ones (`rescind service-key add NAME --scope SCOPE`):"
                .to_owned()
        });
        lines.extend(names);
    }
    if restored.keeps_names {
        lines.push(String::new());
        lines.push(BESIDE.to_owned());
    }
    lines.join("\n")
}

fn named(key: &ServiceKeyRecord) -> String {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let made = moment(key.created);
    format!("  {}  {} ({}), made {made}", key.id, key.name, scopes.join(", "))
}
