//! Connecting where several hosts are named: all of them are asked at once, and the one that accepts writes is taken.
//! One after the other would let a host that is silent, or whose database stands still, hide the primary behind it.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::open_error::{grants_no_more, is_read_only};

/// An encrypted stream, where the connection is encrypted.
pub(super) type Tls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Connects to the first host that answers and may be used as the parameters say.
pub(super) async fn connect(
    config: &Config,
    tls: &MakeRustlsConnect,
) -> Result<(Client, Connection<Socket, Tls>), Error> {
    let each = each_host(config);
    if each.len() < 2 {
        return config.connect(tls.clone()).await;
    }
    let mut attempts: FuturesUnordered<_> = each.iter().map(|host| host.connect(tls.clone())).collect();
    let mut reason: Option<Error> = None;
    while let Some(tried) = attempts.next().await {
        match tried {
            Ok(connected) => return Ok(connected),
            Err(error) if reason.as_ref().is_none_or(|reason| weight(reason) < weight(&error)) => {
                reason = Some(error);
            }
            Err(_) => {}
        }
    }
    match reason {
        Some(reason) => Err(reason),
        None => config.connect(tls.clone()).await,
    }
}

/// How much an error says about why no host could be used: least that one cannot be reached.
fn weight(error: &Error) -> u8 {
    match error {
        error if grants_no_more(error) => 3,
        error if error.as_db_error().is_some() => 2,
        error if is_read_only(error) => 1,
        _ => 0,
    }
}

/// The parameters for each host alone. None where hosts and addresses are not given in pairs.
pub(super) fn each_host(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let paired = hosts.is_empty() || addresses.is_empty() || hosts.len() == addresses.len();
    let count = if paired { hosts.len().max(addresses.len()) } else { 0 };
    let one = |at: usize| {
        let mut one = without_hosts(config);
        match hosts.get(at) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        // One port is for all hosts.
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    (0..count).map(one).collect()
}

/// The host, which is a path for a socket, and the port that parameters for one host name.
pub(super) fn host_and_port(config: &Config) -> (String, u16) {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
    };
    (host, config.get_ports().first().copied().unwrap_or(5432))
}

/// A copy of everything but hosts, addresses and ports.
fn without_hosts(config: &Config) -> Config {
    let mut copy = Config::new();
    copy.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    if let Some(user) = config.get_user() {
        copy.user(user);
    }
    if let Some(password) = config.get_password() {
        copy.password(password);
    }
    if let Some(name) = config.get_dbname() {
        copy.dbname(name);
    }
    if let Some(options) = config.get_options() {
        copy.options(options);
    }
    if let Some(name) = config.get_application_name() {
        copy.application_name(name);
    }
    if let Some(time) = config.get_connect_timeout() {
        copy.connect_timeout(*time);
    }
    if let Some(time) = config.get_tcp_user_timeout() {
        copy.tcp_user_timeout(*time);
    }
    if let Some(time) = config.get_keepalives_interval() {
        copy.keepalives_interval(time);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        copy.keepalives_retries(retries);
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_every_other_parameter() {
        let url = "postgres://ada:secret@one:1,two:2/rescind?sslmode=require&sslnegotiation=direct&connect_timeout=7\
            &tcp_user_timeout=8&keepalives=0&keepalives_idle=9&keepalives_interval=3&keepalives_retries=4\
            &target_session_attrs=read-write&channel_binding=disable&options=-ca%3Db&application_name=tests\
            &load_balance_hosts=random";
        let each: Vec<String> =
            each_host(&url.parse().unwrap()).iter().map(|config| format!("{config:?}")).collect();
        let alone = |host: &str| {
            let config: Config = url.replace("one:1,two:2", host).parse().unwrap();
            format!("{config:?}")
        };
        assert_eq!(each, [alone("one:1"), alone("two:2")]);
    }

    #[test]
    fn one_port_is_for_all_hosts_and_addresses_belong_to_names() {
        let config: Config = "host=one,two hostaddr=10.0.0.1,10.0.0.2 port=7".parse().unwrap();
        let each = each_host(&config);
        assert_eq!(each[1].get_hosts(), [Host::Tcp("two".to_owned())]);
        assert_eq!(each[1].get_hostaddrs(), ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(each[1].get_ports(), [7]);
        assert!(each_host(&"host=one,two hostaddr=10.0.0.1".parse().unwrap()).is_empty());
    }
}
