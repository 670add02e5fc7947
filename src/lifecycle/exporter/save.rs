//! Gives an exported image its names.

use crate::error::{Error, Result};
use crate::image::{Image, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::output::Output;
use crate::store::Store;

/// Puts the image into the store under all these names, and says what was made. The image that had a name before stays until then.
///
/// # Errors
/// When the image cannot be stored, or some name cannot be given to it; the message lists each of them, the others have it.
pub fn save(image: &Image, names: &[Reference], store: &Store, output: &Output) -> Result<ImageReport> {
    if let Some(name) = names.first() {
        output.detail(&format!("Saving {name}..."));
    }
    let descriptor = store.put_image(image).map_err(|error| error.code(62))?;
    let mut tags = Vec::new();
    let mut refused = Vec::new();
    output.detail(&format!("*** Images ({}):", descriptor.digest.short()));
    for name in names {
        match store.tag(name, &descriptor) {
            Ok(()) => {
                output.detail(&format!("      {name}"));
                tags.push(name.to_string());
            }
            Err(error) => refused.push(format!("{name} - {error:?}")),
        }
    }
    output.detail(&format!("*** Digest: {}", descriptor.digest));
    output.detail(&format!("*** Manifest Size: {}", descriptor.size));
    if !refused.is_empty() {
        return Err(Error::new(format!("failed to write image to the following tags: [{}]", refused.join("; "))).code(62));
    }
    Ok(ImageReport { tags, digest: descriptor.digest.to_string(), manifest_size: descriptor.size, ..ImageReport::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXP-31, EXP-33.
    #[test]
    fn an_image_gets_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let names = ["r.io/app:1", "r.io/app:latest"].map(|name| Reference::parse(name).unwrap());
        let report = save(&Image::default(), &names, &store, &Output::quiet()).unwrap();
        assert_eq!(report.tags, ["r.io/app:1", "r.io/app:latest"]);
        for name in &names {
            assert_eq!(store.find(name).unwrap().unwrap().digest.as_str(), report.digest);
        }
    }
}
