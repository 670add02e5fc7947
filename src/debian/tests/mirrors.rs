//! Mirrors that lie, break off or are not there: what is said then, and that nothing of theirs stays.

use super::server::{Files, Server};
use super::small_archive::{self, GREETING, HELLO, PACKAGES, RELEASE, archive, archive_for, keyring, new_key};
use crate::debian::mirror::Sources;
use crate::debian::{Base, Cache, Index, Kind, Lock, Mirrors, Refresh, compose, fetch, resolve};
use crate::error::Result;
use crate::image::Digest;
use crate::output::Output;
use pgp::composed::SignedSecretKey;
use std::path::PathBuf;

const DATE: &str = "Sat, 01 Jan 2022 00:00:00 UTC";
const EARLIER: &str = "Fri, 01 Jan 2021 00:00:00 UTC";
const FAR: &str = "Sat, 01 Jan 2050 00:00:00 UTC";

/// A machine that knows the archive's key.
struct Machine {
    folder: tempfile::TempDir,
    key: SignedSecretKey,
    /// The good archive, signed once: a signature carries its time, and so does the digest of a Release file.
    good: Files,
    base: Base,
    cache: Cache,
    accept_expired: bool,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, ring, cache) = (new_key(), folder.path().join("keys.gpg"), folder.path().join("cache"));
        std::fs::write(&ring, keyring(&key)).unwrap();
        std::fs::create_dir(&cache).unwrap();
        let archive =
            format!("name='small'\norigin='Small'\nlabel='Small'\nsuites=['stable']\ncomponents=['main']\nkeyring='{}'\n", ring.display());
        let sections = "[common]\npackages=['hello']\n[build]\n[run]\nuser={ name='cnb', uid=1002, gid=1000 }\n";
        let base = Base::parse(&format!("distro='d'\nsuite='stable'\nversion='1'\n[[archive]]\n{archive}{sections}")).unwrap();
        Self { folder, good: small_archive::archive(&key, DATE, FAR), key, base, cache: Cache::new(cache), accept_expired: false }
    }

    /// Everything that asks mirrors: index, lock, packages.
    fn get(&self, refresh: Refresh, mirrors: &[&str]) -> Result<Lock> {
        self.get_for("amd64", refresh, mirrors)
    }

    fn get_for(&self, processor: &str, refresh: Refresh, mirrors: &[&str]) -> Result<Lock> {
        let options = mirrors.iter().map(|address| format!("small={address}")).collect();
        let mirrors = Mirrors::read(&Sources { options, accept_expired: self.accept_expired, ..Sources::default() })?;
        let index = Index::load(&self.base, processor, &mirrors, &self.cache, refresh, &Output::quiet())?;
        let lock = resolve(&self.base, Kind::Run, &[], &index)?;
        fetch(&lock, &mirrors, &self.cache, &Output::quiet())?;
        Ok(lock)
    }

    /// What is said of mirrors that are `bad`; their addresses, hashes and sizes are named alike. Once the first is mended, all is well.
    fn refusal(&self, bad: &[&Server]) -> String {
        let addresses: Vec<&str> = bad.iter().map(|server| server.address.as_str()).collect();
        let error = self.get(Refresh::Always, &addresses).expect_err("the mirrors are bad");
        self.check_cache();
        bad[0].serve(&self.good);
        self.get(Refresh::Always, &addresses).unwrap();
        assert_eq!(self.check_cache(), ["greeting.deb", "hello.deb", "index", "signature"]);
        said(&error, &addresses)
    }

    /// The files of the cache, each of which must be as it is in the good archive.
    fn check_cache(&self) -> Vec<String> {
        let files = walkdir::WalkDir::new(self.folder.path().join("cache")).into_iter().map(|entry| entry.unwrap());
        let paths: Vec<PathBuf> = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect();
        let mut found: Vec<String> = paths.into_iter().map(|path| self.good_file(&path)).collect();
        found.sort();
        found
    }

    fn good_file(&self, path: &std::path::Path) -> String {
        let (good, content) = (&self.good, std::fs::read(path).unwrap());
        let (name, sha256) = (path.file_name().unwrap().to_str().unwrap(), Digest::of(&content));
        if name.ends_with(".InRelease") {
            crate::debian::archive::verify(&content, &[self.key.to_public_key()]).unwrap();
            "signature".into()
        } else if name.ends_with(".stanzas") {
            assert_eq!(name, format!("{}.stanzas", Digest::of(&good[&format!("dists/stable/{PACKAGES}")]).hex()));
            assert!(content.starts_with(b"Package: hello\n") && content.windows(5).any(|word| word == b"1.5\nA"));
            "index".into()
        } else {
            assert_eq!(name, format!("{}.deb", sha256.hex()));
            let path = [HELLO, GREETING].into_iter().find(|path| Digest::of(&good[*path]) == sha256).unwrap();
            path.rsplit('/').next().unwrap().into()
        }
    }
}

