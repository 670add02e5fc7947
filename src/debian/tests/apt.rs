//! Resolution against apt's: with the same real indexes both choose the same versions of the same packages. Every difference is listed here
//! with its reason; one that is not listed fails, and so does one that is listed and no longer there.

use crate::debian::mirror::Sources;
use crate::debian::{Base, Cache, Index, Kind, Mirrors, Refresh, resolve};
use crate::output::Output;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is resolved on top of an image's own packages.
const SETS: &[(Kind, &str)] = &[
    (Kind::Run, ""),
    (Kind::Build, ""),
    (Kind::Run, "python3"),
    (Kind::Build, "python3-venv build-essential"),
    (Kind::Run, "default-jre-headless"),
    (Kind::Build, "default-jdk-headless maven"),
    (Kind::Run, "postgresql-client"),
    (Kind::Run, "imagemagick"),
    (Kind::Run, "nginx php-fpm"),
    (Kind::Run, "ruby nodejs"),
    (Kind::Build, "golang cargo g++ cmake libpq-dev"),
    (Kind::Run, "libreoffice-calc ffmpeg"),
    (Kind::Run, "chromium fonts-noto"),
    (Kind::Run, "wordpress mailutils"),
    (Kind::Run, "gimp texlive-latex-extra"),
    (Kind::Run, "postgresql-all"),
];

const ANY: &str = "to apt `make:any` is what several packages provide; we take the package of that name";

/// Suite, set, what only we (`+`) or only apt (`-`) choose, and why that is right.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    ("bookworm", "run postgresql-all", "+make", ANY),
    ("bookworm", "run postgresql-all", "-make-guile", ANY),
    ("bookworm", "run postgresql-all", "-guile-3.0-libs", ANY),
];

#[test]
fn trixie_is_resolved_as_apt_does() {
    compare("trixie", include_str!("../../../builders/trixie/base.toml"));
}

#[test]
fn bookworm_is_resolved_as_apt_does() {
    compare("bookworm", include_str!("../../../builders/bookworm/base.toml"));
}

fn compare(suite: &str, description: &str) {
    let mut base = Base::parse(description).unwrap();
    // apt knows no dependencies that stay out.
    [&mut base.common, &mut base.build, &mut base.run].into_iter().for_each(|section| section.ignore_depends.clear());
    let mirrors = Mirrors::read(&Sources {
        environment: std::env::var("COOPER_DEBIAN_MIRROR").ok(),
        apt: Some("/etc/apt".into()),
        accept_expired: true,
        ..Sources::default()
    })
    .unwrap();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let cache = Cache::new(shared_cache());
    let index = Index::load(&base, architecture, &mirrors, &cache, Refresh::Always, &Output::quiet()).unwrap();
    let apt = Apt::new(&base, architecture, &mirrors);
    let mut found = BTreeSet::new();
    for (kind, set) in SETS {
        let extras: Vec<String> = set.split_whitespace().map(str::to_string).collect();
        let lock = resolve(&base, *kind, &extras, &index).unwrap();
        let ours: BTreeMap<String, String> = lock.packages.into_iter().map(|package| (package.name, package.version)).collect();
        let theirs = apt.install(&[base.packages(*kind), extras].concat());
        let set = format!("{} {set}", kind.name());
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        found.extend(names.into_iter().filter_map(|name| {
            let difference = match (ours.get(name), theirs.get(name)) {
                (Some(version), Some(other)) if version == other => return None,
                (Some(version), Some(other)) => format!("{name}: {version}, not {other}"),
                (Some(_), None) => format!("+{name}"),
                (None, _) => format!("-{name}"),
            };
            Some((set.clone(), difference))
        }));
    }
    let listed = DIFFERENCES.iter().filter(|(known, ..)| *known == suite);
    let listed: BTreeSet<(String, String)> = listed.map(|(_, set, difference, _)| (set.to_string(), difference.to_string())).collect();
    let unexpected: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(unexpected.is_empty() && gone.is_empty(), "without a reason: {unexpected:#?}\nlisted, but there no longer: {gone:#?}");
}

/// The cache of the store that the program's tests share, beside the folder of this test program.
fn shared_cache() -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("tmp/store/debian");
    fs::create_dir_all(&target).unwrap();
    target
}

/// What differs from apt's defaults: it runs as root in a folder of the test, and what it decides is what older versions decided, too.
const CONFIGURATION: &str = r#"
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Solver "internal";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Debug::NoLocking "true";
"#;

/// apt with a root folder of its own, in which nothing is installed.
struct Apt {
    folder: tempfile::TempDir,
}

impl Apt {
    /// apt that knows the base's archives, each from the first mirror that has it.
    fn new(base: &Base, architecture: &str, mirrors: &Mirrors) -> Self {
        let apt = Self { folder: tempfile::tempdir().unwrap() };
        let root = apt.folder.path();
        for folder in ["etc/apt/sources.list.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("status"), "").unwrap();
        let own = format!("Dir \"{0}\";\nDir::State::status \"{0}/status\";\nAPT::Architecture \"{architecture}\";\n", root.display());
        fs::write(root.join("configuration"), own + CONFIGURATION).unwrap();
        for archive in &base.archive {
            let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("builders/keys/{}.gpg", archive.keyring));
            let place = root.join("etc/apt/sources.list.d").join(format!("{}.list", archive.name));
            let line =
                |url: &str, suite: &str| format!("deb [signed-by={}] {url} {suite} {}\n", keys.display(), archive.components.join(" "));
            let known = mirrors.of(&archive.name).unwrap().into_iter().any(|url| {
                fs::write(&place, archive.suites.iter().map(|suite| line(&url, suite)).collect::<String>()).unwrap();
                apt.get(&["-qq", "-o", "APT::Update::Error-Mode=any", "update"]).is_ok()
            });
            assert!(known, "apt cannot use any mirror of `{}`", archive.name);
        }
        apt
    }

    /// What would be installed, with its version.
    fn install(&self, packages: &[String]) -> BTreeMap<String, String> {
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let said = self.get(&[&["-s", "install"], packages.as_slice()].concat()).unwrap();
        let installed = said.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_once(" ("));
        installed.map(|(name, rest)| (name.to_string(), rest.split(' ').next().unwrap().to_string())).collect()
    }

    fn get(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("apt-get");
        let output =
            command.env("APT_CONFIG", self.folder.path().join("configuration")).env("LC_ALL", "C").args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}
