//! The sandbox on a real kernel, as everybody that it is for: root, a user, a user with subordinate ids, and inside containers.

pub mod actor;
mod foreign;
mod layers;
mod network;
mod packages;
mod people;
mod privileges;

use super::spec::Exit;
use super::{Access, Mount, Network, Publish, Spec, Stream, Upper, User, run};
use crate::error::Result;
use people::{Person, as_everybody, as_everybody_with_mounts};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A root file system of two layers, and folders that the program may see.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    const USER: User = User { uid: 1000, gid: 1001 };

    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["lower/bin", "lower/etc", "lower/usr", "lower/home", "upper-layer/etc", "shared", "scratch"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        for folder in ["", "lower", "lower/etc", "upper-layer", "upper-layer/etc"] {
            fs::set_permissions(world.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (file, content) in
            [("lower/etc/a", "below"), ("lower/etc/b", "below"), ("lower/usr/tool", "tool"), ("upper-layer/etc/b", "above")]
        {
            fs::write(world.path(file), content).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            for folder in ["lower/home", "shared"] {
                chown(world.path(folder), Some(Self::USER.uid), Some(Self::USER.gid)).unwrap();
            }
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spec(&self, arguments: &[&str]) -> Spec {
        spec(self.folder.path(), arguments)
    }

    /// A folder for one run.
    fn scratch(&self) -> PathBuf {
        tempfile::tempdir_in(self.path("scratch")).unwrap().keep()
    }

    fn run(&self, spec: &Spec) -> Result<(u8, Vec<String>)> {
        let mut lines = Vec::new();
        let exit = run(&self.scratch(), spec, &mut |stream, line| {
            let text = String::from_utf8_lossy(line);
            lines.push(match stream {
                Stream::Output => text.into_owned(),
                Stream::Error => format!("error: {text}"),
            });
        })?;
        assert!(!exit.interrupted);
        Ok((exit.code, lines))
    }

    fn lines(&self, spec: &Spec) -> Vec<String> {
        let (code, lines) = self.run(spec).unwrap();
        assert_eq!(code, 0, "{lines:#?}");
        lines
    }
}

impl Drop for World {
    fn drop(&mut self) {
        crate::store::remove_tree(self.folder.path()).unwrap();
        fs::create_dir(self.folder.path()).unwrap();
    }
}

fn spec(folder: &Path, arguments: &[&str]) -> Spec {
    let mount = |source: PathBuf, target: &str, access| Mount { source, target: target.into(), access };
    Spec {
        lowers: vec![folder.join("lower"), folder.join("upper-layer")],
        upper: Upper::Discard,
        mounts: vec![
            mount(std::env::current_exe().unwrap(), actor::NAME, Access::ReadOnly),
            mount(folder.join("shared"), "/srv/shared", Access::ReadWrite),
            mount(folder.join("lower"), "/srv/fixed", Access::ReadOnly),
        ],
        arguments: [actor::NAME].iter().chain(arguments).map(Into::into).collect(),
        environment: vec![("NAME".into(), "value".into())],
        directory: "/usr".into(),
        user: World::USER,
        privileges: super::Privileges::None,
        network: Network::None,
        emulator: None,
        writable: vec!["/home".into()],
    }
}

/// What [`actor`] does as a supervisor of its own.
pub fn supervise(folder: &Path, action: &str) -> i32 {
    let scratch = tempfile::tempdir_in(folder.join("scratch")).unwrap().keep();
    let spec = match action.split(' ').collect::<Vec<_>>()[..] {
        ["serve", port, address] => {
            let port = Publish { address: None, host: port.parse().unwrap(), container: 8080 };
            Spec { network: Network::Published(vec![port]), ..spec(folder, &["serve", address]) }
        }
        _ => spec(folder, &[action, "/srv/shared/beat"]),
    };
    let Exit { code, interrupted } = run(&scratch, &spec, &mut |_, _| {}).unwrap();
    assert!(interrupted);
    code.into()
}

#[test]
fn the_exit_status_is_passed() {
    as_everybody("the_exit_status_is_passed", |_| {
        let world = World::new();
        let code = |arguments: &[&str]| world.run(&world.spec(arguments)).unwrap().0;
        assert_eq!([code(&["exit", "0"]), code(&["exit", "7"]), code(&["exit", "125"]), code(&["crash"])], [0, 7, 125, 128 + 6]);
        let failure = |program: &str| {
            let error = world.run(&Spec { arguments: vec![program.into()], ..world.spec(&[]) }).unwrap_err();
            (error.exit_code(), error.to_string())
        };
        assert_eq!(failure("/no/such"), (127, "cannot run `/no/such` in the sandbox: No such file or directory (os error 2)".into()));
        assert_eq!(failure("/etc/a"), (126, "cannot run `/etc/a` in the sandbox: Permission denied (os error 13)".into()));
        let error = world.run(&Spec { directory: "/absent".into(), ..world.spec(&["exit", "0"]) }).unwrap_err();
        assert_eq!(error.to_string(), "cannot work in `/absent` in the sandbox: No such file or directory (os error 2)");
    });
}

#[test]
fn output_comes_line_by_line() {
    as_everybody("output_comes_line_by_line", |_| {
        let world = World::new();
        let mut lines = world.lines(&world.spec(&["say"]));
        lines.sort_by_key(|line| line.starts_with("error"));
        assert_eq!(lines, ["one", "two", "no end", "error: three"]);
    });
}

#[test]
fn the_program_has_no_privileges_and_sees_nothing_of_this_machine() {
    as_everybody_with_mounts("the_program_has_no_privileges_and_sees_nothing_of_this_machine", |person| {
        let world = World::new();
        let lines = world.lines(&world.spec(&["facts"]));
        let none = "0000000000000000";
        let mut expected = vec!["Uid 1000 1000 1000 1000".to_string(), "Gid 1001 1001 1001 1001".into(), "Groups ".into()];
        expected.extend(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set} {none}")));
        expected.extend(["NoNewPrivs 1".into(), "Seccomp 2".into(), format!("SigBlk {none}")]);
        expected.extend(["directory /usr", r#"environment [("NAME", "value")]"#, "host cooper", "descriptors 3"].map(String::from));
        if person.sees_own_processes() {
            expected.extend(["init's program PermissionDenied", "init's arguments cooper-sandbox "].map(String::from));
        }
        assert_eq!(lines[..expected.len()], expected);
        if let Some(maps) = person.maps() {
            assert_eq!(lines.last().unwrap(), &format!("maps {maps}"));
        }
    });
}

#[test]
fn only_what_the_image_gives_can_be_written() {
    as_everybody("only_what_the_image_gives_can_be_written", |person| {
        let world = World::new();
        let paths =
            ["/new", "/usr/tool", "/etc/a", "/srv/fixed/new", "/home/new", "/srv/shared/new", "/tmp/new", "/dev/shm/new", "/dev/null"];
        let lines = world.lines(&world.spec(&[&["write"], paths.as_slice()].concat()));
        let fixed = if person == Person::Unprivileged { "PermissionDenied" } else { "ReadOnlyFilesystem" };
        let refused = ["PermissionDenied", "PermissionDenied", "PermissionDenied", fixed];
        let expected: Vec<String> = paths
            .iter()
            .zip(refused.iter().chain(std::iter::repeat(&"written")))
            .map(|(path, result)| format!("{path}: {result}"))
            .collect();
        assert_eq!(lines, expected);
        assert_eq!(fs::read_to_string(world.path("shared/new")).unwrap(), "new");
        assert!(!world.path("lower/home/new").exists());
        assert_eq!(fs::read_to_string(world.path("lower/usr/tool")).unwrap(), "tool");
    });
}

#[test]
fn layers_lie_over_each_other_and_changes_can_be_kept() {
    as_everybody("layers_lie_over_each_other_and_changes_can_be_kept", |_| {
        let world = World::new();
        assert_eq!(
            world.lines(&world.spec(&["read", "/etc/a", "/etc/b", "/etc/c"])),
            ["/etc/a: below", "/etc/b: above", "/etc/c: NotFound"]
        );
        let mut many = world.spec(&["read", "/etc/b"]);
        for number in 0..100 {
            let folder = world.path(&format!("many/{number}"));
            fs::create_dir_all(&folder).unwrap();
            many.lowers.insert(1, folder);
        }
        assert_eq!(world.lines(&many), ["/etc/b: above"]);
        let kept =
            Spec { upper: Upper::Keep { tree: world.path("kept"), owners: world.path("owners") }, ..world.spec(&["write", "/home/new"]) };
        assert_eq!(world.lines(&kept), ["/home/new: written"]);
        assert_eq!(fs::read_to_string(world.path("kept/home/new")).unwrap(), "new");
        assert_eq!(fs::metadata(world.path("kept")).unwrap().mode() & 0o777, 0o755);
    });
}

#[test]
fn files_keep_their_times() {
    as_everybody("files_keep_their_times", |_| {
        let world = World::new();
        fs::write(world.path("lower/home/mine"), "").unwrap();
        std::os::unix::fs::symlink("mine", world.path("lower/home/link")).unwrap();
        let paths = ["home/mine", "home/link", "home", "usr/tool", "usr"];
        for path in paths {
            let time = rustix::fs::Timespec { tv_sec: 1_000_000, tv_nsec: 0 };
            let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
            let lower = world.path("lower").join(path);
            rustix::fs::utimensat(rustix::fs::CWD, &lower, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
            if rustix::process::geteuid().is_root() && path == "home/mine" {
                chown(&lower, Some(World::USER.uid), Some(World::USER.gid)).unwrap();
            }
        }
        let inside = paths.map(|path| format!("/{path}"));
        let arguments: Vec<&str> = std::iter::once("times").chain(inside.iter().map(String::as_str)).collect();
        assert_eq!(world.lines(&world.spec(&arguments)), inside.map(|path| format!("{path}: 1000000")));
    });
}

#[test]
fn too_many_layers_are_an_error() {
    let world = World::new();
    let error = world.run(&Spec { lowers: vec![world.path("lower"); 500], ..world.spec(&["exit", "0"]) }).unwrap_err();
    assert_eq!(error.to_string(), "the image has 500 layers; the kernel takes 499");
}

#[test]
fn privileged_calls_are_refused() {
    as_everybody_with_mounts("privileged_calls_are_refused", |person| {
        let world = World::new();
        let mut lines = world.lines(&world.spec(&["forbidden"]));
        let sysctl = lines.pop().unwrap();
        assert!(sysctl.starts_with("sysctl ") && !sysctl.ends_with("written"), "{sysctl}");
        if !person.sees_own_processes() {
            lines.pop();
        }
        let expected = ["mount 1", "chroot 1", "vsock 97", "namespace 1", "kill 1"];
        assert_eq!(lines, expected[..lines.len()]);
    });
}

/// Starts a supervisor of its own for `action` and waits until the program inside lives.
fn supervised(world: &World, action: &str) -> Child {
    fs::remove_file(world.path("shared/beat")).ok();
    let folder = world.folder.path().to_str().unwrap();
    let arguments = ["supervise", folder, action];
    let child = std::os::unix::process::CommandExt::arg0(&mut Command::new("/proc/self/exe"), actor::NAME)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while beats(world) < 3 {
        assert!(start.elapsed() < Duration::from_secs(20), "`{action}` did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// The length of the file that shows life, which is elsewhere while its folder is moved into a sandbox.
fn beats(world: &World) -> u64 {
    let runs = fs::read_dir(world.path("scratch")).unwrap().map(|run| run.unwrap().path().join("root/srv/shared/beat"));
    let files = runs.chain([world.path("shared/beat")]);
    files.filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).max().unwrap_or(0)
}

/// Whether some process still writes to the file that shows life.
fn lives(world: &World) -> bool {
    let before = beats(world);
    std::thread::sleep(Duration::from_millis(60));
    beats(world) != before
}

fn assert_all_end(world: &World) {
    let start = Instant::now();
    while lives(world) {
        assert!(start.elapsed() < Duration::from_secs(5), "a process outlived its sandbox");
    }
    while !world.path("shared/beat").exists() {
        assert!(start.elapsed() < Duration::from_secs(5), "a folder was not given back");
    }
}

#[test]
fn ctrl_c_ends_the_program_and_twice_kills_it() {
    as_everybody("ctrl_c_ends_the_program_and_twice_kills_it", |_| {
        let world = World::new();
        let mut child = supervised(&world, "wait");
        signal(&child, rustix::process::Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGTERM));
        let mut child = supervised(&world, "ignore");
        signal(&child, rustix::process::Signal::INT);
        assert!(lives(&world));
        signal(&child, rustix::process::Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGKILL));
        assert!(!lives(&world));
    });
}

#[test]
fn nothing_outlives_the_program() {
    as_everybody("nothing_outlives_the_program", |_| {
        let world = World::new();
        world.lines(&world.spec(&["orphan", "/srv/shared/beat"]));
        assert!(!lives(&world));
    });
}

#[test]
fn nothing_outlives_the_supervisor() {
    as_everybody("nothing_outlives_the_supervisor", |_| {
        let world = World::new();
        for action in ["ignore", "family"] {
            let mut child = supervised(&world, action);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_all_end(&world);
        }
    });
}

#[test]
fn a_probe_finds_what_works() {
    as_everybody("a_probe_finds_what_works", |person| {
        let world = World::new();
        let probe = super::probe(&world.path("scratch")).unwrap();
        assert_eq!(probe.mode, person.mode(), "{probe:#?}");
        for finding in &probe.findings {
            assert_eq!(finding.works, person.has(&finding.what), "{finding:?}");
            assert_eq!(finding.works, finding.remedy.is_none(), "{finding:?}");
        }
        assert_eq!(fs::read_dir(world.path("scratch")).unwrap().count(), 0);
    });
}
