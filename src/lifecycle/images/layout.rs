//! Images in a folder of OCI layouts, one for each name (IMG-17 to IMG-24).

use super::sparse::Raw;
use super::{Found, Saved};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Index, Layer, Manifest, Reference, layout, to_json};
use crate::lifecycle::documents::report::ImageReport;
use crate::output::Output;
use crate::store::Store;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A larger document of an image is not read.
const LARGEST: u64 = 8 << 20;

/// A folder of OCI layouts.
pub struct Layouts {
    folder: PathBuf,
}

impl Layouts {
    /// The layouts in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// IMG-18 to IMG-20: the layout of a name, of a path below the folder, or of an identifier `PATH@DIGEST`.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        let (path, _) = split(name);
        if Path::new(path).starts_with(&self.folder) {
            return Ok(PathBuf::from(path));
        }
        let reference = Reference::parse(name)?;
        let base = self.folder.join(reference.registry()).join(reference.repository());
        Ok(match (reference.digest(), reference.tag()) {
            (Some(digest), _) => base.join("sha256").join(digest.hex()),
            (None, tag) => base.join(tag.unwrap_or("latest")),
        })
    }

    /// Finds the image of a name.
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        let path = self.path(name)?;
        let index = path.join("index.json");
        if !index.exists() {
            return Ok(None);
        }
        let describe = || format!("cannot read the OCI layout `{}`", path.display());
        let index: Index = serde_json::from_slice(&read(&index).context(describe)?).context(describe)?;
        let (_, wanted) = split(name);
        let manifest = index.manifests.iter().find(|manifest| wanted.is_none_or(|wanted| manifest.digest.as_str() == wanted));
        let Some(manifest) = manifest else { return Ok(None) };
        let document: Manifest = serde_json::from_slice(&blob(&path, &manifest.digest).context(describe)?).context(describe)?;
        let config = serde_json::from_slice(&blob(&path, &document.config.digest).context(describe)?).context(describe)?;
        let image = Image::from_documents(&document, config).context(describe)?;
        Ok(Some(Found { name: name.to_string(), identifier: format!("{}@{}", path.display(), manifest.digest), image }))
    }

    /// Whether the blobs of all layers are there.
    pub fn is_complete(&self, found: &Found) -> bool {
        let path = PathBuf::from(split(&found.identifier).0);
        found.image.layers.iter().all(|layer| blob_path(&path, &layer.blob.digest).is_file())
    }

    /// Whether the blob of a layer is there.
    pub fn has(&self, found: &Found, layer: &Layer) -> bool {
        blob_path(Path::new(split(&found.identifier).0), &layer.blob.digest).is_file()
    }

    /// The documents of an image, byte for byte.
    pub fn raw(&self, found: &Found) -> Result<Raw> {
        let (path, digest) = split(&found.identifier);
        let path = Path::new(path);
        let manifest = blob(path, &Digest::parse(digest.unwrap_or_default())?)?;
        let parsed: Manifest = serde_json::from_slice(&manifest).context(|| "cannot read a manifest")?;
        Ok(Raw { config: blob(path, &parsed.config.digest)?, manifest })
    }

    /// Copies a layer into the store.
    pub fn fetch(&self, found: &Found, layer: &Layer, store: &Store) -> Result<()> {
        let source = blob_path(Path::new(split(&found.identifier).0), &layer.blob.digest);
        let describe = || format!("cannot copy the layer `{}`", source.display());
        store.import(&mut File::open(&source).context(describe)?, &layer.blob).context(describe)
    }

    /// Writes the layouts of all names anew.
    pub fn save_all(&self, image: &Image, names: &[Reference], sources: &[&Found], store: &Store, output: &Output) -> Result<Saved> {
        let descriptor = image.documents().descriptor;
        let first = names.first().context(|| "the image has no name")?;
        let identifier = format!("{}@{}", self.path(&first.full())?.display(), descriptor.digest);
        let names = names.iter().map(|name| (name.clone(), self.save(image, name, sources, store, output))).collect();
        Ok(Saved { identifier, names, report: ImageReport { manifest_size: descriptor.size, ..ImageReport::default() } })
    }

    /// Writes the layout of one name anew. Layers that are in no store and in no source that can be read stay away (IMG-22).
    fn save(&self, image: &Image, name: &Reference, sources: &[&Found], store: &Store, output: &Output) -> Result<()> {
        let folder = self.path(&name.full())?;
        let describe = || format!("cannot write the OCI layout `{}`", folder.display());
        fs::create_dir_all(folder.join("blobs/sha256")).context(describe)?;
        fs::write(folder.join("oci-layout"), layout::MARKER).context(describe)?;
        let folders = sources.iter().map(|found| PathBuf::from(split(&found.identifier).0));
        let places: Vec<PathBuf> = std::iter::once(store.root().to_path_buf()).chain(folders).collect();
        for layer in &image.layers {
            let target = blob_path(&folder, &layer.blob.digest);
            let source = places.iter().map(|place| blob_path(place, &layer.blob.digest)).find(|path| path.is_file());
            let Some(source) = source.filter(|_| !target.is_file()) else { continue };
            match File::open(&source) {
                Ok(mut blob) => copy(&mut blob, &target).context(describe)?,
                // Whoever wrote the run image's layout may have kept its layers from others.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    output.warn(&format!("Leaving out the layer {}: cannot read `{}`", layer.blob.digest, source.display()));
                }
                Err(error) => return Err(error).context(describe),
            }
        }
        let mut documents = image.documents();
        write(&folder, &documents.config).context(describe)?;
        write(&folder, &documents.manifest).context(describe)?;
        documents.descriptor.annotations.insert(layout::NAME.into(), name.tag().unwrap_or("latest").into());
        let index = Index { manifests: vec![documents.descriptor], ..Index::default() };
        replace(&folder.join("index.json"), &to_json(&index)).context(describe)
    }
}

