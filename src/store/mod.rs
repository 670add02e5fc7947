//! The images on this machine: an OCI image layout that skopeo, crane and umoci can read, with each layer also unpacked once, the caches of
//! applications and the packages of Debian beside it. Writers stage in `tmp`, then rename, so a kill at any moment leaves it valid.
//! Start with [`Store`].

mod blob;
mod docker_archive;
mod documents;
mod import;
mod index;
mod layout;
mod lists;
mod lock;
mod members;
mod platforms;
mod prune;
mod pulled;
mod referrers;
mod saved;
mod unpacked;
mod unsynced;
mod verify;

pub use blob::{BlobWriter, NewLayer};
pub use docker_archive::{write_docker_archive, write_layout_archive};
pub use import::{read_layout, read_layout_index};
pub use layout::{layout_has, write_layout};
pub use lock::Lock;
pub use platforms::StoredIndex;
pub use prune::remove_tree;
pub use referrers::{layout_file, layout_referrers, read_document, read_referrer, write_referrer};
pub use saved::{read_archive, read_opened_archive, read_other_images};
pub use unpacked::Unpacked;

use crate::archive::{Form, LayerWriter};
use crate::error::{Advice, Context, Result};
use crate::image::{Config, Descriptor, Digest, History, Image, Layer, Manifest, Reference, media_type};
use crate::output::Output;
use blob::OnDisk;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The store in one folder.
pub struct Store {
    root: PathBuf,
    lasting: bool,
    lost: Vec<String>,
    /// Held while the store is open, so that nobody prunes what is in use.
    _in_use: File,
}

/// An image in the store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The image.
    pub image: Image,
    /// Digest of its manifest.
    pub digest: Digest,
}

/// One name in the store and what it names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The full name.
    pub name: String,
    /// Digest of the image's manifest, or of the index of several.
    pub digest: Digest,
    /// The image; of an index, all that are there.
    pub images: Vec<Stored>,
}

