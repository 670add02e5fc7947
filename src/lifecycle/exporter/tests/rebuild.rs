//! Builds after the first one: what is reused, what is made anew, what a buildpack may leave out.

use super::*;
use crate::buildpack::Label;
use crate::lifecycle::cache::Source;
use std::fs::{File, FileTimes};
use std::os::unix::ffi::OsStrExt;

const LAUNCH_AND_CACHE: &str = "[types]\nlaunch = true\nbuild = true\ncache = true\n[metadata]\nversion = 1\n";

fn python() -> GroupElement {
    GroupElement { id: "acme/python".into(), version: "1.2.3".into(), api: "0.12".into(), homepage: None }
}

/// A project with a cached launch layer, a layer for the cache only, and an app.
fn project() -> Project {
    let mut project = Project::new();
    project.group = vec![python()];
    project.write("app/app.py", "print('one')\n");
    project.write("layers/acme_python/venv.toml", LAUNCH_AND_CACHE);
    project.write("layers/acme_python/venv/lib/module.py", "module");
    project.write("layers/acme_python/wheels.toml", "[types]\ncache = true\n[metadata]\nkey = 'k'\n");
    project.write("layers/acme_python/wheels/a.whl", "wheel");
    project
}

/// A build that finds what the last one left and adds nothing to it, as a buildpack does that keeps its layers.
fn rebuild(project: &mut Project) {
    project.restore();
    project.write("layers/acme_python/venv.toml", LAUNCH_AND_CACHE);
    project.write("layers/acme_python/wheels.toml", "[types]\ncache = true\n[metadata]\nkey = 'k'\n");
}

fn reused(exported: &Exported) -> Vec<(&str, bool)> {
    exported.layers.iter().map(|layer| (layer.id.as_str(), layer.reused)).collect()
}

/// EXP-06, EXP-08, EXP-11, EXP-42, TAR-14, TAR-15, CACHE-08: an unchanged build has the same digest, and nothing is made.
#[test]
fn nothing_changed() {
    let mut project = project();
    let first = project.export().unwrap();
    assert!(reused(&first).iter().all(|(_, reused)| !reused), "{first:?}");
    assert_eq!(first.metadata.buildpack("acme/python").unwrap().layers.keys().collect::<Vec<_>>(), ["venv"]);
    let first = project.finish(first).documents().descriptor;
    for _ in 0..2 {
        rebuild(&mut project);
        assert_eq!(project.restored["acme/python:venv"].source, Source::Lent);
        assert_eq!(project.restored["acme/python:wheels"].source, Source::Lent);
        let again = project.export().unwrap();
        assert!(reused(&again).iter().all(|(_, reused)| *reused), "{again:?}");
        assert_eq!(project.finish(again).documents().descriptor, first);
    }
}

/// One line of the app: every other layer stays.
#[test]
fn one_line_of_the_app_changed() {
    let mut project = project();
    let first = project.export().unwrap();
    let first = project.finish(first);
    rebuild(&mut project);
    project.write("app/app.py", "print('two')\n");
    let second = project.export().unwrap();
    let made: Vec<&str> = reused(&second).iter().filter(|(_, reused)| !reused).map(|(id, _)| *id).collect();
    assert_eq!(made, ["slice-1"]);
    let changed = first.layers.iter().zip(&second.image.layers).filter(|(one, other)| one.diff_id != other.diff_id).count();
    assert_eq!((changed, first.layers.len()), (1, second.image.layers.len()));
}

/// EXP-06: a changed file is noticed, also when it has the size and the time that it had.
#[test]
fn a_file_of_a_restored_layer_changed() {
    let mut project = project();
    let first = project.export().unwrap();
    project.finish(first);
    rebuild(&mut project);
    let path = project.folders.layers.join("acme_python/venv/lib/module.py");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "MODULE").unwrap();
    File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
    let second = project.export().unwrap();
    let made: Vec<&str> = reused(&second).iter().filter(|(_, reused)| !reused).map(|(id, _)| *id).collect();
    assert_eq!(made, ["acme/python:venv"]);
    project.finish(second);
    rebuild(&mut project);
    assert_eq!(fs::read_to_string(&path).unwrap(), "MODULE");
}

