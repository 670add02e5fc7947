//! The layers of a builder that are not buildpacks: folders, documents, variables (BIMG-02, BIMG-03).

use crate::archive::{Entry, TarWriter};
use crate::error::Result;
use crate::image::{History, Layer};
use crate::platform::buildpackage::package::history;
use crate::store::Store;
use std::io::empty;

/// The user and group of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub user: u64,
    /// The group.
    pub group: u64,
}

/// The folders of every builder.
pub fn folders(ids: Ids, store: &Store) -> Result<Layer> {
    let root = Ids { user: 0, group: 0 };
    let folders = [
        ("/workspace", ids),
        ("/layers", ids),
        ("/cnb", root),
        ("/cnb/buildpacks", root),
        ("/cnb/extensions", root),
        ("/platform", root),
        ("/platform/env", root),
        ("/cnb/build-config", root),
        ("/cnb/build-config/env", root),
    ];
    entries("Folders of a builder", store, |tar| {
        folders
            .iter()
            .try_for_each(|(path, of)| Ok(tar.append(&Entry::directory(*path, 0o755, of.user, of.group, Entry::NORMAL_TIME), empty())?))
    })
}

/// Files by their paths.
pub fn files(files: &[(String, String)], store: &Store) -> Result<Layer> {
    let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    entries(&names.join(", "), store, |tar| {
        files.iter().try_for_each(|(path, text)| {
            Ok(tar.append(&Entry::file(path.as_bytes(), text.len() as u64, 0o644, 0, 0, Entry::NORMAL_TIME), text.as_bytes())?)
        })
    })
}

/// What hides a module of the image below (BIMG-11).
pub fn without(place: &str, store: &Store) -> Result<Layer> {
    let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
    files(&[(format!("{folder}/.wh.{name}"), String::new())], store)
}

/// A layer of the entries that `fill` writes.
pub fn entries(created_by: &str, store: &Store, fill: impl FnOnce(&mut TarWriter<&mut dyn std::io::Write>) -> Result<()>) -> Result<Layer> {
    let history: History = history(created_by.into());
    store.put_layer(history, |out| {
        let mut tar = TarWriter::new(out as &mut dyn std::io::Write);
        fill(&mut tar)?;
        Ok(tar.end()?)
    })
}
