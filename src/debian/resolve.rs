//! Which packages a list of packages needs: the newest version of each, dependencies in breadth-first order, the first alternative that can
//! be had. For one release of Debian this gives apt's answer.

use super::index::{Candidate, Index};
use super::relation::{Relation, clauses};
use super::{Base, Kind, Lock, Package, version};
use crate::error::{Context, Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Resolves an image's packages, and `extras` on top of them. The image's own packages are chosen first, so extras never change them.
///
/// # Errors
/// When a package does not exist, a dependency cannot be met, or two packages conflict.
pub fn resolve(base: &Base, kind: Kind, extras: &[String], index: &Index) -> Result<Lock> {
    let ignored = base.ignored(kind).into_iter().collect();
    let mut resolver = Resolver { index, ignored, chosen: BTreeMap::new(), provided: HashMap::new(), queue: VecDeque::new() };
    resolver.request(&base.packages(kind), "declared")?;
    resolver.request(extras, "requested")?;
    resolver.check_conflicts()?;
    let packages = resolver.chosen.values().map(Chosen::package).collect::<Result<_>>()?;
    Ok(Lock { suite: base.suite.clone(), architecture: index.architecture.clone(), releases: index.releases.clone(), packages })
}

struct Resolver<'a> {
    index: &'a Index,
    ignored: HashSet<String>,
    chosen: BTreeMap<&'a str, Chosen<'a>>,
    /// What chosen packages provide, with versions where they say so.
    provided: HashMap<&'a str, Vec<(&'a str, Option<&'a str>)>>,
    queue: VecDeque<&'a str>,
}

struct Chosen<'a> {
    candidate: Candidate<'a>,
    why: String,
}

impl<'a> Resolver<'a> {
    fn request(&mut self, names: &[String], why: &str) -> Result<()> {
        for name in names {
            let wanted = Relation { name, version: None };
            if self.is_met(&wanted) {
                continue;
            }
            let candidate = self.candidate(&wanted).context(|| format!("there is no package `{name}`"));
            self.choose(candidate.map_err(|error| error.hint("look for its name in Debian's package list"))?, why);
        }
        while let Some(name) = self.queue.pop_front() {
            self.add_dependencies(name)?;
        }
        Ok(())
    }

    fn add_dependencies(&mut self, name: &'a str) -> Result<()> {
        let candidate = self.chosen[name].candidate;
        for field in ["Pre-Depends", "Depends"] {
            for clause in clauses(candidate.field(field)) {
                if clause.iter().any(|wanted| self.is_ignored(wanted)) || clause.iter().any(|wanted| self.is_met(wanted)) {
                    continue;
                }
                let found = clause
                    .iter()
                    .find_map(|wanted| self.candidate(wanted).filter(|found| !self.chosen.contains_key(found.field("Package"))));
                let found = found.context(|| format!("`{name}` needs {}, which cannot be had", describe(&clause)))?;
                self.choose(found, name);
            }
        }
        Ok(())
    }

    /// A dependency on one exact version is one on shared content, never on what a script calls.
    fn is_ignored(&self, wanted: &Relation) -> bool {
        self.ignored.contains(wanted.name) && !matches!(wanted.version, Some(("=", _)))
    }

    fn choose(&mut self, candidate: Candidate<'a>, why: &str) {
        let name = candidate.field("Package");
        for relation in clauses(candidate.field("Provides")).flatten() {
            let version = relation.version.map(|(_, version)| version);
            self.provided.entry(relation.name).or_default().push((name, version));
        }
        self.chosen.insert(name, Chosen { candidate, why: why.to_string() });
        self.queue.push_back(name);
    }

    fn is_met(&self, wanted: &Relation) -> bool {
        let by_name = self.chosen.get(wanted.name).is_some_and(|chosen| fits(Some(chosen.candidate.field("Version")), wanted));
        by_name || self.provided.get(wanted.name).is_some_and(|providers| providers.iter().any(|(_, version)| fits(*version, wanted)))
    }

