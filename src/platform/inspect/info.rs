//! What `pack inspect` says of an image, in its words, for programs that read them (CLI-41).

use crate::image::Image;
use crate::lifecycle::documents::run::RunImageNames;
use crate::lifecycle::documents::{BUILD_METADATA_LABEL, LIFECYCLE_METADATA_LABEL};
use serde::Serialize;
use serde_json::Value;

/// An image in `pack`'s words.
#[derive(Debug, Serialize)]
pub struct Info {
    stack: String,
    base_image: Base,
    run_images: Vec<RunImage>,
    buildpacks: Vec<Module>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<Module>,
    processes: Vec<Process>,
    rebasable: bool,
}

#[derive(Debug, Serialize)]
struct Base {
    top_layer: String,
    reference: String,
}

#[derive(Debug, Serialize)]
struct RunImage {
    name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    user_configured: bool,
}

#[derive(Debug, Serialize)]
struct Module {
    id: String,
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    homepage: String,
}

#[derive(Debug, Serialize)]
struct Process {
    r#type: String,
    shell: String,
    command: String,
    default: bool,
    args: Vec<String>,
    #[serde(rename = "working-dir")]
    working_dir: String,
}

impl Info {
    /// Reads the labels of an image; `configured` are the mirrors in the user's configuration.
    pub fn of(image: &Image, configured: &[RunImageNames]) -> Self {
        let (build, lifecycle) = (label(image, BUILD_METADATA_LABEL), label(image, LIFECYCLE_METADATA_LABEL));
        let names: RunImageNames =
            [&lifecycle["runImage"], &lifecycle["stack"]["runImage"]].into_iter().find_map(names).unwrap_or_default();
        let own = names.all().map(|name| RunImage { name: name.into(), user_configured: false });
        let more = configured.iter().filter(|entry| names.contains(&entry.image)).flat_map(|entry| entry.mirrors.clone());
        let default = text(&build["buildpack-default-process-type"]);
        Self {
            stack: image.label("io.buildpacks.stack.id").unwrap_or_default().to_string(),
            base_image: Base { top_layer: text(&lifecycle["runImage"]["topLayer"]), reference: text(&lifecycle["runImage"]["reference"]) },
            run_images: more.map(|name| RunImage { name, user_configured: true }).chain(own).collect(),
            buildpacks: list(&build["buildpacks"]).iter().map(module).collect(),
            extensions: list(&build["extensions"]).iter().map(module).collect(),
            processes: list(&build["processes"]).iter().map(|found| process(found, &default, &image.config.config.working_dir)).collect(),
            // CLI-42.
            rebasable: image.label("io.buildpacks.rebasable") != Some("false"),
        }
    }
}

/// The bill of materials of old, which buildpacks of Buildpack API 0.8 and before leave in a label.
pub fn bom(image: &Image) -> Value {
    label(image, BUILD_METADATA_LABEL)["bom"].clone()
}

fn label(image: &Image, name: &str) -> Value {
    image.label(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn names(value: &Value) -> Option<RunImageNames> {
    let found = RunImageNames { image: text(&value["image"]), mirrors: list(&value["mirrors"]).iter().map(text).collect() };
    Some(found).filter(|names| !names.image.is_empty())
}

fn module(value: &Value) -> Module {
    Module { id: text(&value["id"]), version: text(&value["version"]), homepage: text(&value["homepage"]) }
}

/// A command is one word, or since Platform API 0.10 a list: its first word is the command then, as `pack` shows it.
fn process(value: &Value, default: &str, image: &str) -> Process {
    let words: Vec<String> = match &value["command"] {
        Value::Array(words) => words.iter().map(text).collect(),
        word => vec![text(word)],
    };
    let (command, more) = words.split_first().map(|(first, rest)| (first.clone(), rest.to_vec())).unwrap_or_default();
    Process {
        r#type: text(&value["type"]),
        shell: if value["direct"].as_bool().unwrap_or_default() { String::new() } else { "bash".into() },
        command,
        default: !default.is_empty() && text(&value["type"]) == default,
        args: more.into_iter().chain(list(&value["args"]).iter().map(text)).collect(),
        // Where a process names none, it starts where the image does.
        working_dir: Some(text(&value["working-dir"])).filter(|folder| !folder.is_empty()).unwrap_or_else(|| image.to_string()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-41, CLI-42.
    #[test]
    fn labels_are_told_in_packs_words() {
        let mut image = Image::default();
        let build = r#"{"buildpacks":[{"id":"a","version":"1","homepage":"h"}],"buildpack-default-process-type":"web",
            "processes":[{"type":"web","command":["run","x"],"args":["y"],"direct":true,"working-dir":"/w"},{"type":"t","command":"c"}]}"#;
        image.set_label(BUILD_METADATA_LABEL, build);
        image.set_label(
            LIFECYCLE_METADATA_LABEL,
            r#"{"runImage":{"topLayer":"sha256:1","reference":"r@sha256:2","image":"r","mirrors":["m"]}}"#,
        );
        let configured = [RunImageNames { image: "r".into(), mirrors: vec!["mine".into()] }];
        let found = serde_json::to_value(Info::of(&image, &configured)).unwrap();
        let expected = serde_json::json!({
            "stack": "", "base_image": { "top_layer": "sha256:1", "reference": "r@sha256:2" },
            "run_images": [{ "name": "mine", "user_configured": true }, { "name": "r" }, { "name": "m" }],
            "buildpacks": [{ "id": "a", "version": "1", "homepage": "h" }],
            "processes": [
                { "type": "web", "shell": "", "command": "run", "default": true, "args": ["x", "y"], "working-dir": "/w" },
                { "type": "t", "shell": "bash", "command": "c", "default": false, "args": [], "working-dir": "" }
            ],
            "rebasable": true
        });
        assert_eq!(found, expected);
        image.set_label("io.buildpacks.rebasable", "false");
        assert_eq!(serde_json::to_value(Info::of(&image, &[])).unwrap()["rebasable"], false);
        assert_eq!(bom(&image), Value::Null);
    }
}
