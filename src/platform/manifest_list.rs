//! Lists of images for several machines, put together on this machine and then sent to a registry (`cooper manifest`). A list names its images
//! and where they are; sending it brings them into its repository.

use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Documents, Image, Index, Platform, Reference, media_type, to_json};
use crate::output::Output;
use crate::registry::{Blob, Push, Registries, Source};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A list on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct List {
    /// What the list becomes: an OCI index or Docker's list.
    media_type: String,
    members: Vec<Member>,
}

/// An image of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Member {
    /// The name that it was added by.
    name: String,
    /// What the list says of it.
    descriptor: Descriptor,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// An index of the OCI Image Specification.
    #[default]
    Oci,
    /// A manifest list of Docker's schema 2.
    Docker,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Oci => media_type::INDEX,
            Self::Docker => media_type::DOCKER_INDEX,
        }
    }
}

/// What a list is to say of an image besides what the image says of itself.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The operating system.
    pub os: Option<String>,
    /// The processor.
    pub architecture: Option<String>,
    /// The processor's variant.
    pub variant: Option<String>,
    /// Annotations.
    pub annotations: Vec<(String, String)>,
}

/// Lists, and where images for them are.
pub struct Lists<'a> {
    /// The store.
    pub store: &'a Store,
    /// Registries, with the user's credentials.
    pub registries: &'a Registries,
    /// What a person reads.
    pub output: &'a Output,
}

