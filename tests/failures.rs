//! What goes wrong says what, on what, why, and what to do; and nothing is lost.

use crate::support::{Machine, copied, repository};
use std::fs;
use std::os::unix::fs::symlink;

fn fails(machine: &Machine, arguments: &[&str], code: i32, says: &[&str]) {
    let output = machine.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for text in says {
        assert!(said.contains(text), "`{text}` is missing in:\n{said}");
    }
}

#[test]
fn a_source_that_nobody_can_build() {
    let machine = Machine::shared();
    machine.prepare();
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    fails(
        &machine,
        &["build", "empty", "--path", path],
        20,
        &["looked for requirements.txt, uv.lock and pyproject.toml", "looked for a Procfile", "no buildpack of the builder `trixie`"],
    );
}

#[test]
fn requirements_that_do_not_exist_keep_the_old_image() {
    let machine = Machine::shared();
    machine.prepare();
    let good = machine.built("kept", &repository("fixtures/apps/procfile"), &[]);
    let broken = repository("fixtures/apps/python-broken");
    fails(&machine, &["build", "kept", "--path", broken.to_str().unwrap()], 51, &["no-such-package-of-cooperage", "cooper/python@0.1.0"]);
    let inspected = machine.run(&["inspect", "kept", "--output", "json"]);
    assert!(String::from_utf8_lossy(&inspected.stdout).contains(&good));
}

#[test]
fn wrong_words_on_the_command_line() {
    let machine = Machine::shared();
    machine.prepare();
    let app = repository("fixtures/apps/procfile");
    let app = app.to_str().unwrap();
    let file = repository("Cargo.toml");
    fails(&machine, &["build", "x", "--path", "/no/such/folder"], 1, &["cannot find the source `/no/such/folder`", "hint:"]);
    fails(&machine, &["build", "x", "--path", file.to_str().unwrap()], 1, &["it is neither a folder nor a zip file"]);
    fails(&machine, &["build", "Not A Name", "--path", app], 1, &["`Not A Name` is not an image name"]);
    fails(
        &machine,
        &["build", "x", "--path", app, "--builder", "none", "--pull-policy", "never"],
        1,
        &["there is no builder `none`", "trixie and bookworm"],
    );
    fails(&machine, &["build", "x", "--path", app, "--output", "tar:x"], 1, &["cannot write to `tar:x`: the store gets every image"]);
    fails(&machine, &["build", "x", "--path", app, "--default-process", "none"], 62, &["none"]);
    fails(&machine, &["run", "no-such-image"], 1, &["there is no image `no-such-image`"]);
    fails(&machine, &["rmi", "no-such-image"], 1, &["there is no image `no-such-image`"]);
    fails(&machine, &["frobnicate"], 2, &["frobnicate"]);
}

#[test]
fn without_a_mirror_the_error_says_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let app = repository("fixtures/apps/procfile");
    let mut command = std::process::Command::new(crate::support::cooper());
    command
        .arg("--store")
        .arg(folder.path().join("store"))
        .args(["build", "x", "--deb-mirror", "debian=http://127.0.0.1:1", "--path"])
        .arg(app);
    command.env("COOPER_DEBIAN_MIRROR", "debian-security=http://127.0.0.1:1");
    let output = crate::support::run(&mut command);
    let said = String::from_utf8_lossy(&output.stderr);
    // With sources of apt that have the archive, the build goes on by those.
    assert!(output.status.success() || said.contains("--deb-mirror"), "{said}");
}

#[test]
fn odd_files_do_no_harm() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let machine = Machine::shared();
    machine.prepare();
    let app = copied("procfile");
    symlink("loop", app.path().join("loop")).unwrap();
    symlink("/etc/shadow", app.path().join("outside")).unwrap();
    fs::write(app.path().join(OsStr::from_bytes(b"not-utf-8-\xff")), "x").unwrap();
    fs::write(app.path().join("n".repeat(255)), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(app.path().join("socket")).unwrap();
    let output = machine.run(&["build", "odd", "--path", app.path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("is a socket and stays out of the image"), "{said}");
    let listed = machine.run(&["run", "odd", "--entrypoint", "launcher", "--", "ls", "-1", "/workspace"]);
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains("not-utf-8-") && listed.contains("loop") && !listed.contains("socket"), "{listed}");
}

/// The store is on a file system of its own, first too small for the run image, then for the build image, then large enough.
#[test]
fn a_full_disk_is_an_error_and_the_store_stays_valid() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::fresh(folder.path());
    let packages = folder.path().join("packages");
    fs::rename(machine.store.join("debian"), &packages).unwrap();
    let script = r#"
        set -e
        mount -t tmpfs -o size=2g tmpfs "$STORE"
        cp -r "$PACKAGES" "$STORE/debian"
        used=$(du -sm "$STORE" | cut -f1)
        for more in 4 60; do
            mount -o "remount,size=$((used + more))m" "$STORE"
            if "$COOPER" --store "$STORE" build full --path "$APP"; then echo "$more MB were enough"; exit 1; fi
            "$COOPER" --store "$STORE" store verify
        done
        mount -o remount,size=2g "$STORE"
        "$COOPER" --store "$STORE" build full --path "$APP" --quiet
    "#;
    let mut command = std::process::Command::new("unshare");
    let own_namespace = if rustix::process::geteuid().is_root() { "--mount" } else { "--map-root-user" };
    command.args(["--mount", own_namespace, "sh", "-c", script]);
    command.env("STORE", &machine.store).env("PACKAGES", &packages).env("COOPER", crate::support::cooper());
    command.env("APP", repository("fixtures/apps/procfile"));
    let output = crate::support::run(&mut command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("No space left on device").count(), 2, "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("sha256:"), "{said}");
}
