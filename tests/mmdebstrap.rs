//! Base images are what Debian's own tools would have installed: each suite's composed tree is compared, path by path, with mmdebstrap's of
//! the same packages. Every difference is listed here with its reason; one that is not listed fails, and so does a reason that neither suite
//! needs any longer.

use crate::support::{Machine, apt_sources, copied, succeed};
use globset::{Glob, GlobMatcher};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a tree has at a path: type, mode, owner, group, target, content.
type Found = (char, u32, u64, u64, String, String);
type Tree = BTreeMap<String, Found>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Theirs,
    Ours,
    Both,
}

use Where::{Both, Ours, Theirs};

const EXCLUDED: &str = "excluded by builders/*/base.toml";
const HOST: &str = "mmdebstrap copies the host's";
const TOOLS: &str = "state of apt, debconf, dpkg or systemd that they make anew";
const PAM: &str = "only logins use PAM";
const PAGES: &str = "manual pages and pagers are excluded";

/// Where a path differs, and why that is right.
const REASONS: &[(Where, &str, &str)] = &[
    (Theirs, "usr/share/{doc,info,lintian,man,locale,menu,doc-base}/*", EXCLUDED),
    (Theirs, "usr/share/zoneinfo/{right,posix}/*", EXCLUDED),
    (Theirs, "usr/lib/*/gconv/*", EXCLUDED),
    (Theirs, "dev/*", "every sandbox and engine has devices of its own"),
    (Theirs, "etc/alternatives/{awk,nawk,pager,rmt,which,builtins}*", PAGES),
    (Theirs, "usr/bin/pager", PAGES),
    (Theirs, "var/lib/dpkg/alternatives/{pager,builtins.7.gz}", PAGES),
    (Theirs, "etc/apt/{apt.conf.d/99mmdebstrap,preferences.d,sources.list,sources.list.d}", TOOLS),
    (Theirs, "var/{cache,lib,log}/apt", TOOLS),
    (Theirs, "var/{cache,lib}/apt/*", TOOLS),
    (Theirs, "var/cache/debconf/*", TOOLS),
    (Theirs, "var/lib/dpkg/{lock,lock-frontend,status-old,diversions-old,triggers/Lock,arch-native}", TOOLS),
    (Theirs, "{etc,var/lib}/systemd/*", TOOLS),
    (Theirs, "var/lib/shells.state", TOOLS),
    (Theirs, "etc/rc?.d/*", "there is no init"),
    (Theirs, "etc/pam.d/common-*", PAM),
    (Theirs, "var/lib/pam/*", PAM),
    (Theirs, "etc/security/opasswd", PAM),
    (Theirs, "etc/{fstab,networks,timezone}", "nothing in a container reads it"),
    (Theirs, "etc/sub{gid,uid}", "there are no users to give ids to"),
    (Theirs, "var/log/{btmp,faillog,lastlog,wtmp}", "nobody logs in"),
    (Ours, "home/cnb", "the image's user"),
    (Ours, "etc/{shadow,gshadow}", "passwords are shadowed without the package passwd's script"),
    (Ours, "var/lib/dpkg/{available,statoverride}", "empty files that dpkg would make"),
    (Ours, "usr/local/libexec", "a folder of newer Debians"),
    (Both, "etc/{passwd,group}", "the image's user, and no users of packages that are left out"),
    (Both, "etc/{hostname,hosts,resolv.conf}", HOST),
    (Both, "etc/ca-certificates.conf", "without its comment"),
    (Both, "etc/ld.so.cache", "without hardware capabilities, which no package uses"),
    (Both, "etc/shells", "in another order"),
    (Both, "var/lib/dpkg/{diversions,status}", "packages that only scripts need are left out"),
];

#[test]
fn base_images_are_what_mmdebstrap_installs() {
    let suites = ["trixie", "bookworm"];
    let needed: BTreeSet<(Where, String)> = std::thread::scope(|scope| {
        let compared = suites.map(|suite| scope.spawn(move || compare(suite)));
        compared.into_iter().flat_map(|suite| suite.join().unwrap()).collect()
    });
    let unneeded: Vec<_> = reasons().into_iter().filter(|reason| !needed.contains(reason)).collect();
    assert!(unneeded.is_empty(), "no difference needs these reasons any longer: {unneeded:#?}");
}

/// The patterns that have a reason, each alternative by itself.
fn reasons() -> Vec<(Where, String)> {
    REASONS.iter().flat_map(|(place, pattern, _)| alternatives(pattern).into_iter().map(|one| (*place, one))).collect()
}

/// `a{b,c}` as `ab` and `ac`.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((start, rest)) = pattern.split_once('{') else { return vec![pattern.into()] };
    let (names, end) = rest.split_once('}').unwrap();
    names.split(',').flat_map(|name| alternatives(&format!("{start}{name}{end}"))).collect()
}

