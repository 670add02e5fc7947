//! Rebases many images: one after the other as they are named, several at once, each whole or not at all. What they share is read once.

use super::known::Known;
use super::places::{App, Apps};
use super::{Rebased, Request, rebase_apps};
use crate::error::{Error, Result};
use crate::image::{Digest, Reference};
use crate::lifecycle::documents::LIFECYCLE_METADATA_LABEL;
use crate::platform::images::Images;
use crate::platform::place::Place;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which images, and how.
pub struct Fleet<'a> {
    /// How each is rebased; its image is nobody's.
    pub request: Request<'a>,
    /// Labels that an image must have, with their values.
    pub selectors: Vec<(String, String)>,
    /// Whether images that buildpacks did not build are passed over.
    pub only_apps: bool,
    /// How many at once.
    pub at_once: usize,
    /// How many in a second at most.
    pub rate: Option<u32>,
    /// After how many that are rebased, or due, to stop.
    pub first: Option<usize>,
}

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is on the new run image.
    Rebased,
    /// It was on it already.
    Current,
    /// It could be rebased.
    Due,
    /// It is not one of those that were asked for.
    Skipped,
    /// The new run image is no patch.
    Refused,
    /// Something went wrong.
    Failed,
}

/// One image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    pub image: String,
    /// What became of it.
    pub state: State,
    /// What it is now, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The run image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_image: Option<String>,
    /// How many packages are in another version.
    pub packages: usize,
    /// The CVE numbers that their changelogs name.
    pub cves: BTreeSet<String>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The names of all app images of a place: of the store, or of the repositories of a registry whose names begin with `within`.
///
/// # Errors
/// When they cannot be listed.
pub fn names<'a>(within: Option<&Reference>, images: &'a Images) -> Result<Box<dyn Iterator<Item = Result<Place>> + Send + 'a>> {
    let Some(within) = within else {
        let named = images.store.list()?.into_iter().map(|named| Ok(Place::Store(Reference::parse(&named.name)?)));
        return Ok(Box::new(named.collect::<Vec<_>>().into_iter()));
    };
    let registry = within.registry().to_string();
    let repositories = images.registries.repositories(within)?.into_iter();
    Ok(Box::new(repositories.flat_map(move |repository| {
        let tags = Reference::parse(&format!("{registry}/{repository}")).and_then(|name| images.registries.tags(&name));
        let place = |tag: String| Reference::parse(&format!("{registry}/{repository}:{tag}")).map(Place::Registry);
        match tags {
            Ok(tags) => tags.into_iter().filter(|tag| !is_of_referrers(tag)).map(place).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        }
    })))
}

/// Whether a tag is where clients keep what refers to an image: `sha256-…`, with an ending or without.
fn is_of_referrers(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").map(|rest| rest.split('.').next().unwrap_or_default());
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Rebases the images of `places` and tells `report` of each as it is done. Returns how many there were of each state.
///
/// # Errors
/// When the places cannot be read any further.
pub fn rebase_all(
    fleet: &Fleet,
    places: impl Iterator<Item = Result<Place>> + Send,
    images: &Images,
    report: impl Fn(&Row) + Sync,
) -> Result<Vec<(State, usize)>> {
    let work = Work { fleet, images, known: Known::default(), next: Mutex::new((places, Instant::now())), counts: Mutex::default() };
    // To stop after a number, one has to wait for each.
    let threads = if fleet.first.is_some() { 1 } else { fleet.at_once.max(1) };
    let failed: Option<Error> = std::thread::scope(|scope| {
        let run = || work.run(&report).err();
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let own = run();
        others.into_iter().filter_map(|other| other.join().ok().flatten()).last().or(own)
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(work.counts.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

struct Work<'a, I> {
    fleet: &'a Fleet<'a>,
    images: &'a Images<'a>,
    known: Known,
    /// The places, and when the next may be begun.
    next: Mutex<(I, Instant)>,
    counts: Mutex<Vec<(State, usize)>>,
}

impl<I: Iterator<Item = Result<Place>>> Work<'_, I> {
    fn run(&self, report: &(impl Fn(&Row) + Sync)) -> Result<()> {
        while let Some(place) = self.next()? {
            let row = self.row(place);
            self.count(row.state);
            report(&row);
        }
        Ok(())
    }

    fn next(&self) -> Result<Option<Place>> {
        let done = |state| {
            self.counts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .filter(|(of, _)| *of == state)
                .map(|(_, count)| count)
                .sum::<usize>()
        };
        if self.fleet.first.is_some_and(|first| done(State::Rebased) + done(State::Due) >= first) {
            return Ok(None);
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let place = next.0.next().transpose()?;
        if let (Some(rate), true) = (self.fleet.rate, place.is_some()) {
            std::thread::sleep(next.1.saturating_duration_since(Instant::now()));
            next.1 = Instant::now() + Duration::from_secs(1) / rate.max(1);
        }
        Ok(place)
    }

    fn count(&self, state: State) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.iter_mut().find(|(of, _)| *of == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
        counts.sort();
    }

    fn row(&self, place: Place) -> Row {
        let image = place.to_string();
        let empty = Row { image, state: State::Failed, digest: None, run_image: None, packages: 0, cves: BTreeSet::new(), error: None };
        match self.rebase(place) {
            Ok(Some(rebased)) => of(&rebased, self.fleet.request.check, empty),
            Ok(None) => Row { state: State::Skipped, ..empty },
            Err(error) => {
                Row { error: Some(std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")), ..empty }
            }
        }
    }

    /// Nothing where the image is none of those that were asked for.
    fn rebase(&self, place: Place) -> Result<Option<Rebased>> {
        let request = Request { image: place, ..self.fleet.request.clone() };
        let apps = Apps::open(&request, self.images)?;
        let is_selected = |app: &App| {
            let fits = self.fleet.selectors.iter().all(|(name, value)| app.image.label(name) == Some(value));
            fits && !(self.fleet.only_apps && app.image.label(LIFECYCLE_METADATA_LABEL).is_none())
        };
        // Of a list, any image tells what it is.
        if !apps.all.iter().any(is_selected) {
            return Ok(None);
        }
        rebase_apps(&apps, &request, &self.known, self.images).map(Some)
    }
}

fn of(rebased: &Rebased, check: bool, row: Row) -> Row {
    let state = match rebased {
        Rebased { refused: true, .. } => State::Refused,
        Rebased { changed: false, .. } => State::Current,
        Rebased { .. } if check => State::Due,
        Rebased { .. } => State::Rebased,
    };
    let changed = rebased.comparison.iter().flat_map(|comparison| &comparison.difference).flat_map(|difference| &difference.changed);
    Row {
        state,
        digest: Some(rebased.digest.clone()),
        run_image: Some(rebased.run_image.clone()),
        packages: changed.clone().count(),
        cves: changed.flat_map(|changed| changed.cves.iter().cloned()).collect(),
        error: rebased.check().err().map(|error| error.to_string()),
        ..row
    }
}
