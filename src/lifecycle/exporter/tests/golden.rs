//! The image of the same app as the reference made it (fixtures/golden): equal but for digests and media types.

use super::*;
use crate::buildpack::{Label, Process, Slice};
use crate::lifecycle::documents::build_metadata::LauncherSource;
use crate::lifecycle::documents::toml_of_json;
use serde_json::Value;
use std::os::unix::fs::symlink;

const CONFIG: &str = include_str!("../../../../fixtures/golden/hello-registry/config.json");
/// The layers above the run image, the lowest first.
const LISTINGS: [&str; 9] = [
    include_str!("../../../../fixtures/golden/hello-registry/layer03.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer04.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer05.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer06.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer07.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer08.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer09.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer10.tvf"),
    include_str!("../../../../fixtures/golden/hello-registry/layer11.tvf"),
];
const RUN_IMAGE_LAYERS: usize = 3;

/// One line of a listing: type and permissions, owner, path, target of a link.
struct Line<'a> {
    mode: &'a str,
    owner: &'a str,
    path: &'a str,
    target: Option<&'a str>,
}

fn lines(listing: &str) -> Vec<Line<'_>> {
    let parse = |line| {
        let mut fields = str::split_whitespace(line);
        let (mode, owner) = (fields.next().unwrap(), fields.next().unwrap());
        let path = fields.nth(3).unwrap();
        Line { mode, owner, path, target: fields.nth(1) }
    };
    listing.lines().map(parse).collect()
}

fn label(config: &Value, name: &str) -> Value {
    let text = config["config"]["Labels"][format!("io.buildpacks.{name}")].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_string()).collect()
}

/// The run image of the recorded image.
fn run_image(store: &Store) -> Image {
    let mut config: Config = serde_json::from_str(CONFIG).unwrap();
    let labels = config.config.labels.as_mut().unwrap();
    labels
        .retain(|name, _| !["lifecycle.metadata", "build.metadata", "project.metadata", "exec-env"].iter().any(|end| name.ends_with(end)));
    config.config.env = Some(vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(), "LANG=C.UTF-8".into()]);
    config.config.entrypoint = None;
    config.config.cmd = Some(vec!["bash".into()]);
    config.config.working_dir = String::new();
    let histories = std::mem::take(&mut config.history).into_iter().take(RUN_IMAGE_LAYERS);
    let layers = histories.map(|history| store.put_layer(history, |_| Ok(())).unwrap());
    Image { layers: layers.collect(), config }
}

/// The files of the recorded layers, below the layers folder and the app.
fn write_files(project: &Project) {
    for line in LISTINGS.iter().flat_map(|listing| lines(listing)).filter(|line| !line.path.starts_with("/cnb")) {
        let path = project.root.path().join(line.path.trim_start_matches('/').replacen("workspace", "app", 1));
        match line.target {
            Some(target) if !path.is_symlink() => symlink(target, &path).unwrap(),
            Some(_) => {}
            None => {
                if line.mode.starts_with('d') {
                    fs::create_dir_all(&path).unwrap();
                } else {
                    fs::write(&path, line.path).unwrap();
                }
                let bits = line.mode[1..].chars().fold(0, |bits, letter| bits << 1 | u32::from(letter != '-'));
                fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
            }
        }
    }
}

/// The metadata of the layers as the buildpacks wrote it.
fn write_layer_metadata(project: &Project, label: &Value) {
    for buildpack in label["buildpacks"].as_array().unwrap() {
        for (name, layer) in buildpack["layers"].as_object().unwrap() {
            let mut document = toml::Table::new();
            let types = ["build", "launch", "cache"].map(|kind| (kind.to_string(), toml_of_json(&layer[kind]).unwrap()));
            document.insert("types".into(), toml::Value::Table(types.into_iter().collect()));
            document.insert("metadata".into(), toml_of_json(&layer["data"]).unwrap());
            let folder = buildpack["key"].as_str().unwrap().replace('/', "_");
            project.write(&format!("layers/{folder}/{name}.toml"), &toml::to_string(&document).unwrap());
        }
    }
}

fn metadata(label: &Value) -> BuildMetadata {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let element = |value: &Value| GroupElement {
        id: text(&value["id"]),
        version: text(&value["version"]),
        api: "0.10".into(),
        homepage: value["homepage"].as_str().map(str::to_string),
    };
    let process = |value: &Value| Process {
        kind: text(&value["type"]),
        command: strings(&value["command"]),
        args: value["args"].is_array().then(|| strings(&value["args"])),
        direct: true,
        buildpack_id: text(&value["buildpackID"]),
        working_dir: value["working-dir"].as_str().map(str::to_string),
        ..Process::default()
    };
    BuildMetadata {
        buildpacks: label["buildpacks"].as_array().unwrap().iter().map(element).collect(),
        processes: label["processes"].as_array().unwrap().iter().map(process).collect(),
        labels: vec![Label { key: "io.peerlab.python".into(), value: "yes".into() }],
        slices: vec![Slice { paths: vec!["Procfile".into(), "requirements.txt".into()] }],
        default_process_type: Some("web".into()),
        ..BuildMetadata::default()
    }
}

