//! Images from OCI image layouts of other people's: every blob is hashed on its way into the store.

use super::{Store, Stored, index};
use crate::error::{Context, Error, Result};
use crate::image::{Descriptor, Digest, Index, Manifest, media_type};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

impl Store {
    /// Stores what `source` holds, hashed on its way: it must be the `wanted` blob.
    ///
    /// # Errors
    /// When it is another one, `source` cannot be read, or the store cannot be written.
    pub fn import(&self, source: &mut dyn Read, wanted: &Descriptor) -> Result<()> {
        let (mut blob, mut hash, mut size) = (self.new_blob()?, Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = source.read(&mut buffer).context(|| format!("cannot read the blob {}", wanted.digest))?;
            if count == 0 {
                break;
            }
            size += count as u64;
            if size > wanted.size {
                return Err(Error::new(format!("the blob {} is damaged: it has more than {} bytes", wanted.digest, wanted.size)));
            }
            hash.update(&buffer[..count]);
            blob.write_all(&buffer[..count]).context(|| "cannot write to the store")?;
        }
        check(wanted, &Digest::from_sha256(hash.finalize().into()))?;
        blob.commit(&wanted.digest)
    }
}

/// A longer document is something else.
const LONGEST_DOCUMENT: u64 = 8 << 20;
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What an index may nest: a layout's index names an image's index, which names its manifests.
const DEEPEST: usize = 3;

/// Brings an image out of the layout in `folder` into the store: the one named `tag`, or the only one. Of an image for several machines
/// it is the one for `os` and `architecture`.
///
/// # Errors
/// When the folder is no layout, has no such image, or a blob is missing or damaged.
pub fn read_layout(store: &Store, folder: &Path, tag: Option<&str>, platform: (&str, &str)) -> Result<Stored> {
    let describe = || format!("cannot read the OCI layout `{}`", folder.display());
    if !folder.join("index.json").is_file() {
        return Err(Error::new("there is no `index.json`")).context(describe);
    }
    let index = index::read(folder)?;
    let named = |entry: &&Descriptor| tag.is_none_or(|tag| index::name_of(entry).is_some_and(|name| name == tag));
    let mut found = index.manifests.iter().filter(named);
    let entry = match (found.next(), found.next(), tag) {
        (Some(entry), None, _) | (Some(entry), Some(_), Some(_)) => entry.clone(),
        (Some(_), Some(_), None) => {
            let names: Vec<&str> = index.manifests.iter().filter_map(index::name_of).map(String::as_str).collect();
            return Err(Error::new("it has several images").hint(format!("name one as `oci:DIR:TAG`: {}", names.join(", "))))
                .context(describe);
        }
        (None, _, Some(tag)) => return Err(Error::new(format!("it has no image `{tag}`"))).context(describe),
        (None, _, None) => return Err(Error::new("it has no image")).context(describe),
    };
    let manifest = for_platform(folder, entry, platform).context(describe)?;
    let bytes = document(folder, &manifest).context(describe)?;
    let parsed: Manifest = serde_json::from_slice(&bytes).context(describe)?;
    store.put(&parsed.config.media_type, &document(folder, &parsed.config).context(describe)?)?;
    for layer in &parsed.layers {
        if !store.has_blob(&layer.digest) {
            store.import(&mut open(folder, &layer.digest).context(describe)?, layer).context(describe)?;
        }
    }
    store.put(&manifest.media_type, &bytes)?;
    store.read(&manifest.digest)
}

fn for_platform(folder: &Path, mut entry: Descriptor, (os, architecture): (&str, &str)) -> Result<Descriptor> {
    for _ in 0..DEEPEST {
        if entry.media_type != media_type::INDEX && entry.media_type != DOCKER_LIST {
            return Ok(entry);
        }
        let index: Index =
            serde_json::from_slice(&document(folder, &entry)?).context(|| format!("the index {} is damaged", entry.digest))?;
        let fits = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|of| of["os"] == os && of["architecture"] == architecture);
        entry = index.manifests.iter().find(fits).cloned().context(|| format!("the image is not for {os}/{architecture}"))?;
    }
    Err(Error::new("its indexes are nested too deeply"))
}

fn open(folder: &Path, digest: &Digest) -> Result<File> {
    File::open(folder.join("blobs/sha256").join(digest.hex())).context(|| format!("the blob {digest} is missing"))
}

/// A document, checked.
fn document(folder: &Path, wanted: &Descriptor) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(folder, &wanted.digest)?
        .take(LONGEST_DOCUMENT + 1)
        .read_to_end(&mut bytes)
        .context(|| format!("cannot read {}", wanted.digest))?;
    if bytes.len() as u64 > LONGEST_DOCUMENT {
        return Err(Error::new(format!("the document {} is too long", wanted.digest)));
    }
    check(wanted, &Digest::of(&bytes))?;
    Ok(bytes)
}

fn check(wanted: &Descriptor, found: &Digest) -> Result<()> {
    if *found == wanted.digest {
        Ok(())
    } else {
        Err(Error::new(format!("the blob {} is damaged: its content has {found}", wanted.digest)))
    }
}
