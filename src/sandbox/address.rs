//! Which addresses sockets get in place of those that the program asks for: see [`super::publish`].

use super::spec::Publish;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a socket that asks for an address is to be bound: to a published port of this machine, or to `known` or a free port of its
/// loopback interface. None where the published address is of another version than the socket.
pub fn place(asked: SocketAddr, only_6: bool, known: Option<u16>, published: &[Publish]) -> Option<SocketAddr> {
    let any = asked.ip().to_canonical().is_unspecified();
    if let Some(port) = published.iter().find(|port| port.container == asked.port()) {
        let ip = match (port.address, asked) {
            // A program that listens to itself only stays with that.
            _ if !any => asked.ip(),
            (None, _) => asked.ip(),
            (Some(IpAddr::V4(ip)), SocketAddr::V6(_)) if !only_6 => ip.to_ipv6_mapped().into(),
            (Some(ip), _) if ip.is_ipv6() == asked.is_ipv6() => ip,
            (Some(_), _) => return None,
        };
        return Some(SocketAddr::new(ip, port.host));
    }
    let ip = match asked.ip() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        // Reached by both versions.
        IpAddr::V6(ip) if ip.is_unspecified() && !only_6 || ip.to_ipv4_mapped().is_some() => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Some(SocketAddr::new(ip, known.unwrap_or(0)))
}

/// Whether a connection to this loopback address would arrive at a socket bound so, were it bound as the program asked.
pub fn reaches(ip: IpAddr, bound: SocketAddr) -> bool {
    match (ip, bound.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => true,
        (IpAddr::V4(_), IpAddr::V6(bound)) => bound.is_unspecified() || bound.to_ipv4_mapped().is_some(),
        (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// The address by which a socket of the version of `asked` reaches a socket bound to `bound`.
pub fn local(bound: SocketAddr, asked: SocketAddr) -> SocketAddr {
    let ip = match bound.ip().to_canonical() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => asked.ip().to_canonical(),
    };
    let ip = match (ip, asked) {
        (ip, _) if ip.is_unspecified() && asked.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
        (ip, _) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        (IpAddr::V4(ip), SocketAddr::V6(_)) => ip.to_ipv6_mapped().into(),
        (ip, _) => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Reads `struct sockaddr_in` and `struct sockaddr_in6`.
pub fn parse_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
    let port = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
    let ip: IpAddr = match family {
        libc::AF_INET => <[u8; 4]>::try_from(bytes.get(4..8)?).ok()?.into(),
        libc::AF_INET6 => <[u8; 16]>::try_from(bytes.get(8..24)?).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports() -> Vec<Publish> {
        ["8081:80", "127.0.0.1:8082:81", "[::1]:8083:82"].map(|port| port.parse().unwrap()).to_vec()
    }

    #[test]
    fn sockets_are_bound_where_the_user_published_them() {
        let cases = [
            ("0.0.0.0:80", false, "0.0.0.0:8081"),
            ("127.0.0.1:80", false, "127.0.0.1:8081"),
            ("[::]:80", false, "[::]:8081"),
            ("[::]:80", true, "[::]:8081"),
            ("0.0.0.0:81", false, "127.0.0.1:8082"),
            ("[::]:81", false, "[::ffff:127.0.0.1]:8082"),
            ("[::]:82", true, "[::1]:8083"),
            ("0.0.0.0:9000", false, "127.0.0.1:0"),
            ("[::]:9000", false, "[::ffff:127.0.0.1]:0"),
            ("[::]:9000", true, "[::1]:0"),
            ("[::1]:9000", false, "[::1]:0"),
        ];
        for (asked, only_6, expected) in cases {
            let found = place(asked.parse().unwrap(), only_6, None, &ports());
            assert_eq!(found, Some(expected.parse().unwrap()), "{asked}");
        }
        for (asked, only_6) in [("0.0.0.0:82", false), ("[::]:81", true)] {
            assert_eq!(place(asked.parse().unwrap(), only_6, None, &ports()), None, "{asked}");
        }
    }
}
