//! Lists of images in registries: reading all that one has, and putting one together in a repository.

use super::find::{DEEPEST, image, is_list, manifest};
use super::{Registries, Remote};
use crate::error::{Context, Error, Result};
use crate::http::{Body, Method, repeatedly};
use crate::image::{Descriptor, Index, Reference};
use crate::registry::fault::fault;
use crate::registry::session::{Access, Call};

/// A list with more images is refused.
const MOST_IMAGES: usize = 500;

/// An image of a list, and where it is.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the list says of it.
    pub descriptor: Descriptor,
    /// Itself.
    pub remote: Remote,
}

impl Registries {
    /// The images that a name means: itself, or all of a list and of the lists in it. None where the name means nothing.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else under that name.
    pub fn members(&self, name: &Reference) -> Result<Vec<Member>> {
        self.find_members(name).context(|| format!("cannot read the image `{}`", name.full()))
    }

    fn find_members(&self, name: &Reference) -> Result<Vec<Member>> {
        let session = self.session(name)?;
        let Some(found) = manifest(&session, name, name.wanted(), None)? else { return Ok(Vec::new()) };
        let (mut lists, mut members) = (vec![(found.descriptor.clone(), found, 0)], Vec::new());
        while let Some((descriptor, document, depth)) = lists.pop() {
            if !is_list(&document)? {
                members.push(Member { descriptor, remote: image(&session, name, document)? });
                continue;
            }
            let index: Index = serde_json::from_slice(&document.bytes).context(|| "the list of images makes no sense")?;
            if depth == DEEPEST || lists.len() + members.len() + index.manifests.len() > MOST_IMAGES {
                return Err(Error::new(format!("it is a list of more than {MOST_IMAGES} images, or of lists of lists of lists")));
            }
            // The last is looked at first.
            for child in index.manifests.into_iter().rev().filter(is_image) {
                let document = manifest(&session, name, child.digest.as_str(), Some(&child))?;
                let document = document.context(|| format!("the registry lacks the image {}", child.digest))?;
                lists.push((child, document, depth + 1));
            }
        }
        Ok(members)
    }

    /// Gives a list of images a name; its images must be in the repository.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn push_list(&self, list: &[u8], media_type: &str, name: &Reference) -> Result<()> {
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

/// Attestations of builds stand in lists too, for no machine.
fn is_image(child: &Descriptor) -> bool {
    child.platform.as_ref().is_none_or(|platform| platform["os"] != "unknown")
}
