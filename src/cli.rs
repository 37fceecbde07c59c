//! The command line: parses the arguments, resolves the settings, and calls one small file per group of commands.
//!
//! Every operator command is one request to the operator's routes, wherever they are served; `connection` alone knows
//! whether a server answers on `admin.sock` or the application runs in this process.
//!
//! Modules: `user device key service_key everyone` (operator commands), `config`, `store` and `doctor` (work without
//! a service), `service` (starts it, and works on its store), `guard` (a process beside a proxy), `context` (the
//! context of a command), `connection` (the connection to the service), `prompt` (prompts), `output`, `progress`
//! (of a long command), `failure`, `changes` (of settings, from start to start), `hardening` (what is closed to other
//! processes).

mod changes;
mod config;
mod connection;
mod context;
mod device;
mod doctor;
mod everyone;
mod failure;
mod guard;
mod hardening;
mod key;
mod output;
mod progress;
mod prompt;
mod service;
mod service_key;
mod service_refusal;
mod store;
mod user;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::http;
use crate::settings::{self, Environment, Resolved, Settings};
use changes::Chosen;
use context::{CommandContext, Missing};
use failure::CommandFailure;
use output::Output;

const EXAMPLES: &str = "\
Examples:
  rescind serve                         start, with nothing configured
  rescind user add alice                make a user
  rescind user logout-all alice         sign alice out on every device, at once
  rescind config show                   every setting and who set it
  rescind doctor                        what is wrong, and what to do

Settings come from rescind.toml, then RESCIND_* variables, then flags.";

/// Sessions on several devices, with tokens that can be taken back
#[derive(Debug, Parser)]
#[command(name = "rescind", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct GlobalArgs {
    /// The data folder [default: ./rescind-data]
    #[arg(long, global = true, help_heading = "Settings", value_name = "FOLDER")]
    data: Option<String>,
    /// The shared store; other users of the machine can read flags, so prefer `RESCIND_STORE_FILE`
    #[arg(long, global = true, help_heading = "Settings", value_name = "URL")]
    store: Option<String>,
    /// The settings file [default: rescind.toml, when there is one]
    #[arg(long, global = true, help_heading = "Settings", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting, as `config show` names it; may be given several times
    #[arg(long, global = true, help_heading = "Settings", value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the service; makes the store when there is none
    #[command(
        after_help = "Examples:\n  rescind serve\n  rescind serve --listen 0.0.0.0:8080 --data /var/lib/rescind\n  \
                            rescind serve --set access_lifetime=5m"
    )]
    Serve(Serve),
    Guard(guard::GuardCommand),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand)]
    Device(device::DeviceCommand),
    #[command(subcommand)]
    Key(key::KeyCommand),
    #[command(subcommand)]
    ServiceKey(service_key::ServiceKeyCommand),
    #[command(subcommand)]
    Everyone(everyone::EveryoneCommand),
    #[command(subcommand)]
    Store(store::StoreCommand),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Say what is wrong here, and what to do; exit code 1 when something is
    Doctor(doctor::DoctorCommand),
    /// Print the OpenAPI document
    #[command(
        after_help = "Examples:\n  rescind openapi > openapi.json\n  rescind openapi --feed > feed.json"
    )]
    Openapi {
        /// The one for resource servers that follow the feed of revocations
        #[arg(long)]
        feed: bool,
    },
}

