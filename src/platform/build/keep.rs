//! Where is kept what a build caches: the store, a folder, or an image of a registry (`--cache`, `--cache-image`; CLI-10, CLI-11).

use super::Request;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Platform, Reference};
use crate::lifecycle::cache::{AppCache, Cache, Former, ImageCache, VolumeCache};
use crate::output::Output;
use crate::store::{Store, remove_tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a cache is written.
const FORMS: &str =
    "write `type=build;format=bind;source=DIR`, `type=build;format=volume;name=NAME` or `type=build;format=image;name=IMAGE`";
/// The folder of the build's cache in one that was named for it, as the reference calls it.
const FOLDER: &str = "build-cache";

/// Where is kept what a build caches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// In the store, for the image of this name.
    #[default]
    OfImage,
    /// In the store, for all builds that name it so.
    Named(String),
    /// In a folder, in the form that the reference's lifecycle reads and writes.
    Folder(PathBuf),
    /// In an image of a registry.
    Image(Reference),
}

impl Kept {
    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::OfImage | Self::Named(_) | Self::Image(_) => None,
        }
    }
}

/// Reads what a user says of caches: `--cache`, which may stand there for each of the two types, and `--cache-image`.
///
/// # Errors
/// When it makes no sense, or the cache is none that there can be.
pub fn kept_in(caches: &[String], image: Option<&str>) -> Result<Kept> {
    let mut kept = image.map(|name| Reference::parse_new(name).map(Kept::Image)).transpose()?;
    for text in caches {
        let Some(found) = parse(text).context(|| format!("cannot use `--cache {text}`"))? else { continue };
        if kept.is_some() {
            return Err(Error::new("the cache of the build is named twice")).hint("name it once, with `--cache` or `--cache-image`");
        }
        kept = Some(found);
    }
    Ok(kept.unwrap_or_default())
}

/// The build's cache; none where the text is about the launch cache. What the reference keeps there, the store has anyway.
fn parse(text: &str) -> Result<Option<Kept>> {
    let mut fields = BTreeMap::new();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').context(|| format!("`{part}` has no value")).hint(FORMS)?;
        let known = ["type", "format", "name", "source"].contains(&key.to_ascii_lowercase().as_str());
        if !known || fields.insert(key.to_ascii_lowercase(), value).is_some() {
            return Err(Error::new(format!("`{key}` is unknown, or there twice")).hint(FORMS));
        }
    }
    let field = |name: &str| fields.get(name).copied().filter(|value| !value.is_empty());
    let wanted = |name: &str| field(name).context(|| format!("it has no `{name}`")).hint(FORMS);
    let kept = match field("format").unwrap_or("volume") {
        "bind" => Kept::Folder(PathBuf::from(wanted("source")?)),
        "volume" => field("name").map_or(Kept::OfImage, |name| Kept::Named(name.into())),
        "image" => Kept::Image(Reference::parse_new(wanted("name")?)?),
        other => return Err(Error::new(format!("the format `{other}` is unknown")).hint(FORMS)),
    };
    match (wanted("type")?, &kept) {
        ("build", _) => Ok(Some(kept)),
        ("launch", Kept::Image(_)) => {
            Err(Error::new("a launch cache cannot be an image")).hint("leave it out: layers are kept in the store")
        }
        ("launch", _) => Ok(None),
        (other, _) => Err(Error::new(format!("the type `{other}` is unknown")).hint(FORMS)),
    }
}

/// Opens the cache of a build for a platform: what was built for another processor is of no use.
pub(super) fn open(request: &Request, platform: &Platform, store: &Store, output: &Output) -> Result<Box<dyn Cache>> {
    let foreign = if *platform == Platform::here() { String::new() } else { format!(" {platform}") };
    let clear = |folder: &Path| match request.clear_cache {
        true => remove_tree(folder).context(|| format!("cannot clear the cache `{}`", folder.display())),
        false => Ok(()),
    };
    let in_store = |name: &str| -> Result<Box<dyn Cache>> {
        let folder = store.cache(&Digest::of(format!("{name}{foreign}").as_bytes()).hex()[..32]);
        clear(&folder)?;
        Ok(Box::new(AppCache::open(&folder)?))
    };
    match &request.cache {
        Kept::OfImage => in_store(&request.image.full()),
        Kept::Named(name) => in_store(name),
        Kept::Folder(folder) => {
            let folder = folder.join(FOLDER).join(foreign.trim().replace('/', "-"));
            clear(&folder)?;
            let describe = || format!("cannot use the cache `{}`", folder.display());
            std::fs::create_dir_all(&folder).context(describe)?;
            Ok(Box::new(VolumeCache::open(&folder).context(describe)?))
        }
        Kept::Image(name) => {
            let name = if request.platforms.len() > 1 { &of_platform(name, platform)? } else { name };
            let cache = ImageCache::open(request.registries.clone(), name, platform, Former::Stays, output);
            Ok(Box::new(cache.context(|| "cannot use the cache image")?))
        }
    }
}

/// The cache image of one of several platforms: the tag says which.
fn of_platform(name: &Reference, platform: &Platform) -> Result<Reference> {
    let platform = platform.to_string().replace('/', "-");
    Reference::parse(&format!("{}/{}:{}-{platform}", name.registry(), name.repository(), name.tag().unwrap_or("latest")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-11.
    #[test]
    fn a_cache_is_written_as_packs_users_write_it() {
        let of = |text: &str| kept_in(&[text.to_string()], None).unwrap();
        assert_eq!(of("type=build;format=bind;source=./c"), Kept::Folder("./c".into()));
        assert_eq!(of("type=build;format=volume;name=shared"), Kept::Named("shared".into()));
        assert_eq!(of("type=build;format=image;name=r.test/c"), Kept::Image(Reference::parse("r.test/c").unwrap()));
        assert_eq!(of("type=build;format=volume"), Kept::OfImage);
        assert_eq!(of("type=launch;format=bind;source=x"), Kept::OfImage);
        let several = ["type=launch;name=l".to_string(), "type=build;format=volume;name=b".to_string()];
        assert_eq!(kept_in(&several, None).unwrap(), Kept::Named("b".into()));
        for bad in [
            "",
            "build",
            "type=other",
            "type=build;format=tape",
            "type=build;format=bind",
            "type=launch;format=image;name=x",
            "type=build;x=1",
        ] {
            assert!(kept_in(&[bad.to_string()], None).is_err(), "{bad}");
        }
    }

    /// CLI-10.
    #[test]
    fn a_build_has_one_cache() {
        let error = kept_in(&["type=build;format=image;name=a".to_string()], Some("b")).unwrap_err();
        assert!(error.to_string().contains("named twice"));
    }
}
