//! The ways to an engine: a port with encryption, SSH, contexts of Docker's client, and a socket that is somebody else's.

use super::Place;
use crate::support::{Engine, Kind, Machine, run, succeed};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A key and a certificate `NAME.pem`, signed by the authority in the folder, or by itself.
fn certificate(folder: &Path, name: &str, authority: Option<&str>, extension: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    command.args(["-subj", &format!("/CN={name}"), "-addext", extension]);
    if let Some(authority) = authority {
        command.args([
            "-CA",
            &format!("{authority}.pem"),
            "-CAkey",
            &format!("{authority}-key.pem"),
            "-addext",
            "basicConstraints=CA:FALSE",
        ]);
    }
    let output = run(command.args(["-keyout", &format!("{name}-key.pem"), "-out", &format!("{name}.pem")]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An engine that shows a certificate and asks for one, and the folders of two clients: one that it knows and one that it does not.
fn with_certificates() -> (Engine, u16) {
    let folder = tempfile::tempdir().unwrap().keep();
    for authority in ["authority", "stranger"] {
        certificate(&folder, authority, None, "keyUsage=keyCertSign");
    }
    certificate(&folder, "server", Some("authority"), "subjectAltName=IP:127.0.0.1");
    certificate(&folder, "client", Some("authority"), "extendedKeyUsage=clientAuth");
    certificate(&folder, "foreign", Some("stranger"), "extendedKeyUsage=clientAuth");
    for (client, own, authority) in
        [("known", "client", "authority"), ("unknown", "foreign", "authority"), ("doubter", "client", "stranger")]
    {
        fs::create_dir(folder.join(client)).unwrap();
        for (source, target) in
            [(format!("{own}.pem"), "cert.pem"), (format!("{own}-key.pem"), "key.pem"), (format!("{authority}.pem"), "ca.pem")]
        {
            fs::copy(folder.join(source), folder.join(client).join(target)).unwrap();
        }
    }
    let port = free_port();
    let host = format!("tcp://127.0.0.1:{port}");
    let arguments = ["--host", &host, "--tlsverify", "--tlscacert", "FOLDER/authority.pem", "--tlscert", "FOLDER/server.pem"];
    (Engine::start_in(folder, Kind::Docker, &[&arguments[..], &["--tlskey", "FOLDER/server-key.pem"]].concat()), port)
}

#[test]
fn an_engine_is_reached_with_certificates() {
    let (place, (engine, port)) = (Place::new(), with_certificates());
    let (image, source) = place.small("v1", &[("app", b"one")]);
    let host = format!("tcp://127.0.0.1:{port}");
    let copy = |name: &str, variables: &[(&str, &str)]| {
        let mut command = place.machine.command(&["copy", &source, &format!("docker:{name}:1")]);
        command.env_remove("DOCKER_HOST").env("DOCKER_CONFIG", place.path("client")).envs(variables.iter().copied());
        let output = run(&mut command);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let folder = |client: &str| engine.folder().join(client).display().to_string();
    let verified = |client: &str| copy("tls", &[("DOCKER_HOST", &host), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &folder(client))]);
    let (done, said) = verified("known");
    assert!(done, "{said}");
    assert_eq!(engine.inspect("tls:1", "{{.Id}}"), image.config);
    for (client, expected) in [("unknown", "the engine wants another certificate of yours"), ("doubter", "authority into `ca.pem`")] {
        let (done, said) = verified(client);
        assert!(!done && said.contains(expected), "{client}: {said}");
    }
    let by_name = format!("tcp://localhost:{port}");
    let (done, said) = copy("tls", &[("DOCKER_HOST", &by_name), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &folder("known"))]);
    assert!(!done && said.contains("name the engine's host as its certificate does"), "{said}");
    // Without verification any certificate of the engine's will do.
    let (done, said) = copy("any", &[("DOCKER_HOST", &by_name), ("DOCKER_TLS", "1"), ("DOCKER_CERT_PATH", &folder("known"))]);
    assert!(done, "{said}");
    let (done, said) = copy("tls", &[("DOCKER_HOST", &host)]);
    assert!(!done && said.contains("it speaks with encryption only") && said.contains("DOCKER_TLS_VERIFY=1"), "{said}");

    // The same by a context that Docker's own client made.
    let docker = |arguments: &[&str]| succeed(Command::new("docker").args(arguments).env("DOCKER_CONFIG", place.path("client")));
    let known = folder("known");
    docker(&["context", "create", "far", "--docker", &format!("host={host},ca={known}/ca.pem,cert={known}/cert.pem,key={known}/key.pem")]);
    let (done, said) = copy("by-context", &[("DOCKER_CONTEXT", "far")]);
    assert!(done, "{said}");
    docker(&["context", "use", "far"]);
    let (done, said) = copy("by-current", &[]);
    assert!(done, "{said}");
    for name in ["any:1", "by-context:1", "by-current:1"] {
        assert_eq!(engine.inspect(name, "{{.Id}}"), image.config, "{name}");
    }
    let (done, said) = copy("by-gone", &[("DOCKER_CONTEXT", "gone")]);
    assert!(!done && said.contains("there is no context `gone`, which DOCKER_CONTEXT names"), "{said}");
}

/// An SSH server of one's own; ended when it is dropped.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "me"] {
            succeed(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]));
        }
        fs::copy(path("me.pub"), path("authorized")).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let port = free_port();
        // Where privileges are given up.
        fs::create_dir_all("/run/sshd").unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string(), "-h", &path("host")]);
        for option in ["ListenAddress=127.0.0.1", "UsePAM=no", "StrictModes=no", "PasswordAuthentication=no", "PermitRootLogin=yes"] {
            command.args(["-o", option]);
        }
        command.args(["-o", &format!("AuthorizedKeysFile={}", path("authorized")), "-o", &format!("PidFile={}", path("pid"))]);
        let log = fs::File::create(path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().expect("sshd, of the Debian package openssh-server");
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "{}", fs::read_to_string(path("log")).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, folder, port }
    }

    /// A folder with an `ssh` that uses the key of this server's user, whoever's home this is.
    fn client(&self, key: &str) -> String {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        fs::create_dir_all(path(&format!("{key}-bin"))).unwrap();
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
             -o LogLevel=ERROR -o UserKnownHostsFile={} -i {} \"$@\"\n",
            path("known"),
            path(key)
        );
        let program = path(&format!("{key}-bin/ssh"));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        path(&format!("{key}-bin"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn an_engine_is_reached_by_ssh() {
    let (place, engine, server) = (Place::new(), Engine::shared(), Server::start());
    let (image, source) = place.small("v1", &[("app", &[3; 3_000_000])]);
    let copy = |key: &str, socket: &str| {
        let mut command = place.machine.command(&["copy", &source, "docker:by-ssh:1"]);
        command.env("DOCKER_HOST", format!("ssh://root@127.0.0.1:{}{socket}", server.port));
        let output = run(command.env("PATH", format!("{}:{}", server.client(key), std::env::var("PATH").unwrap())));
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let socket = engine.host().trim_start_matches("unix://").to_string();
    let (done, said) = copy("me", &socket);
    assert!(done, "{said}");
    assert_eq!(engine.inspect("by-ssh:1", "{{.Id}}"), image.config);
    let (done, said) = copy("host", &socket);
    assert!(!done && said.contains("caused by: ssh: ") && said.contains("Permission denied"), "{said}");
    let (done, said) = copy("me", "/no/such.sock");
    assert!(!done && said.contains("caused by: ssh: ") && said.contains("/no/such.sock"), "{said}");
}

#[test]
fn an_engine_is_reached_at_a_port() {
    let (place, engine) = (Place::new(), Engine::shared());
    let (image, source) = place.small("v1", &[("app", b"one")]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://localhost:{}", listener.local_addr().unwrap().port());
    let socket = engine.host().trim_start_matches("unix://").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut near, mut far) = (stream.unwrap(), UnixStream::connect(&socket).unwrap());
            let (mut near_again, mut far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut near, &mut far));
            std::thread::spawn(move || std::io::copy(&mut far_again, &mut near_again));
        }
    });
    succeed(place.machine.command(&["copy", &source, "docker:by-port:1"]).env("DOCKER_HOST", &host));
    assert_eq!(engine.inspect("by-port:1", "{{.Id}}"), image.config);
}

#[test]
fn a_socket_of_somebody_elses_is_told_with_what_to_do() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::shared());
    fs::set_permissions(engine.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let machine = Machine::for_user(folder.path());
    let output = run(machine.command(&["pull", "docker:x"]).env("DOCKER_HOST", engine.host()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("Permission denied"), "{said}");
    assert!(said.contains("the group that owns the socket"), "{said}");
}

/// What is at the other end may be anything: it is not waited for without end, and not believed.
#[test]
fn what_is_no_engine_is_told() {
    let (place, listener) = (Place::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(b"220 mail.test ESMTP\r\n").unwrap();
        }
    });
    let output = run(place.machine.command(&["pull", "docker:x"]).env("DOCKER_HOST", &host));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains(&format!("cannot connect to the engine at {host}")), "{said}");
}
