//! Other registries than Debian's, and other clients than ours: what one writes, the others read.

use crate::support::{Machine, Registry, run, succeed};
use std::path::Path;
use std::process::Command;

/// Runs a program of others with a place for its own files.
fn other(home: &Path, program: &str, arguments: &[&str]) -> String {
    succeed(Command::new(program).args(arguments).env("HOME", home).env("XDG_RUNTIME_DIR", home))
}

/// An image with a small layer, one that is sent in a request of its own, and the digest of its manifest.
fn layout(folder: &Path) -> String {
    let place = format!("{}:x", folder.display());
    let (small, large) = (folder.with_extension("small"), folder.with_extension("large"));
    std::fs::write(&small, "a small layer").unwrap();
    succeed(Command::new("sh").args(["-c", &format!("head -c 12000000 /dev/urandom > {}", large.display())]));
    succeed(Command::new("umoci").arg("init").arg("--layout").arg(folder));
    succeed(Command::new("umoci").args(["new", "--image", &place]));
    for file in [small, large] {
        succeed(Command::new("umoci").args(["insert", "--rootless", "--image", &place]).arg(&file).arg("/file"));
    }
    let inspected = succeed(Command::new("skopeo").args(["inspect", "--format", "{{.Digest}}", &format!("oci:{place}")]));
    inspected.trim().to_string()
}

/// IMG-03.
#[test]
fn what_we_push_others_read_and_what_they_push_we_read() {
    let folder = tempfile::tempdir().unwrap();
    let (layout_folder, home) = (folder.path().join("layout"), folder.path().join("home"));
    std::fs::create_dir_all(&home).unwrap();
    let digest = layout(&layout_folder);
    let place = format!("oci:{}:x", layout_folder.display());
    for (kind, registry) in
        [("debian", Registry::start()), ("version-3", Registry::start_version_3()), ("crane", Registry::start_of_crane())]
    {
        let (ours, theirs) = (registry.name("team/ours:1"), registry.name("team/theirs:1"));
        let machine = Machine::empty(&folder.path().join(kind));
        let cooper = |arguments: &[&str]| {
            let output = run(&mut machine.command(arguments));
            assert!(output.status.success(), "{kind}: {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        cooper(&["copy", &place, &ours]);
        assert_eq!(other(&home, "crane", &["digest", "--insecure", &ours]).trim(), digest, "{kind}");
        other(&home, "crane", &["validate", "--insecure", "--remote", &ours]);
        other(
            &home,
            "skopeo",
            &["copy", "--quiet", "--src-tls-verify=false", &format!("docker://{ours}"), &format!("dir:{}/{kind}", home.display())],
        );
        other(
            &home,
            "crane",
            &["push", "--insecure", "--image-refs", &format!("{}/refs", home.display()), &layout_folder.display().to_string(), &theirs],
        );
        cooper(&["pull", &theirs]);
        let stored = other(&home, "skopeo", &["inspect", "--raw", &format!("oci:{}:{theirs}", machine.store.display())]);
        let remote = other(&home, "crane", &["manifest", "--insecure", &theirs]);
        assert_eq!(stored.trim(), remote.trim(), "{kind}");
        assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
        // Names of one repository, and of another: nothing is sent a second time.
        cooper(&["copy", &ours, &registry.name("team/ours:2")]);
        cooper(&["copy", &ours, &registry.name("other/ours:1")]);
        assert_eq!(other(&home, "crane", &["digest", "--insecure", &registry.name("other/ours:1")]).trim(), digest, "{kind}");
    }
}
