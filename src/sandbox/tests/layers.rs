//! Changes of one run become a layer that the next run sees, in every mode.

use super::World;
use super::people::{Person, as_everybody};
use crate::archive::{Below, Changes, Entry, Ownership, SIDECAR, TarWriter, Times, unpack, write_changes};
use crate::sandbox::{Access, Mount, Privileges, Spec, Upper, User};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

const ROOT: User = User { uid: 0, gid: 0 };
/// `cap_net_raw=ep`, as `setcap` writes it.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Changes the root file system in every way.
pub fn change() {
    let write = |path: &str| fs::write(path, path).unwrap();
    let append = |path: &str| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let mode = |path: &str, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    write("/etc/changed");
    mode("/etc/mode", 0o600);
    fs::remove_file("/etc/deleted").unwrap();
    fs::remove_dir_all("/gone").unwrap();
    fs::remove_dir_all("/folder").unwrap();
    write("/folder");
    fs::remove_file("/file").unwrap();
    fs::create_dir("/file").unwrap();
    write("/file/inside");
    fs::rename("/old", "/new").unwrap();
    write("/one");
    fs::hard_link("/one", "/two").unwrap();
    fs::remove_dir_all("/opaque").unwrap();
    fs::create_dir("/opaque").unwrap();
    write("/opaque/new");
    symlink("one", "/link").unwrap();
    append("/home/mine");
    File::options().append(true).open("/bin/su").unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    write("/given");
    chown("/given", Some(7), Some(8)).unwrap();
    mode("/given", 0o4750);
    fs::create_dir("/given to").unwrap();
    write("/given to/inside");
    chown("/given to/inside", Some(9), Some(0)).unwrap();
    fs::hard_link("/given to/inside", "/given to/other").unwrap();
    mode("/given to/inside", 0);
    chown("/given to", Some(9), Some(9)).unwrap();
    mode("/given to", 0o700);
    write("/powerful");
    rustix::fs::setxattr("/powerful", "security.capability", &CAPABILITY, rustix::fs::XattrFlags::empty()).unwrap();
    drop(std::os::unix::net::UnixListener::bind("/socket").unwrap());
    fs::create_dir("/etc/passing").unwrap();
    fs::remove_dir("/etc/passing").unwrap();
    fs::create_dir("/etc/empty").unwrap();
    chown("/etc/empty", Some(7), Some(7)).unwrap();
    mode("/locked", 0o500);
    mode("/usr/", 0o700);
    mode("/usr/", 0o755);
}

/// Prints what is in a folder.
pub fn list(folder: &Path) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let found = fs::symlink_metadata(&path).unwrap();
        let left_out = ["/dev", "/proc", "/sys", "/tmp", "/var", "/srv", "/socket", super::actor::NAME];
        if left_out.iter().any(|left| path == Path::new(left)) {
            continue;
        }
        let content = fs::read(&path).or_else(|_| fs::read_link(&path).map(|path| path.into_os_string().into_encoded_bytes()));
        let content = content.map_or_else(|_| String::new(), |content| String::from_utf8_lossy(&content).into_owned());
        // Where owners are not shown, neither are the bits that would give something to the owner.
        println!("{:o} {} {content} {}", found.mode() & 0o171_777 | 0o700, if found.is_dir() { 0 } else { found.nlink() }, path.display());
        if found.is_dir() {
            list(&path);
        }
    }
}

/// An image whose layers are what [`unpack`] makes of them.
pub struct Image {
    pub world: World,
    pub layers: Vec<PathBuf>,
}

impl Image {
    fn new() -> Self {
        let folders = [
            ("bin", 0, 0o755),
            ("etc", 0, 0o755),
            ("folder", 0, 0o755),
            ("gone", 0, 0o755),
            ("home", 1000, 0o750),
            ("locked", 0, 0o755),
            ("opaque", 0, 0o755),
            ("usr", 0, 0o755),
        ];
        let files = ["bin/su", "etc/changed", "etc/deleted", "etc/mode", "file", "folder/x", "gone/x", "old", "opaque/old"];
        let mut tar = TarWriter::new(Vec::new());
        for (path, owner, mode) in folders {
            tar.append(&Entry::directory(path, mode, owner, owner, 1), std::io::empty()).unwrap();
        }
        for path in files {
            let mode = if path == "bin/su" { 0o4755 } else { 0o644 };
            tar.append(&Entry::file(path, 3, mode, 0, 0, 1), b"old".as_slice()).unwrap();
        }
        tar.append(&Entry::file("home/mine", 3, 0o640, 1000, 50, 1), b"old".as_slice()).unwrap();
        let mut image = Self { world: World::new(), layers: Vec::new() };
        image.add(&tar.finish().unwrap());
        image
    }

