//! `index.json`: which names there are (OCI Image Specification, image-layout).

use super::lock;
use crate::error::{Context, Result};
use crate::image::{Descriptor, Index, layout, to_json};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Reads the index of a layout; one without images where there is none.
pub(super) fn read(root: &Path) -> Result<Index> {
    let path = root.join("index.json");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).context(|| format!("the index `{}` is damaged", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Index::default()),
        Err(error) => Err(error).context(|| format!("cannot read the index `{}`", path.display())),
    }
}

/// Changes the index of the store as one step that others see whole or not at all.
pub(super) fn change(root: &Path, change: impl FnOnce(&mut Index)) -> Result<()> {
    let _alone = lock::exclusive(&root.join("locks/index"), || ())?;
    let before = read(root)?;
    let mut index = before.clone();
    change(&mut index);
    if index == before { Ok(()) } else { write(root, &root.join("tmp"), &index) }
}

/// Writes the index of a layout by way of a file in `staging`.
pub(super) fn write(root: &Path, staging: &Path, index: &Index) -> Result<()> {
    let path = root.join("index.json");
    let describe = || format!("cannot write the index `{}`", path.display());
    let mut file = tempfile::NamedTempFile::new_in(staging).context(describe)?;
    file.write_all(&to_json(index)).context(describe)?;
    file.as_file().sync_data().context(describe)?;
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).context(describe)?;
    file.persist(&path).context(describe)?;
    Ok(())
}

/// Makes `name` name `manifest`, and nothing else.
pub(super) fn set(index: &mut Index, name: &str, manifest: &Descriptor) {
    let mut named = manifest.clone();
    named.annotations.insert(layout::NAME.into(), name.into());
    match index.manifests.iter_mut().find(|manifest| name_of(manifest).is_some_and(|other| other == name)) {
        Some(place) => *place = named,
        None => index.manifests.push(named),
    }
    index.manifests.sort_by(|one, other| name_of(one).cmp(&name_of(other)));
}

/// The name that an entry of an index gives to its image.
pub(super) fn name_of(manifest: &Descriptor) -> Option<&String> {
    manifest.annotations.get(layout::NAME)
}
