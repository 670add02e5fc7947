//! What was installed, as CycloneDX, SPDX and Syft documents. They hold no time and no random number, so equal builds have equal ones.

mod metadata;
mod requirement;
mod wheels;

use super::problem::Problem;
use super::project::Project;
use ::sbom::{Algorithm, Document, Format, Found, Inventory, Package, Purl};
use libcnb::data::sbom::SbomFormat;
use libcnb::sbom::Sbom;
use metadata::Metadata;
use requirement::{Environment, Requirement};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
pub use wheels::Wheels;

/// The time that images carry (CNB Platform Specification, "Build Reproducibility").
const CREATED: &str = "1980-01-01T00:00:01Z";

/// What a virtual environment has.
#[derive(Debug, Default)]
pub struct Installed {
    packages: Vec<Distribution>,
}

/// A package as it is installed.
#[derive(Debug)]
struct Distribution {
    metadata: Metadata,
    /// Its file `METADATA`.
    path: PathBuf,
    /// The tags of the wheel that it came in, as `py3-none-any`.
    tags: BTreeSet<String>,
    /// It is from an address, not from an index (PEP 610).
    is_direct: bool,
}

/// Extras of packages that somebody asks for, by the package's folded name.
type Extras = BTreeSet<(String, String)>;

impl Installed {
    /// Reads the packages of a virtual environment, sorted by name.
    pub fn read(venv: &Path) -> Result<Self, Problem> {
        let mut packages = Vec::new();
        for python in folders(&venv.join("lib"))? {
            for folder in folders(&python.join("site-packages"))? {
                let path = folder.join("METADATA");
                let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
                let is_package = folder.extension().is_some_and(|extension| extension == "dist-info");
                let Some(metadata) = Metadata::parse(&text("METADATA")).filter(|_| is_package) else { continue };
                let wheel = text("WHEEL");
                let tags = wheel.lines().filter_map(|line| line.strip_prefix("Tag:")).map(|tag| tag.trim().to_string()).collect();
                packages.push(Distribution { metadata, path, tags, is_direct: folder.join("direct_url.json").exists() });
            }
        }
        packages.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        Ok(Self { packages })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Those of indexes, each as `NAME==VERSION` in a line of its own.
    pub fn pinned(&self) -> String {
        let of_index = self.packages.iter().filter(|package| !package.is_direct);
        of_index.map(|package| format!("{}=={}\n", package.metadata.name, package.metadata.version)).collect()
    }

    /// The packages with the files that they came in, and what each needs of the others.
    pub fn inventory(&self, wheels: &Wheels, project: &Project) -> Inventory {
        let packages: Vec<Package> = self.packages.iter().map(|distribution| distribution.package(wheels)).collect();
        let keys: BTreeMap<String, String> = packages.iter().map(|package| (requirement::folded(&package.name), package.key())).collect();
        let environment = Environment::of(self.python());
        let extras = self.extras(project, &environment);
        let mut inventory = Inventory::default();
        for (distribution, mut package) in self.packages.iter().zip(packages) {
            let (name, own) = (requirement::folded(&package.name), package.key());
            let needed = distribution.requirements().filter(|needed| needed.applies(&environment, &name, &extras));
            package.depends = needed.filter_map(|needed| keys.get(&needed.name)).filter(|key| **key != own).cloned().collect();
            inventory.add(package);
        }
        inventory
    }

    /// The extras that the project or packages ask for; an extra may ask for others.
    fn extras(&self, project: &Project, environment: &Environment) -> Extras {
        let text: String = project.files().iter().filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n");
        let mut extras = requirement::extras_in(&text);
        loop {
            let mut more = Extras::new();
            for package in &self.packages {
                let own = requirement::folded(&package.metadata.name);
                for needed in package.requirements().filter(|needed| needed.applies(environment, &own, &extras)) {
                    more.extend(needed.extras.iter().map(|extra| (needed.name.clone(), extra.clone())));
                }
            }
            let before = extras.len();
            extras.extend(more);
            if extras.len() == before {
                return extras;
            }
        }
    }

    /// The version of Python, as `3.13`, by the folder that packages are in.
    fn python(&self) -> &str {
        let folders = self.packages.first().into_iter().flat_map(|package| package.path.iter());
        folders.filter_map(|folder| folder.to_str()?.strip_prefix("python")).next().unwrap_or("3")
    }
}

impl Distribution {
    fn requirements(&self) -> impl Iterator<Item = Requirement> {
        self.metadata.requires.iter().filter_map(|text| Requirement::parse(text))
    }

