//! Lists of images in registries: reading all that one has, and putting one together in a repository.

use super::find::{DEEPEST, Document, image, is_list, manifest};
use super::{Registries, Remote};
use crate::error::{Advice, Context, Error, Result};
use crate::http::{Body, Method, repeatedly};
use crate::image::{Descriptor, Digest, Index, Reference};
use crate::registry::fault::fault;
use crate::registry::session::{Access, Call, Session};

/// A list with more images is refused.
const MOST_IMAGES: usize = 500;

/// A list of images in a registry, with all that it lists.
#[derive(Clone, Debug)]
pub struct RemoteIndex {
    /// What points to it.
    pub descriptor: Descriptor,
    /// Itself, byte for byte.
    pub document: Vec<u8>,
    /// Its images.
    pub images: Vec<Remote>,
}

/// An image of a list, and where it is.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the list says of it.
    pub descriptor: Descriptor,
    /// Itself.
    pub remote: Remote,
}

/// What a name means.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The image, or all of a list and of the lists in it. None where the name means nothing.
    pub members: Vec<Member>,
    /// The list itself, where it is one.
    pub list: Option<List>,
}

/// A list as it is in a registry.
#[derive(Clone, Debug)]
pub struct List {
    /// What points to it.
    pub descriptor: Descriptor,
    /// Itself, byte for byte.
    pub document: Vec<u8>,
    /// What it lists that is no image: attestations of how its images were built.
    pub attestations: Vec<Descriptor>,
}

impl Registries {
    /// The images that a name means: itself, or all of a list and of the lists in it. None where the name means nothing.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else under that name.
    pub fn members(&self, name: &Reference) -> Result<Vec<Member>> {
        Ok(self.listing(name)?.members)
    }

    /// The same with the list itself.
    ///
    /// # Errors
    /// As [`Registries::members`].
    pub fn listing(&self, name: &Reference) -> Result<Listing> {
        self.find_members(name).context(|| format!("cannot read the image `{}`", name.full()))
    }

    /// The list that a name means, whole; nothing where it means a single image, or nothing.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, lacks an image of the list, or has a list of lists.
    pub fn index(&self, name: &Reference) -> Result<Option<RemoteIndex>> {
        self.find_index(name).context(|| format!("cannot read the image `{}`", name.full()))
    }

    fn find_index(&self, name: &Reference) -> Result<Option<RemoteIndex>> {
        let session = self.session(name)?;
        let Some(found) = manifest(&session, name, name.wanted(), None)? else { return Ok(None) };
        if !is_list(&found)? {
            return Ok(None);
        }
        let mut images = Vec::new();
        for child in entries(&found)? {
            let document = child_document(&session, name, &child)?;
            if is_list(&document)? {
                return Err(Error::new("it is a list of lists of images")).hint("name one image with `--platform`");
            }
            images.push(image(&session, name, document)?);
        }
        Ok(Some(RemoteIndex { descriptor: found.descriptor, document: found.bytes, images }))
    }

    fn find_members(&self, name: &Reference) -> Result<Listing> {
        let session = self.session(name)?;
        let Some(found) = manifest(&session, name, name.wanted(), None)? else { return Ok(Listing::default()) };
        let list = is_list(&found)?.then(|| List {
            descriptor: found.descriptor.clone(),
            document: found.bytes.clone(),
            attestations: Vec::new(),
        });
        let (mut lists, mut members, mut attestations) = (vec![(found.descriptor.clone(), found, 0)], Vec::new(), Vec::new());
        while let Some((descriptor, document, depth)) = lists.pop() {
            if !is_list(&document)? {
                members.push(Member { descriptor, remote: image(&session, name, document)? });
                continue;
            }
            let children = entries(&document)?;
            if depth == DEEPEST || lists.len() + members.len() + children.len() > MOST_IMAGES {
                return Err(Error::new(format!("it is a list of more than {MOST_IMAGES} images, or of lists of lists of lists")));
            }
            let (children, others): (Vec<_>, Vec<_>) = children.into_iter().partition(is_image);
            attestations.extend(others);
            // The last is looked at first.
            for child in children.into_iter().rev() {
                let document = child_document(&session, name, &child)?;
                lists.push((child, document, depth + 1));
            }
        }
        Ok(Listing { members, list: list.map(|list| List { attestations, ..list }) })
    }

    /// Gives a list of images a name; its images must be in the repository.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn push_list(&self, list: &[u8], media_type: &str, name: &Reference) -> Result<()> {
        if self.names(name, &Digest::of(list)) {
            return Ok(());
        }
        let session = self.session(name)?;
        let path = format!("manifests/{}", name.tag().unwrap_or("latest"));
        let headers = vec![("content-type", media_type.to_string())];
        let body = Body::Bytes(list.to_vec());
        let call = Call { headers, body, ..Call::new(Method::PUT, name.repository(), &path, Access::Push) };
        repeatedly(|| {
            let response = session.send(&call)?;
            if matches!(response.status(), 201 | 202 | 204) { Ok(()) } else { Err(fault(response)) }
        })
    }
}

/// What a list lists.
fn entries(list: &Document) -> Result<Vec<Descriptor>> {
    let index: Index = serde_json::from_slice(&list.bytes).context(|| "the list of images makes no sense")?;
    if index.manifests.len() > MOST_IMAGES {
        Err(Error::new(format!("it is a list of more than {MOST_IMAGES} images")))
    } else {
        Ok(index.manifests)
    }
}

fn child_document(session: &Session, name: &Reference, child: &Descriptor) -> Result<Document> {
    let document = manifest(session, name, child.digest.as_str(), Some(child))?;
    document.context(|| format!("the registry lacks the image {}", child.digest))
}

/// Attestations of builds stand in lists too, for no machine.
fn is_image(child: &Descriptor) -> bool {
    child.platform.as_ref().is_none_or(|platform| platform["os"] != "unknown")
}
