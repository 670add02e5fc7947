//! What `cooper diff` says of two images, and what `cooper repro` says of an image that is built once more.

use crate::support::{Machine, Registry, Small, copied, succeed};
use serde_json::{Value, json};
use std::fs;

const BASE: [(&str, &[u8]); 3] = [("etc/keep", b"1"), ("etc/gone", b"22"), ("srv/data/old", b"3")];

#[test]
fn a_difference_is_told_by_layer_setting_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let layout = folder.path().join("layout");
    let one = Small::write(&layout, "1", &[&BASE[..], &[("app/main.py", b"print(1)\n")]].concat());
    let other: [(&str, &[u8]); 4] =
        [("app/main.py", b"print(22)\n"), ("etc/.wh.gone", b""), ("srv/data/.wh..wh..opq", b""), ("etc/\u{1b}new", b"4")];
    let config = json!({ "config": { "Labels": { "of": "test", "io.test": "{\"a\":[1]}" }, "Env": ["PATH=/bin", "TZ=UTC"] } });
    let two = Small::write_with(&layout, "2", &[&BASE[..], &other].concat(), config);
    let places = ["1", "2"].map(|tag| format!("oci:{}:{tag}", layout.display()));
    let diff = |more: &[&str]| machine.run(&[&["diff", &places[0], &places[1]], more].concat());
    let id = |id: &String| id["sha256:".len()..][..12].to_string();
    let size = |of: &Small, at: usize| {
        let bytes = fs::metadata(layout.join("blobs/sha256").join(&of.blobs[at]["sha256:".len()..])).unwrap().len();
        format!("{:>10}", format!("{bytes} B"))
    };
    let expected = format!(
        "- {}  {}\n+ {}  {}\n{}\n\nlayers, 3 in both\n  -  3  {}  {}  app/main.py\n{}\nsettings and labels\n  + config.Env.TZ: \"UTC\"\n  \
         + config.Labels[io.test]: \"{{\\\"a\\\":[1]}}\"\n\nfiles\n  ~ /app/main.py  9 B -> 10 B (+1 B)\n  + /etc/\u{1b}new  1 B\n  - /etc/gone  \
         2 B\n  - /srv/data/old  1 B\n",
        places[0],
        one.digest,
        places[1],
        two.digest,
        "SIZE",
        id(&one.diff_ids[3]),
        size(&one, 3),
        (3..7).map(|at| format!("  +  {at}  {}  {}  {}\n", id(&two.diff_ids[at]), size(&two, at), other[at - 3].0)).collect::<String>(),
    );
    let output = diff(&[]);
    let said = String::from_utf8(output.stdout).unwrap();
    let of_size = said.lines().nth(2).unwrap();
    assert!(of_size.starts_with("size      ") && of_size.contains(" (+"), "{of_size}");
    assert_eq!(said.replace(of_size, "SIZE"), expected);
    assert_eq!((output.status.code(), diff(&["--exit-code"]).status.code()), (Some(0), Some(10)));

    let told: Value = serde_json::from_slice(&diff(&["--output", "json"]).stdout).unwrap();
    assert_eq!((&told["layers"]["shared"], &told["from"]["digest"]), (&json!(3), &json!(one.digest)));
    let file = &told["files"][0];
    assert_eq!(
        (&file["path"], &file["fields"], &file["to"]["layer"]),
        (&json!("/app/main.py"), &json!(["content"]), &json!(two.diff_ids[3]))
    );
    let same = succeed(&mut machine.command(&["diff", &places[0], &places[0], "--exit-code"]));
    assert_eq!(same, format!("both are {}\n", one.digest));
}

/// A file that only one image writes anew may be what a layer of both has already.
#[test]
fn a_file_is_compared_with_what_the_layers_of_both_have() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let layout = folder.path().join("layout");
    Small::write(&layout, "1", &BASE);
    Small::write(&layout, "2", &[&BASE[..], &[("etc/keep", b"1"), ("etc/gone", b"23")]].concat());
    let place = |tag: &str| format!("oci:{}:{tag}", layout.display());
    let told: Value =
        serde_json::from_str(&succeed(&mut machine.command(&["diff", &place("1"), &place("2"), "--output", "json"]))).unwrap();
    let paths: Vec<_> = told["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/etc/gone"]);
}

#[test]
fn packages_of_the_operating_system_are_told_by_their_versions() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let layout = folder.path().join("layout");
    let status = |version: &str, more: &str| {
        let package = |name: &str, version: &str| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nDescription: x\n\n")
        };
        package("openssl", version) + &package(more, "1")
    };
    for (tag, status) in [("1", status("3.0-1", "gone")), ("2", status("3.0-2", "new"))] {
        let release: (&str, &[u8]) = ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n");
        Small::write(&layout, tag, &[release, ("var/lib/dpkg/status", status.as_bytes())]);
    }
    let said = succeed(&mut machine.command(&["diff", &format!("oci:{}:1", layout.display()), &format!("oci:{}:2", layout.display())]));
    let packages: Vec<_> = said.lines().skip_while(|line| *line != "packages").skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(packages, ["  - gone 1  (deb)", "  + new 1  (deb)", "  ~ openssl 3.0-1 -> 3.0-2  (deb)"], "{said}");
}

#[test]
fn builds_of_changed_source_differ_in_a_file_of_the_app_wherever_they_are() {
    let (machine, registry, source) = (Machine::shared(), Registry::start(), copied("procfile"));
    machine.prepare();
    machine.built("diff-before", source.path(), &[]);
    fs::write(source.path().join("more.txt"), "more\n").unwrap();
    machine.built("diff-after", source.path(), &[]);
    let remote = format!("docker://{}/diff-after", registry.host());
    succeed(&mut machine.command(&["copy", "diff-after", &remote]));
    let other = tempfile::tempdir().unwrap();
    let archive = format!("docker-archive:{}", other.path().join("before.tar").display());
    succeed(&mut machine.command(&["copy", "diff-before", &archive]));
    let fresh = Machine::empty(other.path());
    let told: Value = serde_json::from_str(&succeed(&mut fresh.command(&["diff", &archive, &remote, "--output", "json"]))).unwrap();
    let files: Vec<_> =
        told["files"].as_array().unwrap().iter().map(|file| (file["path"].as_str().unwrap(), file["from"].is_null())).collect();
    assert_eq!(files, [("/workspace/more.txt", true)]);
    assert!(
        told["config"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["path"] == "config.Labels[io.buildpacks.lifecycle.metadata].app[0].sha")
    );
}
