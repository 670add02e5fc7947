//! `<layer>.toml`: what a layer is for (CNB Buildpack Specification, layer content metadata).

use super::keys;
use crate::error::{Context, Error, Result};
use launcher::file::read_document;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Files of a buildpack's layers folder that are no layer's.
const NOT_LAYERS: [&str; 3] = ["launch", "build", "store"];

/// What a layer is for, and what the buildpack notes about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerToml {
    /// What it is for.
    #[serde(default)]
    pub types: Types,
    /// The buildpack's notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<toml::Table>,
}

/// What a layer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Types {
    /// It is in the image.
    #[serde(default)]
    pub launch: bool,
    /// Later buildpacks see it.
    #[serde(default)]
    pub build: bool,
    /// The next build gets it back.
    #[serde(default)]
    pub cache: bool,
}

impl LayerToml {
    /// Reads a layer's file.
    ///
    /// # Errors
    /// When the text is not one, or has its flags outside `types` (BLD-12).
    pub fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = keys::parse(text).context(|| "it is not TOML")?;
        if ["launch", "build", "cache"].iter().any(|flag| table.contains_key(*flag)) {
            return Err(Error::new("the launch, cache and build flags should be in the types table"));
        }
        table.try_into().context(|| "it is not a layer's description")
    }

    /// Reads the layer's file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not one.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_document(path).context(|| format!("cannot read `{}`", path.display()))?;
        Self::parse(&text).map_err(|error| match error.to_string() {
            flags if flags.contains("types table") => Error::new(format!("{flags} of {}", path.display())),
            _ => Error::from_cause(format!("cannot read `{}`", path.display()), error),
        })
    }
}

/// Whether a layer's folder and file can have this name: not all that labels and caches say is a name.
pub fn can_be_layer(name: &str) -> bool {
    !name.is_empty() && ![".", ".."].contains(&name) && !name.contains(['/', '\0'])
}

/// The layers of a buildpack, by name (ENV-27): each has a file `<name>.toml`.
///
/// # Errors
/// When the folder cannot be read, or a name would be that of another folder.
pub fn layer_names(folder: &Path) -> Result<Vec<String>> {
    let entries = launcher::environment::entries(folder).context(|| format!("cannot read `{}`", folder.display()))?;
    let files = entries.iter().filter(|path| !path.is_dir());
    let names = files.filter_map(|path| path.file_name()?.to_str()?.strip_suffix(".toml").map(str::to_string));
    let mut names: Vec<String> = names.filter(|name| !name.is_empty() && !NOT_LAYERS.contains(&name.as_str())).collect();
    if let Some(name) = names.iter().find(|name| !can_be_layer(name)) {
        return Err(Error::new(format!("`{name}` in `{}` cannot be the name of a layer", folder.display())));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BLD-11, BLD-12, FMT-14.
    #[test]
    fn flags_belong_into_types() {
        let layer = LayerToml::parse("junk = 1\n[types]\nlaunch = true\n[metadata]\nn = 1\n").unwrap();
        assert_eq!((layer.types.launch, layer.types.cache, layer.metadata.unwrap()["n"].as_integer()), (true, false, Some(1)));
        assert_eq!(LayerToml::parse("").unwrap().types, Types::default());
        assert!(LayerToml::parse("launch = true").unwrap_err().to_string().contains("types table"));
    }

    /// BLD-14, ENV-27.
    #[test]
    fn layers_are_ordered_by_name_and_other_files_are_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["node-modules.toml", "node.toml", "launch.toml", "store.toml", "x.sbom.cdx.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("folder.toml")).unwrap();
        std::fs::write(folder.path().join(".hidden.toml"), "").unwrap();
        assert_eq!(layer_names(folder.path()).unwrap(), [".hidden", "node", "node-modules"]);
        for name in ["..toml", "...toml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert!(layer_names(folder.path()).unwrap_err().to_string().contains("cannot be the name of a layer"), "{name}");
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
}
