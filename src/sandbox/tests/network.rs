//! What programs reach, and who reaches them.

use super::actor::call;
use super::people::{Person, as_everybody, as_everybody_with_mounts};
use super::{World, signal};
use crate::sandbox::{Network, Publish, Spec, run};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

/// A port of this machine that is free now.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

fn published(host: u16) -> Network {
    Network::Published(vec![Publish { address: None, host, container: 8080 }])
}

/// A service of this machine, which says `outside` to everybody.
fn service(ip: impl Into<std::net::IpAddr>) -> SocketAddr {
    let listener = TcpListener::bind((ip.into(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            connection.write_all(b"outside").ok();
        }
    });
    address
}

#[test]
fn network_none_reaches_nothing_and_host_reaches_all() {
    as_everybody_with_mounts("network_none_reaches_nothing_and_host_reaches_all", |_| {
        let world = World::new();
        let address = service(Ipv4Addr::LOCALHOST).to_string();
        let call = |network| world.lines(&Spec { network, ..world.spec(&["call", &address]) });
        assert_eq!(call(Network::None), ["ConnectionRefused"]);
        assert_eq!(call(Network::Host), ["outside"]);
    });
}

#[test]
fn ports_two_runs_of_one_image_are_published_at_once() {
    as_everybody_with_mounts("ports_two_runs_of_one_image_are_published_at_once", |_| {
        let world = World::new();
        let served = |ip: &str, callers: [std::net::IpAddr; 2]| {
            let ports = [free_port(), free_port()];
            let folder = world.folder.path().to_str().unwrap();
            let address = format!("{ip}:8080");
            let mut children = ports.map(|port| {
                std::os::unix::process::CommandExt::arg0(&mut std::process::Command::new("/proc/self/exe"), super::actor::NAME)
                    .args(["supervise", folder, &format!("serve {port} {address}")])
                    .spawn()
                    .unwrap()
            });
            for (port, caller) in ports.into_iter().zip(callers) {
                assert_eq!(call_in_time((caller, port).into()), "hello private", "{ip}");
            }
            for child in &mut children {
                signal(child, rustix::process::Signal::INT);
                assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGTERM));
            }
        };
        let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        served("0.0.0.0", [v4, v4]);
        served("[::]", [v4, v6]);
        served("127.0.0.1", [v4, v4]);
    });
}

fn call_in_time(address: SocketAddr) -> String {
    let start = Instant::now();
    loop {
        match call(address) {
            Ok(answer) => return answer,
            Err(error) if start.elapsed() > Duration::from_secs(10) => panic!("{address}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn ports_of_this_machine_stay_closed_and_the_outside_open() {
    as_everybody_with_mounts("ports_of_this_machine_stay_closed_and_the_outside_open", |_| {
        let world = World::new();
        let lines = |arguments: &[&str]| world.lines(&Spec { network: published(free_port()), ..world.spec(arguments) });
        assert_eq!(lines(&["call", &service(Ipv4Addr::LOCALHOST).to_string()]), ["ConnectionRefused"]);
        // Any address but loopback is the outside; this machine may have no other that answers, so ask the kernel for one.
        let outer = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
        if let Ok(outer) = outer {
            assert_eq!(lines(&["call", &service(outer.ip()).to_string()]), ["outside"]);
        }
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = datagrams.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let mut question = [0; 64];
            let (length, from) = datagrams.recv_from(&mut question).unwrap();
            datagrams.send_to(&question[..length], from).unwrap();
        });
        assert_eq!(lines(&["ask", &address]), ["question"]);
    });
}

#[test]
fn ports_are_published_as_themselves_where_sockets_cannot_be_shared() {
    as_everybody("ports_are_published_as_themselves_where_sockets_cannot_be_shared", |person| {
        let world = World::new();
        let address = service(Ipv4Addr::LOCALHOST).to_string();
        let port = free_port();
        let publish = |container| Network::Published(vec![Publish { address: None, host: port, container }]);
        let call = |network| world.run(&Spec { network, ..world.spec(&["call", &address]) });
        let (same, other) = (call(publish(port)).unwrap().1, call(publish(port ^ 1)));
        if person == Person::Unprivileged {
            assert_eq!(same, ["outside"]);
            let refused = other.unwrap_err().to_string();
            assert_eq!(refused, "cannot lead a port of this machine to another one, because the kernel refuses it here");
        } else {
            assert_eq!([same, other.unwrap().1], [["ConnectionRefused"], ["ConnectionRefused"]]);
        }
    });
}

#[test]
fn ports_that_are_taken_are_an_error_before_anything_starts() {
    let world = World::new();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let spec = Spec { network: published(port), ..world.spec(&["exit", "0"]) };
    let error = run(&world.scratch(), &spec, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot publish port 8080 at 0.0.0.0:{port}"));
}
