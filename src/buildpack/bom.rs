//! The bill of materials of old buildpacks: a table `bom` in `launch.toml` and `build.toml` (Buildpack API before 0.9, VER-03).

use super::keys;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};

/// One component, as a buildpack names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BomEntry {
    /// What it is.
    #[serde(default)]
    pub name: String,
    /// What the buildpack says of it.
    #[serde(default)]
    pub metadata: toml::Table,
    /// The buildpack; the lifecycle notes it.
    #[serde(default)]
    pub buildpack: BomBuildpack,
}

/// The buildpack of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BomBuildpack {
    /// Its ID.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// The table `bom` of a document, noted as a buildpack's.
///
/// # Errors
/// When the text is not TOML, or an entry has a version outside `metadata`.
pub fn bom(text: &str, buildpack: &BomBuildpack) -> Result<Vec<BomEntry>> {
    let mut document: toml::Table = keys::parse(text).context(|| "it is not TOML")?;
    let Some(entries) = document.remove("bom") else { return Ok(Vec::new()) };
    let with_version = |entry: &&toml::Value| entry.get("version").and_then(toml::Value::as_str).is_some_and(|version| !version.is_empty());
    if let Some(entry) = entries.as_array().into_iter().flatten().find(with_version) {
        let name = entry.get("name").and_then(toml::Value::as_str).unwrap_or_default();
        let message = "has a top level version which is not allowed. The buildpack should instead set metadata.version";
        return Err(Error::new(format!("bom entry '{name}' {message}")));
    }
    let mut entries: Vec<BomEntry> = entries.try_into().context(|| "the bill of materials is not what it should be")?;
    entries.iter_mut().for_each(|entry| entry.buildpack.clone_from(buildpack));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// VER-03.
    #[test]
    fn entries_are_noted_as_the_buildpacks() {
        let buildpack = BomBuildpack { id: "acme/a".into(), version: "1".into() };
        let entries = bom("x = 1\n[[bom]]\nname = 'jre'\n[bom.metadata]\nversion = '8'\n", &buildpack).unwrap();
        assert_eq!((entries[0].name.as_str(), entries[0].metadata["version"].as_str()), ("jre", Some("8")));
        assert_eq!(entries[0].buildpack, buildpack);
        assert!(bom("[[bom]]\nname = 'jre'\nversion = '8'\n", &buildpack).is_err());
        assert!(bom("", &buildpack).unwrap().is_empty());
    }
}
