//! Packages of buildpacks and extensions: made of folders, read from wherever they are.

use crate::support::{Machine, Registry, run, succeed, write};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Writes a buildpack that does nothing.
pub fn module(folder: &Path, kind: &str, id: &str, version: &str, more: &str) {
    write(
        &folder.join(format!("{kind}.toml")),
        &format!("api = \"0.11\"\n{more}\n[{kind}]\nid = \"{id}\"\nname = \"Of {id}\"\nversion = \"{version}\"\n"),
    );
    let program = if kind == "extension" { "generate" } else { "build" };
    write(&folder.join("bin").join(program), "#!/bin/sh\n");
    write(&folder.join("bin/detect"), "#!/bin/sh\n");
}

/// The configuration of an image of the store, and its labels parsed.
pub fn labels(machine: &Machine, name: &str) -> (Value, impl Fn(&str) -> Value) {
    let said: Value = serde_json::from_str(&succeed(&mut machine.command(&["inspect", name, "--output", "json"]))).unwrap();
    let read = |digest: &str| -> Value {
        serde_json::from_slice(&fs::read(machine.store.join("blobs/sha256").join(&digest[7..])).unwrap()).unwrap()
    };
    let config = read(read(said["digest"].as_str().unwrap())["config"]["digest"].as_str().unwrap());
    let all = config["config"]["Labels"].clone();
    (config, move |label: &str| serde_json::from_str(all[label].as_str().unwrap_or("null")).unwrap())
}

/// What is in each layer of an image of the store: mode, owner, time and name.
pub fn members(machine: &Machine, name: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}", folder.path().join("out").display());
    succeed(&mut machine.command(&["push", name, &layout]));
    let blob = |digest: &str| folder.path().join("out/blobs/sha256").join(&digest[7..]);
    let index: Value = serde_json::from_slice(&fs::read(folder.path().join("out/index.json")).unwrap()).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(blob(index["manifests"][0]["digest"].as_str().unwrap())).unwrap()).unwrap();
    let list = |layer: &Value| {
        let file = fs::File::open(blob(layer["digest"].as_str().unwrap())).unwrap();
        let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
        let line = |entry: tar::Entry<'_, _>| {
            let header = entry.header();
            let ids = (header.uid().unwrap_or_default(), header.gid().unwrap_or_default(), header.mtime().unwrap());
            format!("{:o} {}/{} {} {}", header.mode().unwrap(), ids.0, ids.1, ids.2, String::from_utf8_lossy(&entry.path_bytes()))
        };
        archive.entries().unwrap().map(|entry| line(entry.unwrap())).collect()
    };
    manifest["layers"].as_array().unwrap().iter().map(list).collect()
}

