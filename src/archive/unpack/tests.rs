//! What unpacking a layer promises.

use super::*;
use crate::archive::reader::tests::raw;
use crate::archive::{Entry, Kind, TarWriter};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

fn unpacked(entries: &[(Entry, &[u8])]) -> (tempfile::TempDir, Result<()>, String) {
    let mut writer = TarWriter::new(Vec::new());
    for (entry, content) in entries {
        writer.append(entry, *content).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("layer")).unwrap();
    let mut sidecar = Vec::new();
    let result = unpack(writer.finish().unwrap().as_slice(), &folder.path().join("layer"), Ownership::Squash, &mut sidecar);
    (folder, result, String::from_utf8(sidecar).unwrap())
}

fn file(path: &str, mode: u32) -> (Entry, &'static [u8]) {
    (Entry::file(path, 1, mode, 5, 6, 7), b"x")
}

#[test]
fn owners_and_modes_go_into_the_sidecar() {
    let (folder, result, sidecar) = unpacked(&[file("/a/s", 0o4755), (Entry::directory("a", 0o500, 0, 0, 9), b"")]);
    result.unwrap();
    let mode = |name: &str| std::fs::metadata(folder.path().join("layer").join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("a"), mode("a/s")], [0o700, 0o755]);
    assert_eq!(sidecar, "5 6 4755 a/s\0");
}

#[test]
fn later_members_replace_earlier_ones() {
    let (folder, result, _) = unpacked(&[
        file("a", 0o644),
        file("b/c/d", 0o644),
        (Entry::directory("a", 0o755, 0, 0, 0), b""),
        file("b", 0o600),
        file("a/x", 0o644),
    ]);
    result.unwrap();
    assert!(folder.path().join("layer/a/x").is_file() && folder.path().join("layer/b").is_file());
}

#[test]
fn whiteouts_become_those_of_overlayfs() {
    let (folder, result, _) = unpacked(&[file("a/.wh.gone", 0o644), file("b/.wh..wh..opq", 0o644)]);
    result.unwrap();
    let gone = std::fs::symlink_metadata(folder.path().join("layer/a/gone")).unwrap();
    assert!(gone.file_type().is_char_device());
    let mut value = [0; 1];
    rustix::fs::getxattr(folder.path().join("layer/b"), "user.overlay.opaque", &mut value).unwrap();
    assert_eq!(&value, b"y");
}

#[test]
fn nothing_reaches_out() {
    let link = |path: &str, target: &str| (Entry::symlink(path, target, 0, 0, 0), b"".as_slice());
    let hard = |path: &str, target: &str| {
        (Entry { kind: Kind::HardLink { target: target.into() }, ..Entry::file(path, 0, 0o644, 0, 0, 0) }, b"".as_slice())
    };
    for hostile in [
        vec![file("../x", 0o644)],
        vec![file("a/../../x", 0o644)],
        vec![link("a", "/tmp"), file("a/x", 0o644)],
        vec![link("a", ".."), file("a/x", 0o644)],
        vec![hard("a", "/etc/passwd")],
        vec![hard("a", "../../etc/passwd")],
        vec![link("l", "/etc"), hard("a", "l/passwd")],
    ] {
        let names: Vec<_> = hostile.iter().map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned()).collect();
        let (folder, result, _) = unpacked(&hostile);
        assert!(result.is_err(), "{names:?}");
        assert!(!folder.path().join("x").exists());
    }
}

#[test]
fn a_truncated_tar_is_an_error() {
    let mut writer = TarWriter::new(Vec::new());
    writer.append(&Entry::file("a", 5000, 0o644, 0, 0, 0), [1; 5000].as_slice()).unwrap();
    let bytes = writer.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(unpack(&bytes[..2048], folder.path(), Ownership::Squash, &mut Vec::new()).is_err());
}

fn link(path: &str, target: &str) -> (Entry, &'static [u8]) {
    (Entry::symlink(path, target, 0, 0, 0), b"")
}

fn folder_at(path: &str, mode: u32) -> (Entry, &'static [u8]) {
    (Entry::directory(path, mode, 0, 0, 0), b"")
}

fn is_opaque(path: &Path) -> bool {
    fs::getxattr(path, "user.overlay.opaque", &mut [0; 1]).is_ok()
}

