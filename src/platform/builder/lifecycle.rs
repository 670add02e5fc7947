//! The lifecycle of a builder: this program, or somebody else's from a file or an image (BIMG-04, BIMG-19 to BIMG-22).

use super::config::LifecycleSource;
use super::label::{Api as Earliest, Apis, Lifecycle, Versions};
use super::layers::entries;
use crate::archive::{Entry, Kind, MemberKind, TarReader, TarWriter, decompressed};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Layer;
use crate::platform::buildpackage::{Locator, Sources};
use crate::platform::images::here;
use crate::platform::lifecycle_package::{STANDS_FOR, versions, write_programs};
use launcher::api::{Api, BUILDPACK, PLATFORM};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write, empty};
use std::path::Path;

const FOLDER: &str = "/cnb/lifecycle";
/// What every lifecycle has (BIMG-20).
const PROGRAMS: [&str; 7] = ["detector", "restorer", "analyzer", "builder", "exporter", "launcher", "creator"];

/// What the file `lifecycle.toml` says.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    apis: Apis,
    #[serde(default)]
    api: Earliest,
    lifecycle: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The lifecycle of a builder for a processor, and its layer.
pub fn layer(source: &LifecycleSource, folder: &Path, sources: &Sources) -> Result<(Lifecycle, Layer)> {
    let uri = match source {
        LifecycleSource::Own if sources.platform.1 != here().1 => {
            return Err(Error::new(format!("this program cannot be the lifecycle of a builder for {}", sources.platform.1)))
                .hint("name another one: `[lifecycle]` with `version` or `uri`");
        }
        LifecycleSource::Own => return own(sources).context(|| "cannot put this program into a builder"),
        LifecycleSource::Version(version) => release(version, sources.platform.1)?,
        LifecycleSource::Uri(uri) => uri.clone(),
    };
    let locator = Locator::parse(&uri, &sources.known(folder))?;
    let describe = || format!("cannot use the lifecycle `{uri}`");
    match &locator {
        Locator::Image(place) => {
            let stored = sources.bring(place).context(describe)?.stored;
            let blobs = stored.image.layers.iter().rev().map(|layer| sources.images.store.blob(&layer.blob.digest));
            let label = |name: &str| stored.image.label(name).unwrap_or_default();
            let apis: Apis =
                serde_json::from_str(label("io.buildpacks.lifecycle.apis")).context(|| "the image is no lifecycle").context(describe)?;
            let lifecycle = described(apis, Earliest::default(), label("io.buildpacks.lifecycle.version").into());
            for blob in blobs {
                // The highest layer has the programs (BIMG-23).
                if let Some(layer) = copied(&blob?, "cnb/lifecycle", sources).context(describe)? {
                    return Ok((lifecycle, layer));
                }
            }
            Err(Error::new("its programs are missing")).context(describe)
        }
        other => sources.with_file(other, |file| of_file(&file, sources)).context(describe),
    }
}

/// The address of a release of the reference.
fn release(version: &str, architecture: &str) -> Result<String> {
    let processor = match architecture {
        "amd64" => "x86-64",
        "arm64" | "ppc64le" | "s390x" => architecture,
        other => return Err(Error::new(format!("there is no release of the lifecycle for {other}"))),
    };
    Ok(format!("https://github.com/buildpacks/lifecycle/releases/download/v{version}/lifecycle-v{version}+linux.{processor}.tgz"))
}

fn own(sources: &Sources) -> Result<(Lifecycle, Layer)> {
    let apis = Apis {
        buildpack: Versions { supported: versions(&BUILDPACK), ..Versions::default() },
        platform: Versions { supported: versions(&PLATFORM), ..Versions::default() },
    };
    let layer = entries("Lifecycle", sources.images.store, |tar| {
        write_programs(tar, FOLDER)?;
        link(tar)
    })?;
    Ok((described(apis, Earliest::default(), STANDS_FOR.into()), layer))
}

fn link(tar: &mut TarWriter<impl Write>) -> Result<()> {
    Ok(tar.append(&Entry::symlink("/lifecycle", FOLDER, 0, 0, Entry::NORMAL_TIME), empty())?)
}

/// Fills in what is said only once (BIMG-22).
fn described(mut apis: Apis, api: Earliest, version: String) -> Lifecycle {
    for (versions, one) in [(&mut apis.buildpack, &api.buildpack), (&mut apis.platform, &api.platform)] {
        if versions.supported.is_empty() && versions.deprecated.is_empty() && !one.is_empty() {
            versions.supported.push(one.clone());
        }
    }
    let earliest = |versions: &Versions| {
        let all = versions.deprecated.iter().chain(&versions.supported).filter_map(|version| Some((Api::parse(version)?, version)));
        all.min_by_key(|(api, _)| *api).map(|(_, version)| version.clone()).unwrap_or_default()
    };
    let api = Earliest { buildpack: earliest(&apis.buildpack), platform: earliest(&apis.platform) };
    Lifecycle { version, api, apis }
}