fn exported() -> (Project, Exported) {
    let config: Value = serde_json::from_str(CONFIG).unwrap();
    let mut project = Project::new();
    project.owner = Owner { uid: 1000, gid: 1000 };
    project.run_image = run_image(&project.store);
    project.run_image.config.config.labels.as_mut().unwrap().remove("io.peerlab.python");
    write_files(&project);
    let lifecycle = label(&config, "lifecycle.metadata");
    write_layer_metadata(&project, &lifecycle);
    let build = label(&config, "build.metadata");
    project.metadata = metadata(&build);
    project.group = metadata(&build).buildpacks;
    let launcher: LauncherMetadata = serde_json::from_value(build["launcher"].clone()).unwrap();
    assert_ne!(launcher.source, LauncherSource::default());
    let run_image = &lifecycle["runImage"];
    let request = Export {
        folders: &project.folders,
        owner: project.owner,
        group: &project.group,
        metadata: &project.metadata,
        bom: &[],
        platform_api: Api::new(0, 15),
        previous_blobs: Blobs::InStore,
        destination: None,
        fetch: None,
        run_image: RunImage {
            image: &project.run_image,
            reference: run_image["reference"].as_str().unwrap().into(),
            names: RunImageNames { image: run_image["image"].as_str().unwrap().into(), mirrors: strings(&run_image["mirrors"]) },
            extended: None,
        },
        previous: None,
        restored: &Restored::new(),
        cache: None,
        launcher: Launcher { program: b"launcher", metadata: launcher, sboms: &[] },
        project: &ProjectMetadata::default(),
        process_type: None,
        exec_env: "production",
        created: None,
    };
    let exported = export(&request, &project.store, &Output::quiet()).unwrap();
    (project, exported)
}

/// Every digest replaced by the same words.
fn without_digests(json: &str) -> String {
    let mut parts = json.split("sha256:");
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        text.push_str("sha256:…");
        text.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_hexdigit()));
    }
    text
}

/// EXP-05, EXP-17 to EXP-24, EXP-27, FMT-01, FMT-03, FMT-05, FMT-06, FMT-07, FMT-08, FMT-09, TAR-11, TAR-12, TAR-13.
#[test]
fn the_configuration_is_the_references_byte_for_byte() {
    let (_project, exported) = exported();
    let config = String::from_utf8(exported.image.documents().config).unwrap();
    assert_eq!(without_digests(&config), without_digests(CONFIG));
}

/// TAR-14: the same on every machine, for every user, with every umask.
#[test]
fn the_digest_is_the_same_everywhere() {
    let (_project, exported) = exported();
    assert_eq!(Digest::of(&exported.image.documents().config).short(), "9c1a815a55a1");
}

/// TAR-01 to TAR-05, TAR-08, EXP-12, EXP-13, EXP-14, SBOM-11, SLC-06, SLC-10.
#[test]
fn the_layers_hold_the_references_files() {
    let (project, exported) = exported();
    let layers = &exported.image.layers[RUN_IMAGE_LAYERS..];
    assert_eq!(layers.len(), LISTINGS.len());
    for (layer, recorded) in layers.iter().zip(LISTINGS) {
        let target = |line: &Line| line.target.map(|target| format!(" -> {target}")).unwrap_or_default();
        let text = |line: &Line| format!("{} {} {}{}", line.mode, line.owner, line.path, target(line));
        let expected: Vec<String> = lines(recorded).iter().map(text).collect();
        assert_eq!(listing(&project.store, layer), expected);
    }
}

/// TAR-09, EXP-27: every digest in the label is a layer of the image.
#[test]
fn the_label_names_the_layers() {
    let (_project, exported) = exported();
    let layers: Vec<&str> = exported.image.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let metadata = LayersMetadata::from_label(exported.image.label(LIFECYCLE_METADATA_LABEL).unwrap()).unwrap();
    assert_eq!(metadata, exported.metadata);
    let shas = |metadata: &LayersMetadata| {
        let buildpacks = metadata.buildpacks.clone().unwrap();
        let mut shas: Vec<String> = buildpacks.iter().flat_map(|entry| entry.layers.values().map(|layer| layer.sha.clone())).collect();
        shas.push(metadata.sbom.clone().unwrap().sha);
        shas.extend(metadata.app.iter().flatten().map(|layer| layer.sha.clone()));
        shas.extend([&metadata.launcher, &metadata.config, &metadata.process_types].map(|layer| layer.sha.clone()));
        shas
    };
    assert_eq!(shas(&metadata), layers[RUN_IMAGE_LAYERS..]);
    assert_eq!(metadata.run_image.top_layer, layers[RUN_IMAGE_LAYERS - 1]);
}
