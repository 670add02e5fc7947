//! What a build made of a test's app: the documents that buildpacks and lifecycle wrote, in one form that expectations and snapshots share.

use crate::buildpack::{GroupDocument, LayerToml, Plan, escape_id, layer_names};
use crate::error::{Context, Result};
use crate::lifecycle::documents::toml_of_json;
use launcher::file::read_document;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use walkdir::WalkDir;

/// What a build made. Everything is a list of tables, which expectations are compared with.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    /// The buildpacks and extensions that take part, as `ID@VERSION`.
    pub group: Vec<String>,
    /// Entries of the plan.
    pub plan: Vec<toml::Table>,
    /// Layers.
    pub layers: Vec<toml::Table>,
    /// Processes of the image.
    pub processes: Vec<toml::Table>,
    /// Labels of the image.
    pub labels: Vec<toml::Table>,
    /// Components of SBOM files.
    pub sbom: Vec<toml::Table>,
    /// Dockerfiles of extensions, by what they extend.
    pub dockerfiles: BTreeMap<String, String>,
}

impl Made {
    /// Reads the documents of a build.
    ///
    /// # Errors
    /// When one is missing or makes no sense.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| read_document(&folder.join(name)).context(|| format!("cannot read `{name}` of the build"));
        let group = GroupDocument::parse(&read("group.toml")?)?;
        let metadata: toml::Table =
            toml::from_str(&read("config/metadata.toml")?).context(|| "cannot read what buildpacks say of the image")?;
        let mut made = Self { processes: tables(&metadata, "processes"), labels: tables(&metadata, "labels"), ..Self::default() };
        for process in &mut made.processes {
            let default = metadata.get("buildpack-default-process-type") == process.get("type");
            process.insert("default".into(), default.into());
        }
        made.plan(&Plan::parse(&read("plan.toml")?)?)?;
        for member in group.extensions.iter().chain(&group.group) {
            made.group.push(format!("{}@{}", member.id, member.version));
        }
        for member in &group.group {
            made.layers_of(&member.id, &folder.join(escape_id(&member.id)))?;
        }
        for member in &group.extensions {
            made.dockerfiles_of(&folder.join("generated").join(escape_id(&member.id)))?;
        }
        made.sbom(&folder.join("sbom"))?;
        Ok(made)
    }

    /// As a snapshot.
    ///
    /// # Errors
    /// When it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context(|| "cannot write what was made as TOML")
    }

    /// One entry for each requirement, with who provides it.
    fn plan(&mut self, plan: &Plan) -> Result<()> {
        for entry in &plan.entries {
            let providers: Vec<toml::Value> = entry.providers.iter().map(|provider| provider.id.clone().into()).collect();
            for require in &entry.requires {
                let mut table = toml::Table::try_from(require).context(|| "cannot read the plan")?;
                table.insert("providers".into(), providers.clone().into());
                self.plan.push(table);
            }
        }
        Ok(())
    }

    fn layers_of(&mut self, id: &str, folder: &Path) -> Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        for name in layer_names(folder)? {
            let LayerToml { types, metadata } = LayerToml::read(&folder.join(format!("{name}.toml")))?;
            let mut table = toml::Table::from_iter([("buildpack".into(), id.into()), ("name".into(), name.clone().into())]);
            for (flag, value) in [("launch", types.launch), ("build", types.build), ("cache", types.cache)] {
                table.insert(flag.into(), value.into());
            }
            table.extend(metadata.map(|metadata| ("metadata".to_string(), toml::Value::from(metadata))));
            let environment = environment(&folder.join(&name))?;
            if !environment.is_empty() {
                table.insert("env".into(), environment.into());
            }
            let list = read_document(&folder.join(format!("{name}.files"))).unwrap_or_default();
            table.insert("files".into(), list.lines().map(toml::Value::from).collect::<Vec<_>>().into());
            self.layers.push(table);
        }
        Ok(())
    }

    /// Of several extensions, all that they write for one image.
    fn dockerfiles_of(&mut self, folder: &Path) -> Result<()> {
        for kind in ["build", "run"] {
            let path = folder.join(format!("{kind}.Dockerfile"));
            if path.is_file() {
                let text = read_document(&path).context(|| format!("cannot read `{}`", path.display()))?;
                self.dockerfiles.entry(kind.into()).or_default().push_str(&text);
            }
        }
        Ok(())
    }

    fn sbom(&mut self, folder: &Path) -> Result<()> {
        let mut components = BTreeSet::new();
        for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(std::result::Result::ok) {
            if entry.path().extension().is_some_and(|ending| ending == "json") {
                let text = read_document(entry.path()).context(|| format!("cannot read `{}`", entry.path().display()))?;
                let document: serde_json::Value =
                    serde_json::from_str(&text).context(|| format!("`{}` is no JSON", entry.path().display()))?;
                components.extend(named_components(&document));
            }
        }
        self.sbom = components
            .into_iter()
            .map(|(name, version)| toml::Table::from_iter([("name".into(), name.into()), ("version".into(), version.into())]))
            .collect();
        Ok(())
    }
}

/// Name and version of what an SBOM file lists, in each of its formats (CycloneDX, SPDX, Syft).
fn named_components(document: &serde_json::Value) -> Vec<(String, String)> {
    let lists = [("components", "version"), ("packages", "versionInfo"), ("artifacts", "version")];
    let all = lists.iter().flat_map(|(list, version)| document[*list].as_array().into_iter().flatten().map(move |item| (item, *version)));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    all.map(|(item, version)| (text(&item["name"]), text(&item[version]))).collect()
}

fn tables(document: &toml::Table, name: &str) -> Vec<toml::Table> {
    let all = document.get(name).and_then(toml::Value::as_array).into_iter().flatten();
    all.filter_map(|value| value.as_table().cloned()).collect()
}

/// The files of a layer's environment, as `env/NAME.append`.
fn environment(layer: &Path) -> Result<toml::Table> {
    let mut found = toml::Table::new();
    for folder in ["env", "env.build", "env.launch"] {
        for entry in WalkDir::new(layer.join(folder)).sort_by_file_name().into_iter().filter_map(std::result::Result::ok) {
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(layer).context(|| "a path outside of the layer")?.display().to_string();
                let text = read_document(entry.path()).context(|| format!("cannot read `{name}`"))?;
                found.extend(toml_of_json(&text.into()).map(|text| (name, text)));
            }
        }
    }
    Ok(found)
}
