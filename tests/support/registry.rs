//! A real registry on loopback: Debian's `docker-registry`, in a folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who may use a registry that asks for a password.
pub const USER: &str = "cooper";
/// The user's password.
pub const PASSWORD: &str = "secret";
/// The same, hashed as the registry wants it.
const HASHED: &str = "$2b$04$O7ppW9LotUSPfQ/tZcqa6.nZL9f/7MMYz53r7nDuyoIJfqqn78Dym";

/// A registry that runs until it is dropped.
pub struct Registry {
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
    closed: bool,
}

impl Registry {
    /// Starts a registry that everyone may use.
    pub fn start() -> Self {
        Self::start_with("", "")
    }

    /// Starts a registry that only [`USER`] may use.
    pub fn start_with_password() -> Self {
        Self::start_with("", "auth:\n  htpasswd:\n    realm: test\n    path: FOLDER/htpasswd\n")
    }

    /// Starts a registry that speaks HTTPS, with a certificate that nobody vouches for.
    pub fn start_with_certificate() -> Self {
        Self::start_with("", "  tls:\n    certificate: FOLDER/certificate\n    key: FOLDER/key\n")
    }

    /// Starts a registry that speaks HTTPS, and only with those who show that same certificate.
    pub fn start_for_known() -> Self {
        let tls = "  tls:\n    certificate: FOLDER/certificate\n    key: FOLDER/key\n    clientcas:\n      - FOLDER/certificate\n";
        Self::start_with("", tls)
    }

    /// The folder with `certificate` and `key`.
    pub fn certificates(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a registry that nobody can write to.
    pub fn start_read_only() -> Self {
        Self::start_with("  maintenance:\n    readonly:\n      enabled: true\n", "")
    }

    fn start_with(storage: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if more.contains("tls:") {
            make_certificate(folder.path());
        }
        let settings = "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: FOLDER/data\n  delete:\n    enabled: true\n\
                        STORAGEhttp:\n  addr: 127.0.0.1:0\n";
        let settings = format!("{settings}{more}").replace("STORAGE", storage).replace("FOLDER", &folder.path().display().to_string());
        fs::write(folder.path().join("settings.yml"), settings).unwrap();
        fs::write(folder.path().join("htpasswd"), format!("{USER}:{HASHED}\n")).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(folder.path().join("settings.yml"));
        Self::run(command, folder, more.contains("htpasswd"))
    }

    /// Starts version 3 of the same program.
    pub fn start_version_3() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: FOLDER/data\nhttp:\n  addr: 127.0.0.1:0\n";
        fs::write(folder.path().join("settings.yml"), settings.replace("FOLDER", &folder.path().display().to_string())).unwrap();
        let mut command = Command::new("registry");
        command.arg("serve").arg(folder.path().join("settings.yml"));
        Self::run(command, folder, false)
    }

    /// Starts the registry that comes with crane.
    pub fn start_of_crane() -> Self {
        let mut command = Command::new("crane");
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]);
        Self::run(command, tempfile::tempdir().unwrap(), false)
    }

    fn run(mut command: Command, folder: tempfile::TempDir, closed: bool) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let server = command.spawn().unwrap_or_else(|error| panic!("{error}: `.ci/run` installs {:?}", command.get_program()));
        let mut registry = Self { folder, server, port: 0, closed };
        registry.port = registry.wait_for_port();
        registry
    }

    /// The registry chooses its port and tells it in its log.
    fn wait_for_port(&mut self) -> u16 {
        let started = Instant::now();
        loop {
            let log = self.log();
            let told = ["listening on 127.0.0.1:", "serving on port "].iter().find_map(|said| log.split_once(said));
            let port = told.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            // A line is whole once something comes after the number.
            if let Some(port) = port.filter(|port| told.is_some_and(|(_, rest)| rest.len() > port.len())) {
                return port.parse().unwrap();
            }
            assert!(self.server.try_wait().unwrap().is_none(), "the registry ended: {log}");
            assert!(started.elapsed() < Duration::from_secs(30), "the registry does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The full name of an image in this registry.
    pub fn name(&self, repository: &str) -> String {
        format!("{}/{repository}", self.host())
    }

    /// The user and the password, where it asks for them.
    pub fn password(&self) -> Option<(&'static str, &'static str)> {
        self.closed.then_some((USER, PASSWORD))
    }

    /// Where the registry keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2")
    }

    /// What the registry was asked so far, each as `METHOD PATH STATUS`.
    pub fn requests(&self) -> Vec<String> {
        let log = self.log();
        let request = |line: &str| {
            let (_, rest) = line.split_once("] \"")?;
            let (request, rest) = rest.split_once(" HTTP/")?;
            let rest = rest.split_once("\" ")?.1;
            Some(format!("{request} {}", rest.split(' ').next()?))
        };
        log.lines().filter_map(request).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn make_certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]);
    command
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(folder.join("key"))
        .arg("-out")
        .arg(folder.join("certificate"));
    let made = command.output().expect("openssl, of the Debian package of that name");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