/// The settings most often given by hand; `--set` takes all the others.
#[derive(Debug, Args)]
struct Serve {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where Prometheus reads the metrics, or off [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// How log lines are written: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Runs one command. `args` begins with the program's name; `vars` is the environment.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    hardening::harden();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        // Help and version are printed the same way, with exit code 0; a wrong use has 2.
        Err(error) => {
            let printed = error.print().is_ok();
            let code = if printed { error.exit_code() } else { 1 };
            return ExitCode::from(u8::try_from(code).unwrap_or(1));
        }
    };
    let environment = Environment::from_vars(vars);
    let resolved = settings::load(cli.global.config.as_deref(), &environment, &flags(&cli));
    let done = tokio::runtime::Runtime::new()
        .map_err(CommandFailure::from)
        .and_then(|runtime| runtime.block_on(dispatch(cli.command, resolved, &environment)));
    match done {
        Ok(code) => code,
        Err(failure) => {
            // Where not even stderr can be written, the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(
    command: Command,
    resolved: Resolved,
    environment: &Environment,
) -> Result<ExitCode, CommandFailure> {
    let mut out = Output::stdout();
    match command {
        Command::Config(command) => command.run(resolved, &mut out)?,
        Command::Store(command) => command.run(&mut context(resolved, everyone::MISSING)?).await?,
        Command::Doctor(doctor) => return doctor.run(resolved.settings, &mut out).await,
        Command::Openapi { feed: false } => out.line(http::document::text().trim_end())?,
        Command::Openapi { feed: true } => out.line(http::document::feed_text().trim_end())?,
        Command::Guard(guard) => guard.run(environment).await?,
        Command::Serve(_) => {
            let chosen = Chosen::among(&resolved.rows);
            service::serve(usable(resolved)?, &chosen).await?;
        }
        Command::User(command) => command.run(&mut context(resolved, user::MISSING)?).await?,
        Command::Device(command) => command.run(&mut context(resolved, device::MISSING)?).await?,
        Command::Key(command) => command.run(&mut context(resolved, key::MISSING)?).await?,
        Command::ServiceKey(command) => command.run(&mut context(resolved, service_key::MISSING)?).await?,
        Command::Everyone(command) => command.run(&mut context(resolved, everyone::MISSING)?).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn usable(resolved: Resolved) -> Result<Settings, CommandFailure> {
    resolved.settings.map_err(|faults| config::refused(&faults))
}

fn context(resolved: Resolved, missing: Missing) -> Result<CommandContext, CommandFailure> {
    Ok(CommandContext::new(usable(resolved)?, missing))
}

/// The settings among the flags, each as the flag typed, key and value. A flag of a setting's own takes precedence
/// over `--set`.
fn flags(cli: &Cli) -> Vec<(String, String, String)> {
    let set = cli.global.set.iter().map(|(key, value)| (format!("--set {key}"), key.clone(), value.clone()));
    let mut own = vec![("--data", "data", &cli.global.data), ("--store", "store", &cli.global.store)];
    if let Command::Serve(serve) = &cli.command {
        own.push(("--listen", "listen", &serve.listen));
        own.push(("--metrics-listen", "metrics_listen", &serve.metrics_listen));
        own.push(("--log-format", "log_format", &serve.log_format));
    }
    let own = own
        .into_iter()
        .filter_map(|(flag, key, value)| value.clone().map(|value| (flag.to_owned(), key.to_owned(), value)));
    set.chain(own).collect()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Cli {
        Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_manual_parses_and_takes_the_data_folder() {
        for line in [
            "serve --listen [::1]:0",
            "user add alice --password-stdin",
            "user list --json",
            "user disable alice",
            "user enable alice",
            "user password alice",
            "user logout-all alice --reason lost",
            "user delete alice --yes",
            "user import django users.json --dry-run --weak --report left.jsonl --json",
            "user export users.csv --format csv --model app.user",
            "device list alice",
            "device end alice d1",
            "key list",
            "key rotate",
            "key retire k",
            "key distrust k --yes",
            "service-key add api --scope introspect --scope feed --json",
            "service-key list",
            "service-key remove k1",
            "everyone logout --yes",
            "store copy --from ./here --to postgres://db/rescind --json",
            "config check",
            "config show --toml",
            "doctor --json",
            "openapi",
            "openapi --feed",
            "guard --url https://id.example --audience a --listen unix:/run/g.sock --max-staleness 5s",
        ] {
            let cli = parsed(&format!("rescind {line} --data /srv/rescind"));
            assert_eq!(cli.global.data.as_deref(), Some("/srv/rescind"), "{line}");
        }
    }

    #[test]
    fn a_password_is_never_an_argument() {
        assert!(Cli::try_parse_from(["rescind", "user", "add", "alice", "--password", "hunter2"]).is_err());
        assert!(Cli::try_parse_from(["rescind", "user", "add", "alice", "hunter2"]).is_err());
    }

    #[test]
    fn a_service_key_has_a_known_scope() {
        assert!(Cli::try_parse_from(["rescind", "service-key", "add", "api"]).is_err());
        assert!(Cli::try_parse_from(["rescind", "service-key", "add", "api", "--scope", "root"]).is_err());
    }

    #[test]
    fn a_flag_of_its_own_wins_over_set() {
        let cli = parsed("rescind serve --listen [::1]:2 --set listen=[::1]:1 --set device_idle=7d");
        let resolved = settings::load(Some("/dev/null".as_ref()), &Environment::default(), &flags(&cli));
        let settings = resolved.settings.unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.device_idle.as_secs(), 7 * 86_400);
    }

    #[test]
    fn a_wrong_flag_is_told_by_its_name() {
        let cli = parsed("rescind serve --set acces_lifetime=1m");
        let resolved = settings::load(Some("/dev/null".as_ref()), &Environment::default(), &flags(&cli));
        let told = resolved.settings.unwrap_err().to_string();
        assert!(told.starts_with("--set acces_lifetime: there is no setting"), "{told}");
    }
}
