//! The lifecycle as one file, as `pack builder create` takes it for a builder: this very program under the names of the phases, and the
//! launcher (BIMG-20, BIMG-21, BIMG-24).

use super::embedded::LAUNCHER;
use super::own_sbom;
use crate::archive::{Entry, Form, LayerWriter, TarWriter};
use crate::error::{Context, Result};
use launcher::api::{Api, BUILDPACK, PLATFORM};
use std::fs::File;
use std::io::{BufWriter, Write, empty};
use std::ops::RangeInclusive;
use std::path::Path;

/// The release of the reference lifecycle whose behaviour this one has. Platforms decide by it what they may ask for.
pub(super) const STANDS_FOR: &str = "0.21.17";
/// The names that a phase is started under.
const PHASES: [&str; 8] = ["analyzer", "builder", "creator", "detector", "exporter", "extender", "rebaser", "restorer"];

/// Writes the lifecycle to `file`, a tar compressed with gzip. The same program gives the same bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn package(file: &Path) -> Result<()> {
    let describe = || format!("cannot write the lifecycle to `{}`", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = tempfile::NamedTempFile::new_in(folder).context(describe)?;
    let mut tar = TarWriter::new(LayerWriter::new(BufWriter::with_capacity(1 << 18, staged), Form::Gzip));
    let text = descriptor();
    tar.append(&Entry::file("lifecycle.toml", text.len() as u64, 0o644, 0, 0, Entry::NORMAL_TIME), text.as_bytes()).context(describe)?;
    write_programs(&mut tar, "lifecycle").context(describe)?;
    let (_, buffer) = tar.finish().context(describe)?.finish().context(describe)?;
    let staged = buffer.into_inner().map_err(std::io::IntoInnerError::into_error).context(describe)?;
    std::fs::set_permissions(staged.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).context(describe)?;
    staged.persist(file).context(describe)?;
    Ok(())
}

/// Writes `folder` with this program under all names, the launcher, and the SBOM files of both.
pub(super) fn write_programs(tar: &mut TarWriter<impl Write>, folder: &str) -> Result<()> {
    let time = Entry::NORMAL_TIME;
    tar.append(&Entry::directory(folder, 0o755, 0, 0, time), empty())?;
    let path = std::env::current_exe().context(|| "cannot find this program's own file")?;
    let program = File::open(&path).context(|| format!("cannot read `{}`", path.display()))?;
    let size = program.metadata().context(|| format!("cannot read `{}`", path.display()))?.len();
    tar.append(&Entry::file(format!("{folder}/lifecycle"), size, 0o755, 0, 0, time), program)?;
    tar.append(&Entry::file(format!("{folder}/launcher"), LAUNCHER.len() as u64, 0o755, 0, 0, time), LAUNCHER)?;
    for (component, documents) in [("launcher", own_sbom::of_launcher()), ("lifecycle", own_sbom::of_lifecycle())] {
        for (ending, text) in documents {
            let path = format!("{folder}/{component}.sbom.{ending}");
            tar.append(&Entry::file(path, text.len() as u64, 0o644, 0, 0, time), text.as_slice())?;
        }
    }
    for name in PHASES {
        tar.append(&Entry::symlink(format!("{folder}/{name}"), "lifecycle", 0, 0, time), empty())?;
    }
    Ok(())
}

/// `lifecycle.toml`: which APIs are spoken.
fn descriptor() -> String {
    let supported = |apis: &RangeInclusive<Api>| versions(apis).iter().map(|api| format!("\"{api}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[apis]\n[apis.buildpack]\ndeprecated = []\nsupported = [{}]\n[apis.platform]\ndeprecated = []\nsupported = [{}]\n\n\
         [api]\nplatform = \"{}\"\nbuildpack = \"{}\"\n\n[lifecycle]\nversion = \"{STANDS_FOR}\"\n",
        supported(&BUILDPACK),
        supported(&PLATFORM),
        PLATFORM.start(),
        BUILDPACK.start()
    )
}

/// All versions of a range.
pub(super) fn versions(apis: &RangeInclusive<Api>) -> Vec<String> {
    (0..100).map(|minor| Api::new(0, minor)).filter(|api| apis.contains(api)).map(|api| api.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::decompressed;

    #[test]
    fn the_package_has_all_phases_and_says_what_it_speaks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lifecycle.tgz");
        package(&file).unwrap();
        let mut archive = tar::Archive::new(decompressed(File::open(&file).unwrap()).unwrap());
        let (mut names, mut text) = (Vec::new(), String::new());
        for member in archive.entries().unwrap() {
            let mut member = member.unwrap();
            names.push(String::from_utf8(member.path_bytes().into_owned()).unwrap());
            if names.last().unwrap() == "lifecycle.toml" {
                std::io::Read::read_to_string(&mut member, &mut text).unwrap();
            }
            assert_eq!((member.header().uid().unwrap(), member.header().mtime().unwrap()), (0, Entry::NORMAL_TIME));
        }
        let phases = PHASES.map(|name| format!("lifecycle/{name}"));
        let others = ["lifecycle/launcher", "lifecycle/launcher.sbom.cdx.json", "lifecycle/lifecycle.sbom.syft.json"].map(String::from);
        assert!(phases.iter().chain(&others).all(|name| names.contains(name)), "{names:?}");
        let descriptor: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(descriptor["apis"]["platform"]["supported"].as_array().unwrap().len(), 9);
        assert_eq!(descriptor["apis"]["buildpack"]["supported"].as_array().unwrap()[5].as_str(), Some("0.12"));
        assert_eq!(descriptor["api"]["platform"].as_str(), Some("0.7"));
    }
}
