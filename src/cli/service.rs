//! Where the command line meets the service itself: starting it, opening it in process, its document, its clock.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use tokio::signal::unix::{SignalKind, signal};

use super::changes::Chosen;
use super::failure::Failure;
use crate::advice;
use crate::http::listen::SocketError;
use crate::http::serve::{self, Listening, ServeError};
use crate::log;
pub(super) use crate::service::OpenError;
use crate::service::copying::{self, At, Done, Progress};
pub(super) use crate::service::stores::Protected;
use crate::service::stores::Timestamp;
pub(super) use crate::service::stores::{Kid, Look, Recovered, Restored, ServiceKey};
use crate::service::{master_key, stores};
use crate::settings::{LogFormat, Settings};
use crate::world::World;

/// Runs the service until it is told to stop. Its first line on stdout is `listening on http://…`.
pub(super) async fn serve(settings: Settings, chosen: &Chosen) -> Result<(), Failure> {
    let format = match settings.log_format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    let log = log::start(settings.log_level.as_str(), format)
        .map_err(|error| Failure::new(error.to_string(), "correct log_level"))?;
    let stop = stop_signal()?;
    let listening = |listening: &Listening| {
        // Nobody may be reading; that is no reason not to serve.
        let _ = announce(&mut io::stdout(), listening, &settings);
        chosen.note(&settings.data);
    };
    let served = serve::run(&settings, World::real(), listening, stop).await;
    drop(log);
    served.map_err(Failure::from)
}

fn announce(out: &mut impl io::Write, listening: &Listening, settings: &Settings) -> io::Result<()> {
    let url = format!("http://{}", listening.address);
    writeln!(out, "listening on {url}")?;
    if listening.founded_now {
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

/// Resolves at SIGTERM or SIGINT; and at SIGHUP when it means that the terminal has gone. Any other SIGHUP is told in the
/// log and changes nothing: settings are read at the start only.
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

/// The application on the opened store, as it is served on the administration socket. Never makes a store.
pub(super) async fn in_process(settings: &Settings) -> Result<BoxEndpoint<'static, Response>, Failure> {
    // What is done here is logged here: for some deeds the log is the only record. A second start is no matter.
    let _ = log::start_for_command();
    Ok(serve::in_process(settings, World::real()).await?)
}

/// What a look into the store shows; see [`stores::look`].
pub(super) async fn look(settings: &Settings) -> Result<Look, OpenError> {
    stores::look(settings).await
}

/// How the connection to a shared store is protected; none where there is no such connection.
pub(super) async fn protected(settings: &Settings) -> Option<Protected> {
    stores::protected(settings).await
}

/// Writes a new master key to a new file.
pub(super) fn make_master_key(file: &Path) -> Result<(), Failure> {
    // The reason says what to do next.
    let made = master_key::make(file, &World::real());
    made.map(drop).map_err(|error| Failure::new(error.to_string(), ""))
}

/// A moment as people and programs read it: RFC 3339.
pub(super) fn moment(at: Timestamp) -> String {
    at.rfc3339()
}

/// Now, in unix seconds.
pub(super) fn now() -> i64 {
    World::real().now().unix()
}

/// Takes the store at `from` to `to`.
pub(super) async fn copy(
    settings: &Settings,
    from: &At,
    to: &At,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Done, Failure> {
    // What is done here is logged here. A second start is no matter.
    let _ = log::start_for_command();
    // The reason says what to do next.
    let done = copying::take(settings, from, to, World::real().now(), told).await;
    done.map_err(|refused| Failure::new(refused.to_string(), ""))
}

/// Recovers the embedded store in the folder `from` in the new folder `to`.
pub(super) fn recover(settings: &Settings, from: &Path, to: &Path) -> Result<Recovered, Failure> {
    // What is done here is logged here. A second start is no matter.
    let _ = log::start_for_command();
    // The reason says what to do next.
    stores::recover(settings, from, to).map_err(|error| Failure::new(error.to_string(), ""))
}

/// Makes the store, which was put back from a copy, a new one.
pub(super) async fn restored(settings: &Settings, keep_service_keys: bool) -> Result<Restored, Failure> {
    // What is done here is logged here. A second start is no matter.
    let _ = log::start_for_command();
    Ok(stores::restored(settings, &World::real(), keep_service_keys).await?)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Open(error) => error.into(),
            ServeError::Listen { .. } => {
                Self::new(error.to_string(), "choose another address with --listen; port 0 picks a free one")
            }
            ServeError::Socket(SocketError::Io { ref source, .. }) => {
                Self::new(error.to_string(), advice::for_file(source))
            }
            // What it says is what to do.
            ServeError::Socket(_) => Self::new(error.to_string(), ""),
            ServeError::Io(ref source) => Self::new(error.to_string(), advice::for_file(source)),
        }
    }
}

impl From<OpenError> for Failure {
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
        let failure = Failure::from(ServeError::from(refused));
        assert_eq!(failure.what, "cannot listen on \"/srv/admin.sock\": permission denied");
        assert_eq!(failure.help, "let the user who runs rescind own it");
    }
}
