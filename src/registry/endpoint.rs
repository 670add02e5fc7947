//! Where a registry listens, and how it must be spoken to (IMG-14).

use crate::error::{Error, Result};
use crate::http::{Body, Client, Failure, Method, Peer, Request, Url};
use std::net::IpAddr;

/// The name that Docker's registry is known by, and where it listens.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "registry-1.docker.io");

/// How much the registry must prove.
pub(super) fn peer(registry: &str, insecure: bool) -> Peer {
    match (is_loopback(registry), insecure) {
        (true, _) => Peer::Loopback,
        (false, true) => Peer::Unverified,
        (false, false) => Peer::Verified,
    }
}

/// As Docker, trusts this very machine without encryption.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => registry.rsplit_once(':').map_or(registry, |(host, _)| host),
    };
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The address of the registry. One that may be spoken to without encryption is asked whether it knows better.
///
/// # Errors
/// When it does not answer.
pub(super) fn find(registry: &str, peer: Peer, client: &Client) -> Result<Url, Failure> {
    let host = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    let base = |scheme: &str| {
        Url::parse(&format!("{scheme}://{host}/"))
            .map_err(|error| Error::from_cause(format!("`{registry}` is no registry's address"), error))
    };
    let (encrypted, plain) = (base("https")?, base("http")?);
    if peer == Peer::Verified {
        return Ok(encrypted);
    }
    let Err(failure) = ping(client, &encrypted) else { return Ok(encrypted) };
    if peer == Peer::Loopback {
        // Whether anybody listens at all is seen with the first request.
        return Ok(plain);
    }
    // Why it cannot be reached with encryption says more than why not without.
    ping(client, &plain).map(|()| plain).map_err(|_| failure)
}

fn ping(client: &Client, base: &Url) -> Result<(), Failure> {
    let url = base.join("v2/").map_err(|error| Error::from_cause("bad address", error))?;
    let describe = || format!("GET {url}");
    let request = Request { method: Method::GET, url: url.clone(), headers: Vec::new(), body: Body::Empty };
    // Any answer will do: what may be done is seen when it is done.
    client.send(&request).map(drop).map_err(|failure| failure.context(describe))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IMG-14.
    #[test]
    fn only_this_machine_and_named_registries_are_trusted_without_encryption() {
        for (registry, loopback) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("localhost.test", false),
            ("127.0.0.1.test:5000", false),
            ("10.0.0.1:5000", false),
            ("r.test", false),
            ("[2001:db8::1]:5000", false),
        ] {
            let expected = if loopback { Peer::Loopback } else { Peer::Verified };
            assert_eq!(peer(registry, false), expected, "{registry}");
        }
        assert_eq!(peer("r.test", true), Peer::Unverified);
        let client = Client::careful(Peer::Verified, crate::http::Trust::default()).unwrap();
        assert_eq!(find("index.docker.io", Peer::Verified, &client).unwrap().as_str(), "https://registry-1.docker.io/");
        assert_eq!(find("r.test:5000", Peer::Verified, &client).unwrap().as_str(), "https://r.test:5000/");
    }
}
