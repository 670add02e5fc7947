//! A signed archive of two packages: `hello`, which needs `greeting`.

use super::server::Files;
use crate::image::Digest;
use pgp::composed::{ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey};
use pgp::ser::Serialize;
use pgp::types::Password;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::OnceLock;

/// Where the parts of the archive are.
pub const RELEASE: &str = "dists/stable/InRelease";
pub const PACKAGES: &str = "main/binary-amd64/Packages.xz";
pub const HELLO: &str = "pool/main/hello.deb";
pub const GREETING: &str = "pool/main/greeting.deb";

/// A key that signs archives.
pub fn new_key() -> SignedSecretKey {
    let mut parameters = SecretKeyParamsBuilder::default();
    parameters.key_type(KeyType::Ed25519Legacy).can_sign(true).can_certify(true).primary_user_id("Archive <archive@test>".into());
    parameters.build().unwrap().generate(rand::thread_rng()).unwrap()
}

/// The ring of one key.
pub fn keyring(key: &SignedSecretKey) -> Vec<u8> {
    SignedPublicKey::from(key.clone()).to_bytes().unwrap()
}

/// The files of the archive, signed now.
pub fn archive(key: &SignedSecretKey, date: &str, valid_until: &str) -> Files {
    archive_for(&["amd64"], key, date, valid_until)
}

/// The same for these processors. All packages are for any.
pub fn archive_for(processors: &[&str], key: &SignedSecretKey, date: &str, valid_until: &str) -> Files {
    let mut files: Files = debs().iter().map(|(path, _, deb)| ((*path).to_string(), deb.clone())).collect();
    let stanzas = debs().iter().map(|(path, control, deb)| {
        format!("{control}Filename: {path}\nSize: {}\nSHA256: {}\nDescription: left out\n", deb.len(), Digest::of(deb).hex())
    });
    let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 6);
    packed.write_all(stanzas.collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let mut text = format!("Origin: Small\nLabel: Small\nSuite: stable\nDate: {date}\nValid-Until: {valid_until}\nSHA256:\n");
    for processor in processors {
        let packages = PACKAGES.replace("amd64", processor);
        text += &format!(" {} {} {packages}\n", Digest::of(&packed).hex(), packed.len());
        files.insert(format!("dists/stable/{packages}"), packed.clone());
    }
    let signed = CleartextSignedMessage::sign(rand::thread_rng(), &text, &key.primary_key, &Password::empty()).unwrap();
    files.insert(RELEASE.into(), signed.to_armored_bytes(ArmorOptions::default()).unwrap());
    files
}

/// Path, control file and content of each package, as dpkg makes them.
fn debs() -> &'static [(&'static str, &'static str, Vec<u8>)] {
    static DEBS: OnceLock<Vec<(&str, &str, Vec<u8>)>> = OnceLock::new();
    DEBS.get_or_init(|| {
        let hello = "Package: hello\nVersion: 2.0-1\nArchitecture: all\nMaintainer: Test <test@test>\nDepends: greeting (>= 1)\n";
        let greeting = "Package: greeting\nVersion: 1.5\nArchitecture: all\nMaintainer: Test <test@test>\n";
        [(HELLO, hello), (GREETING, greeting)].map(|(path, control)| (path, control, built(control))).into()
    })
}

fn built(control: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/share/words")).unwrap();
    fs::write(tree.join("DEBIAN/control"), format!("{control}Description: words\n")).unwrap();
    fs::write(tree.join("usr/share/words").join(Digest::of(control.as_bytes()).short()), control).unwrap();
    let deb = folder.path().join("built.deb");
    let status = Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(tree).arg(&deb).output().unwrap().status;
    assert!(status.success());
    fs::read(deb).unwrap()
}
