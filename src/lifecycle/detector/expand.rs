//! Orders written out, group by group, as they are tried: composite buildpacks replaced by what they stand for, extensions in front (DET-02
//! to DET-06, API-08). Only one group is in memory at a time, because orders multiply. Start with [`Groups::next`].

use crate::buildpack::{Descriptor, Group, Kind, Modules, Order, OrderEntry};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// An order that stands for more groups than this is a mistake or an attack.
const MOST_GROUPS: usize = 100_000;
/// The same for the members of all its groups together.
const MOST_MEMBERS: usize = 10_000_000;

/// One place of a group, written out.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub descriptor: Arc<Descriptor>,
    pub optional: bool,
    /// Tells descriptors apart, from 0 on.
    pub number: usize,
}

/// The groups of an order.
pub(super) struct Groups<'a> {
    modules: &'a Modules,
    /// The execution environment, where the Platform API knows of it.
    exec_env: Option<&'a str>,
    extensions: Rc<Ways<'a>>,
    found: HashMap<(Kind, String, String), Found>,
    ids: HashMap<(Kind, String), usize>,
    choices: Vec<Choice<'a>>,
    group: Vec<Entry>,
    /// For each ID, the place in the group where it is, or was.
    places: Vec<usize>,
    groups: usize,
    members: usize,
}

/// A descriptor, its number, and that of its ID.
#[derive(Clone)]
struct Found {
    descriptor: Arc<Descriptor>,
    number: usize,
    id: usize,
}

/// Groups of which one is to be chosen.
struct Ways<'a> {
    groups: Source<'a>,
    kind: Kind,
    /// Of a composite: what it is a member of.
    inside: Option<Rc<Ways<'a>>>,
}

enum Source<'a> {
    Order(&'a [Group]),
    Composite(Arc<Descriptor>),
}

/// What comes next in a group: the rest of one of the ways, then what came after the composite that the ways are of.
struct Rest<'a> {
    ways: Rc<Ways<'a>>,
    group: usize,
    at: usize,
    next: Option<Rc<Rest<'a>>>,
}

/// A place where there are several ways to go on.
struct Choice<'a> {
    /// How many members stand before it.
    length: usize,
    ways: Rc<Ways<'a>>,
    next: usize,
    /// Whether to go on without any of them in the end (DET-04).
    optional: bool,
    after: Option<Rc<Rest<'a>>>,
}

impl<'a> Groups<'a> {
    /// The groups of an order.
    ///
    /// # Errors
    /// When a buildpack of the order is missing or speaks an unknown API.
    pub fn new(order: &'a Order, modules: &'a Modules, exec_env: Option<&'a str>) -> Result<Self> {
        let ways = |groups: &'a [Group], kind| Rc::new(Ways { groups: Source::Order(groups), kind, inside: None });
        let start = Choice { length: 0, ways: ways(&order.order, Kind::Buildpack), next: 0, optional: false, after: None };
        let mut groups = Self {
            modules,
            exec_env,
            extensions: ways(&order.extensions, Kind::Extension),
            found: HashMap::new(),
            ids: HashMap::new(),
            choices: vec![start],
            group: Vec::new(),
            places: Vec::new(),
            groups: 0,
            members: 0,
        };
        for (listed, kind) in [(&order.order, Kind::Buildpack), (&order.extensions, Kind::Extension)] {
            for entry in listed.iter().flat_map(|group| &group.group) {
                groups.find(kind, entry)?;
            }
        }
        Ok(groups)
    }

    /// The next group to try; none where all were.
    ///
    /// # Errors
    /// When a buildpack is missing, speaks an unknown API, or stands for itself, or the order stands for too many groups.
    pub fn next(&mut self) -> Result<Option<Vec<Entry>>> {
        while let Some(rest) = self.next_way() {
            if self.groups >= MOST_GROUPS || self.members >= MOST_MEMBERS {
                return Err(Error::new(format!("the order stands for too many groups: none of the first {} passed", self.groups)));
            }
            if self.follow(rest)? && !self.group.is_empty() {
                self.groups += 1;
                return Ok(Some(self.group.clone()));
            }
        }
        Ok(None)
    }