/// What an error says, without what differs from run to run.
fn said(error: &crate::error::Error, addresses: &[&str]) -> String {
    let mut text = format!("{error:?}");
    for (address, name) in addresses.iter().zip(["FIRST", "SECOND"]) {
        text = text.replace(address, name);
    }
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let shown = |at: usize| {
        let (word, end) = words[at].split_at(words[at].trim_end().len());
        let word = match word.trim_end_matches(',') {
            hash if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => "HASH",
            _ if at > 0 && ["expected ", "got "].contains(&words[at - 1]) => "SIZE",
            _ => word,
        };
        format!("{word}{end}")
    };
    (0..words.len()).map(shown).collect()
}

#[test]
fn a_good_archive_gives_packages_that_can_be_composed() {
    let machine = Machine::new();
    let server = Server::new(&machine.good);
    let lock = machine.get(Refresh::IfMissing, &[&server.address]).unwrap();
    let packages: Vec<_> = lock.packages.iter().map(|package| format!("{} {} {}", package.name, package.version, package.why)).collect();
    assert_eq!(packages, ["greeting 1.5 hello", "hello 2.0-1 declared"]);
    let mut tar = Vec::new();
    let layer = compose::Layer { base: &machine.base, kind: Kind::Run, lock: &lock, below: None };
    compose::compose(&layer, &machine.cache, &mut tar).unwrap();
    assert!(tar.windows(12).any(|bytes| bytes == b"share/words/"));
}

