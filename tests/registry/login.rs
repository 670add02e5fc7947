//! Logging in to a registry and out of it.

use crate::support::{PASSWORD, Registry, USER, cooper};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `cooper` with a home of its own; returns the exit code and what it said.
fn run(home: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = Command::new(cooper());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that refuses its arguments reads nothing.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

/// IMG-11.
#[test]
fn a_password_is_checked_before_it_is_kept() {
    let registry = Registry::start_with_password();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".docker/config.json");
    let host = registry.host();
    let login = ["login", &host, "--username", USER, "--password-stdin"];
    let (code, said) = run(home.path(), &login, "wrong\n");
    assert!(code == 1 && said.contains("does not know this user and password") && !said.contains("wrong\n"), "{code} {said}");
    assert!(!file.exists());
    let (code, said) = run(home.path(), &login, &format!("{PASSWORD}\n"));
    assert!(code == 0 && said.contains(&format!("logged in to {host} as {USER}")) && !said.contains(PASSWORD), "{code} {said}");
    // Others read it too.
    let inspect = |home: &Path| {
        let mut skopeo = Command::new("skopeo");
        let listed = skopeo.args(["list-tags", "--tls-verify=false", "--authfile"]).arg(home.join(".docker/config.json"));
        listed.arg(format!("docker://{}", registry.name("team/app"))).output().unwrap()
    };
    let listed = String::from_utf8_lossy(&inspect(home.path()).stderr).into_owned();
    assert!(!listed.contains("authentication required"), "{listed}");
    let (code, said) = run(home.path(), &["logout", &host], "");
    assert!(code == 0 && said.contains("logged out"), "{code} {said}");
    let listed = String::from_utf8_lossy(&inspect(home.path()).stderr).into_owned();
    assert!(listed.contains("authentication required"), "{listed}");
    let (code, said) = run(home.path(), &["logout", &host], "");
    assert!(code == 0 && said.contains("not logged in"), "{code} {said}");
}

#[test]
fn what_cannot_be_a_login_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, wanted) in [
        (&["login", "r.test", "--password-stdin"][..], "no user is given"),
        (&["login", "r.test"], "is no terminal"),
        (&["login", "r.test/team/app", "-u", "me", "--password-stdin"], "is no registry"),
        (&["login", "127.0.0.1:1", "-u", "me", "--password-stdin"], "cannot log in to `127.0.0.1:1`"),
    ] {
        let (code, said) = run(home.path(), arguments, "pw");
        assert!(code == 1 && said.contains(wanted), "{arguments:?}: {code} {said}");
    }
    let open = Registry::start();
    let (code, said) = run(home.path(), &["login", &open.host(), "-u", "me", "--password-stdin"], "pw");
    assert!(code == 0 && said.contains("lets everyone in"), "{code} {said}");
}

/// Certificates are looked for where Podman keeps them.
#[test]
fn a_registry_that_wants_a_certificate_gets_it() {
    let registry = Registry::start_for_known();
    let home = tempfile::tempdir().unwrap();
    let login = ["login", &registry.host(), "-u", "me", "--password-stdin"];
    let (code, said) = run(home.path(), &login, "pw");
    assert!(code == 1 && said.contains("cannot log in"), "{code} {said}");
    let own = home.path().join(".config/containers/certs.d").join(registry.host());
    std::fs::create_dir_all(&own).unwrap();
    for (source, target) in [("certificate", "client.cert"), ("key", "client.key")] {
        std::fs::copy(registry.certificates().join(source), own.join(target)).unwrap();
    }
    let (code, said) = run(home.path(), &login, "pw");
    assert!(code == 0 && said.contains("logged in"), "{code} {said}");
    let (code, said) = run(home.path(), &[&login[..], &["--ca", "/no/such/file"]].concat(), "pw");
    assert!(code == 1 && said.contains("cannot read the certificate `/no/such/file`"), "{code} {said}");
}