#[test]
fn the_last_member_of_a_name_counts() {
    let owned = |uid| (Entry::directory("b", 0o700, uid, 0, 0), b"".as_slice());
    let (folder, result, sidecar) =
        unpacked(&[folder_at("a", 0o711), folder_at("a", 0o755), owned(5), owned(6), file("c", 0o644), link("c", "x")]);
    result.unwrap();
    let mode = std::fs::metadata(folder.path().join("layer/a")).unwrap().permissions().mode();
    assert_eq!((mode & 0o7777, sidecar.as_str()), (0o755, "6 0 700 b\0"));
}

#[test]
fn a_name_cannot_forge_owners() {
    let (_folder, result, sidecar) = unpacked(&[file("x\n0 0 4777 etc", 0o644)]);
    result.unwrap();
    assert_eq!(sidecar, "5 6 644 x\n0 0 4777 etc\0");
}

#[test]
fn a_layer_does_not_hide_what_it_has_itself() {
    for (members, opaque) in [
        (vec![file(".wh.a", 0), folder_at("a", 0o755), file("a/x", 0o644)], true),
        (vec![file(".wh.a", 0), file("a/x", 0o644)], true),
        (vec![folder_at("a", 0o755), file("a/x", 0o644), file(".wh.a", 0)], true),
        (vec![file("a/x", 0o644), file("a/.wh.x", 0)], false),
        (vec![file("a/.wh.x", 0), file("a/x", 0o644)], false),
    ] {
        let (folder, result, _) = unpacked(&members);
        result.unwrap();
        let found = folder.path().join("layer/a");
        assert_eq!(std::fs::read(found.join("x")).unwrap(), b"x", "{members:?}");
        assert_eq!(is_opaque(&found), opaque, "{members:?}");
    }
}

#[test]
fn whiteouts_of_nothing_are_ignored() {
    let (folder, result, _) =
        unpacked(&[file("a/.wh.", 0), file("a/.wh..", 0), file("a/.wh...", 0), file("a/.wh..wh.plnk", 0), file("b", 0)]);
    result.unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path().join("layer")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["b"]);
}

#[test]
fn names_too_deep_to_remove_are_refused() {
    let (_folder, result, _) = unpacked(&[file(&"d/".repeat(1500), 0o644)]);
    assert!(result.is_err());
    let (_folder, result, _) = unpacked(&[file(&["d/".repeat(900).as_str(), "x"].concat(), 0o644)]);
    result.unwrap();
}

#[test]
fn a_pipe_or_device_of_the_host_is_never_opened() {
    let layer = [raw("f", b'6', "00000000000", b""), raw("f", b'0', "00000000001", b"x"), raw("null", b'3', "00000000000", b"")].concat();
    let folder = tempfile::tempdir().unwrap();
    unpack(layer.as_slice(), folder.path(), Ownership::Squash, &mut Vec::new()).unwrap();
    assert_eq!(std::fs::read(folder.path().join("f")).unwrap(), b"x");
    assert!(!folder.path().join("null").exists());
}

fn members() -> impl proptest::strategy::Strategy<Value = Vec<(Entry, &'static [u8])>> {
    use proptest::prelude::*;
    let part = || prop::sample::select(vec!["a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq", "..", ".", ""]);
    let path = || proptest::collection::vec(part(), 1..4).prop_map(|parts| parts.join("/"));
    let target = || prop_oneof![path(), path().prop_map(|path| format!("/{path}")), Just("../canary".to_string()), Just("..".to_string())];
    let member = (path(), target(), 0..4, 0..0o10000_u32).prop_map(|(path, target, kind, mode)| match kind {
        0 => (Entry::directory(path, mode, 0, 0, 0), b"".as_slice()),
        1 => (Entry::symlink(path, target, 0, 0, 0), b"".as_slice()),
        2 => (Entry { kind: Kind::HardLink { target: target.into() }, ..Entry::file(path, 0, mode, 0, 0, 0) }, b"".as_slice()),
        _ => (Entry::file(path, 1, mode, 0, 0, 0), b"x".as_slice()),
    });
    proptest::collection::vec(member, 0..12)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_layer_touches_what_is_beside_it(members in members()) {
        let beside = tempfile::tempdir().unwrap();
        let (layer, canary) = (beside.path().join("layer"), beside.path().join("canary"));
        std::fs::create_dir(&layer).unwrap();
        std::fs::write(&canary, "untouched").unwrap();
        let before = canary.metadata().unwrap();
        let mut writer = TarWriter::new(Vec::new());
        members.iter().for_each(|(entry, content)| writer.append(entry, *content).unwrap());
        let result = unpack(writer.finish().unwrap().as_slice(), &layer, Ownership::Squash, &mut Vec::new());
        drop(result);
        let after = canary.metadata().unwrap();
        let seen = |found: &std::fs::Metadata| (found.mode(), found.nlink(), found.ctime(), found.ctime_nsec());
        proptest::prop_assert_eq!(seen(&before), seen(&after));
        proptest::prop_assert_eq!(std::fs::read_dir(beside.path()).unwrap().count(), 2);
    }
}