/// PKG-01, PKG-02, PKG-03, PKG-04, PKG-05, PKG-07, PKG-09, PKG-11, PKG-15, PKG-17, PKG-21. A folder is packaged as the reference does it, whatever its times and owners are.
#[test]
fn a_folder_becomes_a_package() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let source = folder.path().join("source");
    module(&source, "buildpack", "acme/one", "1.2.3", "[[targets]]\nos = \"linux\"\n");
    write(&source.join("bin/detect"), "");
    write(&source.join("share/data"), "data");
    write(&source.join(".git/HEAD"), "ref");
    let path = source.to_str().unwrap();
    let digest = succeed(&mut machine.command(&["buildpack", "package", "acme/one:1", "--path", path, "--label", "a=b,c=d", "--quiet"]));
    let root = "/cnb/buildpacks/acme_one/1.2.3";
    let line = |mode: &str, path: &str| format!("{mode} 0/0 315532801 {path}");
    let expected: Vec<String> = [("755", "/cnb/buildpacks/acme_one".to_string()), ("755", root.into())]
        .into_iter()
        .chain(
            [
                ("755", "bin"),
                ("755", "bin/build"),
                ("755", "bin/detect"),
                ("644", "buildpack.toml"),
                ("755", "share"),
                ("644", "share/data"),
            ]
            .map(|(mode, path)| (mode, format!("{root}/{path}"))),
        )
        .map(|(mode, path)| line(mode, &path))
        .collect();
    assert_eq!(members(&machine, "acme/one:1"), [expected]);

    let (config, label) = labels(&machine, "acme/one:1");
    assert_eq!((&config["os"], &config["architecture"], &config["created"]), (&json!("linux"), &json!(""), &json!("1980-01-01T00:00:01Z")));
    assert_eq!((&config["config"]["Labels"]["a"], &config["config"]["Labels"]["c"]), (&json!("b"), &json!("d")));
    assert_eq!(
        label("io.buildpacks.buildpackage.metadata"),
        json!({ "id": "acme/one", "name": "Of acme/one", "version": "1.2.3", "stacks": [{ "id": "*" }] })
    );
    let layer = json!({ "api": "0.11", "targets": [{ "os": "linux", "arch": "" }], "layerDiffID": config["rootfs"]["diff_ids"][0], "name": "Of acme/one" });
    assert_eq!(label("io.buildpacks.buildpack.layers"), json!({ "acme/one": { "1.2.3": layer } }));

    // A key that nobody reads is told.
    let text = fs::read_to_string(source.join("buildpack.toml")).unwrap();
    write(&source.join("buildpack.toml"), &format!("{text}[extra]\n"));
    let told = machine.run(&["buildpack", "package", "told", "--path", path]);
    let told = (told.status.success(), String::from_utf8(told.stderr).unwrap());
    assert!(told.0 && told.1.contains("warning: buildpack.toml: `extra` is no key that anybody reads"), "{}", told.1);
    write(&source.join("buildpack.toml"), &text);
    // Elsewhere, later, of somebody else: the same.
    let copy = folder.path().join("copy");
    succeed(Command::new("cp").arg("-r").args([&source, &copy]));
    let again = succeed(&mut machine.command(&[
        "buildpack",
        "package",
        "again",
        "--path",
        copy.to_str().unwrap(),
        "--label",
        "c=d",
        "--label",
        "a=b",
        "--quiet",
    ]));
    assert_eq!(again, digest);
}

/// A server that gives the file `content` to everyone who asks.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 4096]));
            drop(write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", content.len()));
            drop(stream.write_all(&content));
        }
    });
    format!("http://{address}/one.tgz")
}