    /// What comes next on the next way, at the last place where there is one; nothing where there is no such place.
    fn next_way(&mut self) -> Option<Option<Rc<Rest<'a>>>> {
        loop {
            let is_order = self.choices.len() == 1;
            let choice = self.choices.last_mut()?;
            self.group.truncate(choice.length);
            if choice.next < choice.ways.groups().len() {
                let rest = Rc::new(Rest { ways: choice.ways.clone(), group: choice.next, at: 0, next: choice.after.clone() });
                choice.next += 1;
                if !is_order || self.extensions.groups().is_empty() {
                    return Some(Some(rest));
                }
                // Extensions stand in front as if the first member were an optional composite.
                let ways = self.extensions.clone();
                self.choices.push(Choice { length: 0, ways, next: 0, optional: true, after: Some(rest) });
            } else {
                let choice = self.choices.pop()?;
                if choice.optional {
                    return Some(choice.after);
                }
            }
        }
    }

    /// Adds members to the group up to its end, or to the next place where there are several ways: then the group is not whole yet.
    fn follow(&mut self, mut rest: Option<Rc<Rest<'a>>>) -> Result<bool> {
        while let Some(here) = rest {
            let members = &here.ways.groups()[here.group].group;
            for (at, entry) in members.iter().enumerate().skip(here.at) {
                self.members += 1;
                let applies =
                    |envs: &[String]| self.exec_env.is_none_or(|own| envs.is_empty() || envs.iter().any(|env| env == "*" || env == own));
                if !applies(&entry.exec_env) {
                    continue;
                }
                let found = self.find(here.ways.kind, entry)?;
                // The first of several with one ID counts (DET-05).
                if self.group.get(self.places[found.id]).is_some_and(|there| there.descriptor.id == found.descriptor.id) {
                    continue;
                }
                if !found.descriptor.order.is_empty() {
                    here.ways.check_circle(&found.descriptor)?;
                    let after = Rest { ways: here.ways.clone(), group: here.group, at: at + 1, next: here.next.clone() };
                    let groups = Source::Composite(found.descriptor);
                    let ways = Rc::new(Ways { groups, kind: Kind::Buildpack, inside: Some(here.ways.clone()) });
                    let (length, optional) = (self.group.len(), entry.optional);
                    self.choices.push(Choice { length, ways, next: 0, optional, after: Some(Rc::new(after)) });
                    return Ok(false);
                }
                self.add(found, entry.optional || here.ways.kind == Kind::Extension);
            }
            rest = here.next.clone();
        }
        Ok(true)
    }

    /// Those for other execution environments are left out (DET-35, DET-36).
    fn add(&mut self, found: Found, optional: bool) {
        if self.exec_env.is_none_or(|own| found.descriptor.is_for(own)) {
            self.places[found.id] = self.group.len();
            self.group.push(Entry { descriptor: found.descriptor, optional, number: found.number });
        }
    }

    fn find(&mut self, kind: Kind, entry: &OrderEntry) -> Result<Found> {
        let key = (kind, entry.id.clone(), entry.version.clone());
        if let Some(found) = self.found.get(&key) {
            return Ok(found.clone());
        }
        let descriptor = Arc::new(self.modules.find(kind, &entry.id, &entry.version)?);
        let id = *self.ids.entry((kind, descriptor.id.clone())).or_insert_with(|| {
            self.places.push(usize::MAX);
            self.places.len() - 1
        });
        let found = Found { descriptor, number: self.found.len(), id };
        self.found.insert(key, found.clone());
        Ok(found)
    }
}

impl Ways<'_> {
    fn groups(&self) -> &[Group] {
        match &self.groups {
            Source::Order(groups) => groups,
            Source::Composite(descriptor) => &descriptor.order,
        }
    }

    /// A composite that stands for itself would go on for ever (DET-06).
    fn check_circle(&self, composite: &Descriptor) -> Result<()> {
        let mut names = vec![composite.full_name()];
        let mut ways = Some(self);
        while let Some(Ways { groups: Source::Composite(outer), inside, .. }) = ways {
            names.push(outer.full_name());
            if outer.id == composite.id && outer.version == composite.version {
                names.reverse();
                return Err(Error::new(format!("the order goes in a circle: {}", names.join(" -> "))));
            }
            ways = inside.as_deref();
        }
        Ok(())
    }
}