/// The owner is written into the layers: for another one, the same files make other layers.
#[test]
fn the_owner_changed() {
    let mut project = project();
    let first = project.export().unwrap();
    project.finish(first);
    rebuild(&mut project);
    project.owner = Owner { uid: 2000, gid: 2000 };
    let second = project.export().unwrap();
    let venv = second.image.layers.iter().find(|layer| layer.history.created_by.contains("venv")).unwrap();
    assert!(listing(&project.store, venv).iter().all(|line| line.contains(" 2000/2000 ")));
}

/// EXP-07, CACHE-07: a layer without contents.
#[test]
fn a_layer_without_contents_is_the_previous_one_or_an_error() {
    let mut project = project();
    let launch = "[types]\nlaunch = true\n";
    project.write("layers/acme_python/config.toml", launch);
    project.write("layers/acme_python/config/file", "x");
    let first = project.export().unwrap();
    let first = project.finish(first);
    rebuild(&mut project);
    assert!(!project.folders.layers.join("acme_python/config").exists());
    assert!(project.folders.layers.join("acme_python/config.toml").exists());
    project.write("layers/acme_python/config.toml", launch);
    assert_eq!(project.export().unwrap().image.documents().descriptor, first.documents().descriptor);
    project.write("layers/acme_python/other.toml", launch);
    let error = project.export().unwrap_err();
    let expected = "cannot reuse 'acme/python:other', previous image has no metadata for layer 'acme/python:other'";
    assert_eq!((error.to_string().as_str(), error.exit_code()), (expected, 62));
    project.write("layers/acme_python/other.toml", "[types]\nlaunch = true\ncache = true\n");
    let error = project.export().unwrap_err();
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("layer 'acme/python:other' is cache=true but has no contents", 62));
}

/// EXP-09.
#[test]
fn malformed_layer_metadata_is_named() {
    let project = project();
    project.write("layers/acme_python/broken.toml", "[types\n");
    project.write("layers/acme_python/more.toml", "types = 1\n");
    let error = project.export().unwrap_err();
    let expected = "cannot parse metadata for layers '[acme/python:broken acme/python:more]'";
    assert_eq!((error.to_string().as_str(), error.exit_code()), (expected, 62));
}

