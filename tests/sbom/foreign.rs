//! Images that others made.

use super::{components, download, files};
use crate::support::{Machine, Registry, Small, repository, succeed};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::Command;

const OS: (&str, &[u8]) = ("etc/os-release", b"ID=ubuntu\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04\"\n");
const OLD: (&str, &[u8]) = ("var/lib/dpkg/status", b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n");
const NEW: (&str, &[u8]) = (
    "var/lib/dpkg/status",
    b"Package: a\nStatus: install ok installed\nVersion: 2\nSource: src (1.9)\nMaintainer: Ann <a@x.test>\nArchitecture: amd64\nDepends: b\n\n\
      Package: b\nStatus: install ok installed\nVersion: 1:1~rc+1\nArchitecture: all\n",
);
const OF_A: (&str, &[u8]) = ("usr/share/doc/a/copyright", b"See /usr/share/common-licenses/Apache-2.0\n");
const OF_B: (&str, &[u8]) = (
    "usr/share/doc/b/copyright",
    b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+ or Expat\n\nFiles: x\nLicense: own\n",
);

/// An image without SBOM files is listed by its databases, and that is said; of one in a registry layers are read from the top down, and no further
/// than needed.
#[test]
fn images_of_others_are_listed_by_their_databases() {
    let (machine, registry, folder) = (Machine::shared(), Registry::start(), tempfile::tempdir().unwrap());
    let layout = folder.path().join("layout");
    let small = Small::write(&layout, "v1", &[("large", &[7; 100_000]), OLD, OF_A, OF_B, OS, NEW, ("srv/app", b"app")]);
    let place = format!("oci:{}:v1", layout.display());
    let remote = format!("docker://{}", registry.name("foreign"));
    succeed(&mut machine.command(&["copy", &place, &remote]));
    let elsewhere = Machine::empty(folder.path());
    let before = registry.requests().len();
    let told = download(&elsewhere, &remote, &folder.path().join("foreign"), &[]);
    assert!(told["notes"][0].as_str().unwrap().contains("no SBOM files of buildpacks"), "{told}");
    let requests = registry.requests()[before..].to_vec();
    let reads = |at: usize| requests.iter().any(|request| request.contains(&small.blobs[at]));
    assert!(reads(6) && reads(5) && reads(2) && !reads(1) && !reads(0), "{requests:#?}");
    let all = components(&folder.path().join("foreign"));
    let of = |name: &str| all.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("a")["purl"], "pkg:deb/ubuntu/a@2?arch=amd64&distro=ubuntu-24.04&upstream=src%401.9");
    assert_eq!(of("a")["licenses"], json!([{ "expression": "Apache-2.0" }]));
    assert_eq!(of("b")["purl"], "pkg:deb/ubuntu/b@1%3A1~rc%2B1?arch=all&distro=ubuntu-24.04");
    assert_eq!(of("b")["licenses"], json!([{ "expression": "(GPL-2.0-or-later OR MIT) AND LicenseRef-own" }]));
    let text = std::fs::read_to_string(folder.path().join("foreign/sbom.spdx.json")).unwrap();
    assert!(text.contains("no SBOM files of buildpacks"), "the document says it too");
    assert_eq!(components(&folder.path().join("foreign")), {
        download(&machine, &place, &folder.path().join("local"), &[]);
        components(&folder.path().join("local"))
    });
}

