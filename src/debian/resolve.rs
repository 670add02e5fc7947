//! Which packages a list of packages needs: the newest version of each, and the first alternative that can be had, unless another one is there
//! already or it conflicts with what must be there. What one package needs comes before what the next one needs. For one release of Debian
//! this gives apt's answer.

use super::index::{Candidate, Index};
use super::relation::{Relation, clauses};
use super::{Base, Kind, Lock, Package, version};
use crate::error::{Context, Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Resolves an image's packages, and `extras` on top of them. The image's own packages are chosen first, so extras never change them.
///
/// # Errors
/// When a package does not exist, a dependency cannot be met, or two packages conflict.
pub fn resolve(base: &Base, kind: Kind, extras: &[String], index: &Index) -> Result<Lock> {
    let ignored = base.ignored(kind).into_iter().collect();
    let mut resolver =
        Resolver { index, ignored, chosen: BTreeMap::new(), provided: HashMap::new(), needed: HashSet::new(), refused: HashMap::new() };
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
    /// What chosen packages need, where nothing else will do.
    needed: HashSet<&'a str>,
    /// What chosen packages conflict with.
    refused: HashMap<&'a str, Vec<Refusal<'a>>>,
}

/// That a package conflicts with another one, or with all others that provide something.
#[derive(Clone, Copy)]
struct Refusal<'a> {
    by: &'a str,
    wanted: Relation<'a>,
    providers: bool,
}

struct Chosen<'a> {
    candidate: Candidate<'a>,
    why: String,
}

impl<'a> Resolver<'a> {
    /// Chooses all of `names`, then what the first of them needs, and so on.
    fn request(&mut self, names: &[String], why: &str) -> Result<()> {
        let mut chosen = Vec::new();
        for name in names {
            let wanted = Relation { name, version: None };
            if self.is_met(&wanted) {
                continue;
            }
            let candidate = self.candidate(&wanted).context(|| format!("there is no package `{name}`"));
            chosen.push(self.choose(candidate.map_err(|error| error.hint("look for its name in Debian's package list"))?, why));
        }
        chosen.into_iter().try_for_each(|name| self.add_dependencies(name))
    }

    /// Chooses what a package needs, each dependency with all that it needs itself before the next.
    fn add_dependencies(&mut self, name: &'a str) -> Result<()> {
        let mut stack = vec![(name, self.needs(name))];
        while let Some((name, rest)) = stack.last_mut() {
            let Some(clause) = rest.next() else {
                stack.pop();
                continue;
            };
            if clause.iter().any(|wanted| self.is_ignored(wanted)) || clause.iter().any(|wanted| self.is_met(wanted)) {
                continue;
            }
            let candidates = clause.iter().filter_map(|wanted| self.candidate(wanted));
            let candidates: Vec<_> = candidates.filter(|found| !self.chosen.contains_key(found.field("Package"))).collect();
            let possible = candidates.iter().find(|found| !self.is_refused(found)).or(candidates.first());
            let found = *possible.context(|| format!("`{name}` needs {}, which cannot be had", describe(&clause)))?;
            let added = self.choose(found, name);
            stack.push((added, self.needs(added)));
        }
        Ok(())
    }

    fn needs(&self, name: &str) -> impl Iterator<Item = Vec<Relation<'a>>> + use<'a> {
        let candidate = self.chosen[name].candidate;
        ["Pre-Depends", "Depends"].into_iter().flat_map(move |field| clauses(candidate.field(field)))
    }

    /// A dependency on one exact version is one on shared content, never on what a script calls.
    fn is_ignored(&self, wanted: &Relation) -> bool {
        self.ignored.contains(wanted.name) && !matches!(wanted.version, Some(("=", _)))
    }

