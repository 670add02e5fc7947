//! Published ports without a network of the program's own, without root and without a helper.
//!
//! The program stays in this machine's network, so names, TCP, UDP and IPv6 work as they do here. Only two of its calls on TCP sockets are
//! looked at, by a seccomp listener in the stage:
//! * `bind` to a published port binds the same socket to the port of this machine instead. Any other port is bound to a free port of the
//!   loopback interface, so that two runs of one image do not meet and nothing unpublished can be reached from outside.
//! * `connect` to a port of the loopback interface leads to the program's own socket with that port, or is refused: services of this
//!   machine are not the program's. Port 53 is an exception, because many machines resolve names there.
//!
//! Limits: the program sees this machine's addresses and interfaces; `getsockname` tells the port of this machine; UDP sockets are not looked
//! at, so UDP servers of two runs can meet, and reach UDP services of the loopback interface; abstract Unix sockets with equal names meet. It
//! is a convenience, not a wall: a program that wants to can race the listener.

use super::address::{local, parse_address, place, reaches};
use super::spec::{Network, Publish};
use super::syscall::{self, Answer, Question};
use crate::error::{Context, Error, Result};
use rustix::io::Errno;
use rustix::net::{SocketType, bind, connect, getsockname, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

const DOMAIN_NAMES: u16 = 53;

/// The network that a program gets: the one asked for, or this machine's own where that comes to the same and no listener can be had, as in
/// containers. Fails before anything starts where a port of this machine is not free.
pub fn settle(network: &Network) -> Result<Network> {
    let Network::Published(ports) = network else { return Ok(network.clone()) };
    check(ports)?;
    match may_share_sockets() {
        Ok(()) => Ok(network.clone()),
        Err(_) if ports.iter().all(|port| port.address.is_none() && port.host == port.container) => Ok(Network::Host),
        Err(error) => Err(error).context(|| "cannot lead a port of this machine to another one, because the kernel refuses it here"),
    }
    .map_err(|error| error.hint("publish a port as itself, as `8080:8080`, and see `cooper doctor`"))
}

/// Whether this machine lets one process use the sockets of another, tried on this process itself.
pub fn may_share_sockets() -> Result<()> {
    let itself = pidfd_open(getpid(), PidfdFlags::empty()).context(|| "the kernel refuses descriptors of processes")?;
    let shared = pidfd_getfd(&itself, itself.as_raw_fd(), PidfdGetfdFlags::empty());
    shared.map(drop).context(|| "the kernel refuses descriptors of other processes")
}

/// Checks that the ports of this machine are free.
fn check(ports: &[Publish]) -> Result<()> {
    for port in ports {
        let address = port.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let hint = match TcpListener::bind((address, port.host)).map_err(|error| error.kind()) {
            Ok(_) => continue,
            Err(ErrorKind::AddrInUse) => "another program listens there; publish another port, or end that program",
            Err(ErrorKind::PermissionDenied) => "ports below 1024 are for root; publish a higher one",
            Err(ErrorKind::AddrNotAvailable) => "this machine does not have that address",
            Err(_) => "publish another port",
        };
        return Err(Error::new(format!("cannot publish port {} at {address}:{}", port.container, port.host)).hint(hint));
    }
    Ok(())
}

/// Answers the program's questions about ports.
pub struct Ports {
    listener: Arc<OwnedFd>,
    published: Vec<Publish>,
    /// Where each port that the program bound is in truth, by port and whether the address is of version 6.
    bound: HashMap<(u16, bool), SocketAddr>,
}

impl Ports {
    /// Starts to answer what comes through `listener`.
    pub fn new(listener: OwnedFd, published: &[Publish]) -> Self {
        Self { listener: Arc::new(listener), published: published.to_vec(), bound: HashMap::new() }
    }

    /// Answers one question. Returns whether more can come.
    pub fn answer_next(&mut self) -> Result<bool> {
        let question = match syscall::next_question(self.listener.as_fd()) {
            Ok(Some(question)) => question,
            Ok(None) => return Ok(!self.is_over()),
            Err(error) => return Err(error).context(|| "cannot read a question about ports"),
        };
        // A question that cannot be understood, as of a program that ended meanwhile, is none of ours.
        let answer = match self.consider(&question) {
            Ok(None) => return Ok(true),
            Ok(Some(answer)) => answer,
            Err(_) => Answer::Proceed,
        };
        syscall::answer(self.listener.as_fd(), question.id, answer).context(|| "cannot answer a question about ports")?;
        Ok(true)
    }

    fn is_over(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, poll};
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut polled = [PollFd::new(&*self.listener, PollFlags::IN)];
        poll(&mut polled, Some(&now)).is_err() || polled[0].revents().contains(PollFlags::HUP)
    }

    /// The answer, or none where another thread gives it.
    fn consider(&mut self, question: &Question) -> Result<Option<Answer>> {
        let Some(asked) = read_address(question)? else { return Ok(Some(Answer::Proceed)) };
        let socket = socket_of(question)?;
        if sockopt::socket_type(&socket)? != SocketType::STREAM {
            return Ok(Some(Answer::Proceed));
        }
        if question.number == libc::SYS_bind {
            return Ok(Some(self.bind(&socket, asked)));
        }
        match self.destination(asked) {
            Destination::Outside => Ok(Some(Answer::Proceed)),
            Destination::Nowhere => Ok(Some(Answer::Failed(Errno::CONNREFUSED))),
            Destination::Itself(address) => {
                connect_elsewhere(self.listener.clone(), question.id, socket, address);
                Ok(None)
            }
        }
    }

    fn bind(&mut self, socket: &OwnedFd, asked: SocketAddr) -> Answer {
        let only_6 = asked.is_ipv6() && sockopt::ipv6_v6only(socket).unwrap_or(false);
        let known = self.bound.get(&(asked.port(), asked.is_ipv6())).map(SocketAddr::port);
        let Some(target) = place(asked, only_6, known, &self.published) else { return Answer::Failed(Errno::ADDRNOTAVAIL) };
        if let Err(error) = bind(socket, &target) {
            return Answer::Failed(error);
        }
        if let Some(bound) = getsockname(socket).ok().and_then(|address| SocketAddr::try_from(address).ok()) {
            let port = if asked.port() == 0 { bound.port() } else { asked.port() };
            self.bound.insert((port, asked.is_ipv6()), bound);
        }
        Answer::Done
    }

    fn destination(&self, asked: SocketAddr) -> Destination {
        let ip = asked.ip().to_canonical();
        if !ip.is_loopback() && !ip.is_unspecified() {
            return Destination::Outside;
        }
        let found = |version_6: bool| self.bound.get(&(asked.port(), version_6)).filter(|bound| reaches(ip, **bound));
        match found(ip.is_ipv6()).or_else(|| found(!ip.is_ipv6())) {
            Some(bound) => Destination::Itself(local(*bound, asked)),
            None if asked.port() == DOMAIN_NAMES => Destination::Outside,
            None => Destination::Nowhere,
        }
    }
}