/// The lifecycle in a file as [`crate::platform::lifecycle_package`] writes it.
fn of_file(mut file: &File, sources: &Sources) -> Result<(Lifecycle, Layer)> {
    file.rewind()?;
    let mut members = TarReader::new(decompressed(file).context(|| "cannot unpack it")?);
    let mut text = None;
    while let Some(member) = members.next()? {
        if member.kind == MemberKind::File && member.path.strip_prefix(b"./").unwrap_or(&member.path) == b"lifecycle.toml" {
            let mut content = String::new();
            (&mut members)
                .take(launcher::file::LARGEST_DOCUMENT)
                .read_to_string(&mut content)
                .context(|| "cannot read its `lifecycle.toml`")?;
            text = Some(content);
        }
    }
    let text = text.context(|| "it has no `lifecycle.toml`").hint("`cooper lifecycle package` makes such files")?;
    let document: Document = toml::from_str(&text).context(|| "its `lifecycle.toml` makes no sense")?;
    let layer = copied(file, "lifecycle", sources)?.context(|| "it has no folder `lifecycle`")?;
    Ok((described(document.apis, document.api, document.lifecycle.version), layer))
}

/// The programs in a folder of a tar as a layer; nothing where it has none of them.
fn copied(mut file: &File, folder: &str, sources: &Sources) -> Result<Option<Layer>> {
    let mut found = BTreeSet::new();
    let layer = entries("Lifecycle", sources.images.store, |tar| {
        file.rewind()?;
        let mut members = TarReader::new(decompressed(file).context(|| "cannot unpack it")?);
        tar.append(&Entry::directory(FOLDER, 0o755, 0, 0, Entry::NORMAL_TIME), empty())?;
        while let Some(member) = members.next()? {
            let path = String::from_utf8_lossy(&member.path).into_owned();
            let path = path.trim_start_matches("./").trim_start_matches('/');
            let Some(name) =
                path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).filter(|name| !name.is_empty() && !name.contains('/'))
            else {
                continue;
            };
            let kind = match member.kind {
                MemberKind::File => Kind::File { size: member.size },
                MemberKind::Symlink => Kind::Symlink { target: member.link },
                MemberKind::HardLink => return Err(Error::new(format!("its `{path}` is a second name of another file"))),
                MemberKind::Device | MemberKind::Directory | MemberKind::Fifo => continue,
            };
            found.insert(name.to_string());
            let entry =
                Entry { path: format!("{FOLDER}/{name}").into_bytes(), kind, mode: member.mode, uid: 0, gid: 0, mtime: Entry::NORMAL_TIME };
            tar.append(&entry, &mut members)?;
        }
        link(tar)
    })?;
    match PROGRAMS.iter().find(|name| !found.contains(**name)) {
        _ if found.is_empty() => Ok(None),
        Some(name) => Err(Error::new(format!("did not find '{name}' in tar"))),
        None => Ok(Some(layer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BIMG-21, BIMG-22.
    #[test]
    fn what_is_said_once_is_filled_in() {
        let text = "[api]\nbuildpack = '0.2'\nplatform = '0.3'\n[lifecycle]\nversion = '0.9'\n";
        let document: Document = toml::from_str(text).unwrap();
        let old = described(document.apis, document.api, document.lifecycle.version);
        assert_eq!(
            (old.apis.buildpack.supported, old.apis.platform.supported, old.api.platform.as_str()),
            (vec!["0.2".into()], vec!["0.3".into()], "0.3")
        );
        let text = "[apis.buildpack]\ndeprecated = ['0.9']\nsupported = ['0.10', '0.11']\n[apis.platform]\nsupported = ['0.10', '0.7']\n[lifecycle]\nversion = '1'\n";
        let document: Document = toml::from_str(text).unwrap();
        let new = described(document.apis, document.api, document.lifecycle.version);
        assert_eq!([new.api.buildpack.as_str(), &new.api.platform], ["0.9", "0.7"]);
    }

    /// BIMG-19.
    #[test]
    fn releases_are_named_as_the_reference_names_them() {
        assert!(release("0.20.0", "amd64").unwrap().ends_with("/v0.20.0/lifecycle-v0.20.0+linux.x86-64.tgz"));
        assert!(release("0.20.0", "arm64").unwrap().ends_with("+linux.arm64.tgz") && release("1", "mips").is_err());
    }
}
