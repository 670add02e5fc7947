//! Engines, each in a folder of its own, without a network of its own: Docker's with its own store, Docker's with containerd's, Podman's.

use super::{apt_sources, get, run, succeed};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Docker's, which keeps images by itself.
    Docker,
    /// Docker's, which keeps images in containerd.
    Containerd,
    /// Podman's service.
    Podman,
}

/// Starts the engine, again where it is killed, and ends it and clears up when nobody holds the other end of standard input any more. The
/// engine leaves its own folder mounted.
const DOCKER: &str = r#"
engine=$0
until [ -e "$engine/end" ]; do
    rm -f "$engine/pid"
    dockerd --debug --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" --host "unix://$engine/socket" \
        --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs "$@" >> "$engine/log" 2>&1 < /dev/null
done &
cat > /dev/null
touch "$engine/end"
kill "$(cat "$engine/pid")"
wait $!
umount -R "$engine/data"
rm -rf --one-file-system "$engine"
"#;

/// The same with Debian 13's engine, because older ones cannot keep images in containerd, in its own root and where nobody else sees its
/// mounts.
const CONTAINERD: &str = r#"
cat "$0/sources" | mmdebstrap --quiet --variant=extract --mode=root --include=docker.io,containerd \
    --aptopt='Acquire::Check-Valid-Until "false"' trixie "$0/root" - > "$0/log" 2>&1
for folder in bin sbin lib lib64; do [ -e "$0/root/$folder" ] || ln -s "usr/$folder" "$0/root/$folder"; done
unshare --mount --propagation private sh -c '
    # The engine makes its root read-only at times, which only a mount can be.
    mount --bind "$0/root" "$0/root"
    mkdir -p "$0/root/proc" "$0/root/sys" "$0/root/dev" "$0/root/run" "$0/root/tmp" "$0/root$0"
    mount --rbind /proc "$0/root/proc"; mount --rbind /sys "$0/root/sys"; mount --rbind /dev "$0/root/dev"; mount --bind "$0" "$0/root$0"
    printf "{\"features\":{\"containerd-snapshotter\":true}}" > "$0/daemon.json"
    chroot "$0/root" dockerd --debug --config-file "$0/daemon.json" --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" \
        --host "unix://$0/socket" --bridge=none --iptables=false --ip6tables=false --storage-driver=native >> "$0/log" 2>&1 < /dev/null &
    cat > /dev/null
    kill $!
    wait $!
' "$0"
rm -rf --one-file-system "$0"
"#;

/// The same with Podman.
const PODMAN: &str = r#"
podman --root "$0/data" --runroot "$0/run" --tmpdir "$0/tmp" --storage-driver vfs system service --time=0 "unix://$0/socket" \
    > "$0/log" 2>&1 < /dev/null &
cat > /dev/null
kill $!
wait $!
rm -rf --one-file-system "$0"
"#;

/// An engine that runs as long as the tests do, or until it is dropped.
pub struct Engine {
    folder: PathBuf,
    _held: ChildStdin,
}

impl Engine {
    /// Docker's engine that tests share: it starts slowly, so they use names of their own.
    pub fn shared() -> &'static Self {
        Self::of(Kind::Docker)
    }

    /// The engine of a kind that tests share.
    pub fn of(kind: Kind) -> &'static Self {
        static ENGINES: [OnceLock<Engine>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        ENGINES[kind as usize].get_or_init(|| Self::start(kind, &[]))
    }

    /// An engine of one's own, with more arguments; `FOLDER` in them is its folder.
    pub fn start(kind: Kind, more: &[&str]) -> Self {
        assert!(rustix::process::geteuid().is_root(), "engines need root");
        let folder = tempfile::tempdir().unwrap().keep();
        Self::start_in(folder, kind, more)
    }

    /// The same in a folder that has what it needs.
    pub fn start_in(folder: PathBuf, kind: Kind, more: &[&str]) -> Self {
        let script = match kind {
            Kind::Docker => DOCKER,
            Kind::Containerd => {
                fs::write(folder.join("sources"), apt_sources("trixie")).unwrap();
                CONTAINERD
            }
            Kind::Podman => PODMAN,
        };
        let mut keeper = Command::new("sh");
        keeper
            .arg("-c")
            .arg(script)
            .arg(&folder)
            .args(more.iter().map(|argument| argument.replace("FOLDER", &folder.display().to_string())));
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let engine = Self { _held: keeper.spawn().unwrap().stdin.take().unwrap(), folder };
        engine.wait();
        engine
    }

    /// Waits until the engine answers.
    pub fn wait(&self) {
        let started = Instant::now();
        while !run(&mut self.docker(&["version"])).status.success() {
            assert!(started.elapsed() < Duration::from_secs(180), "of the Debian packages docker.io and podman: {}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills the engine as a power failure does; it starts again by itself.
    pub fn kill(&self) {
        succeed(Command::new("kill").arg("-9").arg(fs::read_to_string(self.folder.join("pid")).unwrap().trim()));
    }

    /// The engine's own folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `DOCKER_HOST` is for this engine.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.join("socket").display())
    }

    /// A command of Docker's own client.
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_HOST", self.host());
        command
    }

    /// What the app of an image answers that the engine has; it is started for that and removed.
    pub fn answer(&self, image: &str) -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let variable = format!("PORT={port}");
        let id = succeed(&mut self.docker(&["run", "--detach", "--network", "host", "--env", &variable, image]));
        let started = Instant::now();
        let body = loop {
            if let Some(body) = get(port) {
                break body;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", run(&mut self.docker(&["logs", id.trim()])));
            std::thread::sleep(Duration::from_millis(200));
        };
        succeed(&mut self.docker(&["rm", "--force", id.trim()]));
        body
    }

    /// What the engine says of one of its images in this format.
    pub fn inspect(&self, image: &str, format: &str) -> String {
        succeed(&mut self.docker(&["image", "inspect", "--format", format, image])).trim().to_string()
    }

    /// A file of an image, by way of a container that is never started.
    pub fn file(&self, image: &str, path: &str) -> String {
        let container = succeed(&mut self.docker(&["create", image, "nothing"]));
        let folder = tempfile::tempdir().unwrap();
        succeed(self.docker(&["cp", &format!("{}:{path}", container.trim())]).arg(folder.path().join("file")));
        succeed(&mut self.docker(&["rm", container.trim()]));
        fs::read_to_string(folder.path().join("file")).unwrap()
    }

    /// Makes an image with these files, and with these instructions of a Dockerfile.
    pub fn import(&self, name: &str, files: &[(&str, &str)], instructions: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let archive = folder.path().with_extension("tar");
        succeed(Command::new("tar").arg("-C").arg(folder.path()).arg("-cf").arg(&archive).arg("."));
        let mut command = self.docker(&["import"]);
        for instruction in instructions {
            command.args(["--change", instruction]);
        }
        succeed(command.arg(&archive).arg(name));
        fs::remove_file(archive).unwrap();
    }

    /// What the engine logged: every request, and every layer that it unpacked.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}
