//! Where an engine listens.

use crate::error::{Advice, Error, Result};
use std::fmt;
use std::path::PathBuf;

const USUAL: &str = "unix:///var/run/docker.sock";
/// The port of an engine that speaks plain HTTP, registered for it.
const PORT: u16 = 2375;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At a socket in the file system.
    Unix(PathBuf),
    /// At a port of a host.
    Tcp(String, u16),
}

impl Address {
    /// Reads `DOCKER_HOST`.
    ///
    /// # Errors
    /// When it names no socket and no host.
    pub fn parse(docker_host: Option<&str>) -> Result<Self> {
        let text = docker_host.filter(|text| !text.is_empty()).unwrap_or(USUAL);
        let wrong = || Error::new(format!("cannot reach an engine at `{text}`"));
        let hint = "set DOCKER_HOST to `unix:///PATH/TO/SOCKET` or `tcp://HOST:PORT`";
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", host)) if !host.is_empty() => {
                let host = host.trim_end_matches('/');
                let (name, port) = match host.rsplit_once(':') {
                    Some((name, port)) if !name.is_empty() && !port.ends_with(']') => (name, port.parse().ok()),
                    _ => (host, Some(PORT)),
                };
                let port = port.ok_or_else(wrong).hint(hint)?;
                Ok(Self::Tcp(name.trim_start_matches('[').trim_end_matches(']').to_string(), port))
            }
            Some(_) | None => Err(wrong()).hint(hint),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(host, port) => write!(formatter, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_names_a_socket_or_a_port() {
        let tcp = |host: &str, port| Address::Tcp(host.into(), port);
        for (text, address) in [
            (None, Address::Unix("/var/run/docker.sock".into())),
            (Some(""), Address::Unix("/var/run/docker.sock".into())),
            (Some("unix:///run/user/1000/podman/podman.sock"), Address::Unix("/run/user/1000/podman/podman.sock".into())),
            (Some("tcp://127.0.0.1:2376"), tcp("127.0.0.1", 2376)),
            (Some("tcp://engine.test"), tcp("engine.test", 2375)),
            (Some("tcp://[::1]:99/"), tcp("::1", 99)),
            (Some("tcp://[::1]"), tcp("::1", 2375)),
        ] {
            assert_eq!(Address::parse(text).unwrap(), address, "{text:?}");
        }
        for bad in ["ssh://host", "/run/docker.sock", "unix://run/docker.sock", "tcp://host:many", "tcp://"] {
            let error = Address::parse(Some(bad)).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot reach an engine at `{bad}`"));
            assert!(error.nearest_hint().unwrap().contains("DOCKER_HOST"));
        }
    }
}