/// Compares a suite's trees and returns the reasons that were needed.
fn compare(suite: &str) -> BTreeSet<(Where, String)> {
    let machine = Machine::shared();
    machine.prepare();
    let app = copied("procfile");
    machine.built(&format!("mmdebstrap-{suite}"), app.path(), &["--builder", suite]);
    let described: Value =
        serde_json::from_str(&succeed(&mut machine.command(&["builder", "inspect", suite, "--output", "json"]))).unwrap();
    let packages: BTreeSet<String> =
        described["run"]["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap().into()).collect();
    let (ours, _) = read(File::open(base_layer(&machine, suite)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (theirs, lists) = read(install(suite, &packages, folder.path()));
    let foreign = foreign(&lists, &packages);
    let reasons: Vec<((Where, String), GlobMatcher)> =
        reasons().into_iter().map(|reason| (reason.clone(), Glob::new(&reason.1).unwrap().compile_matcher())).collect();
    let (mut unexpected, mut needed, mut same) = (Vec::new(), BTreeSet::new(), 0);
    for path in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let place = match (ours.get(path), theirs.get(path)) {
            (Some(own), Some(other)) if own == other => {
                same += 1;
                continue;
            }
            (Some(_), Some(_)) => Both,
            (Some(_), None) => Ours,
            (None, _) if foreign.contains(path) => continue,
            (None, _) => Theirs,
        };
        match reasons.iter().find(|((known, _), pattern)| *known == place && pattern.is_match(path)) {
            Some((reason, _)) => drop(needed.insert(reason.clone())),
            None => unexpected.push(format!("{place:?} {path}: {:?} {:?}", ours.get(path), theirs.get(path))),
        }
    }
    assert!(unexpected.is_empty(), "{suite} has {} differences without a reason:\n{}", unexpected.len(), unexpected.join("\n"));
    assert!(same > 1000, "only {same} paths of {suite} are the same");
    needed
}

/// The lowest layer of the app that was just built: the suite's run image.
fn base_layer(machine: &Machine, suite: &str) -> std::path::PathBuf {
    let blob = |digest: &Value| machine.store.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"));
    let json = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let index = json(&machine.store.join("index.json"));
    let name = format!("index.docker.io/library/mmdebstrap-{suite}:latest");
    let app = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|manifest| manifest["annotations"]["org.opencontainers.image.ref.name"] == name.as_str());
    blob(&json(&blob(&app.unwrap()["digest"]))["layers"][0]["digest"])
}

/// Has mmdebstrap install the packages from the mirrors of this machine's apt.
fn install(suite: &str, packages: &BTreeSet<String>, folder: &Path) -> File {
    let tar = folder.join("tree.tar");
    let include = format!("--include={}", packages.iter().cloned().collect::<Vec<_>>().join(","));
    let mode = if rustix::process::geteuid().is_root() { "--mode=root" } else { "--mode=unshare" };
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--variant=essential", mode, &include, "--aptopt=Acquire::Check-Valid-Until \"false\"", suite])
        .arg(&tar)
        .arg("-");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mmdebstrap, of the Debian package of that name");
    child.stdin.take().unwrap().write_all(apt_sources(suite).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    File::open(tar).unwrap()
}

/// A tree from a tar, plain or compressed with gzip, and dpkg's lists of files in it.
fn read(file: File) -> (Tree, BTreeMap<String, String>) {
    let mut start = [0; 2];
    let mut file = file;
    file.read_exact(&mut start).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let stream: Box<dyn Read> = if start == [0x1f, 0x8b] { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let (mut tree, mut lists, mut links) = (Tree::new(), BTreeMap::new(), Vec::new());
    for member in tar::Archive::new(stream).entries().unwrap() {
        let mut member = member.unwrap();
        let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_start_matches('.').trim_matches('/').to_string();
        let path = clean(&member.path_bytes());
        let header = member.header().clone();
        let (mode, uid, gid) = (header.mode().unwrap() & 0o7777, header.uid().unwrap(), header.gid().unwrap());
        let target = member.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
        let found = match header.entry_type() {
            tar::EntryType::Directory => ('d', mode, uid, gid, String::new(), String::new()),
            tar::EntryType::Symlink => ('l', 0, uid, gid, String::from_utf8_lossy(&target).into_owned(), String::new()),
            tar::EntryType::Link => {
                links.push((path, clean(&target)));
                continue;
            }
            tar::EntryType::Regular => {
                let mut content = Vec::new();
                member.read_to_end(&mut content).unwrap();
                let sum = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
                if let Some(package) = path.strip_prefix("var/lib/dpkg/info/").and_then(|name| name.strip_suffix(".list")) {
                    lists.insert(package.split(':').next().unwrap().to_string(), String::from_utf8_lossy(&content).into_owned());
                }
                ('f', mode, uid, gid, String::new(), sum)
            }
            _ => ('o', mode, uid, gid, String::new(), String::new()),
        };
        if !path.is_empty() {
            tree.insert(path, found);
        }
    }
    for (path, target) in links {
        let found = tree[&target].clone();
        tree.insert(path, found);
    }
    (tree, lists)
}

/// Paths that belong only to packages which are not in the image, and dpkg's files about those.
fn foreign(lists: &BTreeMap<String, String>, packages: &BTreeSet<String>) -> BTreeSet<String> {
    let merged = |path: &str| {
        let path = path.trim_matches('/');
        let first = path.split('/').next().unwrap_or("");
        if path.contains('/') && ["bin", "sbin", "lib", "lib64"].contains(&first) { format!("usr/{path}") } else { path.to_string() }
    };
    let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (package, list) in lists {
        let paths = list.lines().map(merged);
        if packages.contains(package) { own.extend(paths) } else { others.extend(paths) }
    }
    let mut foreign: BTreeSet<String> = others.difference(&own).cloned().collect();
    for package in lists.keys().filter(|package| !packages.contains(*package)) {
        for kind in [
            "list",
            "md5sums",
            "conffiles",
            "preinst",
            "postinst",
            "prerm",
            "postrm",
            "config",
            "templates",
            "triggers",
            "shlibs",
            "symbols",
        ] {
            foreign.extend(["", ":amd64", ":arm64"].map(|architecture| format!("var/lib/dpkg/info/{package}{architecture}.{kind}")));
        }
    }
    foreign
}