impl AsFd for Ports {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Destination {
    /// Not this machine.
    Outside,
    /// A port of this machine that is not the program's.
    Nowhere,
    /// The program's own port, which is there in truth.
    Itself(SocketAddr),
}

/// Connects in a thread of its own: a socket that waits would keep every other question waiting.
fn connect_elsewhere(listener: Arc<OwnedFd>, id: u64, socket: OwnedFd, address: SocketAddr) {
    std::thread::spawn(move || {
        let answer = match connect(&socket, &address) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Failed(error),
        };
        // The program may have ended meanwhile.
        drop(syscall::answer(listener.as_fd(), id, answer));
    });
}

/// The address of version 4 or 6 in the call's second argument, or none for other kinds.
fn read_address(question: &Question) -> Result<Option<SocketAddr>> {
    let mut buffer = [0; 28];
    let length = buffer.len().min(question.arguments[2] as usize);
    let length = syscall::read_memory(question.thread, question.arguments[1], &mut buffer[..length])?;
    Ok(parse_address(&buffer[..length]))
}

/// The socket in the call's first argument, shared with the program.
fn socket_of(question: &Question) -> Result<OwnedFd> {
    let process = pidfd_open(leader(question.thread)?, PidfdFlags::empty())?;
    Ok(pidfd_getfd(&process, question.arguments[0] as i32, PidfdGetfdFlags::empty())?)
}

/// The process that a thread belongs to.
fn leader(thread: Pid) -> Result<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", thread.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    line.and_then(|number| Pid::from_raw(number.trim().parse().ok()?)).context(|| "a thread without a process")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_reach_the_program_itself_and_nobody_else_here() {
        let mut found = Ports::new(std::fs::File::open("/dev/null").unwrap().into(), &[]);
        for (asked, bound) in
            [((80, false), "0.0.0.0:8081"), ((81, true), "[::]:8082"), ((82, true), "[::ffff:127.0.0.1]:5"), ((83, true), "[::1]:6")]
        {
            found.bound.insert(asked, bound.parse().unwrap());
        }
        let itself = |address: &str| Destination::Itself(address.parse().unwrap());
        for (asked, expected) in [
            ("127.0.0.1:80", itself("127.0.0.1:8081")),
            ("0.0.0.0:80", itself("127.0.0.1:8081")),
            ("[::ffff:127.0.0.1]:80", itself("[::ffff:127.0.0.1]:8081")),
            ("[::1]:80", Destination::Nowhere),
            ("127.0.0.1:81", itself("127.0.0.1:8082")),
            ("[::1]:81", itself("[::1]:8082")),
            ("127.0.0.1:82", itself("127.0.0.1:5")),
            ("[::1]:82", itself("[::ffff:127.0.0.1]:5")),
            ("[::1]:83", itself("[::1]:6")),
            ("127.0.0.1:83", Destination::Nowhere),
            ("127.0.0.53:53", Destination::Outside),
            ("127.0.0.1:5432", Destination::Nowhere),
            ("192.0.2.1:80", Destination::Outside),
        ] {
            assert_eq!(found.destination(asked.parse().unwrap()), expected, "{asked}");
        }
    }
}