impl Lists<'_> {
    /// Makes a list of images.
    ///
    /// # Errors
    /// When there is a list with that name, or an image is nowhere.
    pub fn create(&self, name: &Reference, images: &[Reference], form: Form) -> Result<()> {
        if self.store.manifest_list(name)?.is_some() {
            return Err(Error::new(format!("there is a list `{name}` already"))
                .hint(format!("change it with `cooper manifest add` and `rm`, or remove it with `cooper manifest remove {name}`")));
        }
        let mut list = List { media_type: form.media_type().into(), members: Vec::new() };
        for image in images {
            self.join(&mut list, image)?;
        }
        self.keep(name, &list)
    }

    /// Adds an image, or all of another list, to a list. One that is there stays as it is.
    ///
    /// # Errors
    /// When there is no such list, or the image is nowhere.
    pub fn add(&self, name: &Reference, image: &Reference) -> Result<()> {
        let mut list = self.get(name)?;
        self.join(&mut list, image)?;
        self.keep(name, &list)
    }

    /// Changes what a list says of an image.
    ///
    /// # Errors
    /// When there is no such list, or the image is not in it.
    pub fn annotate(&self, name: &Reference, image: &Reference, notes: &Notes) -> Result<()> {
        let mut list = self.get(name)?;
        let place = self.place(&list, name, image)?;
        let descriptor = &mut list.members[place].descriptor;
        let platform = descriptor.platform.get_or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in [("os", &notes.os), ("architecture", &notes.architecture), ("variant", &notes.variant)] {
            if let Some(value) = value {
                platform[key] = value.as_str().into();
            }
        }
        descriptor.annotations.extend(notes.annotations.iter().cloned());
        self.keep(name, &list)
    }

    /// Takes images out of a list.
    ///
    /// # Errors
    /// When there is no such list, or an image is not in it; then it stays as it is.
    pub fn take_out(&self, name: &Reference, images: &[Reference]) -> Result<()> {
        let mut list = self.get(name)?;
        for image in images {
            let place = self.place(&list, name, image)?;
            list.members.remove(place);
        }
        self.keep(name, &list)
    }

    /// Removes lists from this machine.
    ///
    /// # Errors
    /// When one is not there; the others are removed.
    pub fn remove(&self, names: &[Reference]) -> Result<()> {
        let mut missing = Vec::new();
        for name in names {
            match self.store.remove_manifest_list(name)? {
                true => self.output.line(&format!("removed the list {}", name.familiar())),
                false => missing.push(name.familiar()),
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::new(format!("there is no list {}", missing.join(", ")))) }
    }

    /// The index as JSON: of a list on this machine, else of what its registry has.
    ///
    /// # Errors
    /// When there is none.
    pub fn inspect(&self, name: &Reference) -> Result<Value> {
        let index = match self.stored(name)? {
            Some(list) => list.index(),
            None => {
                let members = self.registries.members(name)?;
                if members.is_empty() {
                    return Err(missing(name));
                }
                Index { manifests: members.into_iter().map(|member| member.descriptor).collect(), ..Index::default() }
            }
        };
        serde_json::from_slice(&to_json(&index)).context(|| "the list makes no sense")
    }

    /// Sends a list to its registry: first the images that its repository lacks, then the list itself. Returns the list's digest.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses; the name then means what it meant before.
    pub fn push(&self, name: &Reference) -> Result<String> {
        let list = self.get(name)?;
        for member in &list.members {
            let described = || format!("cannot send the image `{}`", member.name);
            self.push_member(member, name).context(described)?;
        }
        let document = to_json(&list.index());
        self.registries.push_list(&document, &list.media_type, name).context(|| format!("cannot send the list `{name}`"))?;
        Ok(Descriptor::of(&list.media_type, &document).digest.to_string())
    }

    fn push_member(&self, member: &Member, list: &Reference) -> Result<()> {
        let digest = &member.descriptor.digest;
        let here = list.pinned(digest);
        let source = Reference::parse(&member.name)?;
        let (documents, layers) = match self.store.read(digest) {
            Ok(stored) => (self.store.documents(&stored)?, stored.image.layers),
            Err(_) => {
                let found = self
                    .registries
                    .members(&source.pinned(digest))?
                    .into_iter()
                    .next()
                    .context(|| "its registry does not have it any more")?;
                let remote = found.remote;
                let documents = Documents { config: remote.config_bytes, manifest: remote.manifest_bytes, descriptor: remote.manifest };
                (documents, remote.image.layers)
            }
        };
        self.output.detail(&format!("sending {} for {}", member.name, Platform::of_entry(&member.descriptor)));
        let blobs = layers.into_iter().map(|layer| Blob { layer, sources: vec![Source(source.clone())] }).collect();
        self.registries.push(&Push { documents: &documents, blobs, store: self.store, progress: None }, &here)
    }

    /// Puts an image, or all of a list, into a list.
    fn join(&self, list: &mut List, image: &Reference) -> Result<()> {
        for descriptor in self.describe(image)? {
            let is_known = list.members.iter().any(|member| member.descriptor.digest == descriptor.digest);
            if !is_known {
                list.members.push(Member { name: image.full(), descriptor });
            }
        }
        Ok(())
    }

    fn describe(&self, name: &Reference) -> Result<Vec<Descriptor>> {
        if let Some(index) = self.store.find_index(name)? {
            return Ok(index.images.into_iter().map(|(descriptor, stored)| described(descriptor, &stored.image)).collect());
        }
        if let Some(stored) = self.store.find(name)? {
            let size = self.store.blob_path(&stored.digest).metadata().context(|| "cannot read the manifest")?.len();
            let media_type = stored.image.documents().descriptor.media_type;
            return Ok(vec![described(Descriptor::new(&media_type, size, stored.digest), &stored.image)]);
        }
        let members = self.registries.members(name)?;
        if members.is_empty() {
            return Err(Error::new(format!("there is no image `{name}`")).hint("neither the store nor its registry has it"));
        }
        Ok(members.into_iter().map(|member| described(member.descriptor, &member.remote.image)).collect())
    }

    /// Which image of a list a person means: by its digest, or by the name that it was added by.
    fn place(&self, list: &List, name: &Reference, image: &Reference) -> Result<usize> {
        let by_digest = list.members.iter().position(|member| Some(&member.descriptor.digest) == image.digest());
        let by_name = || list.members.iter().position(|member| member.name == image.full());
        let found = by_digest.or_else(by_name);
        let names: Vec<&str> = list.members.iter().map(|member| member.name.as_str()).collect();
        found.context(|| format!("`{image}` is not in the list `{name}`")).hint(format!("in it are: {}", names.join(", ")))
    }

    fn get(&self, name: &Reference) -> Result<List> {
        self.stored(name)?.ok_or_else(|| missing(name))
    }

    fn stored(&self, name: &Reference) -> Result<Option<List>> {
        let Some(document) = self.store.manifest_list(name)? else { return Ok(None) };
        serde_json::from_slice(&document).context(|| format!("the list `{name}` is damaged")).map(Some)
    }

    fn keep(&self, name: &Reference, list: &List) -> Result<()> {
        let document = serde_json::to_vec(list).context(|| "cannot write the list")?;
        self.store.put_manifest_list(name, &document)
    }
}

impl List {
    fn index(&self) -> Index {
        let manifests = self.members.iter().map(|member| member.descriptor.clone()).collect();
        Index { media_type: self.media_type.clone(), manifests, ..Index::default() }
    }
}

fn missing(name: &Reference) -> Error {
    Error::new(format!("there is no list `{name}`")).hint(format!("make one with `cooper manifest create {name} IMAGE…`"))
}

/// A descriptor with the machine that an image is for, unless it says that already.
fn described(descriptor: Descriptor, image: &Image) -> Descriptor {
    let platform = descriptor.platform.clone().unwrap_or_else(|| Platform::entry(&image.config));
    Descriptor { platform: Some(platform), ..descriptor }
}