/// PKG-10, PKG-12, PKG-13, PKG-14, REG-06, REG-07, REG-09. Wherever a buildpack comes from, it is the same one in the end.
#[test]
fn a_composite_is_the_same_wherever_its_parts_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let (machine, registry) = (Machine::empty(folder.path()), Registry::start());
    let place = |name: &str| folder.path().join(name);
    module(&place("one"), "buildpack", "acme/one", "1.0.0", "");
    module(&place("two"), "buildpack", "acme/two", "2.0.0", "");
    let order = "[[order]]\n[[order.group]]\nid = \"acme/one\"\nversion = \"1.0.0\"\n[[order.group]]\nid = \"acme/two\"\nversion = \"2.0.0\"\noptional = true\n";
    write(&place("both/buildpack.toml"), &format!("api = \"0.11\"\n[buildpack]\nid = \"acme/both\"\nversion = \"3.0.0\"\n{order}"));
    let package = |arguments: &[&str]| succeed(machine.command(&["buildpack", "package"]).args(arguments).arg("--quiet"));
    let path = |name: &str| place(name).to_str().unwrap().to_string();
    package(&[&path("one"), "--format", "file", "--path", &path("one")]);
    package(&["acme/one", "--path", &path("one")]);
    let pushed = format!("{}/one:1", registry.host());
    let digest = package(&[&pushed, "--path", &path("one"), "--publish"]);
    // As GitHub packs a release: below a folder.
    let tgz =
        |name: &str, more: &[&str]| succeed(Command::new("tar").args(["--sort=name", "-czf", &path(name), "-C", &path(".")]).args(more));
    tgz("release.tgz", &["one"]);
    tgz("plain.tgz", &["-C", "one", "."]);
    let composite = |name: &str, dependencies: &[&str], more: &[&str]| {
        let dependencies: String = dependencies.iter().map(|uri| format!("[[dependencies]]\nuri = \"{uri}\"\n")).collect();
        write(&place("both/package.toml"), &format!("[buildpack]\nuri = \".\"\n{dependencies}"));
        package(&[&[name, "--config", &path("both/package.toml")], more].concat());
        labels(&machine, name).0["rootfs"]["diff_ids"].as_array().unwrap()[1..].to_vec()
    };
    let expected = composite("of-folders", &["../one", "../two"], &[]);
    assert_eq!(expected.len(), 2);
    let index = place("index");
    write(
        &index.join("3/on/acme_one"),
        &format!(
            "{}\n",
            json!({ "ns": "acme", "name": "one", "version": "1.0.0", "yanked": false, "addr": format!("{}/one@{}", registry.host(), digest.trim()) })
        ),
    );
    let git = |arguments: &[&str]| {
        succeed(Command::new("git").arg("-C").arg(&index).args(["-c", "user.name=t", "-c", "user.email=t@t.test"]).args(arguments))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    let from_registry = ["--buildpack-registry", index.to_str().unwrap()];
    let url = serve(fs::read(place("plain.tgz")).unwrap());
    let file = format!("file://{}", path("one"));
    for (name, uri, more) in [
        ("of-cnb", "../one.cnb", &[][..]),
        ("of-release", "../release.tgz", &[]),
        ("of-tgz", "../plain.tgz", &[]),
        ("of-file", &file, &[]),
        ("of-url", &url, &[]),
        ("of-store", "acme/one", &[]),
        ("of-image", &format!("docker://{pushed}"), &[]),
        ("of-registry", "urn:cnb:registry:acme/one@1.0.0", &from_registry),
        ("of-newest", "urn:cnb:registry:acme/one", &from_registry),
    ] {
        assert_eq!(composite(name, &[uri, "../two"], more), expected, "{name}");
    }
    // A package of several takes its parts along, also where they share a layer.
    write(
        &place("all/buildpack.toml"),
        "api = \"0.11\"\n[buildpack]\nid = \"acme/all\"\nversion = \"4.0.0\"\n[[order]]\n[[order.group]]\nid = \"acme/both\"\nversion = \"3.0.0\"\n",
    );
    composite("of-folders", &["../one", "../two"], &[]);
    package(&["flat", "--config", &path("both/package.toml"), "--flatten"]);
    assert_eq!(labels(&machine, "flat").0["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
    package(&["half-flat", "--config", &path("both/package.toml"), "--flatten", "--flatten-exclude", "acme/both@3.0.0"]);
    assert_eq!(labels(&machine, "half-flat").0["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    let all = |uri: &str| {
        write(&place("all/package.toml"), &format!("[buildpack]\nuri = \".\"\n[[dependencies]]\nuri = \"{uri}\"\n"));
        package(&["all", "--path", &path("all")]);
        labels(&machine, "all").0["rootfs"]["diff_ids"].as_array().unwrap()[1..].to_vec()
    };
    let whole = all("of-folders");
    assert_eq!(whole.len(), 3);
    assert_eq!([all("flat"), all("half-flat")], [whole.clone(), whole]);

    // REG-09: it has buildpacks only.
    module(&place("ext"), "extension", "acme/ext", "1.0.0", "");
    let name = format!("{}/ext:1", registry.host());
    let ext = succeed(&mut machine.command(&["extension", "package", &name, "--path", &path("ext"), "--publish", "--quiet"]));
    let addr = format!("{}/ext@{}", registry.host(), ext.trim());
    write(
        &index.join("3/ex/acme_ext"),
        &json!({ "ns": "acme", "name": "ext", "version": "1.0.0", "yanked": false, "addr": addr }).to_string(),
    );
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "ext"]);
    let refused = |uri: &str| {
        write(&place("both/package.toml"), &format!("[buildpack]\nuri = \".\"\n[[dependencies]]\nuri = \"{uri}\"\n"));
        let more = ["--config", &path("both/package.toml"), "--buildpack-registry", index.to_str().unwrap()];
        String::from_utf8(run(machine.command(&["buildpack", "package", "x"]).args(more)).stderr).unwrap()
    };
    let said = refused("urn:cnb:registry:acme/ext");
    assert!(said.contains("a registry has buildpacks only"), "{said}");

    // The next look at the registry sees what its people changed.
    let yanked = fs::read_to_string(index.join("3/on/acme_one")).unwrap().replace("false", "true");
    write(&index.join("3/on/acme_one"), &yanked);
    git(&["commit", "--quiet", "-am", "yank"]);
    let said = refused("urn:cnb:registry:acme/one");
    assert!(said.contains("does not have a version of `acme/one`"), "{said}");
}

/// DESC-19, PKG-10, PKG-20, PKG-22, PKG-23.
#[test]
fn what_is_no_good_package_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let place = |name: &str| folder.path().join(name);
    let order = |id: &str, version: &str| format!("[[order]]\n[[order.group]]\nid = \"{id}\"\n{version}\n");
    let text = |more: &str| format!("api = \"0.11\"\n[buildpack]\nid = \"acme/x\"\nversion = \"1.0.0\"\n{more}");
    let refused = |text: &str, package: &str| {
        write(&place("x/buildpack.toml"), text);
        write(&place("x/package.toml"), &format!("[buildpack]\nuri = \".\"\n{package}"));
        let output = machine.run(&["buildpack", "package", "x", "--path", place("x").to_str().unwrap()]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    module(&place("one"), "buildpack", "acme/one", "1.0.0", "");
    module(&place("extension"), "extension", "acme/ext", "1.0.0", "");
    succeed(&mut machine.command(&["extension", "package", "ext", "--path", place("extension").to_str().unwrap()]));
    let stacks = |id: &str| format!("[[stacks]]\nid = \"{id}\"\n");
    module(&place("old"), "buildpack", "acme/old", "1.0.0", &stacks("a"));
    module(&place("other"), "buildpack", "acme/other", "1.0.0", &stacks("b"));
    let both = format!("{}[[order.group]]\nid = \"acme/other\"\nversion = \"1.0.0\"\n", order("acme/old", "version = \"1.0.0\""));
    let dependency = |uri: &str| format!("[[dependencies]]\nuri = \"{uri}\"\n");
    let mut hostile = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..12].copy_from_slice(b"bin/../../xx");
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    hostile.append(&header, &b""[..]).unwrap();
    fs::write(place("hostile.tar"), hostile.into_inner().unwrap()).unwrap();
    for (text, package, why) in [
        ("api = \"0.11\"\n[buildpack]\nversion = \"1\"\n".to_string(), String::new(), "`buildpack.id` is required"),
        ("api = \"0.11\"\n[buildpack]\nid = \"x\"\n".into(), String::new(), "`buildpack.version` is required"),
        ("[buildpack]\nid = \"x\"\nversion = \"1\"\n".into(), String::new(), "API version '' is incompatible"),
        (
            text(&format!("{}[[targets]]\nos = \"linux\"\n", order("acme/one", "version = \"1.0.0\""))),
            String::new(),
            "has an order, and `targets` or `stacks` too",
        ),
        (text(&order("acme/one", "")), dependency("../one"), "references buildpack `acme/one` without a version"),
        (
            text(&order("acme/one", "version = \"2.0.0\"")),
            dependency("../one"),
            "references buildpack `acme/one@2.0.0` which is not present",
        ),
        (text(""), dependency("../one"), "buildpack `acme/one@1.0.0` is not used by buildpack `acme/x@1.0.0`"),
        (text(&both), dependency("../old") + &dependency("../other"), "no compatible stacks among provided buildpacks"),
        (text(""), dependency("../hostile.tar"), "leads out of it"),
        (text(""), dependency("ext"), "the extension `acme/ext@1.0.0` cannot be in a package of other modules"),
    ] {
        let said = refused(&text, &package);
        assert!(said.contains(why), "{why}: {said}");
    }
}