/// An identifier's path and digest.
fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(path, digest)| (path, Some(digest)))
}

fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    launcher::file::read(path, LARGEST).context(|| format!("cannot read `{}`", path.display()))
}

fn blob(layout: &Path, digest: &Digest) -> Result<Vec<u8>> {
    let path = blob_path(layout, digest);
    let bytes = read(&path).context(|| format!("cannot read the blob {digest}"))?;
    if Digest::of(&bytes) == *digest {
        Ok(bytes)
    } else {
        Err(Error::new(format!("the blob `{}` is damaged", path.display()))).hint("write the image to the layout again")
    }
}

fn copy(source: &mut File, target: &Path) -> Result<()> {
    let staged = target.with_extension("part");
    io::copy(source, &mut File::create(&staged)?)?;
    Ok(fs::rename(staged, target)?)
}

fn write(layout: &Path, bytes: &[u8]) -> Result<()> {
    replace(&blob_path(layout, &Digest::of(bytes)), bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let staged = path.with_extension("part");
    File::create(&staged)?.write_all(bytes)?;
    Ok(fs::rename(staged, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::media_type;

    /// IMG-01, IMG-18, IMG-19, IMG-20.
    #[test]
    fn names_become_paths() {
        let layouts = Layouts::new("/layout".into());
        let digest = format!("sha256:{}", "a".repeat(64));
        for (name, path) in [
            ("busybox", "/layout/index.docker.io/library/busybox/latest"),
            ("acme/app:1", "/layout/index.docker.io/acme/app/1"),
            ("r.test:5000/a/b/c:x", "/layout/r.test:5000/a/b/c/x"),
            ("/layout/x/y", "/layout/x/y"),
            (&format!("/layout/x/y@{digest}"), "/layout/x/y"),
            (&format!("r.test/a@{digest}"), &format!("/layout/r.test/a/sha256/{}", "a".repeat(64))),
        ] {
            assert_eq!(layouts.path(name).unwrap(), Path::new(path), "{name}");
        }
        assert!(layouts.path("Not A Name").is_err());
    }

    /// IMG-17, IMG-21, IMG-22, IMG-24, EXP-33.
    #[test]
    fn what_is_saved_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let layouts = Layouts::new(folder.path().join("layouts"));
        let layer = store.put_layer(crate::image::History::default(), |_| Ok(())).unwrap();
        let far = Layer { blob: crate::image::Descriptor::of(media_type::LAYER_GZIP, b"far"), ..layer.clone() };
        let image = Image { layers: vec![far.clone(), layer.clone()], ..Image::default() };
        let names = ["r.test/app:1", "r.test/team/app:2"].map(|name| Reference::parse(name).unwrap());
        let images = super::super::Images::Layouts(layouts);
        let report = images.save(&image, &names, &[], &store, &Output::quiet()).unwrap();
        let tags = names.each_ref().map(ToString::to_string).to_vec();
        assert_eq!((report.tags, report.digest.as_str(), report.manifest_size > 0), (tags, "", true));
        let found = images.find("r.test/app:1").unwrap().unwrap();
        let digest = image.documents().descriptor.digest;
        assert!(found.identifier.ends_with(&format!("/layouts/r.test/app/1@{digest}")), "{}", found.identifier);
        assert_eq!(images.find(&found.identifier).unwrap().unwrap().image.layers.len(), 2);
        assert!(!images.is_complete(&found) && images.fetch(&found, &far, &store).is_err());
        assert!(images.find("r.test/app:2").unwrap().is_none());
        let other = images.find("r.test/team/app:2").unwrap().unwrap();
        assert!(other.identifier.ends_with(&format!("/layouts/r.test/team/app/2@{digest}")), "{}", other.identifier);
        let index: Index = serde_json::from_slice(&fs::read(folder.path().join("layouts/r.test/app/1/index.json")).unwrap()).unwrap();
        assert_eq!(index.manifests[0].annotations[layout::NAME], "1");
        assert_eq!(index.manifests[0].media_type, media_type::MANIFEST);
    }
}
