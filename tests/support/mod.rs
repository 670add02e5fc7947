//! What the tests share: the program under test in a store, an app that answers, and other programs that it must get along with.

mod engine;
mod fault;
mod image;
mod odd;
mod registry;

pub use engine::{Engine, Kind};
pub use fault::{Break, Faulty};
pub use image::{Small, digest, refer, refer_with_index};
pub use odd::{Answer, Asked, Odd, plain};
pub use registry::{PASSWORD, Registry, USER};

pub mod builder;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub fn cooper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cooper"))
}

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A store, and the program in it.
#[derive(Clone)]
pub struct Machine {
    /// The store's folder.
    pub store: PathBuf,
    program: PathBuf,
    user: Option<u32>,
}

impl Machine {
    /// The store that tests share.
    pub fn shared() -> Self {
        Self { store: Path::new(env!("CARGO_TARGET_TMPDIR")).join("store"), program: cooper().to_path_buf(), user: None }
    }

    /// A new store in `folder` that has nothing.
    pub fn empty(folder: &Path) -> Self {
        Self { store: folder.join("empty"), program: cooper().to_path_buf(), user: None }
    }

    /// A new store in `folder` that has Debian's packages and locks, but nothing made of them.
    pub fn fresh(folder: &Path) -> Self {
        Self::shared().prepare();
        let store = folder.join("store");
        fs::create_dir_all(&store).unwrap();
        succeed(Command::new("cp").arg("-r").arg(Self::shared().store.join("debian")).arg(&store));
        Self { store, program: cooper().to_path_buf(), user: None }
    }

    /// The same for a user who is not root and has no subordinate ids. The tests' own user where that is not root.
    pub fn for_user(folder: &Path) -> Self {
        let mut machine = Self::fresh(folder);
        if rustix::process::geteuid().is_root() {
            machine.program = folder.join("cooper");
            fs::copy(cooper(), &machine.program).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
            succeed(Command::new("chown").args(["-R", "54321:54321"]).arg(folder));
            machine.user = Some(54321);
        }
        machine
    }

    /// Fetches Debian's packages of the images that the tests need.
    pub fn prepare(&self) {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| drop(self.built("prepare", &repository("fixtures/apps/python-fastapi"), &[])));
    }

    /// A command of the program.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--store").arg(&self.store).args(arguments).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user).env("HOME", self.store.parent().unwrap());
        }
        command
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    /// Builds an image that must succeed and returns its digest.
    pub fn built(&self, name: &str, source: &Path, more: &[&str]) -> String {
        let source = source.to_str().unwrap();
        let arguments = [&["build", name, "--path", source, "--quiet"], more].concat();
        succeed(&mut self.command(&arguments)).trim().to_string()
    }

    /// The configuration of an image of the store.
    pub fn config(&self, name: &str) -> serde_json::Value {
        let described = succeed(&mut self.command(&["inspect", name, "--output", "json"]));
        let read = |digest: &serde_json::Value| -> serde_json::Value {
            let blob = self.store.join("blobs/sha256").join(&digest.as_str().unwrap()[7..]);
            serde_json::from_slice(&fs::read(blob).unwrap()).unwrap()
        };
        let described: serde_json::Value = serde_json::from_str(&described).unwrap();
        read(&read(&described["digest"])["config"]["digest"])
    }

    /// Starts an image with a port and waits until it answers.
    pub fn serve(&self, name: &str) -> App {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = self
            .command(&["run", name, "-p", &format!("127.0.0.1:{port}:8080")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        App { child, port }
    }
}

/// An app that runs.
pub struct App {
    child: Child,
    port: u16,
}

impl App {
    /// What `GET /` answers, once the app listens.
    pub fn get(&mut self) -> String {
        let started = Instant::now();
        loop {
            if let Some(body) = get(self.port) {
                return body;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the app ended before it answered");
            assert!(started.elapsed() < Duration::from_secs(60), "the app does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a signal as a terminal would, and returns the exit code.
    pub fn stop(mut self, signal: rustix::process::Signal) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The body that a server on loopback answers; nothing where none answers with success.
pub fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.0 200")).then(|| body.trim_end().to_string())
}

/// Writes a file, and the folders that it is in; a script can be started.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(if text.starts_with("#!") { 0o755 } else { 0o644 })).unwrap();
}

/// Runs a command to its end. Panics where it cannot be started.
pub fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .output()
        .unwrap_or_else(|error| panic!("cannot start `{program}` ({error}): .ci/run lists the Debian packages that the tests need"))
}

/// Runs a command that must succeed and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A copy of a fixture that a test may change.
pub fn copied(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-rT").arg(repository("fixtures/apps").join(fixture)).arg(folder.path()));
    folder
}

/// The sources of a suite of Debian's, by the addresses that apt has here.
pub fn apt_sources(suite: &str) -> String {
    let mut lines = BTreeSet::new();
    let files = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .chain(["/etc/apt/sources.list".into()]);
    for text in files.filter_map(|path| fs::read_to_string(path).ok()) {
        let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        for address in words.filter(|word| word.starts_with("http")).map(|word| word.trim_end_matches('/')) {
            if address.ends_with("/debian") {
                lines.extend([suite.to_string(), format!("{suite}-updates")].map(|suite| format!("deb {address} {suite} main\n")));
            } else if address.ends_with("/debian-security") {
                lines.insert(format!("deb {address} {suite}-security main\n"));
            }
        }
    }
    assert!(!lines.is_empty(), "apt has no Debian mirror");
    lines.into_iter().collect()
}
