//! What an extender leaves of a run image: a layout that has the new layer only.

use super::observe::digest;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// `cap_net_bind_service` in the form of `security.capability`.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Extends a run image by a layer and a variable.
pub fn leave(layouts: &Path, name: &str, folder: &Path) {
    let base = layouts.join("index.docker.io/library").join(name).join("latest");
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let blob = |descriptor: &Value| base.join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"));
    let mut manifest = read(&blob(&read(&base.join("index.json"))["manifests"][0]));
    let mut config = read(&blob(&manifest["config"]));
    let staged = folder.with_extension("staged");
    fs::create_dir_all(staged.join("blobs/sha256")).unwrap();
    let put = |bytes: &[u8], media_type: &str| {
        let digest = digest(bytes);
        fs::write(staged.join("blobs").join(digest.replace(':', "/")), bytes).unwrap();
        json!({ "mediaType": media_type, "size": bytes.len(), "digest": digest })
    };
    let tar = layer();
    manifest["layers"].as_array_mut().unwrap().push(put(&tar, "application/vnd.oci.image.layer.v1.tar"));
    config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(json!(digest(&tar)));
    config["history"].as_array_mut().unwrap().push(json!({ "created_by": "Layer: 'RUN it', Created by extension: test/ext" }));
    config["config"]["Env"].as_array_mut().unwrap().push(json!("EXTENDED=yes"));
    config["config"]["User"] = json!("1234:5678");
    manifest["config"] = put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let manifest = put(manifest.to_string().as_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest] });
    fs::write(staged.join("index.json"), index.to_string()).unwrap();
    fs::write(staged.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::rename(staged, folder.join(manifest["digest"].as_str().unwrap())).unwrap();
}

fn layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_uid(1234);
    header.set_gid(5678);
    header.set_mtime(1_600_000_000);
    header.set_mode(0o750);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    tar.append_data(&mut header, "opt/", std::io::empty()).unwrap();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o4755);
    header.set_size(4);
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", CAPABILITY.as_slice())]).unwrap();
    tar.append_data(&mut header, "opt/tool", b"tool".as_slice()).unwrap();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "opt/link", "tool").unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mode(0);
    tar.append_data(&mut header, "usr/.wh.gone", std::io::empty()).unwrap();
    tar.into_inner().unwrap()
}
