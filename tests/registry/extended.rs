//! Builds with image extensions: what the restorer leaves for the extender, and the extender for the exporter.

use super::bench::{Bench, blob_path, config, manifest, push_run_image};
use crate::support::Registry;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const GROUP: &str = "[[group]]\nid = 'acme/one'\nversion = '1'\napi = '0.12'\n";

/// The files of an OCI layout below a folder, sorted.
fn blobs(layout: &Path) -> Vec<String> {
    let files = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let mut names: Vec<String> = files.map(|entry| format!("sha256:{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    names.sort();
    names
}

/// RES-15, RES-16, RES-17, IN-10.
#[test]
fn a_restorer_leaves_the_images_to_extend_without_their_layers() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/build:1", "build", "v2s2");
    push_run_image(&registry, "acme/run:1", "run", "oci");
    let bench = Bench::new(&[&registry.name("acme/run:1")]);
    let analyzed = format!("[run-image]\nimage = '{0}'\nreference = '{0}'\nextend = true\n", registry.name("acme/run:1"));
    let restore = || {
        bench.write("layers/group.toml", GROUP);
        bench.write("layers/analyzed.toml", &analyzed);
        bench.contained("restorer", &["-run", "/run.toml", "-build-image", &registry.name("acme/build:1")]).well();
        bench.toml("layers/analyzed.toml")
    };
    // Nobody will extend anything where there is no such folder.
    let without = restore();
    assert!(!bench.path("kaniko").exists());
    fs::create_dir(bench.path("kaniko")).unwrap();
    let found = restore();
    assert_eq!(found, without);
    for (table, name) in [("build-image", "acme/build"), ("run-image", "acme/run")] {
        let (document, digest) = manifest(&registry, &format!("{name}:1"));
        assert_eq!(found[table]["reference"].as_str(), Some(format!("{}@{digest}", registry.name(name)).as_str()));
        let layout = bench.path("kaniko/cache/base").join(&digest);
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"][0]["digest"], digest.as_str());
        let mut expected = [digest.as_str(), document["config"]["digest"].as_str().unwrap()];
        expected.sort_unstable();
        assert_eq!(blobs(&layout), expected, "manifest and configuration only");
    }
    assert_eq!(found["run-image"]["target"]["os"].as_str(), Some("linux"));
    assert_eq!(found["run-image"]["extend"].as_bool(), Some(true));
    // Before, run images were not extended, and before that not even build images.
    for (api, extended) in [("0.11", ["build-image"].as_slice()), ("0.9", &[])] {
        let mut older = Bench::new(&["127.0.0.1:1/unused"]);
        older.set("CNB_PLATFORM_API", api);
        fs::create_dir(older.path("kaniko")).unwrap();
        older.write("layers/group.toml", GROUP);
        older.write("layers/analyzed.toml", &analyzed);
        let build_image = registry.name("acme/build:1");
        let arguments = ["-build-image", build_image.as_str()];
        older.contained("restorer", if extended.is_empty() { &[] } else { &arguments }).well();
        let kept = fs::read_dir(older.path("kaniko/cache/base")).map_or(0, Iterator::count);
        assert_eq!(kept, extended.len(), "Platform API {api}");
    }
}

/// RES-07: the tar has the paths in the image, whoever wrote it.
#[test]
fn a_cached_layer_goes_to_the_path_that_its_tar_names() {
    let bench = Bench::new(&["127.0.0.1:1/run"]);
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in
        [("/layers", None), ("/layers/acme_one", None), ("/layers/acme_one/kept", None), ("/layers/acme_one/kept/file", Some("kept\n"))]
    {
        add(&mut tar, path, content, None);
    }
    let tar = tar.into_inner().unwrap();
    let sha = digest(&tar);
    fs::create_dir_all(bench.path("cache/committed")).unwrap();
    fs::write(bench.path("cache/committed").join(format!("{sha}.tar")), tar).unwrap();
    let layers = json!({ "kept": { "sha": sha, "cache": true, "data": { "version": "1" } } });
    let metadata = json!({ "buildpacks": [{ "key": "acme/one", "version": "1", "layers": layers }] });
    bench.write("cache/committed/io.buildpacks.lifecycle.cache.metadata", &metadata.to_string());
    bench.write("layers/group.toml", GROUP);
    bench.contained("restorer", &["-cache-dir", "/cache"]).well();
    assert_eq!(bench.read("layers/acme_one/kept/file"), "kept\n");
    assert_eq!(bench.read("layers/acme_one/kept.toml"), "[metadata]\nversion = \"1\"\n");
}

/// `cap_net_bind_service` in the form of `security.capability`.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Adds a folder, or a file with some content.
fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, content: Option<&str>, capability: Option<&[u8]>) {
    if let Some(capability) = capability {
        tar.append_pax_extensions([("SCHILY.xattr.security.capability", capability)]).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(if content.is_some() { tar::EntryType::Regular } else { tar::EntryType::Directory });
    header.set_size(content.map_or(0, |content| content.len() as u64));
    header.set_mode(if content.is_some() { 0o644 } else { 0o755 });
    header.set_uid(1234);
    header.set_gid(5678);
    header.set_mtime(1_600_000_000);
    header.set_cksum();
    tar.append(&header, content.unwrap_or_default().as_bytes()).unwrap();
}

/// Leaves an image that extends the run image by a layer, as an extender does: manifest, configuration and the new layer.
fn extend(bench: &Bench, registry: &Registry, run_image: &str) {
    let mut tar = tar::Builder::new(Vec::new());
    add(&mut tar, "opt", None, None);
    add(&mut tar, "opt/tool", Some("a tool"), Some(&CAPABILITY));
    let tar = tar.into_inner().unwrap();
    let (mut document, mut configuration) = (manifest(registry, run_image).0, config(registry, run_image));
    let layout = "layers/extended/run/one";
    let put = |bytes: &str, media_type: &str| {
        let digest = digest(bytes.as_bytes());
        bench.write(&format!("{layout}/blobs/{}", digest.replace(':', "/")), bytes);
        json!({ "mediaType": media_type, "size": bytes.len(), "digest": digest })
    };
    let layer = put(&String::from_utf8(tar.clone()).unwrap(), "application/vnd.oci.image.layer.v1.tar");
    document["layers"].as_array_mut().unwrap().push(layer);
    configuration["rootfs"]["diff_ids"].as_array_mut().unwrap().push(json!(digest(&tar)));
    configuration["history"].as_array_mut().unwrap().push(json!({ "created_by": "Layer: 'RUN it', Created by extension: acme/ext" }));
    configuration["config"]["Env"] = json!(["PATH=/opt:/usr/bin:/bin", "EXTENDED=yes"]);
    document["config"] = put(&configuration.to_string(), "application/vnd.oci.image.config.v1+json");
    let manifest = put(&document.to_string(), "application/vnd.oci.image.manifest.v1+json");
    bench.write(&format!("{layout}/index.json"), &json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string());
    bench.write(&format!("{layout}/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
}

/// EXP-03, EXP-04, EXP-43, EXP-02.
#[test]
fn an_extended_run_image_is_below_the_app() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "run", "oci");
    let mut bench = Bench::new(&[&registry.name("acme/run:1")]);
    let app = registry.name("team/app:1");
    bench.phase("analyzer", &[&app]).well();
    bench.phase("detector", &[]).well();
    bench.phase("builder", &[]).well();
    extend(&bench, &registry, "acme/run:1");
    let analyzed = bench.read("layers/analyzed.toml").replace("[run-image]\n", "[run-image]\nextend = true\n");
    bench.write("layers/analyzed.toml", &analyzed);
    let said = bench.phase("exporter", &[&app]).well();
    assert!(said.contains("Adding layer 'acme/ext:extended-layer-1'"), "{said}");

    let (base, made) = (config(&registry, "acme/run:1"), config(&registry, "team/app:1"));
    let environment: Vec<&str> = made["config"]["Env"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(
        environment[..2],
        ["PATH=/cnb/process:/cnb/lifecycle:/opt:/usr/bin:/bin", "EXTENDED=yes"],
        "its configuration is the extended one"
    );
    assert_eq!(made["rootfs"]["diff_ids"][0], base["rootfs"]["diff_ids"][0], "the run image's layer comes first");
    assert_eq!(made["history"][1]["created_by"], "Layer: 'RUN it', Created by extension: acme/ext");
    let layer = manifest(&registry, "team/app:1").0["layers"][1]["digest"].as_str().unwrap().to_string();
    let blob = fs::File::open(blob_path(&registry, &layer)).unwrap();
    let mut listed = Vec::new();
    for entry in tar::Archive::new(flate2::read::MultiGzDecoder::new(blob)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let capable = entry.pax_extensions().unwrap().into_iter().flatten().any(|record| record.unwrap().value_bytes() == CAPABILITY);
        let (header, path) = (entry.header(), entry.path().unwrap().display().to_string());
        listed.push((path, header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap(), capable));
    }
    assert_eq!(listed, [("opt".into(), 1234, 5678, 315_532_801, false), ("opt/tool".into(), 1234, 5678, 315_532_801, true)]);

    // Before Platform API 0.13 that is an experiment, which the platform must want.
    bench.set("CNB_PLATFORM_API", "0.12");
    let ran = bench.phase("exporter", &[&app]);
    assert!(ran.code == 1 && ran.said.contains("Platform requested experimental feature 'Dockerfiles'"), "{} {}", ran.code, ran.said);
    bench.set("CNB_EXPERIMENTAL_MODE", "quiet");
    bench.phase("exporter", &[&app]).well();
    // There can be only one.
    fs::create_dir(bench.path("layers/extended/run/two")).unwrap();
    let ran = bench.phase("exporter", &[&app]);
    assert!(ran.code == 62 && ran.said.contains("to have only 1 item; found 2"), "{} {}", ran.code, ran.said);
}
