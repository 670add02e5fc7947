//! The signed indexes of a base's archives: which packages there are. They are kept, and fetched again only when newer ones are asked for.

use super::archive::{self, Verified};
use super::base::Archive;
use super::fetch::{Wanted, fetch_from_any, fetch_one};
use super::{Base, Cache, Mirrors, Release, version};
use crate::error::{Context, Error, Result};
use crate::http::Client;
use crate::output::Output;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

/// The fields that resolution and the lock need; the rest of an index is three quarters of it.
const FIELDS: [&str; 13] = [
    "Package",
    "Version",
    "Architecture",
    "Source",
    "Depends",
    "Pre-Depends",
    "Provides",
    "Conflicts",
    "Breaks",
    "Priority",
    "Filename",
    "Size",
    "SHA256",
];

/// Whether indexes that are at hand will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Yes: ask mirrors only for what is missing.
    IfMissing,
    /// No: ask for newer ones.
    Always,
}

/// All packages of a base's archives.
pub struct Index {
    parts: Vec<Part>,
    names: HashMap<String, Vec<(usize, Range<usize>)>>,
    provides: HashMap<String, Vec<Provided>>,
    /// The Release files that the index stands on.
    pub releases: Vec<Release>,
    /// The architecture, in Debian's words.
    pub architecture: String,
}

struct Part {
    archive: String,
    suite: String,
    text: String,
}

/// That a package provides something.
#[derive(Clone, Debug)]
pub(super) struct Provided {
    pub package: String,
    pub version: Option<String>,
}

/// One version of a package in the index.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub archive: &'a str,
    pub suite: &'a str,
    text: &'a str,
}

impl<'a> Candidate<'a> {
    /// A field's value; empty where it has none.
    pub fn field(&self, name: &str) -> &'a str {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
    }
}

impl Index {
    /// Loads the indexes of a base for an architecture, from the cache where that will do.
    ///
    /// # Errors
    /// When no mirror has an index with a good signature, or the newest is older than one seen before.
    pub fn load(base: &Base, architecture: &str, mirrors: &Mirrors, cache: &Cache, refresh: Refresh, output: &Output) -> Result<Self> {
        let folder = cache.indexes();
        fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
        let loader = Loader { architecture, mirrors, folder: &folder, refresh, client: std::cell::OnceCell::new(), output };
        let mut index = Self {
            parts: Vec::new(),
            names: HashMap::new(),
            provides: HashMap::new(),
            releases: Vec::new(),
            architecture: architecture.into(),
        };
        for archive in &base.archive {
            for suite in &archive.suites {
                let describe = || format!("cannot load the index of `{suite}` in the archive `{}`", archive.name);
                let (release, texts) = loader.suite(archive, suite).context(describe)?;
                index.releases.push(release);
                texts.into_iter().for_each(|text| index.add(Part { archive: archive.name.clone(), suite: suite.clone(), text }));
            }
        }
        Ok(index)
    }

    /// All versions of a package, the newest first.
    pub(super) fn candidates(&self, name: &str) -> Vec<Candidate<'_>> {
        let places = self.names.get(name).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<Candidate> = places.iter().map(|(part, range)| self.candidate(*part, range)).collect();
        found.sort_by(|one, other| version::compare(other.field("Version"), one.field("Version")));
        found
    }

    /// Who provides something, beside the package of that name.
    pub(super) fn providers(&self, name: &str) -> &[Provided] {
        self.provides.get(name).map_or(&[], Vec::as_slice)
    }

    fn candidate(&self, part: usize, range: &Range<usize>) -> Candidate<'_> {
        let Part { archive, suite, text } = &self.parts[part];
        Candidate { archive, suite, text: &text[range.clone()] }
    }

    fn add(&mut self, part: Part) {
        let at = self.parts.len();
        let mut start = 0;
        for stanza in part.text.split("\n\n") {
            let range = start..start + stanza.len();
            start = range.end + 2;
            let Some(name) = stanza.strip_prefix("Package: ").and_then(|rest| rest.lines().next()) else { continue };
            let provides = stanza.lines().find_map(|line| line.strip_prefix("Provides: "));
            for relation in provides.into_iter().flat_map(super::relation::clauses).flatten() {
                let version = relation.version.map(|(_, version)| version.to_string());
                self.provides.entry(relation.name.to_string()).or_default().push(Provided { package: name.to_string(), version });
            }
            self.names.entry(name.to_string()).or_default().push((at, range));
        }
        self.parts.push(part);
    }
}

struct Loader<'a> {
    architecture: &'a str,
    mirrors: &'a Mirrors,
    folder: &'a Path,
    refresh: Refresh,
    client: std::cell::OnceCell<Client>,
    output: &'a Output,
}