/// EXP-10, RES-01.
#[test]
fn the_store_is_kept_while_the_buildpack_keeps_it() {
    let mut project = project();
    project.write("layers/acme_python/store.toml", "[metadata]\nseen = ['20', '22']\n");
    let first = project.export().unwrap();
    project.finish(first);
    rebuild(&mut project);
    let path = project.folders.layers.join("acme_python/store.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), "[metadata]\nseen = [\"20\", \"22\"]\n");
    fs::remove_file(path).unwrap();
    let second = project.export().unwrap();
    assert_eq!(second.metadata.buildpack("acme/python").unwrap().store, None);
}

/// EXP-24.
#[test]
fn a_buildpacks_label_replaces_ours_but_not_the_execution_environment() {
    let mut project = project();
    let label = |key: &str| Label { key: key.into(), value: "mine".into() };
    project.metadata.labels = vec![label(PROJECT_METADATA_LABEL), label(EXEC_ENV_LABEL), label("own")];
    let image = project.export().unwrap().image;
    let labels = [PROJECT_METADATA_LABEL, EXEC_ENV_LABEL, "own"].map(|name| image.label(name).unwrap());
    assert_eq!(labels, ["mine", "production", "mine"]);
}

/// SBOM-11 to SBOM-14, RES-09, RES-10: SBOM files come back beside their layers, those of the image before those of the cache.
#[test]
fn sbom_files_come_back() {
    let mut project = project();
    project.write("layers/sbom/launch/acme_python/venv/sbom.cdx.json", "launch");
    project.write("layers/sbom/launch/acme_python/sbom.cdx.json", "of the buildpack");
    project.write("layers/sbom/cache/acme_python/venv/sbom.cdx.json", "cache");
    project.write("layers/sbom/cache/acme_python/wheels/sbom.spdx.json", "cache");
    project.write("layers/sbom/cache/acme_python/gone/sbom.spdx.json", "of a layer that is not restored");
    project.write("layers/sbom/build/acme_python/sbom.cdx.json", "build");
    let first = project.export().unwrap();
    let sbom = first.image.layers.iter().find(|layer| layer.history.created_by == "Software Bill-of-Materials").unwrap();
    assert!(listing(&project.store, sbom).iter().all(|line| !line.contains("/sbom/build") && !line.contains("/sbom/cache")));
    project.finish(first);
    rebuild(&mut project);
    let folder = project.folders.layers.join("acme_python");
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    assert_eq!(read("venv.sbom.cdx.json").as_deref(), Some("launch"));
    assert_eq!(read("wheels.sbom.spdx.json").as_deref(), Some("cache"));
    assert_eq!((read("gone.sbom.spdx.json"), read("launch.sbom.cdx.json")), (None, None));
    assert!(!project.folders.layers.join("sbom").exists());
}

/// TAR-06: what a layer cannot hold is left out; names need not be UTF-8; links are never followed.
#[test]
fn odd_files_in_the_app() {
    let project = project();
    let app = &project.folders.app;
    let _socket = std::os::unix::net::UnixListener::bind(app.join("socket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, app.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink(".", app.join("loop")).unwrap();
    fs::write(app.join(std::ffi::OsStr::from_bytes(b"n\xffme")), "").unwrap();
    let exported = project.export().unwrap();
    let layer = exported.image.layers.iter().find(|layer| layer.history.created_by == "Application Layer").unwrap();
    let names: Vec<String> = listing(&project.store, layer).iter().map(|line| line.splitn(3, ' ').nth(2).unwrap().to_string()).collect();
    assert_eq!(names, ["/workspace", "/workspace/app.py", "/workspace/loop -> .", "/workspace/n\u{fffd}me"]);
}

/// An unreadable file is named. Root can read every file, so this says nothing as root.
#[test]
fn an_unreadable_file_is_named() {
    let project = project();
    let path = project.folders.app.join("secret");
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        return;
    }
    let error = project.export().unwrap_err();
    assert!(format!("{error:?}").contains(&format!("cannot read `{}`", path.display())), "{error:?}");
    assert_eq!((error.exit_code(), error.nearest_hint()), (62, Some("make it readable, or exclude it from the app")));
}

/// BLD-19, SBOM-11: what buildpacks leave in the layers folder is not followed out of it, and types of processes are names of links.
#[test]
fn nothing_leads_out_of_the_layers_folder() {
    let replaced = |path: &str| {
        let project = project();
        project.write("layers/sbom/launch/acme_python/sbom.cdx.json", "{}");
        let path = project.folders.layers.join(path);
        fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).unwrap();
        std::os::unix::fs::symlink(if path.extension().is_some() { "/etc/passwd" } else { "/etc" }, &path).unwrap();
        project
    };
    for path in ["acme_python", "acme_python/venv", "acme_python/venv.toml", "sbom", "sbom/launch", "config"] {
        let error = replaced(path).export().unwrap_err();
        assert_eq!(error.exit_code(), 62, "{path}");
        assert!(error.to_string().ends_with("leads out of the layers folder"), "{path}: {error}");
    }
    for (kind, good) in [("a.b_c-1", true), ("a/b", false), ("..", false), ("", false), ("a|b", false)] {
        let mut project = project();
        project.metadata.processes = vec![crate::buildpack::Process { kind: kind.into(), ..Default::default() }];
        assert_eq!(project.export().map_err(|error| error.exit_code()).err(), if good { None } else { Some(62) }, "{kind}");
    }
}