#[test]
fn what_gnu_tar_writes_is_unpacked() {
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("d")).unwrap();
    std::fs::write(source.path().join("d/file"), "content").unwrap();
    std::fs::hard_link(source.path().join("d/file"), source.path().join("d/hard")).unwrap();
    std::os::unix::fs::symlink("file", source.path().join("d/link")).unwrap();
    for format in ["v7", "oldgnu", "gnu", "ustar", "pax"] {
        let long = source.path().join(["d/", &"ü".repeat(100)].concat());
        if ["gnu", "oldgnu", "pax"].contains(&format) {
            std::fs::write(&long, "long").unwrap();
        }
        let tar = std::process::Command::new("tar").args(["--format", format, "-C"]).arg(source.path()).args(["-c", "."]).output().unwrap();
        std::fs::remove_file(&long).ok();
        assert!(tar.status.success(), "{format}");
        let folder = tempfile::tempdir().unwrap();
        unpack(tar.stdout.as_slice(), folder.path(), Ownership::Squash, &mut Vec::new()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join("d").join(name)).unwrap();
        assert_eq!([read("file"), read("hard"), read("link")], ["content"; 3], "{format}");
        let count = std::fs::read_dir(folder.path().join("d")).unwrap().count();
        assert_eq!(count, if ["v7", "ustar"].contains(&format) { 3 } else { 4 }, "{format}");
    }
}

/// TAR-16: folders get their modes once they are full; one that the tar does not list gets the usual one. A second name of a file of the
/// same tar is one, which the reference refuses; devices are left out, and pipes are only made, never opened.
#[test]
fn folders_get_their_modes_last() {
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o7777;
    let second = Entry { kind: Kind::HardLink { target: "closed/in/file".into() }, ..Entry::file("second", 0, 0o644, 0, 0, 0) };
    let (folder, result, _) = unpacked(&[
        folder_at("closed", 0o555),
        folder_at("closed/in", 0o2510),
        file("closed/in/file", 0o640),
        file("implied/file", 0o600),
        (second, b""),
    ]);
    result.unwrap();
    let path = |name: &str| folder.path().join("layer").join(name);
    let modes = ["closed", "closed/in", "closed/in/file", "implied", "implied/file"].map(|name| mode(path(name)));
    // The owner can always go in and clear up; the sidecar has the true modes.
    assert_eq!(modes, [0o755, 0o710, 0o640, 0o755, 0o600]);
    assert_eq!(std::fs::read(path("second")).unwrap(), b"x");
    assert_eq!(path("second").metadata().unwrap().ino(), path("closed/in/file").metadata().unwrap().ino());
}

/// TAR-17: files belong to this process's user, and take the place of what was there; a link is replaced, never followed, where the
/// reference gives up.
#[test]
fn a_second_time_replaces_files_and_links() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for content in [b"1", b"2"] {
        let mut writer = TarWriter::new(Vec::new());
        let [first, other] = [("file", 7), ("was-link", 8)].map(|(path, uid)| Entry::file(path, 1, 0o644, uid, uid, 0));
        writer.append(&first, content.as_slice()).unwrap();
        writer.append(&other, content.as_slice()).unwrap();
        writer.append(&Entry::symlink("link", outside.path().as_os_str().as_bytes(), 0, 0, 0), b"".as_slice()).unwrap();
        unpack(writer.finish().unwrap().as_slice(), folder.path(), Ownership::Squash, &mut Vec::new()).unwrap();
        for name in ["file", "was-link"] {
            let found = folder.path().join(name);
            assert_eq!(std::fs::read(&found).unwrap(), content);
            assert_eq!(found.symlink_metadata().unwrap().uid(), rustix::process::geteuid().as_raw());
        }
        assert_eq!(std::fs::read_link(folder.path().join("link")).unwrap(), outside.path());
        std::fs::remove_file(folder.path().join("was-link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("was-link")).unwrap();
    }
    assert_eq!(outside.path().metadata().unwrap().len(), 0);
}