    fn add(&mut self, tar: &[u8]) {
        let place = self.world.path(&format!("layer{}", self.layers.len()));
        fs::create_dir_all(place.join("tree")).unwrap();
        fs::set_permissions(place.join("tree"), fs::Permissions::from_mode(0o755)).unwrap();
        let ownership = if rustix::process::geteuid().is_root() { Ownership::Keep } else { Ownership::Squash };
        unpack(tar, &place.join("tree"), ownership, &mut File::create(place.join(SIDECAR)).unwrap()).unwrap();
        self.layers.push(place);
    }

    /// A layer whose files all belong to root.
    pub fn add_folder(&mut self, folder: &Path) {
        let place = self.world.path("layer of a folder");
        fs::create_dir(&place).unwrap();
        fs::rename(folder, place.join("tree")).unwrap();
        fs::write(place.join(SIDECAR), "").unwrap();
        self.layers.push(place);
    }

    /// Runs a program as root, keeps its changes, and returns what it said.
    pub fn run(&self, arguments: &[&str]) -> Vec<String> {
        let spec = self.spec(&[]);
        let environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
        self.world.lines(&Spec { upper: self.keep(), arguments: arguments.iter().map(Into::into).collect(), environment, ..spec })
    }

    fn spec(&self, arguments: &[&str]) -> Spec {
        let mut spec = self.world.spec(arguments);
        // Files of this machine that the image has no place for, which must leave no trace.
        spec.mounts.push(Mount { source: self.world.path("lower/etc/a"), target: "/etc/resolv.conf".into(), access: Access::ReadOnly });
        Spec {
            lowers: self.layers.iter().map(|layer| layer.join("tree")).collect(),
            user: ROOT,
            privileges: Privileges::Container,
            directory: "/".into(),
            ..spec
        }
    }

    fn keep(&self) -> Upper {
        Upper::Keep { tree: self.world.path("kept"), owners: self.world.path("kept.owners") }
    }

    pub fn layer(&self, leave_out: &[PathBuf]) -> (usize, Vec<u8>) {
        let layers: Vec<_> = self.layers.iter().map(|layer| (layer.join("tree"), layer.join(SIDECAR))).collect();
        let below: Vec<Below<'_>> = layers.iter().map(|(tree, owners)| Below { tree, owners }).collect();
        let (tree, owners) = (self.world.path("kept"), self.world.path("kept.owners"));
        let changes =
            Changes { tree: &tree, owners: &owners, below: &below, user: (0, 0), leave_out, times: Times::All(Entry::NORMAL_TIME) };
        let mut tar = Vec::new();
        let members = write_changes(&changes, &mut tar).unwrap();
        (members, tar)
    }
}

/// `PATH TYPE UID GID MODE LINK` of each member, and what else it has.
pub fn members(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let members = archive.entries().unwrap().map(|member| {
        let mut member = member.unwrap();
        let link = member.link_name().unwrap().map_or(String::new(), |link| link.display().to_string());
        let more: Vec<String> =
            member.pax_extensions().unwrap().into_iter().flatten().map(|more| more.unwrap().key().unwrap().to_string()).collect();
        let (path, header) = (member.path().unwrap().display().to_string(), member.header());
        assert_eq!(header.mtime().unwrap(), Entry::NORMAL_TIME);
        let kind = char::from(header.entry_type().as_byte());
        let line = format!(
            "{path} {kind} {} {} {:o} {link} {}",
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mode().unwrap(),
            more.join(" ")
        );
        line.trim_end().to_string()
    });
    members.collect()
}

