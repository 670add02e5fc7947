//! Docker's engine, in a folder of its own, without a network of its own.

use super::{run, succeed};
use std::fs;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Starts the engine, and ends it and clears up when nobody holds the other end of standard input any more. The engine leaves its own
/// folder mounted.
const KEEP: &str = r#"
dockerd --debug --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" --host "unix://$0/socket" \
    --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs > "$0/log" 2>&1 < /dev/null &
cat > /dev/null
kill $!
wait $!
umount -R "$0/data"
rm -rf "$0"
"#;

/// An engine that runs as long as the tests do. It starts slowly, so tests share it and use names of their own.
pub struct Engine {
    folder: PathBuf,
    _held: ChildStdin,
}

impl Engine {
    /// The engine that tests share.
    pub fn shared() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(Self::start)
    }

    fn start() -> Self {
        assert!(rustix::process::geteuid().is_root(), "Docker's engine needs root");
        let folder = tempfile::tempdir().unwrap().keep();
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg(KEEP).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let engine = Self { _held: keeper.spawn().unwrap().stdin.take().unwrap(), folder };
        let started = Instant::now();
        while !run(&mut engine.docker(&["version"])).status.success() {
            assert!(started.elapsed() < Duration::from_secs(60), "dockerd, of the Debian package docker.io: {}", engine.log());
            std::thread::sleep(Duration::from_millis(200));
        }
        engine
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

    /// What the engine says of one of its images in this format.
    pub fn inspect(&self, image: &str, format: &str) -> String {
        succeed(&mut self.docker(&["image", "inspect", "--format", format, image])).trim().to_string()
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