    fn package(&self, wheels: &Wheels) -> Package {
        let Metadata { name, version, licence, originator, .. } = self.metadata.clone();
        let purl = Purl { kind: "pypi".into(), name: requirement::folded(&name), version: version.clone(), ..Purl::default() };
        let hash = if self.is_direct { None } else { wheels.hash(&name, &version, &self.tags) };
        let supplier = if self.is_direct { originator.clone() } else { None };
        Package {
            name,
            version,
            purl: Some(purl.to_string()),
            licence,
            originator,
            supplier,
            checksums: hash.map(|hash| (Algorithm::Sha256, hash.to_string())).into_iter().collect(),
            found: [Found { layer: String::new(), path: self.path.display().to_string() }].into(),
            ..Package::default()
        }
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = fs::read_dir(folder).map_err(|error| Problem::Io("read", folder.to_path_buf(), error))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// The three documents.
pub fn documents(inventory: &Inventory) -> Vec<Sbom> {
    let version = env!("CARGO_PKG_VERSION");
    let about = Document { name: "python", created: CREATED, tool: "cooper-buildpacks", version, subject: None, notes: &[] };
    let formats =
        [(SbomFormat::CycloneDxJson, Format::CycloneDx), (SbomFormat::SpdxJson, Format::Spdx), (SbomFormat::SyftJson, Format::Syft)];
    formats.map(|(format, written)| Sbom { format, data: ::sbom::write(written, inventory, &about) }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_listed_with_what_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let venv = folder.path();
        let wheel = "Wheel-Version: 1.0\nTag: py3-none-any\n";
        for (name, text) in [
            ("a-1.dist-info", "Name: Zope.Interface\nVersion: 1\nLicense-Expression: MIT\nRequires-Dist: b[fast]>=1\n\nbody"),
            (
                "b-2.dist-info",
                "Name: b\nVersion: 2+local\nLicense: Own\nRequires-Dist: c; extra == 'fast'\nRequires-Dist: d; extra == 'slow'\n",
            ),
            ("c-1.dist-info", "Name: c\nVersion: 1\nClassifier: License :: OSI Approved :: MIT License\n"),
            ("d-1.dist-info", "Name: d\nVersion: 1\n"),
            ("e", "Name: e\nVersion: 1\n"),
        ] {
            let folder = venv.join("lib/python3.13/site-packages").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("METADATA"), text).unwrap();
            fs::write(folder.join("WHEEL"), wheel).unwrap();
        }
        let installed = Installed::read(venv).unwrap();
        assert_eq!(installed.pinned(), "Zope.Interface==1\nb==2+local\nc==1\nd==1\n");
        let lock = format!(
            "[[packages]]\nname = 'c'\nversion = '1'\nwheels = [{{ url = 'https://x.test/c-1-py3-none-any.whl', hashes = {{ sha256 = '{}' }} }}]\n",
            "a".repeat(64)
        );
        let project = Project::Requirements(venv.join("requirements.txt"));
        let inventory = installed.inventory(&Wheels::parse(&lock), &project);
        let keys: Vec<&String> = inventory.by_key().keys().collect();
        assert_eq!(keys, ["pkg:pypi/b@2%2Blocal", "pkg:pypi/c@1", "pkg:pypi/d@1", "pkg:pypi/zope-interface@1"]);
        let told: Vec<_> = inventory.packages().map(|package| package.depends.iter().map(String::as_str).collect::<Vec<_>>()).collect();
        assert_eq!(told, [vec!["pkg:pypi/c@1"], vec![], vec![], vec!["pkg:pypi/b@2%2Blocal"]]);
        let licences: Vec<_> = inventory.packages().map(|package| package.licence.as_ref().map(::sbom::Licence::expression)).collect();
        assert_eq!(licences, [Some("LicenseRef-Own"), Some("MIT"), None, Some("MIT")]);
        assert_eq!(inventory.packages().filter(|package| !package.checksums.is_empty()).count(), 1);
        let written = || documents(&inventory).into_iter().map(|sbom| sbom.data).collect::<Vec<_>>();
        assert_eq!(written(), written());
    }
}
