//! What root in the sandbox may do, and who else may not.

use super::people::{Person, as_everybody};
use super::{World, actor};
use crate::sandbox::{Privileges, Spec, User};
use rustix::fs::{CWD, FileType, Mode};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

const ROOT: User = User { uid: 0, gid: 0 };

/// Tries what installers of packages do.
pub fn act() {
    let say = |what: &str, result: std::io::Result<()>| {
        println!("{what}: {}", result.map_or_else(|error| format!("{:?}", error.kind()), |()| "done".into()));
    };
    say("write", fs::write("/etc/a", "new"));
    say("owner", chown("/etc/a", Some(7), Some(8)));
    say("mode", fs::set_permissions("/etc/a", fs::Permissions::from_mode(0o4755)));
    let device =
        |path: &str| rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(0o600), rustix::fs::makedev(1, 1));
    say("device", device("/etc/device").map_err(Into::into));
    say("pipe", rustix::fs::mknodat(CWD, "/etc/pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).map_err(Into::into));
    say("mode of a device", fs::set_permissions("/dev/null", fs::Permissions::from_mode(0o600)));
    say("mount", rustix::mount::mount("none", "/tmp", "tmpfs", rustix::mount::MountFlags::empty(), None).map_err(Into::into));
    let other =
        |uid: u32| std::os::unix::process::CommandExt::uid(&mut Command::new(actor::NAME), uid).args(["exit", "0"]).status().map(drop);
    say("another user", other(7));
    let found = fs::metadata("/etc/a").unwrap();
    println!("owner {} {} mode {:o}", found.uid(), found.gid(), found.mode() & 0o7777);
    println!("device exists {}", fs::exists("/etc/device").unwrap());
    say("root", rustix::process::chroot("/usr").map_err(Into::into));
}

#[test]
fn root_may_what_root_of_a_container_may() {
    as_everybody("root_may_what_root_of_a_container_may", |person| {
        let world = World::new();
        let lines = world.lines(&Spec { user: ROOT, privileges: Privileges::Container, ..world.spec(&["privileges"]) });
        // Where other ids do not exist, files are given away in name only.
        let owner = if person.maps() == Some(1) { "owner 0 0 mode 4755" } else { "owner 7 8 mode 4755" };
        // Without mounts, the devices are nodes of its own, and no root but this one can be left.
        let (device, root) = if person == Person::Unprivileged { ("done", "PermissionDenied") } else { ("ReadOnlyFilesystem", "done") };
        let expected = format!(
            "write: done\nowner: done\nmode: done\ndevice: done\npipe: done\nmode of a device: {device}\nmount: PermissionDenied\nanother user: done\n{owner}\ndevice exists false\nroot: {root}"
        );
        assert_eq!(lines.join("\n"), expected);
        assert_eq!(fs::read_to_string(world.path("lower/etc/a")).unwrap(), "below");
        let below = fs::metadata(world.path("lower/etc/a")).unwrap();
        assert_eq!((below.mode() & 0o7777, below.uid()), (0o644, rustix::process::geteuid().as_raw()));
        assert_eq!(fs::metadata("/dev/null").unwrap().mode() & 0o777, 0o666);
    });
}

#[test]
fn others_than_root_have_no_privileges() {
    as_everybody("others_than_root_have_no_privileges", |_| {
        let world = World::new();
        let facts = |privileges| world.run(&Spec { privileges, ..world.spec(&["write", "/etc/a", "/usr/new", "/home/new"]) }).unwrap();
        assert_eq!(facts(Privileges::Container), facts(Privileges::None));
        assert_eq!(facts(Privileges::None).1, ["/etc/a: PermissionDenied", "/usr/new: PermissionDenied", "/home/new: written"]);
    });
}
