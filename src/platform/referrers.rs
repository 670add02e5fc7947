//! What refers to an image, as signatures and SBOM documents do, where registries and layouts keep it: lists it, and takes it along when the
//! image is copied.

use super::images::Images;
use super::place::Place;
use super::transfer::Opened;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Documents, History, Index, Layer, Manifest, Reference, Referring, media_type};
use crate::registry::{Blob, Push, Source};
use crate::store;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

/// What refers to what refers to an image is followed so far: a signature of an SBOM document is the second.
const DEEPEST: u32 = 4;
/// No more are copied with one image.
const MOST: usize = 500;

/// Somewhere that keeps what refers to images.
#[derive(Clone, Copy, Debug)]
pub enum Keeper<'a> {
    /// The repository of a name.
    Registry(&'a Reference),
    /// The layout in a folder.
    Layout(&'a Path),
}

impl<'a> Keeper<'a> {
    /// Where the referrers of an image are that was opened at a place; nothing where none are kept.
    pub fn of_source(place: &'a Place, opened: &'a Opened) -> Option<Self> {
        match place {
            Place::Layout { folder, .. } => Some(Self::Layout(folder)),
            Place::Archive { .. } | Place::Engine(_) | Place::Registry(_) | Place::Store(_) | Place::Name(_) => {
                opened.registry().map(Self::Registry)
            }
        }
    }

    /// Where those of an image go that is written to a place; nothing where none are kept.
    pub fn of_destination(place: &'a Place) -> Option<Self> {
        match place {
            Place::Layout { folder, .. } => Some(Self::Layout(folder)),
            Place::Registry(name) => Some(Self::Registry(name)),
            Place::Name(name) if name.has_host() => Some(Self::Registry(name)),
            Place::Archive { .. } | Place::Engine(_) | Place::Store(_) | Place::Name(_) => None,
        }
    }
}

impl Images<'_> {
    /// What refers to the image with a digest; only that of one kind, where one is named.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn referrers(&self, keeper: Keeper, digest: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>> {
        match keeper {
            Keeper::Registry(name) => self.registries.referrers(name, digest, artifact_type),
            Keeper::Layout(folder) => {
                let mut found = store::layout_referrers(folder, digest)?;
                found.retain(|referrer| artifact_type.is_none_or(|wanted| referrer.artifact_type == wanted));
                Ok(found)
            }
        }
    }

    /// Copies what refers to the image with a digest, only that of one kind where one is named, and what refers to that, of any kind. Returns how
    /// many there were.
    ///
    /// # Errors
    /// When one cannot be read or written, or there is no end of them.
    pub fn copy_referrers(&self, opened: &Opened, source: &Place, destination: &Place, artifact_type: Option<&str>) -> Result<usize> {
        let nobody = |place: &Place| Error::new(format!("`{place}` keeps nothing that refers to images"));
        let hint = "registries and layouts do: `docker://NAME`, `oci:DIR[:TAG]`";
        let from = Keeper::of_source(source, opened).ok_or_else(|| nobody(source)).hint(hint)?;
        let to = Keeper::of_destination(destination).ok_or_else(|| nobody(destination)).hint(hint)?;
        let (mut queue, mut seen, mut copied) = (VecDeque::from([(opened.digest().clone(), 0)]), BTreeSet::new(), 0);
        while let Some((subject, depth)) = queue.pop_front() {
            for referrer in self.referrers(from, &subject, artifact_type.filter(|_| depth == 0))? {
                if !seen.insert(referrer.digest.clone()) {
                    continue;
                }
                if !referrer.is_index() && ![media_type::MANIFEST, media_type::DOCKER_MANIFEST].contains(&referrer.media_type.as_str()) {
                    self.output
                        .warn(&format!("{} stays behind: it refers to {subject}, but is a `{}`", referrer.digest, referrer.media_type));
                    continue;
                }
                if depth == DEEPEST || seen.len() > MOST {
                    return Err(Error::new(format!("more than {MOST} manifests refer to {}, or too indirectly", opened.digest())));
                }
                self.copy_referrer(from, to, &referrer)
                    .context(|| format!("cannot copy {}, which refers to {subject}", referrer.digest))?;
                queue.push_back((referrer.digest, depth + 1));
                copied += 1;
            }
        }
        Ok(copied)
    }

    /// A manifest or an index, byte for byte.
    pub(super) fn document_of(&self, keeper: Keeper, descriptor: &Descriptor) -> Result<Vec<u8>> {
        match keeper {
            Keeper::Registry(name) => self.registries.document(name, descriptor),
            Keeper::Layout(folder) => store::read_document(folder, descriptor),
        }
    }

    fn copy_referrer(&self, from: Keeper, to: Keeper, referrer: &Descriptor) -> Result<()> {
        let document = self.copy_manifest(from, to, referrer, 0)?;
        let Keeper::Layout(folder) = to else { return Ok(()) };
        let referring: Referring = serde_json::from_slice(&document).context(|| "the manifest makes no sense")?;
        store::write_referrer(self.store, &referring.listed(referrer), folder)
    }

    /// Copies a manifest, or an index with what it lists, to a registry, or into the store on its way to a layout. Returns the document.
    fn copy_manifest(&self, from: Keeper, to: Keeper, manifest: &Descriptor, depth: u32) -> Result<Vec<u8>> {
        if !manifest.is_index() {
            return self.copy_single(from, to, manifest);
        }
        let document = self.document_of(from, manifest)?;
        let index: Index = serde_json::from_slice(&document).context(|| "the index makes no sense")?;
        if depth == DEEPEST || index.manifests.len() > MOST {
            return Err(Error::new(format!("it is an index of more than {MOST} manifests, or of too many indexes")));
        }
        index.manifests.iter().try_for_each(|child| self.copy_manifest(from, to, child, depth + 1).map(drop))?;
        match to {
            Keeper::Registry(name) => self.registries.push_document(&document, manifest, &name.pinned(&manifest.digest))?,
            Keeper::Layout(_) => drop(self.store.put(&manifest.media_type, &document)?),
        }
        Ok(document)
    }

    fn copy_single(&self, from: Keeper, to: Keeper, referrer: &Descriptor) -> Result<Vec<u8>> {
        let documents = match from {
            Keeper::Registry(name) => self.registries.documents(name, referrer)?,
            Keeper::Layout(folder) => store::read_referrer(self.store, folder, referrer)?,
        };
        let manifest: Manifest = serde_json::from_slice(&documents.manifest).context(|| "the manifest makes no sense")?;
        // A blob is what it is, not a layer of files: nothing is known of what is in it.
        let layer = |blob: Descriptor| Layer { diff_id: blob.digest.clone(), history: History::default(), blob };
        let layers: Vec<Layer> = manifest.layers.iter().cloned().map(layer).collect();
        match to {
            Keeper::Registry(name) => self.push_referrer(from, &documents, layers, name)?,
            Keeper::Layout(_) => {
                if let Keeper::Registry(name) = from {
                    self.registries.fetch_layers(name, &layers, self.store, self.output)?;
                }
                self.store.put(&manifest.config.media_type, &documents.config)?;
                self.store.put(&referrer.media_type, &documents.manifest)?;
            }
        }
        Ok(documents.manifest)
    }

    fn push_referrer(&self, from: Keeper, documents: &Documents, layers: Vec<Layer>, to: &Reference) -> Result<()> {
        let sources = match from {
            Keeper::Registry(name) => vec![Source(name.clone())],
            Keeper::Layout(_) => Vec::new(),
        };
        let blobs = layers.into_iter().map(|layer| Blob { layer, sources: sources.clone() }).collect();
        let name = to.pinned(&documents.descriptor.digest);
        self.registries.push_all(&Push { documents, blobs, store: self.store, progress: None }, &name)
    }
}
