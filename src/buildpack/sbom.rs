//! SBOM files that buildpacks write beside their layers, and where they go (CNB Buildpack Specification, bill of materials).

use super::{Descriptor, LayerToml, escape_id};
use crate::error::{Advice, Context, Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const FORMATS: [(&str, &str); 3] =
    [("cdx.json", "application/vnd.cyclonedx+json"), ("spdx.json", "application/spdx+json"), ("syft.json", "application/vnd.syft+json")];

/// An SBOM file of a buildpack, and one place where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SbomFile {
    source: PathBuf,
    /// Its place below `<layers>/sbom`.
    target: PathBuf,
}

/// The SBOM files of a buildpack (SBOM-01 to SBOM-07).
///
/// # Errors
/// When a file has a format that is unknown or that the buildpack does not declare, or is not in the buildpack's folder.
pub(super) fn sbom_files(descriptor: &Descriptor, layers: &Path) -> Result<Vec<SbomFile>> {
    let id = escape_id(&descriptor.id);
    let folder = layers.join(&id);
    let mut files = Vec::new();
    for source in launcher::environment::entries(&folder).context(|| format!("cannot read `{}`", folder.display()))? {
        let Some(name) = source.file_name().and_then(|name| name.to_str()) else { continue };
        let Some((subject, rest)) = name.split_once(".sbom.").filter(|(_, rest)| rest.ends_with(".json")) else { continue };
        let places = places(&folder, subject)?;
        if places.is_empty() {
            continue;
        }
        let format = FORMATS.iter().find(|(extension, _)| rest == *extension || rest.ends_with(&format!(".{extension}")));
        let (extension, media_type) = format.context(|| format!("unsupported SBOM file format: '{name}'"))?;
        let declared = descriptor.sbom_formats.iter().filter_map(|format| format.split(';').next());
        if !declared.into_iter().any(|format| format.trim().eq_ignore_ascii_case(media_type)) {
            return Err(Error::new(format!("undeclared SBOM media type: '{media_type}'")))
                .hint("a buildpack lists the media types of its SBOM files in `sbom-formats` of its buildpack.toml");
        }
        let resolved = source.canonicalize().context(|| format!("cannot read `{}`", source.display()))?;
        if !resolved.starts_with(folder.canonicalize().context(|| format!("cannot read `{}`", folder.display()))?) {
            return Err(Error::new(format!("the SBOM file `{}` is a link out of the buildpack's layers", source.display())));
        }
        files.extend(places.into_iter().map(|(kind, layer)| SbomFile {
            source: source.clone(),
            target: Path::new(kind).join(&id).join(layer).join(format!("sbom.{extension}")),
        }));
    }
    Ok(files)
}

/// Copies SBOM files of buildpacks to `<layers>/sbom` (SBOM-08).
///
/// # Errors
/// When a file cannot be copied.
pub fn copy_sboms(files: &[SbomFile], layers: &Path) -> Result<()> {
    for file in files {
        let describe = || format!("cannot copy `{}`", file.source.display());
        let target = layers.join("sbom").join(&file.target);
        fs::create_dir_all(target.parent().unwrap_or(layers)).context(describe)?;
        let (mut source, _) = launcher::file::open(&file.source).context(describe)?;
        let mut target = File::create(target).context(describe)?;
        std::io::copy(&mut source, &mut target).context(describe)?;
    }
    Ok(())
}

