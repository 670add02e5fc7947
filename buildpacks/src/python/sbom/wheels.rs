//! The files that packages came in, as uv lists them (PEP 751, `pylock.toml`).

use super::requirement::folded;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Files of packages, by the packages' names and versions.
#[derive(Debug, Default)]
pub struct Wheels(BTreeMap<(String, String), Files>);

#[derive(Debug, Default)]
struct Files {
    /// Hashes by the name of the file.
    wheels: BTreeMap<String, String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Option<String>,
    #[serde(default)]
    wheels: Vec<File>,
    sdist: Option<File>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    #[serde(default)]
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Wheels {
    /// Reads the list; of one that cannot be read nothing is known.
    pub fn parse(text: &str) -> Self {
        let lock: Lock = toml::from_str(text).unwrap_or(Lock { packages: Vec::new() });
        let of = |file: &File| {
            let name = file.name.clone().unwrap_or_else(|| file.url.rsplit('/').next().unwrap_or_default().to_string());
            Some((name, file.hashes.get("sha256").filter(|hash| hash.len() == 64)?.clone()))
        };
        let known = lock.packages.into_iter().filter_map(|package| {
            let wheels = package.wheels.iter().filter_map(of).collect();
            let source = package.sdist.as_ref().and_then(of).map(|(_, hash)| hash);
            Some(((folded(&package.name), package.version?), Files { wheels, source }))
        });
        Self(known.collect())
    }

    /// The SHA-256 of the wheel with these tags; of the source, if that was built here because no wheel fits.
    pub fn hash(&self, name: &str, version: &str, tags: &BTreeSet<String>) -> Option<&str> {
        let files = self.0.get(&(folded(name), version.to_string()))?;
        let fits = |file: &&String| tags_of(file).is_some_and(|found| !found.is_disjoint(tags));
        let wheel = files.wheels.keys().find(fits).and_then(|file| files.wheels.get(file));
        wheel.or(files.source.as_ref()).map(String::as_str)
    }
}

/// The tags in a wheel's name, where each part may stand for several (PEP 425).
fn tags_of(file: &str) -> Option<BTreeSet<String>> {
    let mut parts = file.strip_suffix(".whl")?.rsplit('-');
    let (platform, abi, python) = (parts.next()?, parts.next()?, parts.next()?);
    let each = |part: &str| part.split('.').map(str::to_string).collect::<Vec<_>>();
    let mut tags = BTreeSet::new();
    for python in each(python) {
        for abi in each(abi) {
            tags.extend(each(platform).into_iter().map(|platform| format!("{python}-{abi}-{platform}")));
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_found_by_its_tags() {
        let hash = |digit: &str| digit.repeat(64);
        let lock = format!(
            "lock-version = '1.0'\n[[packages]]\nname = 'pydantic-core'\nversion = '2'\nsdist = {{ url = 'https://x.test/p.tar.gz', hashes = {{ sha256 = '{}' }} }}\n\
             wheels = [{{ url = 'https://x.test/pydantic_core-2-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl', hashes = {{ sha256 = '{}' }} }}]\n",
            hash("1"),
            hash("2")
        );
        let wheels = Wheels::parse(&lock);
        let of = |tag: &str| wheels.hash("pydantic_core", "2", &BTreeSet::from([tag.to_string()])).map(|hash| hash[..1].to_string());
        assert_eq!(of("cp313-cp313-manylinux_2_17_x86_64").as_deref(), Some("2"));
        assert_eq!(of("cp313-cp313-linux_x86_64").as_deref(), Some("1"));
        assert_eq!(wheels.hash("other", "2", &BTreeSet::new()), None);
        assert!(Wheels::parse("nonsense").0.is_empty());
    }
}
