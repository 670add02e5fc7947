//! `run.toml`: the run images of a builder (Platform spec, `run.toml`).

use crate::error::{Context, Result};
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

    /// The names that an app image remembers of its run image, for a later rebase: the entry that has the name that was used; else, where
    /// an extension chose the image, that name alone; else the default (EXP-28).
    pub fn names_for_export(&self, used: &str, chosen_by_extension: bool) -> RunImageNames {
        let listed = self.images.iter().find(|entry| entry.image == used || entry.mirrors.iter().any(|mirror| mirror == used));
        match (listed, chosen_by_extension) {
            (Some(entry), _) => entry.clone(),
            (None, true) => RunImageNames { image: used.into(), mirrors: Vec::new() },
            (None, false) => self.images.first().cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