/// Distroless images have a file for each package, Alpine's apk's database; rpm's is not read, which is said.
#[test]
fn other_databases_are_read_or_named() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let layout = folder.path().join("layout");
    let apk: (&str, &[u8]) = ("lib/apk/db/installed", b"C:Q1=\nP:musl\nV:1.2.5-r9\nA:x86_64\nL:MIT\no:musl\n\nP:busybox\nV:1.37.0-r1\nA:x86_64\nL:GPL-2.0-only\nD:so:libc.musl-x86_64.so.1 musl\n");
    let alpine: (&str, &[u8]) = ("usr/lib/os-release", b"ID=alpine\nVERSION_ID=3.22.0\n");
    Small::write(&layout, "alpine", &[alpine, apk]);
    Small::write(
        &layout,
        "distroless",
        &[OS, ("var/lib/dpkg/status.d/base", b"Package: base\nVersion: 1\n"), ("var/lib/dpkg/status.d/c", b"Package: c\nVersion: 2")],
    );
    Small::write(&layout, "fedora", &[("usr/lib/sysimage/rpm/rpmdb.sqlite", b"SQLite")]);
    Small::write(&layout, "scratch", &[("program", b"program")]);
    let get = |tag: &str| {
        let told = download(&machine, &format!("oci:{}:{tag}", layout.display()), &folder.path().join(tag), &[]);
        let purls: Vec<String> = components(&folder.path().join(tag)).iter().map(|one| one["purl"].as_str().unwrap().to_string()).collect();
        (purls, told["notes"].to_string())
    };
    assert_eq!(
        get("alpine").0,
        [
            "pkg:apk/alpine/busybox@1.37.0-r1?arch=x86_64&distro=alpine-3.22.0",
            "pkg:apk/alpine/musl@1.2.5-r9?arch=x86_64&distro=alpine-3.22.0"
        ]
    );
    assert_eq!(get("distroless").0, ["pkg:deb/ubuntu/base@1?distro=ubuntu-24.04", "pkg:deb/ubuntu/c@2?distro=ubuntu-24.04"]);
    let (purls, notes) = get("fedora");
    assert!(purls.is_empty() && notes.contains("/usr/lib/sysimage/rpm/rpmdb.sqlite, a database of rpm's"), "{notes}");
    assert!(get("scratch").1.contains("no database of an operating system's packages"));
}

/// SBOM-15. What buildpacks of others wrote comes out byte by byte, old forms of Syft's among them, and what is no document does no harm.
#[test]
fn documents_of_others_come_out_as_they_are() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let libpak = std::fs::read(repository("fixtures/sbom/libpak.syft.json")).unwrap();
    for (tag, name, content) in [
        ("libpak", "layers/sbom/launch/acme_a/helper/sbom.syft.json", libpak.as_slice()),
        ("broken", "layers/sbom/launch/acme_a/helper/sbom.cdx.json", b"{\"bomFormat\":"),
    ] {
        let layout = folder.path().join(tag);
        let sha = Small::write(&layout, "first", &[(name, content)]).diff_ids[0].clone();
        let of_helper = json!({ "sha": sha, "launch": true });
        let metadata = json!({ "sbom": { "sha": sha }, "buildpacks": [{ "key": "acme/a", "version": "1", "layers": { "helper": of_helper } }],
            "runImage": { "topLayer": sha, "reference": "x" } });
        let labels = json!({ "Labels": BTreeMap::from([("io.buildpacks.lifecycle.metadata", metadata.to_string())]) });
        Small::write_with(&layout, "v1", &[(name, content)], json!({ "config": labels }));
        let target = folder.path().join(format!("{tag}-sbom"));
        let told = download(&machine, &format!("oci:{}:v1", layout.display()), &target, &[]);
        let written = files(&target);
        assert!(written.iter().any(|(path, text)| path.to_str() == Some(name) && text == content), "{tag}");
        match tag {
            "libpak" => {
                let helper = &components(&target)[0];
                assert_eq!((&helper["name"], &helper["purl"]), (&"helper".into(), &"pkg:generic/acme/a@3.10.0".into()));
                let place = &helper["evidence"]["occurrences"][0];
                assert_eq!(*place, json!({ "location": "/layers/acme_a/helper/a-helper", "additionalContext": sha }));
            }
            _ => assert!(told["notes"].to_string().contains("is not read"), "{told}"),
        }
    }
}

/// The real `pack`, where `PEER_PACK` names it, downloads the same files.
#[test]
fn pack_downloads_the_same_files() {
    let Some(pack) = std::env::var_os("PEER_PACK") else { return };
    let (machine, registry, folder) = (Machine::shared(), Registry::start(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built("for-pack", &repository("fixtures/apps/python-flask"), &[]);
    let remote = registry.name("for-pack");
    succeed(&mut machine.command(&["copy", "for-pack", &format!("docker://{remote}")]));
    let (own, packs) = (folder.path().join("own"), folder.path().join("pack"));
    download(&machine, &remote, &own, &["--remote"]);
    succeed(Command::new(pack).args(["sbom", "download", "--remote", &remote, "--output-dir"]).arg(&packs).env("HOME", folder.path()));
    assert!(files(&own.join("layers")) == files(&packs.join("layers")));
}
