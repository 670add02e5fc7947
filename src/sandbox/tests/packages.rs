//! Real installers of packages in the sandbox.

use super::World;
use super::layers::Image;
use super::people::as_everybody;
use crate::archive::{Entry, TarWriter};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What `dpkg` and the scripts of packages need.
const PROGRAMS: [&str; 18] = [
    "sh",
    "dpkg",
    "dpkg-deb",
    "dpkg-split",
    "dpkg-query",
    "tar",
    "rm",
    "cp",
    "chmod",
    "chown",
    "chgrp",
    "install",
    "mknod",
    "setpriv",
    "diff",
    "ldconfig",
    "start-stop-daemon",
    "id",
];

const SCRIPT: &str = "#!/bin/sh
set -e
chown 7:8 /data/mine
chgrp 42 /data/shared
install -o 9 -g 10 -m 2755 /data/file /data/installed
cp -a /data/installed /data/copied
chmod 4755 /data/file
mknod /data/device c 1 3
setpriv --reuid=7 --regid=8 --clear-groups /bin/sh -c 'echo as another user'
";

/// Copies programs of this machine and their libraries.
fn copy_programs(lower: &Path) {
    let mut files = BTreeSet::new();
    for name in PROGRAMS {
        let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(|folder| Path::new(folder).join(name));
        let program = found.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name}"));
        let needs = Command::new("ldd").arg(&program).output().unwrap();
        let words = String::from_utf8(needs.stdout).unwrap();
        files.extend(words.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_string));
        files.insert(program.display().to_string());
        let link = lower.join("usr/bin").join(name);
        fs::create_dir_all(lower.join("usr/bin")).unwrap();
        fs::copy(&program, link).unwrap();
    }
    for file in files {
        let target = lower.join(&file[1..]);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    for (folder, link) in [("bin", "usr/bin"), ("sbin", "usr/bin")] {
        if !lower.join(folder).exists() {
            std::os::unix::fs::symlink(link, lower.join(folder)).unwrap();
        }
    }
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"] {
        fs::create_dir_all(lower.join(folder)).unwrap();
    }
    fs::write(lower.join("var/lib/dpkg/status"), "").unwrap();
    fs::write(lower.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
}

/// A package whose files belong to several users.
fn package() -> Vec<u8> {
    let control = "Package: test\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: test\n";
    let mut inner = TarWriter::new(Vec::new());
    for (path, mode, text) in [("./control", 0o644, control), ("./postinst", 0o755, SCRIPT)] {
        inner.append(&Entry::file(path, text.len() as u64, mode, 0, 0, 0), text.as_bytes()).unwrap();
    }
    let mut data = TarWriter::new(Vec::new());
    data.append(&Entry::directory("./", 0o755, 0, 0, 0), std::io::empty()).unwrap();
    data.append(&Entry::directory("./data", 0o2775, 0, 50, 0), std::io::empty()).unwrap();
    for (name, uid, gid, mode) in [("file", 0, 0, 0o755), ("mine", 0, 0, 0o600), ("of another", 33, 33, 0o640), ("shared", 0, 0, 0o755)] {
        data.append(&Entry::file(format!("./data/{name}"), 1, mode, uid, gid, 0), b"x".as_slice()).unwrap();
    }
    let mut package = b"!<arch>\n".to_vec();
    for (name, content) in
        [("debian-binary", b"2.0\n".to_vec()), ("control.tar", inner.finish().unwrap()), ("data.tar", data.finish().unwrap())]
    {
        package.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", content.len()).into_bytes());
        package.extend(content);
    }
    package
}

#[test]
fn packages_are_installed_with_their_owners() {
    as_everybody("packages_are_installed_with_their_owners", |person| {
        let world = World::new();
        let lower = world.path("programs");
        copy_programs(&lower);
        fs::set_permissions(&lower, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(world.path("shared/test.deb"), package()).unwrap();
        let mut image = Image { world, layers: Vec::new() };
        image.add_folder(&lower);
        let lines = image.run(&["/usr/bin/dpkg", "-i", "/srv/shared/test.deb"]);
        assert!(lines.contains(&"as another user".to_string()), "{lines:#?}");
        let (_, tar) = image.layer(&["/var/lib/dpkg".into()]);
        let expected = "\
data 5 0 50 2775
data/copied 0 9 10 2755
data/file 0 0 0 4755
data/installed 0 9 10 2755
data/mine 0 7 8 600
data/of another 0 33 33 640
data/shared 0 0 42 755";
        let members = super::layers::members(&tar).into_iter().filter(|line| line.starts_with("data")).collect::<Vec<_>>().join("\n");
        if person.maps() == Some(1) {
            let owners_gone = |line: &str| {
                let mut fields: Vec<&str> = line.rsplitn(4, ' ').collect();
                (fields[1], fields[2]) = ("0", "0");
                fields.reverse();
                fields.join(" ")
            };
            assert_eq!(members, expected.lines().map(owners_gone).collect::<Vec<_>>().join("\n"));
        } else {
            assert_eq!(members, expected);
        }
    });
}
