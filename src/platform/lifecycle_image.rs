//! The lifecycle as an image: platforms start the phases that work with credentials in it where they do not trust a builder, and `pack`
//! puts its highest layer onto run images that are extended (BIMG-23).

use super::lifecycle_package::{STANDS_FOR, versions, write_programs};
use crate::archive::{Entry, TarWriter};
use crate::error::Result;
use crate::image::{CREATED, Config, History, Image, Layer, Platform, Reference, RunConfig};
use crate::store::{Store, Stored};
use launcher::api::{BUILDPACK, PLATFORM};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::empty;

/// What an engine must find to start a program as `root`, and what programs expect of any system.
const ACCOUNTS: [(&str, &str); 2] = [
    ("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"),
    ("etc/group", "root:x:0:\nnobody:x:65534:\n"),
];

/// Makes the image of this program and gives it a name in the store. The same program gives the same image.
///
/// # Errors
/// When the store cannot be written.
pub fn make(name: &Reference, store: &Store) -> Result<Stored> {
    let Platform { os, architecture, .. } = Platform::here();
    let mut image = Image { layers: vec![base(store)?, programs(store)?], ..Image::default() };
    image.config = Config { architecture, os, created: CREATED.into(), ..Config::default() };
    image.config.config = RunConfig {
        env: Some(vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()]),
        labels: Some(labels()),
        working_dir: "/layers".into(),
        ..RunConfig::default()
    };
    let made = store.read(&store.put_image(&image)?.digest)?;
    store.name(name, &made)?;
    Ok(made)
}

fn base(store: &Store) -> Result<Layer> {
    let time = Entry::NORMAL_TIME;
    store.put_layer(history("Base"), |out| {
        let mut tar = TarWriter::new(out);
        for (folder, mode) in [("etc", 0o755), ("layers", 0o755), ("root", 0o700), ("tmp", 0o1777)] {
            tar.append(&Entry::directory(folder, mode, 0, 0, time), empty())?;
        }
        for (path, text) in ACCOUNTS {
            tar.append(&Entry::file(path, text.len() as u64, 0o644, 0, 0, time), text.as_bytes())?;
        }
        Ok(tar.end()?)
    })
}

/// The highest layer has the programs and nothing else.
fn programs(store: &Store) -> Result<Layer> {
    store.put_layer(history("Lifecycle"), |out| {
        let mut tar = TarWriter::new(out);
        tar.append(&Entry::directory("cnb", 0o755, 0, 0, Entry::NORMAL_TIME), empty())?;
        write_programs(&mut tar, "cnb/lifecycle")?;
        Ok(tar.end()?)
    })
}

fn history(created_by: &str) -> History {
    History { created: CREATED.into(), created_by: created_by.into(), ..History::default() }
}

fn labels() -> BTreeMap<String, String> {
    let apis = json!({
        "buildpack": { "deprecated": [], "supported": versions(&BUILDPACK) },
        "platform": { "deprecated": [], "supported": versions(&PLATFORM) },
    });
    let api = json!({ "buildpack": BUILDPACK.start().to_string(), "platform": PLATFORM.start().to_string() });
    let metadata = json!({ "lifecycle": { "version": STANDS_FOR, "api": api, "apis": apis } });
    BTreeMap::from([
        ("io.buildpacks.builder.metadata".into(), metadata.to_string()),
        ("io.buildpacks.lifecycle.apis".into(), apis.to_string()),
        ("io.buildpacks.lifecycle.version".into(), STANDS_FOR.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_has_the_programs_on_top_and_says_what_they_speak() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let name = Reference::parse_new("acme/lifecycle:1").unwrap();
        let made = make(&name, &store).unwrap();
        assert_eq!(store.find(&name).unwrap().unwrap().digest, made.digest);
        assert_eq!(make(&name, &store).unwrap().digest, made.digest);
        let members = |layer: &Layer| {
            let blob = crate::archive::decompressed(store.blob(&layer.blob.digest).unwrap()).unwrap();
            let mut archive = tar::Archive::new(blob);
            let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
            entries.map(|entry| (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())).collect::<BTreeMap<_, _>>()
        };
        let top = members(&made.image.layers[1]);
        assert!(top.keys().all(|path| path == "cnb" || path.starts_with("cnb/lifecycle")), "{top:?}");
        assert!(["analyzer", "creator", "extender", "launcher"].iter().all(|name| top.contains_key(&format!("cnb/lifecycle/{name}"))));
        let base = members(&made.image.layers[0]);
        assert_eq!((base["tmp"], base["etc/passwd"]), (0o1777, 0o644));
        let apis: serde_json::Value = serde_json::from_str(made.image.label("io.buildpacks.lifecycle.apis").unwrap()).unwrap();
        assert_eq!(apis["platform"]["supported"].as_array().unwrap().len(), 9);
        let metadata: serde_json::Value = serde_json::from_str(made.image.label("io.buildpacks.builder.metadata").unwrap()).unwrap();
        assert_eq!((&metadata["lifecycle"]["apis"], &metadata["lifecycle"]["api"]["platform"]), (&apis, &json!("0.7")));
    }
}
