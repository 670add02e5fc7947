//! What another run image changes, and whether that is but a patch: packages, roots of trust, and what the app's own files are linked to.

use super::known::Known;
use super::places::App;
use super::{Request, RunImage};
use crate::debian::difference::{Difference, Missed, changed_sources};
use crate::debian::inventory::{Inventory, Look};
use crate::debian::{Cache, changelog};
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Layer, Reference};
use crate::lifecycle::rebaser::layers_of;
use crate::platform::images::Images;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Changes when an inventory has something else in it.
const FORM: u32 = 1;
/// How many symbols are named that a file would miss.
const MOST_TOLD: usize = 3;

/// What the new run image changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The releases that the two are of.
    pub release: Release,
    /// Bytes of the layers as they are sent.
    pub size: Sizes,
    /// What their layers say; nothing where they were not looked at.
    pub difference: Option<Difference>,
    /// What files of the app would miss.
    pub missed: Vec<Missed>,
    /// Why the new one is no patch of the old one, for people.
    pub doubts: Vec<String>,
}

/// What labels say of a run image's age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Of the old one, as RFC 3339.
    pub from: Option<String>,
    /// Of the new one, as RFC 3339.
    pub to: Option<String>,
}

/// Sizes before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Of the old run image.
    pub from: u64,
    /// Of the new one.
    pub to: u64,
}

/// Layers, and where they are if they are not in the store.
struct Layers<'a> {
    layers: &'a [Layer],
    registry: Option<&'a Reference>,
}

/// Compares the run image that an app is on with another one.
pub(super) fn compare(app: &App, run: &RunImage, request: &Request, known: &Known, images: &Images) -> Result<Option<Comparison>> {
    let (old, own) = layers_of(&app.image)?;
    if old.iter().map(|layer| &layer.diff_id).eq(run.image.layers.iter().map(|layer| &layer.diff_id)) {
        return Ok(None);
    }
    let (old, own, new) = (near(old, images)?, near(own, images)?, near(&run.image.layers, images)?);
    let (old, own) = (Layers { layers: &old, registry: app.registry.as_ref() }, Layers { layers: &own, registry: app.registry.as_ref() });
    let new = Layers { layers: &new, registry: run.registry.as_ref() };
    let released = |image: &Image| image.label("io.buildpacks.base.released").map(str::to_string);
    let size = |layers: &[Layer]| layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.blob.size));
    let key = format!("{} {}", old.key(), new.key());
    let difference = known.differences.get(key, || difference(&old, &new, run, request, images))?;
    let mut comparison = Comparison {
        release: Release { from: released(&app.image), to: released(&run.image) },
        size: Sizes { from: size(old.layers), to: size(new.layers) },
        difference: difference.as_ref().clone(),
        missed: Vec::new(),
        doubts: Vec::new(),
    };
    let mut unknown = None;
    if let Some(difference) = difference.as_ref().as_ref().filter(|difference| difference.loses()) {
        if own.are_here(images) || own.registry.is_some() {
            own.fetch(images)?;
            comparison.missed = difference.missed(&own.read(Look::Needed, images)?.users);
        } else {
            unknown =
                Some("libraries or symbols would go, and the layers of the app are not here to tell whether it needs them".to_string());
        }
    }
    comparison.doubts = doubts(&comparison).into_iter().chain(unknown).collect();
    Ok(Some(comparison))
}

/// The layers as the store has them: an engine knows by its own digests what the store may have too.
fn near(layers: &[Layer], images: &Images) -> Result<Vec<Layer>> {
    let mut layers = layers.to_vec();
    if layers.iter().any(|layer| layer.blob.digest == layer.diff_id && !images.store.has_blob(&layer.blob.digest)) {
        let known = images.store.known_layers()?;
        layers.iter_mut().for_each(|layer| layer.blob = known.get(&layer.diff_id).unwrap_or(&layer.blob).clone());
    }
    Ok(layers)
}

