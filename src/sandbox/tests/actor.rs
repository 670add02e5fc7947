//! What the tests run: the test program itself, which is static and so runs in any root file system.

use crate::sandbox::syscall;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// The name under which the test program acts.
pub const NAME: &str = "/bin/act";

/// Acts, if this process was started for that.
pub fn entry_point() -> Option<i32> {
    let mut arguments = std::env::args();
    if arguments.next()? != NAME {
        return None;
    }
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Some(act(&arguments))
}

fn act(arguments: &[&str]) -> i32 {
    match arguments {
        ["exit", code] => return code.parse().unwrap(),
        ["crash"] => std::process::abort(),
        ["say"] => {
            print!("one\ntwo\n");
            eprintln!("three");
            print!("no end");
        }
        ["facts"] => facts(),
        ["read", paths @ ..] => paths.iter().for_each(|path| println!("{path}: {}", shown(fs::read_to_string(path)))),
        ["write", paths @ ..] => {
            paths.iter().for_each(|path| println!("{path}: {}", shown(fs::write(path, "new").map(|()| String::from("written")))))
        }
        ["times", paths @ ..] => paths.iter().for_each(|path| println!("{path}: {}", fs::symlink_metadata(path).unwrap().mtime())),
        ["forbidden"] => forbidden(),
        ["privileges"] => super::privileges::act(),
        ["change-and-list"] => {
            super::layers::change();
            super::layers::list(std::path::Path::new("/"));
        }
        ["list", path] => super::layers::list(std::path::Path::new(path)),
        ["wait", path] => return beat(path),
        // Blocked signals stay pending: the program seems to ignore them.
        ["ignore", path] => {
            syscall::block_signals().unwrap();
            return beat(path);
        }
        ["orphan", path] => {
            let mut child = Command::new(NAME);
            // It must outlive this program: whether the sandbox ends it is what the test asks.
            #[expect(clippy::zombie_processes)]
            child.args(["escape", path]).spawn().unwrap();
            while !fs::exists(path).unwrap() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        ["family", path] => {
            syscall::block_signals().unwrap();
            let mut child = Command::new(NAME);
            child.args(["escape", path]).spawn().unwrap().wait().unwrap();
        }
        ["escape", path] => {
            rustix::process::setsid().unwrap();
            syscall::block_signals().unwrap();
            return beat(path);
        }
        ["serve", address] => serve(address.parse().unwrap()),
        ["call", address] => println!("{}", shown(call(address.parse().unwrap()))),
        ["ask", address] => println!("{}", shown(ask_datagram(address.parse().unwrap()))),
        ["supervise", folder, action, ..] => return super::supervise(std::path::Path::new(folder), action),
        ["as-in-docker", command @ ..] => refusing(&[libc::SYS_pivot_root], command),
        ["unprivileged", command @ ..] => refusing(UNPRIVILEGED, command),
        other => panic!("{other:?}"),
    }
    0
}

fn shown(result: std::io::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("{:?}", error.kind()))
}

fn facts() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for name in ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk"] {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        println!("{name} {}", value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    println!("directory {}", std::env::current_dir().unwrap().display());
    println!("environment {:?}", std::env::vars().collect::<Vec<_>>());
    println!("host {}", rustix::system::uname().nodename().to_str().unwrap());
    println!("descriptors {}", fs::read_dir("/proc/self/fd").unwrap().count() - 1);
    println!("init's program {}", shown(fs::read_link("/proc/1/exe").map(|path| path.display().to_string())));
    println!("init's arguments {}", shown(fs::read_to_string("/proc/1/cmdline")).replace('\0', " "));
    println!("maps {}", fs::read_to_string("/proc/self/uid_map").unwrap().lines().count());
}

fn forbidden() {
    use rustix::net::{AddressFamily, SocketType, socket};
    let errno = |result: rustix::io::Result<()>| result.err().map_or("allowed".to_string(), |errno| errno.raw_os_error().to_string());
    println!("mount {}", errno(rustix::mount::mount("none", "/tmp", "tmpfs", rustix::mount::MountFlags::empty(), None)));
    println!("chroot {}", errno(rustix::process::chroot("/tmp")));
    println!("vsock {}", errno(socket(AddressFamily::VSOCK, SocketType::STREAM, None).map(drop)));
    println!(
        "namespace {}",
        errno(syscall::clone_process(libc::CLONE_NEWUSER).map(drop).map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap()))
    );
    println!("kill {}", errno(rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::KILL)));
    println!("sysctl {}", shown(fs::write("/proc/sys/kernel/domainname", "x").map(|()| "written".into())));
}

/// Grows a file for as long as this process lives.
fn beat(path: &str) -> i32 {
    let mut file = fs::File::create(path).unwrap();
    loop {
        file.write_all(b".").unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Answers each connection with what a connection to itself brought, once.
fn serve(address: SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    // A second listener, as the worker of a server has.
    let private = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9999)).unwrap();
    println!("ready");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            loop {
                private.accept().unwrap().0.write_all(b"private").unwrap();
            }
        });
        loop {
            let (mut connection, _) = listener.accept().unwrap();
            let itself = call((Ipv4Addr::LOCALHOST, 9999).into());
            connection.write_all(format!("hello {}", shown(itself)).as_bytes()).unwrap();
        }
    });
}

/// What a server answers.
pub fn call(address: SocketAddr) -> std::io::Result<String> {
    let mut answer = String::new();
    TcpStream::connect(address)?.read_to_string(&mut answer)?;
    Ok(answer)
}

fn ask_datagram(address: SocketAddr) -> std::io::Result<String> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.connect(address)?;
    socket.send(b"question")?;
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Calls that Docker's profile refuses to containers without CAP_SYS_ADMIN.
const UNPRIVILEGED: &[i64] = &[
    libc::SYS_unshare,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_fsopen,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_pidfd_getfd,
];

/// Becomes `command`, which is refused some calls, as in Docker, and cannot use clone3.
fn refusing(calls: &[i64], command: &[&str]) {
    syscall::install_filter(&crate::sandbox::filter::without(calls, &[libc::SYS_clone3])).unwrap();
    panic!("{}", Command::new(command[0]).args(&command[1..]).exec());
}
