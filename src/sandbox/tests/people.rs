//! Runs a test as everybody that the sandbox is for.

use super::actor;
use crate::sandbox::Mode;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Somebody, somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Root.
    Root,
    /// A user without subordinate ids.
    User,
    /// A user with subordinate ids.
    Subordinate,
    /// A user in a container that hides parts of /proc.
    Contained,
    /// Root in a container that hides parts of /proc and refuses pivot_root and clone3.
    ContainedRoot,
    /// Root in an ordinary container.
    Unprivileged,
    /// Root on a file system that is an overlay itself.
    InAnOverlay,
}

const ROLE: &str = "COOPER_TEST_PERSON";
const EVERYBODY: [Person; 7] =
    [Person::Root, Person::User, Person::Subordinate, Person::Contained, Person::ContainedRoot, Person::Unprivileged, Person::InAnOverlay];

/// A user that every system has, and that nobody gave subordinate ids.
const NOBODY: u32 = 65_534;

/// Runs `body` as everybody, if this is root; else as the user that this is. `name` is the test's own.
pub fn as_everybody(name: &str, body: fn(Person)) {
    run_as(&EVERYBODY, name, body);
}

/// As [`as_everybody`], for what needs mounts or namespaces.
pub fn as_everybody_with_mounts(name: &str, body: fn(Person)) {
    let able: Vec<Person> = EVERYBODY.into_iter().filter(|person| *person != Person::Unprivileged).collect();
    run_as(&able, name, body);
}

fn run_as(people: &[Person], name: &str, body: fn(Person)) {
    if let Some(role) = std::env::var_os(ROLE) {
        return body(EVERYBODY.into_iter().find(|person| role == format!("{person:?}").as_str()).unwrap());
    }
    if !rustix::process::geteuid().is_root() {
        let known = crate::sandbox::identity::subordinate().is_ok();
        return body(if known { Person::Subordinate } else { Person::User });
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Not everybody can reach the place where it was built.
    // By a process of its own: a file that a fork of another test still has open for writing cannot be started.
    let source = format!("/proc/{}/exe", std::process::id());
    assert!(Command::new("cp").args([source.as_str(), "program"]).current_dir(folder.path()).status().unwrap().success());
    for person in people {
        let mut command = person.command(folder.path());
        // The test that this thread runs, by its whole name.
        let test = std::thread::current().name().unwrap().to_string();
        assert!(test.ends_with(&format!("::{name}")), "{test}");
        command.args([&test, "--exact", "--nocapture"]).env(ROLE, format!("{person:?}"));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "as {person:?}: {text}");
    }
}

impl Person {
    /// The test program, started by this person. Mounts are made in a namespace that goes away with it.
    fn command(self, folder: &std::path::Path) -> Command {
        let itself = folder.join("program");
        let drop_root = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups");
        let hide = "mount -t tmpfs none /proc/acpi && mount -t tmpfs none /sys/firmware";
        let script = match self {
            Person::Root => return Command::new(itself),
            Person::User => {
                let mut command = Command::new(itself);
                command.uid(NOBODY).gid(NOBODY);
                return command;
            }
            Person::Subordinate => {
                std::fs::write(folder.join("ids"), "nobody:200000:65536\n").unwrap();
                format!("mount --bind ids /etc/subuid && mount --bind ids /etc/subgid && exec {drop_root} \"$0\" \"$@\"")
            }
            Person::Contained => format!("{hide} && exec {drop_root} \"$0\" \"$@\""),
            Person::ContainedRoot => format!("{hide} && exec -a {} \"$0\" as-in-docker \"$0\" \"$@\"", actor::NAME),
            Person::Unprivileged => format!("exec -a {} \"$0\" unprivileged \"$0\" \"$@\"", actor::NAME),
            Person::InAnOverlay => "mkdir -p l u w o && mount -t tmpfs none u && mkdir u/u u/w && mount -t overlay -o lowerdir=l,upperdir=u/u,workdir=u/w none o && TMPDIR=$PWD/o exec \"$0\" \"$@\"".into(),
        };
        let mut command = Command::new("unshare");
        command.args(["--mount", "bash", "-c", &script]).arg(itself).current_dir(folder);
        command
    }

    /// Whether the program has processes of its own.
    pub fn sees_own_processes(self) -> bool {
        !matches!(self, Person::Contained | Person::ContainedRoot | Person::Unprivileged)
    }

    /// How many lines the map of users has.
    pub fn maps(self) -> Option<usize> {
        match self {
            Person::User | Person::Contained => Some(1),
            Person::Subordinate => Some(3),
            Person::Root | Person::ContainedRoot | Person::Unprivileged | Person::InAnOverlay => None,
        }
    }

    /// What a probe finds.
    pub fn mode(self) -> Option<Mode> {
        match self {
            Person::Root | Person::ContainedRoot => Some(Mode::Root),
            Person::User | Person::Contained => Some(Mode::SingleId),
            Person::Subordinate => Some(Mode::SubordinateIds),
            Person::Unprivileged => Some(Mode::RootWithoutMounts),
            Person::InAnOverlay => Some(Mode::Root),
        }
    }

    /// Whether a probe finds that this works.
    pub fn has(self, what: &str) -> bool {
        match what.split_whitespace().next() {
            Some("Landlock") => true,
            _ if self == Person::Unprivileged => false,
            Some("fresh") => self.sees_own_processes(),
            Some("subordinate") => self == Person::Subordinate,
            Some("changes") => self != Person::InAnOverlay,
            _ => true,
        }
    }
}
