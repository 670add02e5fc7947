//! Brings the Release files and package lists of archives into the cache, each checked before it is kept.

use super::Refresh;
use crate::debian::archive::{self, Verified};
use crate::debian::base::Archive;
use crate::debian::fetch::{Wanted, fetch_from_any, fetch_one, first_of};
use crate::debian::{Mirrors, Release};
use crate::error::{Context, Error, Result};
use crate::http::Client;
use crate::output::Output;
use pgp::composed::SignedPublicKey;
use std::cell::OnceCell;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
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

/// What loading needs to know.
pub(super) struct Loader<'a> {
    pub architecture: &'a str,
    pub mirrors: &'a Mirrors,
    /// Where indexes are kept.
    pub folder: &'a Path,
    pub refresh: Refresh,
    /// Made when something must be fetched.
    pub client: OnceCell<Client>,
    pub output: &'a Output,
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
    pub(super) fn suite(&self, archive: &Archive, suite: &str) -> Result<(Release, Vec<String>)> {
        let keys = archive::keyring(&archive.keyring)?;
        let place = self.folder.join(format!("{}_{suite}.InRelease", archive.name));
        let known = match fs::read(&place) {
            Ok(bytes) => Some(archive::verify(&bytes, &keys).context(|| format!("`{}` is damaged", place.display()))?),
            Err(_) => None,
        };
        let verified = match (known, self.refresh) {
            (Some(known), Refresh::IfMissing) if self.is_listed(archive, &known) => known,
            (known, _) => {
                self.output.detail(&format!("asking for the index of `{suite}`"));
                let known = known.map(|known| known.date()).transpose()?;
                let (verified, bytes) = self.newest(archive, suite, &keys, known.as_deref())?;
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

    /// The Release file of the first mirror that has the archive, known by what was signed, not by the address. One older than `known`, a
    /// date, is refused.
    fn newest(&self, archive: &Archive, suite: &str, keys: &[SignedPublicKey], known: Option<&str>) -> Result<(Verified, Vec<u8>)> {
        let found = first_of(&self.mirrors.of(&archive.name)?, |mirror| {
            let url = format!("{mirror}/dists/{suite}/InRelease");
            let Some((verified, bytes)) = self.release(&url, keys)? else { return Ok(None) };
            let named = verified.field("Suite") == suite || verified.field("Codename") == suite;
            if !named || verified.field("Origin") != archive.origin || verified.field("Label") != archive.label {
                return Ok(None);
            }
            self.check_age(&verified, known).context(|| url)?;
            Ok(Some((verified, bytes)))
        });
        found.map_err(|error| advised(error, archive))
    }

    fn release(&self, url: &str, keys: &[SignedPublicKey]) -> Result<Option<(Verified, Vec<u8>)>> {
        let wanted = Wanted { path: "", sha256: None, progress: None };
        let Some(file) = fetch_one(self.client()?, url, &wanted, self.folder)? else { return Ok(None) };
        let bytes = fs::read(file.path()).context(|| "cannot read what was fetched")?;
        let verified = archive::verify(&bytes, keys).context(|| url.to_string())?;
        Ok(Some((verified, bytes)))
    }

    /// Refuses a Release file that says itself it is too old, and one that is older than one seen before.
    fn check_age(&self, release: &Verified, known: Option<&str>) -> Result<()> {
        if !self.mirrors.accept_expired {
            release.check_valid_until(SystemTime::now())?;
        }
        let date = release.date()?;
        match known {
            Some(known) if date.as_str() < known => {
                Err(Error::new(format!("the mirror's Release file is of {date}, older than the known one of {known}"))
                    .hint("name a mirror that is up to date"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a Release file lists this processor's packages. One that was kept may be of before they were there.
    fn is_listed(&self, archive: &Archive, release: &Verified) -> bool {
        archive.components.iter().all(|component| release.file(&self.packages(component)).is_some())
    }

    /// The list of a component's packages.
    fn packages(&self, component: &str) -> String {
        format!("{component}/binary-{}/Packages.xz", self.architecture)
    }

    /// The stanzas of one component, with the fields that matter.
    fn component(&self, archive: &Archive, suite: &str, component: &str, release: &Verified) -> Result<String> {
        let name = self.packages(component);
        let (sha256, size) = release.file(&name).context(|| format!("the archive has no packages for `{}`", self.architecture))?;
        let place = self.folder.join(format!("{sha256}.stanzas"));
        if !place.is_file() {
            let by_hash = format!("dists/{suite}/{component}/binary-{}/by-hash/SHA256/{sha256}", self.architecture);
            let path = if release.field("Acquire-By-Hash") == "yes" { by_hash } else { format!("dists/{suite}/{name}") };
            let progress = self.output.progress(&format!("fetching the index of {suite}"), Some(*size));
            let wanted = Wanted { path: &path, sha256: Some((sha256, *size)), progress: Some(&progress) };
            let packed = fetch_from_any(self.client()?, &self.mirrors.of(&archive.name)?, &wanted, self.folder);
            let packed = packed.map_err(|error| advised(error, archive))?;
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

/// With a hint that helps whatever was wrong with the mirrors, where there is none yet.
fn advised(error: Error, archive: &Archive) -> Error {
    match error.nearest_hint() {
        Some(_) => error,
        None => error.hint(format!("name another mirror with `--deb-mirror {}=URL`", archive.name)),
    }
}

fn write(folder: &Path, place: &Path, bytes: &[u8]) -> Result<()> {
    let describe = || format!("cannot write `{}`", place.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).context(describe)?;
    file.write_all(bytes).context(describe)?;
    file.persist(place).context(describe)?;
    Ok(())
}
