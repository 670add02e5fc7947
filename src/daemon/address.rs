//! Where an engine listens, as `DOCKER_HOST` and the contexts of Docker's client write it.

use crate::error::{Advice, Context, Error, Result};
use std::fmt;
use std::path::PathBuf;

/// The port of an engine that speaks plain HTTP, registered for it.
const PLAIN_PORT: u16 = 2375;
/// The port of an engine that speaks HTTPS, registered for it.
const TLS_PORT: u16 = 2376;
/// What an address may be.
pub(super) const FORMS: &str = "`unix:///PATH/TO/SOCKET`, `tcp://HOST:PORT` or `ssh://USER@HOST`";

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At a socket in the file system.
    Unix(PathBuf),
    /// At a port of a host, 2375 unless another is named, or 2376 with encryption.
    Tcp(String, Option<u16>),
    /// At a socket of a host that SSH leads to.
    Ssh(Ssh),
}

/// A host that SSH leads to, and the socket of the engine there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// Who to be there.
    pub user: Option<String>,
    /// The host, as `~/.ssh/config` may know it.
    pub host: String,
    /// The port of its SSH server.
    pub port: Option<u16>,
    /// The engine's socket, where it is not the usual one.
    pub socket: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When it names no socket and no host.
    pub fn parse(text: &str) -> Result<Self> {
        let hint = || format!("an engine's address is {FORMS}");
        let parsed = match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", host)) => host_and_port(host.trim_end_matches('/')).map(|(host, port)| Self::Tcp(host.to_string(), port)),
            Some(("ssh", rest)) => ssh(rest).map(Self::Ssh),
            None if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
                host_and_port(text).map(|(host, port)| Self::Tcp(host.to_string(), port))
            }
            Some(_) | None => Err(Error::new("it is of no known kind")),
        };
        parsed.context(|| format!("cannot reach an engine at `{text}`")).hint(hint())
    }

    /// The port, where it is one of a host.
    pub(super) fn port(port: Option<u16>, encrypted: bool) -> u16 {
        port.unwrap_or(if encrypted { TLS_PORT } else { PLAIN_PORT })
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, Some(port.parse().map_err(|_| Error::new(format!("`{port}` is not a port")))?))
        }
        _ => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A host that begins with a dash would be a flag to another program.
    if host.is_empty() || host.starts_with('-') || host.contains(['/', '@', '?', '#']) || host.contains(char::is_whitespace) {
        return Err(Error::new(format!("`{host}` is not a host")));
    }
    Ok((host, port))
}

/// Reads `[USER@]HOST[:PORT][/PATH]`.
fn ssh(text: &str) -> Result<Ssh> {
    let (rest, socket) = match text.find('/') {
        Some(at) => (&text[..at], Some(&text[at..]).filter(|path| *path != "/")),
        None => (text, None),
    };
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    if user.is_some_and(|user| user.is_empty() || user.starts_with('-')) {
        return Err(Error::new("it names a bad user"));
    }
    if user.is_some_and(|user| user.contains(':')) {
        return Err(Error::new("it has a password in it, which `ssh` does not take"));
    }
    if socket.is_some_and(|socket| socket.contains(|letter: char| !letter.is_ascii_alphanumeric() && !"/._-".contains(letter))) {
        // The shell of the other host reads it.
        return Err(Error::new("it names a bad path"));
    }
    let (host, port) = host_and_port(rest)?;
    Ok(Ssh { user: user.map(str::to_string), host: host.to_string(), port, socket: socket.map(str::to_string) })
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: &Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(host, at) if host.contains(':') => write!(formatter, "tcp://[{host}]{}", port(at)),
            Self::Tcp(host, at) => write!(formatter, "tcp://{host}{}", port(at)),
            Self::Ssh(ssh) => {
                let user = ssh.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
                write!(formatter, "ssh://{user}{}{}{}", ssh.host, port(&ssh.port), ssh.socket.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_socket_a_port_or_a_host_behind_ssh() {
        let tcp = |host: &str, port| Address::Tcp(host.into(), port);
        let ssh = |user: Option<&str>, port, socket: Option<&str>| {
            Address::Ssh(Ssh { user: user.map(str::to_string), host: "host".into(), port, socket: socket.map(str::to_string) })
        };
        for (text, address, written) in [
            ("unix:///run/user/1000/podman/podman.sock", Address::Unix("/run/user/1000/podman/podman.sock".into()), ""),
            ("tcp://127.0.0.1:2376", tcp("127.0.0.1", Some(2376)), ""),
            ("127.0.0.1:2376", tcp("127.0.0.1", Some(2376)), "tcp://127.0.0.1:2376"),
            ("tcp://engine.test", tcp("engine.test", None), ""),
            ("tcp://[::1]:99/", tcp("::1", Some(99)), "tcp://[::1]:99"),
            ("tcp://[::1]", tcp("::1", None), ""),
            ("ssh://host", ssh(None, None, None), ""),
            ("ssh://me@host:22", ssh(Some("me"), Some(22), None), ""),
            ("ssh://me@host/", ssh(Some("me"), None, None), "ssh://me@host"),
            ("ssh://host/run/user/1/docker.sock", ssh(None, None, Some("/run/user/1/docker.sock")), ""),
        ] {
            let parsed = Address::parse(text).unwrap();
            assert_eq!(parsed.to_string(), if written.is_empty() { text } else { written });
            assert_eq!(parsed, address, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (bad, why) in [
            ("/run/docker.sock", "no known kind"),
            ("unix://run/docker.sock", "no known kind"),
            ("https://host", "no known kind"),
            ("npipe:////./pipe/docker_engine", "no known kind"),
            ("tcp://host:many", "not a port"),
            ("tcp://", "not a host"),
            ("tcp://host/path", "not a host"),
            ("ssh://", "not a host"),
            ("ssh://-oProxyCommand=x", "not a host"),
            ("ssh://-l@host", "bad user"),
            ("ssh://me:secret@host", "password"),
            ("ssh://host/a;b", "bad path"),
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot reach an engine at `{bad}`"));
            assert!(error.causes()[0].contains(why) && error.nearest_hint().unwrap().contains("ssh://"), "{error:?}");
        }
    }
}