impl Loader<'_> {
    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// The Release file of a suite and the stanzas of its components.
    fn suite(&self, archive: &Archive, suite: &str) -> Result<(Release, Vec<String>)> {
        let keys = archive::keyring(&archive.keyring)?;
        let place = self.folder.join(format!("{}_{suite}.InRelease", archive.name));
        let known = match fs::read(&place) {
            Ok(bytes) => Some(archive::verify(&bytes, &keys).context(|| format!("`{}` is damaged", place.display()))?),
            Err(_) => None,
        };
        let verified = match (known, self.refresh) {
            (Some(known), Refresh::IfMissing) => known,
            (known, _) => {
                self.output.detail(&format!("asking for the index of `{suite}`"));
                let (verified, bytes) = self.newest(archive, suite, &keys)?;
                if let Some(known) = known
                    && verified.date()? < known.date()?
                {
                    return Err(Error::new(format!(
                        "the mirror's Release file is of {}, older than the known one of {}",
                        verified.date()?,
                        known.date()?
                    ))
                    .hint("name a mirror that is up to date"));
                }
                write(self.folder, &place, &bytes)?;
                verified
            }
        };
        let texts =
            archive.components.iter().map(|component| self.component(archive, suite, component, &verified)).collect::<Result<_>>()?;
        let release =
            Release { archive: archive.name.clone(), suite: suite.into(), date: verified.date()?, sha256: verified.sha256.clone() };
        Ok((release, texts))
    }

    /// The Release file of the first mirror that has the archive, known by what was signed, not by the address.
    fn newest(&self, archive: &Archive, suite: &str, keys: &[pgp::composed::SignedPublicKey]) -> Result<(Verified, Vec<u8>)> {
        let mut failures = Vec::new();
        for mirror in self.mirrors.of(&archive.name)? {
            let url = format!("{mirror}/dists/{suite}/InRelease");
            match self.release(&url, archive, suite, keys) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => failures.push(format!("{mirror} does not have it")),
                Err(error) => failures.push(std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")),
            }
        }
        let names = failures.join("; ");
        Err(Error::new(names).hint(format!("name a mirror with `--deb-mirror {}=URL`", archive.name)))
    }

    fn release(
        &self,
        url: &str,
        archive: &Archive,
        suite: &str,
        keys: &[pgp::composed::SignedPublicKey],
    ) -> Result<Option<(Verified, Vec<u8>)>> {
        let wanted = Wanted { path: "", sha256: None, progress: None };
        let Some(file) = fetch_one(self.client()?, url, &wanted, self.folder)? else { return Ok(None) };
        let bytes = fs::read(file.path()).context(|| "cannot read what was fetched")?;
        let verified = archive::verify(&bytes, keys).context(|| url.to_string())?;
        let named = verified.field("Suite") == suite || verified.field("Codename") == suite;
        if !named || verified.field("Origin") != archive.origin || verified.field("Label") != archive.label {
            return Ok(None);
        }
        if !self.mirrors.accept_expired {
            verified.check_valid_until(SystemTime::now()).context(|| url.to_string())?;
        }
        Ok(Some((verified, bytes)))
    }

    /// The stanzas of one component, with the fields that matter.
    fn component(&self, archive: &Archive, suite: &str, component: &str, release: &Verified) -> Result<String> {
        let name = format!("{component}/binary-{}/Packages.xz", self.architecture);
        let (sha256, size) = release.file(&name).context(|| format!("the archive has no packages for `{}`", self.architecture))?;
        let place = self.folder.join(format!("{sha256}.stanzas"));
        if !place.is_file() {
            let by_hash = format!("dists/{suite}/{component}/binary-{}/by-hash/SHA256/{sha256}", self.architecture);
            let path = if release.field("Acquire-By-Hash") == "yes" { by_hash } else { format!("dists/{suite}/{name}") };
            let progress = self.output.progress(&format!("fetching the index of {suite}"), Some(*size));
            let wanted = Wanted { path: &path, sha256: Some((sha256, *size)), progress: Some(&progress) };
            let packed = fetch_from_any(self.client()?, &self.mirrors.of(&archive.name)?, &wanted, self.folder)?;
            self.filter(packed.path(), &place)?;
        }
        fs::read_to_string(&place).context(|| format!("cannot read `{}`", place.display()))
    }

    fn filter(&self, packed: &Path, place: &Path) -> Result<()> {
        let describe = || "cannot read the index".to_string();
        let unpacked = liblzma::read::XzDecoder::new_multi_decoder(fs::File::open(packed).context(describe)?);
        let mut lines = BufReader::with_capacity(1 << 20, unpacked);
        let staged = tempfile::NamedTempFile::new_in(self.folder).context(describe)?;
        let mut kept = BufWriter::with_capacity(1 << 20, staged);
        let mut line = Vec::new();
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).context(describe)? == 0 {
                break;
            }
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if line == b"\n" || FIELDS.iter().any(|field| field.as_bytes() == name) {
                kept.write_all(&line).context(describe)?;
            }
        }
        let staged = kept.into_inner().map_err(std::io::IntoInnerError::into_error).context(describe)?;
        staged.persist(place).context(describe)?;
        Ok(())
    }
}

fn write(folder: &Path, place: &Path, bytes: &[u8]) -> Result<()> {
    let describe = || format!("cannot write `{}`", place.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).context(describe)?;
    file.write_all(bytes).context(describe)?;
    file.persist(place).context(describe)?;
    Ok(())
}

#[cfg(test)]
impl Index {
    /// An index of stanzas, for tests.
    pub(super) fn of(text: &str) -> Self {
        let mut index =
            Self { parts: Vec::new(), names: HashMap::new(), provides: HashMap::new(), releases: Vec::new(), architecture: "amd64".into() };
        index.add(Part { archive: "debian".into(), suite: "test".into(), text: text.to_string() });
        index
    }
}