    /// The newest version that fits, else the provider that Debian holds more important, else the first by name.
    fn candidate(&self, wanted: &Relation) -> Option<Candidate<'a>> {
        let by_name = self.index.candidates(wanted.name).into_iter().find(|found| fits(Some(found.field("Version")), wanted));
        by_name.or_else(|| {
            let providers = self.index.providers(wanted.name).filter(|(_, version)| fits(*version, wanted));
            let newest = providers.filter_map(|(provider, _)| self.index.candidates(provider.field("Package")).into_iter().next());
            newest.min_by_key(|found| (importance(found.field("Priority")), found.field("Package")))
        })
    }

    fn check_conflicts(&self) -> Result<()> {
        for (name, chosen) in &self.chosen {
            for field in ["Conflicts", "Breaks"] {
                for wanted in clauses(chosen.candidate.field(field)).flatten() {
                    let by_name = self
                        .chosen
                        .get(wanted.name)
                        .is_some_and(|other| wanted.name != *name && fits(Some(other.candidate.field("Version")), &wanted));
                    let providers = self.provided.get(wanted.name).map_or(&[][..], Vec::as_slice);
                    let by_provider = field == "Conflicts" && wanted.version.is_none() && providers.iter().any(|(other, _)| other != name);
                    if by_name || by_provider {
                        return Err(Error::new(format!("the packages `{name}` and `{}` cannot be installed together", wanted.name)));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Chosen<'_> {
    fn package(&self) -> Result<Package> {
        let field = |name: &str| self.candidate.field(name);
        let name = field("Package").to_string();
        let source = field("Source").split_whitespace().next().unwrap_or(&name).to_string();
        let size = field("Size").parse().context(|| format!("the index gives `{name}` no size"))?;
        let sha256 = field("SHA256").to_string();
        crate::image::Digest::from_hex(&sha256).context(|| format!("the index gives `{name}` no SHA-256"))?;
        Ok(Package {
            version: field("Version").into(),
            architecture: field("Architecture").into(),
            archive: self.candidate.archive.into(),
            suite: self.candidate.suite.into(),
            path: field("Filename").into(),
            why: self.why.clone(),
            name,
            source,
            size,
            sha256,
        })
    }
}

fn fits(version: Option<&str>, wanted: &Relation) -> bool {
    match (wanted.version, version) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((relation, wanted)), Some(version)) => version::satisfies(version, relation, wanted),
    }
}

fn importance(priority: &str) -> usize {
    ["required", "important", "standard", "optional", "extra"].iter().position(|known| *known == priority).unwrap_or(5)
}

fn describe(clause: &[Relation]) -> String {
    let one = |relation: &Relation| match relation.version {
        Some((operator, version)) => format!("`{} ({operator} {version})`", relation.name),
        None => format!("`{}`", relation.name),
    };
    clause.iter().map(one).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(name: &str, version: &str, rest: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}\nSize: 1\nSHA256: {}\n{rest}\n",
            "a".repeat(64)
        )
    }

    fn resolve_in(index: &[String], roots: &[&str], ignored: &[&str], extras: &[&str]) -> Result<Vec<String>> {
        let list = |names: &[&str]| format!("[{}]", names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(","));
        let base = format!(
            "distro='d'\nsuite='s'\nversion='1'\narchive=[]\n[common]\npackages={}\nignore-depends={}\n[build]\n[run]\n",
            list(roots),
            list(ignored)
        );
        let extras: Vec<String> = extras.iter().map(ToString::to_string).collect();
        let lock = resolve(
            &Base::parse(&base).unwrap(),
            Kind::Run,
            &extras,
            &Index::of(&index.iter().map(|stanza| stanza.trim_end()).collect::<Vec<_>>().join("\n\n")),
        )?;
        Ok(lock.packages.iter().map(|package| format!("{}={} {}", package.name, package.version, package.why)).collect())
    }

    #[test]
    fn newest_versions_alternatives_and_providers() {
        let index = [
            stanza("a", "1", "Depends: virtual, x (>= 2) | b"),
            stanza("a", "2", "Depends: virtual, x (>= 2) | b"),
            stanza("b", "1", ""),
            stanza("x", "1", ""),
            stanza("p", "1", "Provides: virtual\nPriority: optional"),
            stanza("q", "1", "Provides: virtual (= 3)\nPriority: required"),
        ];
        assert_eq!(resolve_in(&index, &["a"], &[], &[]).unwrap(), ["a=2 declared", "b=1 a", "q=1 a"]);
    }

    #[test]
    fn ignored_dependencies_come_only_when_asked_for_or_exact() {
        let index = [stanza("a", "1", "Depends: script"), stanza("script", "1", ""), stanza("perl", "1", "Depends: script (= 1)")];
        assert_eq!(resolve_in(&index, &["a"], &["script"], &[]).unwrap(), ["a=1 declared"]);
        assert_eq!(resolve_in(&index, &["a"], &["script"], &["perl"]).unwrap(), ["a=1 declared", "perl=1 requested", "script=1 perl"]);
    }

    #[test]
    fn what_cannot_be_is_explained() {
        let index = [stanza("a", "1", "Depends: gone (>= 3) | lost"), stanza("b", "1", "Conflicts: c"), stanza("c", "1", "")];
        let error = |roots: &[&str]| resolve_in(&index, roots, &[], &[]).unwrap_err().to_string();
        assert_eq!(error(&["a"]), "`a` needs `gone (>= 3)` or `lost`, which cannot be had");
        assert_eq!(error(&["none"]), "there is no package `none`");
        assert_eq!(error(&["b", "c"]), "the packages `b` and `c` cannot be installed together");
    }
}