const EXPECTED: &str = "
bin 5 0 0 755
bin/su 0 0 0 4755
etc 5 0 0 755
etc/changed 0 0 0 644
etc/.wh.deleted 0 0 0 644
etc/empty 5 7 7 755
etc/mode 0 0 0 600
file 5 0 0 755
file/inside 0 0 0 644
folder 0 0 0 644
given 0 7 8 4750
given to 5 9 9 700
given to/inside 0 9 0 0
given to/other 1 9 0 0 given to/inside
.wh.gone 0 0 0 644
home 5 1000 1000 750
home/mine 0 1000 50 640
link 2 0 0 777 one
locked 5 0 0 500
new 0 0 0 644
.wh.old 0 0 0 644
one 0 0 0 644
opaque 5 0 0 755
opaque/.wh..wh..opq 0 0 0 644
opaque/new 0 0 0 644
powerful 0 0 0 644  SCHILY.xattr.security.capability
two 1 0 0 644 one";

/// EXT-07.
#[test]
fn changes_become_a_layer_that_makes_the_same_tree() {
    as_everybody("changes_become_a_layer_that_makes_the_same_tree", |person| {
        let mut image = Image::new();
        let script = Spec { upper: image.keep(), ..image.spec(&["change-and-list"]) };
        let seen = image.world.lines(&script);
        let (_, tar) = image.layer(&[]);
        let expected = if person.maps() == Some(1) {
            EXPECTED.replace(" 7 8 ", " 0 0 ").replace(" 7 7 ", " 0 0 ").replace(" 9 9 ", " 0 0 ").replace(" 9 0 ", " 0 0 ")
        } else {
            EXPECTED.into()
        };
        // Without an overlay, every name that is gone is hidden for itself.
        let expected = match person {
            Person::Unprivileged | Person::InAnOverlay => {
                expected.replace("opaque/.wh..wh..opq 0 0 0 644\nopaque/new 0 0 0 644", "opaque/new 0 0 0 644\nopaque/.wh.old 0 0 0 644")
            }
            Person::Root | Person::User | Person::Subordinate | Person::Contained | Person::ContainedRoot => expected,
        };
        assert_eq!(members(&tar).join("\n"), expected.trim());
        image.add(&tar);
        crate::store::remove_tree(&image.world.path("kept")).unwrap();
        let again = image.world.lines(&image.spec(&["list", "/"]));
        // Without an overlay, each name is a copy of its own.
        let copied = matches!(person, Person::Unprivileged | Person::InAnOverlay);
        let alike = |lines: Vec<String>| -> Vec<String> {
            let line = |line: String| if copied { line.replace("700 2 /", "700 1 /").replace("744 2 /", "744 1 /") } else { line };
            lines.into_iter().map(line).collect()
        };
        assert_eq!(alike(again), alike(seen));
        // What the next run changes still belongs to whom the first gave it.
        image.world.lines(&Spec { upper: image.keep(), ..image.spec(&["write", "/given to/inside", "/home/mine"]) });
        let (_, tar) = image.layer(&[]);
        let expected = "given to 5 9 9 700\ngiven to/inside 0 9 0 0\nhome 5 1000 1000 750\nhome/mine 0 1000 50 640";
        let expected =
            if person.maps() == Some(1) { expected.replace(" 9 9 ", " 0 0 ").replace(" 9 0 ", " 0 0 ") } else { expected.into() };
        assert_eq!(members(&tar).join("\n"), expected);
    });
}

/// EXT-07.
#[test]
fn a_run_that_changes_nothing_makes_no_layer() {
    as_everybody("a_run_that_changes_nothing_makes_no_layer", |_| {
        let image = Image::new();
        let nothing = Spec { upper: image.keep(), ..image.spec(&["list", "/"]) };
        image.world.lines(&nothing);
        assert_eq!(image.layer(&[]).0, 0);
        let outside = Spec { upper: image.keep(), ..image.spec(&["write", "/srv/shared/x", "/etc/left out", "/tmp/kept"]) };
        image.world.lines(&outside);
        let (count, tar) = image.layer(&["/etc/left out".into()]);
        assert_eq!((count, members(&tar).join("\n").as_str()), (2, "tmp 5 0 0 1777\ntmp/kept 0 0 0 644"));
    });
}