/// What changes from one run image to another; nothing where their layers are elsewhere and may not be fetched.
fn difference(old: &Layers, new: &Layers, run: &RunImage, request: &Request, images: &Images) -> Result<Option<Difference>> {
    let may_fetch = request.compare || run.lock.is_some();
    let (Some(before), Some(after)) = (old.offered(may_fetch, images)?, new.offered(may_fetch, images)?) else { return Ok(None) };
    let mut changelogs = after.changelogs.clone();
    if let Some(lock) = &run.lock {
        let sources = changed_sources(&before, &after);
        changelogs.extend(changelog::of_sources(
            &sources,
            &lock.whole,
            request.mirrors,
            &Cache::new(images.store.debian()),
            images.output,
        )?);
    }
    Ok(Some(Difference::between(&before, &after, &changelogs)))
}

impl Layers<'_> {
    /// What the layers offer; nothing where they are elsewhere and may not be fetched. Kept, because many images stand on the same ones.
    fn offered(&self, may_fetch: bool, images: &Images) -> Result<Option<Inventory>> {
        let kept = self.kept(images);
        if let Some(inventory) = std::fs::read(&kept).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(Some(inventory));
        }
        if !self.are_here(images) {
            // Engines give whole images only.
            if !may_fetch || self.registry.is_none() {
                return Ok(None);
            }
            self.fetch(images)?;
        }
        let inventory = self.read(Look::Offered, images)?;
        let describe = || "cannot keep what was learned of a run image";
        let folder = kept.parent().context(describe)?;
        std::fs::create_dir_all(folder).context(describe)?;
        let file = tempfile::NamedTempFile::new_in(folder).context(describe)?;
        serde_json::to_writer(std::io::BufWriter::new(&file), &inventory).context(describe)?;
        file.persist(kept).context(describe)?;
        Ok(Some(inventory))
    }

    fn kept(&self, images: &Images) -> PathBuf {
        images.store.inventories().join(format!("{}.json", self.key()))
    }

    /// The same for the same layers.
    fn key(&self) -> String {
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        Digest::of(format!("{FORM} {}", layers.join(" ")).as_bytes()).hex()[..32].to_string()
    }

    fn are_here(&self, images: &Images) -> bool {
        self.layers.iter().all(|layer| images.store.has_blob(&layer.blob.digest))
    }

    fn fetch(&self, images: &Images) -> Result<()> {
        match self.registry {
            Some(name) if !self.are_here(images) => images.registries.fetch_layers(name, self.layers, images.store, images.output),
            Some(_) | None => Ok(()),
        }
    }

    fn read(&self, look: Look, images: &Images) -> Result<Inventory> {
        Inventory::read(self.layers.iter().map(|layer| images.store.blob(&layer.blob.digest)), look)
    }
}

fn doubts(comparison: &Comparison) -> Vec<String> {
    let mut doubts = Vec::new();
    let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if let (Some(from), Some(to)) = (time(&comparison.release.from), time(&comparison.release.to))
        && to < from
    {
        doubts.push(format!("the new run image is of {to}, older than the one of {from}"));
    }
    if let Some(difference) = &comparison.difference {
        doubts.extend(packages("would go", &difference.removed));
        let lower = difference.changed.iter().filter(|changed| changed.lower);
        doubts.extend(packages("would get a lower version", &lower.map(|changed| (changed.package.clone(), changed.to.clone())).collect()));
    }
    let mut missed: BTreeMap<(&str, &str), Vec<&Missed>> = BTreeMap::new();
    comparison.missed.iter().for_each(|one| missed.entry((&one.of, &one.path)).or_default().push(one));
    for ((of, path), all) in missed {
        let what: Vec<&str> = all.iter().map(|missed| missed.what.as_str()).collect();
        let more = if what.len() > MOST_TOLD { format!(" and {} more", what.len() - MOST_TOLD) } else { String::new() };
        let what = what[..what.len().min(MOST_TOLD)].join("`, `");
        let of = if of.is_empty() { String::new() } else { format!(" of `{of}`") };
        doubts.push(format!("`{what}`{more}{of}, which `{path}` of the app needs, would go"));
    }
    doubts
}

fn packages(what: &str, packages: &BTreeMap<String, String>) -> Option<String> {
    let names: Vec<&str> = packages.keys().map(String::as_str).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| format!("the package{plural} {} {what}", names.join(", ")))
}
