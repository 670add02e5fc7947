//! Key pairs: made here and there, read here and there.

use super::{PASSWORD, cooper, cosign, key_pair, said};
use crate::support::{Machine, run, succeed};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

#[test]
fn a_key_pair_of_either_program_is_the_others_too() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "ours");
    let theirs = folder.path().join("theirs");
    succeed(&mut cosign(&["generate-key-pair", "--output-key-prefix", theirs.to_str().unwrap()]));
    let of_cosign = |key: &Path| succeed(&mut cosign(&["public-key", "--key", key.to_str().unwrap()]));
    let of_cooper = |key: &Path| succeed(&mut cooper(&machine, &["key", "public", key.to_str().unwrap()]));
    for (key, public) in [(key.clone(), public), (theirs.with_extension("key"), theirs.with_extension("pub"))] {
        let public = fs::read_to_string(public).unwrap();
        assert_eq!((of_cosign(&key).trim(), of_cooper(&key).trim()), (public.trim(), public.trim()));
    }
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    // In a variable, and without a password.
    let text = fs::read_to_string(&key).unwrap();
    let output = succeed(cooper(&machine, &["key", "public", "env://MY_KEY"]).env("MY_KEY", &text));
    assert_eq!(output, of_cooper(&key));
    let mut wrong = machine.command(&["key", "public", key.to_str().unwrap()]);
    let output = run(wrong.env("COSIGN_PASSWORD", "close sesame"));
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("the password is another one"));
}

#[test]
fn a_key_is_never_lost_to_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let before = [&key, &public].map(|path| fs::read(path).unwrap());
    let prefix = folder.path().join("one");
    let again = ["key", "generate", "--output-key-prefix", prefix.to_str().unwrap()];
    assert!(said(&machine, &again, 1).contains("is there already"));
    fs::remove_file(&public).unwrap();
    assert!(said(&machine, &again, 1).contains("is there already"));
    assert_eq!(fs::read(&key).unwrap(), before[0]);
    said(&machine, &[&again[..], &["--force"]].concat(), 0);
    assert!(fs::read(&key).unwrap() != before[0] && fs::read(&public).unwrap() != before[1]);
}

#[test]
fn a_password_is_piped_in_where_no_variable_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "piped");
    let mut command = machine.command(&["key", "public", key.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), fs::read_to_string(public).unwrap());
}

#[test]
fn keys_of_other_kinds_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let path = folder.path().join("key.pem");
    for (arguments, why) in [
        (vec!["genpkey", "-algorithm", "ed25519"], "a private key of another kind"),
        (vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "a private key of another kind"),
        (vec!["rand", "-hex"], "it is no PEM"),
    ] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(&arguments).arg("-out").arg(&path).args((arguments[0] == "rand").then_some("20"));
        succeed(&mut openssl);
        let said = said(&machine, &["key", "public", path.to_str().unwrap()], 1);
        assert!(said.contains(why) && said.contains("P-256"), "{said}");
    }
    // One of the right kind, without a password.
    succeed(
        std::process::Command::new("openssl")
            .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"])
            .arg(&path),
    );
    let of_openssl = succeed(std::process::Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&path));
    assert_eq!(said(&machine, &["key", "public", path.to_str().unwrap()], 0), of_openssl);
}