/// The kinds of SBOM that a file is part of, and its folder there; none where it is of no layer.
fn places(folder: &Path, subject: &str) -> Result<Vec<(&'static str, String)>> {
    match subject {
        "launch" => return Ok(vec![("launch", String::new())]),
        "build" => return Ok(vec![("build", String::new())]),
        _ => {}
    }
    let description = folder.join(format!("{subject}.toml"));
    if !description.is_file() {
        return Ok(Vec::new());
    }
    let types = LayerToml::read(&description)?.types;
    let mut places = vec![(if types.launch { "launch" } else { "build" }, subject.to_string())];
    if types.cache {
        places.push(("cache", subject.to_string()));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildpack::Kind;

    fn files(formats: &str, layers: &Path) -> Result<Vec<SbomFile>> {
        let text = format!("api = '0.12'\n[buildpack]\nid = 'a/b'\nversion = '1'\nsbom-formats = [{formats}]\n");
        sbom_files(&Descriptor::parse(&text, Kind::Buildpack, Path::new("/none")).unwrap(), layers)
    }

    fn layers(names: &[&str]) -> tempfile::TempDir {
        let layers = tempfile::tempdir().unwrap();
        let own = layers.path().join("a_b");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("l.d.toml"), "[types]\nlaunch = true\ncache = true\n").unwrap();
        fs::write(own.join("o.toml"), "[types]\nbuild = true\n").unwrap();
        names.iter().for_each(|name| fs::write(own.join(name), name).unwrap());
        layers
    }

    const ALL: &str = "'application/vnd.cyclonedx+json;version=1.5', 'application/spdx+json', 'application/vnd.syft+json ; x=y'";

    /// SBOM-01, SBOM-03, SBOM-04, SBOM-05, SBOM-06, SBOM-07, DESC-18.
    #[test]
    fn files_go_where_their_layer_goes() {
        let subjects = ["launch", "build", "l.d", "o", "none"];
        let names: Vec<String> =
            FORMATS.iter().flat_map(|(extension, _)| subjects.map(|subject| format!("{subject}.sbom.{extension}"))).collect();
        let layers = layers(&names.iter().map(String::as_str).collect::<Vec<_>>());
        copy_sboms(&files(ALL, layers.path()).unwrap(), layers.path()).unwrap();
        let mut found = Vec::new();
        for entry in walkdir::WalkDir::new(layers.path().join("sbom")).sort_by_file_name().into_iter().map(Result::unwrap) {
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(layers.path()).unwrap().display().to_string();
                found.push(format!("{path} {}", fs::read_to_string(entry.path()).unwrap()));
            }
        }
        let expected = ["build/a_b/o o", "build/a_b build", "cache/a_b/l.d l.d", "launch/a_b/l.d l.d", "launch/a_b launch"];
        let expected: Vec<String> = expected
            .iter()
            .flat_map(|line| {
                FORMATS.map(|(extension, _)| {
                    line.split_once(' ').map(|(path, subject)| format!("sbom/{path}/sbom.{extension} {subject}.sbom.{extension}")).unwrap()
                })
            })
            .collect();
        assert_eq!(found, expected);
    }

    /// SBOM-02, SBOM-04, DESC-18.
    #[test]
    fn unknown_and_undeclared_formats_are_refused() {
        for (name, formats, expected) in [
            ("launch.sbom.cdx.json", "", "undeclared SBOM media type: 'application/vnd.cyclonedx+json'"),
            ("o.sbom.spdx.json", "'application/vnd.cyclonedx+json'", "undeclared SBOM media type: 'application/spdx+json'"),
            ("launch.sbom.foo.json", ALL, "unsupported SBOM file format: 'launch.sbom.foo.json'"),
            ("none.sbom.foo.json", "", ""),
            ("launch.sbom.xml", "", ""),
            ("launch.sbom.cdx.json", ALL, ""),
        ] {
            let why = files(formats, layers(&[name]).path()).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(why, expected, "{name}");
        }
    }

    /// SBOM-01: links may stay among the buildpack's layers, and what is no file is not waited for.
    #[test]
    fn links_out_of_the_layers_are_refused() {
        let layers = layers(&["real"]);
        let file = layers.path().join("a_b/launch.sbom.cdx.json");
        let link = |target: &str| {
            fs::remove_file(&file).unwrap_or_default();
            std::os::unix::fs::symlink(target, &file).unwrap();
            files(ALL, layers.path()).and_then(|files| copy_sboms(&files, layers.path()))
        };
        link("real").unwrap();
        assert_eq!(fs::read_to_string(layers.path().join("sbom/launch/a_b/sbom.cdx.json")).unwrap(), "real");
        for outside in ["/etc/passwd", "/dev/zero", "../../elsewhere"] {
            assert!(link(outside).is_err(), "{outside}");
        }
        fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert!(files(ALL, layers.path()).and_then(|files| copy_sboms(&files, layers.path())).is_err());
    }
}
