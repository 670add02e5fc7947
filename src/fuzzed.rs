//! What reads other people's files, as the fuzzers in `fuzz/` call it. Every other build of this library is empty: the program is `main.rs`.
#![cfg(fuzzing)]
#![allow(dead_code, unused_imports, missing_docs)]

mod archive;
mod buildpack;
mod daemon;
mod debian;
mod error;
mod http;
mod image;
mod lifecycle;
mod output;
mod registry;
mod store;

use buildpack::{Api, BomBuildpack, BuildPlan, Descriptor, GroupDocument, Kind, LaunchToml, LayerToml, Order, Plan, System};
use lifecycle::documents::{analyzed::Analyzed, layers_metadata::LayersMetadata, project_metadata::ProjectMetadata, run::RunImages};
use lifecycle::extender::{Dockerfile, ExtendConfig};
use std::path::Path;

/// Every TOML document of buildpacks, builders and platforms.
pub fn documents(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [Kind::Buildpack, Kind::Extension] {
        drop(Descriptor::parse(text, kind, Path::new("/none")));
    }
    for api in [Api::new(0, 7), Api::new(0, 12)] {
        drop(LaunchToml::parse(text, "fuzzed", api));
    }
    drop(LayerToml::parse(text));
    drop(Order::parse(text));
    drop(GroupDocument::parse(text));
    drop(System::parse(text));
    drop(BuildPlan::parse(text));
    drop(Plan::parse(text));
    drop(buildpack::bom(text, &BomBuildpack { id: "fuzzed".into(), version: "1".into() }));
    drop(toml::from_str::<buildpack::BuildMetadata>(text));
    drop(RunImages::parse(text));
    drop(RunImages::parse_stack(text));
    drop(ProjectMetadata::parse(text));
    drop(ExtendConfig::parse(text));
    if let Ok(analyzed) = Analyzed::parse(text) {
        let again = analyzed.to_toml().expect("what was read can be written");
        Analyzed::parse(&again).expect("what was written can be read");
    }
}

/// Labels of images.
pub fn labels(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(metadata) = LayersMetadata::from_label(text) {
        let label = String::from_utf8(image::to_json(&metadata)).expect("JSON is text");
        assert!(LayersMetadata::from_label(&label).expect("what was written can be read") == metadata);
    }
    drop(serde_json::from_str::<buildpack::BuildMetadata>(text));
}

/// The tar of a layer, compressed or not: nothing of it is outside of the folder afterwards.
pub fn layers(data: &[u8]) {
    let parent = tempfile::tempdir().expect("a folder for temporary files");
    let folder = parent.path().join("layer");
    std::fs::create_dir(&folder).expect("a new folder");
    if let Ok(tar) = archive::decompressed(data) {
        // A small file may say that it holds a large one.
        let tar = std::io::Read::take(tar, 1 << 22);
        drop(archive::unpack(tar, &folder, archive::Ownership::Squash, &mut Vec::new()));
    }
    let beside = std::fs::read_dir(parent.path()).expect("the folder").count();
    assert_eq!(beside, 1, "something was unpacked beside the folder");
    store::remove_tree(&folder).expect("what was unpacked can be removed");
}

/// Dockerfiles of extensions.
pub fn dockerfile(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(Dockerfile::parse(text));
    }
}

/// Manifests, indexes, configurations and names of images.
pub fn images(data: &[u8]) {
    let (first, second) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    drop(serde_json::from_slice::<image::Index>(first));
    let config = serde_json::from_slice::<image::Config>(second.strip_prefix(b"\0").unwrap_or(second));
    if let (Ok(manifest), Ok(config)) = (serde_json::from_slice::<image::Manifest>(first), config)
        && let Ok(image) = image::Image::from_documents(&manifest, config)
    {
        let documents = image.documents();
        assert!(serde_json::from_slice::<image::Config>(&documents.config).is_ok());
    }
    if let Ok(text) = std::str::from_utf8(first)
        && let Ok(name) = image::Reference::parse(text)
    {
        assert_eq!(image::Reference::parse(&name.full()).expect("a full name is a name").full(), name.full());
    }
}

/// Debian's files: packages, Release files, relations, versions.
pub fn debian(data: &[u8]) {
    debian::fuzz(data);
}

/// What exec.d programs write.
pub fn exec_d(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        launcher::fuzz_exec_d(text);
    }
}

/// Documents of packages, databases of systems and copyright files: what is read can be written, and read again.
pub fn inventories(data: &[u8]) {
    for format in sbom::Format::ALL {
        let Ok(inventory) = sbom::read(format, data) else { continue };
        let document = sbom::Document { name: "fuzzed", created: image::CREATED, tool: "cooper", version: "1", subject: None, notes: &[] };
        for format in sbom::Format::ALL {
            let again = sbom::read(format, &sbom::write(format, &inventory, &document)).expect("what was written can be read");
            assert!(again.len() <= inventory.len());
        }
    }
    let mut system = sbom::System::default();
    for path in ["var/lib/dpkg/status", "lib/apk/db/installed", "etc/os-release", "usr/share/doc/a/copyright"] {
        if system.notes(path, "") {
            system.takes(path, "", data);
        }
    }
    drop(system.inventory());
}
