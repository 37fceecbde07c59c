//! The part of the command line that uses the service itself: starts it, opens it in process, and inspects, copies,
//! recovers and restores its store.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use tokio::signal::unix::{SignalKind, signal};

use super::changes::Chosen;
use super::failure::CommandFailure;
use crate::advice;
use crate::http::listen::SocketError;
use crate::http::serve::{self, Listening, ServeError};
use crate::log;
pub(super) use crate::service::OpenError;
use crate::service::copying::{self, CopyDone, CopyProgress, StoreLocation};
pub(super) use crate::service::restoring::{Kid, RestoredStore, ServiceKeyRecord};
pub(super) use crate::service::stores::Protected;
use crate::service::stores::Timestamp;
pub(super) use crate::service::stores::{RecoveredStore, StoreInspection};
#[cfg(feature = "postgres")]
pub(super) use crate::service::stores::{ServerReport, Standby, TableLock, database_machines, durability};
use crate::service::{master_key, restoring, stores};
use crate::settings::Settings;
use crate::world::World;

/// Runs the service until a signal stops it. The first line on stdout is `listening on http://…`.
pub(super) async fn serve(settings: Settings, chosen: &Chosen) -> Result<(), CommandFailure> {
    let log = log::start(settings.log_level.as_str(), settings.log_format)
        .map_err(|error| CommandFailure::new(error.to_string(), "correct log_level"))?;
    let stop = stop_signal()?;
    let listening = |listening: &Listening| {
        // A closed standard output is no reason to stop.
        let _ = announce(&mut io::stdout(), listening, &settings);
        chosen.note(&settings.data);
    };
    let served = serve::run(&settings, World::real(), listening, stop).await;
    drop(log);
    served.map_err(CommandFailure::from)
}

fn announce(out: &mut impl io::Write, listening: &Listening, settings: &Settings) -> io::Result<()> {
    let url = format!("http://{}", listening.address);
    writeln!(out, "listening on {url}")?;
    if listening.initialized_now {
        let data = match &settings.store {
            Some(url) => url.shown(),
            None => {
                settings.data.canonicalize().unwrap_or_else(|_| settings.data.clone()).display().to_string()
            }
        };
        let key = settings.master_key_path();
        let key = key.canonicalize().unwrap_or(key);
        writeln!(out, "the data is in {data}")?;
        writeln!(
            out,
            "its master key is in {}: keep a copy of it, apart from copies of the data",
            key.display()
        )?;
        writeln!(out, "try it at {url}/docs")?;
        let program = std::env::args().next().unwrap_or_else(|| "rescind".to_owned());
        writeln!(out, "make the first user there, or with: {program} user add NAME")?;
    }
    out.flush()
}

/// Resolves at SIGTERM or SIGINT; and at SIGHUP when the terminal has closed. Any other SIGHUP is logged and changes
/// nothing: settings are read at the start only.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let at_a_terminal = io::stderr().is_terminal();
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => {
                    if at_a_terminal {
                        tracing::warn!("SIGHUP: the terminal has gone, so this process ends");
                        return;
                    }
                    tracing::warn!("SIGHUP changes nothing: settings are read at the start, so start again to change them");
                }
            }
        }
    })
}

/// The operator's application on the store, opened in this process. Never makes a store.
pub(super) async fn in_process(
    settings: &Settings,
) -> Result<BoxEndpoint<'static, Response>, CommandFailure> {
    // The command logs what it does, of which the log may be the only record. A log that runs already is no error.
    let _ = log::start_for_command();
    Ok(serve::in_process(settings, World::real()).await?)
}

/// Reads a summary of the store; see [`stores::inspect`].
pub(super) async fn inspect(settings: &Settings) -> Result<StoreInspection, OpenError> {
    stores::inspect(settings).await
}

/// The protection of the connection to a shared store; `None` without one, or when the database cannot be reached.
pub(super) async fn protected(settings: &Settings) -> Option<Protected> {
    stores::protected(settings).await
}

/// Writes a new master key to a new file.
pub(super) fn make_master_key(file: &Path) -> Result<(), CommandFailure> {
    // The message says what to do next.
    let made = master_key::make(file, &World::real());
    made.map(drop).map_err(|error| CommandFailure::new(error.to_string(), ""))
}

/// A time in RFC 3339.
pub(super) fn moment(at: Timestamp) -> String {
    at.rfc3339()
}

/// The current time in Unix seconds.
pub(super) fn now() -> i64 {
    World::real().now().unix()
}

/// Copies the store at `from` to `to`.
pub(super) async fn copy(
    settings: &Settings,
    from: &StoreLocation,
    to: &StoreLocation,
    on_progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<CopyDone, CommandFailure> {
    // The command logs what it does. A log that runs already is no error.
    let _ = log::start_for_command();
    // The message says what to do next.
    let done = copying::take(settings, from, to, World::real().now(), on_progress).await;
    done.map_err(|refused| CommandFailure::new(refused.to_string(), ""))
}

/// Recovers the embedded store in the folder `from` in the new folder `to`.
pub(super) fn recover(settings: &Settings, from: &Path, to: &Path) -> Result<RecoveredStore, CommandFailure> {
    // The command logs what it does. A log that runs already is no error.
    let _ = log::start_for_command();
    // The message says what to do next.
    stores::recover(settings, from, to).map_err(|error| CommandFailure::new(error.to_string(), ""))
}

/// Makes a new store in a new era of one that was restored from a copy.
pub(super) async fn restored(
    settings: &Settings,
    keep_service_keys: bool,
) -> Result<RestoredStore, CommandFailure> {
    // The command logs what it does. A log that runs already is no error.
    let _ = log::start_for_command();
    Ok(restoring::restored(settings, &World::real(), keep_service_keys).await?)
}

impl From<ServeError> for CommandFailure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Open(error) => error.into(),
            ServeError::Listen { .. } => {
                Self::new(error.to_string(), "choose another address with --listen; port 0 picks a free one")
            }
            ServeError::Socket(SocketError::Io { ref source, .. }) => {
                Self::new(error.to_string(), advice::for_file(source))
            }
            // The message says what to do next.
            ServeError::Socket(_) => Self::new(error.to_string(), ""),
            ServeError::Io(ref source) => Self::new(error.to_string(), advice::for_file(source)),
        }
    }
}

impl From<OpenError> for CommandFailure {
    fn from(error: OpenError) -> Self {
        Self::new(error.to_string(), "`rescind doctor` looks for what else is wrong")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_refused_is_told_with_the_next_step() {
        let refused = SocketError::Io {
            path: "/srv/admin.sock".into(),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        let failure = CommandFailure::from(ServeError::from(refused));
        assert_eq!(failure.what, "cannot listen on \"/srv/admin.sock\": permission denied");
        assert_eq!(failure.help, "let the user who runs rescind own it");
    }
}
