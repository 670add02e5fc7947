//! The label `io.buildpacks.build.metadata`: the buildpacks that took part, the launcher, the processes.

use super::json_of_table;
use crate::buildpack::{Api, BomEntry, BuildMetadata, GroupElement, Process};
use crate::image::to_json;
use serde::{Deserialize, Serialize};

/// The label, in the reference's order of keys.
#[derive(Debug, Serialize)]
pub struct BuildMetadataLabel<'a> {
    /// Before Platform API 0.9 only, and then also where it is empty (FMT-06).
    #[serde(skip_serializing_if = "Option::is_none")]
    bom: Option<Option<Vec<LabelBom<'a>>>>,
    buildpacks: Vec<Module<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<Module<'a>>,
    launcher: &'a LauncherMetadata,
    processes: Vec<LabelProcess<'a>>,
    #[serde(rename = "buildpack-default-process-type", skip_serializing_if = "str::is_empty")]
    default_process_type: &'a str,
}

/// Which launcher starts the processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LauncherMetadata {
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub source: LauncherSource,
}

/// Where a launcher comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LauncherSource {
    /// Its repository.
    pub git: GitMetadata,
}

/// A repository and a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GitMetadata {
    /// The repository.
    pub repository: String,
    /// The commit.
    pub commit: String,
}

#[derive(Debug, Serialize)]
struct Module<'a> {
    id: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    homepage: &'a str,
}

#[derive(Debug, Serialize)]
struct LabelProcess<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    command: Command<'a>,
    args: Option<&'a [String]>,
    direct: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
    #[serde(rename = "buildpackID")]
    buildpack_id: &'a str,
    #[serde(rename = "working-dir", skip_serializing_if = "str::is_empty")]
    working_dir: &'a str,
    #[serde(rename = "exec-env", skip_serializing_if = "<[String]>::is_empty")]
    exec_env: &'a [String],
}

/// Before Platform API 0.10 a command is one text (FMT-08).
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Command<'a> {
    Text(&'a str),
    List(&'a [String]),
}

/// The processes as a Platform API knows them: before 0.10 what comes after the command's first part is arguments.
pub fn processes_for(processes: &[Process], api: Api) -> Vec<Process> {
    let mut processes = processes.to_vec();
    if api < Api::new(0, 10) {
        for process in processes.iter_mut().filter(|process| process.command.len() > 1) {
            let more = process.command.split_off(1);
            process.args.get_or_insert_default().splice(0..0, more);
        }
    }
    processes
}

/// A component of the old bill of materials, in the reference's order of keys.
#[derive(Debug, Serialize)]
pub struct LabelBom<'a> {
    name: &'a str,
    metadata: serde_json::Value,
    buildpack: &'a crate::buildpack::BomBuildpack,
}

/// The old bill of materials as the reference writes it: `null` where there is none.
pub fn bom_json(entries: &[BomEntry]) -> Option<Vec<LabelBom<'_>>> {
    fn label(entry: &BomEntry) -> LabelBom<'_> {
        LabelBom { name: &entry.name, metadata: json_of_table(&entry.metadata), buildpack: &entry.buildpack }
    }
    (!entries.is_empty()).then(|| entries.iter().map(label).collect())
}

impl<'a> BuildMetadataLabel<'a> {
    /// The label for what the builder phase recorded; `bom` is its old bill of materials.
    pub fn new(metadata: &'a BuildMetadata, launcher: &'a LauncherMetadata, api: Api, bom: &'a [BomEntry]) -> Self {
        Self {
            bom: (api < Api::new(0, 9)).then(|| bom_json(bom)),
            buildpacks: metadata.buildpacks.iter().map(module).collect(),
            extensions: metadata.extensions.iter().map(module).collect(),
            launcher,
            processes: metadata.processes.iter().map(|process| label_process(process, api)).collect(),
            default_process_type: metadata.default_process_type.as_deref().unwrap_or_default(),
        }
    }

    /// Writes the label.
    pub fn to_label(&self) -> String {
        String::from_utf8_lossy(&to_json(self)).into_owned()
    }
}

fn module(element: &GroupElement) -> Module<'_> {
    Module { id: &element.id, version: &element.version, homepage: element.homepage.as_deref().unwrap_or_default() }
}

fn label_process(process: &Process, api: Api) -> LabelProcess<'_> {
    LabelProcess {
        kind: &process.kind,
        command: if api < Api::new(0, 10) {
            Command::Text(process.command.first().map_or("", String::as_str))
        } else {
            Command::List(&process.command)
        },
        args: process.args.as_deref(),
        direct: process.direct,
        default: process.default,
        buildpack_id: &process.buildpack_id,
        working_dir: process.working_dir.as_deref().unwrap_or_default(),
        exec_env: &process.exec_env,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMT-08, FMT-11, FMT-14.
    #[test]
    fn processes_become_json_in_the_references_order() {
        let text = "junk = 1\n[[processes]]\ntype = 'repl'\ncommand = 'node'\ndirect = true\nbuildpack-id = 'acme/npm'\nexec-env = ['test']\n\
            [[processes]]\ntype = 'web'\ncommand = ['node', 'a']\nargs = ['<b>']\nbuildpack-id = 'acme/npm'\nworking-dir = '/x'\n";
        let metadata: BuildMetadata = toml::from_str(text).unwrap();
        let label = BuildMetadataLabel::new(&metadata, &LauncherMetadata::default(), Api::new(0, 15), &[]).to_label();
        let expected = concat!(
            r#"{"buildpacks":[],"launcher":{"version":"","source":{"git":{"repository":"","commit":""}}},"processes":["#,
            r#"{"type":"repl","command":["node"],"args":null,"direct":true,"buildpackID":"acme/npm","exec-env":["test"]},"#,
            r#"{"type":"web","command":["node","a"],"args":["\u003cb\u003e"],"direct":false,"buildpackID":"acme/npm","working-dir":"/x"}]}"#
        );
        assert_eq!(label, expected);
    }
}