    fn choose(&mut self, candidate: Candidate<'a>, why: &str) -> &'a str {
        let name = candidate.field("Package");
        for relation in clauses(candidate.field("Provides")).flatten() {
            let version = relation.version.map(|(_, version)| version);
            self.provided.entry(relation.name).or_default().push((name, version));
        }
        for refusal in refusals(candidate) {
            self.refused.entry(refusal.wanted.name).or_default().push(refusal);
        }
        self.chosen.insert(name, Chosen { candidate, why: why.to_string() });
        let needed = self.needs(name).filter(|clause| !clause.iter().any(|wanted| self.is_ignored(wanted)));
        let needed: Vec<_> = needed.filter_map(|clause| if let [only] = clause[..] { Some(only.name) } else { None }).collect();
        self.needed.extend(needed);
        name
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
        match self.chosen.iter().find_map(|(name, chosen)| Some((name, self.refuser(&chosen.candidate)?))) {
            Some((name, by)) => Err(Error::new(format!("the packages `{by}` and `{name}` cannot be installed together"))),
            None => Ok(()),
        }
    }

    /// Whether a package conflicts with one that is chosen or must be.
    fn is_refused(&self, candidate: &Candidate<'a>) -> bool {
        let meets = |refusal: Refusal| {
            let (name, wanted) = (refusal.wanted.name, &refusal.wanted);
            let chosen = self.chosen.get(name).map(|chosen| chosen.candidate);
            let needed = || self.needed.contains(name).then(|| self.index.candidates(name).into_iter().next()).flatten();
            let by_name = chosen.or_else(needed).is_some_and(|other| name != refusal.by && fits(Some(other.field("Version")), wanted));
            by_name || refusal.providers && self.provided.contains_key(name)
        };
        self.refuser(candidate).is_some() || refusals(*candidate).any(meets)
    }

    /// The chosen package that conflicts with another one.
    fn refuser(&self, candidate: &Candidate<'a>) -> Option<&'a str> {
        let (name, version) = (candidate.field("Package"), candidate.field("Version"));
        let others = |refused: &str| self.refused.get(refused).into_iter().flatten().filter(|refusal| refusal.by != name);
        let by_name = others(name).find(|refusal| fits(Some(version), &refusal.wanted));
        let provided =
            || clauses(candidate.field("Provides")).flatten().find_map(|what| others(what.name).find(|refusal| refusal.providers));
        by_name.or_else(provided).map(|refusal| refusal.by)
    }
}

fn refusals(candidate: Candidate<'_>) -> impl Iterator<Item = Refusal<'_>> {
    ["Conflicts", "Breaks"].into_iter().flat_map(move |field| {
        let providers = move |wanted: &Relation| field == "Conflicts" && wanted.version.is_none();
        let relations = clauses(candidate.field(field)).flatten();
        relations.map(move |wanted| Refusal { by: candidate.field("Package"), providers: providers(&wanted), wanted })
    })
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
    fn what_conflicts_with_the_chosen_or_needed_is_no_alternative() {
        let index = [
            stanza("app", "1", "Depends: base, full"),
            stanza("base", "1", "Depends: small | full"),
            stanza("small", "1", "Conflicts: full"),
            stanza("full", "1", ""),
            stanza("mail", "1", "Depends: post | other"),
            stanza("post", "1", "Provides: agent\nConflicts: agent"),
            stanza("other", "1", ""),
            stanza("exim", "1", "Provides: agent"),
        ];
        assert_eq!(resolve_in(&index, &["app"], &[], &[]).unwrap(), ["app=1 declared", "base=1 app", "full=1 base"]);
        assert_eq!(resolve_in(&index, &["base"], &[], &[]).unwrap(), ["base=1 declared", "small=1 base"]);
        assert_eq!(resolve_in(&index, &["exim", "mail"], &[], &[]).unwrap(), ["exim=1 declared", "mail=1 declared", "other=1 mail"]);
        assert_eq!(resolve_in(&index, &["mail"], &[], &[]).unwrap(), ["mail=1 declared", "post=1 mail"]);
    }

    #[test]
    fn dependencies_of_one_package_come_before_those_of_the_next() {
        let index = [
            stanza("a", "1", "Depends: c"),
            stanza("b", "1", "Depends: y"),
            stanza("c", "1", "Depends: x | y"),
            stanza("x", "1", ""),
            stanza("y", "1", ""),
        ];
        let expected = ["a=1 declared", "b=1 declared", "c=1 a", "x=1 c", "y=1 b"];
        assert_eq!(resolve_in(&index, &["a", "b"], &[], &[]).unwrap(), expected);
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
