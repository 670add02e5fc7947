//! Builders of other people's: images with buildpacks of their own, as OCI layouts.

use super::{Machine, repository};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A builder over the composed build image of a machine's store: the buildpacks of `fixtures/builder`.
pub struct Builder {
    /// The layout's folder.
    pub layout: PathBuf,
    /// The name of its run image in the store.
    pub run_image: String,
}

impl Builder {
    /// Writes the builder into `folder`.
    pub fn new(machine: &Machine, folder: &Path) -> Self {
        Self::with(machine, folder, &cnb())
    }

    /// The same with an extension: that of `fixtures/extension`, and the buildpack that needs it.
    pub fn with_extension(machine: &Machine, folder: &Path) -> Self {
        Self::with_extension_called("acme/tool", machine, folder)
    }

    /// The same with another name for the extension.
    pub fn with_extension_called(id: &str, machine: &Machine, folder: &Path) -> Self {
        let mut tar = tar::Builder::new(Vec::new());
        let fixture = repository("fixtures/extension");
        let extension = format!("cnb/extensions/{}/1.0.0", id.replace('/', "_"));
        tar.append_dir_all("cnb/buildpacks/acme_user/1.0.0", fixture.join("buildpack")).unwrap();
        tar.append_dir_all(format!("{extension}/bin"), fixture.join("extension/bin")).unwrap();
        for (file, path) in [("extension/extension.toml", format!("{extension}/extension.toml")), ("order.toml", "cnb/order.toml".into())] {
            let text = fs::read_to_string(fixture.join(file)).unwrap().replace("acme/tool", id);
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        Self::with(machine, folder, &tar.into_inner().unwrap())
    }

    /// Writes the run image into a layout of its own, and returns that as `--run-image` names it.
    pub fn run_image_layout(&self, machine: &Machine, folder: &Path) -> String {
        let layout = folder.join("run");
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let digest = machine.composed("run").1;
        let manifest = document(&machine.store, &digest);
        let digests =
            manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]).map(|blob| blob["digest"].as_str().unwrap());
        for name in digests.chain([digest.as_str()]).map(|digest| Path::new("blobs/sha256").join(hex(digest))) {
            fs::copy(machine.store.join(&name), layout.join(&name)).unwrap();
        }
        let size = fs::metadata(layout.join("blobs/sha256").join(hex(&digest))).unwrap().len();
        let descriptor = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": size, "digest": digest });
        fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        format!("oci:{}", layout.display())
    }

    fn with(machine: &Machine, folder: &Path, cnb: &[u8]) -> Self {
        machine.prepare();
        let (build, run_image) = (machine.composed("build").1, machine.composed("run").0);
        let layout = folder.join("builder");
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let mut manifest: Value = document(&machine.store, &build);
        let mut config: Value = document(&machine.store, manifest["config"]["digest"].as_str().unwrap());
        for layer in manifest["layers"].as_array().unwrap() {
            let name = Path::new("blobs/sha256").join(hex(layer["digest"].as_str().unwrap()));
            fs::copy(machine.store.join(&name), layout.join(&name)).unwrap();
        }
        let digest = put(&layout, cnb);
        let size = fs::metadata(layout.join("blobs/sha256").join(hex(&digest))).unwrap().len();
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        push(&mut manifest["layers"], json!({ "mediaType": media_type, "size": size, "digest": digest }));
        push(&mut config["rootfs"]["diff_ids"], json!(digest));
        push(&mut config["history"], json!({ "created_by": "buildpacks" }));
        let label = json!({ "images": [{ "image": run_image, "mirrors": null }], "stack": { "runImage": { "image": "" } } });
        config["config"]["Labels"]["io.buildpacks.builder.metadata"] = label.to_string().into();
        let config = serde_json::to_vec(&config).unwrap();
        manifest["config"]["digest"] = put(&layout, &config).into();
        manifest["config"]["size"] = config.len().into();
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let descriptor =
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": manifest.len(), "digest": put(&layout, &manifest) });
        fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { layout, run_image }
    }

    /// The builder as `--builder` names it.
    pub fn name(&self) -> String {
        format!("oci:{}", self.layout.display())
    }
}

impl Machine {
    /// Name and digest of the composed image of a kind, `build` or `run`, that has no packages added.
    fn composed(&self, kind: &str) -> (String, String) {
        let index: Value = serde_json::from_slice(&fs::read(self.store.join("index.json")).unwrap()).unwrap();
        let wanted = format!("cooper/trixie-{kind}:");
        let layers = |digest: &str| document(&self.store, digest)["layers"].as_array().unwrap().len();
        let found = index["manifests"].as_array().unwrap().iter().map(|entry| {
            let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
            (name.to_string(), entry["digest"].as_str().unwrap().to_string())
        });
        found.into_iter().find(|(name, digest)| name.contains(&wanted) && layers(digest) == 1).expect("the image is composed")
    }
}

/// The tar of the builder's `/cnb`.
fn cnb() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    let fixture = repository("fixtures/builder");
    for (name, version) in [("old", "1.0.0"), ("clear", "1.0.0"), ("new", "2.0.0")] {
        tar.append_dir_all(format!("cnb/buildpacks/acme_{name}/{version}"), fixture.join(name)).unwrap();
    }
    tar.append_path_with_name(fixture.join("order.toml"), "cnb/order.toml").unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(8);
    tar.append_data(&mut header, "cnb/build-config/env/OPERATOR_SETS", &b"operator"[..]).unwrap();
    tar.into_inner().unwrap()
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().unwrap().push(value);
}

fn document(layout: &Path, digest: &str) -> Value {
    serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex(digest))).unwrap()).unwrap()
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}

fn put(layout: &Path, bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = layout.join("blobs/sha256").join(&digest);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    format!("sha256:{digest}")
}
