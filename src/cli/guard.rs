//! `rescind guard`: the verifier as a local process, for a reverse proxy.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::failure::CommandFailure;
use super::service;
use crate::guard::Guard;
use crate::guard::serve::{self, Bound, Listen};
use crate::log;
use crate::settings::{self, Environment, LogFormat, SERVICE_KEY};
use crate::trusted;
use crate::verifier::{Builder, ConnectError, Event, IssuerError, ServiceKey, Verifier, WhenStale};

/// The most that is read of a service key's file, in bytes.
const LONGEST: u64 = 4096;

/// The pause between two attempts to connect to the issuer.
const AGAIN: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  export RESCIND_SERVICE_KEY=$(rescind service-key add shop --scope feed)
  rescind guard --url https://id.example --audience rescind
  rescind guard --url http://127.0.0.1:8080 --audience rescind \\
      --listen unix:/run/rescind/guard.sock --cookie session

A proxy asks GET /verify (Envoy: /envoy): 204 with X-Auth-User, X-Auth-Device and X-Auth-Generation, 401 with the
code in X-Auth-Code, or 503 when freshness cannot be proven. Also there: /readyz, /livez, /metrics.";

/// Verify access tokens for a reverse proxy, and refuse them as soon as they are taken back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GuardCommand {
    /// Where the issuer answers: http://… or https://…
    #[arg(long)]
    url: String,
    /// The issuer that tokens name, now or before its settings changed it [default: the url]
    #[arg(long)]
    issuer: Option<String>,
    /// The audience that tokens of this issuer are for
    #[arg(long)]
    audience: String,
    /// Where to listen: an address, or a socket whose folder only the proxy may enter
    #[arg(long, value_name = "ADDRESS:PORT|unix:/PATH", default_value = "127.0.0.1:8090", value_parser = listen)]
    listen: Listen,
    /// A file with the service key; else it is taken from `RESCIND_SERVICE_KEY`
    #[arg(long, value_name = "FILE")]
    service_key_file: Option<PathBuf>,
    /// A cookie that the token may come in, when there is no Authorization header
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    /// How old the last proof of freshness may be
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    max_staleness: Duration,
    /// What to do when it is older; to introspect, the service key needs that scope too
    #[arg(long, value_name = "POLICY", default_value = "refuse")]
    when_stale: WhenStaleArg,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenStaleArg {
    /// Answer 503
    Refuse,
    /// Ask the issuer about each token
    Introspect,
}

fn listen(text: &str) -> Result<Listen, String> {
    Listen::parse(text).ok_or_else(|| "write ADDRESS:PORT, or unix:/PATH".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    settings::length_of_time(text).ok_or_else(|| "write a number and ms, s or m: 10s".to_owned())
}

impl GuardCommand {
    /// Runs the guard until a signal stops it. The first line on stdout is `listening on …`.
    pub(super) async fn run(self, environment: &Environment) -> Result<(), CommandFailure> {
        let key = self.service_key(environment)?;
        let log = log::start("info", self.log_format)
            .map_err(|error| CommandFailure::new(error.to_string(), ""))?;
        let stop = service::stop_signal()?;
        let bound = Bound::to(&self.listen).await.map_err(|error| {
            let what = format!("cannot listen on {}: {error}", self.listen);
            CommandFailure::new(what, "choose another address with --listen; port 0 picks a free one")
        })?;
        // A closed standard output is no reason to stop.
        let _ =
            writeln!(io::stdout(), "listening on {}", bound.address()).and_then(|()| io::stdout().flush());
        let guard = Guard::new(self.cookie.clone());
        let done = tokio::select! {
            () = serve::serve(bound, &guard, serve::CONNECTIONS, stop) => Ok(()),
            failure = self.connect(&key, &guard) => Err(failure),
        };
        drop(log);
        done
    }

    /// Connects to the issuer and gives the guard its verifier, retrying after errors that may pass. Resolves only
    /// with one that cannot.
    async fn connect(&self, key: &ServiceKey, guard: &Arc<Guard>) -> CommandFailure {
        loop {
            match self.builder(key).connect().await {
                Ok(verifier) => {
                    guard.judge_by(verifier);
                    tracing::info!(url = self.url, "following the issuer");
                    return std::future::pending().await;
                }
                Err(error) if error.may_pass() => {
                    tracing::warn!(url = self.url, %error, "the issuer cannot be followed yet: everybody is refused");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return refused(&self.url, &error),
            }
        }
    }

    fn builder(&self, key: &ServiceKey) -> Builder {
        let builder = Verifier::builder(&self.url)
            .audience(&self.audience)
            .service_key(key.clone())
            .max_staleness(self.max_staleness)
            .when_stale(match self.when_stale {
                WhenStaleArg::Refuse => WhenStale::Refuse,
                WhenStaleArg::Introspect => WhenStale::Introspect,
            })
            .on_event(note);
        match &self.issuer {
            Some(issuer) => builder.issuer(issuer),
            None => builder,
        }
    }

    fn service_key(&self, environment: &Environment) -> Result<ServiceKey, CommandFailure> {
        let help = "make one with `rescind service-key add NAME --scope feed`";
        let (text, source) = match (&self.service_key_file, environment.service_key()) {
            (Some(file), _) => (read(file)?, file.display().to_string()),
            (None, Some(text)) => {
                (Zeroizing::new(text.to_string_lossy().into_owned()), SERVICE_KEY.to_owned())
            }
            (None, None) => {
                let what =
                    format!("no service key: set {SERVICE_KEY}, or name a file with --service-key-file");
                return Err(CommandFailure::new(what, help));
            }
        };
        ServiceKey::parse(&text)
            .ok_or_else(|| CommandFailure::new(format!("{source} holds no service key"), help))
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, CommandFailure> {
    let read = trusted::read(file, LONGEST).map(|(text, _)| text);
    read.map_err(|error| CommandFailure::new(format!("the service key file {}: {error}", file.display()), ""))
}

/// Logs an event of the verifier: alarms as errors, others by their severity.
fn note(event: &Event) {
    match event {
        Event::Ended(_) => tracing::debug!("{event}"),
        Event::Fresh | Event::Keys(_) | Event::Missed | Event::StoreReplaced(_) => tracing::info!("{event}"),
        event if event.is_alarm() => tracing::error!("{event}"),
        _ => tracing::warn!("{event}"),
    }
}

fn refused(url: &str, error: &ConnectError) -> CommandFailure {
    let help = match error {
        ConnectError::OtherIssuer { .. } => {
            "give the issuer with --issuer, as the service's setting `issuer` says it"
        }
        ConnectError::Issuer(IssuerError::NotThere(_) | IssuerError::NotUnderstood(_)) => "correct --url",
        ConnectError::NotAuthentic => "connect to the issuer without a proxy that changes its answers",
        _ => "",
    };
    CommandFailure::new(format!("cannot follow {url}: {error}"), help)
}
