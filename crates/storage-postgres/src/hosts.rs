//! The servers of a URL that names several, each by itself.

use std::io;
use std::net::IpAddr;

use tokio::net::lookup_host;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts};

/// How many servers it names.
pub(crate) fn count(config: &Config) -> usize {
    config.get_hosts().len().max(config.get_hostaddrs().len())
}

/// `host:port` of each server, for messages.
pub(crate) fn names(config: &Config) -> String {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let name = |nth: usize| {
        let port = ports.get(nth).or(ports.first()).copied().unwrap_or(5432);
        match (hosts.get(nth), addresses.get(nth)) {
            (Some(Host::Tcp(host)), None) => format!("{host}:{port}"),
            (Some(Host::Tcp(host)), Some(address)) => format!("{host}:{port} ({address})"),
            (Some(Host::Unix(path)), _) => format!("{}:{port}", path.display()),
            (None, Some(address)) => format!("{address}:{port}"),
            (None, None) => String::new(),
        }
    };
    (0..count(config)).map(name).collect::<Vec<_>>().join(", ")
}

/// The same for each server alone, so that one that says nothing takes up no time of the others: the driver's own
/// time-out ends as soon as a server has taken the connection. One that asks for servers at random is left to the
/// driver, as is one whose numbers of hosts, addresses and ports do not fit.
pub(crate) fn each(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = count(config);
    let fits = |given: usize, least: usize| given <= least || given == count;
    if count < 2
        || config.get_load_balance_hosts() == LoadBalanceHosts::Random
        || !(fits(hosts.len(), 0) && fits(addresses.len(), 0) && fits(ports.len(), 1))
    {
        return vec![config.clone()];
    }
    let server = |nth: usize| {
        let mut server = shared(config);
        match hosts.get(nth) {
            Some(Host::Tcp(host)) => _ = server.host(host),
            Some(Host::Unix(path)) => _ = server.host_path(path),
            None => {}
        }
        if let Some(address) = addresses.get(nth) {
            server.hostaddr(*address);
        }
        if let Some(port) = ports.get(nth).or(ports.first()) {
            server.port(*port);
        }
        server
    };
    (0..count).map(server).collect()
}

/// The same server at each address that its name stands for, so that one that says nothing takes up no time of the
/// others. What is left to the driver as above is left to it here.
pub(crate) async fn addresses(server: &Config) -> io::Result<Vec<Config>> {
    let named = match (server.get_hosts(), server.get_hostaddrs(), server.get_ports()) {
        ([Host::Tcp(host)], [], []) => Some((host, 5432)),
        ([Host::Tcp(host)], [], [port]) => Some((host, *port)),
        _ => None,
    };
    let named = named.filter(|(host, _)| host.parse::<IpAddr>().is_err());
    let is_random = server.get_load_balance_hosts() == LoadBalanceHosts::Random;
    let Some((host, port)) = named.filter(|_| !is_random) else { return Ok(vec![server.clone()]) };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for found in lookup_host((host.as_str(), port)).await? {
        if !addresses.contains(&found.ip()) {
            addresses.push(found.ip());
        }
    }
    let at = |address| {
        let mut at = shared(server);
        at.host(host).hostaddr(address).port(port);
        at
    };
    Ok(addresses.into_iter().map(at).collect())
}

/// What holds for all of them. The driver has no way to take a server out of a configuration.
fn shared(config: &Config) -> Config {
    let mut shared = Config::new();
    if let Some(user) = config.get_user() {
        shared.user(user);
    }
    if let Some(password) = config.get_password() {
        shared.password(password);
    }
    if let Some(name) = config.get_dbname() {
        shared.dbname(name);
    }
    if let Some(options) = config.get_options() {
        shared.options(options);
    }
    if let Some(name) = config.get_application_name() {
        shared.application_name(name);
    }
    if let Some(within) = config.get_connect_timeout() {
        shared.connect_timeout(*within);
    }
    if let Some(unacknowledged) = config.get_tcp_user_timeout() {
        shared.tcp_user_timeout(*unacknowledged);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        shared.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        shared.keepalives_retries(retries);
    }
    shared
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    shared
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    fn config(url: &str) -> Config {
        url.parse().unwrap()
    }

    #[test]
    fn each_server_has_all_but_the_others() {
        let all = "ada:secret@{}/roster?options=-c%20lock_timeout%3D7&application_name=jobs&sslmode=require\
                   &sslnegotiation=direct&connect_timeout=7&tcp_user_timeout=8&keepalives=0&keepalives_idle=9\
                   &keepalives_interval=10&keepalives_retries=11&target_session_attrs=read-write\
                   &channel_binding=require&load_balance_hosts=disable";
        let url = |servers: &str| config(&format!("postgres://{}", all.replace("{}", servers)));
        assert_eq!(each(&url("one:1,two:2,%2Frun:3")), [url("one:1"), url("two:2"), url("%2Frun:3")]);
        assert_eq!(each(&url("one")), [url("one")]);
        assert_eq!(
            each(&config("postgres://one,two/d")),
            ["one", "two"].map(|host| config(&format!("postgres://{host}/d")))
        );
        let addresses = "host=one,two hostaddr=192.0.2.1,192.0.2.2 port=7";
        assert_eq!(
            each(&config(addresses)),
            [config("host=one hostaddr=192.0.2.1 port=7"), config("host=two hostaddr=192.0.2.2 port=7")]
        );
    }

    #[test]
    fn what_the_driver_refuses_or_chooses_itself_is_left_to_it() {
        for left in [
            "host=one,two,three port=1,2",
            "host=one,two hostaddr=192.0.2.1",
            "host=one,two load_balance_hosts=random",
        ] {
            assert_eq!(each(&config(left)), [config(left)], "{left}");
        }
    }

    #[test]
    fn a_name_stands_for_its_addresses() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let named = |url: &str| runtime.block_on(addresses(&config(url)));
        let local = named("postgres://ada@localhost:7/d").unwrap();
        assert!(
            local.contains(&config("host=localhost hostaddr=127.0.0.1 port=7 user=ada dbname=d")),
            "{local:?}"
        );
        assert!(local.iter().all(|one| one.get_hostaddrs()[0].is_loopback()), "{local:?}");
        for itself in [
            "hostaddr=192.0.2.1",
            "host=192.0.2.1",
            "host=/run",
            "host=localhost port=1,2",
            "host=localhost load_balance_hosts=random",
        ] {
            assert_eq!(named(itself).unwrap(), [config(itself)]);
        }
    }

    #[test]
    fn servers_are_told_with_their_ports() {
        assert_eq!(names(&config("postgres://one:1,two:2/d")), "one:1, two:2");
        assert_eq!(names(&config("postgres://one,two/d")), "one:5432, two:5432");
        assert_eq!(names(&config("hostaddr=192.0.2.1,::1 port=7")), "192.0.2.1:7, ::1:7");
        assert_eq!(names(&config("host=one hostaddr=192.0.2.1 port=7")), "one:7 (192.0.2.1)");
    }
}
