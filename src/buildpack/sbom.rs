//! SBOM files that buildpacks write beside their layers, and where they go (CNB Buildpack Specification, bill of materials).

use super::{Descriptor, LayerToml, escape_id};
use crate::error::{Context, Error, Result};
use std::fs;
use std::path::Path;

const FORMATS: [(&str, &str); 3] =
    [("cdx.json", "application/vnd.cyclonedx+json"), ("spdx.json", "application/spdx+json"), ("syft.json", "application/vnd.syft+json")];

/// Copies a buildpack's SBOM files from its layers' folder to `<layers>/sbom` (SBOM-01 to SBOM-07).
///
/// # Errors
/// When a file has a format that is unknown or that the buildpack does not declare.
pub fn copy_sboms(descriptor: &Descriptor, layers: &Path) -> Result<()> {
    let folder = layers.join(escape_id(&descriptor.id));
    for path in launcher::environment::entries(&folder).context(|| format!("cannot read `{}`", folder.display()))? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some((subject, extension)) = name.split_once(".sbom.").filter(|(_, extension)| extension.ends_with(".json")) else { continue };
        let media_type = FORMATS.iter().find(|(known, _)| *known == extension).map(|(_, media_type)| *media_type);
        let media_type = media_type.context(|| format!("unsupported SBOM file format: '{name}'"))?;
        let declared =
            descriptor.sbom_formats.iter().filter_map(|format| format.split(';').next()).any(|format| format.trim() == media_type);
        if !declared {
            return Err(Error::new(format!("undeclared SBOM media type: '{media_type}'")));
        }
        for place in places(&folder, subject)? {
            let target = layers.join("sbom").join(place.0).join(escape_id(&descriptor.id)).join(place.1).join(format!("sbom.{extension}"));
            let describe = || format!("cannot copy `{}`", path.display());
            fs::create_dir_all(target.parent().unwrap_or(layers)).context(describe)?;
            fs::copy(&path, &target).context(describe)?;
        }
    }
    Ok(())
}

/// Whether a buildpack wrote an SBOM file.
///
/// # Errors
/// When its folder cannot be read.
pub fn has_sboms(descriptor: &Descriptor, layers: &Path) -> Result<bool> {
    let folder = layers.join(escape_id(&descriptor.id));
    let all = launcher::environment::entries(&folder).context(|| format!("cannot read `{}`", folder.display()))?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(all.iter().any(|path| name(path).split_once(".sbom.").is_some_and(|(_, extension)| extension.ends_with(".json"))))
}

/// The kinds of SBOM that a file is part of, and its folder there.
fn places(folder: &Path, subject: &str) -> Result<Vec<(&'static str, String)>> {
    if subject == "launch" || subject == "build" {
        return Ok(vec![(if subject == "launch" { "launch" } else { "build" }, String::new())]);
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
    use crate::buildpack::{Api, Kind};

    fn descriptor(formats: &[&str]) -> Descriptor {
        Descriptor {
            kind: Kind::Buildpack,
            api: Api::new(0, 12),
            id: "a/b".into(),
            version: "1".into(),
            homepage: None,
            clear_env: false,
            exec_env: vec![],
            sbom_formats: formats.iter().map(ToString::to_string).collect(),
            targets: vec![],
            order: vec![],
            root: "/none".into(),
        }
    }

    /// SBOM-01, SBOM-02, SBOM-03, SBOM-04, SBOM-05, SBOM-06, SBOM-07, DESC-18.
    #[test]
    fn files_go_where_their_layer_goes() {
        let layers = tempfile::tempdir().unwrap();
        let own = layers.path().join("a_b");
        fs::create_dir(&own).unwrap();
        let write = |name: &str, content: &str| fs::write(own.join(name), content).unwrap();
        write("l.d.toml", "[types]\nlaunch = true\ncache = true\n");
        write("o.toml", "[types]\nbuild = true\n");
        for name in ["launch.sbom.cdx.json", "build.sbom.cdx.json", "l.d.sbom.cdx.json", "o.sbom.cdx.json", "none.sbom.cdx.json"] {
            write(name, "{}");
        }
        copy_sboms(&descriptor(&["application/vnd.cyclonedx+json;version=1.5"]), layers.path()).unwrap();
        for there in [
            "launch/a_b/sbom.cdx.json",
            "build/a_b/sbom.cdx.json",
            "launch/a_b/l.d/sbom.cdx.json",
            "cache/a_b/l.d/sbom.cdx.json",
            "build/a_b/o/sbom.cdx.json",
        ] {
            assert!(layers.path().join("sbom").join(there).is_file(), "{there}");
        }
        assert!(!layers.path().join("sbom/build/a_b/none").exists() && !layers.path().join("sbom/launch/a_b/none").exists());
        assert!(copy_sboms(&descriptor(&[]), layers.path()).unwrap_err().to_string().starts_with("undeclared SBOM media type"));
        write("x.sbom.foo.json", "{}");
        assert!(copy_sboms(&descriptor(&["application/vnd.cyclonedx+json"]), layers.path()).is_err());
    }
}