#[test]
fn what_another_key_signed_is_refused() {
    let machine = Machine::new();
    let server = Server::new(&archive(&new_key(), DATE, FAR));
    insta::assert_snapshot!(machine.refusal(&[&server]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: FIRST/dists/stable/InRelease: no key of the archive signed the Release file
           hint: the mirror may be damaged or hostile: name another one with `--deb-mirror`
    ");
}

#[test]
fn a_release_file_that_was_changed_is_refused() {
    for (text, other) in [("Label: Small", "Label: Smell"), ("binary-amd64", "binary-arm64"), ("\n=", "\n=A")] {
        let machine = Machine::new();
        let mut files = machine.good.clone();
        let release = String::from_utf8(files[RELEASE].clone()).unwrap();
        assert!(release.contains(text), "{release}");
        files.insert(RELEASE.into(), release.replace(text, other).into());
        let said = machine.refusal(&[&Server::new(&files)]);
        assert!(said.contains("FIRST/dists/stable/InRelease: "), "{said}");
    }
}

#[test]
fn an_expired_release_file_is_refused_unless_the_user_accepts_it() {
    let machine = Machine::new();
    let server = Server::new(&archive(&machine.key, EARLIER, DATE));
    insta::assert_snapshot!(machine.refusal(&[&server]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: FIRST/dists/stable/InRelease: the Release file was valid until Sat, 01 Jan 2022 00:00:00 UTC
           hint: name a mirror that is up to date, or pass `--no-check-valid-until`
    ");
    let machine = Machine { accept_expired: true, ..Machine::new() };
    let server = Server::new(&archive(&machine.key, EARLIER, DATE));
    assert_eq!(machine.get(Refresh::Always, &[&server.address]).unwrap().packages.len(), 2);
}

#[test]
fn a_release_file_older_than_one_seen_before_is_refused() {
    let machine = Machine::new();
    let server = Server::new(&machine.good);
    let newer = machine.get(Refresh::Always, &[&server.address]).unwrap();
    server.serve(&archive(&machine.key, EARLIER, FAR));
    insta::assert_snapshot!(machine.refusal(&[&server]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: FIRST/dists/stable/InRelease: the mirror's Release file is of 2021-01-01T00:00:00Z, older than the known one of 2022-01-01T00:00:00Z
           hint: name a mirror that is up to date
    ");
    server.serve(&archive(&machine.key, EARLIER, FAR));
    assert_eq!(machine.get(Refresh::IfMissing, &[&server.address]).unwrap(), newer);
    let other = Server::new(&machine.good);
    assert_eq!(machine.get(Refresh::Always, &[&server.address, &other.address]).unwrap().releases, newer.releases);
}

#[test]
fn a_kept_release_file_without_a_processor_is_fetched_anew_for_it() {
    let machine = Machine::new();
    let server = Server::new(&machine.good);
    machine.get(Refresh::IfMissing, &[&server.address]).unwrap();
    server.serve(&archive_for(&["amd64", "arm64"], &machine.key, DATE, FAR));
    machine.get(Refresh::IfMissing, &[&server.address]).unwrap();
    assert_eq!(machine.check_cache().len(), 4);
    machine.get_for("arm64", Refresh::IfMissing, &[&server.address]).unwrap();
    // Where nobody has them, that is said.
    let error = machine.get_for("s390x", Refresh::IfMissing, &[&server.address]).unwrap_err();
    assert!(format!("{error:?}").contains("no packages for `s390x`"), "{error:?}");
}

#[test]
fn an_index_with_another_hash_is_refused() {
    let machine = Machine::new();
    let mut files = machine.good.clone();
    *files.get_mut(&format!("dists/stable/{PACKAGES}")).unwrap().last_mut().unwrap() ^= 1;
    insta::assert_snapshot!(machine.refusal(&[&Server::new(&files)]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: GET FIRST/dists/stable/main/binary-amd64/Packages.xz: expected SIZE bytes with SHA-256 HASH got SIZE with HASH
           hint: name another mirror with `--deb-mirror small=URL`
    ");
}

#[test]
fn a_package_with_another_hash_is_refused() {
    let machine = Machine::new();
    let mut files = machine.good.clone();
    files.get_mut(HELLO).unwrap()[200] ^= 1;
    insta::assert_snapshot!(machine.refusal(&[&Server::new(&files)]), @r"
    cannot fetch the package `hello` 2.0-1
      caused by: GET FIRST/pool/main/hello.deb: expected SIZE bytes with SHA-256 HASH got SIZE with HASH
           hint: name another mirror with `--deb-mirror small=URL`; if the archive has a newer version by now, run `cooper builder update`
    ");
}

#[test]
fn a_truncated_package_and_one_with_more_behind_it_are_refused() {
    let machine = Machine::new();
    let mut files = machine.good.clone();
    files.get_mut(GREETING).unwrap().truncate(300);
    insta::assert_snapshot!(machine.refusal(&[&Server::new(&files)]), @r"
    cannot fetch the package `greeting` 1.5
      caused by: GET FIRST/pool/main/greeting.deb: expected SIZE bytes with SHA-256 HASH got SIZE with HASH
           hint: name another mirror with `--deb-mirror small=URL`; if the archive has a newer version by now, run `cooper builder update`
    ");
    let machine = Machine::new();
    let mut files = machine.good.clone();
    files.get_mut(GREETING).unwrap().push(b'x');
    insta::assert_snapshot!(machine.refusal(&[&Server::new(&files)]), @r"
    cannot fetch the package `greeting` 1.5
      caused by: GET FIRST/pool/main/greeting.deb: the mirror sends more than it should
           hint: name another mirror with `--deb-mirror small=URL`; if the archive has a newer version by now, run `cooper builder update`
    ");
}

#[test]
fn a_mirror_that_breaks_off_is_named_and_the_next_one_asked() {
    let machine = Machine::new();
    let broken = Server::new(&machine.good);
    broken.break_off(HELLO);
    insta::assert_snapshot!(machine.refusal(&[&broken]), @r"
    cannot fetch the package `hello` 2.0-1
      caused by: GET FIRST/pool/main/hello.deb, 4 times: the request broke off: error decoding response body: request or response body error: error reading a body from connection: end of file before message length reached
           hint: name another mirror with `--deb-mirror small=URL`; if the archive has a newer version by now, run `cooper builder update`
    ");
    std::thread::scope(|scope| {
        for ending in [RELEASE, PACKAGES, GREETING] {
            scope.spawn(move || {
                let machine = Machine::new();
                let (broken, good) = (Server::new(&machine.good), Server::new(&machine.good));
                broken.break_off(ending);
                machine.get(Refresh::Always, &[&broken.address, &good.address]).unwrap();
                machine.check_cache();
            });
        }
    });
}

#[test]
fn what_one_mirror_does_not_have_another_gives() {
    for missing in [RELEASE.to_string(), format!("dists/stable/{PACKAGES}"), HELLO.to_string()] {
        let machine = Machine::new();
        let mut files = machine.good.clone();
        let good = Server::new(&files);
        files.remove(&missing).unwrap();
        let poor = Server::new(&files);
        machine.get(Refresh::Always, &[&poor.address, &good.address]).unwrap();
        machine.check_cache();
    }
    let machine = Machine::new();
    let empty = [Server::new(&Files::new()), Server::new(&Files::new())];
    insta::assert_snapshot!(machine.refusal(&[&empty[0], &empty[1]]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: FIRST does not have it; SECOND does not have it
           hint: name another mirror with `--deb-mirror small=URL`
    ");
}

#[test]
fn without_any_mirror_what_is_kept_will_do_and_else_each_is_named() {
    // Nobody listens at such low ports.
    let (one, other, machine) = ("http://127.0.0.1:1", "http://127.0.0.1:2", Machine::new());
    let error = machine.get(Refresh::IfMissing, &[one, other]).unwrap_err();
    assert!(machine.check_cache().is_empty());
    insta::assert_snapshot!(said(&error, &[one, other]), @r"
    cannot load the index of `stable` in the archive `small`
      caused by: GET FIRST/dists/stable/InRelease, 4 times: the request broke off: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111); GET SECOND/dists/stable/InRelease, 4 times: the request broke off: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
           hint: name another mirror with `--deb-mirror small=URL`
    ");
    let server = Server::new(&machine.good);
    let lock = machine.get(Refresh::IfMissing, &[&server.address]).unwrap();
    assert_eq!(machine.get(Refresh::IfMissing, &[one]).unwrap(), lock);
}