impl Store {
    /// Opens the store in `root`, making it where there is none, and clears away what killed programs left.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_as(root, true)
    }

    /// Opens a store that no other program will open later, so that nothing has to reach the disk.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open_passing(root: &Path) -> Result<Self> {
        Self::open_as(root, false)
    }

    fn open_as(root: &Path, lasting: bool) -> Result<Self> {
        let hint = "name another folder with `--store`, or make this one writable";
        let describe = || format!("cannot open the store `{}`", root.display());
        for folder in ["blobs/sha256", "layers", "cache", "debian", "locks", "tmp"] {
            fs::create_dir_all(root.join(folder)).context(describe).hint(hint)?;
        }
        let root = root.canonicalize().context(describe)?;
        let in_use = lock::share(&root.join("locks/store")).context(describe).hint(hint)?;
        let mut store = Self { root, lasting, lost: Vec::new(), _in_use: in_use };
        store.clear_stale().context(describe)?;
        store.lost = store.settle().context(describe)?;
        layout::initialise(&store.root).context(describe).hint(hint)?;
        Ok(store)
    }

    /// The names of images that were lost because the machine stopped soon after they were pulled.
    pub fn lost(&self) -> &[String] {
        &self.lost
    }

    /// The store's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the packages and indexes of Debian are kept.
    pub fn debian(&self) -> PathBuf {
        self.root.join("debian")
    }

    /// The folder of what was learned of run images' layers.
    pub fn inventories(&self) -> PathBuf {
        self.root.join("inventories")
    }

    /// Where the cache of the application with this key is kept.
    pub fn cache(&self, key: &str) -> PathBuf {
        self.root.join("cache").join(key)
    }

    /// A folder for work in progress, on the store's own file system.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> Result<Scratch> {
        let folder =
            tempfile::Builder::new().prefix("work-").tempdir_in(self.root.join("tmp")).context(|| "cannot make a folder to work in")?;
        Ok(Scratch(folder.keep()))
    }

    /// Waits until nobody else works on `key`, and keeps others from it until the lock is dropped.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lock(&self, key: &str, output: &Output) -> Result<Lock> {
        lock::exclusive(&self.root.join("locks").join(key), || output.line("waiting for another build of the same image to end"))
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Opens a blob.
    ///
    /// # Errors
    /// When it is not there.
    pub fn blob(&self, digest: &Digest) -> Result<File> {
        File::open(self.blob_path(digest))
            .context(|| format!("cannot read the blob {digest} of the store `{}`", self.root.display()))
            .hint("run `cooper store verify`; build the image again if something is missing")
    }

    /// Starts a blob whose digest is not known yet.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new_blob(&self) -> Result<BlobWriter> {
        BlobWriter::new(&self.root, if self.lasting { OnDisk::First } else { OnDisk::Never })
    }

    /// Starts a blob that its registry has too. It need not be on the disk before it counts.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new_blob_of_registry(&self) -> Result<BlobWriter> {
        BlobWriter::new(&self.root, if self.lasting { OnDisk::Later } else { OnDisk::Never })
    }

    /// Stores a small document and returns its descriptor.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        let descriptor = Descriptor::of(media_type, bytes);
        if !self.has_blob(&descriptor.digest) {
            let mut blob = self.new_blob()?;
            blob.write_all(bytes).context(|| "cannot write to the store")?;
            blob.commit(&descriptor.digest)?;
        }
        Ok(descriptor)
    }

    /// Stores the layer whose tar `write` writes.
    ///
    /// # Errors
    /// When `write` fails or the store cannot be written.
    pub fn put_layer(&self, history: History, write: impl FnOnce(&mut LayerWriter<BlobWriter>) -> Result<()>) -> Result<Layer> {
        self.new_layer(Form::Gzip, write)?.commit(history)
    }

    /// Makes a layer of the tar that `write` writes. It is in the store once it is committed.
    ///
    /// # Errors
    /// When `write` fails or the store cannot be written.
    pub fn new_layer(&self, form: Form, write: impl FnOnce(&mut LayerWriter<BlobWriter>) -> Result<()>) -> Result<NewLayer> {
        let mut writer = LayerWriter::new(self.new_blob()?, form);
        write(&mut writer)?;
        let (written, blob) = writer.finish().context(|| "cannot write a layer to the store")?;
        let media_type = match form {
            Form::Gzip => media_type::LAYER_GZIP,
            Form::Tar => media_type::LAYER,
        };
        Ok(NewLayer { descriptor: Descriptor::new(media_type, written.size, written.digest), diff_id: written.diff_id, blob })
    }

    /// Stores an image's documents; its layers must be there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_image(&self, image: &Image) -> Result<Descriptor> {
        let documents = image.documents();
        self.put(media_type::CONFIG, &documents.config)?;
        self.put(media_type::MANIFEST, &documents.manifest)?;
        Ok(documents.descriptor)
    }

    /// Gives an image a name, which another image then has no more.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn tag(&self, name: &Reference, manifest: &Descriptor) -> Result<()> {
        index::change(&self.root, |index| index::set(index, &name.full(), manifest))
    }

    /// Takes a name away. Returns whether it was there.
    ///
    /// # Errors
    /// When the index cannot be read or written.
    pub fn untag(&self, name: &Reference) -> Result<bool> {
        let mut found = false;
        index::change(&self.root, |index| {
            let before = index.manifests.len();
            index.manifests.retain(|manifest| index::name_of(manifest) != Some(&name.full()));
            found = index.manifests.len() != before;
        })?;
        Ok(found)
    }

    /// All names, sorted.
    ///
    /// # Errors
    /// When the index or an image cannot be read.
    pub fn list(&self) -> Result<Vec<Named>> {
        let mut all = Vec::new();
        for manifest in index::read(&self.root)?.manifests {
            if let Some(name) = index::name_of(&manifest) {
                let images = if manifest.is_index() {
                    self.read_index(&manifest)?.images.into_iter().map(|(_, stored)| stored).collect()
                } else {
                    vec![self.read(&manifest.digest)?]
                };
                all.push(Named { name: name.clone(), digest: manifest.digest, images });
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// The image whose manifest has this digest.
    ///
    /// # Errors
    /// When a document is missing or damaged.
    pub fn read(&self, digest: &Digest) -> Result<Stored> {
        let manifest: Manifest = self.document(digest)?;
        let config: Config = self.document(&manifest.config.digest)?;
        let image = Image::from_documents(&manifest, config).context(|| format!("the image {digest} is damaged"))?;
        Ok(Stored { image, digest: digest.clone() })
    }

    fn document<T: serde::de::DeserializeOwned>(&self, digest: &Digest) -> Result<T> {
        let bytes =
            fs::read(self.blob_path(digest)).context(|| format!("cannot read the document {digest}")).hint("run `cooper store verify`")?;
        serde_json::from_slice(&bytes).context(|| format!("the document {digest} is damaged"))
    }
}

/// A folder for work in progress, removed when it is dropped, whatever modes its content has.
pub struct Scratch(PathBuf);

impl Scratch {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is cleared when the store is next opened.
        drop(remove_tree(&self.0));
    }
}

#[cfg(test)]
mod tests;
