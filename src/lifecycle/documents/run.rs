//! `run.toml`: the run images of a builder (Platform spec, `run.toml`).

use crate::error::{Context, Result};
use crate::image::Reference;
use serde::{Deserialize, Serialize};

/// The run images of a builder, the default first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImages {
    /// The images.
    #[serde(default)]
    pub images: Vec<RunImageNames>,
}

/// A run image by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImageNames {
    /// Its name.
    #[serde(default)]
    pub image: String,
    /// Other names of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
}

impl RunImages {
    /// Reads the text of `run.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "cannot read the run images of the builder")
    }

    /// Reads the text of `stack.toml`, which older platforms have instead (FMT-15).
    pub fn parse_stack(text: &str) -> Result<Self> {
        #[derive(Default, Deserialize)]
        struct Stack {
            #[serde(rename = "run-image", default)]
            run_image: RunImageNames,
        }
        let stack: Stack = toml::from_str(text).context(|| "cannot read the stack of the builder")?;
        Ok(Self { images: if stack.run_image == RunImageNames::default() { Vec::new() } else { vec![stack.run_image] } })
    }

    /// The names that an app image remembers of its run image, for a later rebase: the entry that has the name that was used; else, where
    /// an extension chose the image, that name alone; else the default (EXP-28).
    pub fn names_for_export(&self, used: &str, chosen_by_extension: bool) -> RunImageNames {
        let listed = self.images.iter().find(|entry| entry.contains(used));
        match (listed, chosen_by_extension) {
            (Some(entry), _) => entry.clone(),
            (None, true) => RunImageNames { image: used.into(), mirrors: Vec::new() },
            (None, false) => self.images.first().cloned().unwrap_or_default(),
        }
    }
}

impl RunImageNames {
    /// Whether the entry has a name, however it is written (IMG-32).
    pub fn contains(&self, name: &str) -> bool {
        self.all().any(|known| known == name || plain(known).is_some_and(|known| Some(known) == plain(name)))
    }

    /// The name and the mirrors.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.image.as_str()).chain(self.mirrors.iter().map(String::as_str)).filter(|name| !name.is_empty())
    }

    /// The same image with the names of it that a user prefers before its own (CLI-27).
    #[must_use]
    pub fn preferring(&self, more: &[Self]) -> Self {
        let preferred = more.iter().filter(|entry| self.contains(&entry.image)).flat_map(|entry| &entry.mirrors);
        let mut names = preferred.cloned().chain(self.all().map(str::to_string));
        Self { image: names.next().unwrap_or_default(), mirrors: names.collect() }
    }

    /// The name to use for an app in a registry: one in the same registry that can be read, else the first that can (IMG-29, IMG-30).
    ///
    /// # Errors
    /// When none can be read.
    pub fn nearest(&self, registry: &str, can_read: impl Fn(&str) -> bool) -> Result<String> {
        let same = |name: &&str| Reference::parse(name).is_ok_and(|reference| reference.registry() == registry);
        let found = self.all().filter(same).find(|name| can_read(name)).or_else(|| self.all().find(|name| can_read(name)));
        found.map(str::to_string).context(|| "failed to find accessible run image")
    }
}

/// A name in full without its digest.
fn plain(name: &str) -> Option<String> {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    Reference::parse(name).ok().map(|reference| reference.full())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IMG-29, IMG-30, IMG-32, FMT-15.
    #[test]
    fn the_nearest_name_that_can_be_read_is_used() {
        let text = "[run-image]\nimage = 'acme/run'\nmirrors = ['r.test/run:1', 'q.test/run']\n";
        let stack = RunImages::parse_stack(text).unwrap().images.remove(0);
        assert_eq!(stack.nearest("r.test", |_| true).unwrap(), "r.test/run:1");
        assert_eq!(stack.nearest("r.test", |name| !name.starts_with("r.test")).unwrap(), "acme/run");
        assert_eq!(stack.nearest("x.test", |name| name.starts_with("q.")).unwrap(), "q.test/run");
        assert!(stack.nearest("x.test", |_| false).is_err());
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(stack.contains("index.docker.io/acme/run:latest") && stack.contains(&format!("acme/run@{digest}")));
        assert!(!stack.contains("acme/run:2"));
        assert!(RunImages::parse_stack("").unwrap().images.is_empty());
    }

    /// EXP-28, FMT-15.
    #[test]
    fn the_names_for_a_later_rebase() {
        let images = RunImages::parse("[[images]]\nimage = 'a'\nmirrors = ['b', 'c']\n[[images]]\nimage = 'd'\n").unwrap();
        let names = |images: &RunImages, used, by_extension| {
            let names = images.names_for_export(used, by_extension);
            format!("{} {}", names.image, names.mirrors.join(","))
        };
        assert_eq!(names(&images, "a", false), "a b,c");
        assert_eq!(names(&images, "c", false), "a b,c");
        assert_eq!(names(&images, "d", true), "d ");
        assert_eq!(names(&images, "x", true), "x ");
        assert_eq!(names(&images, "x", false), "a b,c");
        assert_eq!(names(&RunImages::default(), "x", false), " ");
    }
}
